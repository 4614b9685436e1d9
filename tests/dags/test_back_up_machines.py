"""The DAG that starts captures by their schedules."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import DagRunTriggerException
from airflow.serialization.serialized_objects import DagSerialization

from tests.factory.test_backup import GOOD

PROJECT = Path(__file__).parents[2]
HALF_PAST_ONE = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)


@pytest.fixture
def bag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DagBag:
    """The DAG on a catalogue with one backup, due at half past one."""
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "web.yaml").write_text(GOOD)
    monkeypatch.setenv("IMAGE_FACTORY_RECIPES", str(tmp_path))
    bag = DagBag(dag_folder=PROJECT / "dags" / "back_up_machines.py", bundle_path=PROJECT / "dags", safe_mode=False)
    assert bag.import_errors == {}
    return bag


@pytest.fixture
def function(bag: DagBag) -> Any:
    """The function behind the task ``due_backups``."""
    return bag.dags["back_up_machines"].get_task("due_backups").python_callable


def started(function: Any, at: datetime, last: datetime | None = None) -> list[str]:
    runs = function(dag_run=SimpleNamespace(logical_date=at, run_after=at), prev_data_interval_end_success=last)
    return [run["trigger_run_id"] for run in runs]


def test_a_backup_is_started_in_its_quarter_under_an_id_of_its_own(function: Any) -> None:
    assert started(function, HALF_PAST_ONE) == ["backup__web__2026-11-24T01:30"]
    assert started(function, HALF_PAST_ONE.replace(minute=45)) == []


def test_a_missed_quarter_is_made_up_for(function: Any) -> None:
    late = HALF_PAST_ONE.replace(hour=9)
    assert started(function, late, HALF_PAST_ONE.replace(minute=15)) == ["backup__web__2026-11-24T01:30"]
    assert started(function, late, HALF_PAST_ONE) == []


def test_a_capture_is_started_once_and_airflow_knows_that_the_one_dag_starts_the_other(bag: DagBag) -> None:
    dag = bag.dags["back_up_machines"]
    started = {"trigger_run_id": "backup__web__2026-11-24T01:30", "conf": {"name": "web"}}
    task = dag.get_task("capture").unmap(started)
    with pytest.raises(DagRunTriggerException) as raised:
        task.execute({})
    asked = raised.value
    assert (asked.trigger_dag_id, asked.dag_run_id, asked.conf) == ("capture_vm", "backup__web__2026-11-24T01:30", {"name": "web"})
    assert asked.skip_when_already_exists
    assert asked.logical_date is None
    (dependency,) = DagSerialization.to_dict(dag)["dag"]["dag_dependencies"]
    assert (dependency["source"], dependency["target"], dependency["dependency_type"]) == ("back_up_machines", "capture_vm", "trigger")
