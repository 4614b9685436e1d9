"""A deployment within a template: which of its expressions belong to the outer template.

With `expressionEvaluationOptions.scope` `inner` none of the nested template's do. Otherwise all do: parameters and variables are the outer
template's. What asks the run time (`reference`, `list*`, `resourceId`, `deployment`, …) still waits until the nested deployment runs.
"""

from __future__ import annotations

from typing import Any

from ..wire import Json
from .errors import TemplateError
from .evaluation import Evaluator
from .expressions import Function, Literal, Node, Property, is_expression, parse, written

_LATER = frozenset({"reference", "resourcegroup", "resourceid", "deployment", "copyindex", "lambda", "lambdavariables"})


def for_the_inner(evaluator: Evaluator, resource: Json) -> Json:
    """The nested deployment's body, its template escaped so that evaluating the whole leaves it as it must be."""
    properties = resource.get("properties")
    if not isinstance(properties, dict) or not isinstance(properties.get("template"), dict):
        return resource
    options = properties.get("expressionEvaluationOptions")
    inner = isinstance(options, dict) and str(options.get("scope", "")).lower() == "inner"
    template = properties["template"]
    rendered = escaped(template) if inner else escaped(_partly(evaluator, template))
    return {**resource, "properties": {**properties, "template": rendered}}


def escaped(value: Any) -> Any:
    """A value that evaluates to `value`: every expression gets a bracket more."""
    if isinstance(value, str):
        return "[" + value if value.startswith("[") and value.endswith("]") else value
    if isinstance(value, list):
        return [escaped(item) for item in value]
    if isinstance(value, dict):
        return {key: escaped(item) for key, item in value.items()}
    return value


def _partly(evaluator: Evaluator, value: Any) -> Any:
    if isinstance(value, str):
        if not is_expression(value):
            return value
        node = parse(value)
        if not _waits(node):
            found = evaluator.value(node)
            return escaped(found)
        return f"[{written(_reduced(evaluator, node))}]"
    if isinstance(value, list):
        return [_partly(evaluator, item) for item in value]
    if isinstance(value, dict):
        return {key: _partly(evaluator, item) for key, item in value.items()}
    return value


def _waits(node: Node) -> bool:
    if isinstance(node, Literal):
        return False
    if isinstance(node, Property):
        return _waits(node.value) or _waits(node.name)
    name = node.name.lower()
    return name in _LATER or name.startswith("list") or any(_waits(argument) for argument in node.arguments)


def _reduced(evaluator: Evaluator, node: Node) -> Node:
    """`node` with everything computed that does not wait."""
    if not _waits(node):
        return _literal(evaluator.value(node))
    if isinstance(node, Property):
        return Property(_reduced(evaluator, node.value), _reduced(evaluator, node.name), node.safe)
    if isinstance(node, Function):
        return Function(node.name, tuple(_reduced(evaluator, argument) for argument in node.arguments))
    return node


def _literal(value: Any) -> Node:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return Literal(value)
    if value is None or isinstance(value, bool):
        return Function({None: "null", True: "true", False: "false"}[value], ())
    if isinstance(value, list):
        return Function("createArray", tuple(_literal(item) for item in value))
    if isinstance(value, dict):
        return Function("createObject", tuple(_literal(part) for pair in value.items() for part in pair))
    raise TemplateError("A nested template's expression cannot be evaluated before its deployment runs.")
