"""# Share galleries

Makes who may use the images what the recipes say under `share`, after each build and daily, and tells how it is:

* **role assignments** (Reader on the image definition) for the recipe's `readers`;
* **direct** shares of the gallery with subscriptions and tenants;
* the **community** gallery, shown.

What no recipe says is named and stays, unless *Revoke* is on: then direct shares go, and role assignments that this factory made. What
people assigned by hand, and what is inherited from above, is never touched.

The task `report` is that of `report_images`: who may read what, and who says so. A dry run writes nothing and makes it all the same.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, TriggerRule, get_parsing_context

from image_factory.assets import after_builds
from image_factory.forms import REASON, dry_run, gallery_of, put_form
from image_factory.notices import callbacks
from image_factory.operators.audit import ReportImagesOperator
from image_factory.operators.sharing import ApplySharingOperator, PlanSharingOperator
from image_factory.planning import FORM, PLAN
from include.factory.folder import catalogue_folder
from include.factory.outline import outlines

DAILY = "45 6 * * *"


def sharing_dag() -> DAG:
    recipes = outlines(catalogue_folder())
    with DAG(
        dag_id="share_galleries",
        dag_display_name="share galleries",
        description="Who may use the images, as the recipes say it; and the audit of how it is",
        doc_md=__doc__,
        schedule=after_builds((recipe for recipe in recipes if recipe.is_shared), DAILY),
        catchup=False,
        max_active_runs=1,
        **callbacks(recipe.name for recipe in recipes if recipe.is_shared),
        tags=["share", "audit"],
    ) as dag:
        plan = PlanSharingOperator(task_id=PLAN, form=FORM)
        apply = ApplySharingOperator(task_id="apply", planned_by=PLAN)
        # The audit is made after a dry run, too, and after a plan that failed in part; it needs no plan.
        report = ReportImagesOperator(
            task_id="report",
            gallery="{{ params.gallery or '' }}",
            trigger_rule=TriggerRule.ALL_DONE,
        ).as_teardown()
        plan >> apply >> report
    put_form(
        dag,
        {
            "gallery": gallery_of(recipes),
            "revoke": Param(
                False,
                type="boolean",
                title="Revoke",
                description="Take away what no recipe says: direct shares, and role assignments that this factory made.",
            ),
            "dry_run": dry_run(False, "Print the plan and make the audit; write nothing."),
            "reason": REASON,
        },
    )
    return dag


# A process that will run a task of another DAG has no use for this one.
if get_parsing_context().dag_id in (None, "share_galleries"):
    share_galleries = sharing_dag()
