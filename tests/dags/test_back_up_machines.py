"""The DAG that starts captures by their schedules."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import DagRunTriggerException

from image_factory.operators.backup import StartCaptureOperator
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


def test_a_capture_is_started_once_and_its_task_leads_to_its_run() -> None:
    task = StartCaptureOperator(task_id="capture", trigger_run_id="backup__web__2026-11-24T01:30", conf={"name": "web"})

    with pytest.raises(DagRunTriggerException) as raised:
        task.execute({})

    asked = raised.value
    assert (asked.trigger_dag_id, asked.dag_run_id, asked.conf) == ("capture_vm", "backup__web__2026-11-24T01:30", {"name": "web"})
    assert asked.skip_when_already_exists
    (link,) = task.operator_extra_links
    assert link.get_link(task, ti_key=None).endswith("/dags/capture_vm/runs/backup__web__2026-11-24T01:30")
