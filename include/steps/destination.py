"""Where an image is published: a gallery with its image definition, in a resource group of its own."""

from __future__ import annotations

from typing import Any

from include.steps import gallery as galleries
from include.steps import gallery_image
from include.steps import resource_group as groups
from include.steps.azure import Azure


async def ensure(azure: Azure, *, resource_group: dict[str, Any], gallery: dict[str, Any], definition: dict[str, Any]) -> dict[str, str]:
    """Create what is missing of the three, each in its turn.

    Each of the three is a step and looks again by itself, so this one does not. One task for the three: they are read in a second, and
    every task of a DAG costs the scheduler more than that.

    :param resource_group: the arguments of :func:`include.steps.resource_group.ensure`.
    :param gallery: those of :func:`include.steps.gallery.ensure`.
    :param definition: those of :func:`include.steps.gallery_image.ensure`.
    :return: the ARM ids, ``{"resource_group", "gallery", "definition"}``.
    :raises StepError: as the three do; the message names which.
    """
    return {
        "resource_group": await groups.ensure(azure, **resource_group),
        "gallery": await galleries.ensure(azure, **gallery),
        "definition": await gallery_image.ensure(azure, **definition),
    }
