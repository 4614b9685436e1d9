"""What Airflow schedules by: images, and the bases of images, as assets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Asset

if TYPE_CHECKING:
    from include.factory.recipe import Recipe

GROUP = "azure-compute-gallery"


def image_asset(recipe: Recipe) -> Asset:
    """The recipe's image definition; each promoted version is an event."""
    return Asset(name=f"{recipe.publish.gallery}/{recipe.definition}", group=GROUP)


def base_asset(recipe: Recipe) -> Asset:
    """What the recipe is built from; each newer version is an event."""
    return Asset(name=f"base of {recipe.name}", group=GROUP)
