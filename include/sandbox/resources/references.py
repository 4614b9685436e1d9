"""Where an image reference leads: platform images, managed images, gallery versions, and a definition's latest version in a region."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..content import DEFINITION, IMAGE, VERSION, Origin, of_platform, of_stored
from ..regions import short
from ..wire import ArmError, Json
from . import marketplace, soft_delete

if TYPE_CHECKING:
    from ..sandbox import Sandbox
    from ..store import Resource


def resolve(arm: Sandbox, reference: Json, location: str) -> tuple[Origin, str | None, Json]:
    """An `imageReference` in a region: its origin, the exact version where Azure names one, and the reference to echo.

    Raises ArmError 404 PlatformImageNotFound, GalleryImageNotFound, NotFound, or 400 InvalidParameter.
    """
    if reference.get("communityGalleryImageId") or reference.get("sharedGalleryImageId"):
        given = reference.get("communityGalleryImageId") or reference.get("sharedGalleryImageId")
        raise ArmError(
            404, "GalleryImageNotFound", f'"The gallery image {given} is not available in {location} region."', target="imageReference"
        )
    id = reference.get("id")
    if not id:
        key, exact = marketplace.resolve(arm, reference)
        echoed = {name: reference[name] for name in ("publisher", "offer", "sku", "version")}
        return of_platform(arm, key, exact, location), exact, {**echoed, "exactVersion": exact}
    if not isinstance(id, str):
        raise ArmError(400, "InvalidParameter", "The value of parameter imageReference.id is invalid.", target="imageReference.id")
    lowered = id.lower()
    if "/images/" in lowered and "/galleries/" not in lowered:
        image = arm.resource(id, IMAGE)
        if image is None or image.location != location:
            raise ArmError(404, "NotFound", f"The Image '{id}' cannot be found in '{location}' region.")
        return of_stored(image, "image"), None, {"id": id}
    if "/galleries/" in lowered:
        origin, exact, _ = resolve_gallery(arm, id, location)
        return origin, exact, {"id": id, "exactVersion": exact}
    raise ArmError(400, "InvalidParameter", f"Resource id '{id}' is not a valid image id.", target="imageReference.id")


def resolve_gallery(arm: Sandbox, id: str, location: str) -> tuple[Origin, str, Resource]:
    """A gallery version's or definition's id in a region: origin, version name, version. Raises ArmError 404 GalleryImageNotFound."""
    parts = id.split("/")
    resource = arm.resource(id)
    named = id
    if len(parts) == 13 and parts[12].lower() == "latest":
        resource = arm.resource("/".join(parts[:11]), DEFINITION)
    if resource is not None and resource.type == DEFINITION:
        latest = latest_version(arm, resource, location)
        if latest is None:
            raise unavailable(named, location)
        return of_stored(latest, "version"), latest.name, latest
    if resource is None:
        resource = soft_delete.consumable(arm, id)
    if resource is None or resource.type != VERSION or (resource.state in ("Deleting", "Creating") and "origin" not in resource.private):
        raise unavailable(named, location)
    if not usable(arm, resource, location):
        raise unavailable(named, location)
    return of_stored(resource, "version"), resource.name, resource


def usable(arm: Sandbox, version: Resource, location: str) -> bool:
    """Whether machines can be made from this version in this region now."""
    replica = version.private.get("replicas", {}).get(short(location))
    return (
        replica is not None and replica["state"] == "Completed" and replica.get("usable_from", 0) <= arm.now and version.state != "Deleting"
    )


def latest_version(arm: Sandbox, definition: Resource, location: str) -> Resource | None:
    """The newest version not excluded from latest in the region, and there. A region's own flag wins over the global one
    (azure-compute-gallery.md)."""
    best: tuple[tuple[int, ...], Resource] | None = None
    for version in arm.store.collection(f"{definition.key}/versions").values():
        profile = version.properties["publishingProfile"]
        excluded = bool(profile.get("excludeFromLatest"))
        for region in profile["targetRegions"]:
            if short(region["name"]) == short(location) and region.get("excludeFromLatest") is not None:
                excluded = bool(region["excludeFromLatest"])
        if excluded or not usable(arm, version, location):
            continue
        number = tuple(int(part) for part in version.name.split("."))
        if best is None or number > best[0]:
            best = (number, version)
    return best[1] if best is not None else None


def unavailable(id: str, location: str) -> ArmError:
    """Azure's 404, with the quotes that it wraps around the text (AgentBaker#8373)."""
    return ArmError(
        404,
        "GalleryImageNotFound",
        f'"The gallery image {id} is not available in {location} region. '
        'Please contact image owner to replicate to this region, or change your requested region."',
        target="imageReference",
    )


def resolve_platform_id(arm: Sandbox, id: str, location: str) -> Origin:
    """A platform image by its `/Subscriptions/…/Publishers/…/Versions/…` id. Raises ArmError 404 PlatformImageNotFound."""
    parts = id.strip("/").split("/")
    lowered = [part.lower() for part in parts]
    try:
        values = {
            name: parts[lowered.index(part) + 1]
            for name, part in (("publisher", "publishers"), ("offer", "offers"), ("sku", "skus"), ("version", "versions"))
        }
    except (ValueError, IndexError):
        raise ArmError(
            400, "InvalidParameter", f"Resource id '{id}' is not a valid platform image id.", target="creationData.imageReference.id"
        ) from None
    key, exact = marketplace.resolve(arm, values)
    return of_platform(arm, key, exact, location)
