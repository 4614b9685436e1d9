"""What images there are, and who may read them."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class ReportImagesOperator(StepOperator):
    """Print which versions are where, from which base, who may read them, and what is out of date.

    Fields and result: :func:`include.steps.audit.report`.
    """

    step = "audit.report"
    optional = ("gallery", "max_age_days")
    required = ()
