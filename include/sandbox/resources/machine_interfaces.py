"""A machine's network interfaces: those that it names and those that it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..authorization import check_linked
from ..registry import field, invalid, required
from ..store import Resource
from ..wire import ArmError, Json
from .interfaces import RESERVED, addresses_of, attach, check_joins, detach, interface_properties, release, reserved
from .network import ADDRESS, INTERFACE
from .public_addresses import of_machine

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
        check_linked(arm, call, f"{INTERFACE}/join/action", interface.id)
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
        check_joins(arm, call, properties)
        interface_properties(arm, f"{call.id}/networkInterfaceConfigurations/{required(one, 'name')}", properties, None)
    return found


def connect(arm: Sandbox, call: Call, body: Json, found: list[Resource], machine: Resource) -> list[Json]:
    shown = []
    given = field(body, "properties.networkProfile.networkInterfaces", list, [])
    for one, interface in zip(given, found, strict=True):
        shown.append(_reference(one, interface))
    group = call.id.split("/providers/")[0]
    for index, one in enumerate(field(body, "properties.networkProfile.networkInterfaceConfigurations", list, [])):
        name = required(one, "name", target="networkInterfaceConfigurations.name")
        properties = dict(required(one, "properties", dict, target="networkInterfaceConfigurations.properties"))
        id = f"{group}/providers/{INTERFACE}/{name}-{arm.guid('nic', call.id, arm.count('nic'))[:8]}"
        made = interface_properties(arm, id, with_addresses(arm, call, group, machine, properties), None)
        made["resourceGuid"] = arm.guid("nic", id)
        header: Json = {
            "name": id.rsplit("/", 1)[1],
            "id": id,
            "etag": f'W/"{arm.guid("etag", id)}"',
            "type": INTERFACE,
            "location": machine.location,
        }
        if tags := {**(machine.body.get("tags") or {}), **field(one, "tags", dict, {})}:
            header["tags"] = tags
        interface = arm.store.add(Resource(id, INTERFACE, {**header, "properties": made, "kind": "Regular"}))
        found.append(interface)
        primary = field(properties, "primary", bool, index == 0)
        shown.append({"id": id, "properties": {"primary": primary, "deleteOption": properties.get("deleteOption", "Detach")}})
    for index, (interface, one) in enumerate(zip(found, shown, strict=True)):
        attach(arm, interface, machine, primary=bool((one.get("properties") or {}).get("primary", index == 0)))
    return shown


def _reference(given: Json, interface: Resource) -> Json:
    """An entry of networkInterfaces; properties only where there are any (recorded: az sends null)."""
    kept = {name: value for name, value in field(given, "properties", dict, {}).items() if value is not None}
    return {"id": interface.id, **({"properties": kept} if kept else {})}


def change_interfaces(arm: Sandbox, call: Call, machine: Resource, body: Json) -> None:
    """The list of interfaces is full desired state. Only a deallocated machine takes new ones or gives some up."""
    given = field(body, "properties.networkProfile.networkInterfaces", list)
    if given is None:
        return
    old = machine.properties["networkProfile"]["networkInterfaces"]
    wanted = named_interfaces(arm, call, body, machine.location)
    before, after = {one["id"].lower() for one in old}, {one.key for one in wanted}
    if before != after and machine.private.get("power") != "deallocated":
        raise ArmError(
            400,
            "AddingOrDeletingNetworkInterfacesOnARunningVirtualMachineNotSupported",
            "Secondary network interfaces cannot be added or deleted from a running virtual machine. To change network interfaces, "
            f"please deallocate the virtual machine. Virtual Machine Id: {machine.id}.",
            details=[],
        )
    primaries = [one for one in given if field(one, "properties.primary", bool, False)]
    if len(given) > 1 and len(primaries) != 1:
        raise ArmError(
            400,
            "VirtualMachineMustHaveOneNetworkInterfaceAsPrimary",
            f"Virtual machine {machine.id} must have one network interface set as the primary.",
            details=[],
        )
    for one in old:
        interface = arm.resource(one["id"], INTERFACE)
        if interface is not None and interface.key not in after:
            detach(arm, interface)
    shown = {one["id"].lower(): one for one in old}
    made = []
    for one, interface in zip(given, wanted, strict=True):
        reference = _reference(one, interface)
        kept = {**(shown.get(interface.key, {}).get("properties") or {}), **(reference.get("properties") or {})}
        made.append({"id": reference["id"], **({"properties": kept} if kept else {})})
        attach(arm, interface, machine, primary=bool(kept.get("primary", len(given) == 1)))
    machine.properties["networkProfile"]["networkInterfaces"] = made


def with_addresses(arm: Sandbox, call: Call, group: str, machine: Resource, properties: Json) -> Json:
    """The interface's properties with its inline public addresses made."""
    configurations = []
    for one in field(properties, "ipConfigurations", list, []):
        inner = dict(field(one, "properties", dict, {}))
        asked = inner.pop("publicIPAddressConfiguration", None)
        if asked is not None:
            name = f"{required(asked, 'name')}-{arm.guid('ip', call.id, arm.count('ip'))[:8]}"
            id = f"{group}/providers/{ADDRESS}/{name}"
            of_machine(arm, machine, name, id, asked)
            inner["publicIPAddress"] = {"id": id}
        configurations.append({**one, "properties": inner})
    return {**properties, "ipConfigurations": configurations}


def disconnect(arm: Sandbox, resource: Resource) -> None:
    """The machine goes: its interfaces go with it or are free, as their deleteOption says."""
    for one in resource.properties["networkProfile"]["networkInterfaces"]:
        interface = arm.resource(one["id"], INTERFACE)
        if interface is None:
            continue
        if (one.get("properties") or {}).get("deleteOption") == "Delete":
            addresses = addresses_of(arm, interface)
            release(arm, interface)
            arm.store.drop(interface)
            for address in addresses:
                if address.properties.get("deleteOption") == "Delete":
                    arm.store.drop(address)
        else:
            detach(arm, interface)
            if resource.private.get("power") == "failed":
                interface.private |= {"reserved_until": arm.now + RESERVED / arm.speed, "reserved_for": resource.key}
            arm.store.touch(interface)
