"""The trigger forms, as Airflow's UI treats them: its Trigger button is grey while a field that may not be null is empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag

PROJECT = Path(__file__).parents[2]
# What a person must fill in before a run can start. All else has a default, or means something when it is left empty.
MUST_BE_FILLED_IN = {"capture_vm": {"virtual_machine"}, "restore_vm": {"image", "resource_group", "name"}}


@pytest.fixture(scope="module")
def dags() -> dict[str, Any]:
    bag = DagBag(dag_folder=PROJECT / "dags", bundle_path=PROJECT / "dags", safe_mode=False)
    assert bag.import_errors == {}
    return bag.dags


def may_be_null(schema: dict[str, Any]) -> bool:
    kinds = schema.get("type")
    return kinds is None or "null" in ([kinds] if isinstance(kinds, str) else kinds)


def test_a_run_can_be_triggered_with_no_more_than_must_be_filled_in(dags: dict[str, Any]) -> None:
    empty = {
        dag_id: {name for name, field in dag.params.items() if not may_be_null(field.schema) and field.value in (None, "")}
        for dag_id, dag in dags.items()
    }
    assert {dag_id: fields for dag_id, fields in empty.items() if fields} == MUST_BE_FILLED_IN


def test_a_list_from_which_everything_was_taken_is_empty_and_not_missing(dags: dict[str, Any]) -> None:
    lists = [field for dag in dags.values() for _, field in dag.params.items() if "array" in (field.schema.get("type") or ())]
    assert lists
    assert all(may_be_null(field.schema) for field in lists if not field.schema.get("minItems"))


def test_every_default_fits_its_field(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        for name, field in dag.params.items():
            if name not in MUST_BE_FILLED_IN.get(dag_id, ()):
                field.resolve()


def test_every_field_has_a_title(dags: dict[str, Any]) -> None:
    assert [(dag_id, name) for dag_id, dag in dags.items() for name, field in dag.params.items() if not field.schema.get("title")] == []
