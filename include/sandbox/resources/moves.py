"""Moving resources to another group of the same subscription.

What moves gets a new id, and whoever names it names it by that. Types move that their provider's document says so of; what is moved may
depend on nothing that stays behind, as Azure has it for networks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .. import locks, operations
from ..events import event
from ..registry import field, required
from ..store import Resource
from ..wire import ArmError, Json, Response, compact, parse
from .providers import MOVES, capabilities

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

SECONDS = 60.0  # that a move takes; the recorded one took about a minute


def move(arm: Sandbox, call: Call, group: Resource) -> Response:
    """POST moveResources: 202, and 204 at the end."""
    target, found = checked(arm, call, group)
    arguments = {"ids": [one.id for one in found], "target": target.id}
    operation = operations.start(
        arm,
        call,
        None,
        "resources.move",
        then="resources.moved",
        arguments=arguments,
        family="arm",
        seconds=SECONDS,
        location=group.location,
    )
    return operations.accepted(arm, call, operation, retry_after=15)


def validate(arm: Sandbox, call: Call, group: Resource) -> Response:
    """POST validateMoveResources: 202, and 204 where the move would do."""
    checked(arm, call, group)
    operation = operations.start(arm, call, None, "resources.move", family="arm", seconds=10.0, location=group.location)
    return operations.accepted(arm, call, operation, retry_after=15)


def checked(arm: Sandbox, call: Call, group: Resource) -> tuple[Resource, list[Resource]]:
    """The target group, and what is to be moved. Raises ArmError 400, 404 or 409."""
    body = call.json()
    wanted = str(required(body, "targetResourceGroup"))
    target = arm.store.get(wanted)
    if target is None or target.type != "Microsoft.Resources/resourceGroups":
        name = wanted.rsplit("/", 1)[-1]
        raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.", gateway=True)
    if target.subscription.lower() != group.subscription.lower():
        raise ArmError(
            400,
            "ResourceMoveNotSupported",
            "Resource move between subscriptions is not supported by the sandbox. Please see https://aka.ms/move-resources.",
            gateway=True,
        )
    if target is group:
        raise ArmError(
            400, "MoveCannotCompleteSameGroup", "Resource move source and target resource groups cannot be the same.", gateway=True
        )
    ids = field(body, "resources", list, [])
    if not ids:
        raise ArmError(400, "MissingMoveResources", "The resources to be moved are not specified.", gateway=True)
    found = []
    for id in ids:
        one = arm.store.get(str(id))
        if one is None or not one.key.startswith(group.key + "/"):
            raise ArmError(404, "ResourceNotFound", f"The resource '{id}' was not found in resource group '{group.name}'.", gateway=True)
        if MOVES not in capabilities(one.type) or one.id.count("/") != 8:
            raise ArmError(
                400,
                "ResourceMoveNotSupported",
                f"Resource move is not supported for resource types '{one.type}'. Please see https://aka.ms/move-resources.",
                gateway=True,
            )
        if arm.store.get(one.id.replace(group.id, target.id, 1)) is not None:
            raise ArmError(409, "ResourceMoveConflict", f"The resource '{one.name}' is already there in '{target.name}'.", gateway=True)
        found.append(one)
    scopes = [lock.key for lock in arm.store.of_type(group.subscription, locks.TYPE).values()]
    for one in (*found, target):
        locks.forbid(arm, one.id, "write", scopes)
    _check_dependencies(arm, group, found)
    return target, found


def _check_dependencies(arm: Sandbox, group: Resource, found: list[Resource]) -> None:
    """Raises ArmError 409 where something that is moved uses, or is used by, something of the group that is not."""
    moved = tuple(one.key for one in found)

    def goes(key: str) -> bool:
        return any(key == root or key.startswith(root + "/") for root in moved)

    for one in arm.store.in_group(group.key).values():
        if one.type.startswith(("Microsoft.Resources/", "Microsoft.Authorization/")):
            continue
        for named in set(_ids(compact(one.body).decode(), group)):
            other = next((other for other in arm.store.in_group(group.key).values() if named == other.key), None)
            if other is not None and goes(one.key) != goes(other.key):
                raise ArmError(
                    409,
                    "ResourceMoveProviderValidationFailed",
                    "Resource move validation failed. Please see details. Diagnostic information: "
                    f"'{one.id}' depends on '{other.id}'; both must be moved together.",
                    gateway=True,
                )


def _ids(text: str, group: Resource) -> list[str]:
    return re.findall(re.escape(group.key) + r'/providers/[^"\s]+', text.lower())


@event("resources.moved")
def _moved(arm: Sandbox, operation: Json, ids: list[str], target: str, **_: Any) -> None:
    for id in ids:
        source = id.split("/providers/", 1)[0]
        new = target + id[len(source) :]
        pattern = re.compile(re.escape(id) + r'(?=["/])', re.IGNORECASE)
        for resource in list(arm.store.resources.values()):
            inside = resource.key == id.lower() or resource.key.startswith(id.lower() + "/")
            text = compact([resource.id, resource.body, resource.private]).decode()
            changed = pattern.sub(lambda found, new=new: new if found[0] != found[0].lower() else new.lower(), text)  # type: ignore[misc]  # mypy infers no lambda with a default
            if changed == text and not inside:
                continue
            _, body, private = parse(changed.encode())
            if inside:
                arm.store.drop(resource)
                arm.store.add(Resource(new + resource.id[len(id) :], resource.type, body, private))
            else:
                resource.body, resource.private = body, private
                arm.store.touch(resource)
