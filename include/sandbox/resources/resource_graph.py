"""Azure Resource Graph: queries over all resources, and the only list of community galleries that there is.

Shapes: the Resource Graph REST reference (2021-03-01); tables: "Azure Resource Graph table and resource type reference".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import authorization
from ..kusto import Query, QueryError
from ..registry import TYPES, field, route
from ..wire import JSON_TYPE, ArmError, Json, Response, compact, zulu
from . import sharing
from .shared_images import Shelf
from .subscriptions import describe

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

_PAGE = 1000  # rows at most
_PARTS = ("sku", "plan", "properties", "tags", "identity", "zones")


@route("POST", "providers/Microsoft.ResourceGraph/resources")
def resources(arm: Sandbox, call: Call) -> Response:
    """Rows of a table that pass a query, in pages."""
    body = call.json()
    text = field(body, "query")
    if not text:
        raise _invalid(arm, call, [{"code": "EmptyQuery", "message": "Query cannot be empty."}])
    try:
        query = Query(text)
    except QueryError as problem:
        found = {"code": "ParserFailure", "message": "ParserFailure", "line": 1, "characterPositionInLine": problem.position}
        raise _invalid(arm, call, [_CHECK, {**found, "token": problem.token}]) from None
    if query.table not in _TABLES:
        raise _invalid(arm, call, [_CHECK, {"code": "DisallowedLogicalTableName", "message": f"Table {query.table} is invalid."}])
    wanted = [str(one).lower() for one in field(body, "subscriptions", list) or arm.directory.subscriptions]
    seen = [one for one in arm.directory.subscriptions if one in wanted and _sees(arm, call, one)]
    rows = query.run([row for one in seen for row in _TABLES[query.table](arm, call, one)])
    options = field(body, "options", dict, {})
    top = min(field(options, "$top", int, _PAGE), _PAGE)
    token = field(options, "$skipToken", str, "0")
    skip = int(token) if token.isdigit() else field(options, "$skip", int, 0)
    page = rows[skip : skip + top]
    answer: Json = {"totalRecords": len(rows), "count": len(page), "data": page, "facets": [], "resultTruncated": "false"}
    usual = "table" if call.api_version < "2020" else "objectArray"
    if field(options, "resultFormat", str, usual).lower() == "table":
        names = list(page[0]) if page else []
        columns = [{"name": name, "type": "string" if isinstance(page[0][name], str) else "object"} for name in names]
        answer["data"] = {"columns": columns, "rows": [[row.get(name) for name in names] for row in page]}
    if skip + top < len(rows):
        answer["$skipToken"] = str(skip + top)
    return Response(
        200, {"content-type": JSON_TYPE, "x-ms-user-quota-remaining": "14", "x-ms-user-quota-resets-after": "00:00:05"}, compact(answer)
    )


_CHECK = {
    "code": "InvalidQuery",
    "message": "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the error before "
    "retrying.",
}


def _invalid(arm: Sandbox, call: Call, details: list[Json]) -> ArmError:
    support = f"timestamp = {zulu(arm.now)}, correlationId = {call.header('x-ms-correlation-request-id') or arm.request_guid()}."
    return ArmError(400, "BadRequest", f"Please provide below info when asking for support: {support}", details=details)


def _sees(arm: Sandbox, call: Call, subscription: str) -> bool:
    return arm.directory.tenant_of(subscription) == call.tenant and authorization.sees(arm, call.principal, subscription)


def _row(arm: Sandbox, subscription: str, shown: Json, **own: Any) -> Json:
    id = str(shown["id"])
    parts = id.split("/")
    return {
        "id": id,
        "name": shown.get("name"),
        "type": str(shown.get("type", "")).lower(),
        "tenantId": arm.directory.tenant_of(subscription),
        "kind": shown.get("kind", ""),
        "location": shown.get("location", ""),
        "resourceGroup": parts[4].lower() if len(parts) > 4 and parts[3].lower() == "resourcegroups" else "",
        "subscriptionId": subscription,
        "managedBy": shown.get("managedBy", ""),
        **{part: shown.get(part) for part in _PARTS},
        "extendedLocation": None,
        **own,
    }


def _resources(arm: Sandbox, call: Call, subscription: str) -> list[Json]:
    """Everything that has a location: the caller's own view of it."""
    found = []
    for resource in arm.store.resources.values():
        kind = TYPES.get(resource.type.lower())
        if resource.subscription.lower() != subscription or not resource.location or kind is None:
            continue
        if resource.type.startswith("Microsoft.Resources/") or not authorization.allowed(
            arm, call.principal, f"{resource.type}/read", resource.id
        ):
            continue
        found.append(_row(arm, subscription, {**resource.body, "id": resource.id, "type": resource.type}))
    return found


def _containers(arm: Sandbox, call: Call, subscription: str) -> list[Json]:
    """The subscription and its groups."""
    own = describe(arm, subscription)
    shown = {
        "id": own["id"],
        "name": own["displayName"],
        "type": "microsoft.resources/subscriptions",
        "properties": {"state": own["state"]},
    }
    groups = arm.store.of_type(subscription, "Microsoft.Resources/resourceGroups").values()
    kind = "microsoft.resources/subscriptions/resourcegroups"
    return [_row(arm, subscription, shown), *(_row(arm, subscription, {**one.body, "id": one.id, "type": kind}) for one in groups)]


def _community(arm: Sandbox, call: Call, subscription: str) -> list[Json]:
    """Galleries, definitions and versions that are shared with everybody, once for each of their regions. They belong to no subscription:
    they are told once, with the caller's first."""
    if subscription != next(one for one in arm.directory.subscriptions if _sees(arm, call, one)):
        return []
    found = []
    for gallery in sharing.galleries(arm):
        if not sharing.public_name(gallery):
            continue
        for location in sharing.regions(arm, gallery):
            shelf = Shelf(arm, call, location, community=True)
            root = f"/subscriptions/{subscription}/providers/Microsoft.Compute/Locations/{location}/CommunityGalleries/"
            found.append(_shared(arm, subscription, root, "", shelf.show_gallery(gallery)))
            for definition in arm.store.collection(f"{gallery.key}/images").values():
                found.append(_shared(arm, subscription, root, "/images", shelf.show_definition(gallery, definition)))
                shown = [shelf.show_version(gallery, definition, version) for version in shelf.versions(definition)]
                found += [_shared(arm, subscription, root, "/images/versions", one) for one in shown]
    return found


def _shared(arm: Sandbox, subscription: str, root: str, kind: str, shown: Json) -> Json:
    id = root + str(shown["identifier"]["uniqueId"]).removeprefix("/CommunityGalleries/")
    properties = {**shown.get("properties", {}), "identifier": {**shown.get("properties", {}).get("identifier", {}), **shown["identifier"]}}
    body = {"id": id, "name": shown["name"], "type": f"microsoft.compute/locations/communitygalleries{kind}", "location": shown["location"]}
    return _row(arm, subscription, {**body, "properties": properties}, subscriptionId="", tenantId="")


_TABLES = {"resources": _resources, "resourcecontainers": _containers, "communitygalleryresources": _community}
