"""What starts a build by itself: a new version of a parent, and a new version of a base that somebody else makes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.end_to_end.conftest import Factory

pytestmark = pytest.mark.airflow

NEWER = {"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2", "version": "0.20990101.1"}


def started_by_asset(factory: Factory, recipe: str) -> dict[str, Any] | None:
    return next((run for run in factory.runs_of(recipe) if run["run_type"] == "asset_triggered"), None)


def test_a_chain_of_three_recipes_is_built_in_order(evening: Factory) -> None:
    parent = evening.plan("chain-base", evening.runs["chain-base"]) if evening.outcome("chain-base", evening.runs["chain-base"]) else {}
    for recipe in ("chain-hardened", "chain-application"):
        run = evening.until(lambda recipe=recipe: started_by_asset(evening, recipe), f"a run of {recipe}")
        assert evening.outcome(recipe, run["dag_run_id"]) == "success"
        plan = evening.plan(recipe, run["dag_run_id"])
        assert plan["base"] == {"id": parent["version_id"], "version": parent["version"]}
        parent = plan


def test_a_newer_base_starts_the_build_that_waits_for_it_and_is_announced_once(evening: Factory) -> None:
    assert evening.outcome("watched", evening.runs["watched"]) == "success"
    quiet = evening.airflow.trigger("watch_base_images")
    assert evening.airflow.wait("watch_base_images", quiet) == "success"
    assert evening.airflow.task_states("watch_base_images", quiet) == {"look": "skipped", "announce": "skipped"}

    evening.airflow.sandbox_control.post("/_sandbox/marketplace", json=NEWER).raise_for_status()
    for _ in range(2):
        run = evening.airflow.trigger("watch_base_images")
        assert evening.airflow.wait("watch_base_images", run) == "success"
    started = evening.until(lambda: started_by_asset(evening, "watched"), "the build")
    assert evening.airflow.rest.xcom("watch_base_images", run, "announce") == []  # the second time it was told already
    assert evening.outcome("watched", started["dag_run_id"]) == "success"
    assert evening.plan("watched", started["dag_run_id"])["base"]["version"] == NEWER["version"]
