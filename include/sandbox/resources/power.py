"""What is done to a whole machine: start, powerOff, restart, deallocate, redeploy, reapply, generalize, simulateEviction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import guest, operations
from ..content import DISK, disk_content
from ..events import event
from ..registry import field
from ..wire import ArmError, Json, Response
from .interfaces import follow_power
from .machine_disks import managed_ids
from .machine_update import bump
from .sizes import check_quota, find_size
from .virtual_machines import MACHINES

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox
    from ..store import Resource

AFTER = {
    "start": "running",
    "powerOff": "stopped",
    "restart": "running",
    "deallocate": "deallocated",
    "redeploy": "running",
    "reapply": None,
}


def not_allowed(action: str, machine: Resource, why: str) -> ArmError:
    return ArmError(409, "OperationNotAllowed", f"Operation '{action}' is not allowed on VM '{machine.name}' since the VM is {why}.")


def check_idle(arm: Sandbox, action: str, machine: Resource) -> None:
    """Raises ArmError 409 for a machine that goes, or that another operation has."""
    if machine.state == "Deleting":
        raise not_allowed(action, machine, "marked for deletion")
    if operations.running(arm, machine) is not None:
        raise operations.conflict(machine)


def _action(name: str) -> Callable[[Sandbox, Call, Resource], Response]:
    def act(arm: Sandbox, call: Call, machine: Resource) -> Response:
        kind = f"virtualMachines.{name}"
        if machine.state == "Deleting":
            raise not_allowed(
                name, machine, "marked for deletion. You can only retry the Delete operation (or wait for an ongoing one to complete)"
            )
        if machine.private.get("generalized") and name in ("start", "restart"):
            raise not_allowed(name, machine, "generalized")
        current = operations.running(arm, machine)
        if current is not None:
            if current["kind"] == kind:
                return operations.accepted(arm, call, current, retry_after=10)
            if current["kind"] == "virtualMachines.create":
                raise operations.conflict(machine)
            operations.preempt(arm, machine)
        power = machine.private.get("power")
        hibernate = name == "deallocate" and call.query.get("hibernate", "").lower() == "true"
        if hibernate and not field(machine.properties, "additionalCapabilities.hibernationEnabled", bool):
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"The Hibernate-Deallocate Operation cannot be performed on a VM '{machine.name}' that has 'HibernationEnabled' capability "
                "disabled.",
            )
        if name == "start" and power == "deallocated":
            check_quota(arm, machine.subscription, machine.location, find_size(machine.properties["hardwareProfile"]["vmSize"])[1])
        if name == "restart" and power != "running":
            raise ArmError(409, "OperationNotAllowed", f"The VM '{machine.name}' is not running, so it cannot be restarted.")
        after = AFTER[name]
        if name == "redeploy" and power != "running":
            after = power  # recorded: a stopped machine is redeployed and stays stopped (azure-mgmt-compute 29.0.0 test_compute_vm)
        idle = (name == "start" and power == "running") or (name in ("powerOff", "deallocate") and power == AFTER[name])
        if name in ("powerOff", "deallocate"):
            machine.private["said"] = agent_answered(arm, machine)
            machine.private["agent_from"] = None
        machine.properties["provisioningState"] = "Updating"
        arguments = {"to": after, "hibernated": hibernate}
        seconds = 1.0 if idle else None
        operation = operations.start(arm, call, machine, kind, then="virtualMachines.moved", arguments=arguments, seconds=seconds)
        return operations.accepted(arm, call, operation, retry_after=None if name in ("powerOff", "redeploy", "reapply") else 10)

    return act


for _name in AFTER:
    MACHINES.actions[_name.lower()] = _action(_name)


@event("virtualMachines.moved")
def _moved(arm: Sandbox, operation: Json, resource: Resource | None, to: str | None, hibernated: bool = False) -> None:
    if resource is None or to is None:
        return
    resource.private["hibernated"] = hibernated
    was = resource.private.get("power")
    again = to == "running" and (was != "running" or operation["kind"].endswith(("restart", "redeploy")))
    set_power(arm, resource, to)
    if again:
        boot(arm, resource)
    bump(arm, resource)


def agent_answered(arm: Sandbox, machine: Resource) -> bool:
    """Whether the agent has reported since the machine was allocated."""
    start = machine.private.get("agent_from")
    return bool(machine.private.get("said")) or (start is not None and start <= arm.now)


def set_power(arm: Sandbox, machine: Resource, power: str) -> None:
    """Power and what follows from it: the disks' state, the agent."""
    machine.private["power"] = power
    machine.private["since"] = arm.now
    if power != "running":
        machine.private["said"] = power == "stopped" and agent_answered(arm, machine)
        machine.private["agent_from"] = None
    for id in managed_ids(machine):
        disk = arm.resource(id, DISK)
        if disk is not None and disk.properties["diskState"] in ("Attached", "Reserved"):
            disk.properties["diskState"] = "Reserved" if power == "deallocated" else "Attached"
            arm.store.touch(disk)
    follow_power(arm, machine, power)
    arm.store.touch(machine)


def boot(arm: Sandbox, machine: Resource) -> None:
    """The guest starts; its agent answers a little later. A deprovisioned or resealed guest that boots again is provisioned again and
    no longer ready."""
    machine.private["agent_from"] = arm.now + arm.seconds("guest.boot", machine.key, arm.count("boot"))
    disk = arm.resource(machine.private.get("os_disk"))
    content = disk_content(disk) if disk is not None else None
    if disk is not None and content is not None:
        if guest.is_ready(content):
            guest.provision(content, (machine.properties.get("osProfile") or {}).get("adminUsername"))
        else:
            content["guest"]["boots"] += 1
        arm.store.touch(disk)
    arm.store.touch(machine)


def generalize(arm: Sandbox, call: Call, machine: Resource) -> Response:
    """Mark as generalized: synchronous, 200 with an empty body, for good."""
    if machine.state == "Deleting":
        raise not_allowed("generalize", machine, "marked for deletion")
    if machine.private.get("power") == "running" or machine.private.get("power") == "creating":
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation 'generalize' is not allowed on VM '{machine.name}' since the VM is running. "
            "Please power off explicitly in case you shut down the VM from inside the guest operating system.",
        )
    if operations.running(arm, machine) is not None:
        raise operations.conflict(machine)
    machine.private["generalized"] = True
    arm.store.touch(machine)
    return Response(200)


def simulate_eviction(arm: Sandbox, call: Call, machine: Resource) -> Response:
    if machine.properties.get("priority") not in ("Spot", "Low"):
        raise ArmError(409, "OperationNotAllowed", "Operation 'simulateEviction' is allowed only for Spot Virtual Machines")
    check_idle(arm, "simulateEviction", machine)
    arm.store.schedule(arm.now + 60 / arm.speed, "virtualMachines.evicted", id=machine.key)
    return Response(204)


@event("virtualMachines.evicted")
def _evicted(arm: Sandbox, id: str) -> None:
    machine = arm.store.resources.get(id)
    if machine is None:
        return
    operations.preempt(arm, machine)
    if machine.properties.get("evictionPolicy") == "Delete":
        MACHINES.remove(arm, machine)
    else:
        set_power(arm, machine, "deallocated")


MACHINES.actions["generalize"] = generalize
MACHINES.actions["simulateeviction"] = simulate_eviction
