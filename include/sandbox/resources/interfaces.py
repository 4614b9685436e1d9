"""Network interfaces: what ties a virtual machine to a subnet."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, ClassVar

from .. import operations
from ..authorization import check_linked
from ..pages import page_of
from ..registry import field, register, required
from ..store import Resource
from ..wire import ArmError, Json, Response
from .network import (
    ADDRESS,
    APPLICATION_GROUP,
    GROUP,
    INTERFACE,
    LOAD_BALANCER,
    SUBNET,
    NetworkType,
    check_match,
    check_migration,
    refer,
    reference_missing,
    refused,
    unsupported,
)
from .public_addresses import allocate, free, give_back
from .security_groups import effective
from .subnets import address_in

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

RESERVED = 180.0  # seconds for which an interface stays reserved after its machine failed or went
AT_ONCE = "2022-11-01"  # since, a free interface is written without an operation
UNSUPPORTED = ("virtualNetworkTaps", "privateLinkService", "dscpConfiguration", "enableFpga")
UNSUPPORTED_CONFIGURATION = ("virtualNetworkTaps", "applicationGatewayBackendAddressPools", "gatewayLoadBalancer")
# What an IP configuration belongs to, beside its subnet: member -> type.
MEMBERSHIPS = {
    "applicationSecurityGroups": APPLICATION_GROUP,
    "loadBalancerBackendAddressPools": f"{LOAD_BALANCER}/backendAddressPools",
    "loadBalancerInboundNatRules": f"{LOAD_BALANCER}/inboundNatRules",
}

# Addresses that no route leaves by, as every interface has them.
PRIVATE = ("10.0.0.0/8", "127.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "198.18.0.0/15", "192.168.0.0/16")


class NetworkInterfaces(NetworkType):
    name = INTERFACE
    retry_after = None
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.NetworkInterface", "PATCH": "network.TagsObject"}

    def __init__(self) -> None:
        super().__init__()
        self.actions.update(effectivenetworksecuritygroups=self.effective_groups, effectiveroutetable=self.effective_routes)
        self.views["ipconfigurations"] = self.configurations

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        made = self.header(arm, call, body, resource)
        check_match(call, resource)
        check_joins(arm, call, field(body, "properties", dict, {}))
        made["properties"] = interface_properties(arm, call.id, field(body, "properties", dict, {}), resource, made["location"])
        if resource is not None:
            for name in ("resourceGuid", "virtualMachine", "primary", "macAddress"):
                if name in resource.properties:
                    made["properties"][name] = resource.properties[name]
            made["properties"]["dnsSettings"]["internalDomainNameSuffix"] = resource.properties["dnsSettings"]["internalDomainNameSuffix"]
        made["kind"] = "Regular"
        if resource is not None:
            release(arm, resource)
        attached = "virtualMachine" in made["properties"]
        if not attached:
            response = self._write_at_once(arm, call, resource, made)
        else:
            response = self.write(arm, call, resource, made)
        written = arm.store.get(call.id)
        assert written is not None
        claim(arm, written)
        return response

    def _write_at_once(self, arm: Sandbox, call: Call, resource: Resource | None, made: Json) -> Response:
        """A free interface needs nothing of the network: it is there when the answer comes. Older api-versions name an operation all the
        same, as recorded."""
        written, operation = self.write_at_once(arm, call, resource, made, told=call.api_version < AT_ONCE)
        return self.answer(arm, call, operation, written, created=resource is None)

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        properties = dict(resource.properties)
        properties["ipConfigurations"] = [{**one, "etag": resource.body["etag"]} for one in resource.properties.get("ipConfigurations", [])]
        if "macAddress" in properties and not _connected(arm, resource):  # the domain goes with the allocation (recorded)
            suffix = "internalDomainNameSuffix"
            properties["dnsSettings"] = {key: value for key, value in properties["dnsSettings"].items() if key != suffix}
        return {**resource.body, "properties": properties}

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        machine = resource.properties.get("virtualMachine")
        if machine:
            return refused(
                "NicInUse",
                f"Network Interface {resource.id} is used by existing resource {machine['id']}. In order to delete the network interface, "
                "it must be dissociated from the resource. To learn more, see aka.ms/deletenic.",
            )
        if resource.private.get("reserved_until", 0) > arm.now:
            return reserved()
        return None

    def remove(self, arm: Sandbox, resource: Resource) -> None:
        release(arm, resource)
        arm.store.drop(resource)

    # what is effective

    def configurations(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        return page_of(arm, call, self.view(arm, call, resource)["properties"]["ipConfigurations"], lambda one: one)

    def effective_groups(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        machine = _running(arm, call, resource)
        subnets = [subnet for subnet in _subnets(arm, resource) if subnet is not None]
        space = _space(arm, subnets)
        found = []
        named = field(resource.body, "properties.networkSecurityGroup.id")
        if (group := arm.resource(named, GROUP)) is not None:
            found.append(effective(arm, group, {"networkInterface": {"id": resource.id}}, space))
        found += [
            effective(arm, group, {"subnet": {"id": subnet.id}}, space)
            for subnet in subnets
            if (group := arm.resource(field(subnet.body, "properties.networkSecurityGroup.id"), GROUP)) is not None
        ]
        return self._result(arm, call, machine, {"value": found})

    def effective_routes(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        machine = _running(arm, call, resource)
        space = _space(arm, [subnet for subnet in _subnets(arm, resource) if subnet is not None])
        hops = [(prefix, "VnetLocal") for prefix in space] + [("0.0.0.0/0", "Internet")]
        hops += [(prefix, "None") for prefix in PRIVATE if prefix not in space]
        value = [
            {
                "disableBgpRoutePropagation": False,
                "source": "Default",
                "state": "Active",
                "hasBgpOverride": False,
                "addressPrefix": [prefix],
                "nextHopType": hop,
                "nextHopIpAddress": [],
                "destinationServiceTags": [],
                "tagMap": {},
            }
            for prefix, hop in hops
        ]
        return self._result(arm, call, machine, {"value": value})

    def _result(self, arm: Sandbox, call: Call, machine: Resource, output: Json) -> Response:
        operation = operations.start(arm, call, None, "network.effective", family=self.family, seconds=5.0, location=machine.location)
        operation["output"] = output
        arm.store.remember(operation)
        response = operations.accepted(arm, call, operation, retry_after=10)
        response.headers.pop("azure-asyncoperation")
        return response


def _connected(arm: Sandbox, interface: Resource) -> bool:
    """Whether the interface is that of an allocated machine."""
    machine = arm.resource((interface.properties.get("virtualMachine") or {}).get("id"))
    return machine is not None and machine.private.get("power", "running") != "deallocated"


def _running(arm: Sandbox, call: Call, interface: Resource) -> Resource:
    """The interface's machine. Raises ArmError 400 where it has none that runs."""
    machine = arm.resource((interface.properties.get("virtualMachine") or {}).get("id"))
    if machine is None or machine.private.get("power", "running") not in ("running", "starting"):
        raise refused(
            "NicMustBeAttachedToRunningVm",
            f"Network interface {interface.id} must be attached to a running virtual machine for the operation {call.action}.",
        )
    return machine


def _subnets(arm: Sandbox, interface: Resource) -> list[Resource | None]:
    ids = [field(one, "properties.subnet.id") for one in interface.properties["ipConfigurations"]]
    return [arm.resource(id, SUBNET) for id in dict.fromkeys(ids)]


def _space(arm: Sandbox, subnets: list[Resource]) -> list[str]:
    networks = {subnet.id.rsplit("/", 2)[0]: None for subnet in subnets}
    found = [arm.store.get(id) for id in networks]
    return [prefix for one in found if one is not None for prefix in one.properties["addressSpace"]["addressPrefixes"]]


def reserved() -> ArmError:
    return refused(
        "NicReservedForAnotherVm",
        "Nic(s) in request is reserved for another Virtual Machine for 180 seconds. Please provide another nic(s) or retry after 180 "
        "seconds.",
    )


def check_joins(arm: Sandbox, call: Call, given: Json) -> None:
    """Raises ArmError 403 LinkedAuthorizationFailed where the caller may not join the subnets, addresses and the group that an interface's
    properties name."""
    ids = [field(given, "networkSecurityGroup.id")]
    for one in field(given, "ipConfigurations", list, []):
        ids += [field(one, "properties.subnet.id"), field(one, "properties.publicIPAddress.id")]
        ids += [named.get("id") for member in MEMBERSHIPS for named in field(one, f"properties.{member}", list, [])]
    for id in ids:
        if (found := arm.resource(id)) is not None:
            check_linked(arm, call, f"{found.type}/join/action", found.id)


def interface_properties(arm: Sandbox, id: str, given: Json, resource: Resource | None, location: str = "") -> Json:
    """A network interface's properties with Azure's defaults. Raises ArmError for a missing subnet, address or security group."""
    configurations: list[Json] = []
    for one in field(given, "ipConfigurations", list, []):
        configurations.append(_configuration(arm, id, one, configurations, resource, location))
    if not configurations:
        raise refused(
            "NetworkInterfaceMustHaveAtLeastOneIpConfiguration", f"Network Interface {id} must have one or more IP configurations."
        )
    names = [one["name"].lower() for one in configurations]
    if len(set(names)) < len(names):
        raise refused("DuplicateResourceName", f"Resource {id} has two child resources with the same name ({configurations[0]['name']}).")
    check_migration(given, id)
    for name in UNSUPPORTED:
        if given.get(name):
            raise unsupported(name, id)
    group = field(given, "networkSecurityGroup.id")
    if group is not None and arm.resource(group, GROUP) is None:
        raise reference_missing(group, id)
    network = (configurations[0]["properties"].get("subnet") or {}).get("id", "").split("/subnets/")[0].lower()
    domain = hashlib.sha256(f"{arm.seed} {network}".encode()).hexdigest()[:26]
    servers = field(given, "dnsSettings.dnsServers", list, [])
    made: Json = {
        "provisioningState": "Succeeded",
        "ipConfigurations": configurations,
        "dnsSettings": {
            "dnsServers": servers,
            "appliedDnsServers": servers,
            "internalDomainNameSuffix": f"{domain}.dx.internal.cloudapp.net",
        },
        "vnetEncryptionSupported": False,
        "enableIPForwarding": bool(field(given, "enableIPForwarding", bool, False)),
        "disableTcpStateTracking": bool(field(given, "disableTcpStateTracking", bool, False)),
        "hostedWorkloads": [],
        "tapConfigurations": [],
        "nicType": field(given, "nicType", str, "Standard"),
        "allowPort25Out": True,
        "auxiliaryMode": field(given, "auxiliaryMode", str, "None"),
        "auxiliarySku": field(given, "auxiliarySku", str, "None"),
    }
    if given.get("workloadType") is not None:
        made["workloadType"] = given["workloadType"]
    if label := field(given, "dnsSettings.internalDnsNameLabel"):
        made["dnsSettings"]["internalDnsNameLabel"] = label
    if field(given, "enableAcceleratedNetworking", bool) is not None:
        made["enableAcceleratedNetworking"] = given["enableAcceleratedNetworking"]
    if group is not None:
        made["networkSecurityGroup"] = {"id": group}
    return made


def _configuration(arm: Sandbox, interface: str, given: Json, before: list[Json], resource: Resource | None, location: str) -> Json:
    first = not before
    name = required(given, "name")
    id = f"{interface}/ipConfigurations/{name}"
    for member in UNSUPPORTED_CONFIGURATION:
        if field(given, "properties", dict, {}).get(member):
            raise unsupported(member, id)
    version = field(given, "properties.privateIPAddressVersion", str, "IPv4")
    properties: Json = {"provisioningState": "Succeeded"}
    subnet_id = field(given, "properties.subnet.id")
    if subnet_id is None and (first or version == "IPv4"):
        raise refused("SubnetNotSpecified", f"IP configuration {id} does not name a subnet.")
    if subnet_id is not None:
        subnet = arm.resource(subnet_id, SUBNET)
        network = arm.store.get(subnet_id.rsplit("/subnets/", 1)[0])
        if subnet is None or network is None or (location and network.location != location):
            raise reference_missing(subnet_id, interface)
        own = (
            next((one for one in resource.properties["ipConfigurations"] if one["name"].lower() == name.lower()), None)
            if resource
            else None
        )
        moved = own is not None and (own["properties"].get("subnet") or {}).get("id", "").lower() != subnet_id.lower()
        wanted = field(given, "properties.privateIPAddress")
        static = field(given, "properties.privateIPAllocationMethod", str, "Dynamic") == "Static"
        if static and wanted is None and own is None:
            raise refused("PrivateIPAddressNotSpecified", f"IP configuration {id} is static and does not name a private IP address.")
        besides = {one["id"].lower(): one["properties"]["privateIPAddress"] for one in before if "privateIPAddress" in one["properties"]}
        properties["privateIPAddress"] = address_in(subnet, id, wanted if static and not moved else None, besides)
    properties["privateIPAllocationMethod"] = field(given, "properties.privateIPAllocationMethod", str, "Dynamic")
    address = field(given, "properties.publicIPAddress.id")
    if address is not None:
        found = arm.resource(address, ADDRESS)
        if found is None or (location and found.location != location):
            raise reference_missing(address, interface)
        user = found.properties.get("ipConfiguration")
        if user and user["id"].lower() != id.lower():
            raise refused(
                "PublicIPAddressInUse",
                f"Resource {id} is referencing public IP address {address} that is already allocated to resource {user['id']}.",
            )
        properties["publicIPAddress"] = {"id": address}
    if subnet_id is not None:
        properties["subnet"] = {"id": subnet_id}
        properties["primary"] = field(given, "properties.primary", bool, first)
    properties["privateIPAddressVersion"] = version
    for member, kind in MEMBERSHIPS.items():
        if named := field(given, f"properties.{member}", list):
            properties[member] = [refer(arm, one, kind, interface, location) for one in named]
    if (length := field(given, "properties.privateIPAddressPrefixLength", int)) is not None:
        properties["privateIPAddressPrefixLength"] = length
    return {"name": name, "id": id, "etag": "", "type": f"{INTERFACE}/ipConfigurations", "properties": properties}


def attach(arm: Sandbox, interface: Resource, machine: Resource, *, primary: bool) -> None:
    """The interface becomes the machine's."""
    interface.properties["virtualMachine"] = {"id": machine.id}
    interface.properties["primary"] = primary
    interface.private.pop("reserved_until", None)
    claim(arm, interface)
    arm.store.touch(interface)


def detach(arm: Sandbox, interface: Resource) -> None:
    """The interface is nobody's; a dynamic public address goes back, the private one stays."""
    for name in ("virtualMachine", "primary"):
        interface.properties.pop(name, None)
    for address in addresses_of(arm, interface):
        give_back(arm, address)
    arm.store.touch(interface)


def follow_power(arm: Sandbox, machine: Resource, power: str) -> None:
    """Dynamic public addresses are there while the machine is allocated (documented: "IP addresses in Azure")."""
    if power not in ("running", "deallocated"):
        return
    for one in machine.properties["networkProfile"]["networkInterfaces"]:
        interface = arm.resource(one["id"], INTERFACE)
        for address in addresses_of(arm, interface) if interface is not None else ():
            (allocate if power == "running" else give_back)(arm, address)


def addresses_of(arm: Sandbox, interface: Resource) -> list[Resource]:
    """The interface's public addresses."""
    ids = [(one["properties"].get("publicIPAddress") or {}).get("id") for one in interface.properties["ipConfigurations"]]
    return [found for id in ids if (found := arm.resource(id, ADDRESS)) is not None]


def claim(arm: Sandbox, interface: Resource) -> None:
    """Note the interface in its subnets and public addresses."""
    attached = bool(interface.properties.get("virtualMachine"))
    if attached:
        hardware = arm.guid("mac", interface.key).replace("-", "").upper()
        interface.properties.setdefault("macAddress", f"00-0D-3A-{hardware[0:2]}-{hardware[2:4]}-{hardware[4:6]}")
    for one in interface.properties["ipConfigurations"]:
        subnet = arm.resource((one["properties"].get("subnet") or {}).get("id"), SUBNET)
        if subnet is not None:
            users = subnet.private.setdefault("ip_configurations", [])
            if one["id"] not in users:
                users.append(one["id"])
            subnet.private.setdefault("addresses", {})[one["id"].lower()] = one["properties"]["privateIPAddress"]
            arm.store.touch(subnet)
        address = arm.resource((one["properties"].get("publicIPAddress") or {}).get("id"), ADDRESS)
        if address is not None:
            address.properties["ipConfiguration"] = {"id": one["id"]}
            if attached:
                allocate(arm, address)
            arm.store.touch(address)


def release(arm: Sandbox, interface: Resource) -> None:
    """Forget the interface in its subnets and public addresses."""
    for one in interface.properties["ipConfigurations"]:
        subnet = arm.resource((one["properties"].get("subnet") or {}).get("id"), SUBNET)
        if subnet is not None:
            users = subnet.private.get("ip_configurations", [])
            if one["id"] in users:
                users.remove(one["id"])
            subnet.private.get("addresses", {}).pop(one["id"].lower(), None)
            arm.store.touch(subnet)
    for address in addresses_of(arm, interface):
        free(arm, address)


register(NetworkInterfaces())
