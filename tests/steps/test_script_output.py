"""Output seen through a sliding window."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.steps.script_output import OutputTail, last_lines


class Collected(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def tail() -> tuple[OutputTail, list[str]]:
    logger = logging.Logger("output", logging.INFO)  # noqa: LOG001  (of this test alone)
    handler = Collected()
    logger.addHandler(handler)
    return OutputTail(logger, logging.INFO, "the output"), handler.lines


def test_lines_are_logged_once_while_the_output_grows() -> None:
    output, lines = tail()
    for window in ("", "one\n", "one\ntw", "one\ntwo\nthree"):
        output.show(window)
    assert lines == ["one", "two"]
    output.close("one\ntwo\nthree")
    assert lines == ["one", "two", "three"]


@given(steps=st.lists(st.integers(0, 60), min_size=1, max_size=12), width=st.integers(64, 128))
def test_no_line_is_lost_or_doubled_while_the_window_slides_less_than_its_width(steps: list[int], width: int) -> None:
    text = "".join(f"line {number} of the script\n" for number in range(60))
    output, lines = tail()
    shown = 0
    for step in steps:
        shown = min(len(text), shown + step)
        output.show(text[:shown][-width:])
    output.close(text[:shown][-width:])
    assert "\n".join(lines) == text[:shown].rstrip("\n")


def test_what_went_by_between_two_looks_is_said_to_be_lost() -> None:
    output, lines = tail()
    output.show("a" * 4095 + "\n")
    output.show("b" * 4095 + "\n")
    assert lines[0] == "a" * 4095
    assert "lost" in lines[1]
    assert lines[2] == "b" * 4095


@pytest.mark.parametrize(
    ("output", "error", "expected"),
    [("a\nb\n", "c\n", "a\nb\nc"), (None, "c", "c"), ("\n".join("0123456789" * 3), "", "\n".join("0123456789" * 2))],
)
def test_the_last_lines_end_with_the_error_stream(output: str | None, error: str | None, expected: str) -> None:
    assert last_lines(output, error) == expected
