"""Virtual networks with their subnets, network security groups with their rules, public IP addresses."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..events import event
from ..registry import ResourceType, field, register, required
from ..store import Resource
from ..wire import ArmError, Json, Response
from .groups import location_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

SUBNET = "Microsoft.Network/virtualNetworks/subnets"


@event("network.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        from ..registry import TYPES

        TYPES[resource.type.lower()].remove(arm, resource)


class NetworkType(ResourceType):
    """What the Network provider's types share: ETags `W/"guid"`, operations of their own family, 400 while in use."""

    family = "network"
    nests: ClassVar[bool] = True
    retry_after: ClassVar[int | None] = 3

    def write(self, arm: Sandbox, call: Call, resource: Resource | None, made: Json, *, private: Json | None = None) -> Response:
        created = resource is None
        made["properties"]["provisioningState"] = "Updating"
        made["properties"].setdefault("resourceGuid", arm.guid("resource", call.id.lower()))
        if resource is None:
            resource = arm.store.add(Resource(call.id, self.name, made, private))
        else:
            resource.body = made
            if private is not None:
                resource.private.update(private)
        self.stamp(arm, resource)
        operation = operations.start(arm, call, resource, "network.create" if created else "network.update", family=self.family)
        return operations.written(
            arm, call, operation, self.view(arm, call, resource), created=created, retry_after=self.retry_after if created else None
        )

    def stamp(self, arm: Sandbox, resource: Resource) -> None:
        resource.body["etag"] = f'W/"{arm.guid("etag", resource.key, arm.count("etag"))}"'
        arm.store.touch(resource)

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        return None

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        tags = field(call.json(), "tags", dict)
        if tags is not None:
            resource.body["tags"] = tags
            self.stamp(arm, resource)
        return arm.show(call, self, resource)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        problem = self.in_use(arm, resource)
        if problem is not None:
            raise problem
        operation = operations.running(arm, resource)
        if operation is None or operation["kind"] != "network.delete":
            operation = operations.start(arm, call, resource, "network.delete", then="network.deleted", family=self.family)
            resource.properties["provisioningState"] = "Deleting"
            arm.store.touch(resource)
        return operations.accepted(arm, call, operation, retry_after=10)

    def header(self, arm: Sandbox, call: Call, body: Json, resource: Resource | None) -> Json:
        made: Json = {"name": call.name, "id": call.id, "etag": "", "type": self.name, "location": location_of(call, body, resource)}
        if field(body, "tags", dict) is not None:
            made["tags"] = body["tags"]
        return made


def invalid(message: str, code: str = "InvalidRequestFormat") -> ArmError:
    return ArmError(400, code, message, details=[])


def subnets_of(arm: Sandbox, network: Resource) -> list[Resource]:
    return list(arm.store.collection(f"{network.key}/subnets").values())


class VirtualNetworks(NetworkType):
    name = "Microsoft.Network/virtualNetworks"
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.VirtualNetwork", "PATCH": "network.TagsObject"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        made = self.header(arm, call, body, resource)
        prefixes = required(body, "properties.addressSpace.addressPrefixes", list)
        space = [network(prefix) for prefix in prefixes]
        wanted = field(body, "properties.subnets", list, [])
        made["properties"] = {
            **{key: value for key, value in field(body, "properties", dict, {}).items() if key != "subnets"},
            "addressSpace": {"addressPrefixes": prefixes},
            "virtualNetworkPeerings": [],
            "enableDdosProtection": bool(field(body, "properties.enableDdosProtection", bool, False)),
        }
        for subnet in wanted:
            check_subnet(subnet, space)
        response_subnets = []
        if resource is not None and "subnets" in field(body, "properties", dict, {}):
            kept = {str(subnet["name"]).lower() for subnet in wanted}
            for old in subnets_of(arm, resource):
                if old.name.lower() not in kept:
                    if (problem := SUBNETS.in_use(arm, old)) is not None:
                        raise problem
                    arm.store.drop(old)
        for subnet in wanted:
            id = f"{call.id}/subnets/{subnet['name']}"
            existing = arm.store.get(id)
            response_subnets.append((existing, subnet_body(arm, id, subnet)))
        for existing, made_subnet in response_subnets:
            if existing is None:
                existing = arm.store.add(Resource(made_subnet["id"], SUBNET, made_subnet))
            else:
                existing.body = made_subnet
            SUBNETS.stamp(arm, existing)
        return self.write(arm, call, resource, made)

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        subnets = [SUBNETS.view(arm, call, subnet) for subnet in subnets_of(arm, resource)]
        return {**resource.body, "properties": {**resource.properties, "subnets": subnets}}

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        for subnet in subnets_of(arm, resource):
            if (problem := SUBNETS.in_use(arm, subnet)) is not None:
                return problem
        return None


def network(prefix: Any) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """A CIDR block. Raises ArmError 400 InvalidCIDRNotation."""
    try:
        return ipaddress.ip_network(prefix)
    except ValueError:
        raise invalid(f"The address prefix {prefix} is not a correctly formatted CIDR address.", "InvalidCIDRNotation") from None


def check_subnet(subnet: Any, space: list[Any]) -> None:
    name = required(subnet, "name")
    prefix = field(subnet, "properties.addressPrefix") or next(iter(field(subnet, "properties.addressPrefixes", list, [])), None)
    if prefix is None:
        raise invalid(f"Subnet {name} has no addressPrefix.", "InvalidRequestFormat")
    block = network(prefix)
    if not any(block.version == outer.version and block.subnet_of(outer) for outer in space):
        raise invalid(
            f"Subnet '{name}' is not valid because its IP address range is outside the IP address range of virtual network.",
            "NetcfgSubnetRangeOutsideVnet",
        )


def subnet_body(arm: Sandbox, id: str, subnet: Json) -> Json:
    properties = {
        key: value for key, value in field(subnet, "properties", dict, {}).items() if key not in ("ipConfigurations", "provisioningState")
    }
    properties.setdefault("delegations", [])
    properties.setdefault("privateEndpointNetworkPolicies", "Disabled")
    properties.setdefault("privateLinkServiceNetworkPolicies", "Enabled")
    return {
        "name": id.rsplit("/", 1)[1],
        "id": id,
        "etag": "",
        "properties": {"provisioningState": "Succeeded", **properties},
        "type": SUBNET,
    }


class Subnets(NetworkType):
    name = SUBNET
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.Subnet"}
    regional = False
    nests = False

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        assert call.parent is not None
        space = [network(prefix) for prefix in call.parent.properties["addressSpace"]["addressPrefixes"]]
        check_subnet({**body, "name": call.name}, space)
        made = subnet_body(arm, call.id, body)
        created = resource is None
        made["properties"]["provisioningState"] = "Updating"
        if resource is None:
            resource = arm.store.add(Resource(call.id, self.name, made))
        else:
            resource.body = made
        self.stamp(arm, resource)
        location = call.parent.location
        operation = operations.start(
            arm, call, resource, "network.create" if created else "network.update", family="network", location=location
        )
        return operations.written(arm, call, operation, self.view(arm, call, resource), created=created, retry_after=3 if created else None)

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        users = resource.private.get("ip_configurations")
        if not users:
            return resource.body
        return {**resource.body, "properties": {**resource.properties, "ipConfigurations": [{"id": id} for id in users]}}

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        users = resource.private.get("ip_configurations")
        if not users:
            return None
        return ArmError(
            400,
            "InUseSubnetCannotBeDeleted",
            f"Subnet {resource.name} is in use by {users[0]} and cannot be deleted. In order to delete the subnet, delete all the "
            f"resources within the subnet. "
            "See aka.ms/deletesubnet.",
            details=[],
        )

    def missing(self, call: Call) -> ArmError | None:
        return ArmError(404, "NotFound", f"Resource {call.id} not found.", details=[])


class NetworkSecurityGroups(NetworkType):
    name = "Microsoft.Network/networkSecurityGroups"
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.NetworkSecurityGroup", "PATCH": "network.TagsObject"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        made = self.header(arm, call, body, resource)
        rules = field(body, "properties.securityRules", list, [])
        made["properties"] = {
            "securityRules": [security_rule(arm, f"{call.id}/securityRules/{required(rule, 'name')}", rule) for rule in rules],
            "defaultSecurityRules": [],
        }
        return self.write(arm, call, resource, made)

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        users = [
            other.id
            for other in arm.store.of_type(resource.subscription, "Microsoft.Network/networkInterfaces").values()
            if str((other.properties.get("networkSecurityGroup") or {}).get("id", "")).lower() == resource.key
        ]
        if not users:
            return None
        return ArmError(
            400,
            "InUseNetworkSecurityGroupCannotBeDeleted",
            f"Network security group {resource.id} cannot be deleted because it is in use by the following resources: "
            f"{', '.join(users)}. In order to delete the "
            "Network security group, remove the association with the resource(s). To learn how to do this, see aka.ms/deletensg.",
            details=[],
        )


def security_rule(arm: Sandbox, id: str, rule: Json) -> Json:
    return {
        "name": id.rsplit("/", 1)[1],
        "id": id,
        "etag": f'W/"{arm.guid("etag", id)}"',
        "type": "Microsoft.Network/networkSecurityGroups/securityRules",
        "properties": {"provisioningState": "Succeeded", **field(rule, "properties", dict, {})},
    }


class PublicAddresses(NetworkType):
    name = "Microsoft.Network/publicIPAddresses"
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.PublicIPAddress", "PATCH": "network.TagsObject"}
    retry_after = 1

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        made = self.header(arm, call, body, resource)
        if field(body, "zones", list):
            made["zones"] = body["zones"]
        static = field(body, "properties.publicIPAllocationMethod", str, "Dynamic") == "Static"
        properties = dict(field(body, "properties", dict, {}))
        properties.setdefault("publicIPAddressVersion", "IPv4")
        properties.setdefault("publicIPAllocationMethod", "Dynamic")
        properties.setdefault("idleTimeoutInMinutes", 4)
        properties["ipTags"] = properties.get("ipTags", [])
        if resource is not None and "ipConfiguration" in resource.properties:
            properties["ipConfiguration"] = resource.properties["ipConfiguration"]
        if static or (resource is not None and "ipAddress" in resource.properties):
            properties["ipAddress"] = address_of(arm, call.id)
        made["properties"] = properties
        sku = field(body, "sku", dict, {})
        made["sku"] = {"name": sku.get("name", "Standard"), "tier": sku.get("tier", "Regional")}
        return self.write(arm, call, resource, made)

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        user = resource.properties.get("ipConfiguration")
        if not user:
            return None
        return ArmError(
            400,
            "PublicIPAddressCannotBeDeleted",
            f"Public IP address {resource.id} can not be deleted since it is still allocated to resource {user['id']}. In order to "
            f"delete the public IP, "
            "disassociate/detach the Public IP address from the resource. To learn how to do this, see aka.ms/deletepublicip.",
            details=[],
        )


def address_of(arm: Sandbox, id: str) -> str:
    """A public address out of the documentation range 203.0.113.0/24 (RFC 5737)."""
    return f"203.0.113.{1 + int(arm.guid('address', id.lower())[:4], 16) % 254}"


SUBNETS = Subnets()
register(VirtualNetworks())
register(SUBNETS)
register(NetworkSecurityGroups())
register(PublicAddresses())
