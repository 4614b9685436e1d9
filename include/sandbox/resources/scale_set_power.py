"""What is done to instances of a Uniform scale set, one or several: start, powerOff, deallocate, restart, redeploy, reapply, reimage.

A reimage gives an instance the image again that it was made from, which must still be there; a newer one is manualupgrade's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import operations
from ..events import event
from ..registry import field
from ..store import Resource
from ..wire import ArmError, Response
from . import flexible_sets
from .power import AFTER
from .references import resolve
from .scale_sets import INSTANCES, SCALE_SETS, chosen
from .sizes import check_quota, find_size

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox
    from ..wire import Json

REIMAGES = ("reimage", "reimageAll")


def _of_set(name: str) -> Callable[[Sandbox, Call, Resource], Response]:
    def act(arm: Sandbox, call: Call, found: Resource) -> Response:
        if flexible_sets.is_flexible(found):
            raise flexible_sets.not_allowed(found, name)
        ids = field(call.json(), "instanceIds", list) if call.body.strip() else None
        return _begin(arm, call, found, name, chosen(arm, found, ids or ["*"]))

    return act


def _of_instance(name: str) -> Callable[[Sandbox, Call, Resource], Response]:
    def act(arm: Sandbox, call: Call, instance: Resource) -> Response:
        assert call.parent is not None
        return _begin(arm, call, call.parent, name, [instance])

    return act


def _begin(arm: Sandbox, call: Call, found: Resource, name: str, instances: list[Resource]) -> Response:
    if operations.running(arm, found) is not None:
        raise operations.conflict(found)
    if name == "start":
        for size in {one.body["sku"]["name"] for one in instances}:
            more = sum(one.private.get("power") == "deallocated" and one.body["sku"]["name"] == size for one in instances)
            check_quota(arm, found.subscription, found.location, find_size(size)[1], more)
    if name == "restart":
        for one in instances:
            if one.private.get("power", "running") != "running":
                raise ArmError(409, "OperationNotAllowed", f"The VM '{one.name}' is not running, so it cannot be restarted.")
    if name in REIMAGES:
        for one in instances:
            resolve(arm, call, exact(one.properties["storageProfile"]["imageReference"]), found.location)
    arguments = {"ids": [one.key for one in instances], "to": AFTER.get(name, "running")}
    kind = "reimage" if name in REIMAGES else name
    operation = operations.start(arm, call, found, f"virtualMachines.{kind}", then="scaleSets.moved", arguments=arguments)
    return operations.accepted(arm, call, operation, retry_after=10)


def exact(reference: Json) -> Json:
    """The reference to the very version that an instance was made from."""
    version = reference.get("exactVersion")
    given = {name: value for name, value in reference.items() if name != "exactVersion"}
    if version is None:
        return given
    if "publisher" in given:
        return {**given, "version": version}
    return {
        name: f"{id.removesuffix('/versions/latest')}/versions/{version}" if not id.lower().endswith(f"/versions/{version}") else id
        for name, id in given.items()
    }


@event("scaleSets.moved")
def _moved(arm: Sandbox, operation: Json, resource: Resource | None, ids: list[str], to: str | None, **_: Any) -> None:
    for id in ids:
        instance = arm.store.resources.get(id)
        if instance is not None and to is not None:
            instance.private["power"] = to
            arm.store.touch(instance)


for _name in (*AFTER, *REIMAGES):
    SCALE_SETS.actions[_name.lower()] = _of_set(_name)
    INSTANCES.actions[_name.lower()] = _of_instance(_name)
