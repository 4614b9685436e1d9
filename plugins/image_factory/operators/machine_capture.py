"""Captures of machines that the factory did not build."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class PlanMachineCaptureOperator(StepOperator):
    """Plan the capture of an existing machine; a dry run ends here as skipped. XCom: the plan.

    Fields and result: :func:`include.steps.machine_capture.plan`.
    """

    step = "machine_capture.plan"
    required = ("run", "form")


class RetireCapturesOperator(StepOperator):
    """Delete older captures of the same name.

    Fields and result: :func:`include.steps.machine_capture.retire`.
    """

    step = "machine_capture.retire"
    required = ("resource_group", "gallery", "definition", "name", "keep", "versions")


class ReportMachineCaptureOperator(StepOperator):
    """Print how machine, version and captures are now.

    Fields and result: :func:`include.steps.machine_capture.report`.
    """

    step = "machine_capture.report"
    required = ("machine", "name", "leftovers", "was")
    optional = ("resource_group", "gallery", "definition", "version", "regions")
