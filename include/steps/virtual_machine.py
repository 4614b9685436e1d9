"""Virtual machines: made, stopped, marked as generalized, started, captured, deleted."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from include.steps.azure import Azure
from include.steps.errors import StepError
from include.steps.look import RUN_TAG, Resource, gone, look, pauses, step, taken
from include.steps.machine_creation import Creation
from include.steps.machine_state import DEPROVISION, agent_ready, is_generalized, power_state, read_machine

log = logging.getLogger(__name__)

CREATE = "create_virtual_machine"
AGENT_TIMEOUT = 1200.0


@step
async def create(
    azure: Azure,
    *,
    resource_group: str,
    name: str,
    location: str,
    sizes: list[str],
    source: dict[str, Any],
    os_type: str,
    os_state: str,
    security_type: str,
    subnet_id: str,
    os_disk: dict[str, Any],
    tags: dict[str, str],
    data_disks: list[dict[str, Any]] | None = None,
    identities: list[str] | None = None,
    spot: bool = False,
    computer_name: str | None = None,
    zone: str | None = None,
    plan: dict[str, str] | None = None,
    public_key: str | None = None,
    attempt: int = 1,
) -> dict[str, Any]:
    """Make a machine of the first of ``sizes`` that Azure has; it has no public address, and its disks and interface go with it.

    Each size is left for the next when Azure has no capacity or no quota of its family, whether it says so at once or after trying. A
    machine whose guest does not come up is built once more.

    :param sizes: VM sizes in order of preference.
    :param source: ``{"image_reference": {"publisher","offer","sku","version"}}``, ``{"image_reference": {"id"}}`` (gallery version or
        managed image), or ``{"snapshot": {"os": id, "data": {lun: id}}}`` (disks are made first and attached).
    :param os_state: of the source: ``Generalized`` or ``Specialized``.
    :param security_type: ``Standard``, ``TrustedLaunch`` or ``ConfidentialVM``.
    :param os_disk: ``{"size_gb": int|None, "storage_account_type"}``.
    :param data_disks: ``{"lun","size_gb","storage_account_type","caching","from_image": bool}`` each.
    :param plan: marketplace purchase plan ``{"name","product","publisher"}``, where the image has one.
    :param public_key: SSH public key for the account of a Linux machine; by default nobody can sign in.
    :param attempt: number of the try; a machine of an earlier one that is stopped, generalized or broken is made anew.
    :return: ``{"id", "size", "vm_id"}``.
    :raises StepError: ``NameTaken``; no size is to be had; the guest does not come up (kind ``redo``).
    """
    return await Creation(
        azure=azure,
        resource_group=resource_group,
        name=name,
        location=location,
        sizes=sizes,
        source=source,
        os_type=os_type,
        os_state=os_state,
        security_type=security_type,
        subnet_id=subnet_id,
        os_disk=os_disk,
        data_disks=data_disks or [],
        identities=identities or [],
        spot=spot,
        # Windows takes 15 characters at most.
        computer_name=computer_name or name[:15].strip("-_."),
        tags=tags,
        zone=zone,
        plan=plan,
        public_key=public_key,
        attempt=attempt,
    ).run()


async def _existing(azure: Azure, resource_group: str, name: str) -> Resource:
    machine = await read_machine(azure, resource_group, name)
    if machine is None:
        raise gone(f"Virtual machine {name}", CREATE)
    return machine


@step
async def deallocate(azure: Azure, *, resource_group: str, name: str) -> dict[str, str]:
    """Stop a machine and give its hardware back; ``{"power_state": "deallocated"}``.

    :raises StepError: kind ``redo`` when the machine is gone.
    """
    state = power_state(await _existing(azure, resource_group, name))
    if state == "deallocating":
        await _until(azure, resource_group, name, "deallocated", 3600)
    elif state != "deallocated":
        await azure.finish(azure.compute.virtual_machines.begin_deallocate, resource_group, name, kind="virtualMachines deallocate")
        log.info("Machine %s is deallocated.", name)
    return {"power_state": "deallocated"}


@step
async def generalize(azure: Azure, *, resource_group: str, name: str) -> dict[str, bool]:
    """Mark a deallocated machine as generalized: once, and for ever. ``{"generalized": True}``.

    :raises StepError: ``NotDeprovisioned``: it is specialized; kind ``redo`` when the machine runs or is gone.
    """
    machine = await _existing(azure, resource_group, name)
    if is_generalized(machine):
        return {"generalized": True}
    commands = azure.compute.virtual_machine_run_commands
    if await look(commands.get_by_virtual_machine(resource_group, name, DEPROVISION)) is None:
        raise StepError(
            "permanent",
            "NotDeprovisioned",
            f"The guest of {name} was never deprovisioned by this factory: its image would make machines that never come up",
            "Capture it as it is (os.state Specialized in the recipe), or clear the run from generalize.deprovision.",
        )
    if power_state(machine) not in ("deallocated", "stopped"):
        raise StepError(
            "redo",
            "MachineRunning",
            f"Machine {name} is {power_state(machine)} and must be deallocated before it is marked as generalized",
            "Clear the run from the task generalize.deallocate.",
            stage="deallocate",
        )
    await azure.compute.virtual_machines.generalize(resource_group, name)
    log.info("Machine %s is marked as generalized. It can never start again.", name)
    return {"generalized": True}


@step
async def start(azure: Azure, *, resource_group: str, name: str) -> dict[str, str]:
    """Start a machine; ``{"power_state": "running"}``. One that runs is success.

    :raises StepError: kind ``redo`` when the machine is generalized or gone.
    """
    machine = await _existing(azure, resource_group, name)
    if is_generalized(machine):
        raise StepError(
            "redo",
            "MachineGeneralized",
            f"Machine {name} is generalized and can never start again",
            f"Clear the run from the task {CREATE}, so that a new machine is built.",
            stage=CREATE,
        )
    if power_state(machine) != "running":
        await azure.finish(azure.compute.virtual_machines.begin_start, resource_group, name, kind="virtualMachines start")
    return {"power_state": "running"}


@step
async def restart(azure: Azure, *, resource_group: str, name: str) -> dict[str, str]:
    """Restart a machine and wait until its agent is back; ``{"power_state": "running"}``.

    :raises StepError: ``AgentSilent``; kind ``redo`` when the machine is gone.
    """
    await azure.finish(azure.compute.virtual_machines.begin_restart, resource_group, name, kind="virtualMachines restart")
    clock = asyncio.get_running_loop().time
    deadline = clock() + AGENT_TIMEOUT
    for pause in pauses():
        machine = await _existing(azure, resource_group, name)
        if power_state(machine) == "running" and agent_ready(machine):
            log.info("Machine %s is up again.", name)
            return {"power_state": "running"}
        if clock() > deadline:
            break
        await asyncio.sleep(pause)
    raise StepError(
        "redo",
        "AgentSilent",
        f"Machine {name} was restarted, and its agent does not report after {AGENT_TIMEOUT:.0f} s",
        f"Look at the machine's boot diagnostics; then clear the run from the task {CREATE}.",
        stage=CREATE,
    )


@step
async def delete(azure: Azure, *, resource_group: str, name: str) -> dict[str, bool]:
    """Delete a machine of a run with its disks and interface; ``{"deleted": bool}``, false when there was none.

    :raises StepError: ``NameTaken``: the machine carries no tag of any run.
    """
    machine = await read_machine(azure, resource_group, name)
    if machine is None:
        return {"deleted": False}
    if RUN_TAG not in (machine.get("tags") or {}):
        raise taken(machine)
    machines = azure.compute.virtual_machines
    await azure.finish(machines.begin_delete, resource_group, name, force_deletion=True, kind="virtualMachines DELETE")
    return {"deleted": True}


@step
async def wait_for_state(azure: Azure, *, resource_group: str, name: str, state: str, timeout: float = 3600) -> dict[str, str]:
    """Wait until the machine's power state is ``state`` (``running``, ``stopped``, ``deallocated``); ``{"power_state": state}``.

    :param timeout: seconds.
    :raises StepError: ``StateTimedOut``.
    """
    await _until(azure, resource_group, name, state, timeout)
    return {"power_state": state}


async def _until(azure: Azure, resource_group: str, name: str, state: str, timeout: float) -> None:
    clock = asyncio.get_running_loop().time
    deadline = clock() + timeout
    for pause in pauses():
        machine = await read_machine(azure, resource_group, name)
        now = power_state(machine) if machine else "absent"
        if now == state:
            return
        if clock() > deadline:
            raise StepError(
                "transient",
                "StateTimedOut",
                f"Machine {name} is {now} and not {state} after {timeout:.0f} s",
                "Look at the machine in the portal; then clear this task.",
            )
        await asyncio.sleep(pause)


@step
async def capture_source(azure: Azure, *, resource_group: str, name: str, os_state: str | None = None) -> dict[str, Any]:
    """Make a gallery version's source of the machine itself; ``{"source": {"kind": "virtual_machine", "id"}}``. Nothing is changed.

    :param os_state: ``Generalized`` where the machine must be marked so, which is checked.
    :raises StepError: kind ``redo``: the machine is gone, runs, or is not generalized.
    """
    machine = await _existing(azure, resource_group, name)
    if power_state(machine) != "deallocated":
        raise StepError(
            "redo",
            "MachineRunning",
            f"Machine {name} is {power_state(machine)}; it must be deallocated to be captured",
            "Clear the run from the task generalize.deallocate.",
            stage="deallocate",
        )
    if (os_state or "").lower() == "generalized" and not is_generalized(machine):
        raise StepError(
            "redo",
            "NotGeneralized",
            f"Machine {name} is not marked as generalized",
            "Clear the run from the task generalize.mark_generalized.",
            stage="mark_generalized",
        )
    return {"source": {"kind": "virtual_machine", "id": machine["id"]}}
