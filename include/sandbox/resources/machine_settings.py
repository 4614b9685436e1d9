"""The parts of a machine that neither disks nor network are: priority, placement, diagnostics, licence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..registry import field, invalid, one_of
from ..wire import ArmError, Json
from .flexible_sets import check_join
from .regions import in_region

if TYPE_CHECKING:
    from ..sandbox import Sandbox
    from ..store import Resource

PRIORITIES = ("Regular", "Low", "Spot")
# What a machine is in beside its group: property -> the type that its id must have.
PLACES = {
    "availabilitySet": "Microsoft.Compute/availabilitySets",
    "proximityPlacementGroup": "Microsoft.Compute/proximityPlacementGroups",
    "virtualMachineScaleSet": "Microsoft.Compute/virtualMachineScaleSets",
}
# What others decide (machine_*.py), what is never shown, and what clients only read; everything else is shown as it was given.
_DECIDED = frozenset(
    {
        *PLACES,
        "evictionPolicy",
        "hardwareProfile",
        "instanceView",
        "networkProfile",
        "osProfile",
        "priority",
        "provisioningState",
        "securityProfile",
        "storageProfile",
        "timeCreated",
        "userData",
        "vmId",
    }
)
_UNSUPPORTED = ("host", "hostGroup", "capacityReservation")


def echoed(given: Json) -> Json:
    """The properties that are shown as they were given."""
    return {name: value for name, value in given.items() if name not in _DECIDED and value is not None}


def settings(arm: Sandbox, body: Json, location: str, machine: Resource) -> Json:
    """The properties to show, of what a PUT asks for. Raises ArmError for what is not there, or cannot be together."""
    given = field(body, "properties", dict, {})
    for name in _UNSUPPORTED:
        if given.get(name):
            raise invalid(f"The property '{name}' is not supported by the sandbox.", name)
    made = echoed(given)
    priority = one_of(body, "properties.priority", PRIORITIES)
    eviction = field(body, "properties.evictionPolicy")
    spot = priority in ("Low", "Spot")
    if not spot and (eviction is not None or given.get("billingProfile")):
        what = "evictionPolicy" if eviction is not None else "billingProfile"
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"{what} can only be set on Azure Spot Virtual Machines. For more information, see http://aka.ms/AzureSpot/errormessages",
        )
    if priority is not None:
        made["priority"] = priority
    if spot:
        made["evictionPolicy"] = eviction or "Deallocate"
    for name, kind in PLACES.items():
        id = field(given, f"{name}.id")
        if id is None:
            continue
        found = in_region(arm, id, kind, location, name, name)
        if name == "availabilitySet" and body.get("zones"):
            raise invalid("A virtual machine cannot be in an availability set and in an availability zone.", "zones")
        if name == "virtualMachineScaleSet":
            check_join(found, field(given, "platformFaultDomain", int))
        made[name] = {"id": id}
    if given.get("userData") is not None:
        machine.private["user_data"] = given["userData"]  # shown only where asked for
    zones = field(body, "zones", list, [])
    if len(zones) > 1:
        raise invalid("A virtual machine can be in one availability zone only.", "zones")
    return made
