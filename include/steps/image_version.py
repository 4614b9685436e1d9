"""Image versions: published out of sight, replicated, promoted to ``latest``, or discarded."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from include.steps.arm_error import of_exception
from include.steps.azure import Azure, Started
from include.steps.errors import StepError, StepSkipped
from include.steps.latest import show
from include.steps.look import PROMOTED_TAG, RUN_TAG, Found, Resource, now, sort, step, taken
from include.steps.replication import replicate, wait_until_replicated
from include.steps.sources import sources
from include.steps.target_region import Region, normal, present, states, to_arm
from include.steps.version import CREATE, Version, region_update

__all__ = ["delete", "discard", "promote", "publish", "replicate", "wait_until_replicated"]

log = logging.getLogger(__name__)

# How often a version of ours that failed is deleted and published again within one try of the task.
PUBLISHINGS = 3
PUBLISH_TIMEOUT = 6 * 3600.0
UPDATE_TIMEOUT = 2 * 3600.0


@step
async def publish(
    azure: Azure,
    *,
    resource_group: str,
    gallery: str,
    definition: str,
    version: str,
    location: str,
    source: dict[str, Any],
    target_regions: list[Region],
    replication_mode: str = "Full",
    end_of_life: str | None = None,
    safety: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
) -> dict[str, str]:
    """Publish a version in its home region, excluded from ``latest`` globally and regionally.

    A ``Failed`` version of this run is deleted and published again; one that is being published is adopted.

    :param source: ``{"kind": "virtual_machine"|"managed_image"|"version", "id"}`` or ``{"kind": "snapshot", "os": id, "data": {lun: id}}``.
    :param target_regions: the home region only; it must be ``location``.
    :param replication_mode: ``Full`` or ``Shallow`` (one replica in the home region, for ever).
    :param safety: ``{"allow_deletion_of_replicated_locations", "block_deletion_before_end_of_life"}``, both false unless given.
    :return: ``{"id", "version"}``.
    :raises StepError: ``NameTaken``: the version is another run's, or made from another source.
    """
    tags = tags or {}
    one = Version(azure, resource_group, gallery, definition, version)
    body = _creating_body(
        location, await _with_luns(azure, source, target_regions), target_regions, replication_mode, end_of_life, safety or {}, tags
    )
    run = tags.get(RUN_TAG)
    started: Started | None = None
    failures = 0
    while True:
        found, resource = await one.settle(run, PUBLISH_TIMEOUT, started, CREATE)
        if found is Found.DONE and resource is not None and _same_source(resource, body):
            log.info("Version %s is published in %s, out of sight of latest.", version, normal(location))
            return {"id": one.id, "version": version}
        if resource is not None and found is not Found.FAILED:
            raise taken(resource)
        if resource is not None:
            failures += 1
            failure = await one.failure(resource, started)
            if failures == PUBLISHINGS or failure.kind in ("permanent", "redo"):
                raise failure
            log.warning("%s Deleting the failed version and publishing it again.", failure)
            await one.delete()
        started = await _put_new(one, body)


async def _put_new(one: Version, body: Resource) -> Started | None:
    """Put the version; None when somebody came first (another self, by the name): then it is looked at again."""
    try:
        return await one.put(body)
    except Exception as error:
        failure = of_exception(error)
        there = await one.read()
        if failure.code == "PropertyChangeNotAllowed" and there is not None:
            log.warning("The version is there already; looking at it.")
            return None
        raise failure from error


def _creating_body(
    location: str,
    source: dict[str, Any],
    target_regions: list[Region],
    replication_mode: str,
    end_of_life: str | None,
    safety: dict[str, Any],
    tags: dict[str, str],
) -> Resource:
    home = next((region for region in target_regions if normal(region["name"]) == normal(location)), None)
    if home is None:
        raise StepError(
            "permanent",
            "HomeRegionMissing",
            f"target_regions must contain the home region {location}",
            "Put the version's location among the regions of the recipe.",
        )
    profile: dict[str, Any] = {
        "targetRegions": [to_arm(region, excluded=True, luns=[int(lun) for lun in source.get("luns", ())]) for region in target_regions],
        "replicaCount": int(home.get("replica_count") or 1),
        "storageAccountType": home.get("storage_account_type") or "Standard_LRS",
        "excludeFromLatest": True,
        "replicationMode": replication_mode,
    }
    if end_of_life:
        profile["endOfLifeDate"] = end_of_life
    return {
        "location": normal(location),
        "tags": tags,
        "properties": {
            "publishingProfile": profile,
            "storageProfile": _storage_profile(source),
            "safetyProfile": {
                "allowDeletionOfReplicatedLocations": bool(safety.get("allow_deletion_of_replicated_locations", False)),
                "blockDeletionBeforeEndOfLife": bool(safety.get("block_deletion_before_end_of_life", False)),
            },
        },
    }


def _storage_profile(source: dict[str, Any]) -> dict[str, Any]:
    match source["kind"]:
        case "virtual_machine":
            return {"source": {"virtualMachineId": source["id"]}}
        case "managed_image" | "version":
            return {"source": {"id": source["id"]}}
        case "snapshot":
            disks = [
                {"lun": int(lun), "source": {"id": disk}}
                for lun, disk in sorted(source.get("data", {}).items(), key=lambda item: int(item[0]))
            ]
            return {"osDiskImage": {"source": {"id": source["os"]}}, **({"dataDiskImages": disks} if disks else {})}
        case kind:
            raise StepError(
                "permanent",
                "UnknownSource",
                f"source.kind {kind!r} is not known",
                "It is one of virtual_machine, managed_image, version, snapshot.",
            )


async def _with_luns(azure: Azure, source: dict[str, Any], target_regions: list[Region]) -> dict[str, Any]:
    """The source with its data disks' LUNs, where an encryption set must name each of them."""
    if not any(region.get("encryption_set") for region in target_regions):
        return source
    if source["kind"] == "snapshot":
        return {**source, "luns": list(source.get("data", {}))}
    segments = source["id"].split("/")
    if source["kind"] == "virtual_machine":
        resource = (await azure.compute.virtual_machines.get(segments[4], segments[-1])).as_dict()
    else:
        resource = (await azure.compute.images.get(segments[4], segments[-1])).as_dict()
    return {**source, "luns": [disk["lun"] for disk in resource["properties"]["storageProfile"].get("dataDisks") or ()]}


def _same_source(resource: Resource, body: Resource) -> bool:
    there = sources(resource)
    return not there or bool(there & sources(body))


@step
async def promote(
    azure: Azure, *, resource_group: str, gallery: str, definition: str, version: str, tags: dict[str, str] | None = None
) -> dict[str, str]:
    """Let ``latest`` resolve to the version: global and regional exclude flags go off in one update, and are read back.

    :param tags: added to the version's own, with ``image-factory-promoted`` (ISO time, set once).
    :return: ``{"id", "version"}``.
    :raises StepError: ``NotReplicated``: a target region is not Completed; ``RolledBack``, ``Retired``: somebody did
        that while the build was on;
        ``NameTaken``; kind ``redo`` when the version is gone.
    """
    one = Version(azure, resource_group, gallery, definition, version)
    await show(one, _Promoted(tags or {}), lifts={}, run=(tags or {}).get(RUN_TAG))
    log.info("latest resolves to version %s everywhere.", version)
    return {"id": one.id, "version": version}


class _Promoted:
    """In latest in every region and as a whole."""

    def __init__(self, tags: dict[str, str]) -> None:
        self.added = tags

    def flags(self, resource: Resource) -> Resource | None:
        profile, items = resource["properties"]["publishingProfile"], present(resource).values()
        hidden = profile.get("excludeFromLatest") or any(item.get("excludeFromLatest") for item in items)
        if not hidden and sort(resource) is Found.DONE:
            return None
        unready = {name: state for name, state in states(resource).items() if state != "Completed"}
        if sort(resource) is Found.FAILED or unready:
            raise StepError(
                "permanent",
                "NotReplicated",
                f"Version {resource['name']} is {sort(resource)} and not Completed in {', '.join(sorted(unready)) or 'its regions'}",
                "latest is left where it was. Clear the run from replicate_version, or take the region out of the recipe.",
                details={"regions": unready},
            )
        return region_update([{**item, "excludeFromLatest": False} for item in items], excluded=False, allow_deletion=False)

    def tags(self, resource: Resource) -> tuple[dict[str, str], dict[str, str]]:
        there = resource.get("tags") or {}
        wanted = self.added if PROMOTED_TAG in there else {**self.added, PROMOTED_TAG: now()}
        return {name: value for name, value in wanted.items() if there.get(name) != value}, {}


@step
async def delete(azure: Azure, *, resource_group: str, gallery: str, definition: str, version: str, run: str) -> dict[str, bool]:
    """Delete a version of this run that was never promoted; wait until it is gone.

    :return: ``{"deleted": bool}``; false when there was none.
    :raises StepError: ``NameTaken``; ``Promoted``: machines may have been made from it, so it is retired by retention and not here.
    """
    one = Version(azure, resource_group, gallery, definition, version)
    found, resource = await one.settle(run, UPDATE_TIMEOUT)
    if resource is None:
        return {"deleted": False}
    if found is Found.FOREIGN:
        raise taken(resource)
    if PROMOTED_TAG in (resource.get("tags") or {}) or not resource["properties"]["publishingProfile"].get("excludeFromLatest"):
        raise StepError(
            "permanent",
            "Promoted",
            f"Version {version} is promoted: machines may be made from it",
            "Exclude it from latest or delete it in Azure, when nothing uses it any more.",
        )
    if (resource["properties"].get("safetyProfile") or {}).get("blockDeletionBeforeEndOfLife"):
        await one.settle(run, UPDATE_TIMEOUT, await one.patch(region_update(block_deletion=False)))
    await one.delete()
    log.info("Version %s is deleted.", version)
    return {"deleted": True}


@step
async def discard(
    azure: Azure,
    *,
    resource_group: str,
    gallery: str,
    definition: str,
    version: str,
    run: str,
    when_failed: list[str],
    failed_tasks: Collection[str] = (),
) -> dict[str, bool]:
    """Delete the unpromoted version when one of the tasks ``when_failed`` is among ``failed_tasks``.

    :return: ``{"deleted": bool}``.
    :raises StepSkipped: none of them failed.
    """
    culprits = sorted(set(when_failed) & set(failed_tasks))
    if not culprits:
        raise StepSkipped("The version is good: nothing to discard.", {"deleted": False})
    log.info("%s failed: version %s is discarded.", ", ".join(culprits), version)
    return await delete(azure, resource_group=resource_group, gallery=gallery, definition=definition, version=version, run=run)
