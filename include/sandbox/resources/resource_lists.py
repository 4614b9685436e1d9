"""The generic list of resources, in a group and in a subscription."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..filters import Filter
from ..pages import page_of
from ..regions import short
from ..registry import TYPES, route
from ..store import Resource
from ..wire import Json, Response, compact, zulu

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

NAMES = frozenset(
    {"resourcetype", "name", "location", "resourcegroup", "tagname", "tagvalue", "plan/publisher", "plan/product", "plan/name"}
)
SHOWN = ("kind", "managedBy", "sku", "plan", "identity", "zones")


def values_of(resource: Resource) -> Callable[[str], Any]:
    """A resource's values by the names that filters use."""
    body = resource.body

    def value(name: str) -> Any:
        if name.startswith("plan/"):
            return (body.get("plan") or {}).get(name[5:])
        if name == "location":
            return short(resource.location)
        if name in ("tagname", "tagvalue"):
            tags = body.get("tags") or {}
            return [str(one) for one in (tags if name == "tagname" else tags.values())]
        return {"resourcetype": resource.type, "name": resource.name, "resourcegroup": resource.group}.get(name)

    return value


def list_resources(arm: Sandbox, call: Call, found: list[Resource]) -> Response:
    """Brief bodies: `$filter`, `$expand` (createdTime, changedTime, provisioningState), `$top`.

    A list by tag is made elsewhere in Azure: it shows neither tags nor what `$expand` asks for (documented for tags, recorded for both).
    """
    wanted = Filter(call.query.get("$filter", ""), NAMES)
    by_tag = bool(wanted.asked & {"tagname", "tagvalue"})

    def accepted(resource: Resource) -> bool:
        kind = TYPES.get(resource.type.lower())
        return kind is not None and kind.listed and resource.id.count("/") == 8 and wanted.accepts(values_of(resource))

    def brief(resource: Resource) -> Json:
        body: Json = {"id": resource.id, "name": resource.name, "type": resource.type}
        if by_tag:
            if "sku" in resource.body:
                body["sku"] = {"name": resource.body["sku"]["name"]}
            return {**body, "location": resource.location}
        body.update({name: resource.body[name] for name in SHOWN if name in resource.body})
        body["location"] = resource.location
        if resource.body.get("tags"):
            body["tags"] = resource.body["tags"]
        for name in ("createdTime", "changedTime"):
            if call.expands(name) and name in resource.private:
                body[name] = zulu(resource.private[name])
        if call.expands("provisioningState"):
            body["provisioningState"] = resource.state
        return body

    return page_of(arm, call, [resource for resource in found if accepted(resource)], brief, render=compact)


@route("GET", "subscriptions/{}/resources")
def subscription_resources(arm: Sandbox, call: Call, subscription: str) -> Response:
    prefix = f"/subscriptions/{subscription.lower()}/"
    return list_resources(arm, call, [resource for key, resource in arm.store.resources.items() if key.startswith(prefix)])
