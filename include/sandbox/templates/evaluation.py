"""Evaluating a template's values: expressions in strings, in objects and arrays, with copy loops.

What a resource looks like at run time (`reference`, `list*`) is asked of a Runtime. Without one, as when a template is validated, such a
call gives UNKNOWN, and so does whatever is computed from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

from ..wire import Json
from . import values as _values  # registers its functions
from .dates import duration, net_date, parsed_date
from .errors import TemplateError
from .expressions import USAGE, Function, Literal, Node, Property, is_expression, parse, plain
from .functions import FUNCTIONS, Known, check_count, number, text, truth
from .lambdas import LAMBDAS, Lambda
from .scope import Scope, extension_resource_id, tenant_resource_id

assert _values


class Unknown:
    """What only the running deployment knows."""

    def __repr__(self) -> str:
        return "[unknown until deployed]"


UNKNOWN = Unknown()


class Runtime(Protocol):
    """The resources as they are now."""

    def reference(self, id: str, api_version: str | None, full: bool) -> Any: ...

    def listed(self, id: str, action: str, api_version: str, body: Any) -> Any: ...


class Evaluator:
    """Evaluates in one scope. `parameter` gives a parameter's value by its name; `variables` is the template's section, evaluated as
    it is asked for. `references` collects what `reference` was asked about. Methods raise TemplateError."""

    def __init__(
        self,
        scope: Scope,
        *,
        parameter: Callable[[str], Any],
        variables: Json | None = None,
        user_functions: dict[str, Json] | None = None,
        started: float = 0.0,
        new_guid: Callable[[], str] | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        self.scope = scope
        self.parameter = parameter
        self.user_functions = user_functions or {}
        self.started = started
        self.new_guid = new_guid
        self.runtime = runtime
        self.references: list[str] = []
        self._loops: list[tuple[str, int, bool]] = []  # name, index, whether copyIndex() without a name means it
        self._lambda: list[dict[str, Any]] = []
        self._static = False
        self._variables = _variable_sources(variables or {})
        self._known: dict[str, Any] = {}
        self._open: set[str] = set()

    # values

    def tree(self, value: Any) -> Any:
        """A JSON value with every expression in it evaluated."""
        if isinstance(value, str):
            return self.expression(value) if is_expression(value) else plain(value)
        if isinstance(value, list):
            return [self.tree(item) for item in value]
        if not isinstance(value, dict):
            return value
        out: Json = {}
        for key, item in value.items():
            if key == "copy" and _is_property_copy(item):
                for loop in item:
                    out[str(self.tree(loop["name"]))] = self.repeated(loop)
            else:
                out[str(self.expression(key)) if is_expression(key) else key] = self.tree(item)
        return out

    def static(self, value: Any) -> Any:
        """As `tree`, where `reference` and its kin are not allowed."""
        before, self._static = self._static, True
        try:
            return self.tree(value)
        finally:
            self._static = before

    def repeated(self, loop: Json, *, main: bool = False) -> list[Any]:
        """A copy loop's array: `{"name", "count", "input"}`."""
        name = str(self.tree(loop.get("name", "")))
        count = loop_count(self.static(loop.get("count")))
        out = []
        for index in range(count):
            with self.loop(name, index, main=main):
                out.append(self.tree(loop.get("input")))
        return out

    @contextmanager
    def loop(self, name: str, index: int, *, main: bool = True) -> Iterator[None]:
        """Inside: `copyIndex` gives `index`."""
        self._loops.append((name, index, main))
        try:
            yield
        finally:
            self._loops.pop()

    def expression(self, text: str) -> Any:
        return self.value(parse(text))

    # nodes

    def value(self, node: Node) -> Any:
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Property):
            return self._property(node)
        return self._call(node)

    def _property(self, node: Property) -> Any:
        found, name = self.value(node.value), self.value(node.name)
        if found is UNKNOWN or name is UNKNOWN:
            return UNKNOWN
        if isinstance(found, dict) and isinstance(name, str):
            if name in found:
                return found[name]
            for key, item in found.items():
                if key.lower() == name.lower():
                    return item
            if node.safe:
                return None
            raise TemplateError(
                f"The language expression property '{name}' doesn't exist, available properties are '{', '.join(found)}'. "
                "Please see https://aka.ms/arm-functions for usage details."
            )
        if isinstance(found, list) and isinstance(name, int):
            if 0 <= name < len(found):
                return found[name]
            if node.safe:
                return None
            raise TemplateError(f"The language expression property array index '{name}' is out of bounds. {USAGE}")
        if node.safe and found is None:
            return None
        raise TemplateError(f"The language expression property '{name}' can't be evaluated. {USAGE}")

    def _call(self, node: Function) -> Any:
        name = node.name.lower()
        lazy = _LAZY.get(name)
        if lazy is not None:
            return lazy(self, node)
        mapped = LAMBDAS.get(name)
        known = FUNCTIONS.get(name)
        arguments = [self.value(argument) for argument in node.arguments]
        if mapped is not None:
            return UNKNOWN if UNKNOWN in arguments else mapped(*arguments)
        if known is not None:
            check_count(known, len(arguments))
            return UNKNOWN if any(argument is UNKNOWN for argument in arguments) else known.call(*arguments)
        own = _OWN.get(name)
        if own is not None:
            check_count(own, len(arguments))
            return UNKNOWN if any(argument is UNKNOWN for argument in arguments) else own.call(self, *arguments)
        if name in self.user_functions:
            return self._user(name, node.name, arguments)
        if name.startswith("list") and 2 <= len(arguments) <= 3:
            return self._listed(node.name, arguments)
        raise TemplateError(f"The template function '{node.name}' is not valid. {USAGE}")

    def _user(self, name: str, shown: str, arguments: list[Any]) -> Any:
        definition = self.user_functions[name]
        wanted = definition.get("parameters") or []
        if len(wanted) != len(arguments):
            raise TemplateError(
                f"The template function '{shown}' requires '{len(wanted)}' argument(s) while '{len(arguments)}' were provided. {USAGE}"
            )
        given = {str(one.get("name", "")).lower(): value for one, value in zip(wanted, arguments, strict=True)}

        def parameter(asked: str) -> Any:
            if asked.lower() not in given:
                raise TemplateError(f"The template parameter '{asked}' is not found. {PARAMETERS}")
            return given[asked.lower()]

        inner = Evaluator(self.scope, parameter=parameter, user_functions=self.user_functions, started=self.started)
        return inner.static((definition.get("output") or {}).get("value"))

    # what the run time knows

    def _only_when_running(self, name: str) -> None:
        if self._static:
            raise TemplateError(f"The template function '{name}' is not expected at this location. {USAGE}")

    def reference(self, id: Any, api_version: Any = None, full: Any = None) -> Any:
        self._only_when_running("reference")
        self.references.append(text("reference", id))
        if self.runtime is None:
            return UNKNOWN
        return self.runtime.reference(id, api_version, str(full).lower() == "full")

    def _listed(self, action: str, arguments: list[Any]) -> Any:
        self._only_when_running(action)
        if any(argument is UNKNOWN for argument in arguments):
            return UNKNOWN
        self.references.append(text(action, arguments[0]))
        if self.runtime is None:
            return UNKNOWN
        body = arguments[2] if len(arguments) > 2 else None
        return self.runtime.listed(arguments[0], action, text(action, arguments[1]), body)

    # what the template knows

    def variable(self, name: Any) -> Any:
        key = text("variables", name).lower()
        if key in self._known:
            return self._known[key]
        if key not in self._variables:
            raise TemplateError(
                f"The template variable '{name}' is not found. Please see https://aka.ms/arm-syntax-variables for usage details."
            )
        if key in self._open:
            raise TemplateError(f"The template variable '{name}' is not valid: circular dependency detected.")
        self._open.add(key)
        source, loop = self._variables[key]
        loops, self._loops = self._loops, []
        before, self._static = self._static, True
        try:
            found = self.repeated(source) if loop else self.tree(source)
        finally:
            self._loops, self._static = loops, before
            self._open.discard(key)
        self._known[key] = found
        return found

    def check_variables(self) -> None:
        """Evaluate every variable, used or not, as ARM does."""
        for key in self._variables:
            self.variable(key)

    def copy_index(self, *arguments: Any) -> int:
        wanted = arguments[0] if arguments and isinstance(arguments[0], str) else None
        offset = next((number("copyIndex", argument) for argument in arguments if not isinstance(argument, str)), 0)
        for name, index, main in reversed(self._loops):
            if (wanted is None and main) or (wanted is not None and name.lower() == wanted.lower()):
                return index + offset
        raise TemplateError(
            "The template function 'copyIndex' is not expected at this location. The function can only be used in a resource with copy "
            "specified. Please see https://aka.ms/arm-copy for usage details."
        )

    def utc_now(self, shape: Any = None) -> str:
        return net_date(datetime.fromtimestamp(self.started, UTC), text("utcNow", shape) if shape else "yyyyMMddTHHmmssZ")

    def date_time_add(self, base: Any, span: Any, shape: Any = None) -> str:
        return net_date(parsed_date(text("dateTimeAdd", base)) + duration(text("dateTimeAdd", span)), shape or "yyyy-MM-ddTHH:mm:ssZ")

    # what is not evaluated at once

    def choose(self, node: Function) -> Any:
        check_count(Known("if", 3, 3, lambda: None), len(node.arguments))
        condition = self.value(node.arguments[0])
        if condition is UNKNOWN:
            self.value(node.arguments[1])
            self.value(node.arguments[2])
            return UNKNOWN
        return self.value(node.arguments[1 if truth("if", condition) else 2])

    def all_of(self, node: Function) -> Any:
        return self._until(node, "and", stop=False)

    def any_of(self, node: Function) -> Any:
        return self._until(node, "or", stop=True)

    def _until(self, node: Function, name: str, *, stop: bool) -> Any:
        check_count(Known(name, 2, None, lambda: None), len(node.arguments))
        unknown = False
        for argument in node.arguments:
            value = self.value(argument)
            if value is UNKNOWN:
                unknown = True
            elif truth(name, value) is stop:
                return stop
        return UNKNOWN if unknown else not stop

    def coalesce(self, node: Function) -> Any:
        for argument in node.arguments:
            value = self.value(argument)
            if value is not None:
                return value
        return None

    def make_lambda(self, node: Function) -> Lambda:
        names = [str(self.value(argument)) for argument in node.arguments[:-1]]
        return Lambda(names, lambda given: self._with(dict(zip(names, given, strict=False)), node.arguments[-1]))

    def _with(self, found: dict[str, Any], node: Node) -> Any:
        self._lambda.append(found)
        try:
            return self.value(node)
        finally:
            self._lambda.pop()

    def lambda_variable(self, name: Any) -> Any:
        for found in reversed(self._lambda):
            for key, value in found.items():
                if key.lower() == text("lambdaVariables", name).lower():
                    return value
        raise TemplateError(f"The lambda variable '{name}' is not found. {USAGE}")


PARAMETERS = "Please see https://aka.ms/arm-syntax-parameters for usage details."

_LAZY: dict[str, Callable[[Evaluator, Function], Any]] = {
    "if": Evaluator.choose,
    "and": Evaluator.all_of,
    "or": Evaluator.any_of,
    "coalesce": Evaluator.coalesce,
    "lambda": Evaluator.make_lambda,
}


def _new_guid(evaluator: Evaluator) -> str:
    if evaluator.new_guid is None:
        raise TemplateError(f"The template function 'newGuid' is not expected at this location. {USAGE}")
    return evaluator.new_guid()


def _describe(name: str) -> Known:
    return Known(name, 0, 0, lambda evaluator: evaluator.scope.describe(name.lower()))


_OWN: dict[str, Known] = {
    known.name.lower(): known
    for known in (
        Known("parameters", 1, 1, lambda evaluator, name: evaluator.parameter(text("parameters", name))),
        Known("variables", 1, 1, Evaluator.variable),
        Known("reference", 1, 3, Evaluator.reference),
        Known("copyIndex", 0, 2, Evaluator.copy_index),
        Known("utcNow", 0, 1, Evaluator.utc_now),
        Known("newGuid", 0, 0, _new_guid),
        Known("dateTimeAdd", 2, 3, Evaluator.date_time_add),
        Known("lambdaVariables", 1, 1, Evaluator.lambda_variable),
        Known("resourceId", 2, None, lambda evaluator, *given: evaluator.scope.resource_id(*given)),
        Known("subscriptionResourceId", 2, None, lambda evaluator, *given: evaluator.scope.subscription_resource_id(*given)),
        Known("extensionResourceId", 3, None, lambda evaluator, *given: extension_resource_id(*given)),
        Known("tenantResourceId", 2, None, lambda evaluator, *given: tenant_resource_id(*given)),
        Known("providers", 1, 2, lambda evaluator, *given: evaluator.scope.provider(*given)),
        *(_describe(name) for name in ("resourceGroup", "subscription", "tenant", "deployment", "environment")),
    )
}


def _variable_sources(section: Json) -> dict[str, tuple[Any, bool]]:
    """Variables by lower-case name: their source, and whether it is a copy loop."""
    out: dict[str, tuple[Any, bool]] = {}
    for name, source in section.items():
        if name.lower() == "copy" and isinstance(source, list):
            for loop in source:
                if isinstance(loop, dict):
                    out[str(loop.get("name", "")).lower()] = (loop, True)
        else:
            out[name.lower()] = (source, False)
    return out


def _is_property_copy(value: Any) -> bool:
    return (
        isinstance(value, list) and bool(value) and all(isinstance(one, dict) and {"name", "count", "input"} <= set(one) for one in value)
    )


def loop_count(count: Any) -> int:
    """A copy loop's count, 0 to 800. Raises TemplateError."""
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= 800:
        raise TemplateError(
            f"The template copy definition has an invalid copy count '{count}'. The copy count must be a non-negative integer value and "
            "cannot exceed '800'. Please see https://aka.ms/arm-resource-loops for usage details."
        )
    return count
