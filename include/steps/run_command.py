"""Scripts inside a machine, by the machine's agent: a runCommands resource for each.

The resource is the record of what ran: its name is the step's, its tags say which attempt and which script.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from typing import Any

from include.steps import virtual_machine
from include.steps.azure import Azure, Started
from include.steps.errors import StepError, classify
from include.steps.look import ATTEMPT_TAG, Resource, gone, look, pauses, state_of, step
from include.steps.machine_state import DEPROVISION, power_state, read_machine
from include.steps.script import read_script, with_environment
from include.steps.script_output import WINDOW, OutputTail, last_lines

log = logging.getLogger(__name__)

SCRIPT_TAG = "image-factory-script"
_ENDS = {"Succeeded", "Failed", "TimedOut", "Canceled"}
# The agent has to fetch the command and to report its end: so much later than the script's own timeout is late.
MARGIN = 600.0
# How often a script that says nothing makes us look whether its machine still runs (s): an evicted one never answers.
MACHINE_LOOK = 60.0


@step
async def run(
    azure: Azure,
    *,
    resource_group: str,
    virtual_machine: str,
    location: str,
    name: str,
    os_type: str,
    script: dict[str, str],
    parameters: dict[str, str] | None = None,
    environment: dict[str, str] | None = None,
    timeout: int = 1800,
    expected_exit_codes: list[int] | None = None,
    reboot_after: bool = False,
    attempt: int = 1,
) -> dict[str, Any]:
    """Run a script and wait for its end; what it writes comes into the log as it is written.

    A script that succeeded is not run again. One that failed in an earlier attempt is; one that failed in this attempt is reported.

    :param name: of the runCommands resource.
    :param script: ``{"path", "sha256"}`` or ``{"inline": text}``.
    :param parameters: PowerShell: by name; bash: positional in this order, and as environment variables.
    :param timeout: seconds that the script may take, at most 5400 (run-command-overview).
    :param expected_exit_codes: that mean success; default 0 only.
    :param reboot_after: restart the machine when the script has succeeded, and wait for its agent.
    :return: ``{"exit_code": int, "output": the last 4 KB}``.
    :raises StepError: ``ScriptFailed``, ``ScriptTimedOut``, ``ScriptMissing``, ``ScriptChanged``; kind ``redo`` when the machine is gone
        or stopped.
    """
    text = with_environment(read_script(script), os_type, environment or {}, parameters or {})
    command = Command(azure, resource_group, virtual_machine, name)
    view = await command.result(
        location=location,
        text=text,
        parameters=parameters or {},
        timeout=timeout,
        attempt=attempt,
    )
    result = _checked(name, view, timeout, expected_exit_codes or [0])
    if reboot_after:
        log.info("Restarting %s, as the step asks.", virtual_machine)
        await _restart(azure, resource_group, virtual_machine)
    return result


async def _restart(azure: Azure, resource_group: str, name: str) -> None:
    await virtual_machine.restart(azure, resource_group=resource_group, name=name)


@step
async def cancel(azure: Azure, *, resource_group: str, virtual_machine: str, name: str = DEPROVISION) -> dict[str, bool]:
    """Stop a script by deleting its runCommands resource, without waiting for that; ``{"cancelled": bool}``, false when there was none."""
    commands = azure.compute.virtual_machine_run_commands
    if await look(commands.get_by_virtual_machine(resource_group, virtual_machine, name)) is None:
        return {"cancelled": False}
    await commands.begin_delete(resource_group, virtual_machine, name, polling=False)
    log.warning("The script %s on %s is cancelled.", name, virtual_machine)
    return {"cancelled": True}


class Command:
    """One runCommands resource."""

    def __init__(self, azure: Azure, resource_group: str, machine: str, name: str) -> None:
        self.azure = azure
        self.resource_group = resource_group
        self.machine = machine
        self.name = name
        self._output = OutputTail(log, logging.INFO, "the output")
        self._error = OutputTail(log, logging.WARNING, "the error stream")

    async def read(self) -> Resource | None:
        commands = self.azure.compute.virtual_machine_run_commands
        return await look(commands.get_by_virtual_machine(self.resource_group, self.machine, self.name, expand="instanceView"))

    async def result(
        self, *, location: str, text: str, parameters: dict[str, str], timeout: float, attempt: int, tail: bool = True
    ) -> dict[str, Any]:
        """Run the text unless it ran already; the instance view at its end.

        :param tail: log what the script writes.
        """
        resource = await self.read()
        started: Started | None = None
        if resource is not None and self._is_stale(resource, text, attempt):
            log.info("The script %s of an earlier attempt goes, and is run again.", self.name)
            await self.delete()
            resource = None
        if resource is None:
            started = await self.put(location, text, parameters, timeout, attempt)
        elif tail and not _ended(resource):
            log.info("The script %s is running already: following it.", self.name)
        return await self.follow(started, timeout, tail)

    def _is_stale(self, resource: Resource, text: str, attempt: int) -> bool:
        tags = resource.get("tags") or {}
        if tags.get(SCRIPT_TAG) != _digest(text):
            return True
        failed = state_of(resource) in ("Failed", "Canceled") or (_ended(resource) and _view(resource).get("executionState") != "Succeeded")
        return failed and int(tags.get(ATTEMPT_TAG, "0")) < attempt

    async def put(self, location: str, text: str, parameters: dict[str, str], timeout: float, attempt: int) -> Started:
        properties: dict[str, Any] = {
            "source": {"script": text},
            # The resource is done when the script has started; how it fares is in the instance view, which is read anyway.
            "asyncExecution": True,
            "timeoutInSeconds": int(timeout),
        }
        if parameters:
            properties["parameters"] = [{"name": name, "value": value} for name, value in parameters.items()]
        body = {"location": location, "tags": {ATTEMPT_TAG: str(attempt), SCRIPT_TAG: _digest(text)}, "properties": properties}
        commands = self.azure.compute.virtual_machine_run_commands
        started = await self.azure.start(commands.begin_create_or_update, self.resource_group, self.machine, self.name, body)
        log.info("Running %s on %s.", self.name, self.machine)
        return started

    async def delete(self) -> None:
        commands = self.azure.compute.virtual_machine_run_commands
        await self.azure.finish(commands.begin_delete, self.resource_group, self.machine, self.name, kind="runCommands DELETE")

    async def follow(self, started: Started | None, timeout: float, tail: bool) -> dict[str, Any]:
        """Look until the script has ended, logging what is new each time."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout + MARGIN
        checked, view = clock(), {}
        # The machine may be slow to take the command: the first looks come quickly all the same, as most scripts of a build are short.
        for pause in pauses():
            await asyncio.sleep(max(pause, started.retry_after if started and clock() == checked else 0.0))
            resource = await self.read()
            if resource is None:
                await self.check_machine()
                raise StepError(
                    "adopt",
                    "ScriptGone",
                    f"The run command {self.name} was deleted while it ran",
                    "Nothing: it is looked for again. If somebody cancelled it, clear this task to run it again.",
                )
            view = _view(resource)
            if tail:
                self._output.show(view.get("output"))
                self._error.show(view.get("error"))
            if _ended(resource):
                if tail:
                    self._output.close(view.get("output"))
                    self._error.close(view.get("error"))
                return view
            if state_of(resource) in ("Failed", "Canceled"):
                await self.check_machine()
                raise await self.failure(started)
            if clock() - checked >= MACHINE_LOOK:
                checked = clock()
                await self.check_machine()
            if clock() > deadline:
                break
        await self.delete()
        raise _timed_out(self.name, timeout, view)

    async def failure(self, started: Started | None) -> StepError:
        from include.steps.arm_error import ArmError

        error = await self.azure.operation_error(started)
        return classify(
            None, error or ArmError(("VMAgentStatusCommunicationError",), (f"The agent of {self.machine} did not run {self.name}",))
        )

    async def check_machine(self) -> None:
        """
        :raises StepError: kind ``redo``: the machine is gone, or does not run (a spot machine was evicted, or somebody stopped it).
        """
        machine = await read_machine(self.azure, self.resource_group, self.machine)
        if machine is None:
            raise gone(f"Virtual machine {self.machine}", "create_virtual_machine")
        state = power_state(machine)
        if state not in ("running", "starting", "unknown"):
            spot = machine["properties"].get("priority") == "Spot"
            raise StepError(
                "redo",
                "MachineEvicted" if spot else "MachineStopped",
                f"Machine {self.machine} is {state} while {self.name} runs on it"
                + (": Azure took the spot machine back" if spot else ": somebody stopped it"),
                "Clear the run from the task create_virtual_machine, so that a new machine is built"
                + (", without spot if it happens again." if spot else "."),
                stage="create_virtual_machine",
            )


def _view(resource: Resource) -> dict[str, Any]:
    return resource["properties"].get("instanceView") or {}


def _ended(resource: Resource) -> bool:
    return _view(resource).get("executionState") in _ENDS


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def exit_code(view: dict[str, Any]) -> int:
    """The script's own exit code. Newer agents put a code of theirs into ``exitCode`` and the script's into the message
    (run-command-handler-linux)."""
    said = re.search(r"exit status[= ](-?\d+)", str(view.get("executionMessage") or ""))
    return int(said.group(1)) if said else int(view.get("exitCode") or 0)


def _checked(name: str, view: dict[str, Any], timeout: float, expected: list[int]) -> dict[str, Any]:
    state, code = view.get("executionState"), exit_code(view)
    if state == "TimedOut":
        raise _timed_out(name, timeout, view)
    if state == "Canceled":
        raise StepError("permanent", "ScriptCancelled", f"The script {name} was cancelled", "Clear this task to run it again.")
    if code not in expected:
        said = last_lines(view.get("output"), view.get("error")) or str(view.get("executionMessage") or "It said nothing")
        raise StepError(
            "permanent",
            "ScriptFailed",
            f"The script {name} ended with exit code {code} (expected: {', '.join(map(str, expected))}). Its last lines:\n{said}\n",
            "Correct the script or what it needs; then clear the run from the task plan, as the script is part of the plan.",
            details={"exit_code": code},
        )
    return {"exit_code": code, "output": str(view.get("output") or "")[-WINDOW:]}


def _timed_out(name: str, timeout: float, view: dict[str, Any]) -> StepError:
    return StepError(
        "permanent",
        "ScriptTimedOut",
        f"The script {name} did not end within {timeout:.0f} s. Its last lines:\n{last_lines(view.get('output'), view.get('error'))}\n",
        "Raise the step's timeout in the recipe (at most 90m), or find out what it waits for; then clear the run from the task plan.",
    )
