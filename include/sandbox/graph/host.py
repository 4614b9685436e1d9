"""Graph's host: who asks, what the path names, and what every answer carries."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .. import tokens
from ..effects import under_faults
from ..wire import ArmError, Json, Response, compact
from . import credentials, errors, federation, membership, objects, queries, writes

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

VERSIONS = ("v1.0", "beta")
ID = "00000003-0000-0000-c000-000000000000"  # Graph's application, the same in all clouds

_JSON = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
_KINDS = {
    "users": objects.USER,
    "groups": objects.GROUP,
    "applications": objects.APPLICATION,
    "serviceprincipals": objects.SERVICE_PRINCIPAL,
}
_SETS = {kind: name for name, kind in zip(("users", "groups", "applications", "servicePrincipals"), _KINDS.values(), strict=True)}
_KEYED = re.compile(r"(\w+)\((?:(\w+)=)?'([^']*)'\)")


def is_graph(call: Call) -> bool:
    """Whether the request is for Graph: by its host, or by the first part of its path where all services share a host."""
    return call.base == call.cloud.graph or call.segments[:1] in ([version] for version in VERSIONS)


def answer(arm: Sandbox, call: Call) -> Response:
    request = call.header("client-request-id") or arm.request_guid()
    try:
        response = _answer(arm, call)
    except ArmError as error:
        arm.store.undo_additions()
        moment = datetime.fromtimestamp(arm.now, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        inner = {"date": moment, "request-id": request, "client-request-id": request}
        body = {"error": {"code": error.code, "message": error.message, "innerError": inner}}
        response = Response(error.status, {"content-type": "application/json", **error.headers}, compact(body))
    found = response.headers
    found.update({"cache-control": "no-cache", "strict-transport-security": "max-age=31536000", "request-id": request})
    found["client-request-id"] = request
    found["x-ms-ags-diagnostic"] = json.dumps({"ServerInfo": {"DataCenter": "Sandbox", "Slice": "E", "Ring": "5", "ScaleUnit": "001"}})
    found["x-ms-resource-unit"] = "1"
    return response


def _answer(arm: Sandbox, call: Call) -> Response:
    tokens.check_graph(arm, call, frozenset((call.cloud.graph, ID)))
    call.type = f"Microsoft.Graph/{call.segments[1] if len(call.segments) > 1 else ''}"
    return under_faults(arm, call, lambda: _route(arm, call))


def _route(arm: Sandbox, call: Call) -> Response:
    version, *parts = call.segments or [""]
    if version not in VERSIONS:
        raise errors.unreadable("Invalid version: " + version)
    if not parts:
        raise errors.unreadable("Empty Payload. JSON content expected.")
    if parts[0].lower() == "me":
        raise errors.unreadable("/me request is only valid with delegated authentication flow.")
    if not any(one.object_id == call.principal and one.owns for one in arm.directory.principals):
        raise errors.not_allowed()  # nobody else was given a permission of Graph's
    keyed = _KEYED.fullmatch(parts[0])
    name = (keyed[1] if keyed else parts[0]).lower()
    if name == "directoryobjects":
        return _directory_objects(arm, call, parts[1:])
    kind = _KINDS.get(name)
    if kind is None:
        raise errors.no_segment(parts[0])
    if keyed is None and len(parts) == 1:
        return _set(arm, call, kind)
    found = _find(arm, call, kind, keyed[3] if keyed else parts[1], (keyed[2] if keyed else "") or "")
    rest = parts[1:] if keyed else parts[2:]
    return _below(arm, call, kind, found, rest) if rest else _one(arm, call, kind, found)


def _context(call: Call, what: str) -> str:
    return f"{call.base}/{call.segments[0]}/$metadata#{what}"


def _show(value: Json, status: int = 200, **headers: str) -> Response:
    return Response(status, {"content-type": _JSON, "odata-version": "4.0", **headers}, compact(value))


def _find(arm: Sandbox, call: Call, kind: str, id: str, key: str) -> Json:
    """The object that a path names: by id, `users/{userPrincipalName}`, or `applications(appId='…')`. Raises ArmError 404."""
    if key and key.lower() not in ("appid", "id"):
        raise errors.unreadable(f"The key property '{key}' is not supported.")
    if key.lower() != "appid":
        found = objects.find(arm, call.tenant, id)
        if found is not None and objects.kind_of(found) == kind:
            return found
    by = {"appid": "appId"}.get(key.lower(), "userPrincipalName" if kind == objects.USER else "")
    for one in objects.all_of(arm, call.tenant, kind) if by else ():
        if str(one.get(by)).lower() == id.lower():
            return one
    raise errors.absent(id)


def _set(arm: Sandbox, call: Call, kind: str) -> Response:
    if call.method == "GET":
        return _page(call, _SETS[kind], kind, objects.all_of(arm, call.tenant, kind))
    if call.method != "POST":
        raise errors.refused(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
    made = writes.create(arm, call.tenant, kind, call.json()).properties
    name = kind.rsplit(".", 1)[1]
    location = f"{call.base}/v2/{call.tenant}/directoryObjects/{made['id']}/Microsoft.DirectoryServices.{name[0].upper()}{name[1:]}"
    body = {"@odata.context": _context(call, f"{_SETS[kind]}/$entity"), **queries.selected(call, kind, made, typed=False)}
    return _show(body, 201, location=location)


def _one(arm: Sandbox, call: Call, kind: str, found: Json) -> Response:
    match call.method:
        case "GET":
            queries.check(call)
            shown = queries.selected(call, kind, found, typed=False)
            names = f"({call.query['$select']})" if call.query.get("$select") else ""
            return _show({"@odata.context": _context(call, f"{_SETS[kind]}{names}/$entity"), **shown})
        case "PATCH":
            writes.update(arm, call.tenant, found, call.json())
        case "DELETE":
            writes.delete(arm, call.tenant, found)
        case _:
            raise errors.refused(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
    return Response(204)


def _below(arm: Sandbox, call: Call, kind: str, found: Json, rest: list[str]) -> Response:
    what, after = rest[0].lower(), rest[1:]
    is_group, registered = kind == objects.GROUP, kind in (objects.APPLICATION, objects.SERVICE_PRINCIPAL)
    resource = arm.store.get(objects.key_of(call.tenant, found["id"]))
    match call.method, what:
        case "GET", "members" | "transitivemembers" if is_group and resource is not None:
            return _list(call, membership.members(arm, call.tenant, resource, transitive=what != "members"), after)
        case "GET", "owners" if is_group or registered:
            owners = membership.held(resource, "owners") if resource is not None else []
            return _list(call, [one for id in owners if (one := objects.find(arm, call.tenant, id)) is not None], after)
        case "GET", "memberof" | "transitivememberof" if kind != objects.APPLICATION:
            return _list(call, membership.groups_of(arm, call.tenant, found["id"], transitive=what != "memberof"), after)
        case "POST", "members" | "owners" if after == ["$ref"] and (is_group or (registered and what == "owners")):
            membership.add(arm, call.tenant, writes.own(arm, call.tenant, found), what, [writes.reference(call.json())])
            return Response(204)
        case "DELETE", "members" | "owners" if len(after) == 2 and after[1] == "$ref" and (is_group or (registered and what == "owners")):
            membership.remove(arm, writes.own(arm, call.tenant, found), what, after[0])
            return Response(204)
        case "POST", "getmembergroups" | "checkmembergroups" if kind != objects.APPLICATION:
            return _member_groups(arm, call, found)
        case "POST", "addpassword" if registered:
            made = credentials.add_password(arm, writes.own(arm, call.tenant, found), call.json())
            return _show({"@odata.context": _context(call, "microsoft.graph.passwordCredential"), **made})
        case "POST", "removepassword" if registered:
            credentials.remove_password(arm, writes.own(arm, call.tenant, found), call.json())
            return Response(204)
        case _, "federatedidentitycredentials" if kind == objects.APPLICATION:
            return _federated(arm, call, found, after)
    raise errors.no_segment(rest[0])


def _federated(arm: Sandbox, call: Call, found: Json, after: list[str]) -> Response:
    """An application's federated identity credentials, or the one that the path names by id or name."""
    held = federation.of(arm, call.tenant, found)
    context = _context(call, f"applications('{found['id']}')/federatedIdentityCredentials")
    one = federation.find(held, after[0]) if len(after) == 1 else None
    match call.method:
        case "GET" if not after:
            return _show({"@odata.context": context, "value": held})
        case "GET" if one is not None:
            return _show({"@odata.context": f"{context}/$entity", **one})
        case "POST" if not after:
            made = federation.add(arm, writes.own(arm, call.tenant, found), call.json())
            return _show({"@odata.context": f"{context}/$entity", **made}, 201)
        case "PATCH" if one is not None:
            federation.change(arm, writes.own(arm, call.tenant, found), one, call.json())
            return Response(204)
        case "DELETE" if one is not None:
            federation.remove(arm, writes.own(arm, call.tenant, found), one)
            return Response(204)
    raise errors.absent(after[0]) if len(after) == 1 else errors.no_segment("federatedIdentityCredentials")


def _member_groups(arm: Sandbox, call: Call, found: Json) -> Response:
    """`getMemberGroups` and `checkMemberGroups`: the ids of the groups that an object is in, all or of those asked about."""
    body = call.json()
    groups = membership.groups_of(arm, call.tenant, found["id"])
    ids = [one["id"] for one in groups if one["securityEnabled"] or not body.get("securityEnabledOnly")]
    if call.segments[-1].lower() == "checkmembergroups":
        asked = [str(id).lower() for id in body.get("groupIds") or []]
        if not asked:
            raise errors.bad("A value is required for parameter 'groupIds'.")
        ids = [id for id in ids if id in asked]
    return _show({"@odata.context": _context(call, "Collection(Edm.String)"), "value": ids})


def _list(call: Call, found: list[Json], after: list[str]) -> Response:
    """Objects of several kinds, or of the one that the path names after them; or their number."""
    count = after[-1:] == ["$count"]
    casts = after[:-1] if count else after
    kind = "microsoft.graph.directoryObject"
    if casts:
        kind = next((one for one in _SETS if [one.lower()] == [part.lower() for part in casts]), "")
        if not kind:
            raise errors.no_segment(casts[0])
        found = [one for one in found if objects.kind_of(one) == kind]
    if count:
        if call.header("consistencylevel").lower() != "eventual":
            raise errors.refused(400, "Request_UnsupportedQuery", "$count is not currently supported.")
        return Response(200, {"content-type": "text/plain", "odata-version": "4.0"}, str(len(found)).encode())
    return _page(call, _SETS.get(kind, "directoryObjects"), kind, found)


def _page(call: Call, set: str, kind: str, found: list[Json]) -> Response:
    names = f"({call.query['$select']})" if call.query.get("$select") else ""
    context = _context(call, f"{set}{names}")
    return _show(queries.page(call, kind, found, typed=kind not in _SETS, context=context))


def _directory_objects(arm: Sandbox, call: Call, rest: list[str]) -> Response:
    if call.method == "POST" and [part.lower() for part in rest] in (["getbyids"], ["microsoft.graph.getbyids"]):
        return _by_ids(arm, call)
    if not rest:
        raise errors.refused(400, "Request_UnsupportedQuery", "The specified resource type was not specified.")
    found = objects.find(arm, call.tenant, rest[0])
    if found is None:
        raise errors.absent(rest[0])
    kind = objects.kind_of(found)
    if rest[1:]:
        return _below(arm, call, kind, found, rest[1:])
    if call.method == "GET":
        context = _context(call, "directoryObjects/$entity")
        return _show({"@odata.context": context, **queries.selected(call, "microsoft.graph.directoryObject", found, typed=True)})
    return _one(arm, call, kind, found)


def _by_ids(arm: Sandbox, call: Call) -> Response:
    """The objects of many ids; an id that nobody has is left out."""
    body = call.json()
    ids = body.get("ids")
    if not isinstance(ids, list) or not ids or len(ids) > 1000:
        raise errors.bad("A value between 1 and 1000 is required for the number of elements of parameter 'ids'.")
    types = [f"microsoft.graph.{name}".lower() for name in body.get("types") or []]
    found = [one for id in dict.fromkeys(str(id).lower() for id in ids) if (one := objects.find(arm, call.tenant, id)) is not None]
    shown = [one for one in found if not types or "microsoft.graph.directoryobject" in types or objects.kind_of(one).lower() in types]
    value = [queries.selected(call, "microsoft.graph.directoryObject", one, typed=True) for one in shown]
    return _show({"@odata.context": _context(call, "directoryObjects"), "value": value})
