"""Management locks as resources: at a subscription, a resource group or a resource. What they stop: locks.py.

Shapes: the Authorization OpenAPI document (2016-09-01, 2020-05-01).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..filters import Filter
from ..locks import TYPE
from ..registry import ExtensionType, field, register
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, compact, zulu

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

LEVELS = ("NotSpecified", "CanNotDelete", "ReadOnly")


class Locks(ExtensionType):
    name = TYPE

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        given = field(body, "properties.level")
        level = next((one for one in LEVELS if given is not None and one.lower() == given.lower()), None)
        if level is None or level == "NotSpecified":
            raise ArmError(
                400,
                "InvalidLockLevel" if given is not None else "LockLevelMissing",
                f"The lock level '{given}' is not valid. The supported lock levels are 'CanNotDelete,ReadOnly'."
                if given is not None
                else "The lock level is missing in the request body.",
                gateway=True,
            )
        if len(call.name) > 260:
            raise ArmError(400, "InvalidLockName", f"The lock name '{call.name}' is longer than 260 characters.", gateway=True)
        properties: Json = {"level": level}
        if (notes := field(body, "properties.notes")) is not None:
            properties["notes"] = notes
        if (owners := field(body, "properties.owners", list)) is not None:
            properties["owners"] = owners
        by = {"ByType": "Application", "By": call.client or arm.client_id}
        made: Json = {"properties": properties, "id": call.id, "type": self.name, "name": call.name}
        created = zulu(arm.now) if resource is None else resource.private["created"]
        private = {"created": created, "changed": zulu(arm.now), "by": by}
        if resource is None:
            arm.store.add(Resource(call.id, self.name, made, private))
        else:
            resource.body, resource.private = made, private
            arm.store.touch(resource)
        found = arm.store.get(call.id)
        assert found is not None
        return Response(201 if resource is None else 200, {"content-type": JSON_TYPE}, compact(self.view(arm, call, found)))

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        if call.api_version < "2020-05-01":
            return resource.body
        private = resource.private
        by, kind = private["by"]["By"], private["by"]["ByType"]
        system = {
            "createdBy": by,
            "createdByType": kind,
            "createdAt": private["created"],
            "lastModifiedBy": by,
            "lastModifiedByType": kind,
            "lastModifiedAt": private["changed"],
        }
        return {**resource.body, "systemData": system}

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        arm.store.drop(resource)
        return Response(200)

    def missing(self, call: Call) -> ArmError:
        return ArmError(404, "LockNotFound", f"The lock '{call.name}' could not be found.", gateway=True)

    def of_scope(self, arm: Sandbox, call: Call, scope: str) -> list[Resource]:
        """The locks at the scope and below it; with `atScope()` those at the scope and above it."""
        wanted = Filter(call.query.get("$filter", ""), frozenset({"name", "level"}), frozenset({"atscope"}))
        out = []
        for lock in arm.store.of_type(call.subscription, TYPE).values():
            at = lock.key.rsplit("/providers/", 1)[0]
            if at == scope or (scope.startswith(at + "/") if "atscope" in wanted.calls else at.startswith(scope + "/")):
                values = {"name": lock.name, "level": str(lock.properties["level"])}
                if wanted.accepts(values.__getitem__):
                    out.append(lock)
        return out


register(Locks())
