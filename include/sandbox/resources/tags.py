"""Tags: those of a subscription, a group or a resource as a whole (Microsoft.Resources/tags), and the subscription's tag names.

Shapes: the Resources OpenAPI document (2021-04-01 to 2025-04-01).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, ClassVar

from ..pages import page_of
from ..registry import ExtensionType, field, register, route
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, compact

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

TAGS = "Microsoft.Resources/tags"
MOST = 50  # of one resource


class Tags(ExtensionType):
    name = TAGS
    bodies: ClassVar[dict[str, str]] = {"PUT": "resources.TagsResource", "PATCH": "resources.TagsPatchResource"}

    def find(self, arm: Sandbox, call: Call) -> Resource | None:
        if call.name.lower() != "default":
            return None
        scope = call.id.rsplit("/providers/", 1)[0]
        if scope.count("/") == 2:
            tags = arm.store.settings.get("tags", {}).get(scope.lower(), {})
        else:
            owner = arm.store.get(scope)
            if owner is None:
                return None
            tags = owner.body.get("tags") or {}
        body = {"id": f"{scope}/providers/{TAGS}/default", "name": "default", "type": TAGS, "properties": {"tags": tags}}
        return Resource(call.id, TAGS, body)

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        return self._keep(arm, call, self._given(call))

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        given, old = self._given(call), resource.properties["tags"]
        what = str(field(call.json(), "operation", str, "")).lower()
        if what == "replace":
            return self._keep(arm, call, given)
        if what == "merge":
            return self._keep(arm, call, {**old, **given})
        if what == "delete":
            return self._keep(arm, call, {key: value for key, value in old.items() if given.get(key) != value})
        raise ArmError(
            400, "InvalidTagsPatchOperation", f"The tags operation '{what}' is not one of 'Merge', 'Replace' and 'Delete'.", gateway=True
        )

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        self._keep(arm, call, {})
        return Response(200)

    @staticmethod
    def _given(call: Call) -> Json:
        return {key: str(value) for key, value in field(call.json(), "properties.tags", dict, {}).items()}

    def _keep(self, arm: Sandbox, call: Call, tags: Json) -> Response:
        if len(tags) > MOST:
            raise ArmError(400, "InvalidTags", f"A resource has at most {MOST} tags; {len(tags)} were given.", gateway=True)
        scope = call.id.rsplit("/providers/", 1)[0]
        owner = arm.store.get(scope)
        if scope.count("/") == 2:
            arm.store.set("tags", {**arm.store.settings.get("tags", {}), scope.lower(): tags})
        elif owner is None:
            raise ArmError(404, "ResourceNotFound", f"The resource '{scope}' was not found.", gateway=True)
        else:
            owner.body["tags"] = tags
            arm.store.touch(owner)
        found = self.find(arm, call)
        assert found is not None
        return Response(200, {"content-type": JSON_TYPE}, compact(found.body))

    def of_scope(self, arm: Sandbox, call: Call, scope: str) -> list[Resource]:
        raise self.unsupported(call)


register(Tags())


# tag names


def _named(arm: Sandbox, subscription: str) -> dict[str, list[str]]:
    """The names that somebody created, with their values."""
    found: dict[str, list[str]] = arm.store.settings.get("tagNames", {}).get(subscription.lower(), {})
    return found


def _set(arm: Sandbox, subscription: str, names: dict[str, list[str]]) -> None:
    arm.store.set("tagNames", {**arm.store.settings.get("tagNames", {}), subscription.lower(): names})


def _shown(arm: Sandbox, subscription: str, name: str) -> Json:
    prefix = f"/subscriptions/{subscription.lower()}/"
    used: Counter[str] = Counter(
        str(resource.body["tags"][name])
        for key, resource in arm.store.resources.items()
        if key.startswith(prefix) and name in (resource.body.get("tags") or {})
    )
    root = f"/subscriptions/{subscription}/tagNames/{name}"
    known = _named(arm, subscription).get(name, [])

    def count(number: int, kind: str) -> Json:
        return {"type": kind, "value": number}

    values = [
        {"id": f"{root}/tagValues/{value}", "tagValue": value, "count": count(used[value], "Total")}
        for value in dict.fromkeys((*known, *sorted(used)))
    ]
    return {"id": root, "tagName": name, "count": count(used.total(), "Total"), "values": values}


@route("GET", "subscriptions/{}/tagNames")
def tag_names(arm: Sandbox, call: Call, subscription: str) -> Response:
    prefix = f"/subscriptions/{subscription.lower()}/"
    used = {name for key, resource in arm.store.resources.items() if key.startswith(prefix) for name in (resource.body.get("tags") or {})}
    names = dict.fromkeys((*_named(arm, subscription), *sorted(used)))
    return page_of(arm, call, [_shown(arm, subscription, name) for name in names], lambda one: one, render=compact)


@route("PUT", "subscriptions/{}/tagNames/{}")
def create_name(arm: Sandbox, call: Call, subscription: str, name: str) -> Response:
    names = _named(arm, subscription)
    created = name not in names
    _set(arm, subscription, {name: [], **names})
    return Response(201 if created else 200, {"content-type": JSON_TYPE}, compact(_shown(arm, subscription, name)))


@route("DELETE", "subscriptions/{}/tagNames/{}")
def delete_name(arm: Sandbox, call: Call, subscription: str, name: str) -> Response:
    names = dict(_named(arm, subscription))
    if name not in names:
        return Response(204)
    if _shown(arm, subscription, name)["count"]["value"]:
        raise ArmError(409, "TagNameIsInUse", f"The tag '{name}' is in use by resources and cannot be deleted.", gateway=True)
    del names[name]
    _set(arm, subscription, names)
    return Response(200)


@route("PUT", "subscriptions/{}/tagNames/{}/tagValues/{}")
def create_value(arm: Sandbox, call: Call, subscription: str, name: str, value: str) -> Response:
    names = _named(arm, subscription)
    if name not in names:
        raise ArmError(404, "TagNameNotFound", f"The tag '{name}' was not found.", gateway=True)
    created = value not in names[name]
    if created:
        _set(arm, subscription, {**names, name: [*names[name], value]})
    shown = next(one for one in _shown(arm, subscription, name)["values"] if one["tagValue"] == value)
    return Response(201 if created else 200, {"content-type": JSON_TYPE}, compact(shown))


@route("DELETE", "subscriptions/{}/tagNames/{}/tagValues/{}")
def delete_value(arm: Sandbox, call: Call, subscription: str, name: str, value: str) -> Response:
    names = _named(arm, subscription)
    if value not in names.get(name, []):
        return Response(204)
    _set(arm, subscription, {**names, name: [one for one in names[name] if one != value]})
    return Response(200)
