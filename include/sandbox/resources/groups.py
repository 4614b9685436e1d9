"""Resource groups, and the resources in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..events import event
from ..pages import page_of
from ..regions import is_known, short
from ..registry import TYPES, ResourceType, field, register, route
from ..store import Resource
from ..wire import ArmError, Json, Response, compact, zulu

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
    if not is_known(location):
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
        if resource is None:
            resource = arm.store.add(Resource(call.id, self.name, made))
        else:
            resource.body = made
            arm.store.touch(resource)
        return arm.show(call, self, resource, 201 if created else 200)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        tags = field(call.json(), "tags", dict)
        if tags is not None:
            resource.body["tags"] = tags
        arm.store.touch(resource)
        return arm.show(call, self, resource)

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
    """Everything goes, unless a disk with an active SAS holds it (azure-cli#6927)."""
    if resource is None:
        return
    members = arm.store.in_group(resource.key)
    held = [member for member in members.values() if member.properties.get("diskState") == "ActiveSAS"]
    for member in sorted(members.values(), key=lambda member: -member.key.count("/")):
        if member in held:
            continue
        kind = TYPES.get(member.type.lower())
        if member.key in arm.store.resources:
            kind.remove(arm, member) if kind is not None else arm.store.drop(member)
    if held:
        resource.properties["provisioningState"] = "Succeeded"
        names = ", ".join(member.id for member in held)
        raise ArmError(
            409,
            "ResourceGroupDeletionBlocked",
            f"Deletion of resource group '{resource.name}' failed as resources with identifiers '{names}' could not be deleted.",
        )
    arm.store.drop(resource)


@event("resourceGroups.deleted.failed")
def _stays(arm: Sandbox, operation: Json, resource: Resource, error: Json) -> None:
    resource.properties["provisioningState"] = "Succeeded"


register(ResourceGroups())


def list_resources(arm: Sandbox, call: Call, found: list[Resource]) -> Response:
    """The generic list: id, name, type, location, tags; `$filter` with resourceType, name and tags, joined by `and`."""
    found = [
        resource
        for resource in found
        if (kind := TYPES.get(resource.type.lower())) is not None and kind.listed and resource.id.count("/") == 8
    ]
    for term in call.query.get("$filter", "").split(" and "):
        if " eq " not in term:
            continue
        key, _, value = term.strip().partition(" eq ")
        value = value.strip().strip("'").lower()
        key = key.strip().lower()
        if key == "resourcetype":
            found = [resource for resource in found if resource.type.lower() == value]
        elif key == "name":
            found = [resource for resource in found if resource.name.lower() == value]
        elif key == "location":
            found = [resource for resource in found if resource.location == value]
        elif key == "tagname":
            found = [resource for resource in found if value in {tag.lower() for tag in resource.body.get("tags") or {}}]
        elif key == "tagvalue":
            found = [resource for resource in found if value in {str(tag).lower() for tag in (resource.body.get("tags") or {}).values()}]

    def brief(resource: Resource) -> Json:
        body = {"id": resource.id, "name": resource.name, "type": resource.type, "location": resource.location}
        for name in ("sku", "managedBy", "identity", "zones"):
            if name in resource.body:
                body[name] = resource.body[name]
        if resource.body.get("tags"):
            body["tags"] = resource.body["tags"]
        if call.expands("provisioningState"):
            body["provisioningState"] = resource.state
        for name in ("createdTime", "changedTime"):
            if call.expands(name) and name in resource.private:
                body[name] = zulu(resource.private[name])
        return body

    return page_of(arm, call, found, brief, render=compact)


@route("GET", "subscriptions/{}/resources")
def subscription_resources(arm: Sandbox, call: Call, subscription: str) -> Response:
    prefix = f"/subscriptions/{subscription.lower()}/"
    return list_resources(arm, call, [resource for key, resource in arm.store.resources.items() if key.startswith(prefix)])
