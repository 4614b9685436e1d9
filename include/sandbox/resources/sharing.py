"""With whom a gallery is shared, beyond role assignments: directly with subscriptions and tenants, or with the community.

How it may be shared is fixed when the gallery is made; with whom, `POST …/share` changes. Rules: "Share images using a direct shared
gallery" and "… a community gallery" (learn.microsoft.com); shapes: recorded traffic of az sig share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from .. import operations
from ..content import GALLERY
from ..events import event
from ..regions import short
from ..registry import field, one_of, required
from ..store import Resource
from ..wire import ArmError, Json, Response
from .changes import changed
from .target_regions import encryption_sets

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

MOST = {"Subscriptions": 30, "AADTenants": 5}
_INFO = ("publisherUri", "publisherContact", "eula", "publicNamePrefix")


def invalid(message: str, target: str) -> ArmError:
    return ArmError(400, "InvalidParameter", message, target=f"gallery.properties.sharingProfile.{target}")


def profile(arm: Sandbox, call: Call, body: Json, resource: Resource | None) -> Json | None:
    """A gallery's sharingProfile after a PUT or PATCH; None for a gallery that was never given one. Raises ArmError where it asks for
    another kind of sharing than the gallery has."""
    old: Json | None = resource.properties.get("sharingProfile") if resource is not None else None
    wanted = field(body, "properties.sharingProfile.permissions")
    info_given = field(body, "properties.sharingProfile.communityGalleryInfo", dict)
    if info_given and (permissions(resource) if resource is not None else wanted) != "Community":
        raise invalid("communityGalleryInfo can be set on a gallery with the sharing permission 'Community' only.", "communityGalleryInfo")
    if wanted is None and old is None:
        return None
    if resource is not None:
        if wanted not in (None, permissions(resource)):
            raise changed("gallery", "sharingProfile.permissions")
        return _renewed(body, old) if old is not None else None
    made: Json = {"permissions": wanted}
    if wanted == "Community":
        info: Json = {"communityGalleryEnabled": False}
        for name in _INFO:
            path = f"properties.sharingProfile.communityGalleryInfo.{name}"
            info[name] = required(body, path, target=f"gallery.{path}")
        info["publicNames"] = [f"{info['publicNamePrefix']}-{arm.guid('public name', call.id, arm.count('public name'))}"]
        made["communityGalleryInfo"] = info
    return made


def _renewed(body: Json, old: Json) -> Json:
    """What consumers read of a community gallery can change; its public name cannot."""
    info = old.get("communityGalleryInfo")
    if info is None:
        return old
    given = {name: field(body, f"properties.sharingProfile.communityGalleryInfo.{name}") for name in _INFO}
    if given["publicNamePrefix"] not in (None, info["publicNamePrefix"]):
        raise changed("gallery", "sharingProfile.communityGalleryInfo.publicNamePrefix")
    return {**old, "communityGalleryInfo": {**info, **{name: value for name, value in given.items() if value is not None}}}


def permissions(gallery: Resource) -> str:
    """Private, Groups or Community."""
    return str(gallery.properties.get("sharingProfile", {}).get("permissions", "Private"))


def groups(gallery: Resource) -> dict[str, list[str]]:
    """Ids in lower case, by type: Subscriptions, AADTenants."""
    found: dict[str, list[str]] = gallery.private.get("groups", {})
    return found


def public_name(gallery: Resource) -> str:
    """The name by which the community knows the gallery; empty where it does not."""
    info = gallery.properties.get("sharingProfile", {}).get("communityGalleryInfo", {})
    return str(info["publicNames"][0]) if info.get("communityGalleryEnabled") else ""


def view(arm: Sandbox, call: Call, gallery: Resource) -> Json:
    """The gallery as this GET asks for it: `$select=Permissions`, `$expand=SharingProfile/Groups`; the state of the sharing in each region
    while there is any."""
    select = call.query.get("$select", "").lower() == "permissions"
    shown = {key: value for key, value in gallery.properties.items() if key != "provisioningState"}
    own = shown.get("sharingProfile") or ({"permissions": "Private"} if select else None)
    if own is not None:
        shown["sharingProfile"] = own = dict(own)
        if (select or call.expands("sharingProfile/Groups")) and (held := groups(gallery)):
            own["groups"] = [{"type": kind, "ids": ids} for kind, ids in held.items()]
    if groups(gallery) or public_name(gallery) or "sharing" in gallery.private:
        shown["sharingStatus"] = _status(arm, gallery)
    return {**gallery.body, "properties": {**shown, "provisioningState": gallery.properties["provisioningState"]}}


def regions(arm: Sandbox, gallery: Resource) -> list[str]:
    """Where the gallery's images are: its own region, and those of its versions."""
    found = {gallery.location: None}
    for definition in arm.store.collection(f"{gallery.key}/images").values():
        for version in arm.store.collection(f"{definition.key}/versions").values():
            found |= {short(region["name"]): None for region in version.properties["publishingProfile"]["targetRegions"]}
    return list(found)


def _status(arm: Sandbox, gallery: Resource) -> Json:
    state = "InProgress" if "sharing" in gallery.private else "Succeeded"
    return {"aggregatedState": state, "summary": [{"region": region, "state": state} for region in regions(arm, gallery)]}


def share(arm: Sandbox, call: Call, gallery: Resource) -> Response:
    """POST …/share: Add, Remove or Reset, and EnableCommunity; done some seconds later."""
    body = call.json()
    operation = field(body, "operationType")
    if operation is None:
        raise ArmError(400, "InvalidParameter", "Required parameter 'operationType' is missing (null).", target="operationType")
    kind = permissions(gallery)
    needed = {"Add": "Groups", "Remove": "Groups", "EnableCommunity": "Community"}.get(operation)
    if needed is not None and kind != needed:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation '{operation}' is not allowed on gallery '{gallery.name}' since its sharing permission is '{kind}' and not "
            f"'{needed}'. The sharing permission of a gallery can only be set when the gallery is created.",
            target="operationType",
        )
    held = {kind: list(ids) for kind, ids in groups(gallery).items()}
    if operation == "Reset":
        held = {}
    for kind, ids in _given(body).items() if needed == "Groups" else ():
        kept = held.get(kind, [])
        held[kind] = list(dict.fromkeys([*kept, *ids])) if operation == "Add" else [id for id in kept if id not in ids]
        if len(held[kind]) > MOST[kind]:
            raise invalid(f"A gallery can be shared with at most {MOST[kind]} {kind}; {len(held[kind])} were requested.", "groups")
    gallery.private["sharing"] = True
    arguments = {"groups": {kind: ids for kind, ids in held.items() if ids}, "kind": operation}
    started = operations.start(arm, call, gallery, "galleries.share", then="galleries.shared", arguments=arguments, family="capsOperations")
    return operations.accepted(arm, call, started)


def _given(body: Json) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in field(body, "groups", list, []):
        kind = one_of(one, "type", tuple(MOST))
        if kind is None:
            raise invalid("Required parameter 'groups.type' is missing (null).", "groups.type")
        for id in field(one, "ids", list, []):
            try:
                found.setdefault(kind, []).append(str(UUID(id)))
            except (ValueError, TypeError, AttributeError):
                raise invalid(f"The id '{id}' in the sharing profile group '{kind}' is not a valid GUID.", "groups.ids") from None
    if not found:
        raise invalid("Required parameter 'groups' is missing (null).", "groups")
    return found


@event("galleries.shared")
def _shared(arm: Sandbox, operation: Json, resource: Resource | None, groups: dict[str, list[str]], kind: str) -> None:
    if resource is None:
        return
    resource.private.pop("sharing", None)
    resource.private["groups"] = groups
    own = resource.properties.get("sharingProfile", {})
    if kind == "Reset":
        resource.properties["sharingProfile"] = {"permissions": "Private"}
    elif kind == "EnableCommunity":
        own["communityGalleryInfo"]["communityGalleryEnabled"] = True


@event("galleries.shared.failed")
def _not_shared(arm: Sandbox, operation: Json, resource: Resource, error: Json, **_: Any) -> None:
    resource.private.pop("sharing", None)


def galleries(arm: Sandbox) -> list[Resource]:
    """Every gallery of every subscription."""
    return [one for subscription in arm.directory.subscriptions for one in arm.store.of_type(subscription, GALLERY).values()]


def shared_with(arm: Sandbox, gallery: Resource, subscription: str, *, tenants: bool = True) -> bool:
    """Whether the gallery is directly shared with the subscription (or with its tenant)."""
    held = groups(gallery)
    return subscription.lower() in held.get("Subscriptions", []) or (
        tenants and arm.directory.tenant_of(subscription) in held.get("AADTenants", [])
    )


def find(arm: Sandbox, call: Call, name: str, *, community: bool) -> Resource | None:
    """The community gallery of that public name, or the gallery of that unique name that is shared with the caller's subscription."""
    for gallery in galleries(arm):
        if community:
            if public_name(gallery).lower() == name.lower():
                return gallery
        elif gallery.properties["identifier"]["uniqueName"].lower() == name.lower():
            return gallery if shared_with(arm, gallery, call.subscription) else None
    return None


def arm_id(arm: Sandbox, call: Call, id: str) -> str | None:
    """The ARM id behind `/SharedGalleries/{unique name}/Images/…` or `/CommunityGalleries/{public name}/Images/…`; None where the caller
    may not use it."""
    parts = id.strip("/").split("/")
    if len(parts) < 2 or parts[0].lower() not in ("sharedgalleries", "communitygalleries"):
        return None
    gallery = find(arm, call, parts[1], community=parts[0].lower() == "communitygalleries")
    return "/".join([gallery.id, *parts[2:]]) if gallery is not None else None


def check_definition(gallery: Resource, location: str, security: str) -> None:
    """Raises ArmError for a definition that cannot be in a gallery shared like this one: Trusted Launch and confidential images are
    private, and a community gallery has everything in one region (shared-image-galleries.md, share-gallery-community.md)."""
    kind = permissions(gallery)
    if kind in ("Groups", "Community") and security in ("trustedlaunch", "confidentialvm"):
        raise ArmError(
            400,
            "BadRequest",
            f"Gallery images with the security type '{security}' are not supported in the gallery '{gallery.name}', whose sharing "
            f"permission is '{kind}'.",
            target="galleryImage.properties.features",
        )
    check_region(gallery, location, "galleryImage")


def check_region(gallery: Resource, location: str, what: str) -> None:
    if permissions(gallery) == "Community" and location != gallery.location:
        raise ArmError(
            400,
            "InvalidParameter",
            f"The location '{location}' is not the location '{gallery.location}' of the community gallery '{gallery.name}': a community "
            "gallery, its images and their versions must be in the same region.",
            target=f"{what}.location",
        )


def check_version(gallery: Resource, location: str, regions: list[Json]) -> None:
    """As `check_definition`, for a version: encrypted ones are private."""
    kind = permissions(gallery)
    check_region(gallery, location, "galleryImageVersion")
    if kind in ("Groups", "Community") and any(encryption_sets(region) for region in regions):
        raise ArmError(
            400,
            "BadRequest",
            f"Encrypted gallery image versions are not supported in the gallery '{gallery.name}', whose sharing permission is '{kind}'.",
            target="galleryImageVersion.properties.publishingProfile.targetRegions.encryption",
        )
