"""Managed images: always generalized, from a generalized machine or from disks and snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..content import DISK, IMAGE, MACHINE, SNAPSHOT, Origin, keep, of_disk, of_machine
from ..events import event
from ..registry import ResourceType, field, one_of, register, required
from ..store import Resource
from ..wire import ArmError, Json, Response
from .groups import location_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox


class ManagedImages(ResourceType):
    name = IMAGE
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.Image", "PATCH": "compute.ImageUpdate"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        if resource is not None:
            return self.update(arm, call, resource, body)
        generation = one_of(body, "properties.hyperVGeneration", ("V1", "V2"))
        machine_id = field(body, "properties.sourceVirtualMachine.id")
        if machine_id is not None:
            origin = self.from_machine(arm, machine_id, location, generation or "V1")
        else:
            if generation is None:
                required(body, "properties.hyperVGeneration", target="hyperVGeneration")
            origin = self.from_disks(arm, body, location, str(generation))
        if origin.content["security"] != "Standard":
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"The operation 'Create Image' is not supported for virtual machines or disks with security type "
                f"'{origin.content['security']}'. "
                "Please use a gallery image version instead.",
            )
        if origin.content["architecture"] == "Arm64":
            raise ArmError(409, "OperationNotAllowed", "The operation 'Create Image' is not supported for the architecture 'Arm64'.")
        os_disk: Json = {"osType": origin.content["os"], "osState": "Generalized", "diskSizeGB": origin.content["size_gb"]}
        source = field(body, "properties.storageProfile.osDisk", dict, {})
        if machine_id is not None:
            machine = arm.resource(machine_id, MACHINE)
            assert machine is not None
            os_disk["managedDisk"] = {"id": machine.private["os_disk"]}
        os_disk |= {key: source[key] for key in ("managedDisk", "snapshot") if key in source}
        os_disk["caching"] = source.get("caching") or origin.caching
        os_disk["storageAccountType"] = source.get("storageAccountType") or origin.storage
        data = []
        for one in origin.data:
            shown: Json = {"lun": one["lun"], "diskSizeGB": one["size_gb"], "caching": one["caching"], "storageAccountType": origin.storage}
            if one.get("id"):
                shown["snapshot" if "/snapshots/" in one["id"].lower() else "managedDisk"] = {"id": one["id"]}
            data.append(shown)
        properties: Json = {"sourceVirtualMachine": {"id": machine_id}} if machine_id is not None else {}
        properties["storageProfile"] = {"osDisk": os_disk, "dataDisks": data}
        if (resilient := field(body, "properties.storageProfile.zoneResilient", bool)) is not None:
            properties["storageProfile"]["zoneResilient"] = resilient
        properties["provisioningState"] = "Creating"
        properties["hyperVGeneration"] = origin.content["generation"]
        made: Json = {"name": call.name, "id": call.id, "type": self.name, "location": location}
        if "tags" in body:
            made["tags"] = body["tags"]
        made["properties"] = properties
        resource = arm.store.add(Resource(call.id, self.name, made, {"origin": keep(origin, "Generalized")}))
        operation = operations.start(arm, call, resource, "images.create")
        return operations.written(arm, call, operation, resource.body, created=True)

    def from_machine(self, arm: Sandbox, id: str, location: str, generation: str) -> Origin:
        machine = arm.resource(id, MACHINE)
        if machine is None:
            raise arm_not_found(id)
        if machine.location != location:
            raise ArmError(
                400,
                "InvalidParameter",
                f"The source virtual machine '{id}' is not in the region '{location}' of the image.",
                target="sourceVirtualMachine.id",
            )
        if not machine.private.get("generalized"):
            raise ArmError(
                409, "OperationNotAllowed", f"The operation 'Create Image' requires the Virtual Machine '{machine.name}' to be Generalized."
            )
        origin = of_machine(arm, machine)
        if origin.content["generation"] != generation:
            raise ArmError(
                400,
                "InvalidParameter",
                f"The hypervisor generation '{generation}' of the image does not match the hypervisor generation "
                f"'{origin.content['generation']}' of the source "
                f"virtual machine '{machine.name}'.",
                target="hyperVGeneration",
            )
        return origin

    def from_disks(self, arm: Sandbox, body: Json, location: str, generation: str) -> Origin:
        source = required(body, "properties.storageProfile.osDisk", dict, target="storageProfile.osDisk")
        os_type = required(source, "osType", target="storageProfile.osDisk.osType")
        if required(source, "osState", target="storageProfile.osDisk.osState") != "Generalized":
            raise ArmError(
                400,
                "InvalidParameter",
                "The value of parameter osDisk.osState is invalid: a managed image is always Generalized.",
                target="osDisk.osState",
            )
        origin = of_disk(self.disk(arm, source, location, "osDisk"))
        if origin is None:
            raise ArmError(
                400, "InvalidParameter", "The OS disk of an image must hold an operating system.", target="storageProfile.osDisk"
            )
        if origin.content["os"] != os_type:
            raise ArmError(
                400,
                "InvalidParameter",
                f"The OS type '{os_type}' does not match that of the source ('{origin.content['os']}').",
                target="osDisk.osType",
            )
        if origin.content["generation"] != generation:
            raise ArmError(
                400,
                "InvalidParameter",
                f"The hypervisor generation '{generation}' does not match that of the source.",
                target="hyperVGeneration",
            )
        for one in field(body, "properties.storageProfile.dataDisks", list, []):
            disk = self.disk(arm, one, location, "dataDisks")
            lun = required(one, "lun", int, target="dataDisks.lun")
            origin.data.append({"lun": lun, "size_gb": disk.properties["diskSizeGB"], "caching": one.get("caching", "None"), "id": disk.id})
        return origin

    def disk(self, arm: Sandbox, source: Json, location: str, where: str) -> Resource:
        id = field(source, "managedDisk.id") or field(source, "snapshot.id")
        if id is None:
            raise ArmError(
                400,
                "InvalidParameter",
                f"Required parameter 'storageProfile.{where}' needs a managedDisk or a snapshot.",
                target=f"storageProfile.{where}",
            )
        disk = arm.resource(id)
        if disk is None or disk.type not in (DISK, SNAPSHOT):
            raise arm_not_found(id)
        if disk.location != location:
            raise ArmError(400, "BadRequest", "An internal execution error occurred")
        return disk

    def update(self, arm: Sandbox, call: Call, resource: Resource, body: Json) -> Response:
        if operations.running(arm, resource) is not None and resource.state == "Deleting":
            raise operations.conflict(resource)
        given = field(body, "properties.sourceVirtualMachine.id")
        own = field(resource.body, "properties.sourceVirtualMachine.id")
        if given is not None and given.lower() != str(own).lower():
            raise ArmError(
                409, "PropertyChangeNotAllowed", "Changing property 'sourceVirtualMachine' is not allowed.", target="sourceVirtualMachine"
            )
        if "tags" in body:
            resource.body["tags"] = body["tags"]
        resource.properties["provisioningState"] = "Updating"
        operation = operations.start(arm, call, resource, "images.update")
        return operations.written(arm, call, operation, resource.body, created=False)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        return self.update(arm, call, resource, call.json())

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
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


@event("images.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        arm.store.drop(resource)


def arm_not_found(id: str) -> ArmError:
    """A 404 for a resource that a request's body names."""
    parts = id.split("/")
    what = "/".join(parts[6:]) if len(parts) > 8 else id
    group = parts[4] if len(parts) > 4 else ""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{what}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


register(ManagedImages())
