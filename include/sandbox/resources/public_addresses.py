"""Public IP addresses.

They are handed out of ranges that are nobody's: those for documentation (RFC 5737) first, then the one for benchmarks (RFC 2544). Whoever
runs the sandbox may name another (`serve --public-addresses 127.77.0.0/24`), so that a server of his can stand in for a machine's own.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, ClassVar

from ..authorization import check_linked
from ..events import event
from ..registry import field, one_of, register, route
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty
from .network import ADDRESS, PREFIX, Block, NetworkType, check_migration, reference_missing, refused, unsupported

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

RANGES = ("203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24", "198.18.0.0/15")
VERSION_6 = "2001:db8::/64"
UNSUPPORTED = ("linkedPublicIPAddress", "servicePublicIPAddress")


class PublicAddresses(NetworkType):
    name = ADDRESS
    retry_after = 1
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.PublicIPAddress", "PATCH": "network.TagsObject"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        made = self.header(arm, call, body, resource)
        if field(body, "zones", list):
            made["zones"] = body["zones"]
        given = field(body, "properties", dict, {})
        check_migration(given, call.id)
        gateway = field(resource.properties, "natGateway.id") if resource is not None else None
        if field(given, "natGateway.id") not in (None, gateway):  # the gateway names its addresses
            raise unsupported("properties.natGateway", call.id)
        for name in UNSUPPORTED:
            if given.get(name):
                raise unsupported(f"properties.{name}", call.id)
        sku = self._sku(call, body, resource)
        method = field(given, "publicIPAllocationMethod", str, "Dynamic")
        if sku["name"] == "Standard" and method == "Dynamic":
            raise refused(
                "PublicIPAddressStandardSkuMustBeStatic",
                f"Standard sku public IP addresses must have static allocation method. Public IP address {call.id} is dynamic.",
            )
        properties: Json = {
            "publicIPAddressVersion": field(given, "publicIPAddressVersion", str, "IPv4"),
            "publicIPAllocationMethod": method,
            "idleTimeoutInMinutes": self._timeout(call, given),
        }
        if (settings := field(given, "dnsSettings", dict)) is not None:
            properties["dnsSettings"] = self._name(arm, call, settings, made["location"])
        properties["ipTags"] = field(given, "ipTags", list, [])
        asked = field(given, "ddosSettings", dict)
        if asked or sku["name"] == "Standard":
            properties["ddosSettings"] = asked or {"protectionMode": "VirtualNetworkInherited"}
        if field(given, "deleteOption"):
            properties["deleteOption"] = field(given, "deleteOption")
        if (prefix := self._prefix(arm, call, given, resource, made, sku)) is not None:
            properties["publicIPPrefix"] = {"id": prefix.id}
        if resource is not None:
            for name in ("ipConfiguration", "ipAddress", "natGateway"):
                if name in resource.properties:
                    properties[name] = resource.properties[name]
        made["properties"] = properties
        made["sku"] = sku
        return self.write(arm, call, resource, made, then="publicIPAddresses.written" if method == "Static" else None)

    @staticmethod
    def _sku(call: Call, body: Json, resource: Resource | None) -> Json:
        name = one_of(body, "sku.name", ("Basic", "Standard", "StandardV2"), "Basic" if resource is None else resource.body["sku"]["name"])
        tier = field(body, "sku.tier", str, "Regional" if resource is None else resource.body["sku"]["tier"])
        if tier == "Global" and name == "Basic":
            raise refused(
                "GlobalPublicIPAddressNotSupportedForBasicPublicIpAddress",
                f"Global publicIP addresses are only supported for standard SKU public IP addresses. Public IP address {call.id} is not "
                "standard SKU.",
            )
        if resource is not None and name != resource.body["sku"]["name"] and (name, resource.body["sku"]["name"]) != ("Standard", "Basic"):
            raise refused("SkuUpdateNotAllowed", f"The SKU of public IP address {call.id} cannot be changed to {name}.")
        return {"name": name, "tier": tier}

    @staticmethod
    def _prefix(arm: Sandbox, call: Call, given: Json, resource: Resource | None, made: Json, sku: Json) -> Resource | None:
        """The prefix out of which the address is made. Raises ArmError 400 where there is none in its region, its block is not known yet or
        used up, or the address is of another kind; 409 while the prefix is written. It stays for good."""
        id = field(given, "publicIPPrefix.id")
        old = field(resource.properties, "publicIPPrefix.id") if resource is not None else None
        if resource is not None and str(id).lower() != str(old).lower():
            raise refused("PublicIpPrefixOfPublicIpAddressCannotBeChanged", f"The prefix of public IP address {call.id} cannot be changed.")
        if id is None:
            return None
        found = arm.resource(id, PREFIX)
        if found is None or found.location != made["location"]:
            raise reference_missing(str(id), call.id)
        check_linked(arm, call, f"{PREFIX}/join/action", found.id)
        if "ipPrefix" not in found.properties:
            raise refused(
                "ReferencedResourceNotProvisioned",
                f"Cannot proceed with operation because resource {found.id} used by resource {call.id} is not in Succeeded state. Resource "
                f"is in {found.properties['provisioningState']} state and the last operation that updated/is updating the resource is "
                "PutPublicIpPrefixOperation.",
                status=409,
            )
        kind = (sku["name"], field(given, "publicIPAllocationMethod"), field(given, "publicIPAddressVersion", str, "IPv4"))
        if kind != (found.body["sku"]["name"], "Static", found.properties["publicIPAddressVersion"]):
            raise refused(
                "PublicIpAddressAndPublicIpPrefixMismatch",
                f"Public IP address {call.id} must be static, and have the sku and version of public IP prefix {found.id}.",
            )
        if resource is None and len(addresses_of(arm, found)) >= ipaddress.ip_network(found.properties["ipPrefix"]).num_addresses:
            raise refused("PublicIpPrefixOutOfIpAddresses", f"Public IP prefix {found.id} has no more available public IP addresses.")
        return found

    @staticmethod
    def _timeout(call: Call, given: Json) -> int:
        minutes = int(field(given, "idleTimeoutInMinutes", int, 4))
        if not 4 <= minutes <= 30:
            raise refused(
                "IdleTimeoutInMinutesOutOfRange",
                f"IdleTimeoutInMinutes value {minutes} of public IP address {call.id} is out of range. It must be between 4 and 30.",
            )
        return minutes

    @staticmethod
    def _name(arm: Sandbox, call: Call, settings: Json, location: str) -> Json:
        label = field(settings, "domainNameLabel")
        if not label:
            return {key: value for key, value in settings.items() if key != "fqdn"}
        fqdn = f"{label.lower()}.{location}.cloudapp.azure.com"
        taken = holder_of(arm, fqdn)
        if taken is not None and taken.key != call.id.lower():
            raise refused("DnsRecordInUse", f"DNS record {fqdn} is already used by another public IP.")
        return {**settings, "domainNameLabel": label, "fqdn": fqdn}

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        user = resource.properties.get("ipConfiguration") or resource.properties.get("natGateway")
        if not user:
            return None
        return refused(
            "PublicIPAddressCannotBeDeleted",
            f"Public IP address {resource.id} can not be deleted since it is still allocated to resource {user['id']}. In order to delete "
            "the public IP, disassociate/detach the Public IP address from the resource.  To learn how to do this, see "
            "aka.ms/deletepublicip.",
        )


@event("publicIPAddresses.written")
def _written(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        allocate(arm, resource)


def allocate(arm: Sandbox, resource: Resource) -> None:
    """Give the resource an address, if it has none: out of its prefix, or one that is nobody's."""
    properties = resource.properties
    if "ipAddress" in properties:
        return
    version = properties.get("publicIPAddressVersion", "IPv4")
    prefix = arm.resource(field(properties, "publicIPPrefix.id"), PREFIX)
    if prefix is None:
        properties["ipAddress"] = str(reserve(arm, resource.key, 128 if version == "IPv6" else 32, version).network_address)
    else:
        used = {one.properties.get("ipAddress") for one in arm.store.of_type(prefix.subscription, ADDRESS).values()}
        block = ipaddress.ip_network(prefix.properties["ipPrefix"])
        properties["ipAddress"] = next(str(one) for one in block if str(one) not in used)  # one is left: put() counts them
    arm.store.touch(resource)


def addresses_of(arm: Sandbox, prefix: Resource) -> list[str]:
    """The ids of the addresses made out of a prefix."""
    addresses = arm.store.of_type(prefix.subscription, ADDRESS).values()
    return [one.id for one in addresses if str(field(one.properties, "publicIPPrefix.id", str, "")).lower() == prefix.key]


def reserve(arm: Sandbox, key: str, length: int, version: str) -> Block:
    """A block of that length in which no address and no prefix lies. Raises ArmError 400 where none is left."""
    everything = arm.store.resources.values()
    used = {str(one.properties.get("ipAddress", "")) for one in everything if one.type == ADDRESS}
    blocks = [ipaddress.ip_network(one.properties["ipPrefix"]) for one in everything if one.type == PREFIX and "ipPrefix" in one.properties]
    number = int(arm.guid("address", key)[:8], 16)
    for whole in (VERSION_6,) if version == "IPv6" else arm.public_addresses or RANGES:
        range_ = ipaddress.ip_network(whole)
        step = 1 << (range_.max_prefixlen - length)
        first = 1 if range_.num_addresses > 2 and step == 1 else 0
        size = min(range_.num_addresses // step - 2 * first, 1 << 16)
        for at in range(size):
            block = ipaddress.ip_network((range_[(first + (number + at) % size) * step], length))
            if not any(_overlap(block, other) for other in blocks) and used.isdisjoint(map(str, block)):
                return block
    raise refused("PublicIPCountLimitReached", "Cannot create more public IP addresses for this subscription in this region.")


def _overlap(one: Block, other: Block) -> bool:
    return one.version == other.version and one[0] <= other[-1] and other[0] <= one[-1]  # type: ignore[operator]


def give_back(arm: Sandbox, resource: Resource) -> None:
    """A dynamic address goes back to where it came from."""
    if resource.properties.get("publicIPAllocationMethod") == "Dynamic" and resource.properties.pop("ipAddress", None) is not None:
        arm.store.touch(resource)


def free(arm: Sandbox, resource: Resource) -> None:
    """Nobody uses the address any more."""
    resource.properties.pop("ipConfiguration", None)
    give_back(arm, resource)
    arm.store.touch(resource)


def of_machine(arm: Sandbox, machine: Resource, name: str, id: str, given: Json) -> Resource:
    """The public address that a machine's inline configuration `given` asks for."""
    method = field(given, "properties.publicIPAllocationMethod", str, "Static")
    properties: Json = {
        "provisioningState": "Succeeded",
        "resourceGuid": arm.guid("resource", id),
        "publicIPAddressVersion": field(given, "properties.publicIPAddressVersion", str, "IPv4"),
        "publicIPAllocationMethod": method,
        "idleTimeoutInMinutes": field(given, "properties.idleTimeoutInMinutes", int, 4),
        "ipTags": [],
    }
    sku = one_of(given, "sku.name", ("Basic", "Standard"), "Standard")
    if sku == "Standard":
        properties["ddosSettings"] = {"protectionMode": "VirtualNetworkInherited"}
    if delete := field(given, "properties.deleteOption"):
        properties["deleteOption"] = delete
    etag = f'W/"{arm.guid("etag", id)}"'
    body: Json = {"name": name, "id": id, "etag": etag, "type": ADDRESS, "location": machine.location, "properties": properties}
    body["sku"] = {"name": sku, "tier": "Regional"}
    if "tags" in machine.body:
        body["tags"] = machine.body["tags"]
    return arm.store.add(Resource(id, ADDRESS, body))


def holder_of(arm: Sandbox, fqdn: str) -> Resource | None:
    """The public address with that DNS name."""
    for one in arm.store.resources.values():
        if one.type == ADDRESS and (one.properties.get("dnsSettings") or {}).get("fqdn") == fqdn:
            return one
    return None


@route("GET", "subscriptions/{}/providers/Microsoft.Network/locations/{}/CheckDnsNameAvailability")
def check_name(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    fqdn = f"{call.query.get('domainnamelabel', '').lower()}.{location.lower()}.cloudapp.azure.com"
    return Response(200, {"content-type": JSON_TYPE}, pretty({"available": holder_of(arm, fqdn) is None}))


register(PublicAddresses())
