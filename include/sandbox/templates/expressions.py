"""The syntax of template expressions: `[concat('a', parameters('b').c[0])]`.

A value is an expression when it is a string that starts with `[` and ends with `]`; `[[` at the start stands for a plain `[`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .errors import TemplateError

USAGE = "Please see https://aka.ms/arm-functions for usage details."


@dataclass(frozen=True, slots=True)
class Literal:
    """A string or whole number."""

    value: str | int


@dataclass(frozen=True, slots=True)
class Function:
    """`name(arguments)`; `name` keeps the casing of the template and may have a namespace (`contoso.unique`)."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Property:
    """`value.name`, `value[index]`; `safe` for `.?` and `[?…]`, which give null where there is nothing."""

    value: Node
    name: Node
    safe: bool


Node = Literal | Function | Property


def is_expression(text: str) -> bool:
    return len(text) > 1 and text[0] == "[" and text[-1] == "]" and text[1] != "["


def plain(text: str) -> str:
    """A string that is no expression, with its escape undone."""
    return text[1:] if text.startswith("[[") and text.endswith("]") else text


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """The syntax tree of an expression, brackets included. Raises TemplateError where it is malformed."""
    reader = _Reader(text[1:-1])
    node = reader.expression()
    if reader.token[0] != "end":
        raise reader.unexpected("EndOfData")
    return node


_SINGLE = {"(": "LeftParenthesis", ")": "RightParenthesis", "[": "LeftSquareBracket", "]": "RightSquareBracket", ",": "Comma", ".": "Dot"}


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.token: tuple[str, Any] = ("end", "")
        self.next()

    def unexpected(self, wanted: str) -> TemplateError:
        names = {"end": "EndOfData", "string": "LiteralString", "integer": "Integer", "name": "Identifier", "?": "QuestionMark", **_SINGLE}
        return TemplateError(
            f"Unable to parse language expression '{self.text}': expected token '{wanted}' and actual '{names[self.token[0]]}'."
        )

    def next(self) -> None:
        text, length = self.text, len(self.text)
        while self.at < length and text[self.at].isspace():
            self.at += 1
        if self.at >= length:
            self.token = ("end", "")
            return
        sign = text[self.at]
        start = self.at
        if sign in _SINGLE or sign == "?":
            self.at += 1
            self.token = (sign, sign)
        elif sign == "'":
            self.token = ("string", self._string())
        elif sign.isdigit() or (sign == "-" and text[start + 1 : start + 2].isdigit()):
            self.at += 1
            while self.at < length and text[self.at].isdigit():
                self.at += 1
            self.token = ("integer", int(text[start : self.at]))
        elif sign.isalpha() or sign in "_$":
            while self.at < length and (text[self.at].isalnum() or text[self.at] in "_$"):
                self.at += 1
            self.token = ("name", text[start : self.at])
        else:
            raise TemplateError(
                f"The language expression '{text}' is not valid: the string character '{sign}' at position '{start}' is not expected."
            )

    def _string(self) -> str:
        start = self.at
        parts: list[str] = []
        while True:
            end = self.text.find("'", self.at + 1)
            if end < 0:
                raise TemplateError(
                    f"The language expression '{self.text}' is not valid: the string constant at position '{start}' is not terminated. "
                    f"String constants must be enclosed within a pair of single quotes. {USAGE}"
                )
            parts.append(self.text[self.at + 1 : end])
            if self.text[end + 1 : end + 2] != "'":
                self.at = end + 1
                return "'".join(parts)
            self.at = end + 1

    def take(self, kind: str) -> Any:
        if self.token[0] != kind:
            raise self.unexpected({"name": "Identifier", **_SINGLE}[kind])
        value = self.token[1]
        self.next()
        return value

    def expression(self) -> Node:
        kind, value = self.token
        if kind in ("string", "integer"):
            self.next()
            return self.accessors(Literal(value))
        name = self.take("name")
        while self.token[0] == ".":
            self.next()
            name += "." + self.take("name")
        self.take("(")
        arguments: list[Node] = []
        if self.token[0] != ")":
            arguments.append(self.expression())
            while self.token[0] == ",":
                self.next()
                arguments.append(self.expression())
        self.take(")")
        return self.accessors(Function(name, tuple(arguments)))

    def accessors(self, node: Node) -> Node:
        while self.token[0] in (".", "["):
            opened = self.token[0]
            self.next()
            safe = self.token[0] == "?"
            if safe:
                self.next()
            if opened == ".":
                node = Property(node, Literal(self.take("name")), safe)
            else:
                node = Property(node, self.expression(), safe)
                self.take("]")
        return node


def written(node: Node) -> str:
    """An expression's text again, without brackets."""
    if isinstance(node, Literal):
        return "'" + node.value.replace("'", "''") + "'" if isinstance(node.value, str) else str(node.value)
    if isinstance(node, Function):
        return f"{node.name}({', '.join(written(argument) for argument in node.arguments)})"
    return f"{written(node.value)}[{'?' if node.safe else ''}{written(node.name)}]"
