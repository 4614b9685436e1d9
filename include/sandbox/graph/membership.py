"""Groups: who is in them, and which of them one is in, through groups in groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..store import Resource
from ..wire import Json
from . import errors, objects

if TYPE_CHECKING:
    from ..sandbox import Sandbox


def held(resource: Resource, role: str) -> list[str]:
    """The ids of a group's `members` or an object's `owners`."""
    return list(resource.private.get(role, []))


def add(arm: Sandbox, tenant: str, resource: Resource, role: str, ids: list[str]) -> None:
    """Raises ArmError 404 for one that is not there, 400 for one that is there already or cannot be."""
    there = held(resource, role)
    for id in ids:
        found = objects.find(arm, tenant, id)
        if found is None or objects.kind_of(found) not in objects.PRINCIPALS:
            raise errors.absent(id)
        if role == "owners" and objects.kind_of(found) == objects.GROUP:
            raise errors.bad("The reference target 'Group_" + found["id"] + "' of type 'Group' is invalid for the 'owners' reference.")
        if found["id"] in there:
            raise errors.bad(f"One or more added object references already exist for the following modified properties: '{role}'.")
        there.append(found["id"])
    resource.private[role] = there
    arm.store.touch(resource)


def remove(arm: Sandbox, resource: Resource, role: str, id: str) -> None:
    there = held(resource, role)
    if id.lower() not in there:
        raise errors.absent(id)
    resource.private[role] = [one for one in there if one != id.lower()]
    arm.store.touch(resource)


def forget(arm: Sandbox, tenant: str, id: str) -> None:
    """Take an object that is gone out of every group, and from what it owned."""
    for kind in (objects.GROUP, objects.APPLICATION, objects.SERVICE_PRINCIPAL):
        for resource in objects.kept(arm, tenant, kind):
            for role in ("members", "owners"):
                if id in held(resource, role):
                    remove(arm, resource, role, id)


def members(arm: Sandbox, tenant: str, resource: Resource, *, transitive: bool = False) -> list[Json]:
    """Who is in a group: directly, or through groups in it, too."""
    found: dict[str, Json] = {}
    waiting = held(resource, "members")
    while waiting:
        id = waiting.pop(0)
        member = objects.find(arm, tenant, id)
        if id in found or member is None:
            continue
        found[id] = member
        if transitive and objects.kind_of(member) == objects.GROUP and (inner := arm.store.get(objects.key_of(tenant, id))) is not None:
            waiting += held(inner, "members")
    return list(found.values())


def groups_of(arm: Sandbox, tenant: str | None, id: str, *, transitive: bool = True) -> list[Json]:
    """The groups that an object is in."""
    groups = objects.kept(arm, tenant, objects.GROUP) if tenant else []
    found: dict[str, Json] = {}
    waiting = [id.lower()]
    while waiting:
        inner = waiting.pop()
        for one in groups:
            if inner in held(one, "members") and one.properties["id"] not in found:
                found[one.properties["id"]] = one.properties
                waiting += [one.properties["id"]] if transitive else []
    return list(found.values())
