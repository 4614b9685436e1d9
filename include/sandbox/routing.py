"""From a path to whoever answers it: routes, resource groups, resources of a type, collections, actions and views."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from . import api_versions, authorization, locks, purchases, registration, stale, validation
from .pages import list_of, show
from .registry import TYPES, ExtensionType, ResourceType, find_route
from .wire import ArmError, Response

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox
    from .store import Resource


_WRITES = frozenset({"PUT", "PATCH"})


def find(arm: Sandbox, call: Call) -> Callable[[], Response]:
    segments = call.segments
    found = find_route(call.method, segments)
    if found is not None:
        handler, values = found
        api_versions.check_route(call)
        authorization.check_route(arm, call)
        return lambda: handler(arm, call, *values)
    lower = [segment.lower() for segment in segments]
    if "providers" in lower:
        last = len(lower) - 1 - lower[::-1].index("providers")
        kind = TYPES.get("/".join(lower[last + 1 : last + 3]))
        if isinstance(kind, ExtensionType):
            return _route_extension(arm, call, kind, segments[:last], segments[last + 3 :])
    if len(lower) >= 6 and lower[0] == "subscriptions" and lower[2] == "resourcegroups" and lower[4] == "providers":
        call.group = segments[3]
        return _route_resource(arm, call, segments[:4], segments[5:])
    if len(lower) >= 4 and lower[0] == "subscriptions" and lower[2] == "providers":
        return _route_resource(arm, call, segments[:2], segments[3:])
    if len(lower) in (3, 4, 5) and lower[0] == "subscriptions" and lower[2] == "resourcegroups":
        return _route_group(arm, call)
    raise ArmError(404, "NotFound", f"No HTTP resource was found that matches the request URI '{call.base}{call.path}'.", gateway=True)


def _route_group(arm: Sandbox, call: Call) -> Callable[[], Response]:
    segments = call.segments
    kind = TYPES["microsoft.resources/resourcegroups"]
    api_versions.check(call, kind.name)
    call.type = kind.name
    if len(segments) == 3:
        return lambda: list_of(arm, call, kind, list(arm.store.collection(f"/subscriptions/{segments[1].lower()}/resourcegroups").values()))
    call.name = call.group = segments[3]
    call.id = f"/subscriptions/{segments[1]}/resourceGroups/{segments[3]}"
    call.resource = _look(arm, call)
    if len(segments) == 5:
        call.action = segments[4]
        return lambda: _below(arm, call, kind)
    return lambda: _on_resource(arm, call, kind)


def _route_resource(arm: Sandbox, call: Call, scope: list[str], rest: list[str]) -> Callable[[], Response]:
    """`rest` is namespace/type/name/type/name…, with an action or a collection at its end."""
    namespace, parts = rest[0], rest[1:]
    if not parts:
        raise ArmError(404, "NotFound", f"No HTTP resource was found that matches the request URI '{call.base}{call.path}'.", gateway=True)
    kinds, names = parts[0::2], parts[1::2]
    full = f"{namespace}/{'/'.join(kinds)}".lower()
    kind = TYPES.get(full)
    odd = len(parts) % 2 == 1
    if odd and len(parts) > 1 and (kind is None or call.method == "POST"):
        parent = TYPES.get(f"{namespace}/{'/'.join(kinds[:-1])}".lower())
        if parent is None:
            raise _unknown_type(call, namespace, kinds[:-1])
        call.action = parts[-1]
        _name(arm, call, parent, scope, names)
        return lambda: _below(arm, call, parent)
    if kind is None:
        raise _unknown_type(call, namespace, kinds)
    call.type = kind.name
    if odd:
        api_versions.check(call, kind.name)
        return lambda: _collection(arm, call, kind, scope, names)
    _name(arm, call, kind, scope, names)
    return lambda: _on_resource(arm, call, kind)


def _route_extension(arm: Sandbox, call: Call, kind: ExtensionType, scope: list[str], rest: list[str]) -> Callable[[], Response]:
    """A lock or a role assignment: `rest` is its name, or nothing for the list at `scope`."""
    lower = [segment.lower() for segment in scope]
    api_versions.check(call, kind.name)
    if not scope and kind.tenant:
        root = ""
    elif lower[:1] == ["subscriptions"] and len(scope) == 2:
        root = f"/subscriptions/{scope[1]}"
    elif lower[:1] == ["subscriptions"] and lower[2:3] == ["resourcegroups"] and len(scope) == 4:
        root = _scope_id(scope)
    elif lower[:1] == ["subscriptions"] and lower[4:5] == ["providers"] and len(scope) > 6 and len(scope) % 2 == 0:
        found = TYPES.get("/".join([lower[5], *lower[6::2]]))
        if found is None:
            raise _unknown_type(call, scope[5], scope[6::2])
        kinds = found.name.split("/")
        pairs = "/".join(f"{part}/{name}" for part, name in zip(kinds[1:], scope[7::2], strict=True))
        root = f"{_scope_id(scope[:4])}/providers/{kinds[0]}/{pairs}"
    else:
        raise ArmError(404, "NotFound", f"No HTTP resource was found that matches the request URI '{call.base}{call.path}'.", gateway=True)
    call.type = kind.name
    call.group = scope[3] if len(scope) >= 4 else ""
    call.id = f"{root}/providers/{kind.name}"
    if len(rest) == 1:
        call.name = rest[0]
        call.id += f"/{rest[0]}"
        call.resource = kind.find(arm, call)
    elif rest:
        raise ArmError(404, "NotFound", f"No HTTP resource was found that matches the request URI '{call.base}{call.path}'.", gateway=True)

    def act() -> Response:
        authorization.check(arm, call)
        if call.group:
            require_group(arm, call)
        if len(scope) > 4:
            call.parent = arm.store.get(root)
            if call.parent is None:
                raise not_found(arm, call, TYPES["/".join([lower[5], *lower[6::2]])], root)
        if rest:
            return _on_resource(arm, call, kind)
        if call.method != "GET":
            raise kind.unsupported(call)
        return list_of(arm, call, kind, kind.of_scope(arm, call, root.lower()))

    return act


def _name(arm: Sandbox, call: Call, kind: ResourceType, scope: list[str], names: list[str]) -> None:
    if ("group" if len(scope) == 4 else "subscription") not in kind.levels:
        raise ArmError(404, "NotFound", f"No HTTP resource was found that matches the request URI '{call.base}{call.path}'.", gateway=True)
    kinds = kind.name.split("/")
    pairs = "/".join(f"{part}/{name}" for part, name in zip(kinds[1:], names, strict=True))
    call.type = kind.name
    call.name = names[-1]
    call.id = f"{_scope_id(scope)}/providers/{kinds[0]}/{pairs}"
    call.resource = _look(arm, call)
    if call.method != "HEAD" or call.resource is not None:  # of what is not there the front door answers itself (recorded)
        api_versions.check(call, kind.name)
    if len(names) > 1:
        call.parent = arm.store.get(call.id.rsplit("/", 2)[0])


def _look(arm: Sandbox, call: Call) -> Resource | None:
    """The resource that a request names, as it is or, for a read, as a fault has the front door see it."""
    found = arm.store.get(call.id)
    if arm.store.settings.get("stale") and call.method in stale.READS:
        return stale.seen(arm, call.id, found)
    return found


def _scope_id(scope: list[str]) -> str:
    return f"/subscriptions/{scope[1]}" + (f"/resourceGroups/{scope[3]}" if len(scope) == 4 else "")


def _unknown_type(call: Call, namespace: str, kinds: list[str]) -> ArmError:
    spaces = {name.split("/", 1)[0] for name in TYPES}
    if namespace.lower() not in spaces:
        return ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.", gateway=True)
    return ArmError(
        404,
        "InvalidResourceType",
        f"The resource type '{'/'.join(kinds)}' could not be found in the namespace '{namespace}' for api version '{call.api_version}'.",
        gateway=True,
    )


def require_group(arm: Sandbox, call: Call) -> Resource:
    """The request's resource group. Raises ArmError 404 ResourceGroupNotFound, or 409 for a write into a group that is being
    deleted."""
    id = f"/subscriptions/{call.subscription}/resourceGroups/{call.group}"
    group = arm.store.get(id)
    if arm.store.settings.get("stale"):
        group = stale.seen(arm, id, group)
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


def not_found(arm: Sandbox, call: Call, kind: ResourceType, id: str | None = None) -> ArmError:
    """ARM's 404 ResourceNotFound; below a missing parent it names the parent."""
    id = id or call.id
    if not call.group or isinstance(kind, ExtensionType):
        return kind.missing(call) or ArmError(404, "ResourceNotFound", f"The Resource '{id}' was not found.", gateway=True)
    parts = id.split("/")
    depth = 9
    while depth < len(parts) and arm.store.get("/".join(parts[:depth])) is not None:
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


def _on_resource(arm: Sandbox, call: Call, kind: ResourceType) -> Response:
    resource, method = call.resource, call.method
    is_group = kind.name == "Microsoft.Resources/resourceGroups"
    authorization.check(arm, call)
    if call.group and not is_group:
        require_group(arm, call)
    if method in _WRITES:
        registration.require(arm, call)
    locks.check(arm, call)
    if method == "GET":
        if resource is None:
            raise not_found(arm, call, kind) if not is_group else group_not_found(call)
        return show(arm, call, kind, resource)
    if method == "HEAD":
        if resource is None:
            return Response(404)
        return Response(204)
    if method == "PUT":
        if len(call.id.split("/")) > 9 and call.parent is None:
            raise kind.missing_parent(call, call.id.rsplit("/", 2)[0])
        validation.check(call, kind)
        purchases.check(arm, call)
        return _stamped(arm, call, kind.put(arm, call, resource))
    if method == "DELETE":
        if resource is None:
            if is_group:
                raise group_not_found(call)
            return Response(204)
        return kind.delete(arm, call, resource)
    if method == "PATCH":
        resource = resource or kind.hidden(arm, call)
        if resource is None:
            raise not_found(arm, call, kind) if not is_group else group_not_found(call)
        validation.check(call, kind)
        return _stamped(arm, call, kind.patch(arm, call, resource))
    raise kind.unsupported(call)


def _below(arm: Sandbox, call: Call, kind: ResourceType) -> Response:
    """An action (POST) or a view (GET) of a resource."""
    authorization.check(arm, call)
    is_group = kind.name == "Microsoft.Resources/resourceGroups"
    if call.group and not is_group:
        require_group(arm, call)
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
    if call.resource is None and call.action.lower() not in kind.unbound:
        raise not_found(arm, call, kind) if not is_group else group_not_found(call)
    locks.check(arm, call)
    if call.method == "POST":
        validation.check(call, kind)
    answer = handler(arm, call, call.resource)
    return _stamped(arm, call, answer) if call.method == "POST" else answer


def _stamped(arm: Sandbox, call: Call, answer: Response) -> Response:
    """Keep when a resource was made and last changed: what `$expand=createdTime,changedTime` shows in lists."""
    resource = arm.store.get(call.id)
    if resource is not None and answer.status < 300:
        resource.private.setdefault("createdTime", arm.now)
        resource.private["changedTime"] = arm.now
        arm.store.touch(resource)
    return answer


def _collection(arm: Sandbox, call: Call, kind: ResourceType, scope: list[str], names: list[str]) -> Response:
    authorization.check(arm, call)
    if call.method != "GET":
        raise kind.unsupported(call)
    if not kind.enumerable:
        raise _unknown_type(call, kind.name.split("/", 1)[0], kind.name.split("/")[1:])
    if len(scope) < 4 and "subscription" not in kind.levels:
        return list_of(arm, call, kind, kind.select(arm, call, None, list(arm.store.of_type(scope[1], kind.name).values())))
    if call.group:
        require_group(arm, call)
    kinds = kind.name.split("/")
    parent = "/".join(f"{part}/{name}" for part, name in zip(kinds[1:], names, strict=False))
    root = f"{_scope_id(scope)}/providers/{kinds[0]}/"
    above = arm.store.get(root + parent) if parent else None
    if parent and above is None:
        raise not_found(arm, call, TYPES["/".join(kinds[:-1]).lower()], root + parent)
    key = f"{root}{parent}{'/' if parent else ''}{kinds[-1]}".lower()
    return list_of(arm, call, kind, kind.select(arm, call, above, list(arm.store.collection(key).values())))


def group_not_found(call: Call) -> ArmError:
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{call.group}' could not be found.", gateway=True)
