"""Bringing a version to its regions, and waiting until it can be used there.

A finished operation is not a usable region: only ``replicationStatus`` tells, region by region.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from include.factory.version_tags import REMOVED
from include.steps.azure import Azure, Started
from include.steps.errors import StepError
from include.steps.latest import hiding
from include.steps.look import Found, Resource, gone, is_hidden, is_withdrawn, now, sort, step
from include.steps.merge import LookingAgain, lost_update
from include.steps.target_region import Region, details, luns, normal, present, states, to_arm
from include.steps.version import REGIONS, Version, region_update

log = logging.getLogger(__name__)

# A failed region is put again once, then removed and added again once (the advice of Azure's own message, azure-cli#15539).
PUT_AGAIN, GIVE_UP = 0, 2
# One for the list, four for a region's repair, four for a removal, and some for other writers'; more is no race any more.
UPDATES = 20
# A removal that is refused so often although deletion is allowed and nothing runs is not refused because of another writer.
REFUSALS = 3
# Seconds. No recorded update of a version was over sooner (90 s), so none fits into this time.
UPDATE = 60.0


# A removal is announced in the version's tags before it is made, so that no other run, of whatever process, takes it for a loss. After
# this time an announcement says nothing any more; no run lasts so long.
ANNOUNCED = timedelta(days=1)


@step
async def replicate(
    azure: Azure, *, resource_group: str, gallery: str, definition: str, version: str, target_regions: list[Region], timeout: float = 21600
) -> dict[str, Any]:
    """Add the missing regions to a version and wait until it is Completed in all of ``target_regions``.

    Regions that are there already, whoever added them, are sent back unchanged; the home region is never removed. A region that failed is
    put again, then removed and added again by itself, and the others are left in peace.

    :param target_regions: ``{"name", "replica_count", "storage_account_type", "encryption_set"|None}`` each.
    :param timeout: seconds; Azure advises to wait up to six hours (troubleshooting-shared-images).
    :return: ``{"regions": {name: "Completed"}}``, and ``"notes"``, sentences, where other writers' updates had to be mended.
    :raises StepError: ``ReplicationFailed``: names the failed regions and the good ones; kind ``redo`` when the version is gone.
    """
    return await Replication(Version(azure, resource_group, gallery, definition, version), target_regions, timeout).run()


class Replication:
    """One version on its way to the regions that it is to have.

    :param remove: regions that it is not to have; the home region stays whatever is said here.
    :param replica_count: new counts of regions that are there already.
    :param excluded: the exclude flag of the regions that are added; None takes the version's own. A version that is excluded as a whole
        is excluded in every region that is added.
    :param forget: tags, with their values, by which the removal of regions was announced that are now added.
    :param notes: gets a sentence for each thing that had to be mended, also where the end is an error.
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
        forget: Mapping[str, str] | None = None,
        notes: list[str] | None = None,
    ) -> None:
        self.version = version
        self.wanted = {normal(region["name"]): region for region in target_regions}
        self.unwanted = {normal(name) for name in remove}
        self.replica_count = dict(replica_count or {})
        self.excluded = excluded
        self.forget = dict(forget or {})
        self.announced = not self.unwanted
        self.known: set[str] = set()
        """The regions whose removal was announced when the version was read last."""
        self.clock = asyncio.get_running_loop().time
        self.deadline = self.clock() + timeout
        self.repairs: Counter[str] = Counter()
        self.updates = 0
        self.started: Started | None = None
        self.seen: dict[str, dict[str, Any]] = {}
        """Regions that have been there since this run allowed that regions are deleted, as they were."""
        self.put_again: set[str] = set()
        self.allowed = False
        """Whether this run has allowed that regions are deleted."""
        self.refusals = 0
        self.was_in_latest = False
        self.notes: list[str] = [] if notes is None else notes

    def left(self) -> float:
        return max(0.0, self.deadline - self.clock())

    async def run(self) -> dict[str, Any]:
        pauses = self.version.pauses()
        while True:
            resource = await self.settled()
            updates = self.updates
            there = present(resource)
            if self.updates and (back := self.brought_back(resource)):
                self.note(f"{', '.join(sorted(back))} was taken away by another run while this one was on its way, and is taken away.")
                self.unwanted |= back
            self.known = announced(resource)
            unwanted = [name for name in there if name in self.unwanted and name != normal(resource["location"])]
            missing = [name for name in self.wanted if name not in there]
            state = {name: states(resource).get(name, "Unknown") for name in self.wanted}
            failed = [name for name in self.wanted if state[name] == "Failed"]
            if self.undid_a_withdrawal(resource):
                await self.withdraw(resource)
            elif self.forget.items() & (resource.get("tags") or {}).items():
                await self.write(lambda: self.version.tag({}, self.forget))
            elif missing or self.recounted(there) != there or self.vanished(resource):
                await self.add(resource, missing, self.vanished(resource))
            elif failed:
                await self.repair(resource, failed)
            elif any(one != "Completed" for one in state.values()):
                if not self.left():
                    raise _too_slow(self.version, state)
                await asyncio.sleep(next(pauses))
            elif unwanted and not self.announced:
                self.announced = await self.announce(unwanted)
            elif unwanted:
                await self.remove(resource, unwanted)
            elif (self.allowed or self.unwanted) and _allows_deletion(resource):
                await self.patch(region_update(allow_deletion=False))
            else:
                removed = sorted(self.unwanted - there.keys())
                return {
                    "regions": state,
                    **({"removed": removed} if removed else {}),
                    **({"notes": self.notes} if self.notes else {}),
                }
            if self.updates > updates:
                pauses = self.version.pauses()

    async def settled(self) -> Resource:
        """The version, when no operation runs on it."""
        found, resource = await self.version.settle(None, self.left(), self.started, REGIONS)
        self.started = None
        if resource is None or found is Found.ABSENT:
            raise gone(str(self.version), "publish_version")
        self.seen = {**(self.seen if self.allowed else {}), **present(resource)}
        self.was_in_latest = self.was_in_latest or not is_withdrawn(resource)
        return resource

    def recounted(self, there: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """The regions that are there with the replica counts that they are to have."""
        return {
            name: {**item, "regionalReplicaCount": self.replica_count[name]} if name in self.replica_count else item
            for name, item in there.items()
        }

    async def add(self, resource: Resource, missing: list[str], vanished: list[str]) -> None:
        """Put the list that is there with ``missing``, and with what nobody asked to be taken away."""
        said = [f"adding {', '.join(missing)}"] * bool(missing)
        if vanished:
            self.note(f"{', '.join(vanished)} went with another writer's update while deletion was allowed, and is put again.")
            said.append(f"putting {', '.join(vanished)} again")
        log.info("Version %s: %s.", self.version.version, " and ".join(said) or "setting replica counts")
        own = bool(resource["properties"]["publishingProfile"].get("excludeFromLatest"))
        # A version that was rolled back while this was planned must not be latest in a new region, where the regional flag wins.
        excluded = own or bool(self.excluded)
        new = [to_arm(self.wanted[name], excluded=excluded, luns=luns(resource)) for name in missing]
        back = [self.seen[name] for name in vanished if name not in missing]
        if await self.patch(region_update([*self.recounted(present(resource)).values(), *new, *back], allow_deletion=False)):
            self.put_again.update(vanished)

    async def announce(self, names: list[str]) -> bool:
        return await self.write(lambda: self.version.tag({REMOVED + name: now() for name in names}, {}))

    def brought_back(self, resource: Resource) -> set[str]:
        """Regions whose removal was announced after the last list of this run was read, and that it may have brought back."""
        return {name for name in announced(resource) - self.known if name in present(resource)} - self.wanted.keys() - self.unwanted

    def vanished(self, resource: Resource) -> list[str]:
        """Regions that are gone since deletion was allowed although no run announced that it takes them away. Each is put again once: who
        takes it away twice means it."""
        meant = {*present(resource), *self.unwanted, *announced(resource), *self.put_again}
        return [name for name in self.seen if name not in meant]

    async def remove(self, resource: Resource, names: list[str]) -> bool:
        """Take regions away, in two updates; True when the second was accepted.

        The first allows that regions are deleted and says nothing of them. The second has the list as it was read after that, and says
        nothing of allowing: so Azure judges it by what the version says in that moment. Every other update of the factory forbids
        deletion, so one that came in between, of which this list knows nothing, has this one refused; it is read and tried again.
        """
        if not _allows_deletion(resource):
            if await self.patch(region_update(allow_deletion=True)):
                self.allowed = True
            return False
        if self.clock() - self.version.read_at > UPDATE and self.left():
            return False  # the list is old already
        log.info("Version %s: removing %s.", self.version.version, ", ".join(names))
        self.allowed = True
        kept = [item for name, item in self.recounted(present(resource)).items() if name not in names]
        # Were a patch that does not say the word taken as forbidding, no removal would ever be accepted: then it is said.
        accepted = await self.patch(region_update(kept, allow_deletion=True if self.refusals >= REFUSALS else None))
        if accepted:
            self.refusals = 0
            self.seen = {name: item for name, item in self.seen.items() if name not in names}
            if (seconds := self.clock() - self.version.read_at) > UPDATE:
                self.note(
                    f"The removal of {', '.join(names)} was under way for {seconds:.0f} s: had another tool than this factory changed the "
                    "version in that time, its change would be lost. The activity log of the version says whether one did."
                )
        else:
            again = await self.version.read()
            self.refusals += bool(again and sort(again) is Found.DONE and _allows_deletion(again))
        return accepted

    def note(self, text: str) -> None:
        self.notes.append(text)
        log.warning("Version %s: %s", self.version.version, text)

    def undid_a_withdrawal(self, resource: Resource) -> bool:
        """Whether the version was rolled back or retired since this began, and a list of ours that was under way has brought it back."""
        return bool(self.updates) and self.was_in_latest and is_withdrawn(resource) and not is_hidden(resource)

    async def withdraw(self, resource: Resource) -> None:
        self.note("It was taken out of latest while its regions were changed, and is taken out again.")
        await self.patch(hiding(resource).body)

    async def patch(self, body: Resource) -> bool:
        """Start an update; False when it was refused because another came first, whose result is to be read.

        Deletion of regions is forbidden by every update but a removal, so that Azure refuses a list that was read before another writer
        added to it. The version's tags are not sent: they are other people's.
        """

        async def start() -> None:
            self.started = await self.version.patch(body)

        return await self.write(start)

    async def write(self, send: Callable[[], Awaitable[None]]) -> bool:
        """Send an update; False when it was refused because another came first."""
        self.updates += 1
        if self.updates > UPDATES:
            raise lost_update(self.version, UPDATES)
        async with LookingAgain(self.version):
            await send()
            return True
        return False  # refused

    async def repair(self, resource: Resource, failed: list[str]) -> None:
        if any(self.repairs[name] >= GIVE_UP for name in failed):
            raise self.broken(resource, failed)
        home = normal(resource["location"])
        again = [name for name in failed if self.repairs[name] == PUT_AGAIN or name == home]
        if again:
            log.warning("Version %s: %s failed: put again. %s", self.version.version, ", ".join(again), self.reasons(resource, again))
            if await self.patch(region_update([*present(resource).values()], allow_deletion=False)):
                self.repairs.update(again)
            return
        if not _allows_deletion(resource):
            said = f"{', '.join(failed)} failed again: removed and added again. {self.reasons(resource, failed)}"
            log.warning("Version %s: %s", self.version.version, said)
        if await self.remove(resource, failed):
            self.repairs.update(failed)

    def reasons(self, resource: Resource, names: list[str]) -> str:
        said = details(resource)
        return " ".join(f"{name}: {said[name]}" for name in names if name in said)

    def broken(self, resource: Resource, failed: list[str]) -> StepError:
        good = [name for name, one in states(resource).items() if one == "Completed"]
        return StepError(
            "permanent",
            "ReplicationFailed",
            f"Version {self.version.version} failed in {', '.join(failed)} after it was put again, removed and added again; "
            f"it is Completed in {', '.join(good) or 'no region'}. {self.reasons(resource, failed)}".rstrip(),
            "Check quota, encryption set and storage type in the failed regions, or leave them out (form or recipe); then clear this task.",
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


def announced(resource: Resource) -> set[str]:
    """The regions that a run was to take away from the version within the last day."""
    since = (datetime.now(UTC) - ANNOUNCED).isoformat(timespec="seconds")
    tags = resource.get("tags") or {}
    return {name.removeprefix(REMOVED) for name, time in tags.items() if name.startswith(REMOVED) and time > since}


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
