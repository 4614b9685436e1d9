"""Managed images: always generalized, from a generalized machine or from disks, snapshots and VHDs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..content import DISK, IMAGE, MACHINE, SNAPSHOT, Origin, keep, of_disk, of_machine
from ..events import event
from ..registry import ResourceType, arm_not_found, field, invalid, register, required
from ..store import Resource
from ..wire import ArmError, Json, Response
from . import vhds
from .disk_access import check_uploaded
from .encryption_sets import check_encryption_set
from .entity_names import check_name
from .groups import location_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

CACHING = ("None", "ReadOnly", "ReadWrite")
GENERATION_SINCE = "2019-03-01"  # hyperVGeneration came with it, and is asked for since where the source does not say


class ManagedImages(ResourceType):
    name = IMAGE
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.Image", "PATCH": "compute.ImageUpdate"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        if resource is not None:
            return self.update(arm, call, resource, body)
        check_name(call.name, "imageName")
        generation = field(body, "properties.hyperVGeneration")
        machine_id = field(body, "properties.sourceVirtualMachine.id")
        if machine_id is not None:
            machine = self.machine(arm, machine_id, location)
            origin = self.from_machine(arm, machine, generation)
            profile = _of_machine(machine, origin)
        else:
            if generation is None and call.api_version >= GENERATION_SINCE:
                generation = self.generation(arm, body)
            origin, profile = self.from_disks(arm, body, location, generation or "V1")
        if origin.content["security"] != "Standard":
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"The operation 'Create Image' is not supported for virtual machines or disks with security type "
                f"'{origin.content['security']}'. "
                "Please use a gallery image version instead.",
            )
        if origin.content["architecture"] == "Arm64":
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Creating an image with {'sourceVirtualMachine' if machine_id is not None else origin.kind} source that has CPU "
                "Architecture 'Arm64' is not supported. Please select a source resource with a supported CPU Architecture: 'x64'.",
            )
        properties: Json = {"sourceVirtualMachine": {"id": machine_id}} if machine_id is not None else {}
        properties["storageProfile"] = profile
        if (resilient := field(body, "properties.storageProfile.zoneResilient", bool)) is not None:
            profile["zoneResilient"] = resilient
        properties["provisioningState"] = "Creating"
        properties["hyperVGeneration"] = origin.content["generation"]
        made: Json = {"name": call.name, "id": call.id, "type": self.name, "location": location}
        for name in ("tags", "extendedLocation"):
            if body.get(name) is not None:
                made[name] = body[name]
        made["properties"] = properties
        resource = arm.store.add(Resource(call.id, self.name, made, {"origin": keep(origin, "Generalized")}))
        operation = operations.start(arm, call, resource, "images.create")
        return operations.written(arm, call, operation, _first_answer(made, body), created=True)

    def machine(self, arm: Sandbox, id: str, location: str) -> Resource:
        machine = arm.resource(id, MACHINE)
        if machine is None:
            raise arm_not_found(id)
        if machine.location != location:
            raise invalid(f"The source virtual machine '{id}' is not in the region '{location}' of the image.", "sourceVirtualMachine.id")
        if not machine.private.get("generalized"):
            raise ArmError(
                409, "OperationNotAllowed", f"The operation 'Create Image' requires the Virtual Machine '{machine.name}' to be Generalized."
            )
        return machine

    def from_machine(self, arm: Sandbox, machine: Resource, generation: str | None) -> Origin:
        origin = of_machine(arm, machine)
        if "diffDiskSettings" in machine.properties["storageProfile"]["osDisk"]:
            raise ArmError(
                409, "OperationNotAllowed", "The operation 'Create Image' is not supported for virtual machines with an ephemeral OS disk."
            )
        if origin.content["generation"] != (generation or "V1"):
            raise invalid(
                f"The hypervisor generation '{generation or 'V1'}' of the image does not match the hypervisor generation "
                f"'{origin.content['generation']}' of the source "
                f"virtual machine '{machine.name}'.",
                "hyperVGeneration",
            )
        return origin

    def generation(self, arm: Sandbox, body: Json) -> str:
        """Of an image that does not say: that of the disk or snapshot that it is made from (the document's text of hyperVGeneration).
        Raises ArmError where that does not say either, and for a blob."""
        paths = ("properties.storageProfile.osDisk.managedDisk.id", "properties.storageProfile.osDisk.snapshot.id")
        source = next((found for path in paths if (found := arm.resource(field(body, path))) is not None), None)
        told = source.properties.get("hyperVGeneration") if source is not None else None
        return str(told or required(body, "properties.hyperVGeneration", target="hyperVGeneration"))

    def from_disks(self, arm: Sandbox, body: Json, location: str, generation: str) -> tuple[Origin, Json]:
        source = required(body, "properties.storageProfile.osDisk", dict, target="storageProfile.osDisk")
        os_type = source["osType"]
        if source["osState"] != "Generalized":
            raise invalid("The value of parameter osDisk.osState is invalid: a managed image is always Generalized.", "osDisk.osState")
        disk, shown = self.disk(arm, source, location, "osDisk", os_type, generation)
        origin = of_disk(disk)
        if origin is None:  # an empty disk, or a snapshot of one, that is said to hold a system: Azure does not look
            content = vhds.stated(os_type, generation, int(disk.properties["diskSizeGB"]), blank=True)
            origin = Origin("disk" if disk.type == DISK else "snapshot", disk.id, disk.location, content, None)
        if origin.content["os"] != os_type:
            raise invalid(f"The OS type '{os_type}' does not match that of the source ('{origin.content['os']}').", "osDisk.osType")
        if origin.content["generation"] != generation:
            raise invalid(f"The hypervisor generation '{generation}' does not match that of the source.", "hyperVGeneration")
        size = field(source, "diskSizeGB", int) or origin.content["size_gb"]
        if size < origin.content["size_gb"]:
            raise invalid("Disks or snapshot cannot be resized down.", "osDisk.diskSizeGB")
        origin.content["size_gb"] = size
        origin.caching = str(field(source, "caching", str, "None"))
        origin.storage = field(source, "storageAccountType", str, origin.storage)
        os_disk: Json = {"osType": os_type, "osState": "Generalized", "diskSizeGB": size, **shown}
        os_disk |= {"caching": origin.caching, "storageAccountType": origin.storage, **self.encryption(arm, source, location)}
        data = []
        for one in field(body, "properties.storageProfile.dataDisks", list, []):
            lun = one["lun"]
            disk, shown = self.disk(arm, one, location, "dataDisks", None, generation)
            size = field(one, "diskSizeGB", int) or disk.properties["diskSizeGB"]
            caching = field(one, "caching", str, "None")
            storage = field(one, "storageAccountType") or (disk.body.get("sku") or {"name": "Standard_LRS"})["name"]
            origin.data.append({"lun": lun, "size_gb": size, "caching": caching, "id": disk.id})
            encryption = self.encryption(arm, one, location)
            data.append({"lun": lun, "diskSizeGB": size, **shown, "caching": caching, "storageAccountType": storage, **encryption})
        if len({one["lun"] for one in data}) != len(data):
            raise invalid("A LUN can be used by one data disk only.", "dataDisks.lun")
        return origin, {"osDisk": os_disk, "dataDisks": data}

    def encryption(self, arm: Sandbox, given: Json, location: str) -> Json:
        """The disk encryption set of an entry, which has to be there."""
        id = field(given, "diskEncryptionSet.id")
        return {"diskEncryptionSet": {"id": check_encryption_set(arm, id, location) and id}} if id is not None else {}

    def disk(self, arm: Sandbox, source: Json, location: str, where: str, os_type: str | None, generation: str) -> tuple[Resource, Json]:
        """What an entry names, and how the image shows it."""
        given = {
            name: value
            for name in ("managedDisk", "snapshot", "blobUri")
            if (value := source.get(name) if name == "blobUri" else field(source, f"{name}.id")) is not None
        }
        if len(given) != 1:
            raise invalid(f"The {where} of an image needs exactly one of managedDisk, snapshot and blobUri.", f"storageProfile.{where}")
        name, id = next(iter(given.items()))
        if name == "blobUri":
            url = vhds.check_url(str(id), f"storageProfile.{where}.blobUri")
            return vhds.at(arm, url, location, os_type, generation), {"blobUri": id}
        disk = arm.resource(id)
        if disk is None or disk.type != (DISK if name == "managedDisk" else SNAPSHOT):
            raise arm_not_found(str(id))
        if disk.location != location:
            raise ArmError(400, "BadRequest", "An internal execution error occurred")
        check_uploaded(disk)
        if disk.private.get("completes_at", 0) > arm.now:
            raise ArmError(409, "OperationNotAllowed", f"The snapshot {disk.name} is still being copied.")
        return disk, {name: {"id": id}}

    def update(self, arm: Sandbox, call: Call, resource: Resource, body: Json) -> Response:
        if operations.running(arm, resource) is not None and resource.state == "Deleting":
            raise operations.conflict(resource)
        for path in (
            "sourceVirtualMachine.id",
            "storageProfile.osDisk.managedDisk.id",
            "storageProfile.osDisk.snapshot.id",
            "storageProfile.osDisk.blobUri",
            "storageProfile.osDisk.osType",
            "hyperVGeneration",
        ):
            given, own = field(body, f"properties.{path}"), field(resource.properties, path)
            if given is not None and given.lower() != str(own).lower():
                name = path.removesuffix(".id")
                raise ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.", target=name)
        if body.get("tags") is not None:
            resource.body["tags"] = body["tags"]
        resource.properties["provisioningState"] = "Updating"
        operation = operations.start(arm, call, resource, "images.update")
        return operations.written(arm, call, operation, resource.body, created=False)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        return self.update(arm, call, resource, call.json())

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        current = operations.running(arm, resource)
        if current is not None and current["kind"] == "images.delete":
            return operations.accepted(arm, call, current)
        users = [
            machine.name
            for machine in arm.store.of_type(resource.subscription, MACHINE).values()
            if machine.state == "Creating" and machine.private.get("image", "").lower() == resource.key
        ]
        if users:
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Operation 'Image Delete' is not allowed since the Virtual Machines '{', '.join(users)}' are being provisioned using "
                f"the Image '{resource.name}'.",
            )
        resource.properties["provisioningState"] = "Deleting"
        operation = operations.start(arm, call, resource, "images.delete", then="images.deleted")
        return operations.accepted(arm, call, operation)


def _of_machine(machine: Resource, origin: Origin) -> Json:
    """storageProfile of an image of a machine: its disks as they are."""
    profile = machine.properties["storageProfile"]

    def place(one: Json) -> Json:
        return {"managedDisk": {"id": one["managedDisk"]["id"]}} if "managedDisk" in one else {"blobUri": one["vhd"]["uri"]}

    shown = profile["osDisk"]
    os_disk: Json = {"osType": origin.content["os"], "osState": "Generalized", "diskSizeGB": origin.content["size_gb"], **place(shown)}
    os_disk |= {"caching": origin.caching, "storageAccountType": origin.storage}
    data = [
        {
            "lun": one["lun"],
            "diskSizeGB": one["diskSizeGB"],
            **place(one),
            "caching": one["caching"],
            "storageAccountType": (one.get("managedDisk") or {}).get("storageAccountType", "Standard_LRS"),
        }
        for one in profile["dataDisks"]
        if not one["toBeDetached"]
    ]
    return {"osDisk": os_disk, "dataDisks": data}


def _first_answer(made: Json, body: Json) -> Json:
    """The answer to the creating PUT: sizes that only managed disks know come later (recorded: azure-cli test_vm_custom_image)."""
    given = {one.get("lun"): one for one in field(body, "properties.storageProfile.dataDisks", list, [])}
    asked = field(body, "properties.storageProfile.osDisk.diskSizeGB", int)
    of_machine = "sourceVirtualMachine" in made["properties"]

    def bare(one: Json, known: Any) -> Json:
        if known is not None or (of_machine and "blobUri" in one):
            return one
        return {name: value for name, value in one.items() if name != "diskSizeGB"}

    profile = made["properties"]["storageProfile"]
    shown = {
        **profile,
        "osDisk": bare(profile["osDisk"], asked),
        "dataDisks": [bare(one, (given.get(one["lun"]) or {}).get("diskSizeGB")) for one in profile["dataDisks"]],
    }
    return {**made, "properties": {**made["properties"], "storageProfile": shown}}


@event("images.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        arm.store.drop(resource)


register(ManagedImages())
