"""Request bodies against the public schema: what is no member of it, has the wrong type or is missing is refused by name.

Members and enum values are matched without regard to case, as Azure's JSON reader does, and go on to the resource type in Azure's own
casing; numbers and truth values may be quoted. A member that clients only read is passed on unchecked.

Texts: unknown members and values that cannot be converted, Compute: ahmetalpbalkan in azure-quickstart-templates#2334,
azure-rest-api-specs#7215; Network: azure-cli#1619, MicrosoftLearning/AZ-700#153; the front door's: azure-powershell#4309. Missing ones:
recorded (azure-mgmt-compute 12.1.0, test_create_image_from_blob).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import schema
from .position import Path, of_name, of_value, spelled
from .schema import Kind, Shape
from .wire import ArmError, Json, compact, moment, unreadable

if TYPE_CHECKING:
    from .call import Call
    from .registry import ResourceType

# What the front door reads of every resource, whatever its type.
ENVELOPE = frozenset(
    (
        "id",
        "name",
        "type",
        "location",
        "tags",
        "properties",
        "sku",
        "plan",
        "kind",
        "identity",
        "zones",
        "etag",
        "managedby",
        "managedbyextended",
        "scale",
        "extendedlocation",
        "scope",
        "systemdata",
        "apiversion",
        "dependson",
        "placement",
        "resources",
    )
)


@dataclass(slots=True)
class Problem:
    """One finding. `given` is the value that does not fit, `title` the type that it should have or that has no such member."""

    path: Path
    what: str  # "unknown", "wrong" or "missing"
    title: str = ""
    given: Any = None

    def text(self, body: str) -> str:
        """What .NET's JSON reader says."""
        where = spelled(self.path)
        if self.what == "unknown":
            return f"Could not find member '{self.path[-1]}' on object of type '{self.title}'. Path '{where}', {of_name(body, self.path)}."
        if self.what == "missing":
            return f"Required property '{self.path[-1]}' not found in JSON. Path '{spelled(self.path[:-1])}'."
        shown = (
            compact(self.given).decode() if not isinstance(self.given, dict | list) else "{…}" if isinstance(self.given, dict) else "[…]"
        )
        return f"Error converting value {shown} to type '{self.title}'. Path '{where}', {of_value(body, self.path)}."


@dataclass(slots=True)
class Reading:
    """One body being read. Unknown members and wrong values come before missing ones: a body is read before it is judged."""

    whole: bool  # all required members must be there; false for PATCH
    problems: list[Problem] = field(default_factory=list)
    missing: list[Problem] = field(default_factory=list)

    def object(self, shape: Shape, value: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            self.problems.append(Problem(path, "wrong", shape.title, value))
            return value
        made: Json = {}
        for name, given in value.items():
            member = shape.members.get(name.lower())
            if member is None:
                if path or name.lower() not in ENVELOPE:
                    self.problems.append(Problem((*path, name), "unknown", shape.title))
                made[name] = given
            elif given is None:
                if not self.whole:
                    made[member.name] = None
            elif not member.settable:
                made[member.name] = given
            else:
                made[member.name] = self.value(member.kind, given, (*path, name))
        if self.whole:
            for member in shape.members.values():
                if member.required and made.get(member.name) is None and (path or member.name != "location"):
                    self.missing.append(Problem((*path, member.name), "missing", shape.title))
        return made

    def value(self, kind: Kind, value: Any, path: Path) -> Any:
        what = kind.what
        if what == "object":
            return self.object(kind.shape, value, path)
        if what == "list" and isinstance(value, list):
            assert kind.inner is not None
            return [self.value(kind.inner, one, (*path, index)) for index, one in enumerate(value)]
        if what == "map" and isinstance(value, dict):
            assert kind.inner is not None
            # in a PATCH, null takes an entry away
            return {
                name: self.value(kind.inner, one, (*path, name)) if one is not None else None
                for name, one in value.items()
                if one is not None or not self.whole
            }
        fits, read = _scalar(kind, value)
        if not fits:
            self.problems.append(Problem(path, "wrong", kind.title, value))
        return read


def _scalar(kind: Kind, value: Any) -> tuple[bool, Any]:
    """Whether the value is of that kind, and what it is read as."""
    what = kind.what
    if what == "any":
        return True, value
    if what == "str":
        return isinstance(value, str), value
    if what == "enum":
        known = kind.values.get(value.lower()) if isinstance(value, str) else None
        return known is not None, known
    if what == "bool":
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return True, value.lower() == "true"
        return isinstance(value, bool), value
    if what == "time":
        try:
            return isinstance(value, str) and moment(value) is not None, value
        except (ValueError, OverflowError):
            return False, value
    if what in ("int", "float"):
        if isinstance(value, str):
            try:
                value = int(value) if what == "int" else float(value)
            except ValueError:
                return False, value
        fits = isinstance(value, int if what == "int" else int | float) and not isinstance(value, bool)
        return fits and abs(value) < 2**63, value
    return False, value  # a list or a map that is none


def check_media(call: Call) -> None:
    """Raises ArmError 415 for a body that says to be something else than JSON."""
    media = call.header("content-type").partition(";")[0].strip().lower()
    if call.body and media not in ("", "application/json", "text/json"):
        message = f"The content media type '{media}' is not supported. Only 'application/json' is supported."
        raise ArmError(415, "UnsupportedMediaType", message, gateway=True)


def check(call: Call, kind: ResourceType) -> None:
    """Check the request's body, where the registry names a model for it (`ResourceType.bodies`), and have the call carry it as read.

    Raises ArmError 400 in the manner of whoever reads that part: the front door or the type's provider.
    """
    model = kind.bodies.get(call.action.lower() or call.method)
    if model is None:
        return
    given = call.json()
    if not call.action and not call.body.strip():
        raise unreadable("The request has no content. Path '', line 0, position 0.")
    shape = schema.shape(model)
    envelope = not call.action
    if envelope and call.method == "PUT" and "properties" in shape.members:
        stated = {name: value for name, value in given.items() if name.lower() != "properties" or value is not None}
        given = stated if any(name.lower() == "properties" for name in stated) else {**stated, "properties": {}}
    reading = Reading(whole=call.method != "PATCH")
    read = reading.object(shape, given, ())
    found = reading.problems or [problem for problem in reading.missing if spelled(problem.path) not in kind.optional]
    if found:
        raise _refusal(call, kind, found, envelope)
    call.read_as(read)


def _refusal(call: Call, kind: ResourceType, found: list[Problem], envelope: bool) -> ArmError:
    body = call.body.decode("utf-8", "replace")
    first = found[0]
    if envelope and str(first.path[0]).lower() != "properties" and first.what != "missing":
        if first.what == "unknown" and len(first.path) == 1:
            first.title = "ResourceDefinition"
        return unreadable(first.text(body))
    if kind.name.startswith("Microsoft.Network/"):
        details = [{"code": "InvalidJson", "message": problem.text(body)} for problem in found]
        return ArmError(400, "InvalidRequestFormat", "Cannot parse the request.", details=details)
    path = spelled(first.path)
    target = f"{kind.parameter}.{path}" if kind.parameter else path.removeprefix("properties.")
    if first.what == "missing":
        return ArmError(400, "InvalidParameter", f"Required parameter '{target}' is missing (null).", target=target)
    if first.what == "unknown":
        return ArmError(400, "BadRequest", first.text(body), target=target)
    return ArmError(400, "InvalidParameter", f"The value of parameter '{target}' is invalid. {first.text(body)}", target=target)
