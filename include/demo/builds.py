"""The builds of the shipped recipes: started, and followed step by step through the REST API."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from include.demo.airflow_api import AirflowApi
from include.demo.settings import DemoError
from include.factory.recipe import Recipe

ENDED = {"success", "failed"}
# A task in the triggerer is `deferred` all the while it works.
WORDS = {
    "deferred": "running",
    "running": "running",
    "success": "done",
    "up_for_retry": "waits for its retry",
    "awaiting_input": "waits for approval",
    "upstream_failed": "not run: an earlier step failed",
    "skipped": "skipped",
    "failed": "failed",
    "restarting": "restarting",
}
TIMED = {"deferred", "running", "success", "failed"}
PREFIX = "build_"
PLAN = "plan"
OVERLAP = timedelta(seconds=5)  # a change may be stamped before it is committed
PARSE_SECONDS = 90  # how long the dag-processor may take to show a recipe's DAG
CHILD_SECONDS = 60  # how long the scheduler may take to answer a parent's new version


def dag_of(recipe: str) -> str:
    """The id of a recipe's build DAG (dags/build_images.py)."""
    return f"{PREFIX}{recipe.replace('-', '_')}"


def recipe_of(dag: str) -> str:
    """The recipe of a build DAG, of one that was added while the demo runs, too: names have no underscores."""
    return dag.removeprefix(PREFIX).replace("_", "-")


@dataclass(frozen=True)
class Step:
    """One task of one run. `start` and `end` are ISO times, or None; `reason` says why it was skipped, where it did."""

    recipe: str
    run: str
    task: str
    state: str
    start: str | None
    end: str | None
    reason: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it has worked, or how long it took."""
        if not self.start:
            return None
        end = datetime.fromisoformat(self.end) if self.end else datetime.now(UTC)
        return max(0.0, (end - datetime.fromisoformat(self.start)).total_seconds())

    def __str__(self) -> str:
        took = "" if not self.seconds or self.state not in TIMED else f" {self.seconds:.0f} s"
        why = f": {self.reason}" if self.reason else ""
        return f"{self.recipe:<24} {self.task:<38} {WORDS[self.state]}{took}{why}"


class Builds:
    """The builds that one demo started, with those that they start.

    :param recipes: the catalogue, by name.
    """

    def __init__(self, api: AirflowApi, recipes: Mapping[str, Recipe]) -> None:
        self._api = api
        self._recipes = recipes
        self._old: set[tuple[str, str]] = set()  # runs of earlier demos, (recipe, run id)
        self._runs: dict[tuple[str, str], str] = {}  # state by the same
        self._steps: dict[tuple[str, str, str], Step] = {}
        self._owed_since: dict[str, float] = {}
        self._names = {dag_of(name): name for name in recipes}
        self._read_at = datetime.now(UTC)
        self._started = False

    def start(self) -> None:
        """Unpause all, and trigger those that are built on no other recipe's image: a parent's new version starts its children.

        :raises DemoError: a recipe has no DAG.
        """
        self._wait_for_dags()
        for name in self._recipes:
            for run in self._api.runs(dag_of(name)):
                key = (name, run["dag_run_id"])
                if run["state"] in ENDED:
                    self._old.add(key)
                else:  # an earlier demo was stopped in the middle of it: it goes on now
                    self._runs[key] = run["state"]
        # A child must listen before its parent speaks.
        for name in sorted(self._recipes, key=lambda name: self._recipes[name].parent is None):
            if self._recipes[name].parent is None:
                self._api.trigger(dag_of(name), {"reason": "make demo"})
            self._api.unpause(dag_of(name))
        self._started = True

    def changes(self) -> list[Step]:
        """The steps that changed their state since the last call: two requests, however many builds there are."""
        now = datetime.now(UTC)
        runs = self._api.runs_since(PREFIX, self._read_at)
        # The tasks are read after the runs: when a run has ended, so have its tasks.
        tasks = self._api.task_instances_since(PREFIX, self._read_at)
        self._read_at = now - OVERLAP
        for run in runs:
            key = (recipe_of(run["dag_id"]), run["dag_run_id"])
            if key not in self._old:
                self._runs[key] = run["state"]
        return self._changed(tasks)

    def running(self) -> list[Step]:
        """The steps that are at work, as of the last :meth:`changes`."""
        return [step for step in self._steps.values() if WORDS[step.state] == "running"]

    def failed(self) -> list[str]:
        """A sentence for every run that failed, naming its first failed step."""
        sentences = []
        for (name, run), state in self._runs.items():
            if state == "failed":
                steps = [step.task for step in self._steps.values() if (step.recipe, step.run) == (name, run) and step.state == "failed"]
                sentences.append(f"{name}: run {run} failed in {', '.join(steps) or 'no step'}")
        return sentences

    def have_ended(self) -> bool:
        """Whether nothing is running, and nothing more will start by itself."""
        begun = {name for name, _ in self._runs}
        roots = {name for name, recipe in self._recipes.items() if recipe.parent is None}
        return self._started and roots <= begun and all(state in ENDED for state in self._runs.values()) and not self._owed()

    def _owed(self) -> list[str]:
        """Children whose parent published a version that no run of theirs has answered yet, for as long as one may still come."""
        owed = []
        for name, recipe in self._recipes.items():
            announced = [
                step
                for step in self._steps.values()
                if step.recipe == recipe.parent and step.task == "announce_version" and step.state == "success"
            ]
            answers = [key for key in self._runs if key[0] == name]
            if len(announced) > len(answers):
                since = self._owed_since.setdefault(f"{name} {len(announced)}", time.monotonic())
                if time.monotonic() - since < CHILD_SECONDS:
                    owed.append(name)
        return owed

    def _changed(self, tasks: list[dict[str, Any]]) -> list[Step]:
        changed = []
        for task in sorted(tasks, key=lambda task: task["start_date"] or "~"):
            name, run = recipe_of(task["dag_id"]), task["dag_run_id"]
            if (name, run) not in self._runs or task["state"] not in WORDS:
                continue  # of an earlier demo; or not begun: scheduled, queued, or no state yet
            step = Step(name, run, task["task_id"], task["state"], task["start_date"], task["end_date"])
            before = self._steps.get((name, run, step.task))
            if step.state == "skipped" and step.task == PLAN:
                reason = (before.reason if before else "") or self._api.xcom(task["dag_id"], run, PLAN, "skip_reason")
                step = replace(step, reason=reason or "")
            self._steps[name, run, step.task] = step
            if step.state == "skipped" and step.task != PLAN:
                continue  # because an earlier step was, or because there was nothing to discard: no news
            if before is None or WORDS[before.state] != WORDS[step.state]:
                changed.append(step)
        return changed

    def _wait_for_dags(self) -> None:
        deadline = time.monotonic() + PARSE_SECONDS
        while missing := self._names.keys() - {dag["dag_id"] for dag in self._api.dags(PREFIX)}:
            if time.monotonic() > deadline:
                errors = "\n".join(f"{error['filename']}: {error['stack_trace']}" for error in self._api.import_errors())
                names = ", ".join(sorted(self._names[dag] for dag in missing))
                raise DemoError(f"Airflow shows no build DAG for {names}.\n{errors or 'No DAG file failed to import.'}")
            time.sleep(0.5)
