"""Versions that nobody needs any more, and ones that somebody does after all."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class PlanRetirementOperator(StepOperator):
    """Judge every version by the rules of its recipe and by who uses it; a dry run ends here as skipped. XCom: the plan.

    Fields and result: :func:`include.steps.retirement.plan`.
    """

    step = "retirement.plan"
    required = ("form",)
    optional = ("switch",)


class RetireVersionsOperator(StepOperator):
    """Exclude versions that are due, and delete those that were excluded long enough; what is needed since is spared.

    Fields and result: :func:`include.steps.retirement.retire`.
    """

    step = "retirement.retire"
    required = ("definitions",)
    optional = ("at_once",)


class ReportVersionsOperator(StepOperator):
    """Print the versions of definitions as they are now.

    Fields and result: :func:`include.steps.retirement.report`.
    """

    step = "retirement.report"
    required = ("definitions",)


class PlanRestorationOperator(StepOperator):
    """Plan which soft-deleted versions come back. XCom: the plan.

    Fields and result: :func:`include.steps.restoration.plan`.
    """

    step = "restoration.plan"
    required = ("form",)


class RestoreVersionsOperator(StepOperator):
    """Restore versions out of ``latest``; one that is there already is marked only.

    Fields and result: :func:`include.steps.restoration.restore`.
    """

    step = "restoration.restore"
    required = ("resource_group", "gallery", "definition", "versions")
    optional = ("pin",)
