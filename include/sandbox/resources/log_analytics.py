"""Compute's logs of requests and of throttling, written as CSV to a container of the caller's: `az vm` has no command for it, SDKs do.

Shapes and the error's text: recorded answers of 2020 and 2021. What is counted are the sandbox's own requests since it started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import operations
from ..blobs import put_text
from ..events import event
from ..regions import short
from ..registry import required, route
from ..store import Resource
from ..wire import ArmError, Json, Response, stamp

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

_ROOT = "subscriptions/{}/providers/Microsoft.Compute/locations/{}/logAnalytics/apiAccess"
SECONDS = 2.0  # recorded: 0.2 to 2.2 s


@route("POST", _ROOT + "/getRequestRateByInterval")
def request_rate(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    required(call.json(), "intervalLength")
    return _export(arm, call, location, "RequestRateByInterval")


@route("POST", _ROOT + "/getThrottledRequests")
def throttled_requests(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    return _export(arm, call, location, "ThrottledRequests")


def _export(arm: Sandbox, call: Call, location: str, what: str) -> Response:
    body = call.json()
    for name in ("fromTime", "toTime"):
        required(body, name)
    arguments = {"container": required(body, "blobContainerSasUri"), "what": what}
    operation = operations.start(
        arm, call, None, "logAnalytics", then="logAnalytics.written", arguments=arguments, seconds=SECONDS, location=short(location)
    )
    answer = operations.accepted(arm, call, operation)
    answer.headers.pop("azure-asyncnotification", None)  # recorded: never sent, by no api-version
    return answer


@event("logAnalytics.written")
def _written(arm: Sandbox, operation: Json, resource: Resource | None, container: str, what: str) -> None:
    """Write the log. Raises ArmError where the container is not the sandbox's: nothing leaves it."""
    place, _, query = container.partition("?")
    url = f"{place.rstrip('/')}/{what}_{stamp(arm.now)[:19].replace(':', '-')}.csv"
    asked = arm.requests if what == "RequestRateByInterval" else {}
    rows = ["Operation,Count", *(f"{name},{count}" for name, count in sorted(asked.items()))]
    if not put_text(arm, url, "\n".join(rows) + "\n"):
        told = "Could not write log analytics to the given SAS URI due to The remote server returned an error: (403) Forbidden.."
        raise ArmError(400, "BadRequest", told)
    operation["output"] = f"{url}?{query}" if query else url
