"""# Restore a version

Brings back versions that were deleted softly: their number, regions and flags are as they were. A restored version is out of `latest`;
promote it (`promote_version`) to let people get it. For retention it is as old as this day; pin it to keep it for longer.

The plan (a dry run ends there) lists the whole bin of the image, with the time from which each version is gone for good.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from image_factory.forms import REASON, definition_fields, dry_run, put_form
from image_factory.notices import callbacks
from image_factory.operators.retirement import PlanRestorationOperator, ReportVersionsOperator, RestoreVersionsOperator
from image_factory.planning import FORM, PLAN, reported

with DAG(
    dag_id="restore_version",
    dag_display_name="restore version",
    description="Bring back versions that were deleted softly",
    doc_md=__doc__,
    schedule=None,
    max_active_runs=16,
    **callbacks(),
    tags=["versions", "by hand"],
) as dag:
    plan = PlanRestorationOperator(task_id=PLAN, form=FORM)
    restore = RestoreVersionsOperator(task_id="restore_version", planned_by=PLAN)
    report = ReportVersionsOperator(task_id="report_versions", planned_by=PLAN)
    reported(plan, restore, by=report)

put_form(
    dag,
    {
        **definition_fields(),
        "versions": Param(
            "last:1",
            type="string",
            minLength=1,
            title="Versions",
            description="In the bin, with commas: 2026.1123.13000, a pattern 2026.11*, a range, last:10, or *.",
        ),
        "pin": Param(False, type="boolean", title="Pin", description="Keep them from being retired again."),
        "dry_run": dry_run(False, "Print the bin and the plan, and stop."),
        "reason": REASON,
    },
)
