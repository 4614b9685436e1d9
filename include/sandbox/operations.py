"""Long-running operations: what was started, when it ends, and how clients are told.

Headers and bodies follow recorded traffic: an answer of 200 or 201 carries only `Azure-AsyncOperation`, an answer of 202 that and
`Location`; resource groups
have `Location` alone; a status URL answers 200 even for a failed operation; a disk's operation carries the whole resource as its output.
"""

from __future__ import annotations

import base64
import hashlib
import math
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from . import vintages
from .effects import words
from .events import EVENTS, event
from .wire import JSON_TYPE, ArmError, Json, Response, compact, pretty, stamp

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox
    from .store import Resource

KEPT = 86_400.0  # seconds for which a finished operation can still be asked for

# Retry-After of status answers, seconds: Compute's differ per poll, as recorded.
POLLS: dict[str, tuple[int, ...]] = {
    "operations": (9, 10, 10, 10, 30, 35, 36, 50),
    "DiskOperations": (10,),
    "capsOperations": (60,),
    "network": (10,),
    "storage": (17,),
    "arm": (15,),
}

# The api-versions since which Azure-AsyncNotification is sent, by family: first by writes of a whole resource, later by actions and by
# writes of its parts. Disks and galleries never send it (recorded).
NOTIFIES_SINCE = {"operations": ("2019-03-01", "2021-04-01"), "network": ("2019-09-01", "2021-08-01")}

_CERTIFICATE = base64.urlsafe_b64encode(b"".join(hashlib.sha512(b"certificate %d" % n).digest() for n in range(36))).decode()


def start(
    arm: Sandbox,
    call: Call,
    resource: Resource | None,
    latency: str,
    *,
    then: str | None = None,
    arguments: Json | None = None,
    family: str = "operations",
    seconds: float | None = None,
    location: str | None = None,
    subscription: str | None = None,
    open_ended: bool = False,
    exclusive: bool = True,
) -> Json:
    """Start an operation on `resource` and return it.

    It ends after `seconds` (default: drawn from `latency`), divided by the sandbox's speed, by calling the event `then` with
    `operation`, `resource` and `arguments`;
    an `open_ended` one is ended by somebody else with `end`. An `exclusive` one is the resource's current operation and governs its
    provisioningState.
    """
    number = arm.count("operation")
    id = str(UUID(int=Random(f"{arm.seed} operation {number}").getrandbits(128), version=4))
    if seconds is None:
        seconds = arm.seconds(latency, resource.key if resource else "", number)
    else:
        seconds = seconds / arm.speed
    operation: Json = {
        "id": id,
        "family": family,
        "kind": latency,
        "subscription": subscription or call.subscription,
        "location": location or (resource.location if resource else "") or "eastus",
        "resource": resource.key if resource else "",
        "start": arm.now,
        "end": None,
        "status": "InProgress",
        "error": None,
        "output": None,
        "then": then,
        "arguments": arguments or {},
        "polls": 0,
        "paced": False,
        "exclusive": exclusive,
    }
    fault = arm.faults.take("operation", call)
    if fault is not None:
        effect = words(call, fault["operation"])
        if effect == "never":
            operation["never"] = True
        else:
            seconds = float(effect["seconds"]) / arm.speed if "seconds" in effect else seconds
            if "code" in effect:
                operation["fault"] = {key: effect[key] for key in ("code", "message", "details") if key in effect}
            if effect.get("keep") and resource is not None:
                resource.private["doomed"] = operation["fault"]
    if not (open_ended and "fault" not in operation) and not operation.get("never"):
        arm.store.schedule(arm.now + seconds, "operation.finish", id=id)
    arm.store.remember(operation)
    if resource is not None and exclusive:
        resource.private["operation"] = id
        arm.store.touch(resource)
    return operation


def running(arm: Sandbox, resource: Resource) -> Json | None:
    """The resource's current operation, while it runs."""
    operation = arm.store.operations.get(resource.private.get("operation", ""))
    return operation if operation is not None and operation["status"] == "InProgress" else None


@event("operation.finish")
def _finish(arm: Sandbox, id: str) -> None:
    operation = arm.store.operations.get(id)
    if operation is not None and operation["status"] == "InProgress":
        end(arm, operation, operation.get("fault"))


@event("operation.forget")
def _forget(arm: Sandbox, id: str) -> None:
    arm.store.forget(id)


def end(arm: Sandbox, operation: Json, error: Json | None = None, *, cancelled: bool = False) -> None:
    """End an operation now: with its event's effect, or with `error` ({"code", "message", "details"?})."""
    if operation.get("never") and not cancelled and error is None:
        return
    resource = arm.store.resources.get(operation["resource"])
    if error is None and operation["then"] is not None:
        try:
            EVENTS[operation["then"]](arm, operation=operation, resource=resource, **operation["arguments"])
        except ArmError as problem:
            error = problem.body()
    operation["end"] = arm.now
    operation["status"] = "Canceled" if cancelled else "Failed" if error else "Succeeded"
    operation["error"] = error
    operation["polls"] = 0
    operation["arguments"] = {}
    arm.store.remember(operation)
    arm.store.schedule(arm.now + KEPT, "operation.forget", id=operation["id"])
    if resource is None or resource.private.get("operation") != operation["id"]:
        return
    resource.private.pop("operation")
    resource.private.pop("failure", None)
    if resource.key in arm.store.resources:
        if error is not None:
            resource.private["failure"] = error
            resource.properties["provisioningState"] = "Failed"
            failed = EVENTS.get(f"{operation['then']}.failed") if operation["then"] else None
            if failed is not None:
                failed(arm, operation=operation, resource=resource, error=error)
        elif "provisioningState" in resource.properties:
            resource.properties["provisioningState"] = "Succeeded"
        arm.store.touch(resource)


def preempt(arm: Sandbox, resource: Resource) -> None:
    """A newer write takes over: the running operation ends in OperationPreempted (azure-sdk-for-python#5167)."""
    operation = running(arm, resource)
    if operation is not None:
        error = {"code": "OperationPreempted", "message": "Operation execution has been preempted by a more recent operation."}
        resource.private.pop("operation")
        end(arm, operation, error, cancelled=False)


def conflict(resource: Resource | None = None) -> ArmError:
    """A write while another runs (text: kubernetes#50150)."""
    return ArmError(
        409,
        "Conflict",
        "The request failed due to conflict with a concurrent request. To resolve it, please refer to https://aka.ms/activitylog to get "
        "more details "
        "on the conflicting requests.",
    )


# answers


def headers(arm: Sandbox, call: Call, operation: Json, *, location: bool, retry_after: int | None) -> dict[str, str]:
    """The headers that tell a client where to ask."""
    made: dict[str, str] = {}
    if operation["family"] in ("arm", "storage"):
        made["location"] = _url(arm, call, operation)
    else:
        made["azure-asyncoperation"] = _url(arm, call, operation)
        if location:
            made["location"] = _url(arm, call, operation, monitor=True)
        if notifies(call, operation["family"]):
            made["azure-asyncnotification"] = "Enabled"
    if retry_after is not None:
        made["retry-after"] = arm.retry_after(retry_after)
        operation["paced"] = True
    return made


def notifies(call: Call, family: str) -> bool:
    """Whether an answer to the request says that Event Grid will tell of the end. An extension counts as a whole, but for its PATCH."""
    if family not in NOTIFIES_SINCE:
        return False
    whole, rest = NOTIFIES_SINCE[family]
    nested = call.type.count("/") > 1
    part = call.method == "POST" or (nested and (family == "network" or call.method == "PATCH"))
    return call.api_version >= (rest if part else whole)


def accepted(arm: Sandbox, call: Call, operation: Json, *, retry_after: int | None = None, body: Json | None = None) -> Response:
    """202 with both URLs."""
    found = headers(arm, call, operation, location=True, retry_after=retry_after)
    if body is None:
        return Response(202, found)
    return Response(202, {**found, "content-type": JSON_TYPE}, pretty(vintages.written(call.type, call.api_version, body, arm.now)))


def written(arm: Sandbox, call: Call, operation: Json | None, body: Json, *, created: bool, retry_after: int | None = None) -> Response:
    """201 for a new resource, 200 for an old one, with the status URL only."""
    found = headers(arm, call, operation, location=False, retry_after=retry_after) if operation is not None else {}
    body = vintages.written(call.type, call.api_version, body, arm.now, created=created)
    if body.get("etag") and call.type.startswith("Microsoft.Compute/"):  # Network's stand in the body alone
        found["etag"] = body["etag"]
    return Response(201 if created else 200, {**found, "content-type": JSON_TYPE}, pretty(body))


def _url(arm: Sandbox, call: Call, operation: Json, *, monitor: bool = False) -> str:
    root = f"{call.base}/subscriptions/{operation['subscription']}"
    version = call.api_version or "2024-07-01"
    id = operation["id"]
    family = operation["family"]
    if family == "arm":
        job = base64.urlsafe_b64encode(f"{id}|{operation['location']}".encode()).decode().rstrip("=")
        return f"{root}/operationresults/{job}?api-version={version}{_signature(id)}"
    if family == "network":
        place = "operationResults" if monitor else "operations"
        return f"{root}/providers/Microsoft.Network/locations/{operation['location']}/{place}/{id}?api-version={version}{_signature(id)}"
    if family == "storage":
        place = f"{root}/providers/Microsoft.Storage/locations/{operation['location']}/asyncoperations/{id}"
        return f"{place}?monitor=true&api-version={version}{_signature(id)}"
    partition = (
        ""
        if family == "capsOperations"
        else f"p={UUID(bytes=hashlib.md5(operation['location'].encode(), usedforsecurity=False).digest())}&"
    )
    watched = "monitor=true&" if monitor else ""
    place = f"{root}/providers/Microsoft.Compute/locations/{operation['location']}/{family}/{id}"
    return f"{place}?{partition}{watched}api-version={version}{_signature(id)}"


def _signature(id: str) -> str:
    """A signed URL's tail. Clients must hand it back as they got it; it makes the URL as long as Azure's."""
    digest = hashlib.sha512(id.encode()).digest()
    signed = base64.urlsafe_b64encode(digest * 4).decode().rstrip("=")
    return f"&t=639{int.from_bytes(digest[:7], 'big') % 10**15:015d}&c={_CERTIFICATE}&s={signed}&h={signed[:43]}"


def status(arm: Sandbox, call: Call, family: str, id: str) -> Response:
    """Answer a status or Location URL. Raises ArmError 404 for an unknown operation."""
    if family == "arm":
        try:
            id = base64.urlsafe_b64decode(id + "=" * (-len(id) % 4)).decode().split("|")[0]
        except (ValueError, UnicodeDecodeError):
            id = ""
    operation = arm.store.operations.get(id.lower())
    if operation is None or operation["family"].lower() != family.lower():
        raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
    operation["polls"] += 1
    if family == "arm":
        return _group_result(arm, call, operation)
    if family == "network":
        return _network_result(arm, call, operation)
    done = operation["status"] != "InProgress"
    if "monitor" in call.query:
        if not done:
            return Response(202, {"location": _url(arm, call, operation, monitor=True), **_poll(arm, operation)})
        if operation["error"] is not None:
            return Response(400, {"content-type": JSON_TYPE}, pretty({"error": operation["error"]}))
        output = _output(arm, call, operation)
        if operation["kind"] == "logAnalytics":  # its document has the whole where others have the bare output
            output = {"properties": {"output": output}}
        return Response(200, {"content-type": JSON_TYPE}, pretty(output)) if output is not None else Response(200)
    body: Json = {"startTime": stamp(operation["start"])}
    if done:
        body["endTime"] = stamp(operation["end"])
    body["status"] = operation["status"]
    if operation["error"] is not None:
        body["error"] = operation["error"]
    elif done:
        output = _output(arm, call, operation)
        if output is not None:
            body["properties"] = {"output": output}
    body["name"] = operation["id"]
    found = {"content-type": JSON_TYPE}
    if not done:
        found |= _poll(arm, operation)
    return Response(200, found, pretty(body))


def _poll(arm: Sandbox, operation: Json) -> dict[str, str]:
    """When to ask again (recorded): only operations say that began with it, of machines only the first time, of galleries only
    versions'. A sandbox that is faster than Azure says it always: clients wait as they please where nothing is said, up to a minute."""
    family = operation["family"]
    polls = POLLS[family]
    if family == "capsOperations" and "/versions." not in operation["kind"]:
        return {}
    if arm.speed == 1 and (not operation.get("paced") or (family == "operations" and operation["polls"] > 1)):
        return {}
    if len(polls) == 1 or operation["polls"] <= 2:
        return {"retry-after": arm.retry_after(polls[0] if len(polls) == 1 else 10)}
    return {"retry-after": arm.retry_after(polls[(operation["polls"] + int(operation["id"][:2], 16)) % len(polls)])}


def _output(arm: Sandbox, call: Call, operation: Json) -> Any:
    if operation["family"] == "DiskOperations" and operation["output"] is None and operation["kind"].endswith((".create", ".update")):
        resource = arm.store.resources.get(operation["resource"])
        return vintages.shown(resource.type, call.api_version, resource.body, arm.now) if resource is not None else None
    return operation["output"]


def _group_result(arm: Sandbox, call: Call, operation: Json) -> Response:
    if operation["status"] == "InProgress":
        return Response(202, headers(arm, call, operation, location=True, retry_after=15))
    if operation["error"] is not None:
        error = operation["error"]
        failure = {"Error": {"Code": error["code"], "Target": None, "Message": error["message"], "Details": error.get("details")}}
        return Response(409, {"content-type": JSON_TYPE}, compact(failure))
    if operation["output"] is not None:
        return Response(200, {"content-type": JSON_TYPE}, compact(operation["output"]))
    return Response(204 if operation["kind"] in ("resources.move", "deployments.delete") else 200)


def _network_result(arm: Sandbox, call: Call, operation: Json) -> Response:
    done = operation["status"] != "InProgress"
    if "operationresults" in call.path.lower():
        if operation["error"] is not None:
            return Response(400, {"content-type": JSON_TYPE}, pretty({"error": operation["error"]}))
        found = headers(arm, call, operation, location=True, retry_after=None if done else 10)
        if operation["kind"] == "network.effective":  # an action's: its result is all there is
            found.pop("azure-asyncoperation")
            if done:
                return Response(200, {**found, "content-type": JSON_TYPE}, pretty(operation["output"]))
        return Response(204 if done else 202, found)
    body: Json = {"status": operation["status"]}
    if operation["error"] is not None:
        body["error"] = {**operation["error"], "details": operation["error"].get("details", [])}
    found = {"content-type": JSON_TYPE}
    if not done:
        found["retry-after"] = arm.retry_after(10)
    return Response(200, found, pretty(body))


def ceil_seconds(seconds: float) -> int:
    return max(1, math.ceil(seconds))
