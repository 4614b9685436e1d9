"""Taking a machine's identity out of its guest, so that machines made from its image are set up anew at their first boot."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from include.steps.azure import Azure
from include.steps.errors import StepError
from include.steps.look import Resource, gone, pauses, step
from include.steps.machine_state import DEPROVISION, power_state, read_machine
from include.steps.run_command import Command, _checked

log = logging.getLogger(__name__)

STATE_COMMAND = "image-state"

# https://learn.microsoft.com/azure/virtual-machines/generalize: the last thing done on the machine.
LINUX = """#!/bin/bash
set -eu
waagent -deprovision+user -force
export HISTSIZE=0
sync
"""

# Sysprep shuts the machine down at its end, and the agent with it: it is started beside the command, which returns at once. A left-over
# Panther folder is what most often breaks it (same page).
WINDOWS = r"""$ErrorActionPreference = 'Stop'
Remove-Item -Path "$env:SystemRoot\Panther" -Recurse -Force -ErrorAction SilentlyContinue
Remove-Item -Path "$env:SystemRoot\System32\Sysprep\Sysprep_succeeded.tag" -Force -ErrorAction SilentlyContinue
$action = New-ScheduledTaskAction -Execute "$env:SystemRoot\System32\Sysprep\sysprep.exe" -Argument '/generalize /oobe /shutdown /quiet
/mode:vm' $principal = New-ScheduledTaskPrincipal -UserId 'SYSTEM' -RunLevel Highest
Register-ScheduledTask -TaskName 'image-factory-sysprep' -Action $action -Principal $principal -Force | Out-Null
Start-ScheduledTask -TaskName 'image-factory-sysprep'
Write-Output 'sysprep is started.'
"""

# IMAGE_STATE_UNDEPLOYABLE is also what a sysprep at work shows: only without its process it is the end.
STATE = r"""$state = (Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State').ImageState
$working = [bool](Get-Process -Name sysprep -ErrorAction SilentlyContinue)
Write-Output "ImageState=$state Working=$working"
if (-not $working) { Get-Content "$env:SystemRoot\System32\Sysprep\Panther\setuperr.log" -Tail 20 -ErrorAction SilentlyContinue }
"""

RESEALED = "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"
UNDEPLOYABLE = "IMAGE_STATE_UNDEPLOYABLE"
# Between questions about the image state (s): each costs a write, of which a machine takes four a minute (compute-throttling-limits).
QUESTION = 120.0


@step
async def deprovision(
    azure: Azure,
    *,
    resource_group: str,
    virtual_machine: str,
    location: str,
    os_type: str,
    timeout: float = 1800,
    attempt: int = 1,
) -> dict[str, bool]:
    """Deprovision the guest: ``waagent -deprovision+user -force`` on Linux, sysprep on Windows. Once per machine: the run command is the
    record.

    On Windows it ends when the guest has powered itself off; its ``ImageState`` is asked for while it works.

    :param timeout: seconds.
    :return: ``{"deprovisioned": True}``.
    :raises StepError: ``ScriptFailed`` (Linux); ``SysprepFailed`` with the last lines of setuperr.log; kind ``redo`` when the machine is
        gone.
    """
    command = Command(azure, resource_group, virtual_machine, DEPROVISION)
    if os_type == "Windows":
        await _sysprep(command, location, timeout, attempt)
    else:
        view = await command.result(location=location, text=LINUX, parameters={}, timeout=timeout, attempt=attempt)
        _checked(DEPROVISION, view, timeout, [0])
    log.info("Machine %s is deprovisioned.", virtual_machine)
    return {"deprovisioned": True}


async def _sysprep(command: Command, location: str, timeout: float, attempt: int) -> None:
    clock = asyncio.get_running_loop().time
    deadline = clock() + timeout
    machine = await _existing(command)
    if power_state(machine) in ("stopped", "deallocating", "deallocated"):
        if await command.read() is not None:
            return
        raise StepError(
            "redo",
            "MachineStopped",
            f"Machine {command.machine} is {power_state(machine)} and was never deprovisioned",
            "Clear the run from the task create_virtual_machine, so that a new machine is built.",
            stage="create_virtual_machine",
        )
    view = await command.result(location=location, text=WINDOWS, parameters={}, timeout=600, attempt=attempt)
    _checked(DEPROVISION, view, timeout, [0])
    asked, said = clock(), ""
    question = 0
    for pause in pauses():
        await asyncio.sleep(pause)
        if power_state(await _existing(command)) in ("stopped", "deallocated"):
            return
        if clock() - asked >= QUESTION or clock() > deadline:
            asked = clock()
            question += 1
            said = await _image_state(command, location, f"{attempt}.{question}") or said
            if said:
                log.info("%s", said.splitlines()[0])
            if RESEALED in said and "Working=False" in said:
                log.info("The guest is resealed and did not power itself off; it is stopped with the machine.")
                return
            if UNDEPLOYABLE in said and "Working=False" in said:
                break
        if clock() > deadline:
            break
    raise StepError(
        "permanent",
        "SysprepFailed",
        f"sysprep on {command.machine} did not end well within {timeout:.0f} s. {said}",
        "Read setuperr.log above: apps installed for one user, BitLocker and pending updates are usual causes. Correct the steps.",
    )


async def _existing(command: Command) -> Resource:
    machine = await read_machine(command.azure, command.resource_group, command.machine)
    if machine is None:
        raise gone(f"Virtual machine {command.machine}", "create_virtual_machine")
    return machine


async def _image_state(command: Command, location: str, number: str) -> str:
    """What the registry says; empty when the guest cannot answer any more, which is how sysprep's success begins."""
    question = Command(command.azure, command.resource_group, command.machine, STATE_COMMAND)
    try:
        view: dict[str, Any] = await asyncio.wait_for(
            question.result(location=location, text=f"{STATE}# {number}\n", parameters={}, timeout=60, attempt=1, tail=False), 90
        )
    except (StepError, TimeoutError) as silence:
        log.info("The guest does not answer (%s).", type(silence).__name__)
        return ""
    except Exception as error:
        from include.steps.arm_error import of_exception

        log.info("The guest does not answer (%s).", of_exception(error).code)
        return ""
    return str(view.get("output") or "")
