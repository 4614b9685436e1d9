"""The functions of the template language that compute from their arguments alone.

Names and meanings: "ARM template functions" (learn.microsoft.com). Names are matched without regard to case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import TemplateError

Implementation = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Known:
    """A function: its name in Azure's casing and how many arguments it takes (`most` None: any number)."""

    name: str
    least: int
    most: int | None
    call: Implementation


FUNCTIONS: dict[str, Known] = {}


def function(name: str, least: int, most: int | None = -1) -> Callable[[Implementation], Implementation]:
    """Register a function; without `most` it takes exactly `least` arguments."""

    def add(call: Implementation) -> Implementation:
        FUNCTIONS[name.lower()] = Known(name, least, least if most == -1 else most, call)
        return call

    return add


def check_count(known: Known, given: int) -> None:
    """Raises TemplateError for too few or too many arguments."""
    if given >= known.least and (known.most is None or given <= known.most):
        return
    if known.most is None:
        wanted = f"at least '{known.least}'"
    elif known.most == known.least:
        wanted = f"'{known.least}'"
    else:
        wanted = f"between '{known.least}' and '{known.most}'"
    raise TemplateError(
        f"Unable to evaluate template language function '{known.name}': function requires {wanted} argument(s) while '{given}' were "
        f"provided. Please see https://aka.ms/arm-functions#{known.name} for usage details."
    )


def kind_of(value: Any) -> str:
    """A JSON value's type as ARM's messages call it."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return "Boolean"
    for kind, name in ((int, "Integer"), (float, "Float"), (str, "String"), (list, "Array"), (dict, "Object")):
        if isinstance(value, kind):
            return name
    return "Undefined"


def wrong(name: str, expected: str, value: Any) -> TemplateError:
    """An argument of a type that the function does not take."""
    return TemplateError(
        f"The template language function '{name}' expects its parameter to be {expected}. The provided value is of type "
        f"'{kind_of(value)}'. Please see https://aka.ms/arm-functions#{name} for usage details."
    )


def text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise wrong(name, "a string", value)
    return value


def number(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(name, "an integer", value)
    return value


def truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise wrong(name, "a boolean", value)
    return value


def array(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise wrong(name, "an array", value)
    return value


def mapping(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong(name, "an object", value)
    return value


def same(one: Any, other: Any) -> bool:
    """ARM's equality: types count, so that 1 is not true and '1' is not 1."""
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    return bool(one == other)


# logic


@function("not", 1)
def _not(value: Any) -> bool:
    return not truth("not", value)


@function("equals", 2)
def _equals(one: Any, other: Any) -> bool:
    return same(one, other)


def _ordered(name: str, one: Any, other: Any) -> tuple[Any, Any]:
    if isinstance(one, str) and isinstance(other, str):
        return one, other
    return number(name, one), number(name, other)


@function("less", 2)
def _less(one: Any, other: Any) -> bool:
    left, right = _ordered("less", one, other)
    return bool(left < right)


@function("lessOrEquals", 2)
def _less_or_equals(one: Any, other: Any) -> bool:
    left, right = _ordered("lessOrEquals", one, other)
    return bool(left <= right)


@function("greater", 2)
def _greater(one: Any, other: Any) -> bool:
    left, right = _ordered("greater", one, other)
    return bool(left > right)


@function("greaterOrEquals", 2)
def _greater_or_equals(one: Any, other: Any) -> bool:
    left, right = _ordered("greaterOrEquals", one, other)
    return bool(left >= right)


@function("true", 0)
def _true() -> bool:
    return True


@function("false", 0)
def _false() -> bool:
    return False


@function("null", 0)
def _null() -> None:
    return None


@function("bool", 1)
def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value != 0
    if isinstance(value, str) and value.lower() in ("true", "false", "1", "0"):
        return value.lower() in ("true", "1")
    raise wrong("bool", "a string or integer that stands for a boolean", value)


# numbers


@function("int", 1)
def _int(value: Any) -> int:
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise wrong("int", "a string that can be converted to an integer", value) from None
    if isinstance(value, float):
        return int(value)
    return number("int", value)


@function("add", 2)
def _add(one: Any, other: Any) -> int:
    return number("add", one) + number("add", other)


@function("sub", 2)
def _sub(one: Any, other: Any) -> int:
    return number("sub", one) - number("sub", other)


@function("mul", 2)
def _mul(one: Any, other: Any) -> int:
    return number("mul", one) * number("mul", other)


def _divide(name: str, one: Any, other: Any) -> tuple[int, int]:
    left, right = number(name, one), number(name, other)
    if right == 0:
        raise TemplateError(f"The template language function '{name}' cannot divide by zero.")
    quotient = abs(left) // abs(right)
    quotient = quotient if (left < 0) == (right < 0) else -quotient
    return quotient, left - quotient * right


@function("div", 2)
def _div(one: Any, other: Any) -> int:
    return _divide("div", one, other)[0]


@function("mod", 2)
def _mod(one: Any, other: Any) -> int:
    return _divide("mod", one, other)[1]


def _numbers(name: str, values: tuple[Any, ...]) -> list[int]:
    listed = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    return [number(name, value) for value in listed]


@function("min", 1, None)
def _min(*values: Any) -> int:
    return min(_numbers("min", values))


@function("max", 1, None)
def _max(*values: Any) -> int:
    return max(_numbers("max", values))


@function("range", 2)
def _range(start: Any, count: Any) -> list[int]:
    first, many = number("range", start), number("range", count)
    if not 0 <= many <= 10_000:
        raise TemplateError(f"The template language function 'range' takes a count from 0 to 10000, not '{many}'.")
    return list(range(first, first + many))
