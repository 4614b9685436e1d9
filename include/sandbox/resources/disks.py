"""Managed disks and snapshots, and the SAS that reads them."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..blobs import disk_url
from ..content import DISK, SNAPSHOT, disk_content, of_stored
from ..events import event
from ..registry import ResourceType, field, one_of, register, required
from ..store import Resource
from ..wire import ArmError, Json, Response, stamp
from .groups import location_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

SKUS = ("Standard_LRS", "Premium_LRS", "StandardSSD_LRS", "UltraSSD_LRS", "Premium_ZRS", "StandardSSD_ZRS", "PremiumV2_LRS", "Standard_ZRS")
OPTIONS = (
    "Empty",
    "Attach",
    "FromImage",
    "Import",
    "Copy",
    "Restore",
    "Upload",
    "CopyStart",
    "ImportSecure",
    "UploadPreparedSecure",
    "CopyFromSanSnapshot",
)
_TIERS = (  # at most GB, tier, IOPS, MB/s
    (4, "P1", 120, 25),
    (8, "P2", 120, 25),
    (16, "P3", 120, 25),
    (32, "P4", 120, 25),
    (64, "P6", 240, 50),
    (128, "P10", 500, 100),
    (256, "P15", 1100, 125),
    (512, "P20", 2300, 150),
    (1024, "P30", 5000, 200),
    (2048, "P40", 7500, 250),
    (4096, "P50", 7500, 250),
    (8192, "P60", 16000, 500),
    (16384, "P70", 18000, 750),
    (32767, "P80", 20000, 900),
)


def performance(sku: str, size_gb: int) -> tuple[str, int, int]:
    """Tier, IOPS and MB/s of a disk."""
    tier, iops, rate = next(((tier, iops, rate) for most, tier, iops, rate in _TIERS if size_gb <= most), ("P80", 20000, 900))
    if sku.startswith("Premium"):
        return tier, iops, rate
    return tier, 500, 60 if sku.startswith("Standard_") else 100


def new_disk(
    arm: Sandbox,
    id: str,
    type: str,
    location: str,
    *,
    sku: str,
    size_gb: int,
    creation: Json,
    content: Json | None,
    tags: Json | None = None,
) -> Resource:
    """Add a finished disk or snapshot to the store (as a machine's PUT makes them)."""
    body: Json = {"name": id.rsplit("/", 1)[1], "id": id, "type": type, "location": location}
    if tags is not None:
        body["tags"] = tags
    body["sku"] = {"name": sku}
    body["properties"] = {"creationData": creation, "diskSizeGB": size_gb, "provisioningState": "Succeeded"}
    resource = Resource(id, type, body, {"content": content})
    fill(arm, resource)
    return arm.store.add(resource)


def fill(arm: Sandbox, resource: Resource) -> None:
    """What GET shows of a finished disk beyond what was asked for."""
    properties = resource.properties
    sku = resource.body.setdefault("sku", {"name": "Standard_LRS"})
    sku["tier"] = "Premium" if sku["name"].startswith("Premium") else "Standard"
    size = int(properties["diskSizeGB"])
    content = disk_content(resource)
    if content is not None:
        properties["osType"] = content["os"]
        properties["hyperVGeneration"] = content["generation"]
        properties.setdefault("supportedCapabilities", {"architecture": content["architecture"]})
        if content["security"] != "Standard":
            properties["securityProfile"] = {
                "securityType": "TrustedLaunch"
                if content["security"] == "TrustedLaunch"
                else "ConfidentialVM_VMGuestStateOnlyEncryptedWithPlatformKey"
            }
    if resource.type == DISK:
        tier, iops, rate = performance(sku["name"], size)
        properties["diskIOPSReadWrite"], properties["diskMBpsReadWrite"] = iops, rate
        if sku["name"].startswith("Premium"):
            properties["tier"] = tier
    else:
        properties.setdefault("incremental", False)
    properties.setdefault("encryption", {"type": "EncryptionAtRestWithPlatformKey"})
    properties.setdefault("networkAccessPolicy", "AllowAll")
    properties.setdefault("publicNetworkAccess", "Enabled")
    properties.setdefault("timeCreated", stamp(arm.now))
    properties.setdefault("diskState", "Unattached")
    properties["diskSizeBytes"] = size * 1024**3
    properties.setdefault("uniqueId", arm.guid("disk", resource.key))


class ManagedDisks(ResourceType):
    name: ClassVar[str] = DISK
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.Disk", "PATCH": "compute.DiskUpdate", "begingetaccess": "compute.GrantAccessData"}
    family = "DiskOperations"

    def __init__(self) -> None:
        super().__init__()
        self.actions["begingetaccess"] = begin_access
        self.actions["endgetaccess"] = end_access

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        if resource is not None:
            return self.update(arm, call, resource, body)
        required(body, "properties.creationData", dict)
        required(body, "properties.creationData.createOption")
        option = one_of(body, "properties.creationData.createOption", OPTIONS)
        content, size = self.source(arm, call, body, str(option), location)
        asked = field(body, "properties.diskSizeGB", int)
        if asked is None and size is None:
            required(body, "properties.diskSizeGB", int, target="disk.diskSizeGB")
        if asked is not None and size is not None and asked < size:
            raise ArmError(400, "InvalidParameter", "Disks or snapshot cannot be resized down.", target="diskSizeGB")
        sku = one_of(body, "sku.name", SKUS, "Standard_LRS")
        made: Json = {"name": call.name, "id": call.id, "type": self.name, "location": location}
        for name in ("tags", "zones"):
            if name in body:
                made[name] = body[name]
        if "sku" in body:
            made["sku"] = {"name": sku}
        made["properties"] = {**field(body, "properties", dict, {}), "provisioningState": "Updating"}
        made["properties"].pop("diskState", None)
        resource = arm.store.add(Resource(call.id, self.name, made, {"content": content, "size": asked or size}))
        operation = operations.start(arm, call, resource, f"{self.short}.create", then="disks.created", family=self.family)
        return operations.accepted(arm, call, operation, retry_after=2, body=resource.body)

    def source(self, arm: Sandbox, call: Call, body: Json, option: str, location: str) -> tuple[Json | None, int | None]:
        """Content and size that a new disk takes from its source. Raises ArmError where there is none."""
        if option == "Empty":
            return None, None
        if option == "Upload":
            size = required(body, "properties.creationData.uploadSizeBytes", int)
            return None, max(1, size // 1024**3)
        if option == "Import":
            required(body, "properties.creationData.sourceUri")
            raise ArmError(
                400,
                "BadRequest",
                "The source blob does not exist in the sandbox; copy it in with the blob endpoint and use a disk or snapshot instead.",
            )
        if option in ("Copy", "Restore", "CopyStart"):
            # Clients of before sourceResourceId name the source by sourceUri; Azure shows it as the former afterwards (recorded).
            uri = field(body, "properties.creationData.sourceUri")
            id = uri or required(body, "properties.creationData.sourceResourceId")
            source = arm.resource(id)
            if source is None or source.type not in (DISK, SNAPSHOT):
                raise ArmError(404, "NotFound", f"Resource {id.rsplit('/', 1)[1]} is not found.")
            if source.state not in ("Succeeded", "Updating") or (option != "CopyStart" and source.location != location):
                raise ArmError(400, "BadRequest", f"The source {source.name} is not in the region {location} or is not ready.")
            return deepcopy(disk_content(source)), int(source.private.get("size") or source.properties.get("diskSizeGB") or 1)
        if option == "FromImage":
            from .references import resolve_gallery, resolve_platform_id

            reference = field(body, "properties.creationData.galleryImageReference", dict)
            if reference is not None:
                origin = of_stored(resolve_gallery(arm, call, reference, location), "version")
                lun = field(body, "properties.creationData.galleryImageReference.lun", int)
                if lun is not None:
                    one = next((one for one in origin.data if one["lun"] == lun), None)
                    if one is None:
                        raise ArmError(
                            400,
                            "InvalidParameter",
                            f"The image has no data disk with lun {lun}.",
                            target="creationData.galleryImageReference.lun",
                        )
                    return None, int(one["size_gb"])
            else:
                origin = resolve_platform_id(arm, required(body, "properties.creationData.imageReference.id"), location)
            return origin.content, int(origin.content["size_gb"])
        raise ArmError(400, "InvalidParameter", f"The createOption '{option}' is not supported.", target="creationData.createOption")

    def update(self, arm: Sandbox, call: Call, resource: Resource, body: Json) -> Response:
        if operations.running(arm, resource) is not None:
            raise operations.conflict(resource)
        old = resource.properties.get("creationData", {})
        given = field(body, "properties.creationData", dict)
        if given is not None and any(
            given.get(key) not in (None, old.get(key)) for key in ("createOption", "sourceResourceId", "sourceUri")
        ):
            raise ArmError(
                409, "PropertyChangeNotAllowed", "Changing property 'creationData' is not allowed for existing disk.", target="creationData"
            )
        size = field(body, "properties.diskSizeGB", int)
        if size is not None:
            if size < resource.properties["diskSizeGB"]:
                raise ArmError(400, "InvalidParameter", "Disks or snapshot cannot be resized down.", target="diskSizeGB")
            resource.properties["diskSizeGB"] = resource.private["size"] = size
        for name in ("networkAccessPolicy", "publicNetworkAccess", "encryption"):
            if name in field(body, "properties", dict, {}):
                resource.properties[name] = body["properties"][name]
        if "sku" in body:
            resource.body["sku"] = {"name": one_of(body, "sku.name", SKUS, "Standard_LRS")}
        if "tags" in body:
            resource.body["tags"] = body["tags"]
        resource.properties["provisioningState"] = "Updating"
        operation = operations.start(arm, call, resource, f"{self.short}.update", then="disks.created", family=self.family)
        return operations.accepted(arm, call, operation, retry_after=2, body=resource.body)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        return self.update(arm, call, resource, call.json())

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        if resource.body.get("managedBy") and resource.type == DISK:
            return ArmError(409, "OperationNotAllowed", f"Disk {resource.name} is attached to VM {resource.body['managedBy']}.")
        if resource.properties.get("diskState") == "ActiveSAS":
            what = "Disk" if resource.type == DISK else "Snapshot"
            return ArmError(
                409,
                "OperationNotAllowed",
                f"{what} {resource.name} cannot be deleted because it has an active shared access signature. Revoke it with endGetAccess.",
            )
        return None

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        problem = self.in_use(arm, resource)
        if problem is not None:
            raise problem
        operation = operations.start(arm, call, resource, f"{self.short}.delete", then="disks.deleted", family=self.family)
        resource.properties["provisioningState"] = "Deleting"
        arm.store.touch(resource)
        return operations.accepted(arm, call, operation)


class Snapshots(ManagedDisks):
    name = SNAPSHOT
    bodies: ClassVar[dict[str, str]] = {
        "PUT": "compute.Snapshot",
        "PATCH": "compute.SnapshotUpdate",
        "begingetaccess": "compute.GrantAccessData",
    }


@event("disks.created")
def _created(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        resource.properties.setdefault("diskSizeGB", resource.private.get("size") or 1)
        resource.properties["provisioningState"] = "Succeeded"
        creation = resource.properties["creationData"]
        if creation["createOption"] == "Copy" and "sourceUri" in creation:
            creation["sourceResourceId"] = creation.pop("sourceUri")
        if creation["createOption"] == "Upload":
            resource.properties.setdefault("diskState", "ReadyToUpload")
        fill(arm, resource)
        arm.store.touch(resource)


@event("disks.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        arm.store.drop(resource)


def begin_access(arm: Sandbox, call: Call, resource: Resource) -> Response:
    """Grant a SAS. Its duration counts in the clock's own seconds: it is a promise to the client, not a latency."""
    body = call.json()
    access = one_of(body, "access", ("Read", "Write", "None"))
    if access is None:
        required(body, "access")
    duration = required(body, "durationInSeconds", int)
    if not 0 < duration <= 4_294_967_295:
        raise ArmError(
            400, "InvalidParameter", f"The value {duration} of parameter durationInSeconds is not valid.", target="durationInSeconds"
        )
    if resource.properties.get("diskState") == "Attached":
        raise ArmError(409, "OperationNotAllowed", f"Cannot grant access to disk {resource.name}: it is attached to a running VM.")
    policy = arm.guid("sas", resource.key, arm.count("sas"))
    operation = operations.start(
        arm,
        call,
        resource,
        "beginGetAccess",
        then="disks.accessBegun",
        arguments={"policy": policy, "until": arm.now + duration, "access": access, "base": call.base},
        family="DiskOperations",
        exclusive=False,
    )
    return operations.accepted(arm, call, operation)


@event("disks.accessBegun")
def _access_begun(arm: Sandbox, operation: Json, resource: Resource | None, policy: str, until: float, access: str, base: str) -> None:
    if resource is None:
        raise ArmError(404, "NotFound", "The disk was deleted.")
    name = resource.properties["uniqueId"].replace("-", "")
    signature = arm.guid("signature", policy).replace("-", "")
    url = disk_url(base, name, f"sv=2018-03-28&sr=b&si={policy}&sig={signature}")
    resource.private["access"] = {
        "policy": policy,
        "until": until,
        "state": resource.private.get("access", {}).get("state", resource.properties["diskState"]),
    }
    resource.properties["diskState"] = "ActiveSAS"
    operation["output"] = {"accessSAS": url}
    arm.store.set(
        f"sas.{policy}",
        {"id": resource.key, "from": arm.now, "until": until, "write": access == "Write", "bytes": resource.properties["diskSizeBytes"]},
    )
    arm.store.touch(resource)
    arm.store.schedule(until, "disks.accessExpired", id=resource.key, policy=policy)


@event("disks.accessExpired")
def _access_expired(arm: Sandbox, id: str, policy: str) -> None:
    resource = arm.store.resources.get(id)
    if resource is not None and resource.private.get("access", {}).get("policy") == policy:
        _revoke(arm, resource)


def _revoke(arm: Sandbox, resource: Resource) -> None:
    access = resource.private.pop("access", None)
    if access is not None:
        resource.properties["diskState"] = access["state"]
        arm.store.set(f"sas.{access['policy']}", None)
        arm.store.touch(resource)


def end_access(arm: Sandbox, call: Call, resource: Resource) -> Response:
    operation = operations.start(arm, call, resource, "endGetAccess", then="disks.accessEnded", family="DiskOperations", exclusive=False)
    return operations.accepted(arm, call, operation)


@event("disks.accessEnded")
def _access_ended(arm: Sandbox, operation: Json, resource: Resource | None) -> None:
    if resource is not None:
        _revoke(arm, resource)


register(ManagedDisks())
register(Snapshots())
