"""Tasks of the DAGs that there are by the thousand."""

from __future__ import annotations

from copy import copy
from functools import cache
from typing import Any, TypeVar, cast

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


def add_like_task(to: DAG | TaskGroup, operator: type[Operator], task_id: str, **fields: Any) -> Operator:
    """The same for a task that is alike in every DAG: one is made, and each DAG gets a copy of it.

    A copy takes a tenth of the time of an operator's initializers, and tasks are most of what reading a DAG file takes. Airflow copies
    operators itself before it runs them (``BaseOperator.prepare_for_execution``). Each copy has what is its own: id, group, DAG,
    neighbours.

    :param fields: hashable; what differs from DAG to DAG does not belong here.
    """
    group = to.task_group if isinstance(to, DAG) else to
    task = copy(cast("Operator", _model(operator, **{**group.dag.default_args, **fields})))
    given = dict(vars(task)["_BaseOperator__init_kwargs"])  # which BaseOperator.__setattr__ writes into
    vars(task).update(upstream_task_ids=set(), downstream_task_ids=set(), _BaseOperator__init_kwargs=given)
    task.task_id = group.child_id(task_id)
    group.add(task)
    group.dag.add_task(task)
    return task


@cache
def _model(operator: type[BaseOperator], **fields: Any) -> BaseOperator:
    return operator(task_id="model", **fields)
