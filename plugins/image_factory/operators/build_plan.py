"""The plan of a build."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class PlanImageBuildOperator(StepOperator):
    """Fix every name, the version and each step's arguments before the first write. XCom: the plan.

    Fields and result: :func:`include.steps.build_plan.make`.
    """

    step = "build_plan.make"
    required = ("recipe", "run")
