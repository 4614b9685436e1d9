"""Resource groups, and the resources in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..events import event
from ..filters import Filter
from ..pages import list_of, show
from ..regions import is_known, short
from ..registry import TYPES, ResourceType, field, register, route
from ..store import Resource
from ..wire import ArmError, Json, Response
from . import exports, moves
from .resource_lists import list_resources, values_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox


def location_of(call: Call, body: Json, existing: Resource | None) -> str:
    """The location a PUT asks for. Raises ArmError as ARM's front door does: missing, unknown, or not where the resource is."""
    given = field(body, "location")
    if given is None:
        if existing is not None:
            return existing.location
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.", gateway=True)
    location = short(given)
    if not is_known(location, call.cloud.name):
        raise ArmError(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{given}' is not available for resource type '{call.type}'.",
            gateway=True,
        )
    if existing is not None and existing.location and short(existing.location) != location:
        raise ArmError(
            409,
            "InvalidResourceLocation",
            f"The resource '{call.name}' already exists in location '{existing.location}' in resource group '{call.group}'. "
            f"A resource with the same name cannot be created in location '{location}'. Please select a new resource name.",
            gateway=True,
        )
    return location


class ResourceGroups(ResourceType):
    name = "Microsoft.Resources/resourceGroups"
    bodies: ClassVar[dict[str, str]] = {"PUT": "resources.ResourceGroup", "PATCH": "resources.ResourceGroupPatchable"}
    listed = False

    def __init__(self) -> None:
        super().__init__()
        self.views["resources"] = self.resources
        self.actions.update(moveresources=moves.move, validatemoveresources=moves.validate, exporttemplate=exports.export)

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        if resource is not None and resource.state == "Deleting":
            raise ArmError(
                409,
                "ResourceGroupBeingDeleted",
                f"The resource group '{call.name}' is in deprovisioning state and cannot perform this operation.",
                gateway=True,
            )
        location = location_of(call, body, resource)
        created = resource is None
        made: Json = {"id": call.id, "name": call.name, "type": self.name, "location": location}
        if field(body, "managedBy"):
            made["managedBy"] = body["managedBy"]
        tags = field(body, "tags", dict)
        if tags is not None:
            made["tags"] = tags
        made["properties"] = {"provisioningState": "Succeeded"}
        resource = self.in_place(arm, call, resource, made)
        return show(arm, call, self, resource, 201 if created else 200)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        body = call.json()
        tags = field(body, "tags", dict)
        if tags is not None:
            resource.body["tags"] = tags
        if field(body, "managedBy"):
            resource.body["managedBy"] = body["managedBy"]
        arm.store.touch(resource)
        return show(arm, call, self, resource)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        operation = operations.running(arm, resource)
        if operation is None:
            empty = not arm.store.in_group(resource.key)
            kind = "resourceGroups.delete.empty" if empty else "resourceGroups.delete"
            operation = operations.start(arm, call, resource, kind, then="resourceGroups.deleted", family="arm")
            resource.properties["provisioningState"] = "Deleting"
            arm.store.touch(resource)
        return operations.accepted(arm, call, operation, retry_after=15)

    def resources(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        return list_resources(arm, call, list(arm.store.in_group(resource.key).values()))


@event("resourceGroups.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    """Everything goes, users before what they use; what something outside the group uses stays, and so does the group."""
    if resource is None:
        return
    held: dict[str, ArmError] = {}
    while True:
        members = sorted(arm.store.in_group(resource.key).values(), key=lambda member: -member.key.count("/"))
        before = len(members)
        for member in members:
            kind = TYPES.get(member.type.lower())
            if member.key not in arm.store.resources:
                continue
            problem = kind.in_use(arm, member) if kind is not None else None
            if problem is not None:
                held[member.key] = problem
                continue
            held.pop(member.key, None)
            kind.remove(arm, member) if kind is not None else arm.store.drop(member)
        if len(arm.store.in_group(resource.key)) in (0, before):
            break
    left = {key: problem for key, problem in held.items() if key in arm.store.resources}
    if left:
        names = [arm.store.resources[key].id for key in left]
        raise ArmError(
            409,
            "ResourceGroupDeletionBlocked",
            f"Deletion of resource group '{resource.name}' failed as resources with identifiers "
            f"'{','.join(id.split('/providers/', 1)[1] for id in names)}' could not be deleted. The provisioning state of the resource "
            "group will be rolled back. Please check audit logs for more details.",
            details=[
                {"Code": problem.code, "Target": id, "Message": problem.message, "Details": None}
                for id, problem in zip(names, left.values(), strict=True)
            ],
        )
    arm.store.drop(resource)


@event("resourceGroups.deleted.failed")
def _stays(arm: Sandbox, operation: Json, resource: Resource, error: Json) -> None:
    resource.properties["provisioningState"] = "Succeeded"


register(ResourceGroups())


@route("GET", "subscriptions/{}/resourcegroups")
def listed(arm: Sandbox, call: Call, subscription: str) -> Response:
    """`$filter` knows tagName, tagValue, name and location; `$top` limits."""
    call.type = ResourceGroups.name
    wanted = Filter(call.query.get("$filter", ""), frozenset({"tagname", "tagvalue", "name", "location"}))
    found = arm.store.collection(f"/subscriptions/{subscription.lower()}/resourcegroups").values()
    own = TYPES[ResourceGroups.name.lower()]
    return list_of(arm, call, own, [one for one in found if wanted.accepts(values_of(one))])
