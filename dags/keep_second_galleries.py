"""# Keep second galleries

A gallery is a thing of one region. A recipe with `disaster_recovery` has a second one elsewhere, and this DAG keeps it in step with the
first: after each build, and daily against drift. It

* copies the newest promoted versions that the second gallery lacks (a version that is encrypted with a customer's keys cannot be copied:
  its build publishes it there);
* gives each copy the regions that the recipe names, and repairs failed ones;
* takes out of `latest` there what was rolled back here, and the other way round;
* names what is only in the second gallery (retired here); `delete_retired` deletes it.

It plans first; a dry run prints the plan and stops. A run that was partly done names what is missing: clear the task `keep`, and it does
that. `restore_vm` makes machines from the second gallery, `game_day` tries whether that works.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, get_parsing_context

from image_factory.assets import after_builds
from image_factory.forms import REASON, dry_run, put_form
from image_factory.notices import callbacks
from image_factory.operators.second_gallery import KeepSecondGalleriesOperator, PlanSecondGalleriesOperator, ReportSecondGalleriesOperator
from image_factory.planning import FORM, PLAN, reported
from include.factory.folder import catalogue_folder
from include.factory.outline import outlines

# After the daily look at the first gallery's regions: a version is copied where it is.
DAILY = "30 6 * * *"


def keeping_dag() -> DAG:
    recipes = [recipe for recipe in outlines(catalogue_folder()) if recipe.has_second_gallery]
    with DAG(
        dag_id="keep_second_galleries",
        dag_display_name="keep second galleries",
        description="Second galleries in step with the first ones",
        doc_md=__doc__,
        schedule=after_builds(recipes, DAILY),
        catchup=False,
        max_active_runs=1,
        **callbacks(recipe.name for recipe in recipes),
        tags=["replicate", "recovery"],
    ) as dag:
        plan = PlanSecondGalleriesOperator(task_id=PLAN, form=FORM)
        keep = KeepSecondGalleriesOperator(task_id="keep", planned_by=PLAN)
        report = ReportSecondGalleriesOperator(task_id="report", planned_by=PLAN)
        reported(plan, keep, by=report)
    names = [recipe.name for recipe in recipes]
    put_form(
        dag,
        {
            "recipe": Param(None, type=["null", "string"], examples=names, title="Recipe", description="One; by default all."),
            "delete_retired": Param(
                False, type="boolean", title="Delete retired", description="Delete copies of versions that the first gallery has no more."
            ),
            "at_once": Param(4, type="integer", minimum=1, maximum=50, title="At once", description="Versions in work at the same time."),
            "dry_run": dry_run(False),
            "reason": REASON,
        },
    )
    return dag


# A process that will run a task of another DAG has no use for this one.
if get_parsing_context().dag_id in (None, "keep_second_galleries"):
    keep_second_galleries = keeping_dag()
