"""The part of the Kusto query language that inventories are read with: a table, then `where`, `project`, `order by`, `take`, `distinct`
and `count`, joined by pipes.

Rules: "Understanding the Azure Resource Graph query language" (learn.microsoft.com). What is not read here is refused, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .wire import Json

Row = Json
Value = Callable[[Row], Any]

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<number>\d+(?:\.\d+)?)|(?P<mark>==|!=|=~|!~|<=|>=|[()\[\],.|<>=])"
    r"|(?P<word>!?\w+~?))"
)
_TEXT: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
    "has": lambda text, part: re.search(rf"(?<!\w){re.escape(part)}(?!\w)", text) is not None,
}
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "tolower": lambda value: str(value or "").lower(),
    "toupper": lambda value: str(value or "").upper(),
    "tostring": lambda value: "" if value is None else str(value),
    "isnotempty": lambda value: value not in (None, ""),
    "isempty": lambda value: value in (None, ""),
    "isnotnull": lambda value: value is not None,
    "isnull": lambda value: value is None,
}
_LITERALS = {"true": True, "false": False, "null": None}


class QueryError(ValueError):
    """A query that is not read here: `token` is where, as Resource Graph says."""

    def __init__(self, token: str, position: int) -> None:
        super().__init__(f"cannot read '{token}' at {position}")
        self.token = token
        self.position = position


class Query:
    """A parsed query. Raises QueryError."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens: list[tuple[str, str, int]] = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None:
                raise QueryError(text[at : at + 1], at)
            self._tokens.append((str(found.lastgroup), found[str(found.lastgroup)], found.start(str(found.lastgroup))))
            at = found.end()
        self._at = 0
        self._steps: list[Callable[[list[Row]], list[Row]]] = []
        self.table = self._next("word").lower()
        while self._at < len(self._tokens):
            self._next("mark", "|")
            self._steps.append(self._step())

    def run(self, rows: list[Row]) -> list[Row]:
        for step in self._steps:
            rows = step(rows)
        return rows

    # reading

    def _next(self, kind: str = "", value: str = "") -> str:
        if self._at >= len(self._tokens):
            raise QueryError("<EOF>", len(self.text))
        found, text, position = self._tokens[self._at]
        if (kind and found != kind) or (value and text.lower() != value):
            raise QueryError(text, position)
        self._at += 1
        return text

    def _is(self, *values: str) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at][1].lower() in values and self._tokens[self._at][0] != "string"

    def _take(self, *values: str) -> bool:
        if self._is(*values):
            self._at += 1
            return True
        return False

    def _step(self) -> Callable[[list[Row]], list[Row]]:
        name, position = self._next("word").lower(), self._tokens[self._at - 1][2]
        if name in ("where", "filter"):
            test = self._either()
            return lambda rows: [row for row in rows if test(row)]
        if name in ("project", "distinct"):
            columns = self._columns()
            shown: Callable[[Row], Row] = lambda row: {name: value(row) for name, value in columns}  # noqa: E731 -- typed, and handed on at once
            if name == "project":
                return lambda rows: [shown(row) for row in rows]
            return lambda rows: list({repr(one): one for one in map(shown, rows)}.values())
        if name in ("take", "limit"):
            number = int(self._next("number"))
            return lambda rows: rows[:number]
        if name in ("order", "sort"):
            self._next("word", "by")
            return self._order()
        if name == "count":
            return lambda rows: [{"Count": len(rows)}]
        raise QueryError(name, position)

    def _columns(self) -> list[tuple[str, Value]]:
        found = []
        while True:
            name = self._next("word")
            if self._take("="):
                found.append((name, self._value()))
            else:
                self._at -= 1
                start = self._at
                value = self._value()
                words = [text.strip("'\"") for kind, text, _ in self._tokens[start : self._at] if kind in ("word", "string")]
                found.append(("_".join(words), value))
            if not self._take(","):
                return found

    def _order(self) -> Callable[[list[Row]], list[Row]]:
        keys: list[tuple[Value, bool]] = []
        while True:
            value = self._value()
            down = not self._take("asc")  # as Kusto does where nothing is said
            self._take("desc")
            keys.append((value, down))
            if not self._take(","):
                break

        def order(rows: list[Row]) -> list[Row]:
            for value, down in reversed(keys):
                rows = sorted(rows, key=lambda row: str(value(row) or "").lower(), reverse=down)
            return rows

        return order

    # expressions

    def _either(self) -> Value:
        tests = [self._both()]
        while self._take("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _both(self) -> Value:
        tests = [self._compare()]
        while self._take("and"):
            tests.append(self._compare())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _compare(self) -> Value:
        left = self._value()
        if not self._is("==", "!=", "=~", "!~", "<", "<=", ">", ">=", "in", "in~", "!in", "!in~", *_TEXT, *(f"!{name}" for name in _TEXT)):
            return left
        operator = self._next().lower()
        negated, plain = operator.startswith("!"), operator.lstrip("!")
        if plain in ("in", "in~"):
            choices = self._choices()
            folded = plain.endswith("~")
            return lambda row: any(_same(left(row), one(row), folded) for one in choices) != negated
        right = self._value()
        if plain in ("==", "=", "=~", "~"):
            return lambda row: _same(left(row), right(row), plain.endswith("~")) != negated
        if plain in _TEXT:
            test = _TEXT[plain]
            return lambda row: test(str(left(row) or "").lower(), str(right(row) or "").lower()) != negated
        return lambda row: _ordered(left(row), right(row), plain)

    def _choices(self) -> list[Value]:
        self._next("mark", "(")
        found = [self._value()]
        while self._take(","):
            found.append(self._value())
        self._next("mark", ")")
        return found

    def _value(self) -> Value:
        if self._take("("):
            inner = self._either()
            self._next("mark", ")")
            return inner
        kind, text, position = self._tokens[self._at] if self._at < len(self._tokens) else ("", "<EOF>", len(self.text))
        self._at += 1
        if kind == "string":
            literal = re.sub(r"\\(.)", r"\1", text[1:-1])
            return lambda row: literal
        if kind == "number":
            number = float(text)
            return lambda row: number
        if kind != "word":
            raise QueryError(text, position)
        if text.lower() in _LITERALS:
            fixed = _LITERALS[text.lower()]
            return lambda row: fixed
        if self._take("("):
            inner = self._either()
            self._next("mark", ")")
            if text.lower() == "not":
                return lambda row: not inner(row)
            if text.lower() not in _FUNCTIONS:
                raise QueryError(text, position)
            act = _FUNCTIONS[text.lower()]
            return lambda row: act(inner(row))
        return self._path(text)

    def _path(self, first: str) -> Value:
        path: list[str | int] = [first]
        while self._is(".", "["):
            if self._take("."):
                path.append(self._next("word"))
                continue
            self._next("mark", "[")
            kind = self._tokens[self._at][0] if self._at < len(self._tokens) else ""
            text = self._next()
            path.append(int(text) if kind == "number" else text[1:-1])
            self._next("mark", "]")
        return lambda row: _at(row, path)


def _at(row: Any, path: list[str | int]) -> Any:
    for part in path:
        if isinstance(row, dict) and isinstance(part, str):
            row = row.get(part, next((value for name, value in row.items() if name.lower() == part.lower()), None))
        elif isinstance(row, list) and isinstance(part, int) and part < len(row):
            row = row[part]
        else:
            return None
    return row


def _same(left: Any, right: Any, folded: bool) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower() if folded else left == right
    return bool(left == right)


def _ordered(left: Any, right: Any, operator: str) -> bool:
    try:
        a, b = (float(left), float(right)) if isinstance(right, float) else (str(left), str(right))
    except (TypeError, ValueError):
        return False
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[operator]  # type: ignore[operator]  # two floats or two strings
