"""# Retire versions

Nightly, for all recipes, by what each says under `retention`; or by hand for one image. It

1. **plans**: reads every version, and every machine, scale set and version made from one, and says of each version what becomes of it
   and why (a dry run ends here);
2. **retires**: versions that are due go out of `latest` with the time in their tags; those that have been out for the recipe's `wait`
   are deleted, softly where the gallery keeps deleted versions;
3. **reports** what is left.

Never retired: the newest `keep` promoted versions, the last good one, what `latest` resolves to in any region and `rollback` versions
below it, heads of channels, versions with the tag `image-factory-pinned`, versions in use, versions on which others were built (unless
the form says so), and what the factory did not make. Where a gallery is shared with others whose machines nobody here can see, nothing is
deleted without the word *Shared, too*. Everything is judged again before the first call.

The nightly run is **dry** until the Airflow variable `image_factory_retire` is `on`. A version that was deleted softly comes back by
`restore_version`; its number is never used again.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable, Param

from image_factory.forms import REASON, definition_fields, number, put_form
from image_factory.notices import callbacks
from image_factory.operators.retirement import PlanRetirementOperator, ReportVersionsOperator, RetireVersionsOperator
from image_factory.planning import FORM, PLAN, reported
from include.factory.folder import catalogue_folder
from include.factory.outline import outlines

with DAG(
    dag_id="retire_versions",
    dag_display_name="retire versions",
    description="Exclude, then delete, versions that nobody needs any more",
    doc_md=__doc__,
    # After the night's builds and after their regions were looked after.
    schedule=CronTriggerTimetable("0 7 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    **callbacks(recipe.name for recipe in outlines(catalogue_folder())),
    tags=["versions"],
) as dag:
    plan = PlanRetirementOperator(task_id=PLAN, form=FORM, switch="{{ var.value.get('image_factory_retire', '') }}")
    retire = RetireVersionsOperator(task_id="retire_versions", planned_by=PLAN)
    report = ReportVersionsOperator(task_id="report_versions", planned_by=PLAN)
    reported(plan, retire, by=report)

put_form(
    dag,
    {
        **definition_fields(without="None, and no definition: all recipes, each by its own rules."),
        "keep": number("Keep", "Newest promoted versions. Empty: as the recipe says.", None, 1, 1000),
        "older_than": number("Older than", "Days. Empty: as the recipe says.", None, 0, 3650),
        "rollback": number("To go back to", "Versions below latest in each region. Empty: as the recipe says.", None, 0, 100),
        "wait": number("Wait", "Days between exclusion and deletion. Empty: as the recipe says.", None, 0, 365),
        "parents_too": Param(False, type="boolean", title="Parents, too", description="Versions on which living versions were built."),
        "shared_too": Param(
            None,
            type=["null", "boolean"],
            title="Shared, too",
            description="Delete where the gallery is shared with others whose machines cannot be seen. Empty: as the recipe says.",
        ),
        "dry_run": Param(
            None,
            type=["null", "boolean"],
            title="Dry run",
            description="Print the plan and stop. Empty: yes, unless the variable image_factory_retire is on.",
        ),
        "reason": REASON,
    },
)
