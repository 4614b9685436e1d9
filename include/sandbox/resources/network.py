"""What the Network provider's types share: ETags, operations of their own family, and 400 while in use.

Shapes and headers: recorded traffic of api-versions 2016-12-01 to 2024-05-01.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..events import event
from ..pages import show
from ..registry import TYPES, ResourceType, field
from ..store import Resource
from ..wire import ArmError, Json, Response
from .groups import location_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

SUBNET = "Microsoft.Network/virtualNetworks/subnets"
GROUP = "Microsoft.Network/networkSecurityGroups"
APPLICATION_GROUP = "Microsoft.Network/applicationSecurityGroups"
INTERFACE = "Microsoft.Network/networkInterfaces"
ADDRESS = "Microsoft.Network/publicIPAddresses"
PREFIX = "Microsoft.Network/publicIPPrefixes"
NAT_GATEWAY = "Microsoft.Network/natGateways"
ROUTE_TABLE = "Microsoft.Network/routeTables"
LOAD_BALANCER = "Microsoft.Network/loadBalancers"

Block = ipaddress.IPv4Network | ipaddress.IPv6Network


@event("network.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        TYPES[resource.type.lower()].remove(arm, resource)


class NetworkType(ResourceType):
    """A type of the Network provider."""

    family = "network"
    nests: ClassVar[bool] = True
    retry_after: ClassVar[int | None] = 3

    def write(self, arm: Sandbox, call: Call, resource: Resource | None, made: Json, *, then: str | None = None) -> Response:
        """Store a PUT's outcome and answer it."""
        written, operation = self.begin(arm, call, resource, made, then=then)
        return self.answer(arm, call, operation, written, created=resource is None)

    def begin(
        self, arm: Sandbox, call: Call, resource: Resource | None, made: Json, *, below: bool = False, then: str | None = None
    ) -> tuple[Resource, Json]:
        """Store a PUT's outcome and start its operation; `below` says that something below the resource changes. What changes nothing but
        tags is done at once. `then`: the event at the end."""
        check_match(call, resource)
        properties = made["properties"]
        if resource is not None:
            properties["resourceGuid"] = resource.properties["resourceGuid"]
        else:
            properties["resourceGuid"] = arm.guid("resource", call.id.lower(), arm.count("resource"))
        changed = below or resource is None or not _same(resource.properties, properties)
        properties["provisioningState"] = "Updating" if changed else "Succeeded"
        written = resource if resource is not None else arm.store.add(Resource(call.id, self.name, made))
        written.body = made
        self.stamp(arm, written)
        kind = "network.create" if resource is None else "network.update"
        return written, operations.start(arm, call, written, kind, then=then, family=self.family, location=self.region(call, written))

    def write_at_once(
        self, arm: Sandbox, call: Call, resource: Resource | None, made: Json, *, told: bool = True
    ) -> tuple[Resource, Json | None]:
        """Store the outcome of a PUT that needs nothing of the network: it is there when the answer comes. `told`: the answer names an
        operation all the same (recorded)."""
        known = resource.properties.get("resourceGuid") if resource is not None else None
        made["properties"]["resourceGuid"] = known or arm.guid("resource", call.id.lower(), arm.count("resource"))
        made["properties"]["provisioningState"] = "Succeeded"
        written = resource if resource is not None else arm.store.add(Resource(call.id, self.name, made))
        written.body = made
        self.stamp(arm, written)
        if not told:
            return written, None
        region = self.region(call, written)
        return written, operations.start(
            arm, call, written, "network.atOnce", family=self.family, location=region, seconds=0.1, exclusive=False
        )

    def answer(self, arm: Sandbox, call: Call, operation: Json | None, resource: Resource, *, created: bool) -> Response:
        body = self.view(arm, call, resource)
        return operations.written(arm, call, operation, body, created=created, retry_after=self.retry_after if created else None)

    def region(self, call: Call, resource: Resource) -> str:
        return resource.location or (call.parent.location if call.parent is not None else "")

    def stamp(self, arm: Sandbox, resource: Resource) -> None:
        resource.body["etag"] = f'W/"{arm.guid("etag", resource.key, arm.count("etag"))}"'
        arm.store.touch(resource)

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        return None

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        check_match(call, resource)
        tags = field(call.json(), "tags", dict)
        if tags is not None:
            resource.body["tags"] = tags
            self.stamp(arm, resource)
        answer = show(arm, call, self, resource)
        answer.headers.pop("etag", None)
        if operations.notifies(call, self.family):
            answer.headers["azure-asyncnotification"] = "Enabled"
        return answer

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        check_match(call, resource)
        problem = self.in_use(arm, resource)
        if problem is not None:
            raise problem
        operation = operations.running(arm, resource)
        if operation is None or operation["kind"] != "network.delete":
            region = self.region(call, resource)
            operation = operations.start(arm, call, resource, "network.delete", then="network.deleted", family=self.family, location=region)
            resource.properties["provisioningState"] = "Deleting"
            arm.store.touch(resource)
        return operations.accepted(arm, call, operation, retry_after=10)

    def header(self, arm: Sandbox, call: Call, body: Json, resource: Resource | None) -> Json:
        made: Json = {"name": call.name, "id": call.id, "etag": "", "type": self.name, "location": location_of(call, body, resource)}
        for name in ("tags", "extendedLocation"):
            if field(body, name, dict) is not None:
                made[name] = body[name]
        return made


def _same(old: Json, new: Json) -> bool:
    return {**old, "provisioningState": ""} == {**new, "provisioningState": ""}


def check_match(call: Call, resource: Resource | None) -> None:
    """Raises ArmError 412 where If-Match names another ETag, or If-None-Match: * meets a resource."""
    wanted = call.header("if-match").strip()
    found = resource.body.get("etag") if resource is not None else None
    unmet = bool(wanted) and (found is None or (wanted not in ("*", found)))
    if unmet or (call.header("if-none-match").strip() == "*" and found is not None):
        raise refused("PreconditionFailed", f"Precondition failed for resource {call.id}.", status=412)


def refused(code: str, message: str, status: int = 400) -> ArmError:
    """The Network provider's error: it always has `details`."""
    return ArmError(status, code, message, details=[])


def unsupported(path: str, id: str) -> ArmError:
    """400 for a member that the sandbox does not serve: never accepted in silence."""
    return refused("PropertyNotSupported", f"The property '{path}' of {id} is not supported by the sandbox.")


def check_migration(given: Json, id: str) -> None:
    """Raises ArmError 400 for a step of the migration to another sku."""
    if field(given, "migrationPhase", str, "None") != "None":
        raise unsupported("migrationPhase", id)


def check_pools(given: Json, path: str, id: str) -> None:
    """Raises ArmError 400 for a prefix out of a network manager's pool of addresses."""
    if field(given, "ipamPoolPrefixAllocations", list):
        raise unsupported(f"{path}.ipamPoolPrefixAllocations", id)


def reference_missing(reference: str, by: str) -> ArmError:
    return refused(
        "InvalidResourceReference",
        f"Resource {reference} referenced by resource {by} was not found. Please make sure that the referenced resource exists, and "
        "that both resources are in the same region.",
    )


def in_use_by(title: str, code: str, resource: Resource, users: list[str]) -> ArmError | None:
    """400 for what cannot be deleted because others name it; None where nobody does."""
    if not users:
        return None
    return refused(
        f"InUse{code}CannotBeDeleted",
        f"{title} {resource.id} cannot be deleted because it is in use by the following resources: {', '.join(users)}. In order to delete "
        f"the {title}, remove the association with the resource(s).",
    )


def subnets_naming(arm: Sandbox, resource: Resource, member: str) -> list[str]:
    """The ids of the subnets that name a resource under `member`."""
    subnets = arm.store.of_type(resource.subscription, SUBNET).values()
    return [one.id for one in subnets if str(field(one.properties, f"{member}.id", str, "")).lower() == resource.key]


def refer(arm: Sandbox, given: Any, kind: str, by: str, location: str = "") -> Json:
    """A reference, `{"id"}`, to a resource of that type. Raises ArmError 400 where there is none, or not in that location."""
    id = field(given, "id")
    resource = arm.resource(id, kind)
    if resource is None or (location and resource.location and resource.location != location):
        raise reference_missing(str(id), by)
    return {"id": id}


def block_of(prefix: Any) -> Block:
    """A CIDR block. Raises ArmError 400 InvalidCIDRNotation or InvalidAddressPrefixFormat."""
    try:
        return ipaddress.ip_network(prefix)
    except ValueError:
        pass
    if isinstance(prefix, str) and prefix.count("/") == 1:
        try:
            real = ipaddress.ip_network(prefix, strict=False)
        except ValueError:
            pass
        else:
            raise refused(
                "InvalidCIDRNotation",
                f"The address prefix {prefix} has an invalid CIDR notation. For the given prefix length, the address prefix should be "
                f"{real}.",
            )
    raise refused(
        "InvalidAddressPrefixFormat",
        f"Address prefix {prefix} of resource is not formatted correctly. It should follow CIDR notation, for example 10.0.0.0/24.",
    )
