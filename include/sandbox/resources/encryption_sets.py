"""Disk encryption sets: the customer's key that disks, snapshots and image replicas are encrypted with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..content import DISK, DISK_RESTORE_POINT, SNAPSHOT
from ..events import event
from ..registry import ResourceType, arm_not_found, field, invalid, register, required
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty
from .groups import location_of
from .identity import identity

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

SET = "Microsoft.Compute/diskEncryptionSets"
KINDS = ("EncryptionAtRestWithCustomerKey", "EncryptionAtRestWithPlatformAndCustomerKeys", "ConfidentialVmEncryptedWithCustomerKey")


def check_encryption(arm: Sandbox, encryption: Json | None, location: str) -> None:
    """Raises ArmError where a disk's `encryption` names no set, one that is not there, or one elsewhere."""
    kind = field(encryption or {}, "type")
    id = field(encryption or {}, "diskEncryptionSetId")
    if id is not None:
        check_encryption_set(arm, id, location)
    elif kind is not None and kind != "EncryptionAtRestWithPlatformKey":
        raise invalid("Required parameter 'encryption.diskEncryptionSetId' is missing (null).", "encryption.diskEncryptionSetId")


def check_encryption_set(arm: Sandbox, id: str, location: str) -> Resource:
    """The set of that id. Raises ArmError 404 where there is none, 400 where it is in another region."""
    found = arm.resource(id, SET)
    if found is None:
        raise arm_not_found(id)
    if found.location != location:
        raise ArmError(
            400,
            "BadRequest",
            f"The disk encryption set {found.name} is in region {found.location}; the resource to encrypt is in {location}.",
        )
    return found


def users(arm: Sandbox, found: Resource) -> list[str]:
    """The ids of what is encrypted with a set."""
    return [
        resource.id
        for kind in (DISK, SNAPSHOT, DISK_RESTORE_POINT)
        for resource in arm.store.of_type(found.subscription, kind).values()
        if str(field(resource.properties, "encryption.diskEncryptionSetId", str, "")).lower() == found.key
    ]


class EncryptionSets(ResourceType):
    name = SET
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.DiskEncryptionSet", "PATCH": "compute.DiskEncryptionSetUpdate"}
    family = "DiskOperations"

    def __init__(self) -> None:
        super().__init__()
        self.views["associatedresources"] = lambda arm, call, found: Response(
            200, {"content-type": JSON_TYPE}, pretty({"value": users(arm, found)})
        )

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        key = required(body, "properties.activeKey", dict, target="activeKey")
        required(key, "keyUrl", target="activeKey.keyUrl")
        kind = field(body, "properties.encryptionType", str, "EncryptionAtRestWithCustomerKey")
        given = required(body, "identity", dict, target="identity")
        if resource is not None and field(resource.body, "properties.encryptionType") != kind:
            raise ArmError(409, "PropertyChangeNotAllowed", "Changing property 'encryptionType' is not allowed.", target="encryptionType")
        shown: Json = {"location": location}
        if "tags" in body:
            shown["tags"] = body["tags"]
        shown["identity"] = {name: value for name, value in given.items() if name in ("type", "userAssignedIdentities")}
        shown["properties"] = {**field(body, "properties", dict, {}), "provisioningState": "Updating"}
        made: Json = {"name": call.name, "id": call.id, "type": self.name, **shown}
        made["identity"] = identity(arm, call, given)
        made["properties"] = {
            "activeKey": key,
            "encryptionType": kind,
            **{
                name: value
                for name, value in shown["properties"].items()
                if name in ("rotationToLatestKeyVersionEnabled", "federatedClientId")
            },
            "provisioningState": "Updating",
        }
        kind_of = "update" if resource is not None else "create"
        if resource is None:
            resource = arm.store.add(Resource(call.id, self.name, made))
        else:
            resource.body = made
            arm.store.touch(resource)
        operation = operations.start(arm, call, resource, f"disks.{kind_of}", family=self.family)
        return operations.accepted(arm, call, operation, body=shown)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        body = call.json()
        call._json = {
            "location": resource.location,
            "tags": body.get("tags", resource.body.get("tags") or {}),
            "identity": body.get("identity") or resource.body["identity"],
            "properties": {**resource.properties, **field(body, "properties", dict, {})},
        }
        return self.put(arm, call, resource)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        using = users(arm, resource)
        if using:
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Disk encryption set '{resource.name}' cannot be deleted because it is associated with resources: {', '.join(using)}.",
            )
        resource.properties["provisioningState"] = "Deleting"
        operation = operations.start(arm, call, resource, "disks.delete", then="diskEncryptionSets.deleted", family=self.family)
        return operations.accepted(arm, call, operation)


@event("diskEncryptionSets.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        arm.store.drop(resource)


register(EncryptionSets())
