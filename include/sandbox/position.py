"""Where in a JSON text a value stands, as .NET's reader says it: the line, and the characters read of it so far."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)

Path = tuple[str | int, ...]


def spelled(path: Path) -> str:
    """`("properties", "dataDisks", 0, "lun")` -> `properties.dataDisks[0].lun`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def of_name(text: str, path: Path) -> str:
    """`line 1, position 17`: behind the colon of the member at `path`, or behind its first token where it is an array's element."""
    for found, end in _members(text):
        if found == path:
            return _at(text, end)
    return "line 1, position 1"


def of_value(text: str, path: Path) -> str:
    """`line 1, position 21`: behind the value's first token."""
    for found, end in _members(text):
        if found == path:
            behind = end if path and isinstance(path[-1], int) else _end_of_next(text, end)
            return _at(text, behind)
    return "line 1, position 1"


def _end_of_next(text: str, start: int) -> int:
    token = _TOKEN.search(text, start)
    return token.end() if token else start


def _at(text: str, offset: int) -> str:
    line = text.count("\n", 0, offset) + 1
    return f"line {line}, position {offset - text.rfind(chr(10), 0, offset) - 1}"


def _members(text: str) -> Iterator[tuple[Path, int]]:
    """Every member and element with its path, in the order of the text, and the end of its colon or first token."""
    path: list[str | int] = []  # for each open object or array: the member or element at hand
    name: str | None = None
    for token in _TOKEN.finditer(text):
        what = token.group()
        if path and isinstance(path[-1], int) and what not in "]},:":
            yield tuple(path), token.end()
        if what == "{":
            path.append("")
        elif what == "[":
            path.append(0)
        elif what in "}]":
            if path:
                path.pop()
        elif what == ",":
            if path and isinstance(path[-1], int):
                path[-1] += 1
        elif what == ":":
            if path and name is not None:
                path[-1] = name
                yield tuple(path), token.end()
            name = None
        elif what[0] == '"':
            name = what[1:-1]
