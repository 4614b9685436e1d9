"""The core: one synchronous function from request to response, over a clock and a store.

State moves lazily: at each request the events that are due by the clock happen, in order, each at its own time; then the request is
answered.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote
from uuid import UUID

from . import control, latency, tokens
from .blobs import answer as answer_blob
from .call import Call
from .clock import Clock
from .events import EVENTS
from .faults import Faults
from .operations import ceil_seconds
from .registry import TYPES, ResourceType, find_route
from .resources import load_families
from .store import Resource, Store
from .throttling import remaining
from .wire import FIXED_HEADERS, JSON_TYPE, ArmError, Json, Request, Response, compact, pretty, stamp

TENANT = "72f988bf-0000-4000-8000-5a4db0c0ffee"
SUBSCRIPTION = "5a4db0c0-0000-4000-8000-000000000001"
CLIENT = "c11e4700-0000-4000-8000-5a4db0c0ffee"
OBJECT = "0b1ec700-0000-4000-8000-5a4db0c0ffee"
SECRET = "in-process"  # noqa: S105 -- a served sandbox makes its own

PAGE = 1000  # resources per list page


class Sandbox:
    """A local Azure Resource Manager.

    `clock`: anything with `now() -> float`, epoch seconds. `store`: a Store, a path to keep state in, or None for memory. `speed`
    divides every latency and every Retry-After. `authenticate=False` lets requests without a token in; `control=False` hides `/_sandbox`.
    """

    def __init__(
        self,
        clock: Clock | Any = None,
        *,
        store: Store | Path | str | None = None,
        seed: int = 0,
        speed: float = 1.0,
        authenticate: bool = True,
        control: bool = True,
        tenant_id: str = TENANT,
        subscriptions: tuple[str, ...] = (SUBSCRIPTION,),
        client_id: str = CLIENT,
        client_secret: str = SECRET,
        page: int = PAGE,
    ) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be above 0, not {speed}")
        load_families()
        self.clock = clock if clock is not None else Clock()
        self.store = store if isinstance(store, Store) else Store(Path(store) if store is not None else None)
        self.seed = seed
        self.speed = speed
        self.authenticate = authenticate
        self.control = control
        self.tenant_id = tenant_id
        self.subscriptions = subscriptions
        self.subscription_id = subscriptions[0]
        self.client_id = client_id
        self.client_secret = client_secret
        self.object_id = OBJECT
        self.page = page
        self.key = hashlib.sha256(f"{client_secret} {tenant_id}".encode()).digest()
        self.known_tokens: dict[str, float] = {}
        self.requests: Counter[str] = Counter()  # since the start: "PUT Microsoft.Compute/virtualMachines" -> number
        self.faults = Faults(seed)
        self.faults.load(self.store.settings.get("faults", []))
        self._chance = Random(f"{seed} requests {self.store.settings.get('count.operation', 0)}")
        self._lock = threading.RLock()
        if hasattr(self.clock, "skipped"):
            self.clock.skipped += self.store.settings.get("skipped", 0.0)
        self.now: float = self.clock.now()

    # what the families need

    def seconds(self, name: str, *key: object) -> float:
        """How long `name` takes this time, divided by speed. The same seed and key give the same answer."""
        return latency.sample(name, Random(f"{self.seed} {name} {key}")) / self.speed

    def retry_after(self, seconds: float) -> str:
        """A Retry-After header: divided by speed, at least 1."""
        return str(ceil_seconds(seconds / self.speed))

    def count(self, name: str) -> int:
        """The next number of a series that survives a restart."""
        number = int(self.store.settings.get(f"count.{name}", 0)) + 1
        self.store.set(f"count.{name}", number)
        return number

    def guid(self, *key: object) -> str:
        """A GUID that follows from the seed and the key."""
        return str(UUID(int=Random(f"{self.seed} guid {key}").getrandbits(128), version=4))

    def request_guid(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128), version=4))

    def resource(self, id: str | None, type: str | None = None) -> Resource | None:
        """The resource of that id (and type); None where there is none."""
        if not id:
            return None
        found = self.store.get(id)
        if found is None or (type is not None and found.type.lower() != type.lower()):
            return None
        return found

    # requests

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        with self._lock:
            self.advance()
            self.store.commit()
            call = Call(request)
            response = self._answer(call)
            self.store.commit()
            return response

    def advance(self) -> None:
        """Let everything happen that is due by now."""
        now = self.clock.now()
        store = self.store
        while (due := store.next_due()) is not None and due <= now:
            due, name, arguments = store.pop_event()
            self.now = due
            EVENTS[name](self, **arguments)
        self.now = now

    def token(self, lifetime: int = 10 * 365 * 86_400) -> str:
        """A bearer token for in-process clients."""
        return tokens.issue(self, lifetime=lifetime)

    def _answer(self, call: Call) -> Response:
        try:
            response = self._elsewhere(call)
            if response is None:
                response = self._resource_manager(call)
        except ArmError as error:
            self.store.undo_additions()
            found = {"content-type": JSON_TYPE, **error.headers}
            if error.gateway:
                found["x-ms-failure-cause"] = "gateway"
            body = b"" if call.method == "HEAD" else (compact if error.gateway else pretty)({"error": error.body()})
            response = Response(error.status, found, body)
        return self._finish(call, response)

    def _elsewhere(self, call: Call) -> Response | None:
        """Answers of the hosts that are not Resource Manager."""
        first = call.segments[0].lower() if call.segments else ""
        if first == "_sandbox":
            return control.answer(self, call) if self.control else Response(404)
        if first in ("subscriptions", "providers", "tenants", "metadata"):
            return None
        return answer_blob(self, call) or tokens.answer(self, call)

    def _finish(self, call: Call, response: Response) -> Response:
        found = response.headers
        request = self.request_guid()
        for name, value in FIXED_HEADERS.items():
            found.setdefault(name, value)
        found.setdefault("x-ms-request-id", request)
        found["x-ms-correlation-request-id"] = call.header("x-ms-correlation-request-id") or request
        found["x-ms-routing-request-id"] = f"SANDBOX:{int(self.now)}:{request}"
        if call.subscription:
            remaining(call, response)
            self.requests[" ".join(filter(None, (call.method, call.type or "operations", call.action)))] += 1
        return response

    def _resource_manager(self, call: Call) -> Response:
        segments = call.segments
        anonymous = segments[:1] == ["metadata"]
        if self.authenticate and not anonymous:
            tokens.check(self, call)
        if not call.api_version and not anonymous:
            raise ArmError(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
                gateway=True,
            )
        if segments and segments[0].lower() == "subscriptions" and len(segments) > 1:
            call.subscription = segments[1]
            if segments[1].lower() not in (known.lower() for known in self.subscriptions):
                raise ArmError(404, "SubscriptionNotFound", f"The subscription '{segments[1]}' could not be found.", gateway=True)
        act = self._find(call)
        return self._with_faults(call, act)

    def _with_faults(self, call: Call, act: Callable[[], Response]) -> Response:
        if not self.faults.rules:
            return act()
        delay = 0.0
        if (fault := self.faults.take("latency", call)) is not None:
            delay = float(fault["latency"]) / self.speed
        if (fault := self.faults.take("throttle", call)) is not None:
            raise throttled(self, float(fault["throttle"].get("retry_after", 60)))
        if (fault := self.faults.take("error", call)) is not None:
            error = fault["error"]
            raise ArmError(
                int(error.get("status", 500)),
                error.get("code", "InternalServerError"),
                error.get("message", "An internal server error occurred."),
                target=error.get("target"),
                details=error.get("details"),
                headers={"retry-after": self.retry_after(error["retry_after"])} if "retry_after" in error else None,
            )
        drop = self.faults.take("drop", call)
        if drop is not None and drop["drop"] == "before":
            return Response(0, dropped=True, delay=delay)
        response = act()
        response.delay = delay
        if drop is not None:
            response.dropped = True
        return response

    # routing

    def _find(self, call: Call) -> Callable[[], Response]:
        segments = call.segments
        found = find_route(call.method, segments)
        if found is not None:
            handler, values = found
            return lambda: handler(self, call, *values)
        lower = [segment.lower() for segment in segments]
        if len(lower) >= 6 and lower[0] == "subscriptions" and lower[2] == "resourcegroups" and lower[4] == "providers":
            call.group = segments[3]
            return self._route_resource(call, segments[:4], segments[5:])
        if len(lower) >= 4 and lower[0] == "subscriptions" and lower[2] == "providers":
            return self._route_resource(call, segments[:2], segments[3:])
        if len(lower) in (3, 4, 5) and lower[0] == "subscriptions" and lower[2] == "resourcegroups":
            return self._route_group(call)
        raise ArmError(404, "NotFound", f"No HTTP resource was found that matches the request URI '{call.base}{call.path}'.", gateway=True)

    def _route_group(self, call: Call) -> Callable[[], Response]:
        segments = call.segments
        kind = TYPES["microsoft.resources/resourcegroups"]
        call.type = kind.name
        if len(segments) == 3:
            return lambda: self._list(
                call, kind, list(self.store.collection(f"/subscriptions/{segments[1].lower()}/resourcegroups").values())
            )
        call.name = call.group = segments[3]
        call.id = f"/subscriptions/{segments[1]}/resourceGroups/{segments[3]}"
        call.resource = self.store.get(call.id)
        if len(segments) == 5:
            call.action = segments[4]
            return lambda: self._below(call, kind)
        return lambda: self._on_resource(call, kind)

    def _route_resource(self, call: Call, scope: list[str], rest: list[str]) -> Callable[[], Response]:
        """`rest` is namespace/type/name/type/name…, with an action or a collection at its end."""
        namespace, parts = rest[0], rest[1:]
        if not parts:
            raise ArmError(
                404, "NotFound", f"No HTTP resource was found that matches the request URI '{call.base}{call.path}'.", gateway=True
            )
        kinds, names = parts[0::2], parts[1::2]
        full = f"{namespace}/{'/'.join(kinds)}".lower()
        kind = TYPES.get(full)
        odd = len(parts) % 2 == 1
        if odd and len(parts) > 1 and (kind is None or call.method == "POST"):
            parent = TYPES.get(f"{namespace}/{'/'.join(kinds[:-1])}".lower())
            if parent is None:
                raise self._unknown_type(namespace, kinds[:-1])
            call.action = parts[-1]
            self._name(call, parent, scope, names)
            return lambda: self._below(call, parent)
        if kind is None:
            raise self._unknown_type(namespace, kinds)
        self._check_version(call, kind)
        call.type = kind.name
        if odd:
            return lambda: self._list_collection(call, kind, scope, names)
        self._name(call, kind, scope, names)
        return lambda: self._on_resource(call, kind)

    def _name(self, call: Call, kind: ResourceType, scope: list[str], names: list[str]) -> None:
        if len(scope) < 4:
            raise ArmError(
                404, "NotFound", f"No HTTP resource was found that matches the request URI '{call.base}{call.path}'.", gateway=True
            )
        self._check_version(call, kind)
        kinds = kind.name.split("/")
        pairs = "/".join(f"{part}/{name}" for part, name in zip(kinds[1:], names, strict=True))
        call.type = kind.name
        call.name = names[-1]
        call.id = f"/subscriptions/{scope[1]}/resourceGroups/{scope[3]}/providers/{kinds[0]}/{pairs}"
        call.resource = self.store.get(call.id)
        if len(names) > 1:
            call.parent = self.store.get(call.id.rsplit("/", 2)[0])

    def _unknown_type(self, namespace: str, kinds: list[str]) -> ArmError:
        spaces = {name.split("/", 1)[0] for name in TYPES}
        if namespace.lower() not in spaces:
            return ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.", gateway=True)
        return ArmError(
            404,
            "InvalidResourceType",
            f"The resource type '{'/'.join(kinds)}' could not be found in the namespace '{namespace}' for api version supported by the "
            f"sandbox.",
            gateway=True,
        )

    def _check_version(self, call: Call, kind: ResourceType) -> None:
        version = call.api_version
        day = version[:10]
        is_day = len(day) == 10 and day[4] == day[7] == "-" and day.replace("-", "").isdigit()
        if is_day and "2014-04-01" <= day <= "2026-12-31" and version[10:] in ("", "-preview", "-privatepreview", "-alpha", "-beta"):
            return
        raise ArmError(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location '' and API version '{version}' for type '{kind.short}'. "
            "The supported api-versions are every version published from '2014-04-01' to '2026-04-01'.",
            gateway=True,
        )

    def require_group(self, call: Call) -> Resource:
        """The request's resource group. Raises ArmError 404 ResourceGroupNotFound, or 409 for a write into a group that is being
        deleted."""
        group = self.store.get(f"/subscriptions/{call.subscription}/resourceGroups/{call.group}")
        if group is None:
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{call.group}' could not be found.", gateway=True)
        if call.method in ("PUT", "PATCH", "POST") and group.state == "Deleting":
            raise ArmError(
                409,
                "ResourceGroupBeingDeleted",
                f"The resource group '{call.group}' is in deprovisioning state and cannot perform this operation.",
                gateway=True,
            )
        return group

    def not_found(self, call: Call, kind: ResourceType, id: str | None = None) -> ArmError:
        """ARM's 404 ResourceNotFound; below a missing parent it names the parent."""
        id = id or call.id
        parts = id.split("/")
        depth = 9
        while depth < len(parts) and self.store.get("/".join(parts[:depth])) is not None:
            depth += 2
        if depth >= len(parts):
            own = kind.missing(call)
            if own is not None:
                return own
        depth = min(depth, len(parts))
        return ArmError(
            404,
            "ResourceNotFound",
            f"The Resource '{'/'.join(parts[6:depth])}' under resource group '{call.group}' was not found. "
            "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
            gateway=True,
        )

    def _on_resource(self, call: Call, kind: ResourceType) -> Response:
        resource, method = call.resource, call.method
        is_group = kind.name == "Microsoft.Resources/resourceGroups"
        if not is_group:
            self.require_group(call)
        if method == "GET":
            if resource is None:
                raise self.not_found(call, kind) if not is_group else group_not_found(call)
            return self.show(call, kind, resource)
        if method == "HEAD":
            if resource is None:
                return Response(404)
            return Response(204)
        if method == "PUT":
            if len(call.id.split("/")) > 9 and call.parent is None:
                raise kind.missing_parent(call, call.id.rsplit("/", 2)[0])
            return kind.put(self, call, resource)
        if method == "DELETE":
            if resource is None:
                if is_group:
                    raise group_not_found(call)
                return Response(204)
            return kind.delete(self, call, resource)
        if method == "PATCH":
            if resource is None:
                raise self.not_found(call, kind) if not is_group else group_not_found(call)
            return kind.patch(self, call, resource)
        raise kind.unsupported(call)

    def _below(self, call: Call, kind: ResourceType) -> Response:
        """An action (POST) or a view (GET) of a resource."""
        is_group = kind.name == "Microsoft.Resources/resourceGroups"
        if not is_group:
            self.require_group(call)
        handlers = kind.actions if call.method == "POST" else kind.views if call.method == "GET" else {}
        handler = handlers.get(call.action.lower())
        if handler is None:
            raise ArmError(
                404,
                "InvalidResourceType",
                f"The resource type '{kind.short}/{call.action}' could not be found in the namespace '{kind.name.split('/', 1)[0]}' "
                f"for api version '{call.api_version}'.",
                gateway=True,
            )
        if call.resource is None:
            raise self.not_found(call, kind) if not is_group else group_not_found(call)
        return handler(self, call, call.resource)

    def show(self, call: Call, kind: ResourceType, resource: Resource, status: int = 200) -> Response:
        """GET's answer. Bodies that depend on nothing else are rendered once."""
        render = compact if kind.name.startswith("Microsoft.Resources/") else pretty
        if kind.dynamic(call):
            body = render(kind.view(self, call, resource))
        else:
            if resource.rendered is None:
                resource.rendered = render(kind.view(self, call, resource))
            body = resource.rendered
        found = {"content-type": JSON_TYPE}
        etag = resource.body.get("etag")
        if etag is not None:
            found["etag"] = etag
        return Response(status, found, body)

    # lists

    def _list_collection(self, call: Call, kind: ResourceType, scope: list[str], names: list[str]) -> Response:
        if call.method != "GET":
            raise kind.unsupported(call)
        if len(scope) < 4:
            return self._list(call, kind, list(self.store.of_type(scope[1], kind.name).values()))
        self.require_group(call)
        kinds = kind.name.split("/")
        parent = "/".join(f"{part}/{name}" for part, name in zip(kinds[1:], names, strict=False))
        root = f"/subscriptions/{scope[1]}/resourceGroups/{scope[3]}/providers/{kinds[0]}/"
        if parent and self.store.get(root + parent) is None:
            raise self.not_found(call, TYPES["/".join(kinds[:-1]).lower()], root + parent)
        key = f"{root}{parent}{'/' if parent else ''}{kinds[-1]}".lower()
        return self._list(call, kind, list(self.store.collection(key).values()))

    def _list(self, call: Call, kind: ResourceType, found: list[Resource]) -> Response:
        resources = kind.name.startswith("Microsoft.Resources/")
        return self.page_of(call, found, lambda resource: kind.view(self, call, resource), render=compact if resources else pretty)

    def page_of(self, call: Call, found: list[Any], view: Callable[[Any], Json], *, render: Callable[[Any], bytes] = pretty) -> Response:
        """A page of a list: `value`, and `nextLink` where more follow. `$top` limits, `$skiptoken` continues."""
        offset = int(call.query.get("$skiptoken", "0") or 0) if call.query.get("$skiptoken", "0").isdigit() else 0
        top = call.query.get("$top", "")
        size = min(self.page, int(top)) if top.isdigit() and int(top) > 0 else self.page
        shown = found[offset : offset + size]
        body: Json = {"value": [view(item) for item in shown]}
        if offset + size < len(found):
            kept = "&".join(f"{quote(name)}={quote(value)}" for name, value in call.query.items() if name != "$skiptoken")
            body["nextLink"] = f"{call.base}{quote(call.path)}?{kept}&%24skiptoken={offset + size}"
        return Response(200, {"content-type": JSON_TYPE}, render(body))


def throttled(arm: Sandbox, retry_after: float) -> ArmError:
    """Compute's 429 (shape: Azure's throttling troubleshooting page, wrapped as every recorded Compute error is)."""
    allowed = {"operationGroup": "HighCostGet30Min", "startTime": stamp(arm.now - 1800), "endTime": stamp(arm.now)}
    counts = {"allowedRequestCount": 800, "measuredRequestCount": 1238}
    return ArmError(
        429,
        "OperationNotAllowed",
        "The server rejected the request because too many requests have been received for this subscription.",
        details=[{"code": "TooManyRequests", "target": "HighCostGet30Min", "message": compact({**allowed, **counts}).decode()}],
        headers={"retry-after": arm.retry_after(retry_after)},
    )


def group_not_found(call: Call) -> ArmError:
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{call.group}' could not be found.", gateway=True)
