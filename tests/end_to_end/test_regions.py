"""Regions of versions that exist already, by form and by backfill."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.end_to_end.conftest import Factory

pytestmark = pytest.mark.airflow

GALLERY = {"resource_group": "rg-end-to-end", "gallery": "endtoend"}


def form(definition: str, **fields: Any) -> dict[str, Any]:
    return {**GALLERY, "definition": definition, "versions": "*", "add": ["uksouth"], "dry_run": False, **fields}


def test_a_form_brings_a_version_to_a_new_region(evening: Factory) -> None:
    """Planned as a dry run first, which writes nothing."""
    recipe, version = "approved", evening.plan("approved", evening.runs["approved"])["version"]
    before = evening.requests().get("PATCH Microsoft.Compute/galleries/images/versions", 0)
    dry = evening.airflow.trigger("backfill_regions", form(recipe, dry_run=True))
    assert evening.airflow.wait("backfill_regions", dry) == "success"
    assert evening.airflow.task_states("backfill_regions", dry)["change_regions"] == "skipped"
    assert version in evening.airflow.log("backfill_regions", dry, "plan")
    assert evening.requests().get("PATCH Microsoft.Compute/galleries/images/versions", 0) == before

    real = evening.airflow.trigger("backfill_regions", form(recipe))
    assert evening.airflow.wait("backfill_regions", real) == "success"
    assert evening.replicated(recipe, version)["uksouth"] == "Completed"
    table = evening.airflow.rest.xcom("backfill_regions", real, "report_regions")["table"]
    assert version in table
    assert "uksouth" in table


def test_a_version_that_could_not_be_done_fails_the_run_and_the_report_names_it(evening: Factory) -> None:
    version = evening.plan("steady", evening.runs["steady"])["version"]
    with evening.airflow.faults({"use": "R01", "match": {"name": version, "region": "japaneast"}, "count": None}):
        run = evening.airflow.trigger("backfill_regions", form("steady", add=["japaneast"]))
        assert evening.airflow.wait("backfill_regions", run) == "failed"
    states = evening.airflow.task_states("backfill_regions", run)
    assert (states["change_regions"], states["report_regions"]) == ("failed", "success")
    assert evening.airflow.rest.xcom("backfill_regions", run, "report_regions")["incomplete"] == {version: {"japaneast": "Failed"}}
    log = evening.airflow.log("backfill_regions", run, "change_regions")
    assert "japaneast" in log
    assert "What to do:" in log


def test_a_bad_form_is_refused_by_name(evening: Factory) -> None:
    run = evening.airflow.trigger("backfill_regions", form("steady", versions="9.9.9"))
    assert evening.airflow.wait("backfill_regions", run) == "failed"
    assert "There is no version 9.9.9" in evening.airflow.log("backfill_regions", run, "plan")


def test_airflows_own_backfill_brings_the_versions_of_a_day_to_the_recipes_regions(evening: Factory) -> None:
    """The version of `steady` was made for yesterday; somebody took one of its regions away since."""
    version = evening.plan("steady", evening.runs["steady"])["version"]
    removal = evening.airflow.trigger("backfill_regions", form("steady", add=[], remove=["westeurope"]))
    assert evening.airflow.wait("backfill_regions", removal) == "success"
    assert "westeurope" not in evening.replicated("steady", version)

    yesterday = evening.yesterday.replace(hour=0, minute=0, second=0)
    evening.airflow.unpause("replicate_steady")
    body = {
        "dag_id": "replicate_steady",
        "from_date": yesterday.isoformat(),
        "to_date": (yesterday + timedelta(days=1)).isoformat(),
        "run_backwards": False,
        "max_active_runs": 2,
        "reprocess_behavior": "none",
        "dag_run_conf": {},
    }
    answer = evening.airflow.api.post("/api/v2/backfills", json=body)
    assert answer.is_success, answer.text
    evening.until(lambda: evening.replicated("steady", version).get("westeurope") == "Completed", "the region is back")
    runs = [run for run in evening.airflow.rest.runs("replicate_steady") if run["run_type"] == "backfill"]
    assert runs
    for run in runs:
        assert evening.airflow.wait("replicate_steady", run["dag_run_id"]) == "success"
