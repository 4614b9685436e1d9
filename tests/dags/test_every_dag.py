"""What every DAG has, whatever it does."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag

from image_factory.triggers.step import load_step
from tests.smallest_recipe import SMALLEST

PROJECT = Path(__file__).parents[2]
# They write nothing in Azure.
ONLY_LOOK = {"watch_base_images", "back_up_machines", "report_images"}
RECIPE = (
    SMALLEST
    + """\
notify: [{events: failed, notifier: tests.notifier.FileNotifier, arguments: {path: told}}]
"""
)


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "ubuntu.yaml").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMAGE_FACTORY_RECIPES", str(folder))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        bag = DagBag(dag_folder=PROJECT / "dags", bundle_path=PROJECT / "dags")
    assert bag.import_errors == {}
    assert len(bag.dags) >= 15
    return dict(bag.dags)


def test_every_dag_tells_its_news_and_its_failures(dags: dict[str, Any]) -> None:
    silent = [name for name, dag in dags.items() if not (dag.has_on_success_callback and dag.has_on_failure_callback)]
    assert silent == []


def test_every_dag_that_writes_is_planned_and_every_plan_ends_with_the_preflight(dags: dict[str, Any]) -> None:
    without = [name for name, dag in dags.items() if "plan" not in dag.task_ids]
    assert set(without) == ONLY_LOOK
    plans = {dag.get_task("plan").step for name, dag in dags.items() if name not in ONLY_LOOK}
    assert len(plans) >= 12
    assert [plan for plan in plans if "preflight.conclude(" not in inspect.getsource(inspect.getmodule(load_step(plan)) or object)] == []


def test_a_recipe_without_steps_and_checks_has_no_empty_groups(dags: dict[str, Any]) -> None:
    groups = dags["build_ubuntu"].task_group.get_task_group_dict()
    assert [name for name, group in groups.items() if name and not group.children] == []


def test_who_clears_a_task_that_failed_gets_the_rest_of_what_was_planned_and_no_other_plan(dags: dict[str, Any]) -> None:
    """Airflow clears a task's setups with it: `latest` of a roll-back, planned anew, would be the good version below the bad one."""
    anew = [
        f"{name}: {task}"
        for name, dag in dags.items()
        for task in set(dag.task_ids) - {"plan"}
        if "plan" in dag.partial_subset(task_ids=[task], include_upstream=False, include_downstream=True).task_ids
    ]
    assert anew == []
