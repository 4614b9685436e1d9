"""Which versions of a definition somebody means: numbers, patterns, ranges, the last few."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from include.factory.image_version import ImageVersion
from include.factory.problem import refusal
from include.factory.version import INT32, Number, parse_version

CURE = (
    "Write versions with commas: 2026.1123.13000, a pattern 2026.11*, a range 2026.1101.0..2026.1130.0 (either end may be left out), "
    "or last:10."
)

Test = Callable[[ImageVersion], bool]


def select(written: str, versions: Sequence[ImageVersion]) -> list[ImageVersion]:
    """The versions that ``written`` means, newest first.

    Terms are separated by commas; a version is meant when one of them fits: ``1.2.3`` itself, the shell pattern ``1.2.*`` (over the whole
    number), the range ``1.2.0..1.3.0`` with both its ends, or ``last:10``, the ten newest. ``*`` is all.

    :raises PydanticCustomError: a term is none of these, or names one version that there is not.
    """
    ordered = sorted(versions, key=lambda version: version.number, reverse=True)
    terms = [term.strip() for term in written.split(",") if term.strip()]
    if not terms:
        raise refusal(f"{written!r} names no version", CURE)
    tests = [_test(term, ordered) for term in terms]
    return [version for version in ordered if any(test(version) for test in tests)]


def _test(term: str, ordered: Sequence[ImageVersion]) -> Test:
    if match := re.fullmatch(r"last:(\d+)", term):
        last = {version.name for version in ordered[: int(match[1])]}
        return lambda version: version.name in last
    if ".." in term:
        low, _, high = term.partition("..")
        least, most = _end(low, term, (0, 0, 0)), _end(high, term, (INT32, INT32, INT32))
        if least > most:
            raise refusal(f"{term!r} is a range from a higher version to a lower one", "Write the lower version first.")
        return lambda version: least <= version.number <= most
    if "*" in term or "?" in term:
        if not re.fullmatch(r"[\d.*?]+", term):
            raise refusal(f"{term!r} is not a pattern of versions", CURE)
        return lambda version: fnmatchcase(version.name, term)
    number = _end(term, term, None)
    if not any(version.number == number for version in ordered):
        newest = ", ".join(version.name for version in ordered[:3]) or "there is none"
        raise refusal(f"There is no version {term}", f"The newest are: {newest}.")
    return lambda version: version.number == number


def _end(written: str, term: str, open_end: Number | None) -> Number:
    if not written and open_end is not None and term != "..":
        return open_end
    try:
        return parse_version(written)
    except ValueError as error:
        raise refusal(f"{term!r}: {error}", CURE) from None
