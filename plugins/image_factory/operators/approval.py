"""A person's word, where one is needed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param

# Airflow 3.3.2 fails a task that goes on at the moment in which the scheduler hears that its first worker has ended ("finished with state
# success, but the task instance's state attribute is running"): up to `[workers] min_heartbeat_interval` after the question was asked.
ASKED_AGAIN = 3  # times
SOON = timedelta(seconds=10)


class ApproveVersionOperator(ApprovalOperator):
    """Ask for approval before ``latest`` moves; without an answer in time the promotion is rejected.

    Who may answer is given here, or by the plan's ``approval`` (``{"approvers", "timeout"}``; None: nobody needs to be asked, and the
    task succeeds at once). The answer, who gave it, when and why is the task's XCom. An answer that Airflow loses is asked for once more.

    :param approvers: Airflow users; none: whoever may answer for the DAG.
    :param timeout: seconds to wait.
    :param planned_by: task id of a plan that says both; then it wins.
    """

    def __init__(
        self, *, subject: str, body: str, approvers: Sequence[str] = (), timeout: int = 86400, planned_by: str | None = None, **fields: Any
    ) -> None:
        fields.setdefault("retries", ASKED_AGAIN)
        fields.setdefault("retry_delay", SOON)
        super().__init__(
            subject=subject,
            body=body,
            params={"reason": Param("", type="string", title="Reason", description="Why. Kept with the version.", maxLength=200)},
            defaults=ApprovalOperator.REJECT,
            assigned_users=_users(approvers),
            response_timeout=timedelta(seconds=timeout),
            **fields,
        )
        self.planned_by = planned_by

    def execute(self, context: Any) -> Any:
        if self.planned_by is not None:
            approval = context["ti"].xcom_pull(task_ids=self.planned_by)["approval"]
            if approval is None:
                self.log.info("The recipe asks for no approval.")
                return None
            self.assigned_users = _users(approval["approvers"])
            self.response_timeout = timedelta(seconds=approval["timeout"])
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """The answer as JSON values, so that a template of another task can hand it on."""
        answer = super().execute_complete(context, event)
        return {**answer, "responded_at": answer["responded_at"].isoformat()} if answer else None


def _users(names: Sequence[str]) -> Any:
    return [{"id": name, "name": name} for name in names] or None
