"""User-assigned managed identities.

Shapes: the ManagedIdentity OpenAPI document (2023-01-31).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..pages import show
from ..registry import ResourceType, field, register
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, compact
from .groups import location_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"


class Identities(ResourceType):
    name = IDENTITY

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        if not 3 <= len(call.name) <= 128:
            raise ArmError(
                400,
                "BadRequest",
                f"Resource name {call.name} is invalid. The name must be between 3 and 128 characters.",
            )
        location = location_of(call, body, resource)
        made: Json = {
            "location": location,
            "tags": field(body, "tags", dict, {}),
            "id": call.id,
            "name": call.name,
            "type": self.name,
            "properties": {
                "tenantId": arm.directory.tenant_of(call.subscription),
                "principalId": arm.guid("principal", call.id.lower()),
                "clientId": arm.guid("client", call.id.lower()),
            },
        }
        if resource is None:
            arm.store.add(Resource(call.id, self.name, made))
        else:
            made["properties"] = resource.properties
            resource.body = made
            arm.store.touch(resource)
        return Response(201 if resource is None else 200, {"content-type": JSON_TYPE}, compact(made))

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        tags = field(call.json(), "tags", dict)
        if tags is not None:
            resource.body["tags"] = tags
            arm.store.touch(resource)
        return show(arm, call, self, resource)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        arm.store.drop(resource)
        return Response(200)


register(Identities())
