"""A machine's disks: made, attached, changed and let go."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from ..content import DISK, SNAPSHOT, Origin, disk_content
from ..registry import arm_not_found, field, invalid, one_of, required
from ..store import Resource
from ..wire import ArmError, Json, stamp
from . import vhds
from .disk_sources import restore_point
from .disks import fill, new_disk
from .encryption_sets import check_encryption_set
from .marketplace import platform_id
from .sizes import find_size

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

CACHING = ("None", "ReadOnly", "ReadWrite")


def attachable(arm: Sandbox, id: str | None, location: str, machine_id: str, target: str, machine: Resource | None = None) -> Resource:
    """A managed disk that may be attached to that machine. Raises ArmError where it may not."""
    disk = arm.resource(id, DISK)
    if id is None:
        raise invalid(f"Required parameter '{target}' is missing (null).", target)
    if disk is None:
        raise arm_not_found(id)
    owner = disk.body.get("managedBy")
    if owner and owner.lower() != machine_id.lower():
        raise ArmError(409, "ConflictingUserInput", f"Disk '{disk.name}' cannot be attached as the disk is already owned by VM '{owner}'.")
    if disk.location != location:
        raise ArmError(
            409, "OperationNotAllowed", f"Disk {disk.name} is in region {disk.location} and cannot be attached to a VM in {location}."
        )
    zones, zone = (machine.body.get("zones") if machine is not None else None) or [], disk.body.get("zones") or []
    if machine is not None and zone and zone != zones:
        raise ArmError(
            400,
            "BadRequest",
            f"Disk {disk.name} cannot be attached to the VM because it is not in zone '{','.join(zones)}'.",
            target=target,
        )
    if disk.properties.get("diskState") in ("ActiveSAS", "ReadyToUpload", "ActiveUpload"):
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Cannot attach disk {disk.name} to a VM because the disk is in state {disk.properties['diskState']}.",
        )
    return disk


def attached_os(arm: Sandbox, given: Json, location: str, machine_id: str) -> Origin:
    """The OS disk that a machine is made with, not from: a managed disk or a VHD."""
    url = field(given, "vhd.uri")
    if url is not None:
        vhd = vhds.at(arm, vhds.check_url(url, "osDisk.vhd.uri"), location, required(given, "osType", target="osDisk.osType"), "V1")
        content, disk, storage = disk_content(vhd), vhd, "Standard_LRS"
    else:
        disk = attachable(arm, field(given, "managedDisk.id"), location, machine_id, "osDisk.managedDisk.id")
        content, storage = disk_content(disk), disk.body["sku"]["name"]
    if content is None and given.get("osType"):  # an empty disk boots into nothing, but Azure does not look
        generation = disk.properties.get("hyperVGeneration", "V1")
        security = field(disk.properties, "securityProfile.securityType", str, "Standard")
        content = disk.private["content"] = vhds.stated(
            str(given["osType"]),
            generation,
            int(disk.properties["diskSizeGB"]),
            security="TrustedLaunch" if security == "TrustedLaunch" else "Standard",
            blank=True,
        )
    if content is None:
        raise invalid("The disk to attach as OS disk holds no operating system.", "osDisk.managedDisk.id")
    plan = disk.properties.get("purchasePlan")
    return Origin("disk", disk.id, location, content, "Specialized", given.get("caching") or "None", storage, plan=plan)


def default_storage(machine: Resource) -> str:
    """Premium where the size can, Standard where it cannot (recorded: Standard_D2_v2)."""
    return "Premium_LRS" if find_size(machine.properties["hardwareProfile"]["vmSize"])[1].premium else "Standard_LRS"


def storage_profile(arm: Sandbox, call: Call, body: Json, machine: Resource, origin: Origin, reference: Json | None, option: str) -> Json:
    """storageProfile, with the disks that it asks for made and attached."""
    profile = body["properties"]["storageProfile"]
    given = profile.get("osDisk") or {}
    shown: Json = {"imageReference": reference} if reference is not None else {}
    shown["osDisk"] = _os_disk(arm, call, machine, origin, given, option)
    wanted = list(field(profile, "dataDisks", list, []))
    named = {one.get("lun") for one in wanted}
    # an image's data disks come along unasked
    wanted += [{"lun": one["lun"], "createOption": "FromImage"} for one in origin.data if one["lun"] not in named]
    shown["dataDisks"] = [data_disk(arm, call, machine, one, origin, bool(given.get("vhd"))) for one in wanted]
    check_luns(shown["dataDisks"], machine)
    attach(arm, machine, [machine.private["os_disk"], *filter(None, map(_id, shown["dataDisks"]))])
    if profile.get("diskControllerType") or origin.content["generation"] == "V2":
        shown["diskControllerType"] = profile.get("diskControllerType") or "SCSI"
    return shown


def check_luns(disks: list[Json], machine: Resource) -> None:
    """Raises ArmError for a LUN used twice, and for more disks than the size takes."""
    if len({one["lun"] for one in disks}) != len(disks):
        raise invalid("A LUN can be used by one data disk only.", "dataDisk.lun")
    _, size = find_size(machine.properties["hardwareProfile"]["vmSize"])
    if len(disks) > size.disks:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The maximum number of data disks allowed to be attached to a VM of this size is {size.disks}.",
            target="dataDisks",
        )


def _os_disk(arm: Sandbox, call: Call, machine: Resource, origin: Origin, given: Json, option: str) -> Json:
    content = origin.content
    ephemeral = field(given, "diffDiskSettings", dict)
    url = field(given, "vhd.uri")
    if option == "Attach":
        disk = arm.resource(origin.id)
        assert disk is not None
    else:
        size = field(given, "diskSizeGB", int) or content["size_gb"]
        if size < content["size_gb"]:
            raise invalid(
                f"The specified disk size {size} GB is smaller than the size of the corresponding disk in the VM image: "
                f"{content['size_gb']} GB. "
                "This is not allowed. Please choose equal or greater size or do not specify an explicit size.",
                "osDisk.diskSizeGB",
            )
        own = {**deepcopy(content), "security": machine.private["security"]}
        if url is not None:
            disk = vhds.add(arm, vhds.check_url(url, "osDisk.vhd.uri"), machine.location, size, own)
        else:
            check_ephemeral(ephemeral, given)
            number = arm.guid("disk", call.id, arm.count("disk")).replace("-", "")
            disk = _new_managed(
                arm,
                call,
                machine,
                given.get("name") or f"{call.name}_OsDisk_1_{number}",
                field(given, "managedDisk", dict, {}),
                size,
                _from_image(call, origin),
                own,
                default="Standard_LRS" if ephemeral else None,
            )
    machine.private["os_disk"] = disk.id
    shown: Json = {"osType": content["os"]}
    if ephemeral is not None:
        shown["diffDiskSettings"] = {"option": "Local", "placement": ephemeral.get("placement") or "CacheDisk"}
    shown["name"] = given.get("name") or disk.name
    shown["createOption"] = option
    if url is not None:
        shown["vhd"] = {"uri": url}
    shown["caching"] = field(given, "caching") or ("ReadOnly" if ephemeral else "ReadWrite" if option != "Attach" else "None")
    if given.get("writeAcceleratorEnabled") is not None:
        shown["writeAcceleratorEnabled"] = given["writeAcceleratorEnabled"]
    if url is None:
        shown["managedDisk"] = managed_reference(disk)
    shown["deleteOption"] = field(given, "deleteOption") or ("Delete" if ephemeral else "Detach")
    shown["diskSizeGB"] = disk.properties["diskSizeGB"]
    return shown


def check_ephemeral(settings: Json | None, given: Json) -> None:
    """Raises ArmError where an ephemeral OS disk cannot be as asked for (ephemeral-os-disks.md)."""
    if settings is None:
        return
    if required(settings, "option", target="osDisk.diffDiskSettings.option") != "Local":
        raise invalid(f"The value '{settings['option']}' of diffDiskSettings.option is not valid.", "osDisk.diffDiskSettings.option")
    if given.get("caching") not in (None, "ReadOnly"):
        raise ArmError(
            409, "OperationNotAllowed", "OS Disk caching must be ReadOnly when diffDiskSettings is set.", target="osDisk.caching"
        )


def _from_image(call: Call, origin: Origin) -> Json:
    if origin.kind == "version":
        return {"createOption": "FromImage", "imageReference": {"id": origin.id}, "galleryImageReference": {"id": origin.id}}
    if origin.kind == "platform":
        return {
            "createOption": "FromImage",
            "imageReference": {"id": _platform(call, origin)},
        }
    return {"createOption": "FromImage", "imageReference": {"id": origin.id}}


def _platform(call: Call, origin: Origin) -> str:
    publisher, offer, sku, version = origin.id.split(":")
    return platform_id(call.subscription, origin.location, (publisher, offer, sku), version)


def managed_reference(disk: Resource) -> Json:
    """managedDisk of a machine's disk."""
    shown: Json = {"storageAccountType": disk.body["sku"]["name"]}
    encryption = field(disk.properties, "encryption.diskEncryptionSetId")
    if encryption is not None:
        shown["diskEncryptionSet"] = {"id": encryption}
    return {**shown, "id": disk.id}


def _new_managed(
    arm: Sandbox,
    call: Call,
    machine: Resource,
    name: str,
    asked: Json,
    size_gb: int,
    creation: Json,
    content: Json | None,
    default: str | None = None,
) -> Resource:
    id = f"{call.id.split('/providers/')[0]}/providers/{DISK}/{name}"
    if arm.resource(id) is not None:
        raise ArmError(
            409,
            "ConflictingUserInput",
            f"Disk {name} already exists in resource group {call.group.upper()}. Only CreateOption.Attach is supported.",
        )
    disk = new_disk(
        arm,
        id,
        DISK,
        machine.location,
        sku=field(asked, "storageAccountType") or default or default_storage(machine),
        size_gb=size_gb,
        creation=creation,
        content=content,
        tags=machine.body.get("tags"),
        zones=machine.body.get("zones"),
    )
    encryption = field(asked, "diskEncryptionSet.id")
    if encryption is not None:
        check_encryption_set(arm, encryption, machine.location)
        disk.properties["encryption"] = {"diskEncryptionSetId": encryption, "type": "EncryptionAtRestWithCustomerKey"}
    return disk


def data_disk(arm: Sandbox, call: Call, machine: Resource, given: Json, origin: Origin | None, unmanaged: bool = False) -> Json:
    """One entry of dataDisks, with its disk made or found."""
    lun = required(given, "lun", int, target="dataDisk.lun")
    if lun < 0 or lun > 63:
        raise invalid(f"The value '{lun}' of parameter 'dataDisk.lun' is out of range. Value '{lun}' must be between '0' and '63'.", "lun")
    option = one_of(given, "createOption", ("Empty", "Attach", "FromImage", "Copy", "Restore"))
    if option is None:
        required(given, "createOption", target="dataDisk.createOption")
    caching = field(given, "caching") or "None"
    url = field(given, "vhd.uri")
    shown: Json = {"lun": lun}
    if option == "Attach":
        if url is not None:
            disk = vhds.at(arm, vhds.check_url(url, "dataDisk.vhd.uri"), machine.location, None, "V1")
        else:
            disk = attachable(arm, field(given, "managedDisk.id"), machine.location, machine.id, "dataDisk.managedDisk.id", machine)
            if disk.body.get("managedBy"):
                raise ArmError(409, "AttachDiskWhileBeingDetached", f"Disk '{disk.name}' is attached to VM '{machine.name}' already.")
    else:
        size, creation, content = _contents(arm, call, given, str(option), lun, origin, machine)
        if option == "FromImage" and origin is not None:
            caching = field(given, "caching") or next(one["caching"] for one in origin.data if one["lun"] == lun)
        if "sourceResource" in creation:
            shown["sourceResource"] = creation.pop("sourceResource")
        if url is not None or (unmanaged and option == "FromImage" and not given.get("managedDisk")):
            url = url or f"{machine.private['os_disk'].rsplit('/', 1)[0]}/{machine.name}-datadisk-{lun}.vhd"
            disk = vhds.add(arm, vhds.check_url(url, "dataDisk.vhd.uri"), machine.location, size, content)
        else:
            number = arm.guid("disk", call.id, lun, arm.count("disk")).replace("-", "")
            name = given.get("name") or f"{machine.name}_disk{lun + 2}_{number}"
            disk = _new_managed(arm, call, machine, name, field(given, "managedDisk", dict, {}), size, creation, content)
    shown |= {"name": given.get("name") or disk.name, "createOption": option}
    if url is not None:
        shown["vhd"] = {"uri": url}
    shown["caching"] = caching
    if given.get("writeAcceleratorEnabled") is not None:
        shown["writeAcceleratorEnabled"] = given["writeAcceleratorEnabled"]
    if url is None:
        shown["managedDisk"] = managed_reference(disk)
    shown["deleteOption"] = field(given, "deleteOption") or "Detach"
    shown["diskSizeGB"] = disk.properties["diskSizeGB"]
    shown["toBeDetached"] = False
    return shown


def _contents(
    arm: Sandbox, call: Call, given: Json, option: str, lun: int, origin: Origin | None, machine: Resource
) -> tuple[int, Json, Json | None]:
    """Size, creationData and content of a data disk that is made."""
    size = field(given, "diskSizeGB", int)
    creation: Json = {"createOption": option}
    content: Json | None = None
    least = None
    if option == "FromImage":
        source = next((one for one in (origin.data if origin else []) if one["lun"] == lun), None)
        if source is None:
            raise invalid(
                f"StorageProfile.dataDisks.lun does not have required value(s) for image specified in storage profile: {lun}.",
                "dataDisk.lun",
            )
        least = int(source["size_gb"])
    elif option == "Restore":
        id = required(given, "sourceResource.id", target="dataDisk.sourceResource.id")
        kept = restore_point(arm, call, id, machine.location)
        least, content = int(kept.private["size"]), deepcopy(disk_content(kept))
        creation |= {"sourceResourceId": id, "sourceResource": {"id": id}}
    elif option == "Copy":
        id = required(given, "sourceResource.id", target="dataDisk.sourceResource.id")
        found = arm.resource(id)
        if found is None or found.type not in (DISK, SNAPSHOT):
            raise arm_not_found(id)
        least, content = int(found.properties["diskSizeGB"]), deepcopy(disk_content(found))
        creation |= {"sourceResourceId": id, "sourceUniqueId": found.properties["uniqueId"], "sourceResource": {"id": id}}
    if least is not None:
        size = size or least
        if size < least:
            raise invalid("Disks or snapshot cannot be resized down.", "dataDisk.diskSizeGB")
    if size is None:
        raise invalid("Required parameter 'dataDisk.diskSizeGB' is missing (null).", "dataDisk.diskSizeGB")
    return size, creation, content


def _id(one: Json) -> str | None:
    """The managed disk's id of an entry; None for an unmanaged one."""
    found = (one.get("managedDisk") or {}).get("id")
    return str(found) if found else None


def managed_ids(machine: Resource) -> list[str]:
    """The ids of a machine's managed disks, the OS disk first."""
    profile = machine.properties["storageProfile"]
    return [id for id in map(_id, (profile["osDisk"], *profile["dataDisks"])) if id is not None]


def attach(arm: Sandbox, machine: Resource, ids: list[str]) -> None:
    """Attach disks: the last thing that happens, when nothing can be refused any more."""
    for id in ids:
        disk = arm.resource(id, DISK)
        if disk is None:
            continue  # a VHD
        disk.body["managedBy"] = machine.id
        disk.properties["diskState"] = "Reserved" if machine.private["power"] == "deallocated" else "Attached"
        disk.properties["LastOwnershipUpdateTime"] = stamp(arm.now)
        arm.store.touch(disk)


def change_disks(arm: Sandbox, call: Call, resource: Resource, wanted: list[Json]) -> None:
    """The list of data disks is full desired state: what is missing from it is detached (it goes when the operation ends), what is new
    is made or attached."""
    profile = resource.properties["storageProfile"]
    old = {one["lun"]: one for one in profile["dataDisks"] if not one["toBeDetached"]}
    kept = []
    new = []
    for one in wanted:
        lun = required(one, "lun", int, target="dataDisk.lun")
        same = lun in old and _same(old[lun], one)
        if same and not one.get("toBeDetached"):
            found = dict(old.pop(lun))
            found |= {key: one[key] for key in ("caching", "deleteOption", "writeAcceleratorEnabled") if one.get(key) is not None}
            _grow(arm, found, one)
            kept.append(found)
        elif same:
            kept.append(
                {**old.pop(lun), "toBeDetached": True, **({"detachOption": one["detachOption"]} if one.get("detachOption") else {})}
            )
        elif lun in old:
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"A disk at LUN {lun} already exists. Please detach it, or attach the new disk at another LUN.",
                target="dataDisk.lun",
            )
        else:
            kept.append(data_disk(arm, call, resource, one, None))
            new.append(kept[-1])
    check_luns(kept, resource)
    attach(arm, resource, [id for id in map(_id, new) if id is not None])
    profile["dataDisks"] = sorted([*kept, *({**one, "toBeDetached": True} for one in old.values())], key=lambda one: int(one["lun"]))


def change_os_disk(arm: Sandbox, machine: Resource, given: Json) -> None:
    """What may change of the OS disk: caching, deleteOption, its size, and, while the machine is stopped, which disk it is."""
    shown = machine.properties["storageProfile"]["osDisk"]
    id = field(given, "managedDisk.id")
    if id is not None and id.lower() != str(_id(shown)).lower():
        _swap_os_disk(arm, machine, id, given.get("name"))
    size = field(given, "diskSizeGB", int)
    if size is not None and size != shown["diskSizeGB"]:
        if size < shown["diskSizeGB"]:
            raise invalid("Disks or snapshot cannot be resized down.", "osDisk.diskSizeGB")
        if machine.private.get("power") != "deallocated":
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"The OS disk of VM '{machine.name}' cannot be resized while the VM is allocated. Please deallocate the VM and retry.",
                target="osDisk.diskSizeGB",
            )
        _grow(arm, shown, given)
    shown["caching"] = field(given, "caching") or shown["caching"]
    shown["deleteOption"] = field(given, "deleteOption") or shown["deleteOption"]


def _swap_os_disk(arm: Sandbox, machine: Resource, id: str, name: str | None) -> None:
    disk = attachable(arm, id, machine.location, machine.id, "osDisk.managedDisk.id", machine)
    shown = machine.properties["storageProfile"]["osDisk"]
    content = disk_content(disk)
    if content is None or content["os"] != shown["osType"]:
        raise invalid("The disk to swap in as OS disk holds no operating system of the machine's type.", "osDisk.managedDisk.id")
    if name is not None and name.lower() != disk.name.lower():
        raise invalid(f"The name '{name}' is not that of the disk '{disk.id}'.", "osDisk.name")
    old = arm.resource(_id(shown), DISK)
    if old is not None:
        detach(arm, old)
    shown |= {"name": disk.name, "managedDisk": managed_reference(disk), "diskSizeGB": disk.properties["diskSizeGB"]}
    machine.private["os_disk"] = disk.id
    attach(arm, machine, [disk.id])


def _same(old: Json, given: Json) -> bool:
    id = field(given, "managedDisk.id")
    name = given.get("name")
    return (id is None or id.lower() == str(_id(old)).lower()) and (name is None or str(name).lower() == old["name"].lower())


def _grow(arm: Sandbox, shown: Json, given: Json) -> None:
    size = field(given, "diskSizeGB", int)
    disk = arm.resource(_id(shown), DISK)
    if size is None or disk is None or size == shown["diskSizeGB"]:
        return
    if size < shown["diskSizeGB"]:
        raise invalid("Disks or snapshot cannot be resized down.", "dataDisk.diskSizeGB")
    shown["diskSizeGB"] = disk.properties["diskSizeGB"] = size
    fill(arm, disk)
    arm.store.touch(disk)


def finish_detaching(arm: Sandbox, machine: Resource) -> bool:
    """What is to be detached goes. Whether anything was."""
    profile = machine.properties["storageProfile"]
    going = [one for one in profile["dataDisks"] if one["toBeDetached"]]
    for one in going:
        disk = arm.resource(_id(one), DISK)
        if disk is not None and one["deleteOption"] == "Delete":
            arm.store.drop(disk)
        elif disk is not None:
            detach(arm, disk)
    profile["dataDisks"] = [one for one in profile["dataDisks"] if not one["toBeDetached"]]
    return bool(going)


def detach(arm: Sandbox, disk: Resource) -> None:
    disk.body.pop("managedBy", None)
    disk.properties["diskState"] = "Unattached"
    disk.properties["LastOwnershipUpdateTime"] = stamp(arm.now)
    arm.store.touch(disk)


def allocated(profile: Json) -> Json:
    """storageProfile of a deallocated machine: it does not show what only its disks know (recorded: azure-cli test_vm_generic_update)."""

    def bare(one: Json) -> Json:
        if "managedDisk" not in one:
            return one
        kept = {name: value for name, value in one.items() if name != "diskSizeGB"}
        return {**kept, "managedDisk": {name: value for name, value in one["managedDisk"].items() if name != "storageAccountType"}}

    return {**profile, "osDisk": bare(profile["osDisk"]), "dataDisks": [bare(one) for one in profile["dataDisks"]]}


def first_answer(shown: Json, request: Json, before: set[str] | None = None) -> Json:
    """The answer of a PUT that makes disks: their ids, and names that the client did not choose, appear only when they are there. Those
    that the client named were (recorded: azure-cli test_vm_os_disk_swap).

    `before`: the ids that were there already, lower case.
    """
    profile = shown["properties"]["storageProfile"]
    named = {str(one.get("name", "")).lower() for one in (field(request, "properties.storageProfile.dataDisks", list, []))}
    named.add(str(field(request, "properties.storageProfile.osDisk.name", str, "")).lower())
    there = set(before or ())
    if (swapped := field(request, "properties.storageProfile.osDisk.managedDisk.id")) is not None:
        there.add(swapped.lower())

    def bare(one: Json) -> Json:
        if one["createOption"] == "Attach" or str(_id(one)).lower() in there:
            return one
        kept = {name: value for name, value in one.items() if name != "name" or value.lower() in named}
        if "managedDisk" in one:
            kept["managedDisk"] = {name: value for name, value in one["managedDisk"].items() if name != "id"}
        elif before is None and "lun" not in one:
            kept.pop("diskSizeGB", None)
        return kept

    made = {**profile, "osDisk": bare(profile["osDisk"]), "dataDisks": [bare(one) for one in profile["dataDisks"]]}
    return {**shown, "properties": {**shown["properties"], "storageProfile": made}}


def let_go(arm: Sandbox, resource: Resource) -> None:
    """The machine goes: its disks go with it or are detached, as their deleteOption says. VHDs stay."""
    profile = resource.properties["storageProfile"]
    for one in (profile["osDisk"], *profile["dataDisks"]):
        disk = arm.resource(_id(one), DISK)
        if disk is not None and one.get("deleteOption") == "Delete":
            arm.store.drop(disk)
        elif disk is not None:
            detach(arm, disk)
