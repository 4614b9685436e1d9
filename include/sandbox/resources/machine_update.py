"""PUT and PATCH on a machine that is there. Both have PATCH's meaning: what is left out stays; a list is replaced whole
(learn.microsoft.com, "PUT calls for creation or updates on compute resources")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import operations
from ..content import MACHINE
from ..events import event
from ..registry import TYPES, arm_not_found, field, one_of
from ..store import Resource
from ..wire import ArmError, Json, Response
from .flexible_sets import change_membership
from .identity import identity
from .machine_applications import check_applications
from .machine_disks import change_disks, change_os_disk, finish_detaching, first_answer, managed_ids
from .machine_fit import check_boots
from .machine_interfaces import change_interfaces
from .machine_settings import PLACES, PRIORITIES, echoed
from .sizes import check_available, check_quota, find_size

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

# The first api-version in which a PATCH that changes nothing starts no operation (recorded).
QUICK_SINCE = "2021-03-01"


def check_conditions(call: Call, resource: Resource | None) -> None:
    """Raises ArmError 412 where `If-Match` or `If-None-Match` do not hold (text: cloud-provider-azure#9728)."""
    own = resource.body["etag"] if resource is not None else None
    match = call.header("if-match").strip()
    if match and match != "*" and match != own:
        told = f"does not match etag {own} of resource." if own is not None else "was given for a resource that does not exist."
        raise ArmError(412, "PreconditionFailed", f"Etag provided in if-match header {match} {told}")
    if match == "*" and own is None:
        raise ArmError(412, "PreconditionFailed", "Etag provided in if-match header * was given for a resource that does not exist.")
    none = call.header("if-none-match").strip()
    if none and none != "*":
        raise ArmError(400, "BadRequest", "The only value of the header if-none-match that is supported is '*'.")
    if none == "*" and own is not None:
        raise ArmError(412, "PreconditionFailed", f"The resource exists with etag {own}, and the if-none-match header is *.")


def update(arm: Sandbox, call: Call, resource: Resource, body: Json) -> Response:
    if resource.state == "Deleting":
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation 'startTenantUpdate' is not allowed on VM '{resource.name}' since the VM is marked for deletion. You can "
            f"only retry the Delete operation (or wait for an ongoing one to complete).",
        )
    current = operations.running(arm, resource)
    if (
        current is not None
        and current["kind"] in ("virtualMachines.create", "virtualMachines.osProvisioningTimeout")
        and not _changes(resource, body)
    ):
        return operations.written(arm, call, current, first_answer(resource.body, body), created=False, retry_after=10)
    if current is not None:
        if current["kind"].endswith("delete"):
            raise operations.conflict(resource)
        operations.preempt(arm, resource)
    _check_immutable(resource, body)
    _check_spot(resource, body)
    before = _without_tags(resource)
    disks = {id.lower() for id in managed_ids(resource)}
    again = resource.private.get("power") in ("creating", "failed")
    _resize(arm, resource, body, again)
    given = field(body, "properties", dict, {})
    check_applications(arm, call, given, resource.location, resource.properties["storageProfile"]["osDisk"]["osType"])
    if body.get("tags") is not None:
        resource.body["tags"] = body["tags"]
    if field(body, "identity", dict):
        resource.body["identity"] = identity(arm, call, body["identity"], resource.body.get("identity"))
    if field(body, "properties.storageProfile.dataDisks", list) is not None:
        change_disks(arm, call, resource, body["properties"]["storageProfile"]["dataDisks"])
    change_os_disk(arm, resource, field(body, "properties.storageProfile.osDisk", dict, {}))
    _place(arm, resource, body)
    change_membership(arm, resource, given)
    change_interfaces(arm, call, resource, body)
    resource.properties.update({name: value for name, value in echoed(given).items() if name != "billingProfile"})
    if given.get("priority") is not None and "priority" in resource.properties:
        resource.properties["priority"] = given["priority"]
    if given.get("userData") is not None:
        resource.private["user_data"] = given["userData"]
    if field(given, "billingProfile.maxPrice", (int, float)) is not None:
        resource.properties["billingProfile"] = given["billingProfile"]
    for part in ("linuxConfiguration", "windowsConfiguration"):
        patch = field(given, f"osProfile.{part}.patchSettings", dict)
        if patch is not None and part in (resource.properties.get("osProfile") or {}):
            configuration = resource.properties["osProfile"][part]
            configuration["patchSettings"] = {**configuration.get("patchSettings", {}), **patch}
    for part in ("uefiSettings", "encryptionAtHost"):
        if field(given, "securityProfile", dict, {}).get(part) is not None and "securityProfile" in resource.properties:
            resource.properties["securityProfile"][part] = given["securityProfile"][part]
    quick = call.method != "PATCH" or call.api_version >= QUICK_SINCE
    same = quick and _without_tags(resource) == before and not again and resource.state == "Succeeded"
    bump(arm, resource)
    view = TYPES[MACHINE.lower()].view(arm, call, resource)
    if same:
        # recorded: nothing but tags changes at once, and yet the answer says Updating
        return operations.written(
            arm, call, None, {**view, "properties": {**view["properties"], "provisioningState": "Updating"}}, created=False
        )
    resource.properties["provisioningState"] = "Updating"
    view = {**view, "properties": {**view["properties"], "provisioningState": "Updating"}}
    if again:
        operation = operations.start(
            arm,
            call,
            resource,
            "virtualMachines.create",
            then="virtualMachines.created",
            arguments={"user": field(resource.body, "properties.osProfile.adminUsername")},
        )
    else:
        operation = operations.start(arm, call, resource, "virtualMachines.update", then="virtualMachines.updated")
    return operations.written(arm, call, operation, first_answer(view, body, disks), created=False)


def _without_tags(resource: Resource) -> str:
    return repr({name: value for name, value in resource.body.items() if name not in ("tags", "etag")})


def _changes(resource: Resource, body: Json) -> bool:
    size = field(body, "properties.hardwareProfile.vmSize")
    return size is not None and size.lower() != resource.properties["hardwareProfile"]["vmSize"].lower()


def _resize(arm: Sandbox, resource: Resource, body: Json, again: bool) -> None:
    size = field(body, "properties.hardwareProfile.vmSize")
    if size is None:
        return
    name, found = find_size(size)
    if name == resource.properties["hardwareProfile"]["vmSize"] and not again:
        return
    check_available(arm, resource.location, name)
    disk = arm.resource(field(resource.properties, "storageProfile.osDisk.managedDisk.id"))
    if disk is not None and disk.private.get("content"):
        check_boots(disk.private["content"], name, found)
    if resource.private.get("power") != "deallocated":
        held = find_size(resource.properties["hardwareProfile"]["vmSize"])[1] if not again else None
        spot = resource.properties.get("priority") in ("Spot", "Low")
        check_quota(arm, resource.subscription, resource.location, found, held=held, spot=spot)
    disks = len(resource.properties["storageProfile"]["dataDisks"])
    if disks > found.disks:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The VM size '{name}' supports {found.disks} data disks, and the VM '{resource.name}' has {disks}. Please detach disks first.",
        )
    resource.properties["hardwareProfile"]["vmSize"] = name


def _check_immutable(resource: Resource, body: Json) -> None:
    """Raises ArmError 409 PropertyChangeNotAllowed for what a machine keeps for life."""
    own = resource.properties["storageProfile"].get("imageReference") or {}
    given = field(body, "properties.storageProfile.imageReference", dict)
    if given is not None and any(
        str(given.get(key, own.get(key, ""))).lower() != str(own.get(key, "")).lower()
        for key in ("id", "sharedGalleryImageId", "communityGalleryImageId", "publisher", "offer", "sku", "version")
    ):
        raise _fixed("imageReference")
    os_disk = resource.properties["storageProfile"]["osDisk"]
    for path, had in (
        ("osDisk.name", os_disk["name"]),
        ("osDisk.osType", os_disk["osType"]),
        ("osDisk.createOption", os_disk["createOption"]),
        ("osDisk.vhd.uri", field(os_disk, "vhd.uri")),
        ("osDisk.managedDisk.id", field(os_disk, "managedDisk.id")),
    ):
        value = field(body, f"properties.storageProfile.{path}")
        # a deallocated machine's OS disk may be swapped
        swap = path in ("osDisk.name", "osDisk.managedDisk.id") and resource.private.get("power") in ("deallocated", "stopped")
        if value is not None and had is not None and value.lower() != str(had).lower() and not swap:
            raise _fixed(path)
    for path in ("osProfile.adminUsername", "osProfile.computerName", "osProfile.customData"):
        value, had = field(body, f"properties.{path}"), field(resource.body, f"properties.{path}")
        if value is not None and value != had and "osProfile" in resource.properties:
            raise _fixed(path)
    keys = field(body, "properties.osProfile.linuxConfiguration.ssh.publicKeys", list)
    if keys and keys != field(resource.properties, "osProfile.linuxConfiguration.ssh.publicKeys", list):
        raise _fixed("linuxConfiguration.ssh.publicKeys")
    priority = one_of(body, "properties.priority", PRIORITIES)
    low = ("Low", "Spot")  # the old name and the new one
    own_priority = resource.properties.get("priority", "Regular")
    if priority is not None and priority != own_priority and not (priority in low and own_priority in low):
        raise _fixed("priority")
    for name, value in (("zones", resource.body.get("zones")), ("plan", resource.body.get("plan"))):
        if body.get(name) is not None and body[name] != value and not (name == "zones" and not body[name] and not value):
            raise _fixed(name)
    for name in ("availabilitySet",):
        value = field(body, f"properties.{name}.id")
        if value is not None and value.lower() != str(field(resource.properties, f"{name}.id")).lower():
            raise _fixed(f"{name}.id")
    kind = field(body, "properties.securityProfile.securityType")
    was = field(resource.properties, "securityProfile.securityType", str, "Standard")
    if kind is not None and kind != was and not (kind == "TrustedLaunch" and was == "Standard"):
        raise _fixed("securityProfile.securityType")


def _fixed(name: str) -> ArmError:
    return ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.", target=name)


def _check_spot(resource: Resource, body: Json) -> None:
    """Raises ArmError for a price or a placement that only a deallocated machine may change (recorded: azure-sdk-for-java)."""
    allocated = resource.private.get("power") != "deallocated"
    price = field(body, "properties.billingProfile.maxPrice", (int, float))
    if price is not None and price != field(resource.properties, "billingProfile.maxPrice", (int, float)) and allocated:
        more = "For more information, see http://aka.ms/AzureSpot/errormessages"
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Max price change is not allowed. {more}",
            details=[
                {
                    "code": "OperationNotAllowed",
                    "message": f"Max price change is not allowed when the VM '{resource.name}' is currently allocated. Please deallocate "
                    f"and try again. {more}",
                }
            ],
        )


def _place(arm: Sandbox, resource: Resource, body: Json) -> None:
    """Move a machine into another proximity placement group."""
    id = field(body, "properties.proximityPlacementGroup.id")
    had = field(resource.properties, "proximityPlacementGroup.id")
    if id is None or id.lower() == str(had).lower():
        return
    if arm.resource(id, PLACES["proximityPlacementGroup"]) is None:
        raise arm_not_found(id)
    if resource.private.get("power") != "deallocated":
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Updating proximity placement group of VM {resource.name} is not allowed while the VM is running. Please stop/deallocate the "
            "VM and retry the operation.",
        )
    resource.properties["proximityPlacementGroup"] = {"id": id}


def bump(arm: Sandbox, resource: Resource) -> None:
    """ETag "1", "2", …"""
    number = resource.private["etag"] = resource.private.get("etag", 0) + 1
    resource.body["etag"] = f'"{number}"'
    arm.store.touch(resource)


@event("virtualMachines.updated")
def _updated(arm: Sandbox, operation: Json, resource: Resource | None) -> None:
    if resource is not None and finish_detaching(arm, resource):
        bump(arm, resource)
