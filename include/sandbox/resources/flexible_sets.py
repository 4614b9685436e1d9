"""Flexible scale sets: machines join one, by their `virtualMachineScaleSet`, and one with a machine profile makes machines of its own.

Those are ordinary machines, made and deleted by the requests that anybody would send: named `{set}_{8 of a guid}`, their computers after
the set's prefix and six letters and digits (learn.microsoft.com, "Understand names and instance IDs for Azure Virtual Machine Scale Set
VMs" and the tutorials' output), with disks and interfaces that go with them.
"""

from __future__ import annotations

import json
from copy import deepcopy
from graphlib import CycleError, TopologicalSorter
from random import Random
from string import ascii_uppercase, digits
from typing import TYPE_CHECKING
from urllib.parse import quote

from .. import operations, schema
from ..content import MACHINE
from ..events import event
from ..graph import credentials
from ..kept import keep, overlay
from ..registry import TYPES, field, invalid, required
from ..store import Resource
from ..wire import ArmError, Json, Request, Response, stamp
from . import instance_ids
from .changes import changed

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

LOOK = 2.0  # seconds between two looks at machines that are being made or deleted
_API = "2024-07-01"  # of the set's own requests
# What of a profile is no machine's.
_OF_SETS = frozenset({"extensionProfile", "securityPostureReference", "serviceArtifactReference", "timeCreated"})
_GOVERNED = frozenset({"orchestrationMode", "platformFaultDomainCount", "provisioningState", "timeCreated", "uniqueId"})


def is_flexible(found: Resource) -> bool:
    return found.properties.get("orchestrationMode") == "Flexible"


def makes_machines(found: Resource) -> bool:
    return is_flexible(found) and "virtualMachineProfile" in found.properties


def not_allowed(found: Resource, action: str, method: str = "POST") -> ArmError:
    """What is done to the machines themselves (text: learn.microsoft.com/answers/questions/1418158)."""
    return ArmError(
        400,
        "BadRequest",
        f"Operation 'VirtualMachineScaleSets.{action}.{method}' is not allowed on Virtual Machine Scale Set '{found.name}'.",
    )


def check(body: Json) -> None:
    """Raises ArmError 400 for what the sandbox does not do, and for a count of fault domains that no region has."""
    for name in ("skuProfile", "priorityMixPolicy"):
        if field(body, f"properties.{name}", dict):
            raise invalid(f"A scale set of the orchestration mode 'Flexible' with a '{name}' is not supported by the sandbox.", name)
    count = field(body, "properties.platformFaultDomainCount", int, 1)
    if not 1 <= count <= 5:
        raise invalid(f"The platform fault domain count {count} must lie between 1 and 5.", "platformFaultDomainCount")
    try:
        _in_order(field(body, "properties.virtualMachineProfile.extensionProfile.extensions", list, []))
    except CycleError as problem:
        raise invalid(f"The extensions wait for each other: {', '.join(problem.args[1])}.", "provisionAfterExtensions") from None
    network = field(body, "properties.virtualMachineProfile.networkProfile", dict)
    if network is None:
        return
    if network.get("networkApiVersion") is None:
        raise invalid(
            "The parameter 'networkApiVersion' is required for a virtual machine scale set of the orchestration mode 'Flexible'.",
            "networkProfile.networkApiVersion",
        )
    for interface in field(network, "networkInterfaceConfigurations", list, []):
        for address in field(interface, "properties.ipConfigurations", list, []):
            if field(address, "properties.loadBalancerInboundNatPools", list):
                raise invalid(
                    "Inbound NAT pools are not supported for a virtual machine scale set of the orchestration mode 'Flexible'.",
                    "loadBalancerInboundNatPools",
                )


def check_without_profile(body: Json) -> None:
    """Raises ArmError 400 where a set without a profile is to have machines."""
    if field(body, "properties.virtualMachineProfile", dict):
        raise invalid("A virtualMachineProfile that a set is given later is not supported by the sandbox.", "virtualMachineProfile")
    if field(body, "sku.capacity", int, 0):
        raise invalid("A scale set without a virtualMachineProfile has no capacity.", "sku.capacity")


def make(arm: Sandbox, call: Call, body: Json, made: Json) -> Response:
    """The set without a profile that a PUT asks for; `made` is its envelope."""
    check_without_profile(body)
    properties: Json = {
        "singlePlacementGroup": False,
        "orchestrationMode": "Flexible",
        "platformFaultDomainCount": 1,
        **{name: value for name, value in field(body, "properties", dict, {}).items() if value is not None},
        "provisioningState": "Creating",
        "uniqueId": arm.guid("scale set", call.id, arm.count("scale set")),
        "timeCreated": stamp(arm.now),
    }
    if field(body, "sku", dict):
        made["sku"] = body["sku"]
    made["properties"] = {}
    keep(made["properties"], properties)
    resource = arm.store.add(Resource(call.id, call.type, made))
    operation = operations.start(arm, call, resource, "virtualMachineScaleSets.create")
    return operations.written(arm, call, operation, resource.body, created=True, retry_after=10)


def update(arm: Sandbox, call: Call, resource: Resource, body: Json) -> Response:
    """Tags, and what is only kept, of a set without a profile."""
    check_without_profile(body)
    overlay(resource.properties, field(body, "properties", dict, {}), but=_GOVERNED)
    if "tags" in body:
        resource.body["tags"] = field(body, "tags", dict, {})
    resource.properties["provisioningState"] = "Updating"
    operation = operations.start(arm, call, resource, "virtualMachineScaleSets.update")
    return operations.written(arm, call, operation, resource.body, created=False, retry_after=10)


def check_join(found: Resource, domain: int | None) -> None:
    """Raises ArmError 400 where a machine cannot be in that set, or not in that fault domain of it (text: learn.microsoft.com, "Attach or
    detach a Virtual Machine")."""
    if not is_flexible(found):
        raise ArmError(
            400,
            "BadRequest",
            f"This operation is not allowed because referenced Virtual Machine Scale Set '{found.name}' does not have orchestration mode "
            "set to 'Flexible'.",
            target="virtualMachineScaleSet",
        )
    count = int(found.properties["platformFaultDomainCount"])
    if domain is not None and (count == 1 or not 0 <= domain < count):
        raise invalid(
            f"The platform fault domain {domain} is not one of the {count} of the scale set '{found.name}'.", "platformFaultDomain"
        )


def change_membership(arm: Sandbox, machine: Resource, given: Json) -> None:
    """A machine that is there joins a set, or leaves it where `virtualMachineScaleSet` names none (texts and codes of what is refused:
    learn.microsoft.com, "Attach or detach a Virtual Machine"; those of leaving are not told there). Raises ArmError."""
    if "virtualMachineScaleSet" not in given:
        return
    wanted = field(given, "virtualMachineScaleSet.id", str, "")
    old = field(machine.properties, "virtualMachineScaleSet.id", str, "")
    if wanted.lower() == old.lower():
        return
    if wanted and old:
        raise changed("virtualMachine", "virtualMachineScaleSet.id")
    if wanted:
        _attach(arm, machine, wanted)
        machine.properties["virtualMachineScaleSet"] = {"id": wanted}
        return
    found = arm.resource(old)
    if found is not None and int(found.properties["platformFaultDomainCount"]) > 1:
        raise _refused("Detaching", found, f"the Virtual Machine Scale Set '{found.name}' has more than 1 fault domains")
    if machine.private.get("of_set") and machine.private.get("power") not in ("stopped", "deallocated"):
        raise _refused(
            "Detaching", machine, f"the Virtual Machine '{machine.name}', which the Virtual Machine Scale Set made, is not stopped"
        )
    del machine.properties["virtualMachineScaleSet"]
    machine.private.pop("of_set", None)


def _refused(what: str, resource: Resource, why: str) -> ArmError:
    return ArmError(409, "OperationNotAllowed", f"{what} '{resource.name}' is not allowed since {why}.", target="virtualMachineScaleSet")


def _attach(arm: Sandbox, machine: Resource, id: str) -> None:
    found = arm.resource(id)
    more = "For more information, see https://aka.ms/vmo/attachdetach."
    if found is None or not id.lower().startswith(machine.key.rsplit("/", 2)[0]):
        raise ArmError(
            400,
            "InvalidParameter",
            f"The Virtual Machine Scale Set '{id}' referenced by the Virtual Machine does not exist.",
            target="virtualMachineScaleSet",
        )
    check_join(found, None)
    for refused, code, text in (
        (
            int(found.properties["platformFaultDomainCount"]) > 1,
            "VmssDoesNotSupportAttachingExistingVMMultiFD",
            f"Referenced Virtual Machine Scale Set '{found.name}' does not support attaching an existing Virtual Machine to it because the "
            f"Virtual Machine Scale Set has more than 1 fault domains. {more}",
        ),
        (
            "availabilitySet" in machine.properties,
            "VmssDoesNotSupportAttachingExistingAvsetVM",
            f"Referenced Virtual Machine '{machine.name}' belongs to an Availability Set and attaching to a Virtual Machine Scale Set is "
            f"not supported. {more}",
        ),
        (
            "proximityPlacementGroup" in machine.properties,
            "VmssDoesNotSupportAttachingPPGVM",
            f"Referenced Virtual Machine '{machine.name}' belongs to a proximity placement group (PPG) and attaching to a Virtual Machine "
            f"Scale Set is not supported. {more}",
        ),
        (
            "vhd" in machine.properties["storageProfile"]["osDisk"],
            "VmssDoesNotSupportAttachingExistingVMUnmanagedDisk",
            f"Using a Virtual Machine '{machine.name}' with unmanaged disks and attaching it to a Virtual Machine Scale Set is not "
            f"supported. {more}",
        ),
    ):
        if refused:
            raise ArmError(400, code, text, target="virtualMachineScaleSet")


def members(arm: Sandbox, found: Resource) -> list[Resource]:
    """The machines of the set, oldest first."""
    machines = arm.store.of_type(found.subscription, MACHINE).values()
    return [one for one in machines if str(field(one.properties, "virtualMachineScaleSet.id", str, "")).lower() == found.key]


def remove_members(arm: Sandbox, found: Resource) -> None:
    """Machines go with their set."""
    for one in members(arm, found):
        TYPES[MACHINE.lower()].remove(arm, one)


def present(arm: Sandbox, found: Resource) -> list[Resource]:
    """Its machines that are not on their way out."""
    return [one for one in members(arm, found) if one.state != "Deleting"]


# a set that makes machines


def scale(arm: Sandbox, call: Call, found: Resource, capacity: int, change: str) -> Json:
    """Begin the operation that brings the set to that many machines; it ends when all are there."""
    found.body["sku"]["capacity"] = capacity
    found.private |= {"caller": [call.tenant, call.client], "making": []}
    operation = operations.start(arm, call, found, f"virtualMachineScaleSets.{change}", open_ended=True)
    arm.store.schedule(arm.now, "flexibleSets.scale", id=found.key, operation=operation["id"])
    return operation


@event("flexibleSets.scale")
def _scale(arm: Sandbox, id: str, operation: str) -> None:
    """Make what is missing, delete what is too much, look again; one request at a time, for each may be the last before a restart."""
    found, running = arm.store.resources.get(id), arm.store.operations.get(operation)
    if found is None or running is None or running["status"] != "InProgress":
        return
    arm.store.schedule(arm.now + LOOK / arm.speed, "flexibleSets.scale", id=id, operation=operation)
    own = present(arm, found)
    while len(own) < found.body["sku"]["capacity"]:
        if (error := _add(arm, found)) is not None:
            operations.end(arm, running, error)
            return
        own = present(arm, found)
    for one in reversed(own[found.body["sku"]["capacity"] :]):
        _send(arm, found, "DELETE", one.id)
    machines = members(arm, found)
    parts = [part for one in machines for part in (one, *arm.store.collection(f"{one.key}/extensions").values())]
    if any(operations.running(arm, one) is not None for one in parts):
        return
    new = set(found.private["making"])
    failures = [one.private["failure"] for one in parts if "failure" in one.private and "/".join(one.key.split("/")[:9]) in new]
    if not failures and (due := [one for one in machines if one.key in new and one.private["due"]]):
        failures = [error for one in due if (error := _extend(arm, found, one)) is not None]
        if not failures:
            return
    operations.end(arm, running, failures[0] if failures else None)


def _add(arm: Sandbox, found: Resource) -> Json | None:
    """Ask for one more machine. The error where it is refused."""
    number = found.private["next"]
    found.private["next"] += 1
    arm.store.touch(found)
    id = f"{found.id.split('/providers/')[0]}/providers/{MACHINE}/{found.name}_{arm.guid('flexible', found.key, number)[:8]}"
    if (error := _send(arm, found, "PUT", id, _machine(arm, found, number))) is not None:
        return error
    found.private["making"].append(id.lower())
    machine = arm.store.get(id)
    assert machine is not None
    machine.private["of_set"] = True
    machine.private["due"] = _in_order(field(found.private["profile"], "extensionProfile.extensions", list, []))
    return None


def _in_order(extensions: list[Json]) -> list[Json]:
    """Each after those that its `provisionAfterExtensions` names. Raises ArmError 400 for one without a name, CycleError for a circle."""
    named = {required(one, "name", target="extensionProfile.extensions.name"): one for one in extensions}
    after = {name: field(one, "properties.provisionAfterExtensions", list, []) for name, one in named.items()}
    return [named[name] for name in TopologicalSorter(after).static_order() if name in named]


def _extend(arm: Sandbox, found: Resource, machine: Resource) -> Json | None:
    """Put the next extension of the set's profile on a machine. The error where it is refused."""
    extension = machine.private["due"].pop(0)
    arm.store.touch(machine)
    body = {"location": found.location, "properties": extension["properties"]}
    return _send(arm, found, "PUT", f"{machine.id}/extensions/{extension['name']}", body)


def _machine(arm: Sandbox, found: Resource, number: int) -> Json:
    """What a PUT of a machine of the set says: the set's profile, with what a machine has of its own."""
    profile = deepcopy(found.private["profile"])
    body: Json = {"location": found.location}
    for name in ("tags", "plan", "extendedLocation"):
        if found.body.get(name):
            body[name] = found.body[name]
    if (identities := field(found.body, "identity.userAssignedIdentities", dict)) is not None:
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {id: {} for id in identities}}
    if zones := found.body.get("zones"):
        body["zones"] = [zones[number % len(zones)]]
    properties = {name: value for name, value in profile.items() if name not in _OF_SETS}
    properties["hardwareProfile"] = {**(properties.get("hardwareProfile") or {}), "vmSize": found.body["sku"]["name"]}
    storage = {**properties["storageProfile"]}
    storage["osDisk"] = {"createOption": "FromImage", "deleteOption": "Delete", **(storage.get("osDisk") or {})}
    storage["dataDisks"] = [{"deleteOption": "Delete", **one} for one in storage.get("dataDisks") or []]
    properties["storageProfile"] = storage
    if system := properties.get("osProfile"):
        prefix = system.pop("computerNamePrefix", None) or found.name
        letters = Random(f"{arm.seed} computer {found.key} {number}").choices(ascii_uppercase + digits, k=6)
        system["computerName"] = prefix[:9] + "".join(letters)
    network = {name: value for name, value in properties["networkProfile"].items() if name != "healthProbe"}
    for one in network["networkInterfaceConfigurations"]:
        one["properties"] = {"deleteOption": "Delete", **one["properties"]}
    properties["networkProfile"] = network
    properties["virtualMachineScaleSet"] = {"id": found.id}
    return {**body, "properties": properties}


def _send(arm: Sandbox, found: Resource, method: str, id: str, body: Json | None = None) -> Json | None:
    """Send a request of the set's own, in the name of who changed it last. The error that it was answered with."""
    content = json.dumps(body).encode() if body is not None else b""
    tenant, client = found.private["caller"]
    principal = credentials.principal(arm, tenant, client) if client else None
    headers = {"authorization": f"Bearer {arm.token(principal)}", "content-type": "application/json"}
    answer = arm.answer(Request(method, f"https://management.azure.com{quote(id)}?api-version={_API}", headers, content))
    return dict(answer.json()["error"]) if answer.status >= 400 else None


def delete_instances(arm: Sandbox, call: Call, found: Resource, ids: list[str]) -> Response:
    """POST …/delete: these machines go, and the capacity with them. An instance id is a machine's name."""
    going = instance_ids.chosen({one.name.lower(): one for one in present(arm, found)}, ids, numbers=False)
    operation = scale(arm, call, found, len(present(arm, found)) - len(going), "update")
    for one in going:
        _send(arm, found, "DELETE", one.id)
    return operations.accepted(arm, call, operation, retry_after=10)


def instance(arm: Sandbox, call: Call, machine: Resource) -> Json:
    """A machine as the set's list of instances shows it: its instance id is its name (learn.microsoft.com), and it has what an instance can
    have (the document's schema)."""
    shown = TYPES[MACHINE.lower()].view(arm, call, machine)
    known = schema.shape("compute.VirtualMachineScaleSetVMProperties").members
    properties = {name: value for name, value in shown["properties"].items() if name.lower() in known}
    return {**shown, "instanceId": machine.name, "properties": properties}
