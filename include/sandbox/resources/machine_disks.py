"""A machine's disks: made, attached, changed and let go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..content import DISK, Origin
from ..registry import field, invalid, one_of, required
from ..store import Resource
from ..wire import ArmError, Json
from .disks import new_disk

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

CACHING = ("None", "ReadOnly", "ReadWrite")


def attachable(arm: Sandbox, id: str | None, location: str, machine_id: str, target: str) -> Resource:
    disk = arm.resource(id, DISK)
    if id is None:
        raise invalid(f"Required parameter '{target}' is missing (null).", target)
    if disk is None:
        from .images import arm_not_found

        raise arm_not_found(id)
    owner = disk.body.get("managedBy")
    if owner and owner.lower() != machine_id.lower():
        raise ArmError(409, "ConflictingUserInput", f"Disk '{disk.name}' cannot be attached as the disk is already owned by VM '{owner}'.")
    if disk.location != location:
        raise ArmError(
            409, "OperationNotAllowed", f"Disk {disk.name} is in region {disk.location} and cannot be attached to a VM in {location}."
        )
    if disk.properties.get("diskState") == "ActiveSAS":
        raise ArmError(409, "OperationNotAllowed", f"Cannot attach disk {disk.name} while it has an active shared access signature.")
    return disk


def storage_profile(arm: Sandbox, call: Call, body: Json, machine: Resource, origin: Origin, reference: Json | None, option: str) -> Json:
    """storageProfile, with the disks that it asks for made and attached."""
    profile = body["properties"]["storageProfile"]
    given = profile.get("osDisk") or {}
    shown: Json = {"imageReference": reference} if reference is not None else {}
    group = call.id.split("/providers/")[0]
    number = arm.guid("disk", call.id, arm.count("disk")).replace("-", "")
    content = origin.content
    if option == "Attach":
        os_resource = arm.resource(origin.id, DISK)
        assert os_resource is not None
    else:
        size = field(given, "diskSizeGB", int) or content["size_gb"]
        if size < content["size_gb"]:
            raise invalid(
                f"The specified disk size {size} GB is smaller than the size of the corresponding disk in the VM image: "
                f"{content['size_gb']} GB. "
                "This is not allowed. Please choose equal or greater size or do not specify an explicit size.",
                "osDisk.diskSizeGB",
            )
        name = given.get("name") or f"{call.name}_OsDisk_1_{number}"
        sku = field(given, "managedDisk.storageAccountType", str, "Premium_LRS")
        own = dict(content)
        own["security"] = machine.private["security"]
        os_resource = new_disk(
            arm,
            f"{group}/providers/{DISK}/{name}",
            DISK,
            machine.location,
            sku=sku,
            size_gb=size,
            creation={
                "createOption": "FromImage",
                **({"galleryImageReference": {"id": origin.id}} if origin.kind == "version" else {}),
            },
            content=own,
            tags=machine.body.get("tags"),
        )
    machine.private["os_disk"] = os_resource.id
    caching = one_of(given, "caching", CACHING) or ("ReadWrite" if option != "Attach" else "None")
    shown["osDisk"] = {
        "osType": content["os"],
        "name": os_resource.name,
        "createOption": option,
        "caching": caching,
        "managedDisk": {"storageAccountType": os_resource.body["sku"]["name"], "id": os_resource.id},
        "deleteOption": one_of(given, "deleteOption", ("Delete", "Detach")) or "Detach",
        "diskSizeGB": os_resource.properties["diskSizeGB"],
    }
    wanted = list(field(profile, "dataDisks", list, []))
    named = {one.get("lun") for one in wanted}
    # an image's data disks come along unasked
    wanted += [{"lun": one["lun"], "createOption": "FromImage"} for one in origin.data if one["lun"] not in named]
    shown["dataDisks"] = [data_disk(arm, call, machine, one, origin) for one in wanted]
    if len({one["lun"] for one in shown["dataDisks"]}) != len(wanted):
        raise invalid("A LUN can be used by one data disk only.", "dataDisk.lun")
    attach(arm, machine, [os_resource.id, *(one["managedDisk"]["id"] for one in shown["dataDisks"])])
    if profile.get("diskControllerType"):
        shown["diskControllerType"] = profile["diskControllerType"]
    return shown


def data_disk(arm: Sandbox, call: Call, machine: Resource, given: Json, origin: Origin | None) -> Json:
    lun = required(given, "lun", int, target="dataDisk.lun")
    option = one_of(given, "createOption", ("Empty", "Attach", "FromImage", "Copy", "Restore"))
    if option is None:
        required(given, "createOption", target="dataDisk.createOption")
    sku = field(given, "managedDisk.storageAccountType", str, "Premium_LRS")
    caching = one_of(given, "caching", CACHING) or "None"
    if option == "Attach":
        disk = attachable(arm, field(given, "managedDisk.id"), machine.location, machine.id, "dataDisk.managedDisk.id")
    else:
        size = field(given, "diskSizeGB", int)
        if option == "FromImage":
            source = next((one for one in (origin.data if origin else []) if one["lun"] == lun), None)
            if source is None:
                raise invalid(
                    f"StorageProfile.dataDisks.lun does not have required value(s) for image specified in storage profile: {lun}.",
                    "dataDisk.lun",
                )
            size = size or source["size_gb"]
            if size < source["size_gb"]:
                raise invalid("Disks or snapshot cannot be resized down.", "dataDisk.diskSizeGB")
            caching = one_of(given, "caching", CACHING) or source["caching"]
        if size is None:
            raise invalid("Required parameter 'dataDisk.diskSizeGB' is missing (null).", "dataDisk.diskSizeGB")
        number = arm.guid("disk", call.id, lun, arm.count("disk")).replace("-", "")
        name = given.get("name") or f"{machine.name}_disk{lun + 2}_{number}"
        disk = new_disk(
            arm,
            f"{call.id.split('/providers/')[0]}/providers/{DISK}/{name}",
            DISK,
            machine.location,
            sku=sku,
            size_gb=size,
            creation={"createOption": "Empty" if option == "Empty" else "FromImage"},
            content=None,
            tags=machine.body.get("tags"),
        )
    return {
        "lun": lun,
        "name": disk.name,
        "createOption": option,
        "caching": caching,
        "managedDisk": {"storageAccountType": disk.body["sku"]["name"], "id": disk.id},
        "deleteOption": one_of(given, "deleteOption", ("Delete", "Detach")) or "Detach",
        "diskSizeGB": disk.properties["diskSizeGB"],
        "toBeDetached": False,
    }


def attach(arm: Sandbox, machine: Resource, ids: list[str]) -> None:
    """Attach disks: the last thing that happens, when nothing can be refused any more."""
    for id in ids:
        disk = arm.resource(id, DISK)
        assert disk is not None
        disk.body["managedBy"] = machine.id
        disk.properties["diskState"] = "Reserved" if machine.private["power"] == "deallocated" else "Attached"
        arm.store.touch(disk)


def change_disks(arm: Sandbox, call: Call, resource: Resource, wanted: list[Json]) -> None:
    """The list of data disks is full desired state: what is missing from it is detached, what is new is made or attached."""
    profile = resource.properties["storageProfile"]
    old = {one["lun"]: one for one in profile["dataDisks"]}
    kept = []
    new = []
    for one in wanted:
        lun = required(one, "lun", int, target="dataDisk.lun")
        if lun in old and not one.get("toBeDetached"):
            found = old.pop(lun)
            found |= {key: one[key] for key in ("caching", "deleteOption") if one.get(key) is not None}
            kept.append(found)
        elif lun not in old:
            kept.append(data_disk(arm, call, resource, one, None))
            new.append(kept[-1]["managedDisk"]["id"])
    attach(arm, resource, new)
    for one in old.values():
        detach(arm, one["managedDisk"]["id"])
    profile["dataDisks"] = kept


def detach(arm: Sandbox, id: str) -> None:
    disk = arm.resource(id, DISK)
    if disk is not None:
        disk.body.pop("managedBy", None)
        disk.properties["diskState"] = "Unattached"
        arm.store.touch(disk)


def without_disk_ids(body: Json) -> Json:
    """The first answer of a PUT: managedDisk.id appears only when the machine is there."""
    profile = body["properties"]["storageProfile"]

    def bare(one: Json) -> Json:
        if one["createOption"] == "Attach":
            return one
        return {**one, "managedDisk": {"storageAccountType": one["managedDisk"]["storageAccountType"]}}

    shown = {**profile, "osDisk": bare(profile["osDisk"]), "dataDisks": [bare(one) for one in profile["dataDisks"]]}
    return {**body, "properties": {**body["properties"], "storageProfile": shown}}


def let_go(arm: Sandbox, resource: Resource) -> None:
    """The machine goes: its disks go with it or are detached, as their deleteOption says."""
    profile = resource.properties["storageProfile"]
    for one in (profile["osDisk"], *profile["dataDisks"]):
        id = (one.get("managedDisk") or {}).get("id") or (resource.private["os_disk"] if one is profile["osDisk"] else None)
        disk = arm.resource(id, DISK)
        if disk is not None and one.get("deleteOption") == "Delete":
            arm.store.drop(disk)
        elif disk is not None:
            detach(arm, disk.id)
