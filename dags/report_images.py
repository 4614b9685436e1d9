"""# Report images

Which versions are where, from which base, who may read them, and what is out of date? One report for all galleries of the catalogue:
those of recipes, their second galleries, and those of backups. It reads, and writes nothing.

The log of the task `report` begins with what needs somebody: images that are out of date, and images that somebody may read whom no
recipe names. Then, for each image,

* **who may read it**: by role (made on the image or anywhere above it, with who is in a group), by a direct share, by the community; and
  which recipe says so. Deny assignments are named;
* **its versions**: what `latest` and each channel are at, the regions, the base, whether the recipe is still the one that built it, its
  end of life; and what is out of date: its end of life has come, its base has a newer version, the recipe has changed, or it is too old.

The same is in the XCom of the task, as data. Whoever asked for `undeclared` in a recipe's `notify` is told.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable, Param

from image_factory.forms import gallery_of, put_form
from image_factory.notices import callbacks
from image_factory.operators.audit import ReportImagesOperator
from include.factory.folder import catalogue_folder
from include.factory.outline import outlines

RECIPES = outlines(catalogue_folder())

with DAG(
    dag_id="report_images",
    dag_display_name="report images",
    description="Which versions are where, from which base, who may read them, and what is out of date",
    doc_md=__doc__,
    # After the night's builds, copies and retirements.
    schedule=CronTriggerTimetable("0 8 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    **callbacks(recipe.name for recipe in RECIPES),
    tags=["audit"],
) as dag:
    ReportImagesOperator(task_id="report", gallery="{{ params.gallery or '' }}", max_age_days="{{ params.max_age_days }}")

put_form(
    dag,
    {
        "gallery": gallery_of(RECIPES),
        "max_age_days": Param(
            90, type="integer", minimum=1, maximum=3650, title="Out of date after", description="Days, of what people get."
        ),
    },
)
