"""The control API, `/_sandbox/…`, for whoever runs the sandbox. JSON in, JSON out; served on loopback only, and off with `--no-control`.

GET    /_sandbox/status                     time, speed, counts, running operations
GET    /_sandbox/resources[?type=…]         every resource: id, type, provisioningState
GET    /_sandbox/faults                     the rules in force, with their counts
POST   /_sandbox/faults                     add a rule (faults.py)
DELETE /_sandbox/faults[?name=…]            remove one rule, or all
POST   /_sandbox/advance                    {"seconds": n}: skip ahead
POST   /_sandbox/marketplace                {"publisher", "offer", "sku", "version"}: publish a newer platform image
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from .wire import JSON_TYPE, ArmError, Json, Response, compact, stamp

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox


def answer(arm: Sandbox, call: Call) -> Response:
    """Answer a control request; 400 with a text for a bad one."""
    what = call.segments[1].lower() if len(call.segments) > 1 else "status"
    try:
        match call.method, what:
            case "GET", "status":
                return _json(status(arm))
            case "GET", "resources":
                return _json(resources(arm, call.query.get("type", "")))
            case "GET", "faults":
                return _json(arm.faults.dump())
            case "POST", "faults":
                rule = arm.faults.add(call.json())
                arm.store.set("faults", arm.faults.dump())
                return _json({"added": rule.name}, 201)
            case "DELETE", "faults":
                removed = arm.faults.clear(call.query.get("name"))
                arm.store.set("faults", arm.faults.dump())
                return _json({"removed": removed})
            case "POST", "advance":
                seconds = call.json().get("seconds")
                if not isinstance(seconds, int | float):
                    raise ValueError(f"seconds must be a number, not {seconds!r}")
                arm.clock.advance(float(seconds))
                arm.store.set("skipped", arm.store.settings.get("skipped", 0.0) + float(seconds))
                arm.advance()
                return _json({"now": stamp(arm.now)})
            case "POST", "marketplace":
                from .resources.catalogue import publish

                return _json(publish(arm, call.json()), 201)
    except ArmError as error:
        return _json({"error": error.message}, error.status)
    except ValueError as error:
        return _json({"error": str(error)}, 400)
    return _json({"error": f"no such control request: {call.method} {call.path}"}, 404)


def status(arm: Sandbox) -> Json:
    """What is going on, in numbers."""
    counts = Counter(resource.type for resource in arm.store.resources.values())
    active = [
        {"kind": operation["kind"], "resource": operation["resource"], "since": stamp(operation["start"])}
        for operation in arm.store.operations.values()
        if operation["status"] == "InProgress"
    ]
    return {
        "now": stamp(arm.now),
        "speed": arm.speed,
        "seed": arm.seed,
        "subscription_id": arm.subscription_id,
        "resources": dict(sorted(counts.items())),
        "running": active,
        "faults": len(arm.faults.rules),
        "requests": dict(sorted(arm.requests.items())),
    }


def resources(arm: Sandbox, type: str) -> list[Json]:
    return [
        {"id": resource.id, "type": resource.type, "location": resource.location, "provisioningState": resource.state}
        for resource in sorted(arm.store.resources.values(), key=lambda resource: resource.key)
        if not type or resource.type.lower() == type.lower()
    ]


def _json(value: object, status: int = 200) -> Response:
    return Response(status, {"content-type": JSON_TYPE}, compact(value))
