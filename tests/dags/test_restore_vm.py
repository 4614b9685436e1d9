"""The DAGs that make machines of versions."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from include.factory.restore import GAME_DAY_STEPS, RESTORE_STEPS, Restore

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def dag_bag() -> DagBag:
    return DagBag(dag_folder=PROJECT / "dags" / "restore_vm.py", bundle_path=PROJECT / "dags", safe_mode=False)


@pytest.mark.parametrize(("dag_id", "steps"), [("restore_vm", RESTORE_STEPS), ("game_day", GAME_DAY_STEPS)])
def test_there_is_a_task_for_every_planned_step(dag_bag: DagBag, dag_id: str, steps: dict[str, str]) -> None:
    assert dag_bag.import_errors == {}
    dag = dag_bag.dags[dag_id]
    dag.validate_setup_teardown()
    assert {task.task_id: task.step for task in dag.tasks if task.task_id != "plan"} == steps


@pytest.mark.parametrize("dag_id", ["restore_vm", "game_day"])
def test_the_form_asks_what_a_restoration_takes(dag_bag: DagBag, dag_id: str) -> None:
    asked = set(dag_bag.dags[dag_id].params)
    assert asked - {"dry_run", "reason"} <= set(Restore.model_fields)
    assert {"image", "version", "region"} <= asked


def test_what_a_game_day_made_goes_after_it_was_told(dag_bag: DagBag) -> None:
    dag = dag_bag.dags["game_day"]
    delete = dag.get_task("delete_resource_group")
    assert delete.is_teardown
    assert "report" in delete.upstream_task_ids
    assert dag.get_task("report").is_teardown
