"""A machine's network interfaces: those that it names and those that it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..registry import field, invalid, required
from ..store import Resource
from ..wire import ArmError, Json
from .interfaces import INTERFACE, RESERVED, claim, interface_properties, release, reserved

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox


def named_interfaces(arm: Sandbox, call: Call, body: Json, location: str) -> list[Resource]:
    """The existing interfaces that the machine names. Raises ArmError for one that is missing, taken or reserved."""
    found = []
    for one in field(body, "properties.networkProfile.networkInterfaces", list, []):
        id = required(one, "id", target="networkInterfaces.id")
        interface = arm.resource(id, INTERFACE)
        if interface is None:
            raise ArmError(
                400,
                "InvalidResourceReference",
                f"Resource {id} referenced by resource {call.id} was not found. Please make sure that the referenced resource "
                f"exists, and that both resources are in the same region.",
                details=[],
            )
        user = interface.properties.get("virtualMachine")
        if user and user["id"].lower() != call.id.lower():
            raise ArmError(
                400,
                "NicInUse",
                f"Network Interface {id} is used by existing resource {user['id']}. In order to delete the network interface, it "
                f"must be dissociated from the resource. To learn more, see aka.ms/deletenic.",
                details=[],
            )
        if interface.private.get("reserved_until", 0) > arm.now and interface.private.get("reserved_for") != call.id.lower():
            raise reserved()
        found.append(interface)
    configurations = field(body, "properties.networkProfile.networkInterfaceConfigurations", list, [])
    if not found and not configurations:
        raise invalid("Required parameter 'networkProfile' is missing (null).", "networkProfile")
    if configurations and not field(body, "properties.networkProfile.networkApiVersion"):
        raise invalid("Required parameter 'networkProfile.networkApiVersion' is missing (null).", "networkProfile.networkApiVersion")
    for one in configurations:  # refused before anything is made
        properties = dict(required(one, "properties", dict, target="networkInterfaceConfigurations.properties"))
        interface_properties(arm, f"{call.id}/networkInterfaceConfigurations/{required(one, 'name')}", properties, None)
    return found


def connect(arm: Sandbox, call: Call, body: Json, found: list[Resource], machine: Resource) -> list[Json]:
    shown = []
    given = field(body, "properties.networkProfile.networkInterfaces", list, [])
    for one, interface in zip(given, found, strict=True):
        reference: Json = {"id": interface.id}
        if field(one, "properties", dict):
            reference["properties"] = one["properties"]
        shown.append(reference)
    group = call.id.split("/providers/")[0]
    for index, one in enumerate(field(body, "properties.networkProfile.networkInterfaceConfigurations", list, [])):
        name = required(one, "name", target="networkInterfaceConfigurations.name")
        properties = dict(required(one, "properties", dict, target="networkInterfaceConfigurations.properties"))
        id = f"{group}/providers/{INTERFACE}/{name}-{arm.guid('nic', call.id, arm.count('nic'))[:8]}"
        made = interface_properties(arm, id, with_addresses(arm, call, group, machine, properties), None)
        made["resourceGuid"] = arm.guid("nic", id)
        header = {
            "name": id.rsplit("/", 1)[1],
            "id": id,
            "etag": f'W/"{arm.guid("etag", id)}"',
            "type": INTERFACE,
            "location": machine.location,
        }
        if "tags" in machine.body:
            header["tags"] = machine.body["tags"]
        interface = arm.store.add(Resource(id, INTERFACE, {**header, "properties": made, "kind": "Regular"}))
        found.append(interface)
        primary = field(properties, "primary", bool, index == 0)
        shown.append({"id": id, "properties": {"primary": primary, "deleteOption": properties.get("deleteOption", "Detach")}})
    for interface in found:
        interface.properties["virtualMachine"] = {"id": machine.id}
        interface.properties["primary"] = True
        interface.private.pop("reserved_until", None)
        claim(arm, interface)
        arm.store.touch(interface)
    return shown


def with_addresses(arm: Sandbox, call: Call, group: str, machine: Resource, properties: Json) -> Json:
    """The interface's properties with its inline public addresses made."""
    configurations = []
    for one in field(properties, "ipConfigurations", list, []):
        inner = dict(field(one, "properties", dict, {}))
        asked = inner.pop("publicIPAddressConfiguration", None)
        if asked is not None:
            name = f"{required(asked, 'name')}-{arm.guid('ip', call.id, arm.count('ip'))[:8]}"
            id = f"{group}/providers/Microsoft.Network/publicIPAddresses/{name}"
            body = {
                "name": id.rsplit("/", 1)[1],
                "id": id,
                "etag": f'W/"{arm.guid("etag", id)}"',
                "type": "Microsoft.Network/publicIPAddresses",
                "location": machine.location,
                "properties": {
                    "provisioningState": "Succeeded",
                    "publicIPAddressVersion": "IPv4",
                    "publicIPAllocationMethod": "Static",
                    "ipTags": [],
                },
                "sku": {"name": "Standard", "tier": "Regional"},
            }
            if "tags" in machine.body:
                body["tags"] = machine.body["tags"]
            arm.store.add(Resource(id, "Microsoft.Network/publicIPAddresses", body))
            inner["publicIPAddress"] = {"id": id}
        configurations.append({**one, "properties": inner})
    return {**properties, "ipConfigurations": configurations}


def disconnect(arm: Sandbox, resource: Resource) -> None:
    """The machine goes: its interfaces go with it or are free, as their deleteOption says."""
    for one in resource.properties["networkProfile"]["networkInterfaces"]:
        interface = arm.resource(one["id"], INTERFACE)
        if interface is None:
            continue
        interface.properties.pop("virtualMachine", None)
        if (one.get("properties") or {}).get("deleteOption") == "Delete":
            release(arm, interface)
            arm.store.drop(interface)
        else:
            if resource.private.get("power") == "failed":
                interface.private |= {"reserved_until": arm.now + RESERVED / arm.speed, "reserved_for": resource.key}
            arm.store.touch(interface)
