"""What starts a build by itself: a new version of a parent, and a new version of a base that somebody else makes."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.end_to_end.conftest import Factory

pytestmark = pytest.mark.airflow

NEWER = {"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2", "version": "0.20990101.1"}


def started_by_asset(factory: Factory, recipe: str) -> dict[str, Any] | None:
    return next((run for run in factory.runs_of(recipe) if run["run_type"] == "asset_triggered"), None)


def test_a_chain_of_three_recipes_is_built_in_order(evening: Factory) -> None:
    run_id = evening.runs["chain-base"]
    assert evening.outcome("chain-base", run_id) == "success"
    # The region had no room for a machine of the first size.
    assert "Allocation failed" in evening.log("chain-base", run_id, "build_machine.create_virtual_machine")
    parent = evening.plan("chain-base", run_id)
    for recipe in ("chain-hardened", "chain-application"):
        run = evening.until(partial(started_by_asset, evening, recipe), f"a run of {recipe}")
        assert evening.outcome(recipe, run["dag_run_id"]) == "success"
        plan = evening.plan(recipe, run["dag_run_id"])
        assert plan["base"] == {"id": parent["version_id"], "version": parent["version"]}
        parent = plan


def test_a_build_that_is_throttled_for_longer_than_it_is_tried_for_anything_else_ends_well(evening: Factory) -> None:
    run_id, task = evening.runs["watched"], "build_machine.create_virtual_machine"
    assert evening.outcome("watched", run_id) == "success"

    (made,) = [each for each in evening.airflow.rest.task_instances("build_watched", run_id) if each["task_id"] == task]
    assert (made["state"], made["try_number"]) == ("success", 5)
    for attempt in range(1, 5):
        assert "too many requests have been received" in evening.log("watched", run_id, task, attempt)
    assert evening.latest("watched") == evening.plan("watched", run_id)["version"]


def test_a_newer_base_is_found_on_the_hour_announced_once_and_starts_the_build_that_waits_for_it(evening: Factory) -> None:
    assert evening.outcome("watched", evening.runs["watched"]) == "success"
    quiet = evening.airflow.trigger("watch_base_images")
    assert evening.airflow.wait("watch_base_images", quiet) == "success"
    assert evening.airflow.task_states("watch_base_images", quiet) == {"look": "skipped", "announce": "skipped"}

    evening.airflow.sandbox_control.post("/_sandbox/marketplace", json=NEWER).raise_for_status()
    # Found by the watcher's own schedule, although the token expires in the middle of it.
    with evening.airflow.faults({"use": "U12", "match": {"type": "Microsoft.Compute/locations/publishers/*"}}) as fired:
        found = evening.airflow.let_its_hour_come("watch_base_images")
        assert evening.airflow.wait("watch_base_images", found) == "success"
        assert fired() == [1]
    assert evening.airflow.rest.xcom("watch_base_images", found, "announce") == ["watched"]
    started = evening.until(lambda: started_by_asset(evening, "watched"), "the build")
    again = evening.airflow.trigger("watch_base_images")
    assert evening.airflow.wait("watch_base_images", again) == "success"
    assert evening.airflow.rest.xcom("watch_base_images", again, "announce") == []  # it was told already
    assert evening.outcome("watched", started["dag_run_id"]) == "success"
    assert evening.plan("watched", started["dag_run_id"])["base"]["version"] == NEWER["version"]
