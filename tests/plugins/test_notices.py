"""Who is told what, and what is said of a notifier that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from image_factory.notices import broken_notifiers, callbacks, callbacks_of
from include.factory.backup import load_backups
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


class TaskInstance:
    """The task instance of a callback, as far as it is asked: which tasks failed, and what they pushed."""

    def __init__(self, failed: Sequence[str] = (), **pushed: Any) -> None:
        self.failed = failed
        self.pushed = pushed

    def get_task_states(self, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:
        return {run_ids[0]: dict.fromkeys(self.failed, "failed")}

    def xcom_pull(self, task_ids: str, key: str = "return_value", **_: Any) -> Any:
        return self.pushed.get(f"{task_ids}_{key}")


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


def backup(folder: Path, file: Path) -> Any:
    (folder / "backups").mkdir()
    notify = f'notify: [{{events: failed, notifier: {NOTIFIER}, arguments: {{path: "{file}"}}}}]\n'
    (folder / "backups" / "web.yaml").write_text(GOOD + notify)
    return load_backups(folder).backups["web"]


@pytest.mark.parametrize("is_backup", [True, False])
def test_whom_a_backup_names_is_told_when_it_failed(context: dict[str, Any], tmp_path: Path, is_backup: bool) -> None:
    file = tmp_path / "told"
    form = backup(tmp_path, file).form()
    conf = form if is_backup else {**form, "definition": "another"}
    callbacks()["on_failure_callback"]({**context, "dag_run": SimpleNamespace(conf=conf)})

    assert file.exists() is is_backup
    if is_backup:
        assert file.read_text().startswith("failed: web: a run of build_ubuntu_base failed")


@pytest.mark.parametrize(
    "conf",
    [
        {"recipe": "ubuntu-base"},
        {"image": "ubuntu-base"},
        {"resource_group": "RG-factory", "gallery": "factory", "definition": "ubuntu-base"},
    ],
)
def test_a_run_by_hand_is_about_the_image_that_its_form_names(context: dict[str, Any], tmp_path: Path, conf: dict[str, Any]) -> None:
    write(tmp_path, tmp_path / "told", "failed")
    callbacks()["on_failure_callback"]({**context, "dag_run": SimpleNamespace(conf=conf)})

    assert (tmp_path / "told").read_text().startswith("failed: ubuntu-base: a run of build_ubuntu_base failed")


def planned(context: dict[str, Any], failed: Sequence[str], **pushed: Any) -> dict[str, Any]:
    """The context of a run with a plan."""
    dag = DAG("keep_second_galleries", schedule=None)
    for task in ("plan", "keep"):
        BaseOperator(task_id=task, dag=dag)
    return {**context, "dag": dag, "ti": TaskInstance(failed, **pushed)}


def test_a_failure_is_about_what_the_plan_was_about(context: dict[str, Any], tmp_path: Path) -> None:
    one = write(tmp_path, tmp_path / "told", "failed")
    error = {"message": "refused", "cure": "ask for it"}
    given = planned(context, ["keep"], plan_return_value={"about": ["ubuntu-base"]}, keep_error=error)
    callbacks()["on_failure_callback"](given)
    callbacks([one.name])["on_failure_callback"](planned(context, ["keep"], plan_return_value={"about": ["another"]}, keep_error=error))

    assert (tmp_path / "told").read_text().splitlines() == [
        "failed: ubuntu-base: a run of keep_second_galleries failed",
        "Run manual__1 of keep_second_galleries failed.",
        "keep: refused What to do: ask for it",
    ]


def test_a_run_that_is_partly_done_tells_of_what_is_and_fails_for_those_whom_its_error_names(
    context: dict[str, Any], tmp_path: Path
) -> None:
    write(tmp_path, tmp_path / "told", "failed", "retired")
    done = {"event": "retired", "recipe": "ubuntu-base", "title": "1 version retired"}
    plan = {"about": ["ubuntu-base", "another"]}
    error = {"message": "1 is not", "cure": "clear it", "about": ["another"]}
    callbacks()["on_failure_callback"](planned(context, ["keep"], plan_return_value=plan, keep_error=error, keep_notices=[done]))
    assert (tmp_path / "told").read_text().splitlines() == ["retired: 1 version retired"]

    error["about"] = ["ubuntu-base"]
    callbacks()["on_failure_callback"](planned(context, ["keep"], plan_return_value=plan, keep_error=error))
    assert "failed: ubuntu-base: a run of keep_second_galleries failed" in (tmp_path / "told").read_text()


def test_whoever_is_told_of_several_images_in_the_same_way_is_told_once(context: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path, tmp_path / "told", "failed")
    text = (tmp_path / "ubuntu-base.yaml").read_text()
    (tmp_path / "other.yaml").write_text(text.replace("name: ubuntu-base", "name: other"))
    callbacks()["on_failure_callback"](planned(context, ["keep"], plan_return_value={"about": ["other", "ubuntu-base"]}))

    assert (tmp_path / "told").read_text().splitlines() == [
        "failed: other, ubuntu-base: a run of keep_second_galleries failed",
        "Run manual__1 of keep_second_galleries failed.",
        "keep: its log says why.",
    ]


class Runs(TaskInstance):
    """What Airflow says of the tasks of a DAG's runs: one task of each has the state that is given."""

    def __init__(self, states: dict[str, str]) -> None:
        super().__init__()
        self.states = states

    def get_task_states(self, dag_id: str, run_ids: Sequence[str] | None = None, **_: Any) -> dict[str, dict[str, str]]:
        return {run: {"plan": state} for run, state in self.states.items() if run_ids is None or run in run_ids}


RUN = "asset_triggered__2026-11-23T05:00:00+00:00_x1Y2"


@pytest.mark.parametrize(
    ("before", "paused"),
    [
        ({"scheduled__2026-11-22T01:00:00+00:00": "failed", "manual__2026-11-22T09:00:00+00:00_ab_c": "failed"}, True),
        ({"scheduled__2026-11-21T01:00:00+00:00": "failed", "asset_triggered__2026-11-22T09:00:00+00:00_z": "success"}, False),
        # The success is older than what counts; a run that somebody named is passed over.
        (
            {
                "scheduled__2026-11-20T01:00:00+00:00": "success",
                "mine": "success",
                "scheduled__2026-11-21T01:00:00+00:00": "failed",
                "scheduled__2026-11-22T01:00:00+00:00": "failed",
            },
            True,
        ),
        ({"scheduled__2026-11-22T01:00:00+00:00": "failed"}, False),
        # A newer one runs: Airflow waits for its end.
        ({"scheduled__2026-11-22T01:00:00+00:00": "failed", "scheduled__2026-11-23T06:00:00+00:00": "running"}, False),
    ],
)
def test_who_asked_only_for_pauses_is_told_of_one_whatever_started_the_runs(
    context: dict[str, Any], tmp_path: Path, before: dict[str, str], paused: bool
) -> None:
    """A run that an asset started, or a person, has no logical date; Airflow counts it like all others."""
    file = tmp_path / "told"
    told = callbacks_of(write(tmp_path, file, "paused"), pause_after=3)["on_failure_callback"]
    told({**context, "run_id": RUN, "ti": Runs({**before, RUN: "failed"}), "dag_run": SimpleNamespace(logical_date=None, conf=None)})
    assert file.exists() is paused
    if paused:
        assert "paused: ubuntu-base: paused after 3 failures in a row" in file.read_text()
