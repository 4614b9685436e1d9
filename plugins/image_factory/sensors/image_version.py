"""Waiting for image versions."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class ImageVersionReplicatedSensor(StepOperator):
    """Wait until the version is Completed in ``regions``. XCom: ``{"regions": {name: state}}``.

    Fields and result: :func:`include.steps.image_version.wait_until_replicated`.
    """

    step = "image_version.wait_until_replicated"
    required = ("resource_group", "gallery", "definition", "version", "regions")
    optional = ("timeout",)
