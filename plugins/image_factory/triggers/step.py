"""The one trigger: it runs a step from beginning to end in the triggerer, so that no worker waits for Azure."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

if TYPE_CHECKING:
    from include.steps.azure import Azure

log = logging.getLogger(__name__)

Step = Callable[..., Awaitable[Any]]


def load_step(name: str) -> Step:
    """The coroutine function behind a step's name: ``image_version.publish`` is ``include.steps.image_version:publish``."""
    module, _, function = name.rpartition(".")
    step: Step = getattr(importlib.import_module(f"include.steps.{module}"), function)
    return step


def facts_of_run(
    step: Step, task_instance: Any, connect: Callable[[str], Awaitable[Any]], error: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What only the run knows, for the steps that ask for it by name: ``attempt`` (from 1), ``failed_tasks`` (task ids), ``connect``,
    which gives the clients of another Airflow connection, and ``earlier``, the details of the error of this task's last try.

    :param error: what the last try left as its XCom ``error``; Airflow keeps the XComs of a task that is tried again, or cleared, as long
        as it starts in the triggerer.
    """
    parameters = inspect.signature(step).parameters
    facts: dict[str, Any] = {}
    if "attempt" in parameters:
        facts["attempt"] = task_instance.try_number
    if "connect" in parameters:
        facts["connect"] = connect
    if "earlier" in parameters:
        details = (error or {}).get("details")
        facts["earlier"] = details if isinstance(details, dict) else None
    if "failed_tasks" in parameters:
        states = task_instance.get_task_states(dag_id=task_instance.dag_id, run_ids=[task_instance.run_id])
        facts["failed_tasks"] = sorted(task for task, state in states.get(task_instance.run_id, {}).items() if state == "failed")
    return facts


def planned_arguments(plan: dict[str, Any] | None, task_id: str, planned_by: str) -> dict[str, Any]:
    """A task's entry of the plan.

    :raises StepSkipped: the entry is None: this run needs nothing of the task.
    :raises StepError: ``NotPlanned``: there is no such entry.
    """
    from include.steps.errors import StepError, StepSkipped

    steps = (plan or {}).get("steps", {})
    if task_id not in steps:
        raise StepError(
            kind="permanent",
            code="NotPlanned",
            message=f"The plan of this run has no step {task_id!r}: the recipe changed after the run was planned.",
            cure=f"Clear the run from the task {planned_by!r}.",
        )
    entry: dict[str, Any] | None = steps[task_id]
    if entry is None:
        raise StepSkipped("What this run was asked for needs nothing here.")
    return entry


class StepTrigger(BaseTrigger):
    """Run ``step`` with ``arguments``, or with its own entry of the plan that the task ``planned_by`` made.

    It may be started twice at once, or again after a triggerer died: steps are idempotent. Its three ends:

    * the step returned: the value is pushed to XCom and the task succeeds without a worker;
    * the step raised ``StepSkipped``: the reason is logged and pushed as XCom ``skip_reason``, and the task is skipped;
    * the step raised: the error is pushed as XCom ``error``, and a worker is asked to record the failure, so that the retry policy and the
      callbacks see it.

    :param step: ``<module>.<function>`` below ``include.steps``.
    :param arguments: keyword arguments of the step; Jinja templates in it are rendered by the triggerer.
    :param planned_by: task id of the plan, or None.
    :param cancel: the step to run with the same arguments when a user kills the task, or None.
    """

    def __init__(self, step: str, arguments: dict[str, Any], planned_by: str | None, azure_conn_id: str, cancel: str | None = None) -> None:
        super().__init__()
        self.step = step
        self.arguments = arguments
        self.planned_by = planned_by
        self.azure_conn_id = azure_conn_id
        self.cancel = cancel

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "image_factory.triggers.step.StepTrigger",
            {name: getattr(self, name) for name in ("step", "arguments", "planned_by", "azure_conn_id", "cancel")},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from image_factory.hooks.azure import shared_clients
        from image_factory.links import AzurePortalLink, portal_url
        from image_factory.notices import KEY
        from include.steps.errors import StepError, StepSkipped

        try:
            azure = await shared_clients(self.azure_conn_id)
            result = await self._run_step(azure, self.step)
        except StepSkipped as skip:
            log.info("Skipped: %s", skip)
            await self._push("skip_reason", str(skip))
            await self._push("return_value", skip.result)
            yield TaskSkippedEvent()
        except StepError as error:
            log.error("%s", error)
            await self._push("error", error.as_dict())
            if error.notices:
                await self._push(KEY, error.notices)
            yield TriggerEvent({"error": error.as_dict()})
        except Exception as error:
            log.exception("The step %s failed in a way it does not know.", self.step)
            detail = traceback.format_exception_only(error)[-1].strip()
            yield TriggerEvent({"error": {"kind": "unknown", "code": type(error).__name__, "message": detail, "cure": ""}})
        else:
            await self._push("return_value", result)
            if isinstance(result, dict) and result.get(KEY):
                await self._push(KEY, result[KEY])
            if url := portal_url(azure.endpoint, result):
                await self._push(AzurePortalLink().xcom_key, url)
            yield TaskSuccessEvent()

    async def on_kill(self) -> None:
        """Stop in Azure what the user killed here."""
        if self.cancel:
            from image_factory.hooks.azure import shared_clients

            log.info("Killed by a user: running %s", self.cancel)
            await self._run_step(await shared_clients(self.azure_conn_id), self.cancel)

    async def _push(self, key: str, value: Any) -> None:
        """Push an XCom as a worker would.

        Not in the event, as ``TaskSuccessEvent(xcoms=...)`` stores values as JSON within JSON; and not by ``axcom_push``, which asks the
        operator for an attribute that its serialized form lacks (both in 3.3.2).
        """
        from airflow.sdk.execution_time.xcom import XCom

        ti: Any = self.task_instance
        await XCom.aset(key=key, value=value, dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index)

    async def _run_step(self, azure: Azure, name: str) -> Any:
        from image_factory.hooks.azure import shared_clients

        # Importing a step may import the Azure SDK: a second or two in which the event loop must not stand still.
        step = await asyncio.to_thread(load_step, name)
        arguments = await self._arguments()
        accepted = inspect.signature(step).parameters
        chosen = {key: value for key, value in arguments.items() if key in accepted} if name == self.cancel else arguments
        # The UI shows no rendered fields for a task that never saw a worker: the log is the place to read them.
        log.info("%s %s", name, {key: "***" if key.endswith("_token") and value else value for key, value in chosen.items()})
        error = None
        if "earlier" in accepted:
            ti: Any = self.task_instance
            error = await ti.axcom_pull(task_ids=ti.task_id, key="error", map_indexes=-1)
        return await step(azure, **chosen, **facts_of_run(step, self.task_instance, shared_clients, error))

    async def _arguments(self) -> dict[str, Any]:

        if self.planned_by is None:
            return self.arguments
        task_instance: Any = self.task_instance
        # map_indexes=-1: without it the triggerer's supervisor is asked for a sequence, which it cannot decode, and the trigger hangs.
        plan = await task_instance.axcom_pull(task_ids=self.planned_by, map_indexes=-1)
        return {**planned_arguments(plan, task_instance.task_id, self.planned_by), **self.arguments}
