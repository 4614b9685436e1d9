"""What the DAGs of this factory have alike: a task that plans, and tasks that do what it planned."""

from __future__ import annotations

from airflow.sdk import TriggerRule

PLAN = "plan"
"""Id of the task that plans."""

FORM = "{{ params | tojson }}"
"""What was filled in in the trigger form, as JSON text."""

RUN = {
    "dag_id": "{{ dag_run.dag_id }}",
    "run_id": "{{ dag_run.run_id }}",
    # `dag_run.logical_date` is None for a run by hand: then `run_after` is the run's time.
    "at": "{{ (dag_run.logical_date or dag_run.run_after).isoformat() }}",
    # What expires, expires from here: an old run that is repeated is not swept at once.
    "started": "{{ (dag_run.start_date or dag_run.run_after).isoformat() }}",
}
"""What a plan must know of its run."""

OCCASION = {"at": RUN["at"], "run_type": "{{ dag_run.run_type }}", "params": FORM}
"""The same of a run that does otherwise by schedule, by hand and in a backfill."""

NEXT = {"planned_by": PLAN, "trigger_rule": TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS}
"""After a task that this run did not need (it is skipped), but not in a dry run (the plan is skipped, and with it everything)."""
