"""Scripts inside a machine."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class RunCommandOperator(StepOperator):
    """Run a script by the machine's agent; its output comes into the task's log as it is written. XCom: ``{"exit_code", "output"}``.

    Fields and result: :func:`include.steps.run_command.run`.
    """

    step = "run_command.run"
    required = ("resource_group", "virtual_machine", "location", "name", "os_type", "script")
    optional = ("parameters", "environment", "timeout", "expected_exit_codes", "reboot_after")
    cancel = "run_command.cancel"
