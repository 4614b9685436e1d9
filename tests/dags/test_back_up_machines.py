"""The DAG that starts captures by their schedules."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag

from tests.factory.test_backup import GOOD

PROJECT = Path(__file__).parents[2]
HALF_PAST_ONE = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)


@pytest.fixture
def function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The function behind the task ``due_backups``, on a catalogue with one backup, due at half past one."""
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "web.yaml").write_text(GOOD)
    monkeypatch.setenv("IMAGE_FACTORY_RECIPES", str(tmp_path))
    bag = DagBag(dag_folder=PROJECT / "dags" / "back_up_machines.py", bundle_path=PROJECT / "dags", safe_mode=False)
    assert bag.import_errors == {}
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
