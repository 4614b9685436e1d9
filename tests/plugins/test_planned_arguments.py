"""What a task is given: its entry of the plan, and facts of its run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from image_factory.triggers.step import facts_of_run, planned_arguments
from include.steps.errors import StepError, StepSkipped

PLAN = {"steps": {"capture": {"name": "image"}, "boot_test": None}}


def test_a_task_is_given_its_own_entry() -> None:
    assert planned_arguments(PLAN, "capture", "plan") == {"name": "image"}


def test_a_task_whose_entry_is_none_is_skipped() -> None:
    with pytest.raises(StepSkipped, match="needs nothing here"):
        planned_arguments(PLAN, "boot_test", "plan")


@pytest.mark.parametrize("plan", [PLAN, {}, None])
def test_a_task_that_the_plan_does_not_know_fails_for_good_and_says_what_to_clear(plan: dict[str, Any] | None) -> None:
    with pytest.raises(StepError, match="has no step 'publish'") as caught:
        planned_arguments(plan, "publish", "make_plan")
    assert (caught.value.kind, caught.value.code) == ("permanent", "NotPlanned")
    assert "'make_plan'" in caught.value.cure


def _task_instance(states: dict[str, dict[str, str]]) -> Any:
    """As far as a step's facts ask it."""
    return SimpleNamespace(dag_id="build", run_id="run", try_number=2, get_task_states=lambda **_: states)


def test_a_step_is_told_of_its_run_what_it_asks_for_and_no_more() -> None:
    states = {"run": {"publish_version": "failed", "boot_test": "success", "approve": "failed"}, "another": {"plan": "failed"}}

    async def connect(name: str) -> None: ...

    async def nothing(azure: Any) -> None: ...

    async def everything(azure: Any, *, attempt: int, failed_tasks: list[str], connect: Any) -> None: ...

    assert facts_of_run(nothing, _task_instance(states), connect) == {}
    assert facts_of_run(everything, _task_instance(states), connect) == {
        "attempt": 2,
        "failed_tasks": ["approve", "publish_version"],
        "connect": connect,
    }
    assert facts_of_run(everything, _task_instance({}), connect)["failed_tasks"] == []
