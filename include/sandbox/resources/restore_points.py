"""Restore points: all disks of a machine as they were at one moment, kept in collections; copies of them in other regions.

Shapes: recorded traffic (azure-cli test_copy_vm_restore_point) and the official examples; rules: "Overview of VM restore points"
(virtual-machines-create-restore-points.md); codes and texts of DiskRestorePointUsedByCustomer, VMRestorePointClientError and
DiskRestorePointClientError: restore-point-troubleshooting.md. Their HTTP status is not public: 409 is by analogy with
OperationNotAllowed. Other refusals have no public answer: they are by analogy with those of disks and snapshots.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..authorization import check_linked
from ..content import DISK, DISK_RESTORE_POINT, MACHINE, disk_content
from ..events import event
from ..pages import show
from ..registry import TYPES, ResourceType, arm_not_found, field, invalid, register, required
from ..store import Resource
from ..wire import ArmError, Json, Response, stamp
from .disk_access import begin_access, end_access
from .encryption_sets import check_encryption_set, has_vault
from .groups import location_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

COLLECTION = "Microsoft.Compute/restorePointCollections"
POINT = f"{COLLECTION}/restorePoints"
MOST = 500  # restore points of one machine
# What a disk restore point has of its disk.
_OF_DISK = (
    "osType",
    "hyperVGeneration",
    "purchasePlan",
    "supportedCapabilities",
    "encryption",
    "supportsHibernation",
    "networkAccessPolicy",
    "publicNetworkAccess",
    "diskAccessId",
    "securityProfile",
)
_OF_MACHINE = ("hardwareProfile", "storageProfile", "osProfile", "diagnosticsProfile", "licenseType", "securityProfile")
_UNSUPPORTED = ("UltraSSD_LRS",)


def points_of(arm: Sandbox, collection: Resource) -> list[Resource]:
    return list(arm.store.collection(f"{collection.key}/restorepoints").values())


def disk_points_of(arm: Sandbox, point: Resource) -> list[Resource]:
    return list(arm.store.collection(f"{point.key}/diskrestorepoints").values())


class Collections(ResourceType):
    name = COLLECTION
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.RestorePointCollection", "PATCH": "compute.RestorePointCollectionUpdate"}
    nests = True

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        if resource is not None:
            return self.patch(arm, call, resource)
        id = required(body, "properties.source.id", target="restorePointCollection.source.id")
        source = arm.resource(id)
        if source is None or source.type not in (MACHINE, COLLECTION):
            raise arm_not_found(id)
        check_linked(arm, call, f"{source.type}/read", source.id)
        if source.type == MACHINE and source.location != location:
            raise invalid(
                f"The restore point collection '{call.name}' must be in the location '{source.location}' of its virtual machine. To keep "
                "restore points in another region, name the restore point collection to copy from as its source.",
                "restorePointCollection.location",
            )
        if source.type == COLLECTION and source.properties["source"]["id"].lower().find("/virtualmachines/") < 0:
            raise invalid(f"The restore point collection '{source.name}' has copies only; its own source is to be named.", "source.id")
        made: Json = {"name": call.name, "id": call.id, "type": self.name, "location": location}
        if body.get("tags") is not None:
            made["tags"] = body["tags"]
        properties: Json = {
            "source": {"location": source.location, "id": source.id},
            "restorePointCollectionId": arm.guid("restorePointCollection", call.id.lower(), arm.count("restorePointCollection")),
            "provisioningState": "Succeeded",
        }
        if (instant := field(body, "properties.instantAccess", bool)) is not None:
            properties["instantAccess"] = instant
        made["properties"] = properties
        return show(arm, call, self, arm.store.add(Resource(call.id, self.name, made)), 201)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        """Only tags may be modified (the operation's description), and whether new points are there at once."""
        body = call.json()
        id = field(body, "properties.source.id")
        if id is not None and id.lower() != resource.properties["source"]["id"].lower():
            name = "restorePointCollection.source.id"
            raise ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.", target=name)
        if body.get("tags") is not None:
            resource.body["tags"] = body["tags"]
        if (instant := field(body, "properties.instantAccess", bool)) is not None:
            resource.properties["instantAccess"] = instant
        arm.store.touch(resource)
        return show(arm, call, self, resource)

    def dynamic(self, call: Call) -> bool:
        return call.expands("restorePoints")

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        if not call.expands("restorePoints"):
            return resource.body
        inner = [one.body for one in points_of(arm, resource)]
        return {**resource.body, "properties": {**resource.properties, "restorePoints": inner}}

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        return next((problem for one in points_of(arm, resource) if (problem := outstanding(arm, one)) is not None), None)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        """With all restore points in it (the operation's description)."""
        return _delete(arm, call, self, resource, resource.location)


class Points(ResourceType):
    name = POINT
    regional = False
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.RestorePoint"}
    parameter = "restorePoint"
    nests = True
    enumerable = False  # a collection shows its own with `$expand=restorePoints`

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body, collection = call.json(), call.parent
        assert collection is not None
        if resource is not None:
            raise ArmError(409, "OperationNotAllowed", "Updating properties of an existing restore point is not allowed.")
        given = field(body, "properties", dict, {})
        copied = field(body, "properties.sourceRestorePoint.id")
        if "/virtualmachines/" in collection.properties["source"]["id"].lower():
            if copied is not None:
                raise invalid(
                    f"The restore point collection '{collection.name}' has a virtual machine as its source: restore points are not copied "
                    "to it.",
                    "restorePoint.sourceRestorePoint",
                )
            made, private = self.of_machine(arm, call, collection, given)
            latency = "restorePoints.create"
        else:
            required(body, "properties.sourceRestorePoint.id", target="restorePoint.sourceRestorePoint.id")
            made, private = self.of_point(arm, call, collection, str(copied), given)
            latency = "restorePoints.copy"
        if (minutes := field(body, "properties.instantAccessDurationMinutes", int)) is not None:
            made["instantAccessDurationMinutes"] = minutes
        point = arm.store.add(Resource(call.id, self.name, {"name": call.name, "id": call.id, "properties": made}, private))
        operation = operations.start(
            arm, call, point, latency, then="restorePoints.created", family=self.family, location=collection.location
        )
        return operations.written(arm, call, operation, point.body, created=True)

    def of_machine(self, arm: Sandbox, call: Call, collection: Resource, given: Json) -> tuple[Json, Json]:
        """The properties of a new restore point of the collection's machine, and what is on its disks. Raises ArmError."""
        id = collection.properties["source"]["id"]
        machine = arm.resource(id, MACHINE)
        if machine is None:
            raise arm_not_found(id)
        check_linked(arm, call, f"{MACHINE}/read", machine.id)
        others = [
            one
            for other in arm.store.of_type(call.subscription, COLLECTION).values()
            if other.properties["source"]["id"].lower() == machine.key
            for one in points_of(arm, other)
        ]
        if any(operations.running(arm, one) is not None for one in others):
            raise _refused("RestorePoint creation failed since a concurrent 'Create RestorePoint' operation was triggered on the VM.")
        if len(others) >= MOST:
            raise _refused(
                "Restore Point creation failed as the maximum allowed snapshot limit of one or more disk blobs has been reached. Please "
                "delete some existing restore points of this VM and then retry."
            )
        metadata: Json = {"vmId": machine.properties["vmId"], "location": machine.location}
        metadata |= {name: deepcopy(machine.properties[name]) for name in _OF_MACHINE if machine.properties.get(name)}
        profile = machine.properties["storageProfile"]
        excluded = {str(one.get("id", "")).lower() for one in given.get("excludeDisks") or ()}
        kept: Json = {"osDisk": None, "dataDisks": []}
        disks: list[Json] = []
        for role, one in [("osDisk", profile["osDisk"]), *(("dataDisks", one) for one in profile.get("dataDisks", []))]:
            disk = arm.resource((one.get("managedDisk") or {}).get("id"), DISK)
            if disk is not None and disk.key in excluded:
                excluded.discard(disk.key)
                continue
            if disk is None or "diffDiskSettings" in one or disk.body["sku"]["name"] in _UNSUPPORTED:
                raise ArmError(
                    409,
                    "OperationNotAllowed",
                    f"Restore points are not supported for the disk '{one.get('name', '')}' of the virtual machine '{machine.name}': "
                    "unmanaged, ephemeral and Ultra disks have none.",
                )
            if disk.properties.get("maxShares", 1) > 1:
                raise _refused(
                    "Creation of Restore Point of a Virtual Machine with Shared disks is not supported. You may exclude this disk from the "
                    "restore point via excludeDisks property."
                )
            encrypted_by = field(disk.properties, "encryption.diskEncryptionSetId")
            if encrypted_by is not None and not has_vault(arm, encrypted_by):
                raise ArmError(
                    409,
                    "DiskRestorePointClientError",
                    "Keyvault associated with DiskEncryptionSet not found. The resource may have been deleted due to which Restore Point "
                    "creation failed. Please retry the operation after re-creating the missing resource with the same name.",
                )
            shown: Json = {name: one[name] for name in ("lun", "osType", "name") if name in one}
            shown |= {"diskSizeGB": disk.properties["diskSizeGB"], "caching": one.get("caching", "None")}
            shown["managedDisk"] = {"storageAccountType": disk.body["sku"]["name"], "id": disk.id}
            if one.get("writeAcceleratorEnabled") is not None:
                shown["writeAcceleratorEnabled"] = one["writeAcceleratorEnabled"]
            if role == "osDisk":
                kept["osDisk"] = shown
            else:
                kept["dataDisks"].append(shown)
            disks.append(_of_disk(arm, disk))
        if excluded:
            raise invalid(
                f"The disk '{min(excluded)}' of excludeDisks is not attached to the virtual machine '{machine.name}'.",
                "restorePoint.excludeDisks",
            )
        if not disks:
            raise invalid("A restore point has at least one disk.", "restorePoint.excludeDisks")
        if kept["osDisk"] is None:
            del kept["osDisk"]
        if "diskControllerType" in profile:
            kept["diskControllerType"] = profile["diskControllerType"]
        metadata["storageProfile"] = kept
        os_disk = arm.resource(machine.private.get("os_disk"))
        if os_disk is not None and "hyperVGeneration" in os_disk.properties:
            metadata["hyperVGeneration"] = os_disk.properties["hyperVGeneration"]
        if machine.private.get("user_data"):
            metadata["userData"] = machine.private["user_data"]
        made: Json = {}
        if given.get("excludeDisks"):
            made["excludeDisks"] = deepcopy(given["excludeDisks"])
        made["sourceMetadata"] = metadata
        _encrypt(arm, given, kept, collection.location)
        made["provisioningState"] = "Creating"
        asked = given.get("consistencyMode")
        if asked not in (None, "CrashConsistent"):
            raise invalid(
                f"The value '{asked}' of parameter 'restorePoint.consistencyMode' is not allowed. Only CrashConsistent is accepted.",
                "restorePoint.consistencyMode",
            )
        windows = (profile["osDisk"].get("osType") or "Linux") == "Windows"
        mode = asked or ("ApplicationConsistent" if windows else "FileSystemConsistent")
        if asked is not None:
            made["consistencyMode"] = asked  # what Azure finds out it shows at the end (recorded)
        made["timeCreated"] = stamp(arm.now)
        return made, {"disks": disks, "mode": mode}

    def of_point(self, arm: Sandbox, call: Call, collection: Resource, id: str, given: Json) -> tuple[Json, Json]:
        """The properties of a copy in the collection's region, and what is on its disks. Raises ArmError."""
        source = arm.resource(id, POINT)
        if source is None:
            raise arm_not_found(id)
        if not source.key.startswith(collection.properties["source"]["id"].lower() + "/"):
            raise invalid(
                f"The restore point '{source.name}' is not in the restore point collection that '{collection.name}' has as its source.",
                "restorePoint.sourceRestorePoint.id",
            )
        check_linked(arm, call, f"{POINT}/read", source.id)
        if source.state != "Succeeded":
            raise ArmError(409, "OperationNotAllowed", f"The restore point '{source.name}' is in the provisioning state '{source.state}'.")
        for name in ("excludeDisks", "consistencyMode"):
            if given.get(name) and given[name] != source.properties.get(name):
                raise invalid(f"A copy has the {name} of the restore point that it is a copy of.", f"restorePoint.{name}")
        made = deepcopy({key: value for key, value in source.properties.items() if key != "instantAccessDurationMinutes"})
        for one in _entries(made["sourceMetadata"]["storageProfile"]):
            one.pop("diskRestorePoint", None)
        _encrypt(arm, given, made["sourceMetadata"]["storageProfile"], collection.location)
        made["provisioningState"] = "Creating"
        made["sourceRestorePoint"] = {"id": source.id}
        disks = []
        for part in disk_points_of(arm, source):
            body = deepcopy(part.properties)
            body |= {"sourceResourceId": part.id, "replicationState": "Pending", "completionPercent": 0}
            body["sourceResourceLocation"] = arm.store.resources[source.key.rsplit("/", 2)[0]].location
            disks.append(
                {"disk": part.private["disk"], "properties": body, "content": deepcopy(disk_content(part)), "size": part.private["size"]}
            )
        seconds = arm.seconds("snapshots.copyStart", call.id.lower(), arm.count("copyStart"))
        return made, {"disks": disks, "mode": source.properties["consistencyMode"], "copies_for": seconds}

    def dynamic(self, call: Call) -> bool:
        return call.expands("instanceView")

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        if not call.expands("instanceView"):
            return resource.body
        parts: list[Json] = []
        for one in disk_points_of(arm, resource):
            percent = percent_of(arm, one)
            state = "succeeded" if percent >= 100 else "replicating"
            status = {"code": f"ReplicationState/{state}", "level": "Info", "displayStatus": state.capitalize()}
            parts.append({"id": one.id, "replicationStatus": {"status": status, "completionPercent": percent}})
        seen: Json = {"diskRestorePoints": parts}
        if parts:
            seen["statuses"] = [min(parts, key=lambda one: one["replicationStatus"]["completionPercent"])["replicationStatus"]["status"]]
        return {**resource.body, "properties": {**resource.properties, "instanceView": seen}}

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        return outstanding(arm, resource)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        assert call.parent is not None
        return _delete(arm, call, self, resource, call.parent.location)


class DiskPoints(ResourceType):
    """What a restore point has of one disk. Azure makes them, and they go with it."""

    name = DISK_RESTORE_POINT
    regional = False
    family = "DiskOperations"
    bodies: ClassVar[dict[str, str]] = {"begingetaccess": "compute.GrantAccessData"}

    def __init__(self) -> None:
        super().__init__()
        self.actions["begingetaccess"] = begin_access
        self.actions["endgetaccess"] = end_access

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        if "replicationState" not in resource.properties:
            return resource.body
        percent = percent_of(arm, resource)
        told = {"replicationState": "Succeeded" if percent >= 100 else "Replicating", "completionPercent": percent}
        return {**resource.body, "properties": {**resource.properties, **told}}


def percent_of(arm: Sandbox, disk_point: Resource) -> int:
    """How much of a disk restore point is in its region: all of it, unless it is being copied from another one."""
    begin, end = disk_point.private.get("begun_at", 0.0), disk_point.private.get("completes_at", 0.0)
    return 100 if arm.now >= end else int(100 * (arm.now - begin) / max(0.001, end - begin))


def _refused(message: str) -> ArmError:
    return ArmError(409, "VMRestorePointClientError", message)


def outstanding(arm: Sandbox, point: Resource) -> ArmError | None:
    """Why a restore point cannot go: somebody may read one of its disks."""
    if any("access" in one.private for one in disk_points_of(arm, point)):
        return ArmError(
            409,
            "DiskRestorePointUsedByCustomer",
            "There is an active shared access signature outstanding for disk restore point. Call EndGetAccess before deleting the restore "
            "point.",
        )
    return None


def _entries(profile: Json) -> Iterator[Json]:
    """The disks of a storage profile, the OS disk first, where it is in it."""
    if profile.get("osDisk"):
        yield profile["osDisk"]
    yield from profile.get("dataDisks") or ()


def _of_disk(arm: Sandbox, disk: Resource) -> Json:
    """A disk as a restore point keeps it."""
    properties: Json = {"timeCreated": stamp(arm.now), "sourceResourceId": disk.id}
    properties |= {name: deepcopy(disk.properties[name]) for name in _OF_DISK if name in disk.properties}
    properties |= {"familyId": arm.guid("family", disk.key, disk.location), "sourceUniqueId": disk.properties["uniqueId"]}
    if (sector := field(disk.properties, "creationData.logicalSectorSize", int)) is not None:
        properties["logicalSectorSize"] = sector
    size = int(disk.properties["diskSizeGB"])
    return {"disk": disk.id, "properties": properties, "content": deepcopy(disk_content(disk)), "size": size}


def _encrypt(arm: Sandbox, given: Json, profile: Json, location: str) -> None:
    """The encryption that a request asks for, onto the disks of `profile`: the OS disk's, and the data disks' in their order. Raises
    ArmError where a set is not there, or a disk is not."""
    asked = field(given, "sourceMetadata.storageProfile", dict, {})
    pairs = [(profile.get("osDisk"), asked.get("osDisk"))] if asked.get("osDisk") else []
    data = profile.get("dataDisks") or []
    pairs += [(data[at] if at < len(data) else None, one) for at, one in enumerate(asked.get("dataDisks") or [])]
    for own, one in pairs:
        if own is None:
            raise invalid("The restore point has no such disk.", "restorePoint.sourceMetadata.storageProfile")
        encryption = field(one, "diskRestorePoint.encryption", dict)
        if encryption is None:
            continue
        id = field(encryption, "diskEncryptionSet.id")
        if id is not None:
            check_encryption_set(arm, id, location)
        elif encryption.get("type") not in (None, "EncryptionAtRestWithPlatformKey"):
            raise invalid("Required parameter 'encryption.diskEncryptionSet.id' is missing (null).", "encryption.diskEncryptionSet.id")
        own["diskRestorePoint"] = {"encryption": deepcopy(encryption)}


def _delete(arm: Sandbox, call: Call, kind: ResourceType, resource: Resource, location: str) -> Response:
    current = operations.running(arm, resource)
    if current is not None and current["kind"].endswith(".delete"):
        return operations.accepted(arm, call, current)
    if (problem := kind.in_use(arm, resource)) is not None:
        raise problem
    resource.properties["provisioningState"] = "Deleting"
    operation = operations.start(
        arm, call, resource, "restorePoints.delete", then="restorePoints.deleted", family=kind.family, location=location
    )
    arm.store.touch(resource)
    return operations.accepted(arm, call, operation)


@event("restorePoints.created")
def _created(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    """The disk restore points are there, named for their disks."""
    if resource is None:
        return
    shown = {one["managedDisk"]["id"]: one for one in _entries(resource.properties["sourceMetadata"]["storageProfile"])}
    for one in resource.private.pop("disks"):
        name = f"{one['disk'].rsplit('/', 1)[1]}_{arm.guid('diskRestorePoint', resource.key, one['disk'], arm.count('diskRestorePoint'))}"
        id = f"{resource.id}/diskRestorePoints/{name}"
        private = {key: one[key] for key in ("disk", "content", "size")}
        if (seconds := resource.private.get("copies_for")) is not None:
            private |= {"begun_at": arm.now, "completes_at": arm.now + seconds}
        entry = shown[one["disk"]]
        own = entry.setdefault("diskRestorePoint", {})
        own.setdefault("encryption", _restated(one["properties"].get("encryption") or {}))
        own["id"] = id
        if "replicationState" in one["properties"]:
            own["sourceDiskRestorePoint"] = {"id": one["properties"]["sourceResourceId"]}
        one["properties"]["encryption"] = {"type": own["encryption"].get("type", "EncryptionAtRestWithPlatformKey")}
        if (encrypted_by := field(own["encryption"], "diskEncryptionSet.id")) is not None:
            one["properties"]["encryption"]["diskEncryptionSetId"] = encrypted_by
        arm.store.add(Resource(id, DISK_RESTORE_POINT, {"id": id, "name": name, "properties": one["properties"]}, private))
    later = {"timeCreated": resource.properties.pop("timeCreated")}
    if (source := resource.properties.pop("sourceRestorePoint", None)) is not None:
        later = {"sourceRestorePoint": source, **later}
    resource.properties["consistencyMode"] = resource.private["mode"]
    resource.properties.update(later)
    arm.store.touch(resource)


def _restated(encryption: Json) -> Json:
    """A disk's encryption in a restore point's words."""
    made: Json = {"type": encryption.get("type", "EncryptionAtRestWithPlatformKey")}
    if "diskEncryptionSetId" in encryption:
        made = {"diskEncryptionSet": {"id": encryption["diskEncryptionSetId"]}, **made}
    return made


@event("restorePoints.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        TYPES[resource.type.lower()].remove(arm, resource)


register(Collections())
register(Points())
register(DiskPoints())
