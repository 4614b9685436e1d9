"""The DAGs that bring versions to regions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

from include.factory.catalogue import load_catalogue
from include.factory.folder import catalogue_folder

PROJECT = Path(__file__).parents[2]
SHIPPED = load_catalogue(catalogue_folder()).recipes
KEEPERS = [f"replicate_{name.replace('-', '_')}" for name in SHIPPED]


@pytest.fixture(scope="module")
def dag_bag() -> DagBag:
    return DagBag(dag_folder=PROJECT / "dags" / "replicate_versions.py", bundle_path=PROJECT / "dags", safe_mode=False)


def test_there_is_one_for_each_recipe_and_one_for_everything_else(dag_bag: DagBag) -> None:
    assert dag_bag.import_errors == {}
    assert set(dag_bag.dags) == {*KEEPERS, "backfill_regions"}


@pytest.mark.parametrize("dag_id", [*KEEPERS, "backfill_regions"])
def test_the_report_is_made_whatever_became_of_the_change_and_does_not_hide_its_failure(dag_bag: DagBag, dag_id: str) -> None:
    dag = dag_bag.dags[dag_id]
    report = dag.get_task("report_regions")
    assert (report.is_teardown, report.on_failure_fail_dagrun) == (True, False)
    assert report.upstream_task_ids == {"plan", "change_regions"}


@pytest.mark.parametrize("dag_id", KEEPERS)
def test_a_recipes_regions_can_be_backfilled_by_date(dag_bag: DagBag, dag_id: str) -> None:
    again = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag_bag.dags[dag_id]))))
    assert again.timetable.periodic


def test_the_form_for_any_version_is_a_dry_run_unless_told_otherwise(dag_bag: DagBag) -> None:
    form = dag_bag.dags["backfill_regions"].params
    assert form.get_param("dry_run").value is True
    assert "uksouth" in form.get_param("add").schema["examples"]


def test_a_process_that_runs_one_task_makes_one_dag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "backfill_regions")
    bag = DagBag(dag_folder=PROJECT / "dags" / "replicate_versions.py", bundle_path=PROJECT / "dags", safe_mode=False)
    assert list(bag.dags) == ["backfill_regions"]
    bag = DagBag(dag_folder=PROJECT / "dags", bundle_path=PROJECT / "dags", safe_mode=False)
    assert [dag_id for dag_id in bag.dags if dag_id.startswith(("build_", "replicate_", "backfill_"))] == ["backfill_regions"]
