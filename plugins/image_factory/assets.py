"""What Airflow schedules by: images, and the bases of images, as assets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAny, AssetOrTimeSchedule, CronTriggerTimetable

if TYPE_CHECKING:
    from include.factory.outline import Outline

GROUP = "azure-compute-gallery"


def image_asset(gallery: str, definition: str) -> Asset:
    """An image definition; each promoted version is an event."""
    return Asset(name=f"{gallery}/{definition}", group=GROUP)


def base_asset(recipe: str) -> Asset:
    """What the recipe of this name is built from; each newer version is an event."""
    return Asset(name=f"base of {recipe}", group=GROUP)


def after_builds(recipes: Iterable[Outline], daily: str) -> Any:
    """The schedule of what follows each promoted version of any of the recipes, and comes daily besides.

    :param daily: cron expression, in UTC.
    """
    cron = CronTriggerTimetable(daily, timezone="UTC")
    assets = [image_asset(recipe.gallery, recipe.definition) for recipe in recipes]
    return AssetOrTimeSchedule(timetable=cron, assets=AssetAny(*assets)) if assets else cron
