"""Who uses the versions of galleries: machines, scale sets, their instances, and versions made from versions; in every subscription that
the identity may read.

Disks are not among them: a disk is a copy, and needs the version no more once it is made.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from include.steps.arm_error import of_exception
from include.steps.azure import Azure
from include.steps.look import Resource, state_of

if TYPE_CHECKING:
    from include.factory.image_user import ImageUser

log = logging.getLogger(__name__)

# Lists of one scale set or one gallery each at the same time.
READS_AT_ONCE = 8
# Subscriptions at the same time.
SUBSCRIPTIONS_AT_ONCE = 4

# How those name an image to whom it is shown as a direct share, or in a community gallery.
_SHARED = ("/sharedgalleries/", "/communitygalleries/")

Read = TypeVar("Read")


@dataclass
class Everywhere(Generic[Read]):
    """What was read in every subscription that the identity lists."""

    found: list[Read]
    subscriptions: list[str]
    """Names of those that were read."""
    unread: dict[str, str]
    """Name of each that could not be read -> why."""
    ids: set[str]
    """Ids, in lower case, of those that were read."""


async def everywhere(azure: Azure, read: Callable[[Azure], Awaitable[list[Read]]]) -> Everywhere[Read]:
    """Read something in the connection's subscription, and in every other one that its identity lists.

    One that the identity lists and may not read is named; the connection's own must be readable.
    """
    gate = asyncio.Semaphore(SUBSCRIPTIONS_AT_ONCE)
    all_read = Everywhere[Read]([], [], {}, set())

    async def one(id: str, name: str) -> None:
        async with gate:
            try:
                found = await read(azure.in_subscription(id))
            except Exception as error:
                if id == azure.subscription_id.lower():
                    raise
                failure = of_exception(error)
                if failure.kind != "permanent":
                    raise failure from error
                all_read.unread[name] = f"{failure.code}: {failure.message}"
                return
        all_read.found.extend(found)
        all_read.subscriptions.append(name)
        all_read.ids.add(id)

    names = await azure.remembered("subscriptions", partial(_subscriptions, azure))
    await asyncio.gather(*(one(id, name) for id, name in names.items()))
    all_read.subscriptions.sort()
    for name, why in all_read.unread.items():
        log.warning("The subscription %s could not be read (%s): users there are not seen.", name, why)
    return all_read


async def _subscriptions(azure: Azure) -> dict[str, str]:
    """Name by id, in lower case, of the subscriptions that the identity lists and that can be read; the connection's is among them."""
    listed = await azure.read_all("/subscriptions", "2022-12-01")
    # Others than these can still be read (subscription-states): a disabled one's machines may start again.
    names = {
        one["subscriptionId"].lower(): f"{one['displayName']} ({one['subscriptionId']})" for one in listed if one["state"] != "Deleted"
    }
    names.setdefault(azure.subscription_id.lower(), azure.subscription_id)
    return names


async def machines(azure: Azure) -> list[ImageUser]:
    """All machines, scale sets and scale set instances of the subscription that were made from gallery versions."""
    single = [_user(item.as_dict(), "machine") async for item in azure.compute.virtual_machines.list_all()]
    sets: list[Resource] = [item.as_dict() async for item in azure.compute.virtual_machine_scale_sets.list_all()]
    gate = asyncio.Semaphore(READS_AT_ONCE)

    async def instances(one: Resource) -> list[ImageUser | None]:
        # Those of a flexible scale set are machines of their own, and listed above.
        if (one.get("properties") or {}).get("orchestrationMode") == "Flexible":
            return []
        group, name = one["id"].split("/")[4], one["name"]
        async with gate:
            return [_user(item, "instance") for item in await _listed(azure.compute.virtual_machine_scale_set_vms.list(group, name))]

    nested = await asyncio.gather(*map(instances, sets))
    found = [*single, *(_user(one, "scale set") for one in sets), *(user for users in nested for user in users)]
    return [user for user in found if user is not None]


async def of_versions(
    azure: Azure, versions: Collection[str], *, resource_group: str, gallery: str, definition: str
) -> Everywhere[ImageUser]:
    """Machines, scale sets and instances in every subscription that were made from these versions, by whichever id they name the image."""
    there = (await azure.compute.galleries.get(resource_group, gallery)).as_dict()
    ids = ids_of(there, definition)
    read = await everywhere(azure, machines)
    return replace(read, found=[user for user in read.found if user.definition in ids and user.version in versions])


async def _listed(pages: AsyncIterable[Any]) -> list[Resource]:
    """What is in something that was listed a moment before; nothing where somebody has deleted that meanwhile."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return [item.as_dict() async for item in pages]
    except ResourceNotFoundError:
        return []


def _user(resource: Resource, kind: str) -> ImageUser | None:
    from include.factory.image_user import ImageUser

    properties: dict[str, Any] = resource.get("properties") or {}
    # A scale set keeps what its machines are made of one level below.
    holder = properties.get("virtualMachineProfile") or properties
    reference = (holder.get("storageProfile") or {}).get("imageReference") or {}
    # Who was let in by a direct share or a community gallery names the image by that (ImageReference).
    named = (str(reference[name]).lower() for name in ("id", "sharedGalleryImageId", "communityGalleryImageId") if reference.get(name))
    image = next((id for id in named if "/galleries/" in id or id.startswith(_SHARED)), None)
    if image is None:
        return None
    exact = reference.get("exactVersion")
    definition, _, version = image.partition("/versions/")
    return ImageUser(
        id=resource["id"],
        kind=kind,
        definition=definition,
        version=version if version and version != "latest" else exact,
        state=state_of(resource),
    )


def ids_of(gallery: Resource, definition: str) -> set[str]:
    """Every id by which users may name the definition, in lower case: the ARM id, that of the gallery's direct share, and those of its
    community galleries."""
    properties = gallery.get("properties") or {}
    unique = (properties.get("identifier") or {}).get("uniqueName")
    public = ((properties.get("sharingProfile") or {}).get("communityGalleryInfo") or {}).get("publicNames") or ()
    shared = [f"/SharedGalleries/{unique}"] * bool(unique) + [f"/CommunityGalleries/{name}" for name in public]
    return {f"{id}/images/{definition}".lower() for id in (gallery["id"], *shared)}


async def galleries(azure: Azure) -> list[Resource]:
    """Every version of every gallery of the subscription."""
    gate = asyncio.Semaphore(READS_AT_ONCE)
    compute = azure.compute

    async def versions(group: str, gallery: str, definition: str) -> list[Resource]:
        async with gate:
            return await _listed(compute.gallery_image_versions.list_by_gallery_image(group, gallery, definition))

    async def of_gallery(gallery: Resource) -> list[Resource]:
        group, name = gallery["id"].split("/")[4], gallery["name"]
        async with gate:
            definitions = [str(item["name"]) for item in await _listed(compute.gallery_images.list_by_gallery(group, name))]
        nested = await asyncio.gather(*(versions(group, name, definition) for definition in definitions))
        return [version for listed in nested for version in listed]

    all_galleries = [item.as_dict() async for item in compute.galleries.list()]
    return [version for listed in await asyncio.gather(*map(of_gallery, all_galleries)) for version in listed]
