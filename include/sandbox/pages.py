"""What a GET answers: one resource, or a list in pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from . import stale, vintages
from .registry import ResourceType
from .wire import JSON_TYPE, Json, Response, compact, pretty

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox
    from .store import Resource


def show(arm: Sandbox, call: Call, kind: ResourceType, resource: Resource, status: int = 200) -> Response:
    """GET's answer. Bodies that depend on nothing else are rendered once."""
    render = compact if kind.name.startswith("Microsoft.Resources/") else pretty
    if kind.dynamic(call) or vintages.differs(kind.name, call.api_version, arm.now):
        shown = vintages.shown(kind.name, call.api_version, kind.view(arm, call, resource), arm.now)
        body, etag = render(shown), shown.get("etag")
    else:
        if resource.rendered is None:
            resource.rendered = render(kind.view(arm, call, resource))
        body, etag = resource.rendered, resource.body.get("etag")
    found = {"content-type": JSON_TYPE}
    if etag is not None and kind.tagged(call):
        found["etag"] = etag
    if (wait := kind.retry_in(resource)) is not None:
        found["retry-after"] = arm.retry_after(wait)
    return Response(status, found, body)


def list_of(arm: Sandbox, call: Call, kind: ResourceType, found: list[Resource]) -> Response:
    if arm.store.settings.get("stale"):
        found = stale.listed(arm, call.path.rstrip("/").lower(), kind.name, found)
    resources = kind.name.startswith("Microsoft.Resources/")

    def view(resource: Resource) -> Json:
        return vintages.shown(kind.name, call.api_version, kind.view(arm, call, resource), arm.now)

    return page_of(arm, call, found, view, render=compact if resources else pretty)


def page_of(
    arm: Sandbox, call: Call, found: list[Any], view: Callable[[Any], Json], *, render: Callable[[Any], bytes] = pretty
) -> Response:
    """A page of a list: `value`, and `nextLink` where more follow. `$top` limits, `$skiptoken` continues."""
    offset = int(call.query.get("$skiptoken", "0") or 0) if call.query.get("$skiptoken", "0").isdigit() else 0
    top = call.query.get("$top", "")
    size = min(arm.page, int(top)) if top.isdigit() and int(top) > 0 else arm.page
    shown = found[offset : offset + size]
    body: Json = {"value": [view(item) for item in shown]}
    if offset + size < len(found):
        kept = "&".join(f"{quote(name)}={quote(value)}" for name, value in call.query.items() if name != "$skiptoken")
        body["nextLink"] = f"{call.base}{quote(call.path)}?{kept}&%24skiptoken={offset + size}"
    return Response(200, {"content-type": JSON_TYPE}, render(body))
