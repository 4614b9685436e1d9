"""# Replicate versions

Regions of versions that exist already.

**`replicate_<recipe>`**, daily and after each build: brings the versions of the run's day, and the one that people get, to the
regions that the recipe names *now*, with its replica counts; a region that failed, or that somebody took away, is mended. It removes
nothing unless the form says so. To bring older versions to a region that was added today, backfill it:

```
airflow backfill create --dag-id replicate_<recipe> --from-date 2026-11-01 --to-date 2026-11-24
```

**`backfill_regions`**, by hand: adds regions to any versions of any definition, and removes them. It plans first, and writes nothing
until *Dry run* is off.

Both: what a region has (replica count, storage type, encryption, exclude flag) goes back as it was; a failed region is put again,
then removed and added again, and delays no other; the home region is never removed; an old version never becomes `latest` in a region
that it is brought to. A run that was partly done names the versions and regions that are missing: clear the task `change_regions`, and
it does those.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, Param, get_parsing_context

from image_factory.assets import image_asset
from image_factory.collection import nothing_to_collect
from image_factory.forms import REASON, definition_fields, dry_run, number, put_form, regions, replicas
from image_factory.notices import callbacks, callbacks_of
from image_factory.operators.regions import (
    ChangeRegionsOperator,
    PlanRecipeRegionsOperator,
    PlanRegionChangeOperator,
    ReportRegionsOperator,
)
from image_factory.operators.step import StepOperator
from image_factory.planning import FORM, OCCASION, PLAN, reported
from image_factory.tasks import add_like_task, add_task
from include.factory.catalogue import load_catalogue
from include.factory.folder import catalogue_folder
from include.factory.recipe import Recipe

# After the night's builds, which bring their versions to their regions themselves.
DAILY = "0 6 * * *"

SCHEDULE = CronTriggerTimetable(DAILY, timezone="UTC")

AT_ONCE = number("At once", "Versions in work at the same time.", 10, 1, 50)

# Of each recipe's DAG.
FIELDS = {
    "remove_others": Param(
        False, type="boolean", title="Remove other regions", description="Un-replicate from regions that the recipe does not name."
    ),
    "at_once": AT_ONCE,
    "dry_run": dry_run(False),
    "reason": REASON,
}


def add_tasks(dag: DAG, operator: type[StepOperator], **asked: Any) -> None:
    """plan -> change -> report."""
    plan = add_task(dag, operator, PLAN, **asked)
    change = add_like_task(dag, ChangeRegionsOperator, "change_regions", planned_by=PLAN)
    report = add_like_task(dag, ReportRegionsOperator, "report_regions", planned_by=PLAN)
    reported(plan, change, by=report)


def replicate_dag(recipe: Recipe) -> DAG:
    """The DAG that keeps one recipe's regions."""
    dag = DAG(
        dag_id=f"replicate_{recipe.name.replace('-', '_')}",
        dag_display_name=f"replicate {recipe.name}",
        description=f"Regions of {recipe.name} as the recipe says them",
        doc_md=__doc__,
        schedule=AssetOrTimeSchedule(timetable=SCHEDULE, assets=[image_asset(recipe.publish.gallery, recipe.definition)]),
        catchup=False,
        max_active_runs=4,
        **callbacks_of(recipe),
        tags=["replicate", recipe.os.type, recipe.publish.gallery],
        default_args={"owner": recipe.owner},
    )
    add_tasks(dag, PlanRecipeRegionsOperator, recipe=recipe.name, run=OCCASION)
    put_form(dag, FIELDS)
    return dag


def backfill_dag() -> DAG:
    """The DAG for any versions and regions, by hand."""
    dag = DAG(
        dag_id="backfill_regions",
        dag_display_name="backfill regions",
        description="Add regions to versions that exist, or remove them",
        doc_md=__doc__,
        schedule=None,
        max_active_runs=4,
        **callbacks(),
        tags=["replicate", "by hand"],
    )
    add_tasks(dag, PlanRegionChangeOperator, form=FORM)
    put_form(
        dag,
        {
            **definition_fields(),
            "versions": Param(
                "last:10",
                type="string",
                minLength=1,
                title="Versions",
                description="With commas: 2026.1123.13000, a pattern 2026.11*, a range 2026.1101.0..2026.1130.0, last:10, or *.",
            ),
            "add": regions("Add regions", "To each version."),
            "remove": regions("Remove regions", "From each version. Its home region stays."),
            **replicas("In each added region"),
            "order": Param("newest first", type="string", enum=["newest first", "oldest first"], title="Order"),
            "at_once": AT_ONCE,
            "dry_run": dry_run(True, "Print the plan (versions, regions, calls, gigabytes, rough cost) and stop."),
            "reason": REASON,
        },
    )
    return dag


def build_dags() -> dict[str, DAG]:
    """All of them; or, in a process that will run one task, just its DAG."""
    with nothing_to_collect():
        catalogue = load_catalogue(catalogue_folder())
        wanted = get_parsing_context().dag_id
        dags = {} if wanted not in (None, "backfill_regions") else {"backfill_regions": backfill_dag()}
        for recipe in catalogue.recipes.values():
            dag_id = f"replicate_{recipe.name.replace('-', '_')}"
            if wanted in (None, dag_id):
                dags[dag_id] = replicate_dag(recipe)
        return dags


globals().update(build_dags())
