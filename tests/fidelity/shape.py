"""Whether two JSON bodies have the same shape: the same fields, of the same types, all the way down.

What counts as data and not as shape: the values (apart from `provisioningState`), the keys of maps whose keys a user chooses, and which
entries a catalogue has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

# Maps from names that users choose.
MAPS = frozenset({"tags", "parameters", "outputs", "variables", "userAssignedIdentities", "userArtifactSettings"})

# Lists that catalogue what a provider has (its document, the marketplace, sizes): which entries, the recordings abridge.
CATALOGUES = frozenset({"", "value", "resourceTypes", "authorizations", "apiProfiles", "zoneMappings", "locationMappings"})

Same = Callable[[str, str], bool]


def differences(recorded: Any, answered: Any, same: Same) -> list[str]:
    """What is missing, extra or of another type, as `missing properties.x`. `same(a, b)`: whether two names mean the same thing."""
    return list(dict.fromkeys(_compare(recorded, answered, "", same)))


def pairs(recorded: list[Any], answered: list[Any], same: Same) -> tuple[list[tuple[Any, Any]], list[Any], list[Any]]:
    """Entries that belong together (by name, else by place), and those of either side that stand alone."""
    left = list(answered)
    together: list[tuple[Any, Any]] = []
    alone: list[Any] = []
    for one in recorded:
        label = _label(one)
        if label is None:
            match = next((other for other in left if _label(other) is None), None)
        else:
            match = next((other for other in left if (known := _label(other)) is not None and same(label, known)), None)
        if match is None:
            alone.append(one)
        else:
            left.remove(match)
            together.append((one, match))
    still = []
    for one in alone:  # a name that the server chose: by place, among those of its kind
        match = next((other for other in left if type(other) is type(one) and _kind(other) == _kind(one)), None)
        if match is None or isinstance(one, dict) is False:
            still.append(one)
        else:
            left.remove(match)
            together.append((one, match))
    return together, still, left


def _kind(one: Any) -> str:
    """What a list's entry says that it is, where it says so."""
    kind = (one.get("resourceType") if "name" in one else one.get("type")) if isinstance(one, dict) else None
    return kind.lower() if isinstance(kind, str) else ""


def _label(one: Any) -> str | None:
    if not isinstance(one, dict):
        return None
    for key in ("id", "name", "namespace", "resourceType", "region", "lun", "code"):
        value = one.get(key)
        if isinstance(value, str | int):
            return f"{key} {value}"
        if isinstance(value, dict) and isinstance(value.get("value"), str):
            return f"{key} {value['value']}"
    return None


def _compare(recorded: Any, answered: Any, at: str, same: Same) -> Iterator[str]:
    if _type(recorded) != _type(answered):
        yield f"type {at or 'body'}: {_type(answered)} instead of {_type(recorded)}"
    elif isinstance(recorded, dict):
        yield from _compare_objects(recorded, answered, at, same)
    elif isinstance(recorded, list):
        yield from _compare_lists(recorded, answered, at, same)
    elif at.endswith("provisioningState") and recorded != answered:
        yield f"value {at}: {answered} instead of {recorded}"


def _compare_objects(recorded: dict[str, Any], answered: dict[str, Any], at: str, same: Same) -> Iterator[str]:
    name = at.rsplit(".", 1)[-1]
    if name in MAPS:
        for key, value in recorded.items():
            if key in answered:
                yield from _compare(value, answered[key], f"{at}.*", same)
        return
    for key, value in recorded.items():
        below = f"{at}.{key}" if at else key
        if key in answered:
            yield from _compare(value, answered[key], below, same)
        else:
            yield f"missing {below}"
    for key in answered:
        if key not in recorded:
            yield f"extra {at}.{key}" if at else f"extra {key}"


def _compare_lists(recorded: list[Any], answered: list[Any], at: str, same: Same) -> Iterator[str]:
    together, missing, extra = pairs(recorded, answered, same)
    for one, other in together:
        yield from _compare(one, other, f"{at}[]", same)
    if at.rsplit(".", 1)[-1] in CATALOGUES:
        if missing and not together:
            yield f"missing {at}[]"
        return
    if all(_type(one) == "string" for one in (*missing, *extra)):
        return  # which strings, and how many, are values
    if missing:
        yield f"missing {at}[]"
    if extra:
        yield f"extra {at}[]"


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
