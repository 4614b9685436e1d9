"""The registry of resource types: what a type is called, how it is asked for, and who answers.

A family's file under `resources/` subclasses ResourceType and registers one instance; the router (routing.py) needs nothing else.
Requests that name no resource (marketplace, usages, locations, …) register a path pattern with `route`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from .store import Resource
from .wire import ArmError, Json, Response

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox

Action = Callable[["Sandbox", "Call", Any], Response]  # the third: the Resource, None for an unbound action
Route = Callable[..., Response]


class ResourceType:
    """One type. `name` has Azure's own casing; `family` is the kind of its operations' URLs (operations.py); `regional` types need a
    location of their own."""

    name: ClassVar[str] = ""
    family: ClassVar[str] = "operations"
    regional: ClassVar[bool] = True
    listed: ClassVar[bool] = True  # in the group's and the subscription's `resources`
    enumerable: ClassVar[bool] = True  # whether there is a list of them below their parent
    levels: ClassVar[frozenset[str]] = frozenset({"group"})  # where it is: "group", "subscription"
    unbound: ClassVar[frozenset[str]] = frozenset()  # actions that need no resource to be there, lower case
    bodies: ClassVar[dict[str, str]] = {}  # "PUT", "PATCH" or an action in lower case: the model of its body, such as "compute.Disk"
    optional: ClassVar[frozenset[str]] = frozenset()  # paths that the model requires and the provider does not
    parameter: ClassVar[str] = ""  # how the provider calls the body in errors: "galleryImage" of "galleryImage.properties.osType"

    def __init__(self) -> None:
        self.actions: dict[str, Action] = {}  # POST, lower case
        self.views: dict[str, Action] = {}  # GET below the resource, lower case

    @property
    def short(self) -> str:
        """`galleries/images` of `Microsoft.Compute/galleries/images`."""
        return self.name.split("/", 1)[1]

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        raise self.unsupported(call)

    def preflight(self, arm: Sandbox, call: Call, body: Json) -> None:
        """What the provider says to a template's resource before the deployment begins; what only the running deployment knows is not yet
        there. Raises ArmError."""

    def in_place(self, arm: Sandbox, call: Call, resource: Resource | None, body: Json) -> Resource:
        """The resource that a PUT names with this body: a new one, or the one that is there."""
        if resource is None:
            return arm.store.add(Resource(call.id, self.name, body))
        resource.body = body
        arm.store.touch(resource)
        return resource

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        raise self.unsupported(call)

    def hidden(self, arm: Sandbox, call: Call) -> Resource | None:
        """What a PATCH reaches where no resource is shown."""
        return None

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        raise self.unsupported(call)

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        """What GET shows now."""
        return resource.body

    def select(self, arm: Sandbox, call: Call, parent: Resource | None, found: list[Resource]) -> list[Resource]:
        """What a list shows, of the resources that are there; `parent` is the one that it is below."""
        return found

    def dynamic(self, call: Call) -> bool:
        """Whether `view` depends on more than the resource's body (then it is not cached)."""
        return False

    def tagged(self, call: Call) -> bool:
        """Whether an answer carries the body's etag as a header, too."""
        return True

    def retry_in(self, resource: Resource) -> int | None:
        """Seconds after which a client that waits for the resource should look again; None where no answer says so."""
        return None

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        """Why the resource cannot be deleted now: who uses it."""
        return None

    def remove(self, arm: Sandbox, resource: Resource) -> None:
        """Take the resource away (at the end of its deletion, or with its group)."""
        for child in list(arm.store.resources.values()) if self.nests else ():
            if child.key.startswith(resource.key + "/"):
                arm.store.drop(child)
        arm.store.drop(resource)

    nests: ClassVar[bool] = False

    def missing_parent(self, call: Call, parent_id: str) -> ArmError:
        """A write below a parent that does not exist."""
        return ArmError(
            404,
            "ParentResourceNotFound",
            f"Can not perform requested operation on nested resource. Parent resource '{parent_id.rsplit('/', 1)[1]}' not found.",
            gateway=True,
        )

    def missing(self, call: Call) -> ArmError | None:
        """The provider's own 404, where it differs from ARM's."""
        return None

    def unsupported(self, call: Call) -> ArmError:
        return ArmError(
            405,
            "MethodNotAllowed",
            f"The requested resource does not support http method '{call.method}'.",
            headers={"allow": "GET"},
            gateway=True,
        )


class ExtensionType(ResourceType):
    """A type whose resources belong to another scope: a subscription, a group or a resource (locks, role assignments)."""

    regional = False
    listed = False
    tenant: ClassVar[bool] = False  # whether it is also there without a subscription

    def find(self, arm: Sandbox, call: Call) -> Resource | None:
        """The resource that a request names."""
        return arm.store.get(call.id)

    def of_scope(self, arm: Sandbox, call: Call, scope: str) -> list[Resource]:
        """What a list at `scope` (an id in lower case) shows."""
        raise NotImplementedError


TYPES: dict[str, ResourceType] = {}
ROUTES: list[tuple[str, tuple[str, ...], Route]] = []


def register(kind: ResourceType) -> ResourceType:
    """Add a resource type."""
    TYPES[kind.name.lower()] = kind
    return kind


def route(method: str, pattern: str) -> Callable[[Route], Route]:
    """Register `handler(sandbox, call, *values)` for a path; `{}` in the pattern stands for one segment. Patterns are matched in lower
    case."""

    def add(handler: Route) -> Route:
        ROUTES.append((method, tuple(pattern.lower().strip("/").split("/")), handler))
        return handler

    return add


def find_route(method: str, segments: list[str]) -> tuple[Route, list[str]] | None:
    """The handler for these path segments and the values of its `{}`; None where no pattern fits."""
    length = len(segments)
    for wanted, pattern, handler in ROUTES:
        if wanted != method or len(pattern) != length:
            continue
        values: list[str] = []
        for part, segment in zip(pattern, segments, strict=True):
            if part == "{}":
                values.append(segment)
            elif part != segment.lower():
                break
        else:
            return handler, values
    return None


def field(body: Any, path: str, kind: type | tuple[type, ...] = str, default: Any = None) -> Any:
    """The value at a dotted path of a request body; `default` where absent or null.

    Raises ArmError 400 InvalidParameter naming the path where the value (or something on the way to it) has the wrong type.
    """
    value = body
    for depth, part in enumerate(path.split(".")):
        if value is None:
            return default
        if not isinstance(value, dict):
            raise wrong_type(".".join(path.split(".")[:depth]), value)
        value = value.get(part)
    if value is None:
        return default
    if (isinstance(value, bool) and kind is int) or not isinstance(value, kind):
        raise wrong_type(path, value)
    return value


def required(body: Any, path: str, kind: type | tuple[type, ...] = str, *, target: str | None = None) -> Any:
    """As `field`, but raises ArmError 400 InvalidParameter where absent."""
    value = field(body, path, kind)
    if value is None:
        name = target or path.removeprefix("properties.")
        raise ArmError(400, "InvalidParameter", f"Required parameter '{name}' is missing (null).", target=name)
    return value


def invalid(message: str, target: str | None = None) -> ArmError:
    return ArmError(400, "InvalidParameter", message, target=target)


def arm_not_found(id: str) -> ArmError:
    """A 404 for a resource that a request's body names."""
    parts = id.split("/")
    what = "/".join(parts[6:]) if len(parts) > 8 else id
    group = parts[4] if len(parts) > 4 else ""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{what}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def wrong_type(path: str, value: Any) -> ArmError:
    name = path.removeprefix("properties.")
    return ArmError(400, "InvalidParameter", f"The value of parameter {name} is invalid: {value!r}.", target=name)


def one_of(body: Any, path: str, values: tuple[str, ...], default: str | None = None) -> str | None:
    """An enum's value in its own casing. Raises ArmError 400 InvalidParameter for an unknown one."""
    value = field(body, path, str, default)
    if value is None:
        return None
    for known in values:
        if known.lower() == value.lower():
            return known
    name = path.removeprefix("properties.")
    raise ArmError(
        400,
        "InvalidParameter",
        f"The value '{value}' of parameter '{name}' is not valid. Allowed values are: {', '.join(values)}.",
        target=name,
    )
