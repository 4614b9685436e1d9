"""What is on a disk, and how it travels: from platform images to disks, machines, snapshots, managed images and gallery versions.

Content of an OS disk is a JSON object: {"os": "Linux"|"Windows", "generation": "V1"|"V2", "architecture": "x64"|"Arm64", "security":
"Standard"|"TrustedLaunch"|"ConfidentialVM", "size_gb", "os_name", "os_version", "guest": {…see guest.py}, "platform"?: [publisher, offer,
sku, version] of the platform image that it descends from}. A data disk has no content.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import guest
from .wire import ArmError, Json

if TYPE_CHECKING:
    from .sandbox import Sandbox
    from .store import Resource

MACHINE = "Microsoft.Compute/virtualMachines"
DISK = "Microsoft.Compute/disks"
SNAPSHOT = "Microsoft.Compute/snapshots"
DISK_RESTORE_POINT = "Microsoft.Compute/restorePointCollections/restorePoints/diskRestorePoints"
IMAGE = "Microsoft.Compute/images"
GALLERY = "Microsoft.Compute/galleries"
DEFINITION = "Microsoft.Compute/galleries/images"
APPLICATION = "Microsoft.Compute/galleries/applications"
APPLICATION_VERSION = "Microsoft.Compute/galleries/applications/versions"
VERSION = "Microsoft.Compute/galleries/images/versions"


@dataclass
class Origin:
    """Something an image or a machine can be made from.

    `state`: Generalized, Specialized, or None where the thing itself does not say (disks and snapshots). `data`: {"lun", "size_gb",
    "caching"} per data disk. `plan`: the purchase plan that it is sold with, {"name", "product", "publisher"}; of what was captured, its
    definition's.
    """

    kind: str
    id: str
    location: str
    content: Json
    state: str | None
    caching: str = "ReadWrite"
    storage: str = "Premium_LRS"
    data: list[Json] = field(default_factory=list)
    supports_trusted_launch: bool = False
    plan: Json | None = None


def of_platform(arm: Sandbox, key: tuple[str, str, str], version: str, location: str) -> Origin:
    """A marketplace image."""
    from .resources.catalogue import skus

    sku = skus(arm)[key]
    content = {
        "os": sku.os_type,
        "generation": sku.generation,
        "architecture": sku.architecture,
        "security": "Standard",
        "size_gb": sku.size_gb,
        "os_name": sku.os_name,
        "os_version": sku.os_version,
        "guest": guest.fresh(sku.os_type),
        "platform": [*key, version],
    }
    id = ":".join((*key, version))
    plan = dict(zip(("name", "product", "publisher"), sku.plan, strict=True)) if sku.plan else None
    return Origin("platform", id, location, content, "Generalized", supports_trusted_launch=bool(sku.security), plan=plan)


def disk_content(disk: Resource) -> Json | None:
    found = disk.private.get("content")
    return found if isinstance(found, dict) else None


def of_machine(arm: Sandbox, machine: Resource) -> Origin:
    """A machine with all its disks, as it is now."""
    profile = machine.properties["storageProfile"]
    disk = arm.resource(machine.private.get("os_disk"))
    content = disk_content(disk) if disk is not None else None
    if disk is None or content is None:
        raise ArmError(409, "OperationNotAllowed", f"The virtual machine '{machine.name}' has no OS disk.")
    data = []
    for one in profile.get("dataDisks", []):
        attached = arm.resource(one["managedDisk"]["id"] if "managedDisk" in one else one["vhd"]["uri"])
        size = attached.properties["diskSizeGB"] if attached is not None else one.get("diskSizeGB", 1)
        data.append(
            {"lun": one["lun"], "size_gb": size, "caching": one.get("caching", "None"), "id": attached.id if attached is not None else None}
        )
    state = "Generalized" if machine.private.get("generalized") else "Specialized"
    caching = profile["osDisk"].get("caching", "ReadWrite")
    storage = profile["osDisk"].get("managedDisk", {}).get("storageAccountType", "Standard_LRS")
    size = disk.properties["diskSizeGB"]
    return Origin("machine", machine.id, machine.location, {**deepcopy(content), "size_gb": size}, state, caching, storage, data)


def of_disk(disk: Resource) -> Origin | None:
    """A disk or snapshot with an operating system on it; None for one without."""
    content = disk_content(disk)
    if content is None:
        return None
    kind = "snapshot" if disk.type == SNAPSHOT else "disk"
    storage = str((disk.body.get("sku") or {}).get("name", "Standard_LRS"))
    return Origin(kind, disk.id, disk.location, {**deepcopy(content), "size_gb": disk.properties["diskSizeGB"]}, None, storage=storage)


def of_stored(resource: Resource, kind: str) -> Origin:
    """A managed image or gallery version, which keep their origin as data."""
    kept: dict[str, Any] = resource.private["origin"]
    return Origin(
        kind,
        resource.id,
        resource.location,
        deepcopy(kept["content"]),
        kept["state"],
        kept["caching"],
        kept.get("storage", "Premium_LRS"),
        deepcopy(kept["data"]),
        bool(kept.get("supports_trusted_launch")),
    )


def keep(origin: Origin, state: str) -> Json:
    """An origin as data, for an image or a version."""
    return {
        "content": deepcopy(origin.content),
        "state": state,
        "caching": origin.caching,
        "storage": origin.storage,
        "data": deepcopy(origin.data),
        "supports_trusted_launch": origin.supports_trusted_launch,
        "kind": origin.kind,
        "id": origin.id,
    }
