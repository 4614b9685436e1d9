"""One request as the resource families see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from .api_versions import type_of
from .clouds import PUBLIC, Cloud
from .regions import short
from .wire import ArmError, Json, Request, parse, unreadable

if TYPE_CHECKING:
    from .store import Resource


class Call:
    """A parsed request.

    `path` is unquoted, `segments` its parts; `query` has lower-case names. For requests that name a resource (type) the router fills `type`
    ("Microsoft.Compute/virtualMachines"), `name`, `id`, `action`, `resource` (None where it does not exist) and `parent`.

    Who asks is filled in from the token: `tenant`, `principal` (an object id; empty for the sandbox itself) and `client` (an application's
    id); `auxiliary` has the principals of further tokens, by tenant. `internal`: the sandbox asks itself. `rates`: the answer's rate-limit
    headers.
    """

    __slots__ = (
        "_json",
        "action",
        "api_version",
        "auxiliary",
        "base",
        "body",
        "client",
        "cloud",
        "group",
        "headers",
        "id",
        "internal",
        "method",
        "name",
        "parent",
        "path",
        "principal",
        "query",
        "rates",
        "resource",
        "segments",
        "subscription",
        "tenant",
        "type",
    )

    def __init__(self, request: Request, cloud: Cloud = PUBLIC) -> None:
        self.cloud = cloud
        parts = urlsplit(request.url)
        self.method = request.method.upper()
        self.base = f"{parts.scheme}://{parts.netloc}"
        self.path = unquote(parts.path)
        self.segments = [segment for segment in self.path.split("/") if segment]
        self.query = {name.lower(): value for name, value in parse_qsl(parts.query, keep_blank_values=True)} if parts.query else {}
        self.headers = request.headers
        self.body = request.body
        self.api_version = self.query.get("api-version", "")
        self.subscription = ""
        self.group = ""
        self.type = ""
        self.name = ""
        self.id = ""
        self.action = ""
        self.resource: Resource | None = None
        self.parent: Resource | None = None
        self.tenant = ""
        self.principal = ""
        self.client = ""
        self.auxiliary: dict[str, str] = {}
        self.internal = False
        self.rates: dict[str, str] = {}
        self._json: Json | None = None

    def header(self, name: str) -> str:
        """A header's value without regard to its case; empty where absent."""
        name = name.lower()
        value = self.headers.get(name)
        if value is not None:
            return value
        for key, value in self.headers.items():
            if key.lower() == name:
                return value
        return ""

    def json(self) -> Json:
        """The request's JSON object. Raises ArmError 400 InvalidRequestContent for anything else."""
        if self._json is None:
            value = parse(self.body)
            if not isinstance(value, dict):
                raise unreadable("A JSON object is expected. Path '', line 1, position 1.")
            self._json = value
        return self._json

    def read_as(self, body: Json) -> None:
        """Have `json` answer with the body as validation.py read it."""
        self._json = body

    def expands(self, what: str) -> bool:
        """Whether `$expand` names `what`."""
        return what.lower() in self.query.get("$expand", "").lower().replace(" ", "").split(",")

    def trait(self, name: str) -> str:
        """What a fault rule matches (faults.py): a text, empty where the request has no such thing."""
        match name:
            case "type":
                return self.type or type_of(self.segments)
            case "region":
                return short(str(self._safe_body().get("location") or (self.resource.location if self.resource else "")))
            case "size":
                return str(self._property("hardwareProfile", "vmSize"))
            case "priority":
                return str(self._property("priority"))
            case "script":
                script = self._property("source", "script") or self._safe_body().get("script")
                return "\n".join(str(line) for line in script) if isinstance(script, list) else str(script or "")
            case "parent":
                return self.id.rsplit("/", 2)[0]
            case _:
                return str(getattr(self, name))

    def _property(self, *path: str) -> Any:
        """A property of the body, or of the resource as it is; empty where there is none."""
        for value in (self._safe_body().get("properties"), self.resource.properties if self.resource is not None else None):
            for part in path:
                value = value.get(part) if isinstance(value, dict) else None
            if value is not None:
                return value
        return ""

    def _safe_body(self) -> dict[str, Any]:
        try:
            return self.json()
        except ArmError:
            return {}
