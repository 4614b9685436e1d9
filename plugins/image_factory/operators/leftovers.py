"""What runs left behind."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class PlanSweepOperator(StepOperator):
    """Find what carries the tags of a run and has expired; a dry run, or nothing to sweep, ends here as skipped. XCom: the plan.

    Fields and result: :func:`include.steps.leftovers.plan`.
    """

    step = "leftovers.plan"
    required = ("run",)


class SweepLeftoversOperator(StepOperator):
    """Delete them, in order; one that fails delays no other.

    Fields and result: :func:`include.steps.leftovers.sweep`.
    """

    step = "leftovers.sweep"
    required = ("leftovers",)


class ReportLeftoversOperator(StepOperator):
    """Print what is gone and what is left, with the reasons.

    Fields and result: :func:`include.steps.leftovers.report`.
    """

    step = "leftovers.report"
    required = ("leftovers", "stay")
