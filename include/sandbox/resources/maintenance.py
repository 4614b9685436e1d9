"""What is done to a machine once in its life: reimage, convert to managed disks, maintenance, boot diagnostics."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from .. import guest, operations
from ..blobs import account_url
from ..content import DISK, disk_content
from ..events import event
from ..registry import field
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty
from .disks import new_disk
from .machine_disks import attach, default_storage, detach, managed_reference
from .machine_update import bump
from .power import boot, check_idle, set_power
from .references import resolve
from .virtual_machines import MACHINES

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox
    from ..store import Resource

REIMAGED_SINCE = "2021-11-01"  # before, only machines with an ephemeral OS disk or automatic OS upgrades


def reimage(arm: Sandbox, call: Call, machine: Resource) -> Response:
    """A new OS disk from the machine's image. Refused as recorded (azure-mgmt-compute 17.0.0 test_compute_vm_2) in older api-versions."""
    check_idle(arm, "reimage", machine)
    profile = machine.properties["storageProfile"]
    if call.api_version < REIMAGED_SINCE and "diffDiskSettings" not in profile["osDisk"]:
        raise ArmError(
            409,
            "OperationNotAllowed",
            "The Reimage and OSUpgrade Virtual Machine actions require that the virtual machine has Automatic OS Upgrades enabled.",
        )
    if "imageReference" not in profile:
        raise ArmError(
            409, "OperationNotAllowed", f"Operation 'reimage' is not allowed on VM '{machine.name}' since it was not made from an image."
        )
    origin, _, _ = resolve(arm, call, profile["imageReference"], machine.location)
    operation = operations.start(
        arm,
        call,
        machine,
        "virtualMachines.reimage",
        then="virtualMachines.reimaged",
        arguments={"content": {**origin.content, "security": machine.private["security"]}},
    )
    machine.properties["provisioningState"] = "Updating"
    return operations.accepted(arm, call, operation)


@event("virtualMachines.reimaged")
def _reimaged(arm: Sandbox, operation: Json, resource: Resource | None, content: Json) -> None:
    if resource is None:
        return
    shown = resource.properties["storageProfile"]["osDisk"]
    old = arm.resource(resource.private["os_disk"])
    guest.provision(content, field(resource.properties, "osProfile.adminUsername"))
    if "managedDisk" not in shown or old is None:
        if old is not None:
            old.private["content"] = deepcopy(content)
            arm.store.touch(old)
    else:
        number = arm.guid("disk", resource.id, arm.count("disk")).replace("-", "")
        disk = new_disk(
            arm,
            f"{old.id.rsplit('/', 1)[0]}/{resource.name}_OsDisk_1_{number}",
            DISK,
            resource.location,
            sku=old.body["sku"]["name"],
            size_gb=old.properties["diskSizeGB"],
            creation=old.properties["creationData"],
            content=deepcopy(content),
            tags=resource.body.get("tags"),
            zones=resource.body.get("zones"),
        )
        if shown["deleteOption"] == "Delete":
            arm.store.drop(old)
        else:
            detach(arm, old)
        shown |= {"name": disk.name, "managedDisk": managed_reference(disk)}
        resource.private["os_disk"] = disk.id
        attach(arm, resource, [disk.id])
    resource.private["generalized"] = False
    set_power(arm, resource, "running")
    boot(arm, resource)
    bump(arm, resource)


def convert(arm: Sandbox, call: Call, machine: Resource) -> Response:
    """Unmanaged disks become managed ones. The machine must be deallocated."""
    check_idle(arm, "convertToManagedDisks", machine)
    profile = machine.properties["storageProfile"]
    if all("managedDisk" in one for one in (profile["osDisk"], *profile["dataDisks"])):
        raise ArmError(409, "OperationNotAllowed", f"VM '{machine.name}' is already using managed disks.")
    if machine.private.get("power") != "deallocated":
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation 'convertToManagedDisks' is not allowed on VM '{machine.name}' since the VM is running. Please deallocate it first.",
        )
    operation = operations.start(arm, call, machine, "virtualMachines.convert", then="virtualMachines.converted")
    machine.properties["provisioningState"] = "Updating"
    return operations.accepted(arm, call, operation)


@event("virtualMachines.converted")
def _converted(arm: Sandbox, operation: Json, resource: Resource | None) -> None:
    if resource is None:
        return
    profile = resource.properties["storageProfile"]
    root = resource.id.split("/providers/")[0]
    for one in (profile["osDisk"], *profile["dataDisks"]):
        vhd = arm.resource(field(one, "vhd.uri"))
        if vhd is None:
            continue
        disk = new_disk(
            arm,
            f"{root}/providers/{DISK}/{one['name']}",
            DISK,
            resource.location,
            sku=default_storage(resource),
            size_gb=vhd.properties["diskSizeGB"],
            creation={"createOption": "Import", "sourceUri": vhd.id},
            content=deepcopy(disk_content(vhd)),
            tags=resource.body.get("tags"),
        )
        one.pop("vhd")
        one["managedDisk"] = managed_reference(disk)
        if one is profile["osDisk"]:
            resource.private["os_disk"] = disk.id
        attach(arm, resource, [disk.id])
    set_power(arm, resource, "running")  # conversion starts the machine
    boot(arm, resource)
    bump(arm, resource)


def perform_maintenance(arm: Sandbox, call: Call, machine: Resource) -> Response:
    """There is never planned maintenance in the sandbox (text: recorded)."""
    raise ArmError(
        409,
        "OperationNotAllowed",
        f"Operation 'performMaintenance' is not allowed on VM '{machine.name}' since the Subscription of this VM is not eligible.",
    )


def boot_diagnostics(arm: Sandbox, call: Call, machine: Resource) -> Response:
    """URLs of the serial log and the screenshot, where boot diagnostics are enabled."""
    if not field(machine.properties, "diagnosticsProfile.bootDiagnostics.enabled", bool, False):
        raise ArmError(
            409, "OperationNotAllowed", f"Boot diagnostics are not enabled on the VM '{machine.name}'.", target="diagnosticsProfile"
        )
    disk = arm.resource(machine.private.get("os_disk"))
    content = disk_content(disk) if disk is not None else None
    boots = content["guest"]["boots"] if content is not None else 0
    stem = f"bootdiagnostics-{machine.properties['vmId']}/{machine.name}.{machine.properties['vmId']}"
    log = f"sandbox: {machine.name} booted {boots} times; the guest's console is not simulated\n"
    arm.store.put_blob(f"{stem}.serialconsole.log", log.encode())
    arm.store.put_blob(f"{stem}.screenshot.bmp", b"BM")
    shown = {
        "consoleScreenshotBlobUri": account_url(arm, call.base, f"{stem}.screenshot.bmp"),
        "serialConsoleLogBlobUri": account_url(arm, call.base, f"{stem}.serialconsole.log"),
    }
    return Response(200, {"content-type": JSON_TYPE}, pretty(shown))


MACHINES.actions |= {
    "reimage": reimage,
    "converttomanageddisks": convert,
    "performmaintenance": perform_maintenance,
    "retrievebootdiagnosticsdata": boot_diagnostics,
}
