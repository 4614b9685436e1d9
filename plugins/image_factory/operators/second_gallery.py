"""Second galleries, kept in step with the first."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class PlanSecondGalleriesOperator(StepOperator):
    """Plan what the second galleries of the recipes lack; a dry run, or nothing to do, ends here as skipped. XCom: the plan.

    Fields and result: :func:`include.steps.second_gallery.plan`.
    """

    step = "second_gallery.plan"
    required = ("form",)


class KeepSecondGalleriesOperator(StepOperator):
    """Copy versions, set flags and regions right, delete what is retired where asked; a second run does what is left.

    Fields and result: :func:`include.steps.second_gallery.keep`.
    """

    step = "second_gallery.keep"
    required = ("recipes",)
    optional = ("at_once", "timeout")


class ReportSecondGalleriesOperator(StepOperator):
    """Print how the galleries compare now.

    Fields and result: :func:`include.steps.second_gallery.report`.
    """

    step = "second_gallery.report"
    required = ("recipes",)
