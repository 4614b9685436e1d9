"""Network interfaces: what ties a virtual machine to a subnet."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, ClassVar

from ..registry import field, register, required
from ..store import Resource
from ..wire import ArmError, Json, Response
from .networks import SUBNET, NetworkType, address_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

INTERFACE = "Microsoft.Network/networkInterfaces"
RESERVED = 180.0  # seconds for which an interface stays reserved after its machine failed or went


class NetworkInterfaces(NetworkType):
    name = INTERFACE
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.NetworkInterface", "PATCH": "network.TagsObject"}
    retry_after = None

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        made = self.header(arm, call, body, resource)
        made["properties"] = interface_properties(arm, call.id, field(body, "properties", dict, {}), resource)
        if resource is not None and "virtualMachine" in resource.properties:
            made["properties"]["virtualMachine"] = resource.properties["virtualMachine"]
        made["kind"] = "Regular"
        if resource is not None:
            release(arm, resource)
        response = self.write(arm, call, resource, made)
        written = arm.store.get(call.id)
        assert written is not None
        claim(arm, written)
        return response

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        machine = resource.properties.get("virtualMachine")
        if machine:
            return ArmError(
                400,
                "NicInUse",
                f"Network Interface {resource.id} is used by existing resource {machine['id']}. In order to delete the network "
                f"interface, it must be dissociated "
                "from the resource. To learn more, see aka.ms/deletenic.",
                details=[],
            )
        if resource.private.get("reserved_until", 0) > arm.now:
            return reserved()
        return None

    def remove(self, arm: Sandbox, resource: Resource) -> None:
        release(arm, resource)
        arm.store.drop(resource)


def reserved() -> ArmError:
    return ArmError(
        400,
        "NicReservedForAnotherVm",
        "Nic(s) in request is reserved for another Virtual Machine for 180 seconds. Please provide another nic(s) or retry after 180 "
        "seconds.",
        details=[],
    )


def interface_properties(arm: Sandbox, id: str, given: Json, resource: Resource | None) -> Json:
    """A network interface's properties with Azure's defaults. Raises ArmError for a missing subnet, address or security group."""
    configurations = []
    for index, one in enumerate(field(given, "ipConfigurations", list, [])):
        name = required(one, "name")
        subnet_id = required(one, "properties.subnet.id")
        subnet = arm.resource(subnet_id, SUBNET)
        if subnet is None:
            raise reference_missing(subnet_id, id)
        address = field(one, "properties.publicIPAddress.id")
        if address is not None and arm.resource(address) is None:
            raise reference_missing(address, id)
        properties: Json = {
            "provisioningState": "Succeeded",
            "privateIPAddress": field(one, "properties.privateIPAddress") or free_address(arm, subnet, f"{id}/ipConfigurations/{name}"),
            "privateIPAllocationMethod": field(one, "properties.privateIPAllocationMethod", str, "Dynamic"),
            "subnet": {"id": subnet_id},
            "primary": field(one, "properties.primary", bool, index == 0),
            "privateIPAddressVersion": field(one, "properties.privateIPAddressVersion", str, "IPv4"),
        }
        if address is not None:
            properties["publicIPAddress"] = {"id": address}
        configurations.append(
            {
                "name": name,
                "id": f"{id}/ipConfigurations/{name}",
                "etag": f'W/"{arm.guid("etag", id, name)}"',
                "type": f"{INTERFACE}/ipConfigurations",
                "properties": properties,
            }
        )
    if not configurations:
        raise ArmError(
            400,
            "NetworkInterfaceMustHaveAtLeastOneIpConfiguration",
            f"Network Interface {id} must have one or more IP configurations.",
            details=[],
        )
    group = field(given, "networkSecurityGroup.id")
    if group is not None and arm.resource(group) is None:
        raise reference_missing(group, id)
    made: Json = {
        "provisioningState": "Succeeded",
        "ipConfigurations": configurations,
        "dnsSettings": {
            "dnsServers": [],
            "appliedDnsServers": [],
            "internalDomainNameSuffix": f"{arm.guid('dns')[:8]}.dx.internal.cloudapp.net",
        },
        "vnetEncryptionSupported": False,
        "enableIPForwarding": bool(field(given, "enableIPForwarding", bool, False)),
        "disableTcpStateTracking": False,
        "hostedWorkloads": [],
        "tapConfigurations": [],
        "nicType": "Standard",
        "allowPort25Out": True,
        "auxiliaryMode": "None",
        "auxiliarySku": "None",
    }
    if group is not None:
        made["networkSecurityGroup"] = {"id": group}
    return made


def reference_missing(reference: str, by: str) -> ArmError:
    return ArmError(
        400,
        "InvalidResourceReference",
        f"Resource {reference} referenced by resource {by} was not found. Please make sure that the referenced resource exists, and "
        f"that both resources are "
        "in the same region.",
        details=[],
    )


def free_address(arm: Sandbox, subnet: Resource, own: str) -> str:
    """The subnet's first free address; the first four and the last are Azure's. Raises ArmError 400 SubnetIsFull."""
    prefix = subnet.properties.get("addressPrefix") or subnet.properties["addressPrefixes"][0]
    taken = subnet.private.get("addresses", {})
    if own.lower() in taken:
        return str(taken[own.lower()])
    used = set(taken.values())
    block = ipaddress.ip_network(prefix)
    for offset in range(4, block.num_addresses - 1):
        address = str(block[offset])
        if address not in used:
            return address
    raise ArmError(
        400,
        "SubnetIsFull",
        f"Subnet {subnet.name} with address prefix {prefix} does not have enough capacity for 1 IP addresses.",
        details=[],
    )


def claim(arm: Sandbox, interface: Resource) -> None:
    """Note the interface in its subnets and public addresses."""
    for one in interface.properties["ipConfigurations"]:
        subnet = arm.resource(one["properties"]["subnet"]["id"], SUBNET)
        if subnet is not None:
            users = subnet.private.setdefault("ip_configurations", [])
            if one["id"] not in users:
                users.append(one["id"])
            subnet.private.setdefault("addresses", {})[one["id"].lower()] = one["properties"]["privateIPAddress"]
            arm.store.touch(subnet)
        address = arm.resource((one["properties"].get("publicIPAddress") or {}).get("id"))
        if address is not None:
            address.properties["ipConfiguration"] = {"id": one["id"]}
            if interface.properties.get("virtualMachine"):
                address.properties["ipAddress"] = address_of(arm, address.id)
            arm.store.touch(address)


def release(arm: Sandbox, interface: Resource) -> None:
    """Forget the interface in its subnets and public addresses."""
    for one in interface.properties["ipConfigurations"]:
        subnet = arm.resource(one["properties"]["subnet"]["id"], SUBNET)
        if subnet is not None:
            users = subnet.private.get("ip_configurations", [])
            if one["id"] in users:
                users.remove(one["id"])
            subnet.private.get("addresses", {}).pop(one["id"].lower(), None)
            arm.store.touch(subnet)
        address = arm.resource((one["properties"].get("publicIPAddress") or {}).get("id"))
        if address is not None:
            address.properties.pop("ipConfiguration", None)
            arm.store.touch(address)


register(NetworkInterfaces())
