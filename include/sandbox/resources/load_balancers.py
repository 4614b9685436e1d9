"""Load balancers and their parts: frontends, backend pools, rules, probes, inbound NAT and outbound rules.

The parts are written with the whole; backend pools and inbound NAT rules by themselves, too. A part shows what refers to it. No traffic
flows.
Defaults: the official SDK's documentation of each part.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..authorization import check_linked
from ..registry import field, one_of, register, required
from ..store import Resource
from ..wire import ArmError, Json, Response
from .network import (
    ADDRESS,
    INTERFACE,
    LOAD_BALANCER,
    SUBNET,
    NetworkType,
    check_match,
    refer,
    reference_missing,
    refused,
    unsupported,
)
from .subnets import address_in

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

SCALE_SET = "Microsoft.Compute/virtualMachineScaleSets"

FRONTENDS, POOLS, NAT_RULES = "frontendIPConfigurations", "backendAddressPools", "inboundNatRules"
_FLOW = {  # recorded: azure-mgmt-network 19.0.0 test_cli_mgmt_network_load_balancer, azure-service-operator
    "enableFloatingIP": False,
    "idleTimeoutInMinutes": 4,
    "enableDestinationServiceEndpoint": False,
    "enableTcpReset": False,
    "allowBackendPortConflict": False,
}
# The parts, and the values of their members where nobody gives any.
PARTS: dict[str, Json] = {
    FRONTENDS: {},
    POOLS: {},
    "loadBalancingRules": {**_FLOW, "loadDistribution": "Default", "disableOutboundSnat": False},
    "probes": {"intervalInSeconds": 15, "numberOfProbes": 1, "probeThreshold": 1, "noHealthyBackendsBehavior": "AllProbedDown"},
    NAT_RULES: _FLOW,
    "inboundNatPools": _FLOW,
    "outboundRules": {"allocatedOutboundPorts": 0, "enableTcpReset": False, "idleTimeoutInMinutes": 4},
}
# What a part names: member -> the kind of part that it is.
NAMES = {
    "frontendIPConfiguration": FRONTENDS,
    "frontendIPConfigurations": FRONTENDS,
    "backendAddressPool": POOLS,
    "backendAddressPools": POOLS,
    "probe": "probes",
}
READ_ONLY = frozenset({"provisioningState", "backendIPConfigurations", "backendIPConfiguration", *PARTS} - {FRONTENDS, POOLS})


class LoadBalancers(NetworkType):
    name = LOAD_BALANCER
    retry_after = None
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.LoadBalancer", "PATCH": "network.TagsObject"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        made = self.header(arm, call, body, resource)
        given = field(body, "properties", dict, {})
        old_sku = resource.body["sku"] if resource is not None else {"name": "Basic", "tier": "Regional"}
        name = one_of(body, "sku.name", ("Basic", "Standard", "Gateway"), old_sku["name"])
        made["sku"] = {"name": name, "tier": field(body, "sku.tier", str, old_sku["tier"])}
        if resource is not None and made["sku"] != resource.body["sku"]:
            raise refused("LoadBalancerSkuUpdateNotAllowed", f"The sku of load balancer {call.id} cannot be changed.")
        old = {one.key: one for one in parts_of(arm, call.id)}
        parts: dict[str, Json] = {}
        for kind, defaults in PARTS.items():
            for one in field(given, kind, list, []):
                part = part_body(f"{call.id}/{kind}/{required(one, 'name')}", kind, one, defaults)
                parts[part["id"].lower()] = part
        for key, part in parts.items():
            check_names(part, set(parts))
            if f"/{FRONTENDS}/".lower() in key:
                self.place(arm, call, part, made["location"], old.get(key))
        made["properties"] = {name: given[name] for name in ("scope", "mode") if given.get(name) is not None}
        for key, one in old.items():
            if key not in parts and (problem := scale_set_using(arm, one.key, call.id)) is not None:
                raise problem
        moves = {key: one.properties for key, one in old.items()} != {key: part["properties"] for key, part in parts.items()}
        operation: Json | None
        if any(used_by(arm, one) for one in old.values()):
            balancer, operation = self.begin(arm, call, resource, made, below=moves)
        else:
            check_match(call, resource)
            balancer, operation = self.write_at_once(arm, call, resource, made)
        for one in old.values():
            drop(arm, one, for_good=one.key not in parts)
        for key, part in parts.items():
            private = old[key].private if key in old else {}
            kept = arm.store.add(Resource(part["id"], part["type"], {**part, "etag": balancer.body["etag"]}, private))
            claim(arm, kept)
        return self.answer(arm, call, operation, balancer, created=resource is None)

    @staticmethod
    def place(arm: Sandbox, call: Call, part: Json, location: str, old: Resource | None) -> None:
        """Give a frontend its address. Raises ArmError 400 where it names neither a subnet nor a public address, or one that it cannot
        have."""
        properties, id = part["properties"], part["id"]
        for name in ("publicIPPrefix", "gatewayLoadBalancer", "ddosSettings"):
            if properties.get(name):
                raise unsupported(name, id)
        address, subnet = properties.get("publicIPAddress"), properties.get("subnet")
        if (address is None) == (subnet is None):
            raise refused(
                "LoadBalancerFrontendIPConfigurationMustHaveSubnetOrPublicIPAddress",
                f"Frontend IP configuration {id} must reference either a subnet or a public IP address.",
            )
        properties.setdefault("privateIPAllocationMethod", "Dynamic")
        if address is not None:
            properties["publicIPAddress"] = refer(arm, address, ADDRESS, id, location)
            check_linked(arm, call, f"{ADDRESS}/join/action", address["id"])
            found = arm.resource(address["id"], ADDRESS)
            user = field(found.properties, "ipConfiguration.id") if found is not None else None
            if user is not None and user.lower() != id.lower():
                raise refused(
                    "PublicIPAddressInUse",
                    f"Resource {id} is referencing public IP address {address['id']} that is already allocated to resource {user}.",
                )
        elif subnet is not None:
            properties["subnet"] = refer(arm, subnet, SUBNET, id)
            check_linked(arm, call, f"{SUBNET}/join/action", subnet["id"])
            inside = arm.resource(subnet["id"], SUBNET)
            assert inside is not None
            static = properties["privateIPAllocationMethod"] == "Static"
            own = old.properties.get("privateIPAddress") if old is not None else None
            properties["privateIPAddress"] = address_in(inside, id, properties.get("privateIPAddress") if static else own, {})
            properties.setdefault("privateIPAddressVersion", "IPv4")

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        properties = {**resource.properties, **{kind: [] for kind in PARTS}}
        for part in parts_of(arm, resource.id):
            shown = seen(arm, part)
            properties[part.id.split("/")[-2]].append({**shown, "properties": {**shown["properties"], "provisioningState": resource.state}})
        return {**resource.body, "properties": properties}

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        return scale_set_using(arm, resource.key + "/", resource.id)

    def remove(self, arm: Sandbox, resource: Resource) -> None:
        for part in parts_of(arm, resource.id):
            drop(arm, part, for_good=True)
        arm.store.drop(resource)


class Part(NetworkType):
    """A kind of part that is only read by itself."""

    regional = False
    nests = False
    retry_after = None

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.name = f"{LOAD_BALANCER}/{kind}"  # type: ignore[misc]  # a class each elsewhere

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        return seen(arm, resource)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        raise self.unsupported(call)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        raise self.unsupported(call)

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        """A part that another one names cannot go: the other would name what is not there."""
        for other in parts_of(arm, resource.id.rsplit("/", 2)[0]):
            if any(id.lower() == resource.key for _, id in named(other.body)):
                return reference_missing(resource.id, other.id)
        return scale_set_using(arm, resource.key, resource.id.rsplit("/", 2)[0])

    def remove(self, arm: Sandbox, resource: Resource) -> None:
        drop(arm, resource, for_good=True)


class WrittenPart(Part):
    """A kind of part that is written by itself, too."""

    def __init__(self, kind: str, model: str) -> None:
        super().__init__(kind)
        self.bodies = {"PUT": model}  # type: ignore[misc]  # the same

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        check_match(call, resource)
        balancer = call.parent
        assert balancer is not None
        made = part_body(call.id, self.kind, {**call.json(), "name": call.name}, PARTS[self.kind])
        check_names(made, {one.key for one in parts_of(arm, balancer.id)})
        made["properties"]["provisioningState"] = "Succeeded"
        created = resource is None
        part = arm.store.add(Resource(call.id, self.name, made)) if resource is None else resource
        part.body = made
        self.stamp(arm, part)
        balancer.body["etag"] = part.body["etag"]
        arm.store.touch(balancer)
        operation = operations.start(
            arm, call, part, "network.atOnce", family=self.family, location=balancer.location, seconds=0.1, exclusive=False
        )
        return self.answer(arm, call, operation, part, created=created)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        return NetworkType.delete(self, arm, call, resource)


def parts_of(arm: Sandbox, balancer: str) -> list[Resource]:
    return [part for kind in PARTS for part in arm.store.collection(f"{balancer}/{kind}".lower()).values()]


def part_body(id: str, kind: str, given: Json, defaults: Json) -> Json:
    asked = {name: value for name, value in field(given, "properties", dict, {}).items() if name not in READ_ONLY and value is not None}
    properties = {"provisioningState": "Succeeded", **defaults, **asked}
    pool, pools = properties.get("backendAddressPool"), properties.get("backendAddressPools", [])
    if kind == "loadBalancingRules" and pool and pool not in pools:
        properties["backendAddressPools"] = [pool]
    made: Json = {"name": given["name"], "id": id, "etag": "", "properties": properties, "type": f"{LOAD_BALANCER}/{kind}"}
    if given.get("zones"):
        made["zones"] = given["zones"]
    return made


def named(part: Json) -> Iterator[tuple[str, str]]:
    """The parts that a part names: member and id."""
    for member in NAMES:
        value: Any = part["properties"].get(member)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and one.get("id"):
                yield member, str(one["id"])


def check_names(part: Json, known: set[str]) -> None:
    """Raises ArmError 400 where a part names one that is not there, or is of another kind."""
    for member, id in named(part):
        if id.lower() not in known or id.lower().split("/")[-2] != NAMES[member].lower():
            raise reference_missing(id, part["id"])


def seen(arm: Sandbox, part: Resource) -> Json:
    """A part with who refers to it."""
    back: Json = {}
    for other in parts_of(arm, part.id.rsplit("/", 2)[0]):
        if any(id.lower() == part.key for _, id in named(other.body)):
            back.setdefault(other.id.split("/")[-2], []).append({"id": other.id})
    kind = part.id.split("/")[-2]
    users = used_by(arm, part)
    if users:
        back |= {"backendIPConfigurations": users} if kind == POOLS else {"backendIPConfiguration": users[0]}
    elif kind == POOLS:
        back["loadBalancerBackendAddresses"] = part.properties.get("loadBalancerBackendAddresses", [])
    return {**part.body, "properties": {**part.properties, **back}}


def used_by(arm: Sandbox, part: Resource) -> list[Json]:
    """The ids of the interfaces' IP configurations that are in a pool, or that a NAT rule leads to."""
    members = {POOLS: "loadBalancerBackendAddressPools", NAT_RULES: "loadBalancerInboundNatRules"}
    member = members.get(part.id.split("/")[-2])
    return [{"id": one["id"]} for _, one in configurations(arm, part, member)] if member is not None else []


def configurations(arm: Sandbox, part: Resource, member: str) -> Iterator[tuple[Resource, Json]]:
    """The interfaces' IP configurations that name a part under `member`."""
    for interface in arm.store.of_type(part.subscription, INTERFACE).values():
        for one in interface.properties["ipConfigurations"]:
            if any(str(other["id"]).lower() == part.key for other in one["properties"].get(member, [])):
                yield interface, one


def scale_set_using(arm: Sandbox, part: str, balancer: str) -> ArmError | None:
    """400 where a scale set's interfaces name the part, or one below it."""
    for one in arm.store.of_type(balancer.split("/")[2], SCALE_SET).values():
        for id in _ids(one.properties.get("virtualMachineProfile", {}).get("networkProfile")):
            if id.lower() == part or (part.endswith("/") and id.lower().startswith(part)):
                return refused(
                    "LoadBalancerInUseByVirtualMachineScaleSet",
                    f"Cannot delete load balancer {balancer} since its child resources {id.rsplit('/', 1)[1]} are in use by virtual "
                    f"machine scale set {one.id}.",
                )
    return None


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("id"), str):
            yield value["id"]
        for inner in value.values():
            yield from _ids(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _ids(inner)


def claim(arm: Sandbox, part: Resource) -> None:
    """Note a frontend in its subnet or public address."""
    if (subnet := arm.resource(field(part.properties, "subnet.id"), SUBNET)) is not None:
        users = subnet.private.setdefault("ip_configurations", [])
        if part.id not in users:
            users.append(part.id)
        subnet.private.setdefault("addresses", {})[part.key] = part.properties["privateIPAddress"]
        arm.store.touch(subnet)
    if (address := arm.resource(field(part.properties, "publicIPAddress.id"), ADDRESS)) is not None:
        address.properties["ipConfiguration"] = {"id": part.id}
        arm.store.touch(address)


def drop(arm: Sandbox, part: Resource, *, for_good: bool) -> None:
    """Take a part away; `for_good`: interfaces no longer name it."""
    if (subnet := arm.resource(field(part.properties, "subnet.id"), SUBNET)) is not None:
        subnet.private["ip_configurations"] = [id for id in subnet.private.get("ip_configurations", []) if id != part.id]
        subnet.private.get("addresses", {}).pop(part.key, None)
        arm.store.touch(subnet)
    if (address := arm.resource(field(part.properties, "publicIPAddress.id"), ADDRESS)) is not None:
        address.properties.pop("ipConfiguration", None)
        arm.store.touch(address)
    for member in ("loadBalancerBackendAddressPools", "loadBalancerInboundNatRules") if for_good else ():
        for interface, one in list(configurations(arm, part, member)):
            one["properties"][member] = [other for other in one["properties"][member] if str(other["id"]).lower() != part.key]
            arm.store.touch(interface)
    arm.store.drop(part)


register(LoadBalancers())
WRITTEN = {POOLS: "network.BackendAddressPool", NAT_RULES: "network.InboundNatRule"}
for _kind in PARTS:
    register(WrittenPart(_kind, WRITTEN[_kind]) if _kind in WRITTEN else Part(_kind))
