"""Tasks that are copies, beside tasks that Airflow's own initializers made."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, TriggerRule
from airflow.serialization.serialized_objects import DagSerialization

from image_factory.operators.image_version import DiscardImageVersionOperator, ReplicateImageVersionOperator
from image_factory.operators.resource_group import CreateResourceGroupOperator, DeleteResourceGroupOperator
from image_factory.operators.run_command import RunCommandOperator
from image_factory.tasks import add_like_task, add_task, group_of


def _dag(add: Any, dag_id: str = "build_one", owner: str = "platform") -> DAG:
    dag = DAG(dag_id, schedule=None, default_args={"owner": owner})
    machine = group_of(dag, "build_machine")
    group = add(machine, CreateResourceGroupOperator, "create_resource_group", planned_by="plan").as_setup()
    scripts = [add(machine, RunCommandOperator, name, planned_by="plan") for name in ("harden", "install")]
    replicate = add(dag, ReplicateImageVersionOperator, "replicate_version", planned_by="plan")
    discard = add(dag, DiscardImageVersionOperator, "discard_version", planned_by="plan", trigger_rule=TriggerRule.ALL_DONE)
    group >> scripts[0] >> scripts[1] >> replicate >> discard
    replicate >> add(dag, DeleteResourceGroupOperator, "delete_build", planned_by="plan").as_teardown(setups=group)
    return dag


def test_a_dag_of_copies_is_serialized_as_one_of_tasks_made_one_by_one() -> None:
    assert DagSerialization.to_dict(_dag(add_like_task)) == DagSerialization.to_dict(_dag(add_task))


def test_what_is_set_on_a_copy_stays_its_own() -> None:
    first, second = _dag(add_like_task, "build_one"), _dag(add_like_task, "build_two", owner="security")
    before = DagSerialization.to_dict(second)

    changed: Any = first.get_task("replicate_version")
    changed.retries, changed.trigger_rule, changed.doc_md = 0, TriggerRule.ALWAYS, "changed"
    first.get_task("discard_version") >> add_like_task(first, RunCommandOperator, "more", planned_by="plan")

    assert DagSerialization.to_dict(second) == before
    assert {task.owner for task in first.tasks} == {"platform"}
    assert {task.owner for task in second.tasks} == {"security"}


def test_a_copy_belongs_to_its_dag_and_its_group() -> None:
    first, second = _dag(add_like_task, "build_one"), _dag(add_like_task, "build_two")

    copies = [dag.get_task("build_machine.harden") for dag in (first, second)]

    assert [task.dag for task in copies] == [first, second]
    assert all(task.task_group is not None and task.task_group.dag is task.dag for task in copies)
    assert copies[0].downstream_task_ids == {"build_machine.install"}
