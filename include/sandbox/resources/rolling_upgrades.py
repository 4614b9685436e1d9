"""Rolling upgrades of Uniform scale sets: instances that were made from another version take the set's, batch after batch.

One begins with POST …/osRollingUpgrade, which looks the model's image up anew; with another image in the model of a set whose upgrade mode
is Rolling; and by itself (automatic_upgrades.py). Instances have no guest of their own, but an image whose guest was never made ready comes
up nowhere: what takes it is unhealthy. Shapes and defaults: the compute OpenAPI document 2025-04-01; what becomes of unhealthy instances:
"Azure Virtual Machine Scale Set automatic OS image upgrades" (learn.microsoft.com); the error: recorded (azure-mgmt-compute 20.0.0,
test_compute_vmss_rolling_upgrades).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import guest, operations
from ..content import VERSION, of_stored
from ..events import event
from ..registry import ResourceType, arm_not_found, field, register, route
from ..store import Resource
from ..templates.dates import duration
from ..wire import JSON_TYPE, ArmError, Json, Response, moment, pretty, stamp
from . import flexible_sets
from .references import resolve
from .scale_sets import IMAGE_REFERENCE, SCALE_SET, SCALE_SETS, apply, instances, take
from .upgrade_policy import check_health, names_latest

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

TYPE = f"{SCALE_SET}/rollingUpgrades"
USER, PLATFORM = "User", "Platform"  # who began an upgrade
_WAIT = 300.0  # seconds in which an instance must be healthy after it was upgraded
_SHOWN = 5  # upgrades that the history tells of, at most
_REMEMBERED = 60 * 86_400.0  # seconds: the "past two months" of it
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
    asked = field(found.body, IMAGE_REFERENCE, dict)
    if not names_latest(asked):  # text: terraform-provider-azurerm#12590
        raise ArmError(
            409,
            "OperationNotAllowed",
            "The OS Rolling Upgrade API cannot be used on a Virtual Machine Scale Set unless the Virtual Machine Scale Set has some "
            "unprotected instances which have imageReference.version set to latest.",
        )
    if is_running(latest(arm, found)) or operations.running(arm, found) is not None:
        raise operations.conflict(found)
    origin, _, reference = resolve(arm, call, asked, found.location)
    take(found, origin, reference)
    operation = operations.start(arm, call, found, "virtualMachineScaleSets.update", open_ended=True, exclusive=False)
    begin(arm, found, _outdated(arm, found), operation["id"])
    return operations.accepted(arm, call, operation, retry_after=10)


@event("rollingUpgrades.begin")
def _model_changed(arm: Sandbox, id: str) -> None:
    """The model has another image; an upgrade that runs goes on to that."""
    found = arm.store.resources.get(id)
    if found is not None and not is_running(status := latest(arm, found)):
        begin(arm, found, _outdated(arm, found))
    elif found is not None and status is not None:
        status.private["pending"] = [key for key in _outdated(arm, found) if key not in status.private["current"]]
        status.private["comes_up"] = _comes_up(arm, found)
        _show(arm, found, status)


def _outdated(arm: Sandbox, found: Resource) -> list[str]:
    image = found.private["image"]
    return [one.key for one in instances(arm, found) if one.properties["storageProfile"]["imageReference"] != image]


def _comes_up(arm: Sandbox, found: Resource) -> bool:
    """Whether an instance that takes the model's image can be provisioned."""
    version = arm.store.get(found.private["found"])
    if version is None or version.type != VERSION:
        return True
    origin = of_stored(version, "version")
    return origin.state != "Generalized" or guest.is_ready(origin.content)


def begin(arm: Sandbox, found: Resource, pending: list[str], operation: str | None = None, by: str = USER) -> None:
    """Begin an upgrade of the instances `pending` (their keys) to the model's image."""
    now = stamp(arm.now)
    policy = found.properties["upgradePolicy"]
    follows = by == USER or field(policy, "automaticOSUpgradePolicy.useRollingUpgradePolicy", bool, False)
    body: Json = {
        "name": "latest",
        "id": f"{found.id}/rollingUpgrades/latest",
        "type": TYPE,
        "location": found.location,
        "properties": {
            "policy": {**_DEFAULTS, **(field(policy, "rollingUpgradePolicy", dict, {}) if follows else {})},
            "runningStatus": {"code": "RollingForward", "startTime": now, "lastAction": "Start", "lastActionTime": now},
            "progress": {},
        },
    }
    private: Json = {
        "pending": pending,
        "current": [],
        "done": 0,
        "failed": 0,
        "restored": 0,
        "operation": operation,
        "number": arm.count("upgrade"),
        "by": by,
        "comes_up": _comes_up(arm, found),
    }
    status = arm.store.add(Resource(body["id"], TYPE, body, private))
    found.private["history"] = [{}, *found.private.get("history", [])][:_SHOWN]
    _next(arm, found, status)


def _next(arm: Sandbox, found: Resource, status: Resource) -> None:
    """The next batch, or the end."""
    own, policy = status.private, status.properties["policy"]
    size = max(1, len(instances(arm, found)) * int(policy["maxBatchInstancePercent"]) // 100)
    own["current"], own["pending"] = own["pending"][:size], own["pending"][size:]
    if own["current"]:
        took = arm.seconds("virtualMachines.reimage", status.key, own["number"], len(own["pending"]))
        took += 0.0 if own["comes_up"] else _WAIT / arm.speed
        arm.store.schedule(arm.now + took, "rollingUpgrades.batch", id=status.key, number=own["number"])
    else:
        _end(arm, status, "Completed")
    _show(arm, found, status)


@event("rollingUpgrades.batch")
def _batch(arm: Sandbox, id: str, number: int) -> None:
    """A batch is done."""
    status = arm.store.resources.get(id)
    found = arm.store.resources.get(id.rsplit("/", 2)[0])
    if status is None or found is None or status.private["number"] != number:
        return
    first = ""
    for key in status.private["current"]:
        if (one := arm.store.resources.get(key)) is not None:
            first = first or one.body["instanceId"]
            _upgrade(found, one, status)
            arm.store.touch(one)
    status.private["current"] = []
    if not is_running(status):
        _show(arm, found, status)
    elif (error := _too_unhealthy(status, first)) is not None:
        status.properties["error"] = error
        if status.private["by"] == PLATFORM:  # the platform does not begin again with the same version
            found.private["gave_up"] = found.private["image"].get("exactVersion")
        _end(arm, status, "Faulted", error)
        _show(arm, found, status)
    elif status.private["pending"]:
        pause = duration(status.properties["policy"]["pauseTimeBetweenBatches"]).total_seconds()
        arm.store.schedule(arm.now + pause / arm.speed, "rollingUpgrades.next", id=status.key, number=number)
        _show(arm, found, status)
    else:
        _next(arm, found, status)


@event("rollingUpgrades.next")
def _paused(arm: Sandbox, id: str, number: int) -> None:
    """The pause between two batches is over."""
    status = arm.store.resources.get(id)
    found = arm.store.resources.get(id.rsplit("/", 2)[0])
    if status is not None and found is not None and status.private["number"] == number and is_running(status):
        _next(arm, found, status)


def _upgrade(found: Resource, one: Resource, status: Resource) -> None:
    """An instance takes the set's image. Where it does not come up with it, an upgrade that Azure began puts its old OS disk back, unless
    the set's policy says otherwise; one that a user began has nothing to put back."""
    own = status.private
    if own["comes_up"]:
        own["done"] += 1
        apply(found, one)
        one.properties["provisioningState"] = "Succeeded"
        return
    own["failed"] += 1
    policy = found.properties["upgradePolicy"]
    if own["by"] == PLATFORM and not field(policy, "automaticOSUpgradePolicy.disableAutomaticRollback", bool, False):
        own["restored"] += 1
        return
    apply(found, one)
    one.properties["provisioningState"] = "Failed"


def _too_unhealthy(status: Resource, first: str) -> Json | None:
    """The error that stops an upgrade of which too many instances are unhealthy."""
    own, most = status.private, int(status.properties["policy"]["maxUnhealthyUpgradedInstancePercent"])
    upgraded = own["done"] + own["failed"]
    share = own["failed"] * 100 // upgraded if upgraded else 0
    if share <= most:
        return None
    message = (
        "Rolling Upgrade failed after exceeding the MaxUnhealthyUpgradedInstancePercent value defined in the RollingUpgradePolicy. "
        f"{share}% of instances are in an unhealthy state after being upgraded - more than the threshold of {most}%. The most impactful "
        f"error is: Instance found to be unhealthy or unreachable.. First failed instance ID is: {first}."
    )
    return {"code": "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade", "message": message}


def _show(arm: Sandbox, found: Resource, status: Resource) -> None:
    own = status.private
    progress = status.properties["progress"] = {
        "successfulInstanceCount": own["done"],
        "failedInstanceCount": own["failed"],
        "inProgressInstanceCount": len(own["current"]),
        "pendingInstanceCount": len(own["pending"]),
    }
    arm.store.touch(status)
    running = status.properties["runningStatus"]
    target = found.private["image"]
    exact = target.get("exactVersion", "")
    entry: Json = {
        "runningStatus": {"code": running["code"], "startTime": running["startTime"]},
        "progress": progress,
        "startedBy": own["by"],
        "targetImageReference": {**target, "version": exact} if "publisher" in target else target,
        "rollbackInfo": {"successfullyRolledbackInstanceCount": own["restored"], "failedRolledbackInstanceCount": 0},
    }
    if not is_running(status):
        entry["runningStatus"]["endTime"] = stamp(arm.now)
    if (error := status.properties.get("error")) is not None:
        entry["error"] = error
    found.private["history"][0] = entry
    arm.store.touch(found)


def history(arm: Sandbox, call: Call, found: Resource) -> Response:
    """GET …/osUpgradeHistory: the last upgrades, newest first."""
    since = arm.now - _REMEMBERED
    entries = [one for one in found.private.get("history", []) if moment(one["runningStatus"]["startTime"]) >= since]
    body = {"value": [{"properties": one, "type": TYPE, "location": found.location} for one in entries]}
    return Response(200, {"content-type": JSON_TYPE}, pretty(body))


def _end(arm: Sandbox, status: Resource, code: str, error: Json | None = None) -> None:
    status.properties["runningStatus"]["code"] = code
    operation = arm.store.operations.get(status.private["operation"] or "")
    if operation is not None and operation["status"] == "InProgress":
        operations.end(arm, operation, error, cancelled=code == "Cancelled")


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
    status.properties["runningStatus"] |= {"lastAction": "Cancel", "lastActionTime": stamp(arm.now)}
    _end(arm, status, "Cancelled")
    _show(arm, found, status)
    operation = operations.start(arm, call, found, "virtualMachineScaleSets.update", exclusive=False)
    return operations.accepted(arm, call, operation, retry_after=10)


SCALE_SETS.actions["osrollingupgrade"] = start
SCALE_SETS.views["osupgradehistory"] = history
register(RollingUpgrades())
