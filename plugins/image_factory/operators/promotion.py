"""Versions that exist: promoted, rolled back."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class PlanPromotionOperator(StepOperator):
    """Plan which regions and channels get a version; a dry run, or nothing to do, ends here as skipped. XCom: the plan.

    Fields and result: :func:`include.steps.promotion.plan`.
    """

    step = "promotion.plan"
    required = ("form",)
    optional = ("run",)


class PromoteInWavesOperator(StepOperator):
    """Let ``latest`` resolve to a version wave by wave, and move channels to it.

    Fields and result: :func:`include.steps.promotion.promote`.
    """

    step = "promotion.promote"
    required = ("resource_group", "gallery", "definition", "version", "waves", "channels", "since")
    optional = ("pause", "check", "boots", "lifts", "approval")


class ReportPromotionOperator(StepOperator):
    """Print what ``latest`` resolves to in each region, where each channel is, and who runs what was rolled back.

    Fields and result: :func:`include.steps.promotion.report`.
    """

    step = "promotion.report"
    required = ("resource_group", "gallery", "definition")
    optional = ("rolled_back",)


class PlanRollbackOperator(StepOperator):
    """Plan which versions go out of ``latest``; refused where a region would be left without. XCom: the plan.

    Fields and result: :func:`include.steps.rollback.plan`.
    """

    step = "rollback.plan"
    required = ("form",)
    optional = ("asked_at",)


class RollBackOperator(StepOperator):
    """Take versions out of ``latest`` and of their channels, and prove what each region resolves to instead.

    Fields and result: :func:`include.steps.rollback.roll_back`.
    """

    step = "rollback.roll_back"
    required = ("resource_group", "gallery", "definition", "versions", "include", "regions")
    optional = ("reason", "since")
