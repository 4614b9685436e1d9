"""The DAG that captures machines that exist."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from include.factory.capture import STEPS, Capture

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def dag_bag() -> DagBag:
    return DagBag(dag_folder=PROJECT / "dags" / "capture_vm.py", bundle_path=PROJECT / "dags", safe_mode=False)


def test_it_imports_and_has_a_task_for_every_planned_step(dag_bag: DagBag) -> None:
    assert dag_bag.import_errors == {}
    dag = dag_bag.dags["capture_vm"]
    dag.validate_setup_teardown()
    assert {task.task_id: task.step for task in dag.tasks if task.task_id != "plan"} == STEPS


def test_a_dry_run_skips_everything_and_a_task_that_is_not_needed_stops_nothing(dag_bag: DagBag) -> None:
    """A task runs after skipped ones, as long as the plan itself was not skipped."""
    dag = dag_bag.dags["capture_vm"]
    for task in dag.tasks:
        if "none_failed" in task.trigger_rule or task.trigger_rule == "all_done_min_one_success":
            assert "plan" in task.upstream_task_ids, task.task_id


def test_the_machine_is_started_again_whatever_became_of_its_snapshots(dag_bag: DagBag) -> None:
    dag = dag_bag.dags["capture_vm"]
    assert dag.get_task("machine.start").trigger_rule == "all_done_min_one_success"
    assert dag.get_task("start_machine").trigger_rule == "all_done_min_one_success"


@pytest.mark.parametrize("task", ["delete_resource_group", "report"])
def test_leftovers_go_and_the_report_is_made_whatever_happened(dag_bag: DagBag, task: str) -> None:
    found = dag_bag.dags["capture_vm"].get_task(task)
    assert (found.is_teardown, found.on_failure_fail_dagrun) == (True, False)
    assert "create_resource_group" in found.upstream_task_ids


def test_the_form_asks_what_a_capture_takes(dag_bag: DagBag) -> None:
    asked = set(dag_bag.dags["capture_vm"].params) - {"dry_run", "reason", "replica_count", "storage_account_type"}
    assert asked == set(Capture.model_fields) - {"export_seconds"}
