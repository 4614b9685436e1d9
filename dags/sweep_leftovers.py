"""# Sweep leftovers

Whatever died, and wherever: what a run made carries the run's name and the time at which it expires, from the request that made it. Every
hour this DAG finds what has expired and deletes it: resource groups of builds with all that is in them, machines, disks and snapshots.

* **Nothing without the factory's tags** is touched, whatever its name.
* **Locked** things are reported and not unlocked.
* Something that changed in the last hours is in use, and stays.
* A tag `image-factory-keep` keeps a thing for a look, though not longer than the hard cap.

A run by hand is a dry run unless the form says otherwise: it prints what would go and what stays, with the reasons.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable, Param

from image_factory.forms import dry_run
from image_factory.notices import callbacks
from image_factory.operators.leftovers import PlanSweepOperator, ReportLeftoversOperator, SweepLeftoversOperator
from image_factory.planning import OCCASION, PLAN, reported
from include.factory.folder import catalogue_folder
from include.factory.outline import outlines

with DAG(
    dag_id="sweep_leftovers",
    dag_display_name="sweep leftovers",
    description="Delete what runs left behind, once it has expired",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("17 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    **callbacks(recipe.name for recipe in outlines(catalogue_folder())),
    tags=["sweep"],
    params={
        "dry_run": dry_run(True, "Of a run by hand: print what would go, and stop."),
        "grace_hours": Param(6, type="number", minimum=0, maximum=720, title="Grace", description="Hours since its last change."),
        "hard_cap_days": Param(
            14, type="number", minimum=0, maximum=365, title="Hard cap", description="Days after its expiry; not even `image-factory-keep`."
        ),
    },
):
    plan = PlanSweepOperator(task_id=PLAN, run=OCCASION)
    sweep = SweepLeftoversOperator(task_id="sweep", planned_by=PLAN)
    report = ReportLeftoversOperator(task_id="report", planned_by=PLAN)
    reported(plan, sweep, by=report)
