"""The DAGs of a version's life: promote, roll back, retire, restore."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

PROJECT = Path(__file__).parents[2]
TASKS = {
    "promote_version": ["plan", "approve", "promote_version", "report_promotion"],
    "roll_back": ["plan", "roll_back", "report_versions"],
    "retire_versions": ["plan", "retire_versions", "report_versions"],
    "restore_version": ["plan", "restore_version", "report_versions"],
}


def dag_of(name: str) -> Any:
    bag = DagBag(dag_folder=PROJECT / "dags" / f"{name}.py", bundle_path=PROJECT / "dags", safe_mode=False)
    assert bag.import_errors == {}
    return bag.dags[name]


@pytest.fixture(scope="module", params=TASKS)
def dag(request: pytest.FixtureRequest) -> Any:
    return dag_of(request.param)


def test_it_plans_acts_and_reports(dag: Any) -> None:
    assert [task.task_id for task in dag.topological_sort()] == TASKS[dag.dag_id]


def test_the_report_is_made_whatever_became_of_the_act_and_does_not_hide_its_failure(dag: Any) -> None:
    report = dag.get_task(TASKS[dag.dag_id][-1])
    assert (report.is_teardown, report.on_failure_fail_dagrun) == (True, False)


def test_it_survives_serialization(dag: Any) -> None:
    again = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    assert {task.task_id for task in again.tasks} == set(TASKS[dag.dag_id])


def test_its_form_needs_nothing_but_the_image(dag: Any) -> None:
    form = dag.params
    assert [form.get_param(name).value for name in ("recipe", "resource_group", "gallery", "definition")] == [None] * 4
    assert "ubuntu-2404-base" in form.get_param("recipe").schema["examples"]
    form.validate()


def test_what_deletes_is_dry_until_somebody_says_otherwise() -> None:
    retire = dag_of("retire_versions")
    assert retire.params.get_param("dry_run").value is None
    assert retire.get_task("plan").arguments["switch"] == "{{ var.value.get('image_factory_retire', '') }}"
    assert retire.timetable.expression == "0 7 * * *"
