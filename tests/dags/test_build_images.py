"""The DAG files, as Airflow's DAG processor reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

from include.factory.catalogue import load_catalogue
from include.factory.folder import catalogue_folder
from include.factory.steps import steps_of

PROJECT = Path(__file__).parents[2]
SHIPPED = load_catalogue(catalogue_folder()).recipes


@pytest.fixture(scope="module")
def dag_bag() -> DagBag:
    return DagBag(dag_folder=PROJECT / "dags", bundle_path=PROJECT / "dags", safe_mode=False)


def _dag_id(recipe: str) -> str:
    return f"build_{recipe.replace('-', '_')}"


def test_the_dag_files_import(dag_bag: DagBag) -> None:
    assert dag_bag.import_errors == {}
    assert {dag_id for dag_id in dag_bag.dags if dag_id.startswith("build_")} == {_dag_id(name) for name in SHIPPED}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_dag_has_the_tasks_that_its_plan_has_arguments_for(dag_bag: DagBag, name: str) -> None:
    own = {"plan", "announce_version", "approve"}

    tasks = set(dag_bag.dags[_dag_id(name)].task_ids)

    assert tasks - own == set(steps_of(SHIPPED[name]))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_task_runs_the_step_that_the_plan_has_in_mind(dag_bag: DagBag, name: str) -> None:
    steps = steps_of(SHIPPED[name])

    tasks = dag_bag.dags[_dag_id(name)].task_dict

    assert {task_id: tasks[task_id].step for task_id in steps} == steps


@pytest.mark.parametrize("name", SHIPPED)
def test_a_dag_survives_serialization(dag_bag: DagBag, name: str) -> None:
    serialized = DagSerialization.to_dict(dag_bag.dags[_dag_id(name)])

    again = DagSerialization.from_dict(json.loads(json.dumps(serialized)))

    assert {task.task_id for task in again.tasks} == set(dag_bag.dags[_dag_id(name)].task_ids)


def test_the_grid_of_the_ui_lists_the_tasks_in_the_order_in_which_they_happen(dag_bag: DagBag) -> None:
    # Airflow sorts a group by what its first tasks wait for: one that waits for the plan alone would stand, with its group, at the top.
    dag = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag_bag.dags["build_ubuntu_2404_base"]))))
    order = [node.node_id for node in dag.task_group.topological_sort()]
    stages = ["plan", "build_machine", "prepare", "check", "generalize", "capture", "publish_version", "boot_test", "promote_version"]
    assert [node for node in order if node in stages] == stages


@pytest.mark.parametrize("name", SHIPPED)
def test_latest_moves_only_after_boot_test_and_replication(dag_bag: DagBag, name: str) -> None:
    dag = dag_bag.dags[_dag_id(name)]

    before = dag.get_task("promote_version").get_flat_relative_ids(upstream=True)

    assert "replicate_version" in before
    assert ("boot_test.run_script" in before) == bool(SHIPPED[name].boot_test)


@pytest.mark.parametrize("name", SHIPPED)
def test_whatever_was_built_goes_whatever_happens(dag_bag: DagBag, name: str) -> None:
    dag = dag_bag.dags[_dag_id(name)]

    assert dag.get_task("delete_build").is_teardown
    assert dag.get_task("build_machine.create_resource_group").is_setup


def test_a_recipe_built_on_another_is_scheduled_by_its_image(dag_bag: DagBag) -> None:
    children = {name: recipe.parent for name, recipe in SHIPPED.items() if recipe.parent}
    assert children

    for name, parent in children.items():
        published = [asset.name for asset in dag_bag.dags[_dag_id(parent)].get_task("announce_version").outlets]
        awaited = [asset.name for asset in dag_bag.dags[_dag_id(name)].timetable.asset_condition.objects]
        assert awaited == published


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalogue with one good recipe and one broken one."""
    source = catalogue_folder()
    (tmp_path / "scripts").symlink_to(source / "scripts")
    good = (source / "ubuntu-2404-base.yaml").read_text()
    (tmp_path / "ubuntu-2404-base.yaml").write_text(good)
    (tmp_path / "broken.yaml").write_text(good.replace("name: ubuntu-2404-base", "name: broken") + "\ncolour: red\n")
    return tmp_path


def _bag_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> DagBag:
    monkeypatch.setenv("IMAGE_FACTORY_RECIPES", str(folder))
    return DagBag(dag_folder=PROJECT / "dags", bundle_path=PROJECT / "dags", safe_mode=False)


def test_a_broken_recipe_is_one_import_error_and_hides_no_other_image(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bag = _bag_of(folder, monkeypatch)

    assert [dag_id for dag_id in bag.dags if dag_id.startswith("build_")] == ["build_ubuntu_2404_base"]
    (error,) = bag.import_errors.values()
    assert "broken.yaml" in error
    assert "colour" in error


def test_a_process_that_runs_one_task_makes_one_dag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "build_ubuntu_2404_base")

    bag = DagBag(dag_folder=PROJECT / "dags" / "build_images.py", bundle_path=PROJECT / "dags", safe_mode=False)

    assert [dag_id for dag_id in bag.dags if dag_id.startswith(("build_", "replicate_"))] == ["build_ubuntu_2404_base"]


def test_reading_the_dag_files_imports_no_azure_sdk() -> None:
    """The SDK costs two seconds and 120 MB in every process that reads DAG files."""
    script = (
        "import sys, runpy, json\n"
        "from pathlib import Path\n"
        "for file in sorted(Path('dags').glob('*.py')): runpy.run_path(str(file))\n"
        "print(json.dumps(sorted(name for name in sys.modules if name == 'azure' or name.startswith('azure.'))))\n"
    )

    output = _python(script)

    assert json.loads(output.splitlines()[-1]) == []


def _python(script: str) -> str:
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": os.pathsep.join((str(PROJECT), str(PROJECT / "plugins")))}
    return subprocess.run([sys.executable, "-c", script], cwd=PROJECT, env=environment, check=True, capture_output=True, text=True).stdout
