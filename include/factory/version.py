"""Version numbers of an image: three int32, made from the time of the run.

Azure reads a gallery image version as Major.Minor.Patch, digits only, each an int32, and takes as ``latest`` the highest by number
(https://learn.microsoft.com/azure/virtual-machines/shared-image-galleries). ``202611230130`` is over int32, so a date is spread over
the parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, Field

from include.factory.problem import refusal

INT32 = 2**31 - 1
DATE = "{yyyy}.{mmdd}.{hhmmss}"

Number = tuple[int, int, int]
# A part's fields are indexes into year, month, day, hour, minute, second; a part that is a number has none.
Part = int | tuple[int, ...]

_FIELDS = re.compile(r"\{(?:(yyyy)?(mm)?(dd)?(hh)?(mm)?(ss)?)\}", re.IGNORECASE)
_UNITS = ("year", "month", "day", "hour", "minute", "second")
_LARGEST = (2099, 12, 31, 23, 59, 59)


def parse_version(written: str) -> Number:
    """``2026.1123.13000`` as numbers, which sort as Azure sorts them.

    :raises ValueError: not three numbers without leading zeros, or one is over int32.
    """
    if not re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", written):
        raise ValueError(f"{written!r} is not a version: three numbers with dots, no leading zeros, as in 2026.1123.13000")
    major, minor, patch = (int(part) for part in written.split("."))
    if max(major, minor, patch) > INT32:
        raise ValueError(f"{written!r} has a number over {INT32}, the largest Azure takes in a version (int32)")
    return major, minor, patch


def highest(versions: Iterable[str]) -> str | None:
    """The highest of some versions; None of none."""
    return max(versions, key=parse_version, default=None)


def version_of(scheme: str, at: datetime) -> str:
    """The version that `scheme` gives a run at the time `at` (read in UTC). A later run never gets a lower version."""
    moment = at.astimezone(UTC)
    times = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    return ".".join(str(part if isinstance(part, int) else _number(part, times)) for part in parse_scheme(scheme))


@cache
def parse_scheme(scheme: str) -> tuple[Part, ...]:
    """The three parts of a scheme: ``date`` (that is ``{yyyy}.{mmdd}.{hhmmss}``) or such a format, where a part may be a fixed number.

    The date fields, read over the parts, must run from the year downward without a gap, so that versions grow with time.
    Raises a refusal where they do not, and where a part could pass int32.
    """
    written = (DATE if scheme == "date" else scheme).split(".")
    if len(written) != 3:
        raise refusal(
            f"{scheme!r} has {len(written)} part(s), not three", f"Write three parts with dots, as in {DATE} or 1.{{yyyymmdd}}.{{hhmmss}}."
        )
    parts = tuple(_part(part) for part in written)
    fields = [field for part in parts if not isinstance(part, int) for field in part]
    if fields != list(range(len(fields))) or len(fields) < 3:
        raise refusal(
            f"{scheme!r} does not grow with time: its fields are {', '.join(_UNITS[field] for field in fields) or 'none'}",
            f"Name year, month and day at least, from left to right without a gap, as in {DATE} or 1.{{yyyymmdd}}.{{hhmmss}}.",
        )
    return parts


def _part(written: str) -> Part:
    if written.isascii() and written.isdigit():
        if int(written) > INT32:
            raise refusal(f"{written} is over {INT32}, the largest number Azure takes in a version (int32)", "Use a smaller number.")
        return int(written)
    match = _FIELDS.fullmatch(written)
    if not match or not any(match.groups()):
        raise refusal(
            f"{written!r} is not a part of a version", "A part is a number, or fields in braces from yyyy mm dd hh mm ss, as in {yyyymmdd}."
        )
    fields = [index for index, field in enumerate(match.groups()) if field]
    if fields == [1, 5]:  # {mmss}: the first mm was the minute
        fields = [4, 5]
    if _number(tuple(fields), _LARGEST) > INT32:
        raise refusal(
            f"{written} passes {INT32}, the largest number Azure takes in a version (int32)",
            f"Spread the date over the parts, as in {DATE}.",
        )
    return tuple(fields)


def _number(fields: tuple[int, ...], times: tuple[int, ...]) -> int:
    number = 0
    for field in fields:
        number = number * 100 + times[field] if field else times[field]
    return number


def _checked(scheme: str) -> str:
    parse_scheme(scheme)
    return scheme


VersionScheme = Annotated[str, AfterValidator(_checked), Field(examples=["date", "1.{yyyymmdd}.{hhmmss}"])]
