"""# Watch base images

Every hour: which recipes with `schedule: {on_new_base: true}` have a base (a marketplace image, or a version of somebody's gallery) that
is newer than the one their image was built from? Each newer base is announced once, as an asset event, and the build that waits for it
starts. A build that fails is not started again by the same base: clear it, or wait for the recipe's own schedule.

A recipe that is built on another recipe's image needs no watching: the promotion of its parent starts it.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable

from image_factory.assets import base_asset
from image_factory.notices import callbacks
from image_factory.operators.base_watch import AnnounceBaseImagesOperator, WatchBaseImagesOperator
from include.factory.folder import catalogue_folder
from include.factory.outline import outlines

# The bases to watch, by the recipe's name. The builds are scheduled by the same assets (build_images.py).
WATCHED = {recipe.name: base_asset(recipe.name) for recipe in outlines(catalogue_folder()) if recipe.builds_on_new_base}

with DAG(
    dag_id="watch_base_images",
    dag_display_name="watch base images",
    description="Start builds whose base image has a newer version",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("41 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    **callbacks(WATCHED),
    tags=["watch"],
):
    look = WatchBaseImagesOperator(task_id="look", recipes=sorted(WATCHED))
    look >> AnnounceBaseImagesOperator(task_id="announce", assets=WATCHED, found_by="look")
