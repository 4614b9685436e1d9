"""Where images are published."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class CreateDestinationOperator(StepOperator):
    """Create what is missing of a resource group, a gallery in it and an image definition in that.

    Fields and result: :func:`include.steps.destination.ensure`.
    """

    step = "destination.ensure"
    required = ("resource_group", "gallery", "definition")
