"""Lists, in pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from . import stale
from .registry import ResourceType
from .vintages import shown
from .wire import JSON_TYPE, Json, Response, compact, pretty

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox
    from .store import Resource


def list_of(arm: Sandbox, call: Call, kind: ResourceType, found: list[Resource]) -> Response:
    if arm.store.settings.get("stale"):
        found = stale.listed(arm, call.path.rstrip("/").lower(), kind.name, found)
    resources = kind.name.startswith("Microsoft.Resources/")

    def view(resource: Resource) -> Json:
        return shown(kind.name, call.api_version, kind.view(arm, call, resource))

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
