"""The operator that all others are: one step of ``include/steps`` as a task."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.triggers.base import StartTriggerArgs

from image_factory.hooks.azure import DEFAULT_CONNECTION, AzureSettings
from image_factory.links import AzurePortalLink
from image_factory.retries import PATIENT_RETRIES, AzureRetryPolicy, AzureStepFailed

_RETRY_POLICY = AzureRetryPolicy()


class StepOperator(BaseOperator):
    """Put one step on a DAG. A subclass declares which; it holds no code of its own.

    The task starts and ends in the triggerer (``start_from_trigger``) and holds no worker while Azure works. Under ``dag.test()``, and
    when mapped with ``expand()`` (Airflow hands mapped instances the arguments of the unmapped operator when they start in the triggerer),
    the same coroutine runs in ``execute``.

    Either every field of the step is given by name, or ``planned_by`` names the task that made the plan; then the fields are read from
    the plan's entry for this task id, and fields given here override it.

    :param planned_by: task id of the plan, or None.
    :param azure_conn_id: the connection (type ``azure_image_factory``).
    :param fields: the step's keyword arguments, as its docstring describes them; all are templated.
    :raises TypeError: a field is unknown to the step, or missing where no plan is named.
    """

    step: ClassVar[str]
    required: ClassVar[tuple[str, ...]]
    optional: ClassVar[tuple[str, ...]] = ()
    cancel: ClassVar[str | None] = None

    template_fields: Sequence[str] = ("arguments",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"arguments": "json"}
    operator_extra_links = (AzurePortalLink(),)
    ui_color = "#e8f1fb"
    start_from_trigger = True

    def __init__(self, *, planned_by: str | None = None, azure_conn_id: str = DEFAULT_CONNECTION, **fields: Any) -> None:
        arguments = {name: fields.pop(name) for name in (*self.required, *self.optional) if name in fields}
        fields.setdefault("retries", PATIENT_RETRIES)
        fields.setdefault("retry_policy", _RETRY_POLICY)
        super().__init__(**fields)
        if planned_by is None and (missing := [name for name in self.required if name not in arguments]):
            raise TypeError(f"{type(self).__name__} {self.task_id!r}: missing {', '.join(missing)} (or name the plan with planned_by)")
        self.arguments = arguments
        self.planned_by = planned_by
        self.azure_conn_id = azure_conn_id
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="image_factory.triggers.step.StepTrigger",
            next_method="execute_complete",
            trigger_kwargs={
                "step": self.step,
                "arguments": arguments,
                "planned_by": planned_by,
                "azure_conn_id": azure_conn_id,
                "cancel": self.cancel,
            },
            timeout=self.execution_timeout,
        )

    def execute(self, context: Any) -> Any:
        """Run the step here, with clients of its own."""
        from image_factory.notices import KEY
        from image_factory.triggers.step import facts_of_run, load_step, planned_arguments
        from include.steps.errors import StepError, StepSkipped

        task_instance = context["ti"]
        step = load_step(self.step)

        async def run() -> Any:
            arguments = self.arguments
            if self.planned_by is not None:
                plan = task_instance.xcom_pull(task_ids=self.planned_by)
                arguments = {**planned_arguments(plan, self.task_id, self.planned_by), **arguments}
            async with AsyncExitStack() as open_clients:

                async def connect(conn_id: str) -> Any:
                    return await open_clients.enter_async_context(AzureSettings.named(conn_id).connect())

                azure = await connect(self.azure_conn_id)
                error = task_instance.xcom_pull(task_ids=self.task_id, key="error")
                return await step(azure, **arguments, **facts_of_run(step, task_instance, connect, error))

        try:
            result = asyncio.run(run())
        except StepSkipped as skip:
            task_instance.xcom_push("skip_reason", str(skip))
            task_instance.xcom_push("return_value", skip.result)
            raise AirflowSkipException(str(skip)) from None
        except StepError as error:
            task_instance.xcom_push("error", error.as_dict())
            if error.notices:
                task_instance.xcom_push(KEY, error.notices)
            return self.execute_complete(context, {"error": error.as_dict()})
        if isinstance(result, dict) and result.get(KEY):
            task_instance.xcom_push(KEY, result[KEY])
        return result

    def execute_complete(self, context: Any, event: dict[str, Any]) -> None:
        """Record the failure that the trigger reported.

        :raises AirflowFailException: the error is permanent; retries are not spent on it.
        :raises AzureStepFailed: the task may be retried, when :class:`AzureRetryPolicy` says so.
        """
        failure = AzureStepFailed(event["error"])
        if failure.is_permanent:
            raise AirflowFailException(str(failure))
        raise failure
