"""What Airflow schedules by: images, and the bases of images, as assets."""

from __future__ import annotations

from airflow.sdk import Asset

GROUP = "azure-compute-gallery"


def image_asset(gallery: str, definition: str) -> Asset:
    """An image definition; each promoted version is an event."""
    return Asset(name=f"{gallery}/{definition}", group=GROUP)


def base_asset(recipe: str) -> Asset:
    """What the recipe of this name is built from; each newer version is an event."""
    return Asset(name=f"base of {recipe}", group=GROUP)
