"""# Roll back

For when a version is bad: name the image and press *Trigger*. Without more said, it is the newest version that
`latest` resolved to in any region when you pressed it, so a run that is cleared, or a second one at the same time, takes out no other. It

1. **plans**: what each region's `latest` is now and will be; where a region would be left without, it is **refused**, and each such
   region is named with the way out (a dry run ends here, too);
2. **rolls back**: the versions leave their channels, which are then where they were before, are marked, and are excluded globally and in
   every region in one update each;
3. **proves** that `latest` resolves in every region where it did, to which version, and **reports** it, with the machines and scale
   sets that still run a bad version.

A build that is on its way is not disturbed, unless it is about to promote one of the bad versions: that one is stopped. Machines that
run stay as they are. A version that was rolled back is promoted again only by `promote_version`, and by a word.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from image_factory.forms import REASON, definition_fields, dry_run, put_form
from image_factory.notices import callbacks
from image_factory.operators.promotion import PlanRollbackOperator, ReportPromotionOperator, RollBackOperator
from image_factory.planning import ASKED_AT, FORM, PLAN, reported

with DAG(
    dag_id="roll_back",
    dag_display_name="roll back",
    description="Take bad versions out of latest",
    doc_md=__doc__,
    schedule=None,
    max_active_runs=16,
    **callbacks(),
    tags=["versions", "by hand"],
) as dag:
    plan = PlanRollbackOperator(task_id=PLAN, form=FORM, asked_at=ASKED_AT)
    roll_back = RollBackOperator(task_id="roll_back", planned_by=PLAN)
    report = ReportPromotionOperator(task_id="report_versions", planned_by=PLAN)
    reported(plan, roll_back, by=report)

put_form(
    dag,
    {
        **definition_fields(),
        "versions": Param(
            "latest",
            type="string",
            minLength=1,
            title="Bad versions",
            description="latest: the newest that people get. Or with commas: 2026.1123.13000, a pattern 2026.11*, a range, last:2.",
        ),
        "include_excluded": Param(
            False,
            type="boolean",
            title="Include an excluded version",
            description="Where nothing else is left, let the newest promoted version that was excluded there be latest.",
        ),
        "dry_run": dry_run(False),
        "reason": REASON,
    },
)
