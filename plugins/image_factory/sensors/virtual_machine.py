"""Waiting for virtual machines."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class VirtualMachineStateSensor(StepOperator):
    """Wait until the machine's power state is ``state`` (``running``, ``stopped``, ``deallocated``).

    Fields and result: :func:`include.steps.virtual_machine.wait_for_state`.
    """

    step = "virtual_machine.wait_for_state"
    required = ("resource_group", "name", "state")
    optional = ("timeout",)
