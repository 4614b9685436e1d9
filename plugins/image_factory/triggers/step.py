"""The one trigger: it runs a step from beginning to end in the triggerer, so that no worker waits for Azure."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

log = logging.getLogger(__name__)

Step = Callable[..., Awaitable[Any]]


def load_step(name: str) -> Step:
    """The coroutine function behind a step's name: ``image_version.publish`` is ``include.steps.image_version:publish``."""
    module, _, function = name.rpartition(".")
    step: Step = getattr(importlib.import_module(f"include.steps.{module}"), function)
    return step


def of_attempt(step: Step, arguments: Mapping[str, Any], try_number: int) -> dict[str, Any]:
    """Add the attempt's number for the steps that tell attempts apart."""
    return {**arguments, "attempt": try_number} if "attempt" in inspect.signature(step).parameters else dict(arguments)


class StepTrigger(BaseTrigger):
    """Run ``step`` with ``arguments``, or with its own entry of the plan that the task ``planned_by`` made.

    It may be started twice at once, or again after a triggerer died: steps are idempotent. Its three ends:

    * the step returned: the value is pushed to XCom and the task succeeds without a worker;
    * the step raised ``StepSkipped``: the reason is logged and pushed as XCom ``skip_reason``, and the task is skipped;
    * the step raised: a worker is asked to record the failure, so that the retry policy and the callbacks see it.

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
        from include.steps.errors import StepError, StepSkipped

        task_instance: Any = self.task_instance
        try:
            result = await self._run_step(self.step)
        except StepSkipped as skip:
            log.info("Skipped: %s", skip)
            await task_instance.axcom_push("skip_reason", str(skip))
            await task_instance.axcom_push("return_value", skip.result)
            yield TaskSkippedEvent()
        except StepError as error:
            log.error("%s", error)
            yield TriggerEvent({"error": error.as_dict()})
        except Exception as error:
            log.exception("The step %s failed in a way it does not know.", self.step)
            detail = traceback.format_exception_only(error)[-1].strip()
            yield TriggerEvent({"error": {"kind": "unknown", "code": type(error).__name__, "message": detail, "cure": ""}})
        else:
            # Not in the event: TaskSuccessEvent(xcoms=...) stores values as JSON within JSON.
            await task_instance.axcom_push("return_value", result)
            yield TaskSuccessEvent()

    async def on_kill(self) -> None:
        """Stop in Azure what the user killed here."""
        if self.cancel:
            log.info("Killed by a user: running %s", self.cancel)
            await self._run_step(self.cancel)

    async def _run_step(self, name: str) -> Any:
        from image_factory.hooks.azure import shared_clients

        # Importing a step may import the Azure SDK: a second or two in which the event loop must not stand still.
        step = await asyncio.to_thread(load_step, name)
        arguments = await self._arguments()
        accepted = inspect.signature(step).parameters
        chosen = {key: value for key, value in arguments.items() if key in accepted} if name == self.cancel else arguments
        task_instance: Any = self.task_instance
        # The UI shows no rendered fields for a task that never saw a worker: the log is the place to read them.
        log.info("%s %s", name, chosen)
        return await step(await shared_clients(self.azure_conn_id), **of_attempt(step, chosen, task_instance.try_number))

    async def _arguments(self) -> dict[str, Any]:
        from include.steps.errors import StepError

        if self.planned_by is None:
            return self.arguments
        task_instance: Any = self.task_instance
        # map_indexes=-1: without it the triggerer's supervisor is asked for a sequence, which it cannot decode, and the trigger hangs.
        plan = await task_instance.axcom_pull(task_ids=self.planned_by, map_indexes=-1)
        entry = (plan or {}).get("steps", {}).get(task_instance.task_id)
        if entry is None:
            raise StepError(
                kind="permanent",
                code="NotPlanned",
                message=f"The plan of this run has no step {task_instance.task_id!r}: the recipe changed after the run was planned.",
                cure=f"Clear the run from the task {self.planned_by!r}.",
            )
        return {**entry, **self.arguments}
