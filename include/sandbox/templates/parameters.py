"""A deployment's parameters: their values against what the template declares."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..wire import ArmError, Json
from .errors import Position, TemplateError, validation_failed
from .functions import kind_of

TYPES = {
    "string": ("String", str),
    "securestring": ("SecureString", str),
    "int": ("Int", int),
    "bool": ("Bool", bool),
    "object": ("Object", dict),
    "secureobject": ("SecureObject", dict),
    "array": ("Array", list),
}
_EXPECTED = {"String": "String, Uri", "SecureString": "String, Uri", "Int": "Integer", "Bool": "Boolean", "SecureObject": "Object"}
_PARAMETER_FILE = "Please see https://aka.ms/arm-create-parameter-file for usage details."


def type_of(declared: Any, name: str, position: Position = (0, 0)) -> str:
    """A declared type in ARM's casing. Raises ArmError InvalidTemplate for another."""
    found = TYPES.get(str(declared).lower())
    if found is None:
        raise validation_failed(
            f"The template parameter '{name}' at line '{position[0]}' and column '{position[1]}' has an invalid type '{declared}'. "
            f"The supported types are 'string, secureString, int, bool, object, secureObject, array'",
            position,
        )
    return found[0]


def is_secure(kind: str) -> bool:
    return kind.startswith("Secure")


class Parameters:
    """`value(name)` for `parameters('name')`; `shown` is what a deployment's GET tells of them.

    `evaluate` computes a default value's expressions. `body` is the request, to say where in it something is wrong. Raises ArmError 400
    InvalidTemplate for a missing, extra or unfit value.
    """

    def __init__(self, declared: Json, given: Json, body: bytes = b"") -> None:
        self.declared = declared
        self.body = body.decode("utf-8", "replace")
        self._names = {name.lower(): name for name in declared}
        self._values: dict[str, Any] = {}
        self._open: set[str] = set()
        self.evaluate: Callable[[Any], Any] = lambda value: value
        extra = [name for name in given if name.lower() not in self._names]
        if extra:
            raise validation_failed(
                f"The template parameters '{', '.join(extra)}' in the parameters file are not valid; they are not present in the original "
                "template and can therefore not be provided at deployment time. The only supported parameters for this template are "
                f"'{', '.join(declared)}'. Please see https://aka.ms/arm-pass-parameter-values for usage details."
            )
        self._given = {name.lower(): one for name, one in given.items()}

    def check(self) -> None:
        """Compute and check every parameter."""
        for name in self.declared:
            self.value(name)

    def value(self, asked: str) -> Any:
        """Raises TemplateError for a name that the template does not declare."""
        key = asked.lower()
        if key in self._values:
            return self._values[key]
        name = self._names.get(key)
        if name is None:
            raise TemplateError(
                f"The template parameter '{asked}' is not found. Please see https://aka.ms/arm-syntax-parameters for usage details."
            )
        if key in self._open:
            raise TemplateError(f"The template parameter '{name}' is not valid: circular dependency detected in its default value.")
        self._open.add(key)
        try:
            self._values[key] = self._find(name)
        finally:
            self._open.discard(key)
        return self._values[key]

    def _find(self, name: str) -> Any:
        declared = self.declared[name]
        position = position_of(self.body, name)
        if not isinstance(declared, dict) or "type" not in declared:
            raise validation_failed(
                f"The template parameter '{name}' at line '{position[0]}' and column '{position[1]}' is not valid: the type is missing",
                position,
            )
        kind = type_of(declared["type"], name, position)
        given = self._given.get(name.lower())
        if given is None:
            if "defaultValue" not in declared:
                raise validation_failed(
                    f"The value for the template parameter '{name}' at line '{position[0]}' and column '{position[1]}' is not provided. "
                    f"{_PARAMETER_FILE}",
                    position,
                )
            value = self.evaluate(declared["defaultValue"])
        elif isinstance(given, dict) and "value" in given:
            value = given["value"]
        elif isinstance(given, dict) and isinstance(given.get("reference"), dict):
            vault = (given["reference"].get("keyVault") or {}).get("id", "")
            raise ArmError(
                400,
                "KeyVaultParameterReferenceNotFound",
                f"The specified KeyVault '{vault}' could not be found.",
                target=name,
                gateway=True,
            )
        else:
            raise validation_failed(
                f"The value for the template parameter '{name}' at line '{position[0]}' and column '{position[1]}' is not provided. "
                f"{_PARAMETER_FILE}",
                position,
            )
        self._check(name, kind, declared, value, position)
        return value

    def _check(self, name: str, kind: str, declared: Json, value: Any, position: Position) -> None:
        wanted = TYPES[kind.lower()][1]
        if value is None and declared.get("nullable") is True:
            return
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise validation_failed(
                f"Template parameter JToken type is not valid. Expected '{_EXPECTED.get(kind, kind)}'. Actual '{kind_of(value)}'. "
                "Please see https://aka.ms/arm-create-parameter-file for usage details.",
                position,
            )
        allowed = declared.get("allowedValues")
        if isinstance(allowed, list) and not _allowed(value, allowed):
            shown = "" if is_secure(kind) else f"'{value}' "
            raise validation_failed(
                f"The provided value {shown}for the template parameter '{name}' at line '{position[0]}' and column '{position[1]}' is not "
                f"valid. The parameter value is not part of the allowed value(s): '{','.join(str(one) for one in allowed)}'",
                position,
            )
        size: int = value if isinstance(value, int) else len(value)  # type: ignore[arg-type]  # a string, list or object: checked above
        kinds = ("minValue", "maxValue") if wanted is int else ("minLength", "maxLength")
        for limit, at_fault, word in (
            (declared.get(kinds[0]), lambda bound: size < bound, "greater"),
            (declared.get(kinds[1]), lambda bound: size > bound, "less"),
        ):
            if isinstance(limit, int) and wanted is not bool and at_fault(limit):
                what = "The value" if wanted is int else "Length of the value"
                raise validation_failed(
                    f"The provided value for the template parameter '{name}' is not valid. {what} should be {word} than or equal to "
                    f"'{limit}'. Please see https://aka.ms/arm-syntax-parameters for usage details.",
                    position,
                )

    @property
    def shown(self) -> Json:
        out: Json = {}
        for name, declared in self.declared.items():
            kind = type_of(declared["type"], name)
            out[camel(name)] = {"type": kind} if is_secure(kind) else {"type": kind, "value": self.value(name)}
        return out


def camel(name: str) -> str:
    """A name as ARM shows those of parameters and outputs: capitals at the start become small (`VMSS` -> `vmss`, recorded)."""
    out = list(name)
    for at, letter in enumerate(name):
        if not letter.isupper() or (at > 0 and at + 1 < len(name) and not name[at + 1].isupper()):
            break
        out[at] = letter.lower()
    return "".join(out)


def _allowed(value: Any, allowed: list[Any]) -> bool:
    if isinstance(value, list):
        return all(item in allowed for item in value) or value in allowed
    if isinstance(value, str):
        return value.lower() in {one.lower() for one in allowed if isinstance(one, str)}
    return value in allowed


def position_of(body: str, name: str) -> Position:
    """Line and column of the object called `name` in a request; (0, 0) where it is not found."""
    found = re.search(rf'"{re.escape(name)}"\s*:\s*\{{', body)
    if found is None:
        return (0, 0)
    before = body[: found.end()]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1)
