"""Bringing a version to its regions, and waiting until it can be used there.

A finished operation is not a usable region: only ``replicationStatus`` tells, region by region.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from include.steps.arm_error import of_exception
from include.steps.azure import Azure, Started
from include.steps.errors import StepError
from include.steps.look import Found, Resource, gone, sort, step
from include.steps.target_region import Region, details, luns, normal, present, states, to_arm
from include.steps.version import REGIONS, Version, update

log = logging.getLogger(__name__)

# A failed region is put again once, then removed and added again once (the advice of Azure's own message, azure-cli#15539).
PUT_AGAIN, GIVE_UP = 0, 2
# One for the list, three for a region's repair, and some for another writer's; more is no race any more.
PUTS = 10


@step
async def replicate(
    azure: Azure, *, resource_group: str, gallery: str, definition: str, version: str, target_regions: list[Region], timeout: float = 21600
) -> dict[str, Any]:
    """Add the missing regions to a version and wait until it is Completed in all of ``target_regions``.

    Regions that are there already, whoever added them, are sent back unchanged; the home region is never removed. A region that failed is
    put again, then removed and added again by itself, and the others are left in peace.

    :param target_regions: ``{"name", "replica_count", "storage_account_type", "encryption_set"|None}`` each.
    :param timeout: seconds; Azure advises to wait up to six hours (troubleshooting-shared-images).
    :return: ``{"regions": {name: "Completed"}}``.
    :raises StepError: ``ReplicationFailed``: names the failed regions and the good ones; kind ``redo`` when the version is gone.
    """
    return await Replication(Version(azure, resource_group, gallery, definition, version), target_regions, timeout).run()


class Replication:
    """One version on its way to the regions that it is to have.

    :param remove: regions that it is not to have; the home region stays whatever is said here.
    :param replica_count: new counts of regions that are there already.
    :param excluded: the exclude flag of the regions that are added; None takes the version's own. A version that is excluded as a whole
        is excluded in every region that is added.
    """

    def __init__(
        self,
        version: Version,
        target_regions: list[Region],
        timeout: float,
        *,
        remove: Collection[str] = (),
        replica_count: Mapping[str, int] | None = None,
        excluded: bool | None = None,
    ) -> None:
        self.version = version
        self.wanted = {normal(region["name"]): region for region in target_regions}
        self.unwanted = {normal(name) for name in remove}
        self.replica_count = dict(replica_count or {})
        self.excluded = excluded
        self.deadline = asyncio.get_running_loop().time() + timeout
        self.repairs: Counter[str] = Counter()
        self.puts = 0
        self.started: Started | None = None

    def left(self) -> float:
        return max(0.0, self.deadline - asyncio.get_running_loop().time())

    async def run(self) -> dict[str, Any]:
        pauses = self.version.pauses()
        while True:
            resource = await self.settled()
            there = present(resource)
            missing = [name for name in self.wanted if name not in there]
            unwanted = [name for name in there if name in self.unwanted and name != normal(resource["location"])]
            state = {name: states(resource).get(name, "Unknown") for name in self.wanted}
            failed = [name for name in self.wanted if state[name] == "Failed"]
            if missing or unwanted or self.recounted(there) != there:
                await self.change(resource, missing, unwanted)
                pauses = self.version.pauses()
            elif failed:
                await self.repair(resource, failed, state)
                pauses = self.version.pauses()
            elif self.unwanted and _allows_deletion(resource):
                await self.put(resource)
            elif all(one == "Completed" for one in state.values()):
                return {"regions": state}
            elif not self.left():
                raise _too_slow(self.version, state)
            else:
                await asyncio.sleep(next(pauses))

    async def settled(self) -> Resource:
        """The version, when no operation runs on it."""
        found, resource = await self.version.settle(None, self.left(), self.started, REGIONS)
        self.started = None
        if resource is None or found is Found.ABSENT:
            raise gone(f"Version {self.version.version}", "publish_version")
        return resource

    async def change(self, resource: Resource, missing: list[str], unwanted: list[str]) -> None:
        said = [f"adding {', '.join(missing)}"] * bool(missing) + [f"removing {', '.join(unwanted)}"] * bool(unwanted)
        log.info("Version %s: %s.", self.version.version, " and ".join(said) or "setting replica counts")
        await self.put(resource, add=missing, remove=unwanted)

    def recounted(self, there: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """The regions that are there with the replica counts that they are to have."""
        return {
            name: {**item, "regionalReplicaCount": self.replica_count[name]} if name in self.replica_count else item
            for name, item in there.items()
        }

    async def put(self, resource: Resource, *, add: Collection[str] = (), remove: Collection[str] = ()) -> bool:
        """Put the list that is there without ``remove`` and with ``add``; False when another update came first, whose result is to be
        read.

        ``allowDeletionOfReplicatedLocations`` is on in the one put that removes a region and off in every other, so that Azure refuses a
        list that was read before another writer added to it.
        """
        self.puts += 1
        if self.puts > PUTS:
            raise StepError(
                "permanent",
                "LostUpdate",
                f"The region list of {self.version.id} was put {PUTS} times and is still not as it was put",
                "Find who else updates this version (a pipeline, Terraform) and let only one of them do it; then clear this task.",
            )
        own = bool(resource["properties"]["publishingProfile"].get("excludeFromLatest"))
        # A version that was rolled back while this was planned must not be latest in a new region, where the regional flag wins.
        excluded = own or bool(self.excluded)
        kept = [item for name, item in self.recounted(present(resource)).items() if name not in remove]
        new = [to_arm(self.wanted[name], excluded=excluded, luns=luns(resource)) for name in add]
        try:
            self.started = await self.version.put(update(resource, regions=[*kept, *new], allow_deletion=bool(remove)))
        except Exception as error:
            failure = of_exception(error)
            if failure.kind != "adopt":
                raise failure from error
            log.warning("The update was refused (%s); looking again.", failure.code)
            await asyncio.sleep(15)
            return False
        return True

    async def repair(self, resource: Resource, failed: list[str], state: dict[str, str]) -> None:
        if any(self.repairs[name] >= GIVE_UP for name in failed):
            raise self.broken(resource, failed, state)
        home = normal(resource["location"])
        again = [name for name in failed if self.repairs[name] == PUT_AGAIN or name == home]
        if again:
            log.warning("%s failed: put again. %s", ", ".join(again), self.reasons(resource, again))
            done, repaired = await self.put(resource), again
        else:
            log.warning("%s failed again: removed and added again. %s", ", ".join(failed), self.reasons(resource, failed))
            done, repaired = await self.put(resource, remove=failed), failed
        if done:
            self.repairs.update(repaired)

    def reasons(self, resource: Resource, names: list[str]) -> str:
        said = details(resource)
        return " ".join(f"{name}: {said[name]}" for name in names if name in said)

    def broken(self, resource: Resource, failed: list[str], state: dict[str, str]) -> StepError:
        good = [name for name, one in state.items() if one == "Completed"]
        return StepError(
            "permanent",
            "ReplicationFailed",
            f"Version {self.version.version} failed in {', '.join(failed)} after it was put again, removed and added again; "
            f"it is Completed in {', '.join(good) or 'no region'}. {self.reasons(resource, failed)}".rstrip(),
            "Check quota, encryption set and storage type in the failed regions, or take them out of the recipe; then clear this task.",
            details={"failed": failed, "completed": good},
        )


@step
async def wait_until_replicated(
    azure: Azure, *, resource_group: str, gallery: str, definition: str, version: str, regions: list[str], timeout: float = 21600
) -> dict[str, Any]:
    """Wait until the version is Completed in ``regions``; a version or region that is not there yet is waited for.

    :param timeout: seconds.
    :return: ``{"regions": {name: "Completed"}}``.
    :raises StepError: ``ReplicationFailed``: a region is Failed and no operation is repairing it; ``ReplicationTimedOut``.
    """
    one = Version(azure, resource_group, gallery, definition, version)
    deadline = asyncio.get_running_loop().time() + timeout
    pauses = one.pauses()
    while True:
        resource = await one.read()
        seen = states(resource) if resource else {}
        state = {normal(name): seen.get(normal(name), "Absent") for name in regions}
        if all(value == "Completed" for value in state.values()):
            return {"regions": state}
        failed = [name for name, value in state.items() if value == "Failed"]
        if failed and sort(resource) is not Found.RUNNING:
            raise StepError(
                "permanent",
                "ReplicationFailed",
                f"Version {version} failed in {', '.join(failed)}",
                "Replicate it again (image_version.replicate repairs failed regions), then clear this task.",
                details={"failed": failed, "completed": [name for name, value in state.items() if value == "Completed"]},
            )
        if asyncio.get_running_loop().time() > deadline:
            raise _too_slow(one, state)
        await asyncio.sleep(next(pauses))


def _allows_deletion(resource: Resource) -> bool:
    return bool((resource["properties"].get("safetyProfile") or {}).get("allowDeletionOfReplicatedLocations"))


def _too_slow(version: Version, state: dict[str, str]) -> StepError:
    late = [f"{name} ({value})" for name, value in state.items() if value != "Completed"]
    return StepError(
        "transient",
        "ReplicationTimedOut",
        f"Version {version.version} is not Completed in time in {', '.join(late)}",
        "Nothing: Azure goes on, and the next try goes on waiting. If it lasts, replicate to fewer regions at a time.",
        details={"regions": state},
    )
