"""Azure Compute Galleries."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class CreateGalleryOperator(StepOperator):
    """Create the gallery when it is missing.

    Fields and result: :func:`include.steps.gallery.ensure`.
    """

    step = "gallery.ensure"
    required = ("resource_group", "name", "location")
    optional = ("description", "sharing", "tags")
