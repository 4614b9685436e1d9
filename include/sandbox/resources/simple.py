"""Small resources that are written and deleted at once, without an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..content import MACHINE
from ..pages import show
from ..registry import ResourceType, field
from ..store import Resource
from ..wire import ArmError, Json, Response
from .groups import location_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox


class Simple(ResourceType):
    """A resource that a PUT makes without an operation: 201 or 200 with the whole, DELETE 200."""

    family = "operations"
    reference: ClassVar[str] = ""  # the property with which machines refer to it
    title: ClassVar[str] = ""  # what it is called where it cannot go because they do
    has_sku: ClassVar[bool] = False  # whether one that names no sku has the sku Classic

    def properties(self, arm: Sandbox, call: Call, body: Json, resource: Resource | None) -> Json:
        """The properties to show of what is asked for."""
        raise NotImplementedError

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        made: Json = {"name": call.name, "id": call.id, "type": self.name, "location": location_of(call, body, resource)}
        for name in ("tags", "zones"):
            if body.get(name) is not None:
                made[name] = body[name]
        made["properties"] = self.properties(arm, call, body, resource)
        if "sku" in body or self.has_sku:
            made["sku"] = {"name": "Classic", **field(body, "sku", dict, {})}
        created = resource is None
        resource = self.in_place(arm, call, resource, made)
        return self.written(arm, call, resource, created=created)

    def written(self, arm: Sandbox, call: Call, resource: Resource, *, created: bool) -> Response:
        """The answer to a PUT or PATCH."""
        return show(arm, call, self, resource, 201 if created else 200)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        body = call.json()
        if body.get("tags") is not None:
            resource.body["tags"] = body["tags"]
        if "sku" in body:
            resource.body["sku"] = {"name": "Classic", **field(body, "sku", dict, {})}
        resource.properties.update(field(body, "properties", dict, {}))
        arm.store.touch(resource)
        return self.written(arm, call, resource, created=False)

    def users(self, arm: Sandbox, resource: Resource) -> list[Resource]:
        """The machines that refer to it."""
        return [
            machine
            for machine in arm.store.of_type(resource.subscription, MACHINE).values()
            if str(field(machine.properties, f"{self.reference}.id", str, "")).lower() == resource.key
        ]

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        users = self.users(arm, resource) if self.reference else []
        if users:
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"{self.title} '{resource.name}' cannot be deleted because it has {len(users)} virtual machines: "
                f"{', '.join(machine.id for machine in users)}.",
            )
        arm.store.drop(resource)
        return Response(200)

    def dynamic(self, call: Call) -> bool:
        return bool(self.reference)

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        if not self.reference:
            return resource.body
        machines = [{"id": machine.id} for machine in self.users(arm, resource)]
        return {**resource.body, "properties": {**resource.properties, "virtualMachines": machines}}
