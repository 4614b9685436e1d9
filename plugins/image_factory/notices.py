"""Telling people, at the end of a run, through whatever notifiers their recipes name.

A task that has news returns it among its result as ``notices`` (:class:`include.factory.notice.Notice`), or pushes an XCom of that name.
The callbacks here run in the dag-processor when the run has ended: they gather the news, add a notice where the run failed, and hand each
to the notifiers of its recipe. No task waits for them, and a notifier that fails fails nothing.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from include.factory.backup import Backup, load_backups
from include.factory.catalogue import RecipeError, load_catalogue, load_recipe
from include.factory.folder import catalogue_folder
from include.factory.notice import Notice, Notify
from include.factory.recipe import Recipe

log = logging.getLogger(__name__)

KEY = "notices"


def callbacks_of(recipe: Recipe, *, pause_after: int | None = None) -> dict[str, Any]:
    """The callbacks of a DAG of one recipe, as keywords of ``DAG``; none where nobody is to be told.

    :param pause_after: failed runs in a row after which Airflow pauses the DAG, or None.
    """
    if not recipe.notify:
        return {}
    told = partial(tell_of_failure, recipe=recipe.name, pause_after=pause_after)
    return {"on_success_callback": tell, "on_failure_callback": told}


def tell(context: Any) -> None:
    """DAG callback: tell the news of the run's tasks."""
    for notice in _news(context):
        _send(notice, context)


def tell_of_failure(context: Any, *, recipe: str, pause_after: int | None = None) -> None:
    """DAG callback: tell the news of the run's tasks, and that the run failed, where and why; or that its DAG is paused for it.

    :param recipe: name of the recipe that the run was about.
    :param pause_after: failed runs in a row after which Airflow pauses the DAG (``max_consecutive_failed_dag_runs``).
    """
    tell(context)
    _send(failure(context, recipe, pause_after), context)


def tell_of_failed_backup(context: Any) -> None:
    """DAG callback of ``capture_vm``: where the run is a backup's, tell whom that names that it failed, and why."""
    conf = getattr(context.get("dag_run"), "conf", None) or {}
    backup = load_backups(catalogue_folder()).backups.get(conf.get("name") or "")
    if backup is not None and backup.notify:
        _send_by(backup.notify, failure(context, backup.name, None), context)


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


def failure(context: Any, recipe: str, pause_after: int | None) -> Notice:
    """What to say about a failed run."""
    ti, run_id = context.get("ti"), context["run_id"]
    dag_id = context["dag"].dag_id
    lines = [f"Run {run_id} of {dag_id} failed."]
    if ti is not None:
        states = ti.get_task_states(dag_id, run_ids=[run_id]).get(run_id, {})
        for task in sorted(task for task, state in states.items() if state == "failed"):
            error = ti.xcom_pull(task_ids=task, key="error", map_indexes=-1)
            lines.append(f"{task}: {error['message']} What to do: {error['cure']}" if error else f"{task}: its log says why.")
        if pause_after and failures_in_a_row(ti, context.get("dag_run"), pause_after) >= pause_after:
            title = f"{recipe}: paused after {pause_after} failures in a row"
            lines.append(f"Airflow has paused {dag_id}. Mend what is named; then unpause it and start a run by hand.")
            return Notice(event="paused", recipe=recipe, title=title, text="\n".join(lines))
    return Notice(event="failed", recipe=recipe, title=f"{recipe}: a run of {dag_id} failed", text="\n".join(lines))


def failures_in_a_row(ti: Any, dag_run: Any, limit: int) -> int:
    """How many runs up to this one failed one after the other, this one among them; counted up to ``limit``."""
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import GetPreviousDagRun

    count, at = 1, getattr(dag_run, "logical_date", None)
    while count < limit and at is not None:
        # The task instance's own get_previous_dagrun asks for the run before its own only.
        answer: Any = task_runner.SUPERVISOR_COMMS.send(GetPreviousDagRun(dag_id=ti.dag_id, logical_date=at))
        previous = answer.dag_run
        if previous is None or previous.state != "failed":
            break
        count, at = count + 1, previous.logical_date
    return count


def _news(context: Any) -> Iterator[Notice]:
    ti = context.get("ti")
    for task in sorted(context["dag"].task_ids) if ti is not None else ():
        for notice in ti.xcom_pull(task_ids=task, key=KEY, map_indexes=-1) or ():
            yield Notice.model_validate(notice)


def _send(notice: Notice, context: Any) -> None:
    _send_by([way for recipe in _recipes(notice) for way in recipe.notify], notice, context)


def _send_by(ways: Iterable[Notify], notice: Notice, context: Any) -> None:
    for way in ways:
        if notice.event in way.events:
            try:
                notifier_of(way)({**context, "notice": notice})
            except Exception:
                log.exception("%s could not be told by %s.", notice.title, way.notifier)


def _recipes(notice: Notice) -> list[Recipe]:
    """The recipes that the notice is about."""
    if not notice.recipe:
        return [recipe for recipe in load_catalogue(catalogue_folder()).recipes.values() if _where(recipe) == notice.definition.lower()]
    try:
        return [load_recipe(catalogue_folder(), notice.recipe)]
    except RecipeError as error:
        log.error("Nobody can be told that %s: %s", notice.title, error)
        return []


def _where(recipe: Recipe) -> str:
    return f"{recipe.publish.resource_group}/{recipe.publish.gallery}/{recipe.definition}".lower()
