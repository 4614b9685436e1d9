"""Stale reads: for a while after a write, GET and lists answer as before it, as Azure's front door does from a cache or another region.

Writes see what is. What is remembered is a setting, so that it survives a restart: {key: {"was": the resource or None, "type",
"seconds", "until": epoch seconds, or None while a deletion has not ended yet}}.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from .store import Resource, collection_of
from .wire import Json

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox

READS = frozenset({"GET", "HEAD"})


def remember(arm: Sandbox, call: Call, seconds: float) -> None:
    """Have reads of the request's resource answer as they would now, for `seconds` after the write took effect."""
    was = call.resource
    kept: Json = {
        "was": None if was is None else [was.id, was.type, deepcopy(was.body), deepcopy(was.private)],
        "type": call.type,
        "seconds": seconds / arm.speed,
        "until": None if call.method == "DELETE" else arm.now + seconds / arm.speed,
    }
    arm.store.set("stale", {**arm.store.settings.get("stale", {}), call.id.lower(): kept})


def notice(arm: Sandbox) -> None:
    """Note which deletions have ended by now, and forget what is over."""
    known: dict[str, Json] = arm.store.settings["stale"]
    for key, kept in known.items():
        if kept["until"] is None and key not in arm.store.resources:
            kept["until"] = arm.now + kept["seconds"]
    arm.store.set("stale", {key: kept for key, kept in known.items() if kept["until"] is None or kept["until"] > arm.now})


def seen(arm: Sandbox, id: str, resource: Resource | None) -> Resource | None:
    """What a read of `id` sees in place of `resource`."""
    kept = arm.store.settings["stale"].get(id.lower())
    if kept is None or kept["until"] is None or kept["until"] <= arm.now:
        return resource
    return None if kept["was"] is None else Resource(*kept["was"])


def listed(arm: Sandbox, path: str, type: str, found: list[Resource]) -> list[Resource]:
    """What a list of a type, at `path` in lower case, shows in place of `found`."""
    shown = {resource.key: resource for resource in found}
    whole = path.startswith("/subscriptions/") and path.split("/")[3:4] == ["providers"]  # the subscription's
    for key, kept in arm.store.settings["stale"].items():
        if kept["type"] == type and (collection_of(key) == path or (whole and key.split("/")[2] == path.split("/")[2])):
            old = seen(arm, key, shown.get(key))
            if old is None:
                shown.pop(key, None)
            else:
                shown[key] = old
    return list(shown.values())
