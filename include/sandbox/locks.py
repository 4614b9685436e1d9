"""Management locks: what they keep from happening. The locks themselves are resources (resources/locks.py).

Rules: "Lock your Azure resources" (learn.microsoft.com): a lock holds at its scope and below; CanNotDelete stops deletes, ReadOnly every
write and action; a delete is also stopped by locks on what would go with it. Text: public bug threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .wire import ArmError

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox

TYPE = "Microsoft.Authorization/locks"
_TAIL = "/providers/microsoft.authorization/locks/"
_READING = frozenset({"validate", "whatif", "exporttemplate", "capture"})  # actions that change nothing


def check(arm: Sandbox, call: Call) -> None:
    """Raises ArmError 409 ScopeLocked where a lock forbids the request."""
    if call.method in ("GET", "HEAD") or call.type == TYPE or (call.action and call.action.lower() in _READING):
        return
    locks = arm.store.of_type(call.subscription, TYPE)
    if not locks:
        return
    forbid(arm, call.id, "delete" if call.method == "DELETE" else "write", [lock.key for lock in locks.values()])


def forbid(arm: Sandbox, id: str, act: str, keys: list[str]) -> None:
    """Raises ArmError 409 ScopeLocked where one of the locks `keys` forbids to `act` (delete or write) on `id`."""
    key = id.lower()
    holding: list[str] = []
    for name in keys:
        scope = name[: name.rindex(_TAIL)]
        lock = arm.store.resources[name]
        above = key == scope or key.startswith(scope + "/")
        below = act == "delete" and scope.startswith(key + "/")
        stops = act == "delete" or lock.properties.get("level") == "ReadOnly"
        if stops and (above or below):
            shown = lock.id[: len(scope)]
            if shown not in holding:
                holding.append(shown)
    if holding:
        raise locked(id, act, holding)


def locked(id: str, act: str, scopes: list[str]) -> ArmError:
    """409 for an act (delete or write) on `id` that locks at `scopes` forbid."""
    return ArmError(
        409,
        "ScopeLocked",
        f"The scope '{id}' cannot perform {act} operation because following scope(s) are locked: '{','.join(scopes)}'. "
        "Please remove the lock and try again.",
        gateway=True,
    )
