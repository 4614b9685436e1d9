"""From a task to what it made: in the Azure portal, or another run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

# `az cloud list`, endpoints.portal
_PORTALS = {
    "https://management.azure.com": "https://portal.azure.com",
    "https://management.usgovcloudapi.net": "https://portal.azure.us",
    "https://management.chinacloudapi.cn": "https://portal.azure.cn",
}


def portal_url(endpoint: str, result: Any) -> str | None:
    """The portal's page of the resource that a step returned, or None (no resource, or a cloud without a portal, such as the sandbox)."""
    resource = result.get("id") if isinstance(result, dict) else result
    portal = _PORTALS.get(endpoint)
    if portal and isinstance(resource, str) and resource.startswith("/subscriptions/"):
        return f"{portal}/#resource{resource}"
    return None


class AzurePortalLink(BaseOperatorLink):
    """The button on the task's page. The trigger pushes the address as an XCom when the step has returned."""

    name = "Azure portal"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Only a worker asks here, for a task that ran in ``execute``; there is nothing more to say than the XCom holds."""
        return ""


class TriggeredRunLink(BaseOperatorLink):
    """The button on the page of a task that started a run of another DAG."""

    name = "Triggered DAG"

    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """The page of the run that the operator names as ``trigger_run_id`` of ``trigger_dag_id``."""
        from airflow.sdk.configuration import conf

        base = conf.get("api", "base_url", fallback="/").rstrip("/")
        return f"{base}/dags/{operator.trigger_dag_id}/runs/{operator.trigger_run_id}"
