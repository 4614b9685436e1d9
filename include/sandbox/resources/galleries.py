"""Galleries, and what they share with their definitions and versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..content import GALLERY
from ..events import event
from ..registry import TYPES, ResourceType, field, register
from ..store import Resource
from ..wire import ArmError, Json, Response
from . import sharing, soft_delete
from .groups import location_of
from .identity import identity

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

_NAME = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9_.]{0,78}[A-Za-z0-9])?$")


def invalid(message: str, target: str | None = None) -> ArmError:
    return ArmError(400, "InvalidParameter", message, target=target)


def nested(children: list[Resource]) -> ArmError:
    """jenkins-infra/azure#1544."""
    names = ", ".join("/".join(child.id.split("/")[6:]) for child in children[:5])
    return ArmError(
        409,
        "CannotDeleteResource",
        f"Cannot delete resource while nested resources exist. Some existing nested resource IDs include: '{names}'. "
        "Please delete all nested resources before deleting this resource.",
        gateway=True,
    )


def check_limit(arm: Sandbox, call: Call, type: str, location: str, most: int) -> None:
    """Raises ArmError where the subscription has as many as it may have in the region (azure-compute-gallery.md, without a text)."""
    present = arm.store.of_type(call.subscription, type)
    if len(present) >= most and sum(one.location == location for one in present.values()) >= most:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation could not be completed as it results in exceeding the limit of {most} resources of the type '{type}' in the "
            f"location '{location}' of the subscription '{call.subscription}'.",
        )


def marked(action: str, resource: Resource) -> ArmError:
    return ArmError(
        409,
        "OperationNotAllowed",
        f"Operation '{action}' is not allowed on {resource.name} since it is marked for deletion. You can only retry the Delete operation "
        "(or wait for an ongoing one to complete).",
    )


class GalleryType(ResourceType):
    """What galleries, definitions and versions share."""

    family = "capsOperations"
    nests: ClassVar[bool] = True
    children: ClassVar[tuple[str, ...]] = ()
    title: ClassVar[str] = ""
    retry_after: ClassVar[int | None] = None

    def begin(self, arm: Sandbox, call: Call, resource: Resource, change: str) -> Response:
        """Answer a write: start the operation, show the resource."""
        created = change == "create"
        operation = operations.start(arm, call, resource, f"{self.short}.{change}", family=self.family)
        return operations.written(arm, call, operation, resource.body, created=created, retry_after=self.retry_after)

    def write(self, arm: Sandbox, call: Call, resource: Resource | None, body: Json, location: str, properties: Json) -> Response:
        """Put the resource with these properties in place, and begin its operation."""
        change, state = ("create", "Creating") if resource is None else ("update", self.updating(body))
        made = self.body(call, body, location, {**properties, "provisioningState": state})
        if (own := field(body, "identity", dict)) is not None:
            made["identity"] = identity(arm, call, own, resource.body.get("identity") if resource is not None else None)
        return self.begin(arm, call, self.in_place(arm, call, resource, made), change)

    def updating(self, body: Json) -> str:
        """The provisioningState that an update answers with."""
        return "Updating"

    def body(self, call: Call, given: Json, location: str, properties: Json) -> Json:
        """What GET shows. Tags are there only where the request has them (recorded)."""
        made: Json = {"name": call.name, "id": call.id, "type": self.name, "location": location}
        if field(given, "tags", dict) is not None:
            made["tags"] = given["tags"]
        made["properties"] = properties
        return made

    def retag(self, resource: Resource, given: Json, *, whole: bool = False) -> None:
        """Take over the request's tags; a `whole` replacement without any leaves none."""
        tags = field(given, "tags", dict)
        if tags is not None:
            resource.body["tags"] = tags
        elif whole:
            resource.body.pop("tags", None)

    def check_idle(self, arm: Sandbox, resource: Resource) -> None:
        if resource.state == "Deleting":
            raise marked(f"Update {self.title}", resource)
        if operations.running(arm, resource) is not None:
            raise operations.conflict(resource)

    def below(self, arm: Sandbox, resource: Resource) -> list[Resource]:
        """What has to be deleted before the resource."""
        return [child for kind in self.children for child in arm.store.collection(f"{resource.key}/{kind}").values()]

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        if children := self.below(arm, resource):
            raise nested(children)
        if self.children and (kept := soft_delete.kept_in(arm, resource)):
            raise soft_delete.holds(kept)
        current = operations.running(arm, resource)
        if current is not None and current["kind"].endswith(".delete"):
            return operations.accepted(arm, call, current, retry_after=self.retry_after)
        if current is not None:
            operations.preempt(arm, resource)
        resource.properties["provisioningState"] = "Deleting"
        operation = operations.start(arm, call, resource, f"{self.short}.delete", then=self.ending(arm, call, resource), family=self.family)
        return operations.accepted(arm, call, operation, retry_after=self.retry_after)

    def ending(self, arm: Sandbox, call: Call, resource: Resource) -> str:
        """The event at the end of the deletion."""
        return "galleries.deleted"


@event("galleries.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        kind = TYPES[resource.type.lower()]
        if isinstance(kind, GalleryType) and (children := kind.below(arm, resource)):
            raise nested(children)
        arm.store.drop(resource)


class Galleries(GalleryType):
    name = GALLERY
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.Gallery", "PATCH": "compute.GalleryUpdate", "share": "compute.SharingUpdate"}
    parameter = "gallery"
    children = ("images", "applications")
    title = "Gallery"

    def __init__(self) -> None:
        super().__init__()
        self.actions["share"] = self.share

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        return sharing.view(arm, call, resource)

    def updating(self, body: Json) -> str:
        """A new description is there at once, unlike another policy (recorded)."""
        given = field(body, "properties", dict, {})
        return "Updating" if given.get("softDeletePolicy") or given.get("sharingProfile") else "Succeeded"

    def share(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        self.check_idle(arm, resource)
        return sharing.share(arm, call, resource)

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        if not _NAME.match(call.name):
            raise invalid(
                f"The gallery name '{call.name}' is invalid. Allowed characters are English alphanumeric characters, with underscores "
                f"and periods allowed in the "
                "middle, up to 80 characters total. All other special characters, including dashes, are disallowed.",
                "galleryName",
            )
        if resource is not None:
            self.check_idle(arm, resource)
        else:
            check_limit(arm, call, self.name, location, 100)
        properties: Json = {}
        if (description := field(body, "properties.description")) is not None:
            properties["description"] = description
        properties["identifier"] = {"uniqueName": f"{call.subscription}-{call.name.upper()}"}
        if (own := sharing.profile(arm, call, body, resource)) is not None:
            properties["sharingProfile"] = own
        if (policy := soft_delete.policy(body, None)) is not None:
            properties["softDeletePolicy"] = policy
        return self.write(arm, call, resource, body, location, properties)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        self.check_idle(arm, resource)
        body = call.json()
        self.retag(resource, body)
        if (given := field(body, "identity", dict)) is not None:
            resource.body["identity"] = identity(arm, call, given, resource.body.get("identity"))
        policy = soft_delete.policy(body, resource.properties.get("softDeletePolicy"))
        if policy is not None:
            resource.properties["softDeletePolicy"] = policy
        if (own := sharing.profile(arm, call, body, resource)) is not None:
            resource.properties["sharingProfile"] = own
        if (description := field(body, "properties.description")) is not None:
            resource.properties["description"] = description
        resource.properties["provisioningState"] = self.updating(body)
        return self.begin(arm, call, resource, "update")


register(Galleries())
