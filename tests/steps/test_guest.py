"""Deprovisioning: Linux by waagent, Windows by sysprep."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from include.steps import guest, run_command
from include.steps.errors import StepError
from tests.steps.build_line import GROUP, HOME, MACHINE, WINDOWS, Killed, Line

COMMAND = {"type": "Microsoft.Compute/virtualMachines/runCommands", "method": "PUT", "name": "deprovision"}


async def windows() -> Line:
    line = await Line().up_to("create_virtual_machine")
    await line.run("create_virtual_machine", source={"image_reference": WINDOWS}, os_type="Windows")
    return line


async def deprovision(line: Line, **changes: Any) -> Any:
    arguments = {"resource_group": GROUP, "virtual_machine": MACHINE, "location": HOME, "os_type": "Windows", "timeout": 1800}
    return await guest.deprovision(line.azure, **{**arguments, **changes})


async def test_a_linux_guest_forgets_its_account_once() -> None:
    line = await Line().through("deprovision")
    assert line.guest()["deprovisioned"]
    assert line.guest()["users"] == []
    before = len(line.guest()["scripts"])
    await line.run("deprovision", attempt=2)
    assert len(line.guest()["scripts"]) == before


async def test_a_deprovisioning_that_fails_says_so() -> None:
    line = await Line().up_to("deprovision")
    line.sandbox.faults.add(name="f", match=COMMAND, effect={"guest": {"exit_code": 127, "stderr": "waagent: command not found"}})
    with pytest.raises(StepError, match="waagent: command not found"):
        await line.run("deprovision")


async def test_sysprep_is_watched_until_the_guest_has_powered_itself_off() -> None:
    line = await windows()
    assert await deprovision(line) == {"deprovisioned": True}
    assert line.guest()["image_state"] == "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"
    assert line.resource("virtualMachines", MACHINE).private["power"] == "stopped"


async def test_sysprep_is_started_once_however_often_the_step_is_killed() -> None:
    killed = 0
    while True:
        line = await windows()
        line.transport.arm(killed + 1, "after")
        try:
            await deprovision(line)
        except Killed:
            killed += 1
        else:
            break
        line.transport.arm(0, "after")
        assert await deprovision(line) == {"deprovisioned": True}
        assert line.count("PUT", "/runCommands/deprovision") == 1
    assert killed > 5


async def test_a_sysprep_that_never_ends_is_an_error_by_the_deadline() -> None:
    line = await windows()
    line.sandbox.faults.add(name="stuck", match=COMMAND, effect={"guest": {"stuck": True}})
    began = asyncio.get_running_loop().time()
    with pytest.raises(StepError, match="IMAGE_STATE_UNDEPLOYABLE") as caught:
        await deprovision(line, timeout=900)
    assert (caught.value.kind, caught.value.code) == ("permanent", "SysprepFailed")
    assert 900 <= asyncio.get_running_loop().time() - began < 1200


async def test_a_machine_that_stopped_before_it_was_deprovisioned_is_built_again() -> None:
    line = await windows()
    await line.run("deallocate")
    with pytest.raises(StepError, match="never deprovisioned") as caught:
        await deprovision(line)
    assert caught.value.stage == "create_virtual_machine"


async def test_a_deprovisioning_that_a_user_kills_is_cancelled_without_naming_its_command() -> None:
    line = await Line().through("deprovision")
    assert await run_command.cancel(line.azure, resource_group=GROUP, virtual_machine=MACHINE) == {"cancelled": True}


async def test_a_windows_guest_is_generalized_after_sysprep() -> None:
    line = await windows()
    await deprovision(line)
    await line.only("deallocate", "generalize")
    assert line.resource("virtualMachines", MACHINE).private["generalized"]
