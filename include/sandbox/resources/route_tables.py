"""Route tables and their routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .. import operations
from ..registry import field, register, required
from ..store import Resource
from ..wire import ArmError, Json, Response
from .network import ROUTE_TABLE, NetworkType, block_of, check_match, in_use_by, refused, subnets_naming

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

ROUTE = f"{ROUTE_TABLE}/routes"


class RouteTables(NetworkType):
    name = ROUTE_TABLE
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.RouteTable", "PATCH": "network.TagsObject"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        made = self.header(arm, call, body, resource)
        given = field(body, "properties", dict, {})
        routes = {}
        for one in field(given, "routes", list, []):
            route = route_body(f"{call.id}/routes/{required(one, 'name')}", one)
            routes[route["id"].lower()] = route
        made["properties"] = {"disableBgpRoutePropagation": field(given, "disableBgpRoutePropagation", bool, False)}
        if given.get("disablePeeringRoute") is not None:
            made["properties"]["disablePeeringRoute"] = given["disablePeeringRoute"]
        old = {one.key: one for one in routes_of(arm, call.id)}
        moves = {key: one.properties for key, one in old.items()} != {key: one["properties"] for key, one in routes.items()}
        table, operation = self.begin(arm, call, resource, made, below=moves)
        for one in old.values():
            arm.store.drop(one)
        for route in routes.values():
            arm.store.add(Resource(route["id"], ROUTE, {**route, "etag": table.body["etag"]}))
        return self.answer(arm, call, operation, table, created=resource is None)

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        properties = {**resource.properties, "routes": [one.body for one in routes_of(arm, resource.id)]}
        if subnets := subnets_naming(arm, resource, "routeTable"):
            properties["subnets"] = [{"id": id} for id in subnets]
        return {**resource.body, "properties": properties}

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        return in_use_by("Route table", "RouteTable", resource, subnets_naming(arm, resource, "routeTable"))


class Routes(NetworkType):
    name = ROUTE
    regional = False
    nests = False
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.Route"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        check_match(call, resource)
        table = call.parent
        assert table is not None
        made = route_body(call.id, {**call.json(), "name": call.name})
        made["properties"]["provisioningState"] = "Updating"
        created = resource is None
        route = arm.store.add(Resource(call.id, ROUTE, made)) if resource is None else resource
        route.body = made
        self.stamp(arm, route)
        table.body["etag"] = route.body["etag"]
        arm.store.touch(table)
        kind = "network.create" if created else "network.update"
        operation = operations.start(arm, call, route, kind, family=self.family, location=table.location)
        return self.answer(arm, call, operation, route, created=created)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        raise self.unsupported(call)


def routes_of(arm: Sandbox, table: str) -> list[Resource]:
    return list(arm.store.collection(f"{table}/routes".lower()).values())


def route_body(id: str, given: Json) -> Json:
    """A route to show. Raises ArmError 400 for a prefix that is none, and a next hop that needs an address, or must not have one."""
    prefix = required(given, "properties.addressPrefix")
    if not str(prefix).isidentifier():  # a service tag, such as Storage
        block_of(prefix)
    hop = given["properties"]["nextHopType"]
    address = field(given, "properties.nextHopIpAddress") or None
    if (hop == "VirtualAppliance") != (address is not None):
        says = "must be" if address is None else "cannot be"
        raise refused(
            "RouteNextHopIpAddressMismatch", f"The next hop IP address of route {id} {says} specified for the next hop type {hop}."
        )
    kept = {name: value for name, value in given["properties"].items() if name not in ("provisioningState", "hasBgpOverride")}
    properties = {"provisioningState": "Succeeded", **kept, "hasBgpOverride": False}
    return {"name": given["name"], "id": id, "etag": "", "properties": properties, "type": ROUTE}


register(RouteTables())
register(Routes())
