"""The template language's functions that take a lambda: `map`, `filter`, `reduce`, `sort`, `toObject`, …"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

from .functions import array, mapping, truth, wrong


@dataclass(slots=True)
class Lambda:
    """`lambda('a', 'b', body)`: the names it takes and how it is computed."""

    names: list[str]
    call: Callable[[list[Any]], Any]


def _of(name: str, value: Any) -> Lambda:
    if not isinstance(value, Lambda):
        raise wrong(name, "a lambda", value)
    return value


def _each(one: Lambda, item: Any, index: int) -> Any:
    return one.call([item, index][: len(one.names)])


def _map(values: Any, one: Any) -> list[Any]:
    return [_each(_of("map", one), item, index) for index, item in enumerate(array("map", values))]


def _filter(values: Any, one: Any) -> list[Any]:
    return [item for index, item in enumerate(array("filter", values)) if truth("filter", _each(_of("filter", one), item, index))]


def _reduce(values: Any, start: Any, one: Any) -> Any:
    for index, item in enumerate(array("reduce", values)):
        start = _of("reduce", one).call([start, item, index][: len(one.names)])
    return start


def _sort(values: Any, one: Any) -> list[Any]:
    before = _of("sort", one)
    return sorted(array("sort", values), key=cmp_to_key(lambda left, right: -1 if truth("sort", before.call([left, right])) else 1))


def _to_object(values: Any, key: Any, value: Any = None) -> dict[str, Any]:
    return {
        str(_each(_of("toObject", key), item, index)): item if value is None else _each(_of("toObject", value), item, index)
        for index, item in enumerate(array("toObject", values))
    }


def _group_by(values: Any, key: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for index, item in enumerate(array("groupBy", values)):
        out.setdefault(str(_each(_of("groupBy", key), item, index)), []).append(item)
    return out


def _map_values(value: Any, one: Any) -> dict[str, Any]:
    return {key: _of("mapValues", one).call([item]) for key, item in mapping("mapValues", value).items()}


LAMBDAS: dict[str, Callable[..., Any]] = {
    "map": _map,
    "filter": _filter,
    "reduce": _reduce,
    "sort": _sort,
    "toobject": _to_object,
    "groupby": _group_by,
    "mapvalues": _map_values,
}
