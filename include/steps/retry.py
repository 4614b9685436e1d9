"""How one request is tried again: patiently, politely and not in silence."""

# ruff: noqa: TID253  (azure.py imports this module when the first call is made)
from __future__ import annotations

import asyncio
import logging
import random
from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline.policies import AsyncRetryPolicy

from include.steps.unreachable import has_answered, why_unreachable

log = logging.getLogger(__name__)


class PatientRetryPolicy(AsyncRetryPolicy[Any, Any]):
    """azure-core's retry policy with four changes.

    * ``Retry-After`` is obeyed however long it is, with a log line that says until when, and up to a tenth more so that many builds do not
      come back at the same moment. A request sent too early is refused and pushes the deadline out (compute-throttling-limits).
    * A 401 is tried once more: the authentication policy has dropped its token by then and fetches a new one (ExpiredAuthenticationToken).
    * No connection that only a person can make possible is tried again (:func:`include.steps.unreachable.why_unreachable`).
    * Waiting is ``asyncio.sleep``.
    """

    def __init__(self, **options: Any) -> None:
        options.setdefault("retry_status", 5)
        super().__init__(**options)

    def is_retry(self, settings: Any, response: Any) -> bool:
        has_answered(urlsplit(response.http_request.url).hostname)
        if response.http_response.status_code == 401:
            return not any(entry.http_response is not None and entry.http_response.status_code == 401 for entry in settings["history"])
        return bool(super().is_retry(settings, response))

    def increment(self, settings: Any, response: Any = None, error: Exception | None = None) -> bool:
        unsent = why_unreachable(error) if error else None
        if unsent and unsent.kind == "permanent":
            return False
        return bool(super().increment(settings, response=response, error=error))

    async def sleep(self, settings: Any, transport: Any, response: Any = None) -> None:
        asked = self.get_retry_after(response) if response is not None else None
        spread = random.uniform(1.0, 1.1)  # noqa: S311  (no secret)
        seconds = asked * spread if asked else self.get_backoff_time(settings)
        if seconds >= 5:
            request = settings["history"][-1].http_request
            what = f"HTTP {response.http_response.status_code}" if response is not None else "no answer"
            log.warning("%s to %s %s: again in %.0f s.", what, request.method, request.url.partition("?")[0], seconds)
        if seconds > 0:
            await asyncio.sleep(seconds)
