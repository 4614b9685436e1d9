"""Which versions somebody means."""

from __future__ import annotations

import pytest

from include.factory.image_version import ImageVersion
from include.factory.version_selection import select

NAMES = ("2026.1101.20000", "2026.1102.20000", "2026.1110.20000", "2026.1201.20000", "1.2.3")


def selected(written: str) -> list[str]:
    return [version.name for version in select(written, [ImageVersion(name=name, home="westeurope") for name in NAMES])]


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("2026.1102.20000", ["2026.1102.20000"]),
        ("2026.11*", ["2026.1110.20000", "2026.1102.20000", "2026.1101.20000"]),
        ("2026.1101.0..2026.1102.99999", ["2026.1102.20000", "2026.1101.20000"]),
        ("2026.1110.20000..", ["2026.1201.20000", "2026.1110.20000"]),
        ("..2.0.0", ["1.2.3"]),
        ("last:2", ["2026.1201.20000", "2026.1110.20000"]),
        ("last:1, 1.2.3", ["2026.1201.20000", "1.2.3"]),
        ("*", ["2026.1201.20000", "2026.1110.20000", "2026.1102.20000", "2026.1101.20000", "1.2.3"]),
        ("3.0.0..4.0.0", []),
    ],
)
def test_versions_come_newest_first(written: str, names: list[str]) -> None:
    assert selected(written) == names


def test_an_open_end_has_the_lowest_and_the_highest_number_that_there_are() -> None:
    ends = [ImageVersion(name=name, home="westeurope") for name in ("2147483647.2147483647.2147483647", "0.0.0")]
    assert select("..2147483647.2147483647.2147483647", ends) == ends
    assert select("0.0.0..", ends) == ends
    assert select("0.0.0..0.0.0", ends) == select("?.0.0", ends) == ends[1:]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "names no version"),
        (" , ", "names no version"),
        ("9.9.9", r"There is no version 9\.9\.9\. The newest are: 2026\.1201\.20000"),
        ("2026.1102", "not a version"),
        ("latest", "not a version"),
        ("..", "not a version"),
        ("2.0.0..1.0.0", "higher version to a lower one"),
        ("v1.*", "not a pattern"),
        ("1.0.0..x", "not a version"),
        ("99999999999.0.0..", "over 2147483647"),
    ],
)
def test_what_is_no_selection_is_refused_with_a_cure(written: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        selected(written)
