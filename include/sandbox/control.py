"""The control API, `/_sandbox/…`, for whoever runs the sandbox. JSON in, JSON out; served on loopback only, and off with `--no-control`.

GET    /_sandbox/status                     time, speed, counts, running operations
GET    /_sandbox/resources[?type=…]         every resource: id, type, provisioningState
GET    /_sandbox/faults                     the rules in force, with their counts
POST   /_sandbox/faults                     add a rule, or a list of them (faults.py)
DELETE /_sandbox/faults[?name=…]            remove one rule, or all
GET    /_sandbox/catalogue                  the ready rules
POST   /_sandbox/advance                    {"seconds": n}: skip ahead
GET    /_sandbox/state                      all state, as JSON
PUT    /_sandbox/state                      become that state
POST   /_sandbox/marketplace                {"publisher", "offer", "sku", "version"}: publish a newer platform image; or a new one, or an
                                            extension (catalogue.publish)
POST   /_sandbox/issuers                    {"issuer", "keys"}: the keys of an issuer of tokens for workload identities (assertions.trust)
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from . import assertions, catalogue
from .wire import JSON_TYPE, ArmError, Json, Response, compact, parse, stamp

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
                given = parse(call.body)
                rules = [arm.faults.add(one) for one in (given if isinstance(given, list) else [given])]
                return _json({"added": [rule.name for rule in rules]}, 201)
            case "GET", "catalogue":
                return _json(list(catalogue.rules().values()))
            case "DELETE", "faults":
                removed = arm.faults.clear(call.query.get("name"))
                return _json({"removed": removed})
            case "POST", "advance":
                seconds = call.json().get("seconds")
                if not isinstance(seconds, int | float):
                    raise ValueError(f"seconds must be a number, not {seconds!r}")
                arm.skip(float(seconds))
                return _json({"now": stamp(arm.now)})
            case "GET", "state":
                return Response(200, {"content-type": JSON_TYPE}, arm.dump())
            case "PUT", "state":
                arm.load(call.body)
                return _json({"resources": len(arm.store.resources), "now": stamp(arm.now)})
            case "POST", "marketplace":
                from .resources.catalogue import publish

                return _json(publish(arm, call.json()), 201)
            case "POST", "issuers":
                return _json(assertions.trust(arm, call.json()), 201)
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
