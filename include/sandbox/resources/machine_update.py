"""PUT and PATCH on a machine that is there: what may change, and what changing it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import operations
from ..content import MACHINE
from ..registry import TYPES, field
from ..store import Resource
from ..wire import ArmError, Json, Response
from .sizes import check_quota, find_size

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

from .identity import identity
from .machine_disks import change_disks, without_disk_ids


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
        return operations.written(arm, call, current, without_disk_ids(resource.body), created=False, retry_after=10)
    if current is not None:
        if current["kind"].endswith("delete"):
            raise operations.conflict(resource)
        operations.preempt(arm, resource)
    _check_immutable(resource, body)
    before = repr(resource.body)
    again = resource.private.get("power") in ("creating", "failed")
    size = field(body, "properties.hardwareProfile.vmSize")
    if size is not None:
        name, found = find_size(size)
        if name != resource.properties["hardwareProfile"]["vmSize"] or again:
            check_quota(arm, resource.subscription, resource.location, found)
            resource.properties["hardwareProfile"] = {"vmSize": name}
    for name in ("tags", "identity"):
        if name in body:
            resource.body[name] = identity(arm, call, body[name]) if name == "identity" and body[name] else body[name]
    if field(body, "properties.storageProfile.dataDisks", list) is not None:
        change_disks(arm, call, resource, body["properties"]["storageProfile"]["dataDisks"])
    for part in ("osDisk",):
        option = field(body, f"properties.storageProfile.{part}.deleteOption")
        if option is not None:
            resource.properties["storageProfile"][part]["deleteOption"] = option
    for name in ("billingProfile", "diagnosticsProfile", "licenseType", "userData"):
        if field(body, "properties", dict, {}).get(name) is not None:
            resource.properties[name] = body["properties"][name]
    if repr(resource.body) == before and not again and resource.state == "Succeeded":
        return arm.show(call, TYPES[MACHINE.lower()], resource)
    resource.properties["provisioningState"] = "Updating"
    bump(arm, resource)
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
        operation = operations.start(arm, call, resource, "virtualMachines.update")
    return operations.written(arm, call, operation, resource.body, created=False)


def _changes(resource: Resource, body: Json) -> bool:
    size = field(body, "properties.hardwareProfile.vmSize")
    return size is not None and size.lower() != resource.properties["hardwareProfile"]["vmSize"].lower()


def _check_immutable(resource: Resource, body: Json) -> None:
    own = resource.properties["storageProfile"].get("imageReference") or {}
    given = field(body, "properties.storageProfile.imageReference", dict)
    if given is not None and any(
        str(given.get(key, "")).lower() != str(own.get(key, "")).lower() for key in ("id", "publisher", "offer", "sku", "version")
    ):
        raise ArmError(409, "PropertyChangeNotAllowed", "Changing property 'imageReference' is not allowed.", target="imageReference")
    user = field(body, "properties.osProfile.adminUsername")
    if user is not None and user != field(resource.body, "properties.osProfile.adminUsername"):
        raise ArmError(
            409,
            "PropertyChangeNotAllowed",
            "Changing property 'osProfile.adminUsername' is not allowed.",
            target="osProfile.adminUsername",
        )
    priority = field(body, "properties.priority")
    if priority is not None and priority != resource.properties.get("priority", "Regular"):
        raise ArmError(409, "PropertyChangeNotAllowed", "Changing property 'priority' is not allowed.", target="priority")
    if "zones" in body and body["zones"] != resource.body.get("zones"):
        raise ArmError(409, "PropertyChangeNotAllowed", "Changing property 'zones' is not allowed.", target="zones")


def bump(arm: Sandbox, resource: Resource) -> None:
    """ETag "1", "2", …, since api-version 2024-07-01."""
    number = resource.private["etag"] = resource.private.get("etag", 0) + 1
    resource.body["etag"] = f'"{number}"'
    arm.store.touch(resource)
