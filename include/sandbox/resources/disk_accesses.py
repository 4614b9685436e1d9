"""Disk accesses: by which private endpoints disks and snapshots with the networkAccessPolicy AllowPrivate are exported and uploaded.

Shapes: recorded traffic (azure-cli test_disk_access) and the official examples. There are no private endpoints in the sandbox, so that no
disk access has connections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..content import DISK, DISK_RESTORE_POINT, SNAPSHOT
from ..events import event
from ..registry import ResourceType, arm_not_found, field, invalid, register
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty, stamp
from .groups import location_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

ACCESS = "Microsoft.Compute/diskAccesses"
CONNECTION = f"{ACCESS}/privateEndpointConnections"


def users(arm: Sandbox, access: Resource) -> list[Resource]:
    """The disks, snapshots and disk restore points that name a disk access."""
    return [
        resource
        for kind in (DISK, SNAPSHOT, DISK_RESTORE_POINT)
        for resource in arm.store.of_type(access.subscription, kind).values()
        if str(field(resource.properties, "diskAccessId", str, "")).lower() == access.key
    ]


def _links(arm: Sandbox, call: Call, access: Resource) -> Response:
    """What a private endpoint can be connected to."""
    link = {
        "id": f"{access.id}/privateLinkResources/disks",
        "name": "disks",
        "type": f"{ACCESS}/privateLinkResources",
        "properties": {
            "groupId": "disks",
            "requiredMembers": ["diskAccess_1"],
            "requiredZoneNames": ["privatelink.blob.core.windows.net"],
        },
    }
    return Response(200, {"content-type": JSON_TYPE}, pretty({"value": [link]}))


class DiskAccesses(ResourceType):
    name = ACCESS
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.DiskAccess", "PATCH": "compute.DiskAccessUpdate"}
    family = "DiskOperations"
    nests = True

    def __init__(self) -> None:
        super().__init__()
        self.views["privatelinkresources"] = _links

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        if body.get("extendedLocation") is not None:
            raise invalid("Extended locations are not supported.", "extendedLocation")
        return self.written(arm, call, resource, location, body.get("tags"))

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        return self.written(arm, call, resource, resource.location, call.json().get("tags", resource.body.get("tags")))

    def written(self, arm: Sandbox, call: Call, resource: Resource | None, location: str, tags: Json | None) -> Response:
        """Put it in place; the first answer has no properties (recorded)."""
        shown: Json = {"name": call.name, "id": call.id, "type": self.name, "location": location}
        if tags is not None:
            shown["tags"] = tags
        since = resource.properties["timeCreated"] if resource is not None else stamp(arm.now)
        change = "create" if resource is None else "update"
        body = {**shown, "properties": {"provisioningState": "Updating", "timeCreated": since}}
        resource = self.in_place(arm, call, resource, body)
        operation = operations.start(arm, call, resource, f"disks.{change}", family=self.family)
        return operations.accepted(arm, call, operation, body=shown)

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        using = users(arm, resource)
        if not using:
            return None
        named = ", ".join(one.id for one in using)
        return ArmError(
            409, "OperationNotAllowed", f"Disk access '{resource.name}' cannot be deleted because it is associated with resources: {named}."
        )

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        if (problem := self.in_use(arm, resource)) is not None:
            raise problem
        resource.properties["provisioningState"] = "Deleting"
        operation = operations.start(arm, call, resource, "disks.delete", then="diskAccesses.deleted", family=self.family)
        arm.store.touch(resource)
        return operations.accepted(arm, call, operation)


class Connections(ResourceType):
    """Made by private endpoints alone; a PUT approves or rejects one."""

    name = CONNECTION
    regional = False
    family = "DiskOperations"
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.PrivateEndpointConnection"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        raise arm_not_found(call.id)


@event("diskAccesses.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        arm.store.drop(resource)


register(DiskAccesses())
register(Connections())
