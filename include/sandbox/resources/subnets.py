"""Subnets, and which of their addresses are free."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..authorization import check_linked
from ..registry import field, register, required
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty
from .geography import PLACES
from .network import (
    GROUP,
    NAT_GATEWAY,
    ROUTE_TABLE,
    SUBNET,
    Block,
    NetworkType,
    block_of,
    check_match,
    check_pools,
    refer,
    reference_missing,
    refused,
    unsupported,
)

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

UNSUPPORTED = ("serviceEndpointPolicies", "ipAllocations", "applicationGatewayIPConfigurations")
ATTACHED = {"natGateway": NAT_GATEWAY, "routeTable": ROUTE_TABLE}
READ_ONLY = frozenset({"ipConfigurations", "provisioningState", "privateEndpoints", "purpose", "resourceNavigationLinks"})

# What a service may do with a subnet that was delegated to it.
ACTIONS = ("Microsoft.Network/virtualNetworks/subnets/join/action",)


class Subnets(NetworkType):
    name = SUBNET
    regional = False
    nests = False
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.Subnet"}

    def __init__(self) -> None:
        super().__init__()
        # what services put into a subnet that was delegated to them: there are none
        self.views["serviceassociationlinks"] = self.views["resourcenavigationlinks"] = lambda arm, call, subnet: Response(
            200, {"content-type": JSON_TYPE}, pretty({"value": []})
        )

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = {**call.json(), "name": call.name}
        network = call.parent
        assert network is not None
        check_match(call, resource)
        space = [block_of(prefix) for prefix in network.properties["addressSpace"]["addressPrefixes"]]
        others = [
            (one.name, block)
            for one in arm.store.collection(f"{network.key}/subnets").values()
            if one is not resource
            for block in blocks_of(one)
        ]
        blocks = check_subnet(arm, call, body, space, others)
        made = subnet_body(arm, call, call.id, body)
        if resource is None or resource.properties != made["properties"]:
            made["properties"]["provisioningState"] = "Updating"
        created = resource is None
        if resource is not None:
            self.check_move(resource, blocks)
        resource = self.in_place(arm, call, resource, made)
        self.stamp(arm, resource)
        network.body["etag"] = resource.body["etag"]
        arm.store.touch(network)
        kind = "network.create" if created else "network.update"
        operation = operations.start(arm, call, resource, kind, family=self.family, location=network.location)
        return self.answer(arm, call, operation, resource, created=created)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        raise self.unsupported(call)

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
        return refused(
            "InUseSubnetCannotBeDeleted",
            f"Subnet {resource.name} is in use by {users[0]} and cannot be deleted. In order to delete the subnet, delete all the "
            "resources within the subnet. See aka.ms/deletesubnet.",
        )

    @staticmethod
    def check_move(resource: Resource, blocks: list[Block]) -> None:
        """Raises ArmError 400 where addresses in use would no longer be the subnet's."""
        for address in resource.private.get("addresses", {}).values():
            if not any(ipaddress.ip_address(address) in block for block in blocks):
                prefix = next(block for block in blocks_of(resource) if ipaddress.ip_address(address) in block)
                raise refused(
                    "InUsePrefixCannotBeDeleted",
                    f"IpPrefix {prefix} on Subnet {resource.name} has active allocations and cannot be deleted.",
                )

    def missing(self, call: Call) -> ArmError | None:
        return refused("NotFound", f"Resource {call.id} not found.", status=404)


def check_subnet(arm: Sandbox, call: Call, subnet: Any, space: list[Block], others: list[tuple[str, Block]]) -> list[Block]:
    """A subnet's blocks. Raises ArmError 400 where it does not fit into the network, or refers to what is not there."""
    name = required(subnet, "name")
    blocks = [block_of(prefix) for prefix in _prefixes(subnet)]
    network = call.name if "/subnets/" not in call.id else call.id.split("/")[-3]
    if not blocks:
        raise refused("SubnetAddressPrefixNotSpecified", f"Subnet {name} of virtual network {network} has no address prefix.")
    for block in blocks:
        if not any(block.version == outer.version and block.subnet_of(outer) for outer in space):  # type: ignore[arg-type]  # of one version both
            raise refused(
                "NetcfgSubnetRangeOutsideVnet",
                f"Subnet '{name}' is not valid because its IP address range is outside the IP address range of virtual network "
                f"'{network}'.",
            )
        for other, range in others:
            if block.overlaps(range):
                raise refused(
                    "NetcfgSubnetRangesOverlap",
                    f"Subnet '{name}' is not valid because its IP address range overlaps with that of an existing subnet in virtual "
                    f"network '{network}' ({other}).",
                )
    check_pools(field(subnet, "properties", dict, {}), f"subnets.{name}", call.id)
    for member in UNSUPPORTED:
        if field(subnet, "properties", dict, {}).get(member):
            raise unsupported(f"subnets.{name}.{member}", call.id)
    group = field(subnet, "properties.networkSecurityGroup.id")
    if group is not None and arm.resource(group, GROUP) is None:
        raise reference_missing(group, call.id)
    if group is not None:
        check_linked(arm, call, f"{GROUP}/join/action", group)
    for member, kind in ATTACHED.items():
        if (reference := field(subnet, f"properties.{member}", dict)) is not None:
            check_linked(arm, call, f"{kind}/join/action", refer(arm, reference, kind, call.id)["id"])
    return blocks


def _prefixes(subnet: Any) -> list[Any]:
    several = field(subnet, "properties.addressPrefixes", list, [])
    one = field(subnet, "properties.addressPrefix")
    return several or ([one] if one is not None else [])


def blocks_of(subnet: Resource) -> list[Block]:
    return [ipaddress.ip_network(prefix) for prefix in _prefixes(subnet.body)]


def subnet_body(arm: Sandbox, call: Call, id: str, subnet: Json) -> Json:
    given = field(subnet, "properties", dict, {})
    properties: Json = {"provisioningState": "Succeeded"}
    prefixes = _prefixes(subnet)
    if len(prefixes) == 1:
        properties["addressPrefix"] = prefixes[0]
    else:
        properties["addressPrefixes"] = prefixes
    for key, value in given.items():
        if key not in READ_ONLY and key not in ("addressPrefix", "addressPrefixes", "ipamPoolPrefixAllocations"):
            properties[key] = value
    for member in ("networkSecurityGroup", *ATTACHED):
        if reference := field(subnet, f"properties.{member}.id"):
            properties[member] = {"id": reference}
    properties["delegations"] = [_delegation(id, one) for one in field(subnet, "properties.delegations", list, [])]
    endpoints = field(subnet, "properties.serviceEndpoints", list, [])
    if endpoints:
        properties["serviceEndpoints"] = [_endpoint(call, one) for one in endpoints]
    else:
        properties.pop("serviceEndpoints", None)
    properties["privateEndpointNetworkPolicies"] = field(given, "privateEndpointNetworkPolicies", str, "Disabled")
    properties["privateLinkServiceNetworkPolicies"] = field(given, "privateLinkServiceNetworkPolicies", str, "Enabled")
    return {"name": id.rsplit("/", 1)[1], "id": id, "etag": "", "properties": properties, "type": SUBNET}


def _delegation(subnet: str, given: Any) -> Json:
    name, service = required(given, "name"), required(given, "properties.serviceName")
    return {
        "name": name,
        "id": f"{subnet}/delegations/{name}",
        "etag": "",
        "properties": {"provisioningState": "Succeeded", "serviceName": service, "actions": list(ACTIONS)},
        "type": f"{SUBNET}/delegations",
    }


def _endpoint(call: Call, given: Any) -> Json:
    """Storage is reached in the network's region and its pair."""
    service = required(given, "service")
    region = call.parent.location if call.parent is not None else str(call.json().get("location", "")).replace(" ", "").lower()
    pair = PLACES[region][-1] if region in PLACES else ""
    places = [region, pair] if service == "Microsoft.Storage" and pair else [region]
    return {"provisioningState": "Succeeded", "service": service, "locations": field(given, "locations", list) or places}


# addresses


def _usable(subnet: Resource) -> Iterator[str]:
    """The first four and the last are Azure's."""
    for block in blocks_of(subnet):
        for offset in range(4, block.num_addresses - 1):
            yield str(block[offset])


def free_addresses(subnet: Resource, count: int) -> list[str]:
    """The subnet's first free addresses."""
    used = set(subnet.private.get("addresses", {}).values())
    found: list[str] = []
    for address in _usable(subnet):
        if address not in used:
            found.append(address)
            if len(found) == count:
                break
    return found


def address_in(subnet: Resource, own: str, wanted: str | None, besides: dict[str, str]) -> str:
    """The private address of the configuration `own`: the wanted one, the one that it has, or the first free one. `besides`: what other
    configurations of the same request got. Raises ArmError 400."""
    taken: dict[str, str] = {**subnet.private.get("addresses", {}), **besides}
    if wanted is None or wanted == taken.get(own.lower()):
        if own.lower() in taken:
            return taken[own.lower()]
        found = next((address for address in _usable(subnet) if address not in set(taken.values())), None)
        if found is None:
            prefix = _prefixes(subnet.body)[0]
            raise refused(
                "SubnetIsFull", f"Subnet {subnet.name} with address prefix {prefix} does not have enough capacity for 1 IP addresses."
            )
        return found
    try:
        address = ipaddress.ip_address(wanted)
    except ValueError:
        raise refused("InvalidIPAddressFormat", f"IP address {wanted} of {own} is not formatted correctly.") from None
    block = next((block for block in blocks_of(subnet) if address in block), None)
    if block is None:
        raise refused(
            "PrivateIPAddressNotInSubnet",
            f"Private static IP address {wanted} does not belong to the range of subnet prefix {_prefixes(subnet.body)[0]}.",
        )
    if int(address) - int(block.network_address) < 4 or address == block.broadcast_address:
        raise refused(
            "PrivateIPAddressInReservedRange",
            f"Private static IP address {wanted} falls within reserved IP range of subnet prefix {block}.",
        )
    holder = next((id for id, held in taken.items() if held == wanted), None)
    if holder is not None:
        user = next((id for id in subnet.private.get("ip_configurations", []) if id.lower() == holder), holder)
        raise refused(
            "PrivateIPAddressIsAllocated",
            f"IP configuration {own} is using the private IP address {wanted} which is already allocated to resource {user}.",
        )
    return wanted


SUBNETS = Subnets()
register(SUBNETS)
