"""What a new disk or snapshot is made of: every createOption."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..authorization import check_linked
from ..content import DISK, DISK_RESTORE_POINT, SNAPSHOT, disk_content, of_stored
from ..registry import field as value_of
from ..registry import invalid, required
from ..store import Resource
from ..wire import ArmError, Json
from . import vhds
from .disk_access import check_uploaded
from .references import resolve_gallery, resolve_platform_id

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

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


@dataclass
class Source:
    """Content of a new disk, its least size in GB (None: any) and the creationData to show beyond what was asked for."""

    content: Json | None = None
    size_gb: int | None = None
    shown: Json = field(default_factory=dict)
    copied: Resource | None = None


def find(arm: Sandbox, call: Call, body: Json, option: str, location: str, kind: str) -> Source:
    """The source that a PUT names. Raises ArmError where there is none, or where it cannot be used."""
    if option == "Empty":
        return Source()
    if option in ("Upload", "UploadPreparedSecure"):
        return _upload(body, option)
    if option in ("Import", "ImportSecure"):
        return _import(arm, body, location)
    if option in ("Copy", "CopyStart"):
        return _copy(arm, body, option, location, kind)
    if option == "Restore":
        return _restore(arm, call, body, location, kind)
    if option == "FromImage":
        return _from_image(arm, call, body, location)
    raise invalid(f"The createOption '{option}' is not supported.", "creationData.createOption")


def _stated(body: Json, size_gb: int) -> Json | None:
    """What the request says to be on a disk whose bytes come from elsewhere."""
    os_type = value_of(body, "properties.osType")
    if os_type is None:
        return None
    kind = value_of(body, "properties.securityProfile.securityType", str, "Standard")
    return vhds.stated(
        os_type,
        value_of(body, "properties.hyperVGeneration", str, "V1"),
        size_gb,
        architecture=value_of(body, "properties.supportedCapabilities.architecture", str, "x64"),
        security="TrustedLaunch" if kind == "TrustedLaunch" else "ConfidentialVM" if kind.startswith("Confidential") else "Standard",
    )


def _upload(body: Json, option: str) -> Source:
    size = required(body, "properties.creationData.uploadSizeBytes", int, target="creationData.uploadSizeBytes")
    if size < 20 * 1024**2 + 512 or (size - 512) % 1024**2:
        raise invalid(
            f"The value '{size}' of parameter 'creationData.uploadSizeBytes' is not valid: the contents of a VHD are whole MiB, at least "
            f"20, followed by a footer of 512 bytes.",
            "creationData.uploadSizeBytes",
        )
    size_gb = -(-(size - 512) // 1024**3)
    if option == "UploadPreparedSecure" and value_of(body, "properties.securityProfile.securityType") is None:
        required(body, "properties.securityProfile.securityType", target="disk.securityProfile.securityType")
    return Source(_stated(body, size_gb), size_gb)


def _import(arm: Sandbox, body: Json, location: str) -> Source:
    url = required(body, "properties.creationData.sourceUri", target="creationData.sourceUri")
    known = arm.resource(url, vhds.VHD)
    account = value_of(body, "properties.creationData.storageAccountId")
    if account is not None:
        vhds.check_account(arm, account, url, location)
    if not account and (known is None or known.location != location):
        # recorded: azure-mgmt-compute 12.1.0 test_md_from_storage_blob
        raise ArmError(400, "BadRequest", f"The source blob {url} does not belong to the same region as the disk.")
    os_type = value_of(body, "properties.osType")
    generation = value_of(body, "properties.hyperVGeneration", str, "V1")
    vhd = vhds.at(arm, vhds.check_url(url, "creationData.sourceUri"), location, os_type, generation)
    return Source(deepcopy(disk_content(vhd)) if os_type else None, int(vhd.properties["diskSizeGB"]))


def _copy(arm: Sandbox, body: Json, option: str, location: str, kind: str) -> Source:
    # older clients name the resource in sourceUri
    path = "sourceResourceId" if value_of(body, "properties.creationData.sourceResourceId") else "sourceUri"
    id = value_of(body, f"properties.creationData.{path}")
    if id is None:
        required(body, "properties.creationData.sourceResourceId", target="creationData.sourceResourceId")
    source = arm.resource(id)
    elsewhere = source is not None and source.location != location
    if source is None or source.type not in (DISK, SNAPSHOT) or (elsewhere and option != "CopyStart"):
        raise ArmError(
            404, "NotFound", f"Resource {str(id).rsplit('/', 1)[-1]} is not found."
        )  # also where it is in another region (recorded)
    if source.state not in ("Succeeded", "Updating"):
        raise ArmError(409, "OperationNotAllowed", f"The source {source.name} is in the provisioning state '{source.state}'.")
    check_uploaded(source)
    if option == "CopyStart":
        if kind != SNAPSHOT:
            raise invalid("The createOption 'CopyStart' is supported for snapshots only.", "creationData.createOption")
        if source.type != SNAPSHOT or not source.properties.get("incremental"):
            raise ArmError(
                400,
                "BadRequest",
                f"Source {source.name} of a CopyStart operation must be an incremental snapshot.",
                target="sourceResourceId",
            )
        if not value_of(body, "properties.incremental", bool, False):
            raise invalid("A snapshot created by CopyStart must be incremental.", "incremental")
    if source.private.get("completes_at", 0) > arm.now:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The source snapshot {source.name} is still being copied. Please retry when its completionPercent is 100.",
        )
    size = int(source.private.get("size") or source.properties.get("diskSizeGB") or 1)
    shown: Json = {"sourceResourceId": id, "sourceUniqueId": source.properties.get("uniqueId", "")}
    if path == "sourceResourceId" and (also := value_of(body, "properties.creationData.sourceUri")) is not None:
        shown["sourceUri"] = also
    return Source(deepcopy(disk_content(source)), size, shown, source)


def _restore(arm: Sandbox, call: Call, body: Json, location: str, kind: str) -> Source:
    if kind != DISK:
        raise invalid("The createOption 'Restore' is supported for disks only.", "creationData.createOption")
    id = required(body, "properties.creationData.sourceResourceId", target="creationData.sourceResourceId")
    source = restore_point(arm, call, id, location)
    return Source(deepcopy(disk_content(source)), int(source.private["size"]), {"sourceResourceId": id})


def restore_point(arm: Sandbox, call: Call, id: str, location: str) -> Resource:
    """The disk restore point that a disk is made of. Raises ArmError 404 where it is not in the region, 409 where not all of it is."""
    source = arm.resource(id, DISK_RESTORE_POINT)
    collection = arm.resource("/".join(source.id.split("/")[:9])) if source is not None else None
    if source is None or collection is None or collection.location != location:
        raise ArmError(404, "NotFound", f"Resource {str(id).rsplit('/', 1)[-1]} is not found.")
    check_linked(arm, call, f"{DISK_RESTORE_POINT}/read", source.id)
    if source.private.get("completes_at", 0) > arm.now:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The source disk restore point {source.name} is still being copied. Please retry when its completionPercent is 100.",
        )
    return source


def _from_image(arm: Sandbox, call: Call, body: Json, location: str) -> Source:
    gallery = value_of(body, "properties.creationData.galleryImageReference", dict)
    if gallery is None:
        id = required(body, "properties.creationData.imageReference.id", target="creationData.imageReference.id")
        origin = resolve_platform_id(arm, id, location)
        return Source(origin.content, int(origin.content["size_gb"]))
    origin = of_stored(resolve_gallery(arm, call, gallery, location), "version")
    named = gallery.get("id") or gallery.get("sharedGalleryImageId") or gallery.get("communityGalleryImageId")
    shown: Json = {"imageReference": {"id": named}}  # recorded: beside the galleryImageReference
    lun = value_of(gallery, "lun", int)
    if lun is None:
        return Source(origin.content, int(origin.content["size_gb"]), shown)
    one = next((one for one in origin.data if one["lun"] == lun), None)
    if one is None:
        raise invalid(f"The image has no data disk with lun {lun}.", "creationData.galleryImageReference.lun")
    return Source(None, int(one["size_gb"]), shown)
