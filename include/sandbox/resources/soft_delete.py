"""A gallery's recycle bin: versions that were deleted while its soft-delete policy was on.

For `retentionPeriodInDays` machines can still be made from such a version by its name, though never as latest; for `gracePeriodInDays`
after that it can only be restored; then it is gone. Days are the sandbox's clock's, not divided by speed.
Rules: azure-mgmt-compute's models of api-version 2026-03-03, and "Soft delete in Azure Compute Gallery" (learn.microsoft.com), which says
7 days by default.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from ..content import GALLERY, VERSION
from ..events import event
from ..pages import page_of
from ..registry import arm_not_found, field, route, wrong_type
from ..store import Resource
from ..wire import ArmError, Json, Response, moment, stamp

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

TYPE = "Microsoft.Compute/galleries/softDeletedArtifactTypes/artifacts/versions"
RETENTION = 7  # days
DAY = 86_400.0


def policy(body: Json, old: Json | None) -> Json | None:
    """A gallery's softDeletePolicy after a write; None where it has none. Raises ArmError 400 for what is no number of days."""
    if field(body, "properties.softDeletePolicy", dict) is None:
        return old
    made = dict(old or {})
    for name, kind, least in (("isSoftDeleteEnabled", bool, 0), ("retentionPeriodInDays", int, 1), ("gracePeriodInDays", int, 0)):
        path = f"properties.softDeletePolicy.{name}"
        if (value := field(body, path, kind)) is not None:
            if value < least:
                raise wrong_type(path, value)
            made[name] = value
    return made


def applies(arm: Sandbox, call: Call, version: Resource) -> bool:
    """Whether this DELETE moves the version into the bin."""
    if call.query.get("bypasssoftdelete", "").lower() == "true" and call.api_version >= "2026-03-03":
        return False
    return bool(_policy(arm, version.key).get("isSoftDeleteEnabled"))


def _policy(arm: Sandbox, key: str) -> Json:
    gallery = arm.resource("/".join(key.split("/")[:9]), GALLERY)
    return gallery.properties.get("softDeletePolicy", {}) if gallery is not None else {}


def bin_of(definition: str) -> str:
    """`…/galleries/g/images/i` -> `…/galleries/g/softDeletedArtifactTypes/Images/artifacts/i/versions`."""
    gallery, name = definition.split("/")[:9], definition.split("/")[10]
    return f"{'/'.join(gallery)}/softDeletedArtifactTypes/Images/artifacts/{name}/versions"


def kept_in(arm: Sandbox, resource: Resource) -> list[Resource]:
    """What the bin keeps of a gallery, or of a definition."""
    parts = resource.key.split("/")
    key = bin_of(resource.key).lower() if len(parts) > 9 else f"{resource.key}/softdeletedartifacttypes"
    return [one for one in arm.store.of_type(resource.subscription, TYPE).values() if one.key.startswith(f"{key}/")]


@event("versions.softDeleted")
def _keep(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is None:
        return
    days = _policy(arm, resource.key)
    consumable = arm.now + DAY * days.get("retentionPeriodInDays", RETENTION)
    gone = consumable + DAY * days.get("gracePeriodInDays", 0)
    id = f"{bin_of(resource.id)}/{resource.name}"
    properties = {
        "resourceArmId": resource.id,
        "softDeletedArtifactType": "Images",
        "softDeletedTime": stamp(arm.now),
        "consumptionEndTime": stamp(consumable),
        "hardDeletionTargetTime": stamp(gone),
    }
    body = {"name": resource.name, "id": id, "type": TYPE, "location": resource.location, "properties": properties}
    version = deepcopy({"body": resource.body, "private": resource.private})
    version["body"]["properties"]["provisioningState"] = "Succeeded"
    version["private"].pop("operation", None)
    arm.store.drop(resource)
    arm.store.add(Resource(id, TYPE, body, {"version": version, "consumable": consumable, "gone": gone}))
    arm.store.schedule(gone, "softDeleted.expired", id=id.lower(), gone=gone)


@event("softDeleted.expired")
def _expire(arm: Sandbox, id: str, gone: float) -> None:
    kept = arm.store.get(id)
    if kept is not None and kept.private["gone"] == gone:
        arm.store.drop(kept)


def find(arm: Sandbox, version_id: str) -> Resource | None:
    """What the bin keeps of the version of that id."""
    parts = version_id.split("/")
    return arm.resource(f"{bin_of(version_id)}/{parts[12]}", TYPE) if len(parts) == 13 else None


def consumable(arm: Sandbox, version_id: str) -> Resource | None:
    """The soft-deleted version of that id, where machines can still be made from it."""
    kept = find(arm, version_id)
    return revive(kept) if kept is not None and arm.now < kept.private["consumable"] else None


def revive(kept: Resource) -> Resource:
    """The version as it was."""
    version = deepcopy(kept.private["version"])
    return Resource(kept.properties["resourceArmId"], VERSION, version["body"], version["private"])


def taken(kept: Resource) -> ArmError:
    """A new version with the number of one in the bin."""
    return ArmError(
        409,
        "Conflict",
        f"The gallery image version '{kept.properties['resourceArmId']}' is soft-deleted and is kept until "
        f"'{kept.properties['hardDeletionTargetTime']}'. Restore it, or use another version number.",
    )


def holds(children: list[Resource]) -> ArmError:
    """A definition or gallery that cannot be deleted: "isn't supported", says the documentation, without a code."""
    names = ", ".join(child.properties["resourceArmId"] for child in children[:5])
    return ArmError(
        409,
        "CannotDeleteResource",
        f"Cannot delete resource while soft-deleted resources exist. Some of them are: '{names}'. Restore and permanently delete them, or "
        "wait until their retention ends, before deleting this resource.",
    )


@route(
    "GET", "subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/galleries/{}/softDeletedArtifactTypes/{}/artifacts/{}/versions"
)
def listed(arm: Sandbox, call: Call, subscription: str, group: str, gallery: str, artifact: str, name: str) -> Response:
    """The bin of one definition. The two times of its end are api-version 2026-03-03's."""
    call.group = group
    definition = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/galleries/{gallery}/images/{name}"
    if artifact.lower() != "images":
        raise wrong_type("artifactType", artifact)
    found = arm.resource(definition)
    if found is None:
        raise arm_not_found(definition)

    def view(kept: Resource) -> Json:
        if call.api_version >= "2026-03-03":
            return kept.body
        shown = {key: value for key, value in kept.properties.items() if key not in ("consumptionEndTime", "hardDeletionTargetTime")}
        return {**kept.body, "properties": shown}

    return page_of(arm, call, sorted(kept_in(arm, found), key=lambda kept: moment(kept.properties["softDeletedTime"])), view)
