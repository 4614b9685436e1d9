"""YAML with the line of everything.

The words are YAML 1.2's, as editors read them: ``on`` and ``no`` are words and not booleans, ``1:30`` is no number, a date is a string.
Beyond that a recipe is plain: no tags, no anchors, no key twice.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]  # its stub leaves it out
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.resolver import BaseResolver

from include.factory.problem import Location

Plain = None | bool | int | float | str | list[Any] | dict[str, Any]


class _Loader(CParser, BaseResolver):
    """libyaml's parser with the implicit types of YAML 1.2's core schema."""

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        BaseResolver.__init__(self)


for _tag, _expression, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?", list("-+0123456789.")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_expression})$"), _first)

_PREFIX = "tag:yaml.org,2002:"


class YamlError(ValueError):
    """The text is no plain YAML; `faults` are (line, message, cure), lines counted from 1."""

    def __init__(self, faults: list[tuple[int, str, str]]) -> None:
        super().__init__("; ".join(f"line {line}: {message}" for line, message, _ in faults))
        self.faults = faults


def parse(text: str) -> tuple[Plain, Node]:
    """The data of `text`, keys always strings, and its tree, which knows the lines.

    :raises YamlError: it is empty, malformed, or more than plain YAML; all faults of the tree at once.
    """
    try:
        node = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        message = " ".join(part for part in (error.context, error.problem) if part)
        tab = any("\t" in written for written in text.split("\n")[line - 1 : line])
        cure = "Indent with spaces, not tabs." if tab else "Check the indentation, quotes and colons around this line."
        raise YamlError([(line, f"this is not YAML: {message}", cure)]) from None
    except yaml.YAMLError as error:
        raise YamlError([(1, f"this is not YAML: {error}", "Save the file as plain UTF-8 text.")]) from None
    if node is None:
        raise YamlError([(1, "the file is empty", "Start from one of the shipped recipes.")])
    faults: list[tuple[int, str, str]] = []
    data = _data(node, faults, set())
    if faults:
        raise YamlError(faults)
    return data, node


def _data(node: Node, faults: list[tuple[int, str, str]], seen: set[int]) -> Plain:
    line = node.start_mark.line + 1
    if id(node) in seen:
        faults.append((line, "an anchor is used again here or below", "Write the lines out: a recipe has no anchors and aliases."))
        return None
    seen.add(id(node))
    if not node.tag.startswith(_PREFIX):
        faults.append((line, f"the tag {node.tag} is unknown", "A recipe has plain values only; remove the tag."))
        return None
    if isinstance(node, ScalarNode):
        return _scalar(node)
    if isinstance(node, SequenceNode):
        return [_data(item, faults, seen) for item in node.value]
    mapping: dict[str, Any] = {}
    first: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode):
            faults.append((key.start_mark.line + 1, "a key is not a word", "Write `key: value`."))
            continue
        if key.value in first:
            faults.append(
                (key.start_mark.line + 1, f"the key {key.value!r} stands also in line {first[key.value]}", "Keep one of the two.")
            )
            continue
        first[key.value] = key.start_mark.line + 1
        mapping[key.value] = _data(value, faults, seen)
    return mapping


def _scalar(node: ScalarNode) -> Plain:
    kind = node.tag.removeprefix(_PREFIX)
    if kind == "null":
        return None
    if kind == "bool":
        return bool(node.value.lower() == "true")
    if kind == "int":
        return int(node.value) if len(node.value) < 40 else str(node.value)
    return float(node.value) if kind == "float" else str(node.value)


def locate(node: Node, location: Location) -> tuple[int, Location]:
    """The line (from 1) of `location` in the tree, and the part of `location` that the tree has.

    A field that is missing is at the line of what lacks it.
    """
    line, found = node.start_mark.line + 1, []
    if isinstance(node, MappingNode) and node.value:
        line = node.value[0][0].start_mark.line + 1
    for part in location:
        if isinstance(node, MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    node, line = value, key.start_mark.line + 1
                    found.append(part)
                    break
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
            found.append(part)
    return line, tuple(found)
