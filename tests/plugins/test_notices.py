"""Who is told what, and what is said of a notifier that cannot be used."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG

from image_factory.notices import broken_notifiers, callbacks_of, tell_of_failed_backup
from include.factory.recipe import Recipe
from tests.factory.builds import RECIPE, recipe
from tests.factory.test_backup import GOOD

NOTIFIER = "tests.notifier.FileNotifier"


def told_by(file: Path, *events: str, **arguments: Any) -> Recipe:
    return recipe(notify=[{"events": list(events), "notifier": NOTIFIER, "arguments": {"path": str(file), **arguments}}])


def write(folder: Path, file: Path, *events: str) -> Recipe:
    """The recipe as a file of a catalogue of its own."""
    (folder / "ubuntu-base.yaml").write_text(
        f"""\
name: ubuntu-base
owner: team@example.com
os: {{type: Linux}}
base: "Canonical:ubuntu-24_04-lts:server:latest"
build: {{region: eastus2}}
publish: {{gallery: factory, resource_group: rg-factory}}
boot_test: false
notify:
  - {{events: [{", ".join(events)}], notifier: {NOTIFIER}, arguments: {{path: "{file}"}}}}
"""
    )
    return told_by(file, *events)


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Airflow hands to a DAG's callback when no task instance can be shown."""
    monkeypatch.setenv("IMAGE_FACTORY_RECIPES", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return {"dag": DAG("build_ubuntu_base", schedule=None), "run_id": "manual__1", "reason": "task_failure"}


def test_a_recipe_that_tells_nobody_has_no_callbacks() -> None:
    assert callbacks_of(recipe()) == {}


def test_who_asked_for_failures_is_told_of_one(context: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "told"
    callbacks_of(write(tmp_path, file, "failed"))["on_failure_callback"](context)

    assert file.read_text().splitlines() == [
        "failed: ubuntu-base: a run of build_ubuntu_base failed",
        "Run manual__1 of build_ubuntu_base failed.",
    ]


def test_who_asked_for_other_events_is_not(context: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "told"
    callbacks_of(write(tmp_path, file, "published", "retired"))["on_failure_callback"](context)

    assert not file.exists()


@pytest.mark.parametrize(
    ("notifier", "arguments", "words"),
    [
        ("tests.notifier.NoNotifier", {}, "has no attribute 'NoNotifier'"),
        ("airflow.providers.nobody.Notifier", {}, "No module named 'airflow.providers.nobody'"),
        ("pathlib.Path", {}, "is no notifier"),
        (NOTIFIER, {"nowhere": 1}, "path"),
    ],
)
def test_a_notifier_that_cannot_be_used_is_named_before_it_is_needed(notifier: str, arguments: dict[str, Any], words: str) -> None:
    one = Recipe.model_validate({**RECIPE, "notify": [{"events": "failed", "notifier": notifier, "arguments": arguments}]})
    (problem,) = broken_notifiers([one])

    assert problem.startswith(f"ubuntu-base.yaml: notify[0].notifier: {notifier} cannot be used: ")
    assert words in problem


def test_a_notifier_that_can_be_used_is_no_problem(tmp_path: Path) -> None:
    assert list(broken_notifiers([told_by(tmp_path / "told", "failed")])) == []


@pytest.mark.parametrize(("name", "is_told"), [("web", True), ("by-hand", False), (None, False)])
def test_whom_a_backup_names_is_told_when_it_failed(context: dict[str, Any], tmp_path: Path, name: str | None, is_told: bool) -> None:
    file = tmp_path / "told"
    (tmp_path / "backups").mkdir()
    notify = f'notify: [{{events: failed, notifier: {NOTIFIER}, arguments: {{path: "{file}"}}}}]\n'
    (tmp_path / "backups" / "web.yaml").write_text(GOOD + notify)
    tell_of_failed_backup({**context, "dag_run": SimpleNamespace(conf={"name": name} if name else None)})

    assert file.exists() is is_told
    if is_told:
        assert file.read_text().startswith("failed: web: a run of build_ubuntu_base failed")
