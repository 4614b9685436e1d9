"""Who may read images."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class PlanSharingOperator(StepOperator):
    """Plan what makes the galleries' sharing what the recipes declare; a dry run ends here as skipped. XCom: the plan.

    Fields and result: :func:`include.steps.sharing.plan`.
    """

    step = "sharing.plan"
    required = ("form",)


class ApplySharingOperator(StepOperator):
    """Grant and share what the recipes declare, and take away what the plan says.

    Fields and result: :func:`include.steps.sharing.apply`.
    """

    step = "sharing.apply"
    required = ("galleries",)
