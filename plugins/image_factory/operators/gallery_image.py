"""Image definitions."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class CreateImageDefinitionOperator(StepOperator):
    """Create the image definition when it is missing; one whose immutable properties differ is refused.

    Fields and result: :func:`include.steps.gallery_image.ensure`.
    """

    step = "gallery_image.ensure"
    required = (
        "resource_group",
        "gallery",
        "name",
        "location",
        "os_type",
        "os_state",
        "hyper_v_generation",
        "architecture",
        "publisher",
        "offer",
        "sku",
        "features",
    )
    optional = ("description", "end_of_life", "recommended", "plan", "tags")
