"""The plan and the steps agree: each planned argument is one that the step takes, and none that it needs is missing."""

from __future__ import annotations

import importlib
import inspect

import pytest

from include.factory.plan import plan
from include.factory.steps import steps_of
from tests.factory.builds import facts, recipe, run
from tests.factory.test_plan import SHAPES

# Facts of the run that the trigger adds.
ADDED = {"attempt", "failed_tasks"}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_step_takes_the_arguments_that_are_planned_for_it(shape: str) -> None:
    one = recipe(**SHAPES[shape])
    made = plan(one, run(), facts(base_plan={"name": "n", "product": "p", "publisher": "u"}))

    for task, step in steps_of(one).items():
        module, function = step.split(".")
        parameters = inspect.signature(getattr(importlib.import_module(f"include.steps.{module}"), function)).parameters
        wanted = {name for name, parameter in parameters.items() if name != "azure"}
        needed = {name for name in wanted if parameters[name].default is inspect.Parameter.empty}
        given = set(made.steps[task])
        assert given <= wanted, (task, given - wanted)
        assert needed - ADDED <= given, (task, needed - given)
