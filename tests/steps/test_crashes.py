"""Every step, killed at every one of its calls, and run again: it must end where the undisturbed one ends.

The method is SQLite's: fail the N-th call for N = 1, 2, ... until a run goes through without having been hurt.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from include.steps.polling import DURATIONS
from tests.steps.build_line import MACHINE, Killed, Line

STEPS = list(Line().steps())


async def prepared(step: str) -> tuple[Line, Any, dict[str, Any]]:
    """The world before the step; the step's result and the world after it, when nothing goes wrong."""
    before = await Line().up_to(step)
    after = before.copy()
    result = await after.run(step)
    return before, result, after.state()


def fresh(before: Line) -> Line:
    DURATIONS._seen.clear()
    return before.copy()


def no_duplicates(line: Line) -> None:
    """Each resource was made once, and each script ran once."""
    made = [path.lower() for method, path, status in line.calls if method == "PUT" and status == 201]
    assert len(made) == len(set(made))
    if line.resource("virtualMachines", MACHINE) is not None:
        commands = [key for key in line.sandbox.store.resources if "/runcommands/" in key]
        assert len(line.guest()["scripts"]) <= len(commands)


@pytest.mark.parametrize("mode", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_step_killed_at_any_call_and_run_again_ends_as_if_nothing_had_happened(step: str, mode: str) -> None:
    before, expected_result, expected = await prepared(step)
    killed = 0
    while True:
        line = fresh(before)
        line.transport.arm(killed + 1, mode)
        try:
            await line.run(step)
        except Killed:
            killed += 1
        else:
            break
        line.transport.arm(0, mode)
        result = await line.run(step)
        # Whether it was this try that deleted it is all that may differ.
        assert result == expected_result or step == "delete_build", f"killed {mode} call {killed}"
        assert line.state() == expected, f"killed {mode} call {killed}"
        no_duplicates(line)
    assert killed >= 1


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_that_loses_any_one_answer_goes_on_by_itself(step: str) -> None:
    before, expected_result, expected = await prepared(step)
    lost = 0
    while True:
        line = fresh(before)
        line.transport.arm(lost + 1, "lost")
        assert await line.run(step) == expected_result, f"lost the answer to call {lost + 1}"
        assert line.state() == expected, f"lost the answer to call {lost + 1}"
        no_duplicates(line)
        if line.transport.seen <= lost:
            break
        lost += 1
    assert lost >= 1


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_run_twice_at_once_ends_as_if_run_once(step: str) -> None:
    line, expected_result, expected = await prepared(step)
    line.calls.clear()
    function, arguments = line.steps()[step]
    # Two triggerers: two sets of clients on one Azure.
    other = Line(line.sandbox)
    results = await asyncio.gather(function(line.azure, **arguments), function(other.azure, **arguments))
    assert list(results) == [expected_result, expected_result]
    assert line.state() == expected
    no_duplicates(line)
