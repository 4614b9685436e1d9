"""What a build is to Airflow: a chain of tasks that start and end in the triggerer, with one at each end that takes a worker."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, BaseOperator, chain
from airflow.triggers.base import StartTriggerArgs


class WaitOperator(BaseOperator):
    """Wait in the triggerer."""

    def __init__(self, *, seconds: float, **fields: Any) -> None:
        super().__init__(**fields)
        self.start_from_trigger = True
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="airflow.providers.standard.triggers.temporal.TimeDeltaTrigger",
            trigger_kwargs={"delta": timedelta(seconds=seconds), "end_from_trigger": True},
            next_method="execute_complete",
            next_kwargs=None,
            timeout=None,
        )

    def execute(self, context: Any) -> None:
        raise RuntimeError("this task must not take a worker")


def note(word: str) -> str:
    return word


with DAG("load", schedule=None, max_active_runs=200):
    steps = [WaitOperator(task_id=f"step_{number}", seconds=1) for number in range(8)]
    chain(
        PythonOperator(task_id="begin", python_callable=note, op_args=["begin"]),
        *steps,
        PythonOperator(task_id="end", python_callable=note, op_args=["end"]),
    )
