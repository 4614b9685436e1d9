"""Network security groups: rules, default rules, and which of them are effective on an interface."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..registry import field, register, required
from ..store import Resource
from ..wire import ArmError, Json, Response
from .network import APPLICATION_GROUP, GROUP, SUBNET, NetworkType, check_match, refer, refused

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

RULE = f"{GROUP}/securityRules"
DEFAULT = f"{GROUP}/defaultSecurityRules"

# name, description, source, destination, access, priority, direction
DEFAULTS = (
    ("AllowVnetInBound", "Allow inbound traffic from all VMs in VNET", "VirtualNetwork", "VirtualNetwork", "Allow", 65000, "Inbound"),
    (
        "AllowAzureLoadBalancerInBound",
        "Allow inbound traffic from azure load balancer",
        "AzureLoadBalancer",
        "*",
        "Allow",
        65001,
        "Inbound",
    ),
    ("DenyAllInBound", "Deny all inbound traffic", "*", "*", "Deny", 65500, "Inbound"),
    (
        "AllowVnetOutBound",
        "Allow outbound traffic from all VMs to all VMs in VNET",
        "VirtualNetwork",
        "VirtualNetwork",
        "Allow",
        65000,
        "Outbound",
    ),
    ("AllowInternetOutBound", "Allow outbound traffic from all VMs to Internet", "*", "Internet", "Allow", 65001, "Outbound"),
    ("DenyAllOutBound", "Deny all outbound traffic", "*", "*", "Deny", 65500, "Outbound"),
)
LISTS = ("sourcePortRanges", "destinationPortRanges", "sourceAddressPrefixes", "destinationAddressPrefixes")


class SecurityGroups(NetworkType):
    name = GROUP
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.NetworkSecurityGroup", "PATCH": "network.TagsObject"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        made = self.header(arm, call, body, resource)
        wanted = field(body, "properties.securityRules", list, [])
        rules: dict[str, Json] = {}
        for one in wanted:
            id = f"{call.id}/securityRules/{required(one, 'name')}"
            rules[id.lower()] = rule_body(arm, call, id, one, list(rules.values()))
        old = {one.key: one for one in arm.store.collection(f"{call.id}/securityrules".lower()).values()}
        moves = {key: one.properties for key, one in old.items()} != {key: one["properties"] for key, one in rules.items()}
        made["properties"] = {"flushConnection": True} if field(body, "properties.flushConnection", bool, False) else {}
        group, operation = self.begin(arm, call, resource, made, below=moves)
        for key, one in old.items():
            if key not in rules:
                arm.store.drop(one)
        for key, rule in rules.items():
            if key in old:
                old[key].body = rule
                arm.store.touch(old[key])
            else:
                arm.store.add(Resource(rule["id"], RULE, rule))
        if resource is None:
            for default in DEFAULTS:
                shown = default_rule(call.id, *default)
                arm.store.add(Resource(shown["id"], DEFAULT, shown))
        return self.answer(arm, call, operation, group, created=resource is None)

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        marks = {"etag": resource.body["etag"]}
        state = {"provisioningState": resource.state}

        def shown(kind: str) -> list[Json]:
            found = arm.store.collection(f"{resource.key}/{kind}").values()
            return [{**one.body, **marks, "properties": {**one.properties, **state}} for one in found]

        properties = {
            **resource.properties,
            "securityRules": shown("securityrules"),
            "defaultSecurityRules": shown("defaultsecurityrules"),
        }
        interfaces, subnets = users_of(arm, resource)
        if interfaces:
            properties["networkInterfaces"] = [{"id": one.id} for one in interfaces]
        if subnets:
            properties["subnets"] = [{"id": one.id} for one in subnets]
        return {**resource.body, "properties": properties}

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        interfaces, subnets = users_of(arm, resource)
        users = [one.id for one in (*interfaces, *subnets)]
        if not users:
            return None
        return refused(
            "InUseNetworkSecurityGroupCannotBeDeleted",
            f"Network security group {resource.id} cannot be deleted because it is in use by the following resources: "
            f"{', '.join(users)}. In order to delete the Network security group, remove the association with the resource(s). To learn how "
            "to do this, see aka.ms/deletensg.",
        )


def users_of(arm: Sandbox, group: Resource) -> tuple[list[Resource], list[Resource]]:
    """The interfaces and the subnets that name the group."""

    def naming(kind: str) -> list[Resource]:
        found = arm.store.of_type(group.subscription, kind).values()
        return [one for one in found if str((one.properties.get("networkSecurityGroup") or {}).get("id", "")).lower() == group.key]

    return naming("Microsoft.Network/networkInterfaces"), naming(SUBNET)


class SecurityRules(NetworkType):
    name = RULE
    regional = False
    nests: ClassVar[bool] = False
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.SecurityRule"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        check_match(call, resource)
        group = call.parent
        assert group is not None
        others = [one.body for one in arm.store.collection(f"{group.key}/securityrules").values() if one is not resource]
        made = rule_body(arm, call, call.id, call.json(), others)
        made["properties"]["provisioningState"] = "Updating"
        created = resource is None
        resource = self.in_place(arm, call, resource, made)
        self.stamp(arm, resource)
        group.body["etag"] = resource.body["etag"]
        arm.store.touch(group)
        kind = "network.create" if created else "network.update"
        operation = operations.start(arm, call, resource, kind, family=self.family, location=group.location)
        return self.answer(arm, call, operation, resource, created=created)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        raise self.unsupported(call)


class DefaultRules(NetworkType):
    name = DEFAULT
    regional = False
    nests: ClassVar[bool] = False

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        group = arm.store.get(resource.id.rsplit("/", 2)[0])
        return {**resource.body, "etag": group.body["etag"] if group is not None else ""}

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        raise self.unsupported(call)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        raise self.unsupported(call)


def default_rule(group: str, name: str, description: str, source: str, target: str, access: str, priority: int, direction: str) -> Json:
    return {
        "name": name,
        "id": f"{group}/defaultSecurityRules/{name}",
        "etag": "",
        "type": DEFAULT,
        "properties": {
            "provisioningState": "Succeeded",
            "description": description,
            "protocol": "*",
            "sourcePortRange": "*",
            "destinationPortRange": "*",
            "sourceAddressPrefix": source,
            "destinationAddressPrefix": target,
            "access": access,
            "priority": priority,
            "direction": direction,
            **{name: [] for name in LISTS},
        },
    }


def rule_body(arm: Sandbox, call: Call, id: str, rule: Json, others: list[Json]) -> Json:
    """A rule with its defaults. Raises ArmError 400 for what is missing, unknown, or taken by one of the `others`."""
    name = id.rsplit("/", 1)[1]
    given = field(rule, "properties", dict, {})
    properties: Json = {"provisioningState": "Succeeded"}
    if field(given, "description"):
        properties["description"] = given["description"]
    properties["protocol"] = field(given, "protocol")
    for key in ("sourcePortRange", "destinationPortRange", "sourceAddressPrefix", "destinationAddressPrefix"):
        if field(given, key) is not None:
            properties[key] = given[key]
    properties["access"] = field(given, "access")
    properties["priority"] = field(given, "priority", int)
    properties["direction"] = field(given, "direction")
    for key in LISTS:
        properties[key] = field(given, key, list, [])
    for key in ("sourceApplicationSecurityGroups", "destinationApplicationSecurityGroups"):
        if groups := field(given, key, list):
            properties[key] = [refer(arm, one, APPLICATION_GROUP, id) for one in groups]
    for key in ("protocol", "access", "priority", "direction"):
        if properties[key] is None:
            raise refused("SecurityRuleParameterNotSpecified", f"Required security rule parameter {key} is not specified for {id}.")
    for key, *ways in (
        ("source port range", "sourcePortRange", "sourcePortRanges"),
        ("destination port range", "destinationPortRange", "destinationPortRanges"),
        ("source address prefix", "sourceAddressPrefix", "sourceAddressPrefixes", "sourceApplicationSecurityGroups"),
        ("destination address prefix", "destinationAddressPrefix", "destinationAddressPrefixes", "destinationApplicationSecurityGroups"),
    ):
        if not any(properties.get(way) for way in ways):
            raise refused("SecurityRuleParameterNotSpecified", f"Required security rule parameter {key} is not specified for {id}.")
    priority = properties["priority"]
    if not 100 <= priority <= 4096:
        raise refused(
            "SecurityRuleInvalidPriority",
            f"Security rule has invalid priority. Value provided: {priority}. Rule priority should be between 100 and 4096, inclusive.",
        )
    for other in others:
        if (other["properties"]["priority"], other["properties"]["direction"]) == (priority, properties["direction"]):
            raise refused(
                "SecurityRuleConflict",
                f"Security rule {other['name']} conflicts with rule {name}. Rules cannot have the same Priority and Direction. To learn "
                "more, see aka.ms/nsgrules.",
            )
    return {"name": name, "id": id, "etag": "", "type": RULE, "properties": properties}


# effective rules

ANY = "0.0.0.0/0"
_NOT_INTERNET = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/3",
)


def _internet() -> list[str]:
    """Every IPv4 address but the private ones and those of the local host, link and multicast groups."""
    kept = [ipaddress.IPv4Network(ANY)]
    for text in _NOT_INTERNET:
        hole = ipaddress.IPv4Network(text)
        kept = [part for block in kept for part in (block.address_exclude(hole) if hole.subnet_of(block) else (block,))]
    return [str(block) for block in sorted(kept)]


TAGS = {"AzureLoadBalancer": ["168.63.129.16/32", "fe80::1234:5678:9abc/128"], "Internet": _internet()}


def effective(arm: Sandbox, group: Resource, association: Json, space: list[str]) -> Json:
    """What `effectiveNetworkSecurityGroups` shows of one group; `space` is what the tag VirtualNetwork stands for."""
    tags = {"VirtualNetwork": [*space, "168.63.129.16/32"], **TAGS}
    rules = [
        _effective_rule(f"{kind}/{one.name}", one.properties, tags)
        for kind in ("securityRules", "defaultSecurityRules")
        for one in arm.store.collection(f"{group.key}/{kind.lower()}").values()
    ]
    return {"networkSecurityGroup": {"id": group.id}, "association": association, "effectiveSecurityRules": rules, "tagMap": tags}


def _effective_rule(name: str, rule: Json, tags: dict[str, list[str]]) -> Json:
    def ranges(one: str, several: str) -> list[str]:
        found = rule.get(several) or [rule.get(one, "*")]
        return ["0-65535" if text == "*" else text if "-" in text else f"{text}-{text}" for text in found]

    def prefixes(one: str, several: str) -> list[str]:
        found = rule.get(several) or [rule.get(one, "*")]
        return [ANY, ANY] if found == ["*"] else list(found)

    sources, targets = ranges("sourcePortRange", "sourcePortRanges"), ranges("destinationPortRange", "destinationPortRanges")
    places = {
        "source": prefixes("sourceAddressPrefix", "sourceAddressPrefixes"),
        "destination": prefixes("destinationAddressPrefix", "destinationAddressPrefixes"),
    }
    made: dict[str, Any] = {
        "name": name,
        "protocol": "All" if rule["protocol"] == "*" else rule["protocol"],
        "sourcePortRange": sources[0],
        "destinationPortRange": targets[0],
        "sourcePortRanges": sources,
        "destinationPortRanges": targets,
        "sourceAddressPrefix": places["source"][0],
        "destinationAddressPrefix": places["destination"][0],
        "sourceAddressPrefixes": places["source"],
        "destinationAddressPrefixes": places["destination"],
    }
    for side, found in places.items():
        expanded = [address for text in found for address in tags.get(text, [])]
        if expanded:
            made[f"expanded{side.capitalize()}AddressPrefix"] = expanded
    return {**made, "access": rule["access"], "priority": rule["priority"], "direction": rule["direction"]}


register(SecurityGroups())
register(SecurityRules())
register(DefaultRules())
