"""A machine's instance view: power, provisioning, agent, disks. `OSState/generalized` stands first (recorded: azure-cli
test_vm_generalize; ansible reads that code)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import operations
from ..content import disk_content
from ..wire import Json, short_stamp, stamp
from .extension_views import handlers, view_of

if TYPE_CHECKING:
    from ..sandbox import Sandbox
    from ..store import Resource

AGENTS = {"Linux": "2.14.0.1", "Windows": "2.7.41491.1176"}
ALLOCATED = 5.0  # seconds after which a machine that is being made runs (recorded: azure-cli test_vm_create_no_wait)
_DISPLAY = {
    "running": "VM running",
    "stopped": "VM stopped",
    "deallocated": "VM deallocated",
    "starting": "VM starting",
    "stopping": "VM stopping",
    "deallocating": "VM deallocating",
}


def instance_view(arm: Sandbox, machine: Resource) -> Json:
    private = machine.private
    disk = arm.resource(private.get("os_disk"))
    content = disk_content(disk) if disk is not None else None
    power = private.get("power", "running")
    made: Json = {}
    agent_from = private.get("agent_from")
    heard = power in ("running", "stopped") and content is not None and machine.state != "Creating"
    if heard and content is not None:
        # a stopped machine shows what its agent said last (recorded: azure-cli test_vm_create_state_modifications)
        said = private.get("said")
        if agent_from is not None and agent_from <= arm.now:
            said = True
        if said:
            made["computerName"] = (machine.properties.get("osProfile") or {}).get("computerName") or machine.name
            made["osName"], made["osVersion"] = content["os_name"], content["os_version"]
            status = {
                "code": "ProvisioningState/succeeded",
                "level": "Info",
                "displayStatus": "Ready",
                "message": "Guest Agent is running",
                "time": short_stamp(arm.now),
            }
            made["vmAgent"] = {
                "vmAgentVersion": AGENTS[content["os"]],
                "statuses": [status],
                "extensionHandlers": handlers(arm, machine),
            }
        else:
            status = {
                "code": "ProvisioningState/Unavailable",
                "level": "Warning",
                "displayStatus": "Not Ready",
                "message": "VM status blob is found but not yet populated.",
                "time": short_stamp(arm.now),
            }
            made["vmAgent"] = {"vmAgentVersion": "Unknown", "statuses": [status]}
    profile = machine.properties["storageProfile"]
    made["disks"] = [
        {
            "name": one["name"],
            "statuses": [
                {
                    "code": "ProvisioningState/succeeded",
                    "level": "Info",
                    "displayStatus": "Provisioning succeeded",
                    "time": machine.properties["timeCreated"],
                }
            ],
        }
        for one in (profile["osDisk"], *profile["dataDisks"])
    ]
    extensions = list(arm.store.collection(f"{machine.key}/extensions").values())
    if extensions:
        made["extensions"] = [view_of(one) for one in extensions]
    if content is not None:
        made["hyperVGeneration"] = content["generation"]
    made["statuses"] = _statuses(arm, machine, power)
    return made


def _statuses(arm: Sandbox, machine: Resource, power: str) -> list[Json]:
    found: list[Json] = []
    if machine.private.get("generalized"):
        found.append({"code": "OSState/generalized", "level": "Info", "displayStatus": "VM generalized"})
    elif machine.private.get("os_state") == "Specialized" and machine.private.get("made_of") != "disk":
        found.append({"code": "OSState/specialized", "level": "Info", "displayStatus": "VM specialized"})
    state = machine.state
    when = stamp(machine.private.get("since", arm.now))
    failure = machine.private.get("failure")
    if state == "Failed" and failure is not None:
        found.append(
            {
                "code": f"ProvisioningState/failed/{failure['code']}",
                "level": "Error",
                "displayStatus": "Provisioning failed",
                "message": failure["message"],
                "time": when,
            }
        )
    else:
        shown: Json = {
            "code": f"ProvisioningState/{state.lower()}",
            "level": "Info",
            "displayStatus": "Provisioning succeeded" if state == "Succeeded" else state,
        }
        found.append({**shown, "time": when} if state == "Succeeded" else shown)
    operation = operations.running(arm, machine)
    if operation is not None:
        moving = {
            "virtualMachines.start": "starting",
            "virtualMachines.powerOff": "stopping",
            "virtualMachines.deallocate": "deallocating",
        }.get(operation["kind"])
        power = moving or power
        if operation["kind"] == "virtualMachines.create" and arm.now - operation["start"] > ALLOCATED / arm.speed:
            power = "running"
    if power in _DISPLAY:
        found.append({"code": f"PowerState/{power}", "level": "Info", "displayStatus": _DISPLAY[power]})
    if machine.private.get("hibernated"):
        found.append({"code": "HibernationState/Hibernated", "level": "Info", "displayStatus": "VM hibernated"})
    return found
