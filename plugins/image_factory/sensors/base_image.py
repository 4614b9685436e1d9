"""Waiting for base images."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class NewerBaseImageSensor(StepOperator):
    """Wait until the base has a version newer than ``than``. XCom: ``{"id", "version"}``.

    Fields and result: :func:`include.steps.base_image.wait_for_newer`.
    """

    step = "base_image.wait_for_newer"
    required = ("base", "location", "than")
    optional = ("timeout",)
