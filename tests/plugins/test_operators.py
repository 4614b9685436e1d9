"""Every operator declares exactly the fields of its step, and refuses what the step does not know."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import image_factory.operators
import image_factory.sensors
from image_factory.operators.step import StepOperator
from image_factory.triggers.step import StepTrigger, load_step

# Facts of the run, which the trigger adds and no author of a DAG writes.
FACTS_OF_THE_RUN = {"attempt", "failed_tasks", "connect", "earlier"}


def _all_operators() -> list[type[StepOperator]]:
    for package in (image_factory.operators, image_factory.sensors):
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)
    found, queue = [], [StepOperator]
    while queue:
        queue += (subclasses := queue.pop().__subclasses__())
        found += [cls for cls in subclasses if cls.__module__.startswith("image_factory.")]
    return sorted(found, key=lambda cls: cls.__name__)


OPERATORS = _all_operators()


def test_there_are_operators_for_every_stage_of_a_build() -> None:
    assert len(OPERATORS) >= 20


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda cls: cls.__name__)
def test_an_operator_declares_the_fields_of_its_step(operator: type[StepOperator]) -> None:
    parameters = list(inspect.signature(load_step(operator.step)).parameters.values())[1:]

    required = {parameter.name for parameter in parameters if parameter.default is inspect.Parameter.empty}
    optional = {parameter.name for parameter in parameters} - required - FACTS_OF_THE_RUN
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters)
    assert set(operator.required) == required
    assert set(operator.optional) == optional


@pytest.mark.parametrize("operator", [cls for cls in OPERATORS if cls.cancel], ids=lambda cls: cls.__name__)
def test_a_cancel_step_needs_no_more_than_the_step_it_cancels(operator: type[StepOperator]) -> None:
    assert operator.cancel is not None
    parameters = list(inspect.signature(load_step(operator.cancel)).parameters.values())[1:]

    needed = {parameter.name for parameter in parameters if parameter.default is inspect.Parameter.empty}
    assert needed <= set(operator.required) | set(operator.optional)


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda cls: cls.__name__)
def test_a_trigger_survives_the_way_through_the_database(operator: type[StepOperator]) -> None:
    task = operator(task_id="task", planned_by="plan")
    assert task.start_trigger_args is not None
    trigger = StepTrigger(**(task.start_trigger_args.trigger_kwargs or {}))

    classpath, kwargs = trigger.serialize()

    module, _, name = classpath.rpartition(".")
    assert getattr(importlib.import_module(module), name)(**kwargs).serialize() == trigger.serialize()


def test_a_missing_field_is_named() -> None:
    from image_factory.operators.virtual_machine import DeallocateVirtualMachineOperator

    with pytest.raises(TypeError, match="DeallocateVirtualMachineOperator 'stop': missing name"):
        DeallocateVirtualMachineOperator(task_id="stop", resource_group="rg")


def test_an_unknown_field_is_named() -> None:
    from image_factory.operators.virtual_machine import DeallocateVirtualMachineOperator

    with pytest.raises(TypeError, match="colour"):
        DeallocateVirtualMachineOperator(task_id="stop", resource_group="rg", name="vm", colour="red")
