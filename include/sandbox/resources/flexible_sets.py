"""Flexible scale sets: a set that machines join, by their `virtualMachineScaleSet`. One that makes machines of its own is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import operations
from ..content import MACHINE
from ..kept import keep, overlay
from ..registry import TYPES, field, invalid
from ..store import Resource
from ..wire import ArmError, Json, Response, stamp

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

_GOVERNED = frozenset({"orchestrationMode", "platformFaultDomainCount", "provisioningState", "timeCreated", "uniqueId"})


def is_flexible(found: Resource) -> bool:
    return found.properties.get("orchestrationMode") == "Flexible"


def check(body: Json) -> None:
    """Raises ArmError 400 for a set that would make machines, and for a count of fault domains that no region has."""
    for name in ("virtualMachineProfile", "skuProfile"):
        if field(body, f"properties.{name}", dict):
            raise invalid(f"A scale set of the orchestration mode 'Flexible' with a '{name}' is not supported by the sandbox.", name)
    if field(body, "sku.capacity", int, 0):
        raise invalid("A scale set of the orchestration mode 'Flexible' with a capacity is not supported by the sandbox.", "sku.capacity")
    count = field(body, "properties.platformFaultDomainCount", int, 1)
    if not 1 <= count <= 5:
        raise invalid(f"The platform fault domain count {count} must lie between 1 and 5.", "platformFaultDomainCount")


def make(arm: Sandbox, call: Call, body: Json, made: Json) -> Response:
    """The set that a PUT asks for; `made` is its envelope."""
    check(body)
    properties: Json = {
        "singlePlacementGroup": False,
        "orchestrationMode": "Flexible",
        "platformFaultDomainCount": 1,
        **{name: value for name, value in field(body, "properties", dict, {}).items() if value is not None},
        "provisioningState": "Creating",
        "uniqueId": arm.guid("scale set", call.id, arm.count("scale set")),
        "timeCreated": stamp(arm.now),
    }
    if field(body, "sku", dict):
        made["sku"] = body["sku"]
    made["properties"] = {}
    keep(made["properties"], properties)
    resource = arm.store.add(Resource(call.id, call.type, made))
    operation = operations.start(arm, call, resource, "virtualMachineScaleSets.create")
    return operations.written(arm, call, operation, resource.body, created=True, retry_after=10)


def update(arm: Sandbox, call: Call, resource: Resource, body: Json) -> Response:
    """Tags, and what is only kept."""
    check(body)
    overlay(resource.properties, field(body, "properties", dict, {}), but=_GOVERNED)
    if "tags" in body:
        resource.body["tags"] = field(body, "tags", dict, {})
    resource.properties["provisioningState"] = "Updating"
    operation = operations.start(arm, call, resource, "virtualMachineScaleSets.update")
    return operations.written(arm, call, operation, resource.body, created=False, retry_after=10)


def check_join(found: Resource, domain: int | None) -> None:
    """Raises ArmError 400 where a machine cannot be in that set, or not in that fault domain of it."""
    if not is_flexible(found):
        raise ArmError(
            400,
            "BadRequest",
            f"The virtual machine scale set '{found.id}' has the orchestration mode 'Uniform'. Virtual machines can be added to one of the "
            "mode 'Flexible' only.",
            target="virtualMachineScaleSet",
        )
    count = int(found.properties["platformFaultDomainCount"])
    if domain is not None and (count == 1 or not 0 <= domain < count):
        raise invalid(
            f"The platform fault domain {domain} is not one of the {count} of the scale set '{found.name}'.", "platformFaultDomain"
        )


def members(arm: Sandbox, found: Resource) -> list[Resource]:
    """The machines that joined the set."""
    machines = arm.store.of_type(found.subscription, MACHINE).values()
    return [one for one in machines if str(field(one.properties, "virtualMachineScaleSet.id", str, "")).lower() == found.key]


def remove_members(arm: Sandbox, found: Resource) -> None:
    """Machines go with their set."""
    for one in members(arm, found):
        TYPES[MACHINE.lower()].remove(arm, one)
