"""What a fault does to a request: refuse it, break the connection, delay the answer, or let something happen later.

Effects on what the request sets going (`operation`, `replication`, `late`, `guest`) are asked for where that is done.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import locks, stale, throttling, tokens
from .api_versions import known_versions, type_of
from .events import event
from .regions import short
from .wire import ArmError, Json, Request, Response, compact

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox

MEDDLER = "x-sandbox-meddler"  # marks what a fault has somebody else request, so that no fault meets it

_FIELD = re.compile(r"\{(name|id|group|region|size|type|action|parent|subscription)\}")


def under_faults(arm: Sandbox, call: Call, act: Callable[[], Response]) -> Response:
    """Answer the request with `act`, under the rules in force. Raises ArmError where a rule refuses it."""
    if not arm.faults.rules or call.header(MEDDLER):
        return act()
    delay = 0.0
    if (fault := arm.faults.take("latency", call)) is not None:
        delay = float(fault["latency"]) / arm.speed
    _refuse(arm, call)
    drop = arm.faults.take("drop", call)
    if drop is not None and drop["drop"] == "before":
        return Response(0, dropped=True, delay=delay)
    error = (arm.faults.take("error", call) or {}).get("error")
    if error is not None and not error.get("after"):
        raise _error(arm, call, error)
    if call.method in ("PUT", "PATCH", "DELETE") and call.id and (fault := arm.faults.take("stale", call)) is not None:
        stale.remember(arm, call, float(fault["stale"]))
    response = act()
    if response.status < 400:
        _afterwards(arm, call)
    if error is not None:
        arm.store.keep_additions()
        raise _error(arm, call, error)
    response.delay = delay
    response.dropped = drop is not None
    return response


def words(call: Call, value: Any) -> Any:
    """`value` with {name} and the like in its texts replaced by what the request says."""
    if isinstance(value, str):
        return _FIELD.sub(lambda found: call.trait(found.group(1)), value)
    if isinstance(value, list):
        return [words(call, one) for one in value]
    if isinstance(value, dict):
        return {key: words(call, one) for key, one in value.items()}
    return value


def _error(arm: Sandbox, call: Call, error: Json) -> ArmError:
    error = words(call, error)
    return ArmError(
        int(error.get("status", 500)),
        error.get("code", "InternalServerError"),
        error.get("message", "An internal server error occurred."),
        target=error.get("target"),
        details=error.get("details"),
        headers={"retry-after": arm.retry_after(error["retry_after"])} if "retry_after" in error else None,
        gateway=bool(error.get("gateway")),
    )


def _refuse(arm: Sandbox, call: Call) -> None:
    """Raises the ArmError of the first rule that refuses the request for a reason of Azure's own."""
    take = arm.faults.take
    if (fault := take("throttle", call)) is not None:
        effect = fault["throttle"]
        raise throttling.refused(arm, effect.get("bucket", "HighCostGet30Min"), float(effect.get("retry_after", 60)))
    if take("token", call) is not None:
        raise tokens.expired(arm, call, arm.now - 1, arm.now)
    if call.segments[0].lower() == "subscriptions" and (fault := take("skew", call)) is not None:
        tokens.check(arm, call, now=arm.now + float(fault["skew"]))
    if (fault := take("policy", call)) is not None:
        raise denied(call, words(call, fault["policy"]))
    if (fault := take("lock", call)) is not None:
        act = "delete" if call.method == "DELETE" else "write"
        if call.method not in ("GET", "HEAD") and (act == "delete" or fault["lock"] == "ReadOnly"):
            scope = f"/subscriptions/{call.subscription}/resourceGroups/{call.group}" if call.group else call.id
            raise locks.locked(call.id, act, [scope])
    if call.type == "Microsoft.Compute/virtualMachines" and call.method == "PUT" and call.resource is None:
        _no_room(arm, call)


def _no_room(arm: Sandbox, call: Call) -> None:
    from .resources import sizes

    if arm.faults.take("restricted", call) is not None:
        raise sizes.unavailable(call.trait("size"), call.trait("region"))
    if (fault := arm.faults.take("quota", call)) is not None:
        location = short(call.trait("region"))
        _, size = sizes.find_size(call.trait("size"))
        current = sizes.used_cores(arm, call.subscription, location)["cores"]
        if current + size.cores > int(fault["quota"]):
            raise sizes.over_quota("Total Regional Cores", location, int(fault["quota"]), current, size.cores)


def denied(call: Call, policy: Json) -> ArmError:
    """403 RequestDisallowedByPolicy (shape: azure-cli#32417, and "Resolve errors for request disallowed by policy", docs)."""
    scope = f"/subscriptions/{call.subscription}"
    assignment = {"name": policy["assignment"], "id": f"{scope}/providers/Microsoft.Authorization/policyAssignments/{policy['assignment']}"}
    definition = {"name": policy["definition"], "id": f"{scope}/providers/Microsoft.Authorization/policyDefinitions/{policy['definition']}"}
    named = compact([{"policyAssignment": assignment, "policyDefinition": definition}]).decode()
    reason = f" Reasons: '{policy['message']}'." if "message" in policy else ""
    info = {
        "evaluationDetails": {"evaluatedExpressions": []},
        "policyDefinitionId": definition["id"],
        "policyDefinitionName": definition["name"],
        "policyDefinitionDisplayName": definition["name"],
        "policyDefinitionEffect": "deny",
        "policyAssignmentId": assignment["id"],
        "policyAssignmentName": assignment["name"],
        "policyAssignmentDisplayName": assignment["name"],
        "policyAssignmentScope": scope,
        "policyAssignmentParameters": {},
    }
    return ArmError(
        403,
        "RequestDisallowedByPolicy",
        f"Resource '{call.name}' was disallowed by policy.{reason} Policy identifiers: '{named}'.",
        target=call.name,
        additional=[{"type": "PolicyViolation", "info": info}],
        gateway=True,
    )


def _afterwards(arm: Sandbox, call: Call) -> None:
    """Set going what a rule has happen later."""
    if call.type == "Microsoft.Compute/virtualMachines" and (fault := arm.faults.take("evict", call)) is not None:
        arm.store.schedule(arm.now + float(fault["evict"]) / arm.speed, "virtualMachines.evicted", id=call.id.lower())
    if call.id and (fault := arm.faults.take("meddle", call)) is not None:
        effect = fault["meddle"]
        group = f"/subscriptions/{call.subscription}/resourceGroups/{call.group}"
        id = {"resource": call.id, "parent": call.trait("parent"), "group": group}[effect["what"]]
        due = arm.now + float(effect.get("seconds", 0)) / arm.speed
        url = f"{call.base}{id}?api-version={known_versions(type_of(id.strip('/').split('/')))[0]}"
        arm.store.schedule(due, "faults.meddled", url=url, act=effect["act"])


@event("faults.meddled")
def _meddled(arm: Sandbox, url: str, act: str) -> None:
    headers = {MEDDLER: "yes", "authorization": f"Bearer {arm.token()}"}
    if act == "delete":
        arm.answer(Request("DELETE", url, headers))
        return
    body = arm.answer(Request("GET", url, headers)).json()
    profile = body.get("properties", {}).get("publishingProfile", {})
    if len(profile.get("targetRegions", [])) > 1:
        profile["targetRegions"].pop()
        body["properties"].setdefault("safetyProfile", {})["allowDeletionOfReplicatedLocations"] = True
        arm.answer(Request("PUT", url, headers, compact(body)))
