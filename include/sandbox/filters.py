"""`$filter`: the part of OData that Resource Manager understands.

`resourceType eq 'a' and (name ne 'b' or substringof('c', name))`, `startswith(tagName, 'd')`, `atScope()`, `assignedTo('e')`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .wire import ArmError

Test = Callable[[Callable[[str], Any], Callable[[str, list[str]], bool]], bool]

_TOKEN = re.compile(r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<word>[\w/.\-$]+)|(?P<mark>[(),:]))")
_TEXT = {
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
    "contains": lambda text, part: part in text,
}


class Filter:
    """A parsed `$filter`. Raises ArmError 400 InvalidFilterInQueryString for what it cannot read.

    `names` are the properties that may be asked about, `functions` the filter's own functions (`atscope`), both in lower case.
    """

    def __init__(self, text: str, names: frozenset[str], functions: frozenset[str] = frozenset()) -> None:
        self.text = text
        self._names = names
        self._functions = functions
        self._tokens = self._split(text)
        self._at = 0
        self.calls: dict[str, list[str]] = {}  # the functions that were called, with their arguments
        self.asked: set[str] = set()  # the properties that were asked about
        self._test: Test | None = None
        if self._tokens:
            self._test = self._either()
            if self._at < len(self._tokens):
                raise self.invalid()

    def accepts(self, value_of: Callable[[str], Any], call: Callable[[str, list[str]], bool] = lambda name, given: True) -> bool:
        """Whether an item passes: `value_of` gives its value (a string, a list of strings, or None) by a property's lower-case name;
        `call` answers the filter's own functions."""
        return self._test is None or self._test(value_of, call)

    def invalid(self) -> ArmError:
        return ArmError(400, "InvalidFilterInQueryString", f"Invalid $filter '{self.text}' specified in the query string.", gateway=True)

    def _split(self, text: str) -> list[tuple[str, str]]:
        out: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None:
                raise self.invalid()
            at = found.end()
            kind = str(found.lastgroup)
            value = found[kind]
            out.append((kind, value[1:-1].replace("''", "'") if kind == "string" else value))
        return out

    def _next(self, kind: str = "", value: str = "") -> str:
        if self._at >= len(self._tokens):
            raise self.invalid()
        found, text = self._tokens[self._at]
        if (kind and found != kind) or (value and text.lower() != value):
            raise self.invalid()
        self._at += 1
        return text

    def _is(self, kind: str, value: str) -> bool:
        return self._at < len(self._tokens) and (self._tokens[self._at][0], self._tokens[self._at][1].lower()) == (kind, value)

    def _either(self) -> Test:
        tests = [self._both()]
        while self._is("word", "or"):
            self._at += 1
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda value_of, call: any(test(value_of, call) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._is("word", "and"):
            self._at += 1
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda value_of, call: all(test(value_of, call) for test in tests)

    def _one(self) -> Test:
        if self._is("mark", "("):
            self._at += 1
            inner = self._either()
            self._next("mark", ")")
            return inner
        word = self._next("word")
        if self._is("mark", "("):
            return self._call(word.lower())
        operator = self._next("word").lower()
        wanted = self._next("string").lower()
        if operator not in ("eq", "ne"):
            raise self.invalid()
        return self._compare(self._name(word), operator == "eq", lambda value: value == wanted)

    def _name(self, word: str) -> str:
        name = word.lower()
        if name not in self._names:
            raise self.invalid()
        self.asked.add(name)
        return name

    def _compare(self, name: str, wanted: bool, holds: Callable[[str], bool]) -> Test:
        def test(value_of: Callable[[str], Any], call: Callable[[str, list[str]], bool]) -> bool:
            value = value_of(name)
            found = value if isinstance(value, list) else [] if value is None else [value]
            return any(holds(str(one).lower()) for one in found) == wanted

        return test

    def _call(self, name: str) -> Test:
        self._next("mark", "(")
        given: list[tuple[str, str]] = []
        while not self._is("mark", ")"):
            if given:
                self._next("mark", ",")
            kind = self._tokens[self._at][0] if self._at < len(self._tokens) else ""
            given.append((kind, self._next()))
        self._next("mark", ")")
        if name in self._functions:
            texts = [text for _, text in given]
            self.calls[name] = texts
            return lambda value_of, call: call(name, texts)
        if name == "substringof":
            name, given = "contains", given[::-1]
        if name not in _TEXT or [kind for kind, _ in given] != ["word", "string"]:
            raise self.invalid()
        part, act = given[1][1].lower(), _TEXT[name]
        return self._compare(self._name(given[0][1]), True, lambda value: act(value, part))
