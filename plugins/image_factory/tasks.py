"""Tasks of the DAGs that there are by the thousand."""

from __future__ import annotations

from typing import Any, TypeVar

from airflow.sdk import DAG, BaseOperator, TaskGroup

Operator = TypeVar("Operator", bound=BaseOperator)


def group_of(dag: DAG, name: str) -> TaskGroup:
    """A group of tasks of `dag`."""
    return TaskGroup(name, dag=dag, parent_group=dag.task_group)


def add_task(to: DAG | TaskGroup, operator: type[Operator], task_id: str, **fields: Any) -> Operator:
    """A task of a DAG, or of one of its groups, with the DAG's default arguments.

    It is made first and added then. Within ``with DAG(...)`` an operator's initializers each copy the DAG's default arguments and params,
    which is a ninth of the time of making it.
    """
    group = to.task_group if isinstance(to, DAG) else to
    task = operator(task_id=task_id, task_group=group, **{**group.dag.default_args, **fields})
    group.dag.add_task(task)
    return task
