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
