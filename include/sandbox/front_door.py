"""The front door: which host is asked, who asks, may they, and what every answer carries."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from . import blobs, control, instance_metadata, routing, tokens
from .effects import under_faults
from .graph import host as graph
from .validation import check_media
from .wire import FIXED_HEADERS, JSON_TYPE, ArmError, Response, compact, pretty

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox


def answer(arm: Sandbox, call: Call) -> Response:
    """The answer to a request, whoever gives it; an ArmError as the answer that it is."""
    if call.base.startswith("http://"):
        return instance_metadata.answer(arm, call)
    if graph.is_graph(call):
        return graph.answer(arm, call)
    try:
        response = _elsewhere(arm, call)
        if response is None:
            response = _resource_manager(arm, call)
    except ArmError as error:
        arm.store.undo_additions()
        found = {"content-type": JSON_TYPE, **error.headers}
        if error.gateway:
            found["x-ms-failure-cause"] = "gateway"
        body = b"" if call.method == "HEAD" else (compact if error.gateway else pretty)({"error": error.body()})
        response = Response(error.status, found, body)
    return _finish(arm, call, response)


def _elsewhere(arm: Sandbox, call: Call) -> Response | None:
    """Answers of the hosts that are not Resource Manager."""
    first = call.segments[0].lower() if call.segments else ""
    if first == "_sandbox":
        return control.answer(arm, call) if arm.control else Response(404)
    if first in ("subscriptions", "providers", "tenants", "metadata") and not blobs.is_blob_host(call.base):
        return None
    return blobs.answer(arm, call) or tokens.answer(arm, call)


def _finish(arm: Sandbox, call: Call, response: Response) -> Response:
    found = response.headers
    request = arm.request_guid()
    for name, value in FIXED_HEADERS.items():
        found.setdefault(name, value)
    found.setdefault("x-ms-request-id", request)
    found["x-ms-correlation-request-id"] = call.header("x-ms-correlation-request-id") or request
    found["x-ms-routing-request-id"] = f"SANDBOX:{int(arm.now)}:{request}"
    if call.subscription:
        found.update(call.rates)
        if "x-ms-failure-cause" in found:
            found.pop("x-ms-ratelimit-remaining-resource", None)
        arm.requests[" ".join(filter(None, (call.method, call.type or "operations", call.action)))] += 1
    return response


def _resource_manager(arm: Sandbox, call: Call) -> Response:
    segments = call.segments
    anonymous = segments[:1] == ["metadata"]
    if not anonymous:
        tokens.check(arm, call)
    if not call.api_version and not anonymous:
        raise ArmError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
            gateway=True,
        )
    if segments and segments[0].lower() == "subscriptions" and len(segments) > 1:
        call.subscription = segments[1]
        if arm.directory.tenant_of(segments[1]) is None:
            raise ArmError(404, "SubscriptionNotFound", f"The subscription '{segments[1]}' could not be found.", gateway=True)
        tokens.check_tenant(arm, call)
    if call.subscription and not call.internal:
        arm.throttle.front_door(arm, call)
    check_media(call)
    act = _found(arm, call)
    return under_faults(arm, call, lambda: _by_provider(arm, call, act))


def _by_provider(arm: Sandbox, call: Call, act: Callable[[], Response]) -> Response:
    if call.subscription and not call.internal:
        arm.throttle.provider(arm, call)
    return act()


def _found(arm: Sandbox, call: Call) -> Callable[[], Response]:
    """Whoever answers the request, or whatever refuses it: faults come before that."""
    try:
        return routing.find(arm, call)
    except ArmError as problem:
        refusal = problem

    def refuse() -> Response:
        raise refusal

    return refuse
