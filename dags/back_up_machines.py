"""# Back up machines

Every quarter of an hour, starts `capture_vm` for the machines whose schedule has come: a specialized capture with all disks, brought to
the regions where the machine is to be restored, of which the newest `keep` stay. `restore_vm` makes a machine of one.

Which machines, is said by the files in the folder `backups` beside the recipes, one file a machine; `docs/recovery.md` describes them.
A file with a problem shows as an import error with line, field and cure, and stops no other. A quarter that was missed is made up for,
once, for up to a day.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, get_parsing_context, task

from image_factory.notices import callbacks
from include.factory.folder import catalogue_folder
from include.factory.outline import backup_names

log = logging.getLogger(__name__)

QUARTER = timedelta(minutes=15)
MISSED = timedelta(days=1)


def back_up_dag() -> DAG:
    # Imported here, as its module loads the models of Airflow's database: a third of a second that no task of another DAG needs.
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

    with DAG(
        dag_id="back_up_machines",
        dag_display_name="back up machines",
        description="Captures of machines by their schedules",
        doc_md=__doc__,
        schedule=CronTriggerTimetable("*/15 * * * *", timezone="UTC"),
        catchup=False,
        max_active_runs=1,
        **callbacks(backup_names(catalogue_folder())),
        tags=["capture", "recovery"],
    ) as dag:

        @task
        def due_backups(dag_run: Any = None, prev_data_interval_end_success: datetime | None = None) -> list[dict[str, Any]]:
            """The runs of capture_vm that are to be started now. A run's id is of its backup and time: none is started twice."""
            from include.factory.backup import due, load_backups

            until = (dag_run.logical_date or dag_run.run_after).astimezone(UTC)
            since = max(prev_data_interval_end_success or until - QUARTER, until - MISSED)
            found = due(list(load_backups(catalogue_folder()).backups.values()), since, until)
            for backup, at in found:
                log.info("%s: %s, due %s", backup.name, backup.virtual_machine, at.isoformat())
            return [
                {"trigger_run_id": f"backup__{backup.name}__{at.astimezone(UTC):%Y-%m-%dT%H:%M}", "conf": backup.form()}
                for backup, at in found
            ]

        TriggerDagRunOperator.partial(
            task_id="capture",
            trigger_dag_id="capture_vm",
            logical_date=None,  # two machines may be due at the same time
            skip_when_already_exists=True,
            map_index_template="{{ task.trigger_run_id }}",
        ).expand_kwargs(due_backups())
    return dag


# A process that will run a task of another DAG has no use for this one.
if get_parsing_context().dag_id in (None, "back_up_machines"):
    back_up_machines = back_up_dag()
