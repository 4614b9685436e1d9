"""Application security groups: names by which security rules mean interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..registry import field, register
from ..wire import ArmError, Json, Response
from .network import APPLICATION_GROUP, GROUP, INTERFACE, NetworkType, in_use_by

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox
    from ..store import Resource


class ApplicationSecurityGroups(NetworkType):
    name = APPLICATION_GROUP
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.ApplicationSecurityGroup", "PATCH": "network.TagsObject"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        made = self.header(arm, call, call.json(), resource)
        made["properties"] = {}
        return self.write(arm, call, resource, made)

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        return in_use_by("Application security group", "ApplicationSecurityGroup", resource, users_of(arm, resource))


def users_of(arm: Sandbox, group: Resource) -> list[str]:
    """The ids of the IP configurations and of the rules that name the group."""

    def named(properties: Json, *members: str) -> bool:
        return any(str(one.get("id")).lower() == group.key for member in members for one in field(properties, member, list, []))

    interfaces = arm.store.of_type(group.subscription, INTERFACE).values()
    configurations = [one for interface in interfaces for one in interface.properties["ipConfigurations"]]
    users = [str(one["id"]) for one in configurations if named(one["properties"], "applicationSecurityGroups")]
    rules = arm.store.of_type(group.subscription, f"{GROUP}/securityRules").values()
    both = ("sourceApplicationSecurityGroups", "destinationApplicationSecurityGroups")
    return users + [rule.id for rule in rules if named(rule.properties, *both)]


register(ApplicationSecurityGroups())
