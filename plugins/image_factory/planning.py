"""What the DAGs of this factory have alike: a task that plans, and tasks that do what it planned."""

from __future__ import annotations

from airflow.sdk import BaseOperator, TriggerRule, chain

PLAN = "plan"
"""Id of the task that plans."""

FORM = "{{ params | tojson }}"
"""What was filled in in the trigger form, as JSON text."""

ASKED_AT = "{{ dag_run.run_after.isoformat() }}"
"""When the run was asked for: a run that is cleared keeps it."""

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


def reported(plan: BaseOperator, *acts: BaseOperator, by: BaseOperator) -> None:
    """``plan``, then the acts, then the report ``by``: it tells how things are whatever became of the acts, and does not decide about the
    run; without a plan (a dry run, or one that failed), or where nobody approved, it is skipped.

    The plan is no setup of the report, as Airflow clears a task's setups with the task (``DAG.partial_subset``): whoever clears an act
    that failed wants the rest of what was planned and approved, and not another plan.
    """
    chain(plan, *acts, by)
    plan >> by
    by.as_teardown()
    by.trigger_rule = TriggerRule.ALL_DONE_MIN_ONE_SUCCESS
