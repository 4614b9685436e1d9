"""Telling people, at the end of a run, through whatever notifiers their recipes and backups name.

A task that has news returns it among its result as ``notices`` (:class:`include.factory.notice.Notice`), or pushes an XCom of that name;
one that fails gives what it did nevertheless to its error. The callbacks here run in the dag-processor when the run has ended: they
gather the news, add a notice where the run failed, and hand each to the notifiers of whom it is about. No task waits for them, and a
notifier that fails fails nothing.

Every DAG has them (:func:`callbacks`; a test holds that).
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from image_factory.planning import PLAN

# What a callback needs of the catalogue it imports when it is called: every DAG file imports this module.
if TYPE_CHECKING:
    from include.factory.backup import Backup
    from include.factory.notice import Notice, Notify
    from include.factory.recipe import Recipe

log = logging.getLogger(__name__)

KEY = "notices"


def callbacks_of(recipe: Recipe, *, pause_after: int | None = None) -> dict[str, Any]:
    """The callbacks of a DAG of one recipe, as keywords of ``DAG``; none where nobody is to be told.

    :param pause_after: failed runs in a row after which Airflow pauses the DAG, or None.
    """
    return callbacks([recipe.name], pause_after=pause_after) if recipe.notify else {}


def callbacks(about: Iterable[str] = (), *, pause_after: int | None = None) -> dict[str, Any]:
    """The callbacks of a DAG, as keywords of ``DAG``.

    :param about: names of the recipes and backups that the DAG works for; whom they name is told of a failure where the run does not say
        better what it was about.
    """
    told = partial(tell_of_failure, about=list(about), pause_after=pause_after)
    return {"on_success_callback": tell, "on_failure_callback": told}


def tell(context: Any) -> None:
    """DAG callback: tell the news of the run's tasks."""
    for notice in _news(context):
        _send((way for _, way in _ways([notice.recipe or notice.definition])), notice, context)


def tell_of_failure(context: Any, *, about: Sequence[str] = (), pause_after: int | None = None) -> None:
    """DAG callback: tell the news of the run's tasks, and that the run failed, where and why; or that its DAG is paused for it. Whoever is
    told of several recipes in the same way is told once.

    :param about: names of recipes and backups, where neither the errors, nor the plan, nor the form says whom the run is about.
    :param pause_after: failed runs in a row after which Airflow pauses the DAG (``max_consecutive_failed_dag_runs``).
    """
    tell(context)
    errors = _errors(context)
    told: dict[str, tuple[Notify, list[str]]] = {}
    for one, way in _ways(_subjects(context, errors) or about):
        told.setdefault(way.model_dump_json(), (way, []))[1].append(one)
    for way, subjects in told.values():
        _send([way], failure(context, errors, subjects, pause_after), context)


def notifier_of(way: Notify) -> Any:
    """The notifier.

    :raises ImportError, AttributeError: there is no such class.
    :raises TypeError: it does not take these arguments, or is no notifier.
    """
    from airflow.sdk.bases.notifier import BaseNotifier

    module, _, name = way.notifier.rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    if not (isinstance(cls, type) and issubclass(cls, BaseNotifier)):
        raise TypeError(f"{way.notifier} is no notifier of Airflow's")
    return cls(**way.arguments)


def broken_notifiers(recipes: Iterable[Recipe | Backup]) -> Iterator[str]:
    """A sentence for each notifier that could not be made: better known now than when something has failed at night."""
    for recipe in recipes:
        for index, way in enumerate(recipe.notify):
            try:
                notifier_of(way)
            except Exception as error:
                yield (
                    f"{recipe.name}.yaml: notify[{index}].notifier: {way.notifier} cannot be used: {error}. "
                    f"Install the provider that has it, or correct the name or the arguments."
                )


def failure(context: Any, errors: dict[str, dict[str, Any] | None], about: Sequence[str], pause_after: int | None) -> Notice:
    """What to say about a failed run.

    :param errors: by task, those of the tasks that failed; None where the task left none.
    :param about: recipes, backups and definitions; at least one.
    """
    from include.factory.notice import Notice

    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    names = [one.rpartition("/")[2] for one in about]
    who = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    named: dict[str, Any] = {"definition": about[0]} if "/" in about[0] else {"recipe": about[0]}
    lines = [f"Run {run_id} of {dag_id} failed."]
    for task, error in errors.items():
        lines.append(f"{task}: {_with_call(error)} What to do: {error['cure']}" if error else f"{task}: its log says why.")
    if context.get("ti") is not None and pause_after and is_paused_by_failures(context, pause_after):
        title = f"{who}: paused after {pause_after} failures in a row"
        lines.append(f"Airflow has paused {dag_id}. Mend what is named; then unpause it and start a run by hand.")
        return Notice(event="paused", title=title, text="\n".join(lines), **named)
    return Notice(event="failed", title=f"{who}: a run of {dag_id} failed", text="\n".join(lines), **named)


def _with_call(error: dict[str, Any]) -> str:
    message = str(error["message"])
    return f"{message.rstrip('.')} ({error['call']})." if error.get("call") else message


def _errors(context: Any) -> dict[str, dict[str, Any] | None]:
    """The XCom ``error`` of each task that failed; None where it left none."""
    ti, run_id = context.get("ti"), context["run_id"]
    if ti is None:
        return {}
    states = ti.get_task_states(context["dag"].dag_id, run_ids=[run_id]).get(run_id, {})
    failed = sorted(task for task, state in states.items() if state == "failed")
    return {task: ti.xcom_pull(task_ids=task, key="error", map_indexes=-1) for task in failed}


def _subjects(context: Any, errors: dict[str, dict[str, Any] | None]) -> list[str]:
    """Whom the run is about: those whom its errors name, where each names some; else those of its plan; else those of its form."""
    from include.factory.notice import subject

    named = [(error or {}).get("about") or [] for error in errors.values()]
    if named and all(named):
        return sorted({one for each in named for one in each})
    ti = context.get("ti")
    plan = ti.xcom_pull(task_ids=PLAN, map_indexes=-1) if ti is not None and PLAN in context["dag"].task_ids else None
    if isinstance(plan, dict) and plan.get("about"):
        return list(plan["about"])
    form = getattr(context.get("dag_run"), "conf", None) or {}
    path = [form.get(name) for name in ("resource_group", "gallery", "definition")]
    if named_one := form.get("recipe") or form.get("image"):
        return [str(named_one)]
    return [subject(*map(str, path))] if all(path) else []


def is_paused_by_failures(context: Any, limit: int) -> bool:
    """Whether Airflow pauses the DAG for this failure (``max_consecutive_failed_dag_runs``): when its ``limit`` newest runs failed, newest
    by the time from which they might start, whatever started them (``DagRun._check_last_n_dagruns_failed``, 3.3.2).

    A callback cannot ask for runs, only for the states of tasks by run. The time is in the ids that Airflow gives to runs; a run that
    somebody gave another id, is passed over.
    """
    ti, dag, run_id = context["ti"], context["dag"], context["run_id"]
    times = {one: when for one in ti.get_task_states(dag.dag_id, task_ids=[PLAN]) if (when := _time_in(one)) is not None}
    times[run_id] = getattr(context.get("dag_run"), "run_after", None) or times.get(run_id) or datetime.max.replace(tzinfo=UTC)
    newest = sorted(times, key=lambda one: times[one], reverse=True)[:limit]
    states = ti.get_task_states(dag.dag_id, run_ids=newest)
    counted = {one: {task for task, state in states.get(one, {}).items() if state == "failed"} for one in newest}
    passed_over = {task.task_id for task in dag.teardowns}
    return len(newest) == limit and all(one == run_id or counted[one] - passed_over for one in newest)


def _time_in(run_id: str) -> datetime | None:
    """``asset_triggered__2026-11-23T01:30:00+00:00_x1Y2``: from when on it might start."""
    try:
        return datetime.fromisoformat(run_id.partition("__")[2].partition("_")[0])
    except ValueError:
        return None


def _news(context: Any) -> Iterator[Notice]:
    from include.factory.notice import Notice

    ti = context.get("ti")
    for task in sorted(context["dag"].task_ids) if ti is not None else ():
        for notice in ti.xcom_pull(task_ids=task, key=KEY, map_indexes=-1) or ():
            yield Notice.model_validate(notice)


def _send(ways: Iterable[Notify], notice: Notice, context: Any) -> None:
    for way in ways:
        if notice.event in way.events:
            try:
                notifier_of(way)({**context, "notice": notice})
            except Exception:
                log.exception("%s could not be told by %s.", notice.title, way.notifier)


def _ways(about: Iterable[str]) -> Iterator[tuple[str, Notify]]:
    """How they are told whom it concerns.

    :param about: recipes and backups by their names, and ``resource_group/gallery/definition``.
    """
    from include.factory.backup import load_backups
    from include.factory.catalogue import load_catalogue
    from include.factory.folder import catalogue_folder

    folder = catalogue_folder()
    asked = list(about)
    backups = load_backups(folder).backups
    recipes = load_catalogue(folder).recipes if len(asked) > 1 or any("/" in one for one in asked) else None
    for one in asked:
        for found in _named(one, backups, recipes):
            yield from ((one, way) for way in found.notify)


def _named(about: str, backups: dict[str, Backup], recipes: dict[str, Recipe] | None) -> list[Recipe | Backup]:
    from include.factory.catalogue import RecipeError, load_recipe
    from include.factory.folder import catalogue_folder

    if "/" in about and recipes is not None:
        found: list[Recipe | Backup] = [
            recipe for recipe in recipes.values() if _is(about, recipe.publish.resource_group, recipe.publish.gallery, recipe.definition)
        ]
        return found + [backup for backup in backups.values() if _is(about, backup.resource_group, backup.gallery, backup.image)]
    if about in backups:
        return [backups[about]]
    if recipes is not None:
        return [recipes[about]] if about in recipes else []
    try:
        return [load_recipe(catalogue_folder(), about)]
    except RecipeError as error:
        log.error("Nobody can be told about %s: %s", about, error)
        return []


def _is(about: str, *names: str) -> bool:
    from include.factory.notice import subject

    return about.lower() == subject(*names).lower()
