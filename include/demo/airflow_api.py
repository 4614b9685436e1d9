"""Airflow's REST API, as far as following builds needs it."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx

PAGE = 100  # [api] maximum_page_limit


class Login(httpx.Auth):
    """Signs in at ``/auth/token`` with the first request, and again when the token is no longer accepted."""

    requires_response_body = True

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = f"{url}/auth/token"
        self._credentials = {"username": user, "password": password}
        self._token = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
            response = yield request
            if response.status_code != httpx.codes.UNAUTHORIZED:
                return
        answer = yield httpx.Request("POST", self._url, json=self._credentials)
        answer.raise_for_status()
        self._token = answer.json()["access_token"]
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


class AirflowApi:
    """The REST API of one Airflow.

    Every method raises ``httpx.HTTPError`` where the server cannot be reached or refuses.

    :param url: ``http://host:port``.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self.client = httpx.Client(base_url=url, auth=Login(url, user, password), timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.client.close()

    def health(self) -> dict[str, str]:
        """The state of each component: ``{"scheduler": "healthy", …}``."""
        answer = self._get("/api/v2/monitor/health")
        return {name: facts["status"] for name, facts in answer.items() if facts and facts.get("status")}

    def dags(self, prefix: str = "") -> list[dict[str, Any]]:
        """The DAGs whose id begins with `prefix`."""
        return [dag for dag in self._pages("/api/v2/dags", "dags") if dag["dag_id"].startswith(prefix)]

    def import_errors(self) -> list[dict[str, Any]]:
        return self._pages("/api/v2/importErrors", "import_errors")

    def unpause(self, dag_id: str) -> None:
        self.client.patch(f"/api/v2/dags/{dag_id}", json={"is_paused": False}).raise_for_status()

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None, **fields: Any) -> str:
        """Start a run and return its id. `fields` go into the request (``dag_run_id``, ``logical_date``, …)."""
        answer = self.client.post(f"/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf or {}, **fields})
        answer.raise_for_status()
        return str(answer.json()["dag_run_id"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The runs of a DAG, the oldest first."""
        return self._pages(f"/api/v2/dags/{dag_id}/dagRuns", "dag_runs", order_by="id")

    def runs_since(self, prefix: str, since: datetime) -> list[dict[str, Any]]:
        """The runs that changed since then, of all DAGs whose id begins with `prefix`."""
        return self._pages("/api/v2/dags/~/dagRuns", "dag_runs", dag_id_prefix_pattern=prefix, updated_at_gte=since.isoformat())

    def task_instances_since(self, prefix: str, since: datetime) -> list[dict[str, Any]]:
        """The task instances that changed since then, of all DAGs whose id begins with `prefix`."""
        path = "/api/v2/dags/~/dagRuns/~/taskInstances"
        return self._pages(path, "task_instances", dag_id_prefix_pattern=prefix, updated_at_gte=since.isoformat())

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        return self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return self._pages(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances")

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1, map_index: int = -1) -> str:
        """A task's log as text, a line for each event."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
        answer = self._get(path, map_index=map_index, full_content=True)
        return "\n".join(line if isinstance(line, str) else str(line.get("event", "")) for line in answer["content"])

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """What a task pushed, or None."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        answer = self.client.get(path, params={"deserialize": False, "stringify": False})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        return answer.json()["value"]

    def _get(self, path: str, **parameters: Any) -> dict[str, Any]:
        answer = self.client.get(path, params=parameters)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _pages(self, path: str, key: str, **parameters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self._get(path, limit=PAGE, offset=len(found), **parameters)
            found += page[key]
            if not page[key] or len(found) >= page["total_entries"]:
                return found
