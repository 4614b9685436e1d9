"""Scripts inside a machine."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from pathlib import Path
from typing import Any

import pytest

from include.steps import run_command
from include.steps.errors import StepError
from include.steps.run_command import exit_code
from tests.steps.build_line import GROUP, MACHINE, Line

COMMAND = {"type": "Microsoft.Compute/virtualMachines/runCommands", "method": "PUT"}


async def with_machine() -> Line:
    return await Line().through("create_virtual_machine")


async def run(line: Line, text: str, **changes: Any) -> Any:
    return await run_command.run(line.azure, **line.script_arguments(text, **changes))


def executions(line: Line) -> int:
    return len(line.guest()["scripts"])


async def test_output_comes_into_the_log_as_it_is_written(caplog: pytest.LogCaptureFixture) -> None:
    line = await with_machine()
    caplog.set_level(logging.INFO, logger="include.steps")
    script = "# sandbox: stdout fetching\n# sandbox: sleep 60\n# sandbox: stderr slow mirror\n# sandbox: sleep 60\n# sandbox: stdout done\n"
    running = asyncio.create_task(run(line, script))
    await asyncio.sleep(45)
    assert "fetching" in caplog.messages
    assert "slow mirror" not in caplog.messages
    result = await running
    assert result == {"exit_code": 0, "output": "fetching\ndone\n"}
    lines = [message for message in caplog.messages if message in ("fetching", "slow mirror", "done")]
    assert lines == ["fetching", "slow mirror", "done"]
    assert [record.levelname for record in caplog.records if record.message == "slow mirror"] == ["WARNING"]


async def test_a_failing_script_ends_with_its_code_and_its_last_lines() -> None:
    line = await with_machine()
    said = "".join(f"# sandbox: stdout line {number}\n" for number in range(40))
    with pytest.raises(StepError) as caught:
        await run(line, f"{said}# sandbox: stderr no such package\n# sandbox: exit 100\n")
    error = caught.value
    assert (error.kind, error.code, error.details) == ("permanent", "ScriptFailed", {"exit_code": 100})
    assert "exit code 100 (expected: 0)" in error.message
    assert "line 39\nno such package" in error.message
    assert "line 20\n" not in error.message


async def test_an_expected_exit_code_is_success() -> None:
    line = await with_machine()
    assert (await run(line, "# sandbox: exit 3010\n", expected_exit_codes=[0, 3010]))["exit_code"] == 3010


async def test_a_script_that_succeeded_is_not_run_again() -> None:
    line = await with_machine()
    await run(line, "true\n")
    await run(line, "true\n", attempt=2)
    assert executions(line) == 1


async def test_a_script_that_failed_is_reported_in_the_same_attempt_and_run_again_in_the_next() -> None:
    line = await with_machine()
    line.sandbox.faults.add(name="once", match=COMMAND, effect={"guest": {"exit_code": 7, "stderr": "mirror down"}}, count=1)
    for _ in range(2):
        with pytest.raises(StepError, match="mirror down"):
            await run(line, "apt-get update\n")
    assert line.count("PUT", "/prepare-install") == 1
    assert (await run(line, "apt-get update\n", attempt=2))["exit_code"] == 0
    assert line.count("PUT", "/prepare-install") == 2


async def test_a_script_that_changed_is_run_although_the_old_one_succeeded() -> None:
    line = await with_machine()
    await run(line, "echo one\n")
    await run(line, "echo two\n", attempt=2)
    assert executions(line) == 2


async def test_a_script_that_takes_too_long_is_an_error_that_says_how_long() -> None:
    line = await with_machine()
    with pytest.raises(StepError, match="did not end within 60 s") as caught:
        await run(line, "# sandbox: stdout waiting for a lock\n# sandbox: sleep 600\n", timeout=60)
    assert (caught.value.kind, caught.value.code) == ("permanent", "ScriptTimedOut")
    assert "waiting for a lock" in caught.value.message


async def test_a_script_of_an_agent_that_never_answers_does_not_wait_for_ever() -> None:
    line = await with_machine()
    line.sandbox.faults.add(name="silent", match=COMMAND, effect={"guest": {"silent": True}})
    began = asyncio.get_running_loop().time()
    with pytest.raises(StepError, match="ScriptTimedOut"):
        await run(line, "true\n", timeout=300)
    assert asyncio.get_running_loop().time() - began < 300 + 700


async def test_an_evicted_machine_ends_its_script_and_sends_the_run_back_to_its_making() -> None:
    line = await Line().up_to("create_virtual_machine")
    await line.run("create_virtual_machine", spot=True)
    running = asyncio.create_task(run(line, "# sandbox: sleep 1200\n"))
    await asyncio.sleep(30)
    await line.azure.compute.virtual_machines.simulate_eviction(GROUP, MACHINE)
    began = asyncio.get_running_loop().time()
    with pytest.raises(StepError, match="took the spot machine back") as caught:
        await running
    assert (caught.value.kind, caught.value.stage) == ("redo", "create_virtual_machine")
    assert asyncio.get_running_loop().time() - began < 200, "not only at the script's own timeout"


async def test_rebooting_happens_after_the_script_and_waits_for_the_agent() -> None:
    line = await with_machine()
    await run(line, "true\n", reboot_after=True)
    assert line.count("POST", "/restart") == 1
    assert line.guest()["boots"] == 2
    assert (await run(line, "true\n", name="next"))["exit_code"] == 0


async def test_environment_and_parameters_reach_the_machine() -> None:
    line = await with_machine()
    await run(line, "#!/bin/bash\nenv\n", environment={"PROXY": "http://a b"}, parameters={"channel": "it's stable"})
    properties = line.resource("virtualMachines/runCommands", MACHINE, "prepare-install").properties
    assert properties["source"]["script"] == "#!/bin/bash\nexport PROXY='http://a b'\nset -- 'it'\"'\"'s stable'\nenv\n"
    assert properties["parameters"] == [{"name": "channel", "value": "it's stable"}]


async def test_a_script_file_is_sent_when_it_is_the_planned_one(tmp_path: Path) -> None:
    line = await with_machine()
    file = tmp_path / "install.sh"
    file.write_text("#!/bin/bash\n# sandbox: stdout from a file\n")
    script = {"path": str(file), "sha256": "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()}
    assert (await run(line, "", script=script))["output"] == "from a file\n"


async def test_a_cancelled_script_goes_from_the_machine() -> None:
    line = await with_machine()
    running = asyncio.create_task(run(line, "# sandbox: sleep 1200\n"))
    await asyncio.sleep(30)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    arguments = {"resource_group": GROUP, "virtual_machine": MACHINE, "name": "prepare-install"}
    assert await run_command.cancel(line.azure, **arguments) == {"cancelled": True}
    await asyncio.sleep(60)
    assert await run_command.cancel(line.azure, **arguments) == {"cancelled": False}


@pytest.mark.parametrize(
    ("view", "code"),
    [
        ({"exitCode": 127, "executionMessage": "Execution failed: command terminated with exit status=127"}, 127),
        ({"exitCode": -1, "executionMessage": "Execution failed: command terminated with exit status=3"}, 3),
        ({"exitCode": 5, "executionMessage": ""}, 5),
        ({}, 0),
    ],
)
def test_the_scripts_own_exit_code_is_found_whatever_the_agents_version(view: dict[str, Any], code: int) -> None:
    assert exit_code(view) == code
