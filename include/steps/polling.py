"""Waiting for long operations: as soon as Azure allows, and not before."""

# ruff: noqa: TID253  (azure.py imports this module when the first call is made)
from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict, deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from azure.core.exceptions import AzureError
from azure.core.polling.base_polling import BadResponse, BadStatus, OperationFailed, _failed
from azure.core.utils import case_insensitive_dict
from azure.mgmt.core.polling.async_arm_polling import AsyncARMPolling

from include.steps.errors import StepError
from include.steps.look import pauses

log = logging.getLogger(__name__)

# Polls that may fail in a row before the wait is given up; each was already retried by the client's retry policy.
FAILURES = 10


class Durations:
    """What this process has seen operations take (s), by kind. Only the newest 50 of a kind count."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=50))

    def learn(self, kind: str, seconds: float) -> None:
        self._seen[kind].append(seconds)

    def quick(self, kind: str) -> float:
        """The tenth percentile: nine of ten operations of this kind take longer. 0 before three were seen."""
        seen = sorted(self._seen[kind])
        return seen[len(seen) // 10] if len(seen) >= 3 else 0.0


DURATIONS = Durations()


class Polling(AsyncARMPolling):
    """ARM's polling with the pauses that ``docs/architecture.md`` promises, on dicts.

    ``Retry-After`` is obeyed from the first answer on (azure-core polls once at once). Without it the pauses are 1, 2, 4, 8, 15 s. The
    first poll of a kind that was seen before waits for the quickest of its like. A poll that fails, an expired token included, ends
    nothing: the same operation is polled on. No final GET is made unless asked for: Azure has echoed the resource in the first answer.
    """

    def __init__(
        self, kind: str, *, timeout: float | None = None, final: bool = False, patience: float = 0.0, durations: Durations = DURATIONS
    ) -> None:
        super().__init__()
        self._kind = kind
        self._deadline = timeout
        self._final = final
        self._patience = patience
        self._durations = durations

    @property
    def started_by(self) -> Any:
        """The request that started the operation."""
        return self._initial_response.http_request

    async def _poll(self) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        polled = running_until = 0.0
        failures = 0
        backoff = pauses()
        while not self.finished():
            pause = self._pause(backoff)
            pause = max(pause, polled * self._patience)
            if not polled:
                pause = max(pause, self._durations.quick(self._kind))
            if self._deadline is not None and clock() + pause > began + self._deadline:
                raise StepError(
                    "adopt",
                    "OperationStillRunning",
                    f"{self._kind} is still running after {self._deadline:.0f} s",
                    "Nothing: it goes on in Azure, and the next try takes it up. If it lasts, clear this task when the operation is over.",
                )
            await asyncio.sleep(pause)
            polled = clock() - began
            try:
                await self.update_status()
                failures = 0
            except (BadStatus, BadResponse, AzureError) as error:
                failures += 1
                self._tolerate(error, failures)
            else:
                if not self.finished():
                    running_until = polled
        if _failed(self.status()):
            raise OperationFailed(f"Operation {self.status()}")
        if polled:
            # Azure's own times where it gives them; never more than was seen from here, as clocks differ.
            self._durations.learn(self._kind, min(self._server_seconds() or running_until, polled))
            log.info("%s took %.0f s.", self._kind, polled)
        if self._final and self._output() is None:
            url = self._operation.get_final_get_url(self._pipeline_response)
            if url:
                self._pipeline_response = await self.request_status(url)

    def _pause(self, backoff: Iterator[float]) -> float:
        asked = self._pipeline_response.http_response.headers.get("Retry-After")
        return float(asked) if asked and asked.isdigit() and int(asked) > 0 else next(backoff)

    def _tolerate(self, error: Exception, failures: int) -> None:
        status = self._pipeline_response.http_response.status_code if isinstance(error, BadStatus) else None
        if status == 404:
            raise StepError(
                "adopt",
                "OperationGone",
                f"The record of {self._kind} is gone",
                "Nothing: the resource itself is read. If the task failed, clear it.",
                status=404,
            ) from error
        if status in (400, 403) or failures > FAILURES:
            raise error
        log.warning("Asking for %s failed (%s); the operation goes on and is asked for again.", self._kind, error)

    def _body(self) -> dict[str, Any]:
        try:
            body = json.loads(self._pipeline_response.http_response.text())
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {"value": body}

    def _output(self) -> dict[str, Any] | None:
        body = self._body()
        properties = body.get("properties")
        return properties.get("output") if isinstance(properties, dict) and "status" in body else None

    def _server_seconds(self) -> float | None:
        times = case_insensitive_dict({name: value for name, value in self._body().items() if name.lower() in ("starttime", "endtime")})
        try:
            took = datetime.fromisoformat(times["endTime"]) - datetime.fromisoformat(times["startTime"])
        except (KeyError, TypeError, ValueError):
            return None
        return took.total_seconds()

    def resource(self) -> Any:
        """The operation's output, or the resource as echoed in the first answer (or read last, when asked to)."""
        output = self._output()
        if output is not None:
            return output
        if self._final:
            return self._body()
        try:
            return json.loads(self._initial_response.http_response.text())
        except ValueError:
            return {}
