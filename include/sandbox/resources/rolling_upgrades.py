"""Rolling upgrades of Uniform scale sets: instances that were made from an older image take the set's, batch after batch.

One begins with POST …/osRollingUpgrade, which looks the model's image up anew, and with another image in the model of a set whose upgrade
mode is Rolling. The instances have no guest that could become unhealthy. Shapes and defaults: the compute OpenAPI document 2025-04-01.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import operations
from ..events import event
from ..registry import ResourceType, arm_not_found, field, register, route
from ..store import Resource
from ..templates.dates import duration
from ..wire import ArmError, Json, Response, stamp
from . import flexible_sets
from .references import resolve
from .scale_sets import IMAGE_REFERENCE, SCALE_SET, SCALE_SETS, apply, check_health, instances

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

TYPE = f"{SCALE_SET}/rollingUpgrades"
_DEFAULTS: Json = {
    "maxBatchInstancePercent": 20,
    "maxUnhealthyInstancePercent": 20,
    "maxUnhealthyUpgradedInstancePercent": 20,
    "pauseTimeBetweenBatches": "PT0S",
}


class RollingUpgrades(ResourceType):
    """The latest upgrade of a set, which clients only read."""

    name = TYPE
    listed = False


def latest(arm: Sandbox, found: Resource) -> Resource | None:
    return arm.store.get(f"{found.id}/rollingUpgrades/latest")


def is_running(status: Resource | None) -> bool:
    return status is not None and status.properties["runningStatus"]["code"] == "RollingForward"


def start(arm: Sandbox, call: Call, found: Resource) -> Response:
    """POST …/osRollingUpgrade: the instances take what the model's image reference means now."""
    if flexible_sets.is_flexible(found):
        raise flexible_sets.not_allowed(found, "osRollingUpgrade")
    check_health(found.properties["virtualMachineProfile"])
    if is_running(latest(arm, found)) or operations.running(arm, found) is not None:
        raise operations.conflict(found)
    _, _, found.private["image"] = resolve(arm, call, field(found.body, IMAGE_REFERENCE, dict), found.location)
    operation = operations.start(arm, call, found, "virtualMachineScaleSets.update", open_ended=True, exclusive=False)
    _begin(arm, found, operation["id"])
    return operations.accepted(arm, call, operation, retry_after=10)


@event("rollingUpgrades.begin")
def _model_changed(arm: Sandbox, id: str) -> None:
    """The model has another image; an upgrade that runs goes on to that."""
    found = arm.store.resources.get(id)
    if found is not None and not is_running(status := latest(arm, found)):
        _begin(arm, found, None)
    elif found is not None and status is not None:
        status.private["pending"] = [key for key in _outdated(arm, found) if key not in status.private["current"]]
        _show(arm, status)


def _outdated(arm: Sandbox, found: Resource) -> list[str]:
    image = found.private["image"]
    return [one.key for one in instances(arm, found) if one.properties["storageProfile"]["imageReference"] != image]


def _begin(arm: Sandbox, found: Resource, operation: str | None) -> None:
    now = stamp(arm.now)
    body: Json = {
        "name": "latest",
        "id": f"{found.id}/rollingUpgrades/latest",
        "type": TYPE,
        "location": found.location,
        "properties": {
            "policy": {**_DEFAULTS, **field(found.properties, "upgradePolicy.rollingUpgradePolicy", dict, {})},
            "runningStatus": {"code": "RollingForward", "startTime": now, "lastAction": "Start", "lastActionTime": now},
            "progress": {},
        },
    }
    private: Json = {"pending": _outdated(arm, found), "current": [], "done": 0, "operation": operation, "number": arm.count("upgrade")}
    status = arm.store.add(Resource(body["id"], TYPE, body, private))
    _next(arm, found, status)


def _next(arm: Sandbox, found: Resource, status: Resource, pause: float = 0.0) -> None:
    """The next batch, or the end."""
    own, policy = status.private, status.properties["policy"]
    size = max(1, len(instances(arm, found)) * int(policy["maxBatchInstancePercent"]) // 100)
    own["current"], own["pending"] = own["pending"][:size], own["pending"][size:]
    if own["current"]:
        took = arm.seconds("virtualMachines.reimage", status.key, own["number"], len(own["pending"]))
        arm.store.schedule(arm.now + took + pause / arm.speed, "rollingUpgrades.batch", id=status.key, number=own["number"])
    else:
        status.properties["runningStatus"]["code"] = "Completed"
        _end(arm, status)
    _show(arm, status)


@event("rollingUpgrades.batch")
def _batch(arm: Sandbox, id: str, number: int) -> None:
    """A batch is done."""
    status = arm.store.resources.get(id)
    found = arm.store.resources.get(id.rsplit("/", 2)[0])
    if status is None or found is None or status.private["number"] != number:
        return
    for key in status.private["current"]:
        if (one := arm.store.resources.get(key)) is not None:
            apply(found, one)
            arm.store.touch(one)
            status.private["done"] += 1
    status.private["current"] = []
    if is_running(status):
        _next(arm, found, status, duration(status.properties["policy"]["pauseTimeBetweenBatches"]).total_seconds())
    else:
        _show(arm, status)


def _show(arm: Sandbox, status: Resource) -> None:
    own = status.private
    status.properties["progress"] = {
        "successfulInstanceCount": own["done"],
        "failedInstanceCount": 0,
        "inProgressInstanceCount": len(own["current"]),
        "pendingInstanceCount": len(own["pending"]),
    }
    arm.store.touch(status)


def _end(arm: Sandbox, status: Resource, *, cancelled: bool = False) -> None:
    operation = arm.store.operations.get(status.private["operation"] or "")
    if operation is not None and operation["status"] == "InProgress":
        operations.end(arm, operation, cancelled=cancelled)


@route("POST", "subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/virtualMachineScaleSets/{}/rollingUpgrades/cancel")
def cancel(arm: Sandbox, call: Call, subscription: str, group: str, name: str) -> Response:
    """No further batch begins; the one that runs ends."""
    id = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{SCALE_SET}/{name}"
    found = arm.resource(id, SCALE_SET)
    if found is None:
        raise arm_not_found(id)
    status = latest(arm, found)
    if status is None or not is_running(status):
        raise ArmError(409, "OperationNotAllowed", "There is no ongoing Rolling Upgrade to cancel.")
    status.properties["runningStatus"] |= {"code": "Cancelled", "lastAction": "Cancel", "lastActionTime": stamp(arm.now)}
    arm.store.touch(status)
    _end(arm, status, cancelled=True)
    operation = operations.start(arm, call, found, "virtualMachineScaleSets.update", exclusive=False)
    return operations.accepted(arm, call, operation, retry_after=10)


SCALE_SETS.actions["osrollingupgrade"] = start
register(RollingUpgrades())
