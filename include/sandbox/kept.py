"""What a client states and the sandbox does not act upon: it is kept, and shown as it was given."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from .wire import Json


def keep(made: Json, given: Json, *, but: frozenset[str] = frozenset(), path: str = "") -> None:
    """Add to `made` what only `given` has, all the way down; the entries of two lists of objects belong together by lun, by name, or where
    both have one only. `but`: dotted paths, without places in lists, of what is not to be shown: secrets, and what clients only read."""
    for name, value in given.items():
        where = f"{path}{name}"
        if value is None or where in but:
            continue
        own = made.get(name)
        if own is None and name not in made:
            made[name] = _without(deepcopy(value), but, where)
        elif isinstance(own, dict) and isinstance(value, dict):
            keep(own, value, but=but, path=f"{where}.")
        elif isinstance(own, list) and isinstance(value, list):
            for entry, other in _pairs(own, value):
                keep(entry, other, but=but, path=f"{where}.")


def overlay(own: Json, given: Json, *, but: frozenset[str] = frozenset(), path: str = "") -> None:
    """Change `own` to what `given` says: objects member by member, everything else as a whole. `but` as for `keep`."""
    for name, value in given.items():
        where = f"{path}{name}"
        if value is None or where in but:
            continue
        if isinstance(value, dict) and isinstance(own.get(name), dict):
            overlay(own[name], value, but=but, path=f"{where}.")
        else:
            own[name] = _without(deepcopy(value), but, where)


def _without(value: Any, but: frozenset[str], path: str) -> Any:
    if isinstance(value, dict):
        shown = {name: inner for name, inner in value.items() if inner is not None and f"{path}.{name}" not in but}
        return {name: _without(inner, but, f"{path}.{name}") for name, inner in shown.items()}
    if isinstance(value, list):
        return [_without(inner, but, path) for inner in value]
    return value


def _pairs(own: list[Any], given: list[Any]) -> list[tuple[Json, Json]]:
    if not all(isinstance(one, dict) for one in (*own, *given)):
        return []
    for key in ("lun", "name"):
        known = {one.get(key): one for one in own}
        if None not in known and all(key in one for one in given):
            return [(known[one[key]], one) for one in given if one[key] in known]
    return [(own[0], given[0])] if len(own) == len(given) == 1 else []
