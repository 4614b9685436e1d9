"""# Promote a version

Lets `latest` resolve to a version that exists, and moves channels (`dev`, `test`, `prod`) to it. It

1. **plans**: what `latest` and each channel are now, and what they will be, region by region (a dry run ends here);
2. waits for **approval**, where the recipe of the image asks for one, or the form names approvers;
3. **promotes** in waves of regions with a pause between them, or all regions at once. When a wave is out it proves that each of its
   regions resolves `latest` to the version; before the next it looks at the machines made from the version and, where asked, boots one of
   `latest` in the wave's first region, tries it and deletes it. It stops when a machine failed;
4. **reports** what `latest` resolves to.

In a region that had its wave the regional exclude flag is off, and it wins over the version's own, which goes off with the last wave.
A channel is a tag on the version, and is at the version to which it was moved last. Whoever clears the task `promote_version` lets the
same plan, as it was approved, go on with the wave that is next; whoever clears `plan` has it planned and approved anew. To take a version
back, use `roll_back`: a promotion that is on its way stops by itself then.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from image_factory.forms import REASON, definition_fields, dry_run, number, put_form
from image_factory.notices import callbacks
from image_factory.operators.approval import ApproveVersionOperator
from image_factory.operators.promotion import PlanPromotionOperator, PromoteInWavesOperator, ReportPromotionOperator
from image_factory.planning import FORM, PLAN, RUN, reported
from include.factory.version_tags import CHANNELS

APPROVE = "approve"


with DAG(
    dag_id="promote_version",
    dag_display_name="promote version",
    description="Let latest resolve to a version, and move channels to it",
    doc_md=__doc__,
    schedule=None,
    max_active_runs=16,
    **callbacks(),
    tags=["versions", "by hand"],
) as dag:
    plan = PlanPromotionOperator(task_id=PLAN, form=FORM, run=RUN)
    approve = ApproveVersionOperator(
        task_id=APPROVE,
        planned_by=PLAN,
        subject="Promote version {{ ti.xcom_pull(task_ids='plan')['version'] }}?",
        body="```\n{{ ti.xcom_pull(task_ids='plan')['text'] }}\n```",
    )
    promote = PromoteInWavesOperator(
        task_id="promote_version", planned_by=PLAN, approval="{{ ti.xcom_pull(task_ids='approve', map_indexes=-1) | tojson }}"
    )
    report = ReportPromotionOperator(task_id="report_promotion", planned_by=PLAN)
    reported(plan, approve, promote, by=report)

put_form(
    dag,
    {
        **definition_fields(),
        "version": Param("newest", type="string", pattern=r"^(newest|\d+\.\d+\.\d+)$", title="Version", description="A number, or newest."),
        "latest": Param(True, type="boolean", title="Let latest resolve to it"),
        "channels": Param(
            [],
            type="array",
            items={"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
            examples=list(CHANNELS),
            title="Channels",
            description="To move to the version.",
        ),
        "waves": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Waves",
            description="One a line: eastus2, westus2. Regions that are in none come last. Without any: all at once.",
        ),
        "pause": number("Pause", "Minutes between waves.", 60, 0, 43200),
        "check": Param(True, type="boolean", title="Check", description="Stop before a wave when a machine made from the version failed."),
        "boot": Param(
            False,
            type="boolean",
            title="Boot a machine",
            description="Of latest, in the first region of each wave that is out, before the next; it is tried and deleted.",
        ),
        "boot_check": Param(
            "", type="string", title="Check on that machine", description="A script that must pass. Empty: the usual boot test."
        ),
        "approvers": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Approvers",
            description="Airflow users of whom one must approve. Those of a recipe that asks for approval are always asked.",
        ),
        "rolled_back_too": Param(False, type="boolean", title="Although rolled back", description="It was taken back, and is good."),
        "dry_run": dry_run(False),
        "reason": REASON,
    },
)
