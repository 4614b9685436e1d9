"""What-If: what a deployment would change, told without changing anything.

Shapes: the Resources OpenAPI document's WhatIfOperationResult. A property of which only the running deployment knows the value is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .. import operations
from ..registry import TYPES, field
from ..store import Resource
from ..templates.evaluation import UNKNOWN
from ..templates.plan import Plan, Planned
from ..wire import Json, Response

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

SECONDS = 4.0  # that a what-if takes; no figure is published
SHOWN = ("location", "tags", "sku", "kind", "zones", "identity", "plan", "properties")


def what_if(arm: Sandbox, call: Call, plan: Plan, mode: str) -> Response:
    """202, and the changes at the address that it names."""
    brief = str(field(call.json(), "properties.whatIfSettings.resultFormat", str, "")).lower() == "resourceidonly"
    changes = [_change(arm, call, plan, one, brief) for one in plan.resources]
    if call.group:
        planned = {one.key for one in plan.resources}
        root = f"/subscriptions/{call.subscription}/resourceGroups/{call.group}".lower()
        for other in arm.store.in_group(root).values():
            kind = TYPES.get(other.type.lower())
            if kind is not None and kind.listed and other.id.count("/") == 8 and other.key not in planned:
                change: Json = {"resourceId": other.id, "changeType": "Delete" if mode == "Complete" else "Ignore"}
                changes.append(change if brief else {**change, "before": _shown(arm, call, other)})
    output = {
        "status": "Succeeded",
        "properties": {"correlationId": arm.request_guid(), "changes": sorted(changes, key=lambda one: one["resourceId"].lower())},
    }
    return what_if_result(arm, call, output)


def what_if_result(arm: Sandbox, call: Call, output: Json) -> Response:
    """202; `output` comes a little later."""
    operation = operations.start(arm, call, None, "deployments.whatIf", family="arm", seconds=SECONDS)
    operation["output"] = output
    arm.store.remember(operation)
    return operations.accepted(arm, call, operation, retry_after=5)


def _change(arm: Sandbox, call: Call, plan: Plan, one: Planned, brief: bool) -> Json:
    body = _known({key: value for key, value in plan.body(one).items() if key in SHOWN})
    named = {"apiVersion": one.api_version, "id": one.id, "name": one.name.rsplit("/", 1)[-1], "type": one.type}
    existing = arm.store.get(one.id)
    if existing is None:
        return (
            {"resourceId": one.id, "changeType": "Create"}
            if brief
            else {"resourceId": one.id, "changeType": "Create", "after": {**named, **body}}
        )
    if brief:
        return {"resourceId": existing.id, "changeType": "Deploy"}
    before = _shown(arm, call, existing)
    delta = list(_delta(before, body, ""))
    change: Json = {"resourceId": existing.id, "changeType": "Modify" if delta else "NoChange", "before": before}
    return {**change, "after": _merged(before, body), **({"delta": delta} if delta else {})}


def _shown(arm: Sandbox, call: Call, resource: Resource) -> Json:
    view = TYPES[resource.type.lower()].view(arm, call, resource)
    named = {"id": resource.id, "name": resource.name, "type": resource.type}
    return {**named, **{key: view[key] for key in SHOWN if key in view}}


def _known(value: Any) -> Any:
    """The value without what is not known yet."""
    if isinstance(value, dict):
        return {key: _known(one) for key, one in value.items() if one is not UNKNOWN and one is not None}
    if isinstance(value, list):
        return [_known(one) for one in value if one is not UNKNOWN]
    return value


def _delta(before: Any, after: Any, path: str) -> Iterator[Json]:
    """The properties that the template says otherwise. What it does not say is the provider's."""
    for key, wanted in after.items():
        below = f"{path}.{key}" if path else key
        if key not in before:
            if wanted not in ([], {}):
                yield {"path": below, "propertyChangeType": "Create", "after": wanted}
        elif isinstance(wanted, dict) and isinstance(before[key], dict):
            yield from _delta(before[key], wanted, below)
        elif isinstance(wanted, list) and isinstance(before[key], list):
            children = list(_items(before[key], wanted))
            if children:
                yield {"path": below, "propertyChangeType": "Array", "children": children}
        elif not _same(before[key], wanted, key):
            yield {"path": below, "propertyChangeType": "Modify", "before": before[key], "after": wanted}


def _items(before: list[Any], after: list[Any]) -> Iterator[Json]:
    for index in range(max(len(before), len(after))):
        if index >= len(after):
            yield {"path": str(index), "propertyChangeType": "Delete", "before": before[index]}
        elif index >= len(before):
            yield {"path": str(index), "propertyChangeType": "Create", "after": after[index]}
        elif isinstance(after[index], dict) and isinstance(before[index], dict):
            children = list(_delta(before[index], after[index], ""))
            if children:
                yield {"path": str(index), "propertyChangeType": "Modify", "children": children}
        elif not _same(before[index], after[index], ""):
            yield {"path": str(index), "propertyChangeType": "Modify", "before": before[index], "after": after[index]}


def _same(before: Any, after: Any, key: str) -> bool:
    """Ids, locations and enumerations are the same in any case of their letters."""
    if isinstance(before, str) and isinstance(after, str):
        left, right = before.lower(), after.lower()
        return left == right or (key == "location" and left == right.replace(" ", ""))
    return bool(before == after)


def _merged(before: Json, after: Json) -> Json:
    made = dict(before)
    for key, value in after.items():
        made[key] = _merged(before[key], value) if isinstance(value, dict) and isinstance(before.get(key), dict) else value
    return made
