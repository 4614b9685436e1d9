"""Managed images."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class CreateImageOperator(StepOperator):
    """Create a managed image of a generalized machine with all its disks. XCom: ``{"source"}``.

    Fields and result: :func:`include.steps.image.create`.
    """

    step = "image.create"
    required = ("resource_group", "name", "location", "source_virtual_machine", "hyper_v_generation", "tags")
