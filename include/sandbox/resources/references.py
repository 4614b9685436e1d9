"""Where an image reference leads: platform images, managed images, gallery versions, and a definition's latest version in a region."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..authorization import check_linked
from ..content import DEFINITION, IMAGE, VERSION, Origin, of_platform, of_stored
from ..regions import short
from ..registry import required
from ..wire import ArmError, Json
from . import marketplace, sharing, soft_delete

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox
    from ..store import Resource


def resolve(arm: Sandbox, call: Call, reference: Json, location: str) -> tuple[Origin, str | None, Json]:
    """An `imageReference` in a region: its origin, the exact version where Azure names one, and the reference to echo.

    Raises ArmError 404 PlatformImageNotFound, GalleryImageNotFound, NotFound, 403 LinkedAuthorizationFailed, or 400 InvalidParameter.
    """
    for name in ("id", "sharedGalleryImageId", "communityGalleryImageId"):
        id = reference.get(name)
        if id is None:
            continue
        if not isinstance(id, str):
            raise ArmError(
                400, "InvalidParameter", f"The value of parameter imageReference.{name} is invalid.", target=f"imageReference.{name}"
            )
        if name == "id" and "/images/" in id.lower() and "/galleries/" not in id.lower():
            image = arm.resource(id, IMAGE)
            if image is None or image.location != location:
                raise ArmError(404, "NotFound", f"The Image '{id}' cannot be found in '{location}' region.")
            check_linked(arm, call, "Microsoft.Compute/images/read", id)
            return of_stored(image, "image"), None, {"id": id}
        if name != "id" or "/galleries/" in id.lower():
            version = resolve_gallery(arm, call, {name: id}, location)
            origin = of_stored(version, "version")
            definition = arm.store.get(version.id.rsplit("/", 2)[0])
            origin.plan = definition.properties.get("purchasePlan") if definition is not None else None
            return origin, version.name, {name: id, "exactVersion": version.name}
        raise ArmError(400, "InvalidParameter", f"Resource id '{id}' is not a valid image id.", target="imageReference.id")
    key, exact = marketplace.resolve(arm, reference)
    echoed = {name: reference[name] for name in ("publisher", "offer", "sku", "version")}
    return of_platform(arm, key, exact, location), exact, {**echoed, "exactVersion": exact}


def resolve_gallery(arm: Sandbox, call: Call, reference: Json, location: str) -> Resource:
    """The version to which `id`, `sharedGalleryImageId` or `communityGalleryImageId` leads in a region: named, or a definition's latest.
    Raises ArmError 404 GalleryImageNotFound, or 403 LinkedAuthorizationFailed."""
    shared = reference.get("sharedGalleryImageId") or reference.get("communityGalleryImageId")
    named = str(shared or required(reference, "id"))
    id = sharing.arm_id(arm, call, named) if shared else named
    if id is None:
        raise unavailable(named, location)
    parts = id.split("/")
    if not shared:
        check_linked(arm, call, f"Microsoft.Compute/galleries/images/{'versions/' if len(parts) == 13 else ''}read", id)
    if len(parts) == 13 and parts[12].lower() == "latest":
        id = "/".join(parts[:11])
    found = arm.resource(id) or soft_delete.consumable(arm, id)
    if found is not None and found.type == DEFINITION:
        found = latest_version(arm, found, location)
    if found is None or found.type != VERSION or not usable(arm, found, location):
        raise unavailable(named, location)
    return found


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
