"""The versions of a definition as plans need them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from include.steps.azure import Azure
from include.steps.errors import StepError
from include.steps.look import Resource, look, state_of
from include.steps.target_region import normal, present, states

if TYPE_CHECKING:
    from include.factory.image_version import ImageVersion

# Reads of one version each at the same time: a hundred of them take seconds, and no limit of Azure's is near.
READS_AT_ONCE = 8


async def read(azure: Azure, *, resource_group: str, gallery: str, definition: str) -> list[ImageVersion]:
    """All versions of a definition, without their replication states.

    :raises StepError: ``DefinitionNotFound``.
    """
    if await look(azure.compute.gallery_images.get(resource_group, gallery, definition)) is None:
        raise not_found(resource_group, gallery, definition)
    pages = azure.compute.gallery_image_versions.list_by_gallery_image(resource_group, gallery, definition)
    return [of_resource(item.as_dict()) async for item in pages]


def not_found(resource_group: str, gallery: str, definition: str) -> StepError:
    return StepError(
        "permanent",
        "DefinitionNotFound",
        f"There is no image definition {gallery}/{definition} in the resource group {resource_group}",
        "Correct resource_group, gallery or definition.",
    )


async def with_states(azure: Azure, names: Iterable[str], *, resource_group: str, gallery: str, definition: str) -> list[ImageVersion]:
    """The named versions with the replication state of each region; one that has gone is left out."""
    gate = asyncio.Semaphore(READS_AT_ONCE)
    versions = azure.compute.gallery_image_versions

    async def one(name: str) -> Resource | None:
        async with gate:
            return await look(versions.get(resource_group, gallery, definition, name, expand="ReplicationStatus"))

    found: Sequence[Resource | None] = await asyncio.gather(*map(one, names))
    return [of_resource(resource) for resource in found if resource is not None]


async def with_deciding_states(
    azure: Azure, versions: Sequence[ImageVersion], deciding: Callable[[list[ImageVersion]], Iterable[ImageVersion]], **path: str
) -> list[ImageVersion]:
    """The versions, with the replication states of those that ``deciding`` names: a list does not say them, and a version that failed in
    a region is not ``latest`` there, so another one is to be asked next. Of a thousand versions a few are read.

    One that has gone since it was listed is left out.
    """
    found = {version.name: version for version in versions}
    read: set[str] = set()
    while unread := {one.name for one in deciding(list(found.values()))} - read:
        read |= unread
        there = {one.name: one for one in await with_states(azure, sorted(unread), **path)}
        found = {name: there.get(name, one) for name, one in found.items() if name in there or name not in unread}
    return list(found.values())


def of_resource(resource: Resource) -> ImageVersion:
    """ARM's version as a value."""
    from include.factory.image_version import ImageVersion, Replica

    profile = resource["properties"]["publishingProfile"]
    storage = resource["properties"].get("storageProfile") or {}
    safety = resource["properties"].get("safetyProfile") or {}
    excluded = bool(profile.get("excludeFromLatest"))
    state = states(resource)
    return ImageVersion(
        name=resource["name"],
        home=normal(resource["location"]),
        state=state_of(resource),
        mode=profile.get("replicationMode") or "Full",
        excluded=excluded,
        block_deletion=bool(safety.get("blockDeletionBeforeEndOfLife")),
        published=profile.get("publishedDate"),
        end_of_life=profile.get("endOfLifeDate"),
        regions={
            name: Replica(
                replica_count=int(item.get("regionalReplicaCount") or profile.get("replicaCount") or 1),
                storage_account_type=item.get("storageAccountType") or profile.get("storageAccountType") or "Standard_LRS",
                excluded=excluded if item.get("excludeFromLatest") is None else bool(item["excludeFromLatest"]),
                encrypted=bool(item.get("encryption")),
                state=state.get(name, "Unknown"),
            )
            for name, item in present(resource).items()
        },
        size_gb=sum(_size(disk) for disk in (storage.get("osDiskImage") or {}, *(storage.get("dataDiskImages") or ()))),
        tags=resource.get("tags") or {},
    )


def _size(disk: dict[str, Any]) -> int:
    return int(disk.get("sizeInGB") or 0)
