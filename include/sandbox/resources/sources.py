"""What a gallery image version may be made from, and whether it fits its definition.

Rules: image-version.md, shared-image-galleries.md and troubleshooting-shared-images.md of azure-compute-docs; the security types' matrix
is theirs too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..content import DISK, IMAGE, MACHINE, SNAPSHOT, VERSION, Origin, of_disk, of_machine, of_stored
from ..registry import field, invalid, required
from ..store import Resource
from ..wire import ArmError, Json
from .definitions import security_type
from .images import arm_not_found

if TYPE_CHECKING:
    from ..sandbox import Sandbox

_SUPPORTED = ("trustedlaunchsupported", "confidentialvmsupported", "trustedlaunchandconfidentialvmsupported")


def named(body: Json) -> dict[str, str]:
    """The sources that a version's PUT names: wire path -> id. (2019-03-01 clients put it into publishingProfile.)"""
    paths = (
        "storageProfile.source.id",
        "storageProfile.source.virtualMachineId",
        "storageProfile.source.communityGalleryImageId",
        "storageProfile.osDiskImage.source.id",
        "storageProfile.osDiskImage.source.uri",
        "storageProfile.osDiskImage.source.storageAccountId",
        "publishingProfile.source.managedImage.id",
    )
    return {path: value for path in paths if (value := field(body, f"properties.{path}")) is not None}


def find(arm: Sandbox, body: Json, location: str) -> Origin:
    """The origin of a new version. Raises ArmError where it is missing, ambiguous or not where the version is."""
    found = named(body)
    kinds = {path.split(".")[-2] if "osDiskImage" not in path else "osDiskImage" for path in found}
    if not found or len(kinds) != 1 or (len(found) > 1 and "osDiskImage" not in kinds):
        raise invalid(
            "One and only one source type, either 'source' or 'osDiskImage', can be provided for a gallery image version.",
            "galleryImageVersion.properties.storageProfile",
        )
    path, id = next(iter(found.items()))
    if path.endswith(("uri", "storageAccountId", "communityGalleryImageId")):
        raise invalid(
            f"The source '{id}' is of a kind that the sandbox does not hold: use a virtual machine, managed image, version, disk or "
            f"snapshot.",
            f"galleryImageVersion.properties.{path}",
        )
    source = arm.resource(id)
    if source is None:
        raise arm_not_found(id)
    if source.state in ("Failed", "Deleting", "Creating"):
        raise ArmError(
            409, "OperationNotAllowed", f"The source resource '{id}' is in the provisioning state '{source.state}' and cannot be used."
        )
    origin = _origin(arm, source, path)
    if source.location != location and source.type != VERSION:
        raise invalid(
            f"The resource with id '{id}' is not in the location '{location}' of the gallery image version.", "galleryImageVersion.location"
        )
    _add_data_disks(arm, body, origin)
    return origin


def _origin(arm: Sandbox, source: Resource, path: str) -> Origin:
    if source.type == MACHINE and path.endswith(("virtualMachineId", "source.id")):
        return of_machine(arm, source)
    if source.type == IMAGE and path.endswith(("source.id", "managedImage.id")):
        return of_stored(source, "image")
    if source.type == VERSION and path == "storageProfile.source.id":
        return of_stored(source, "version")
    if source.type in (DISK, SNAPSHOT):
        origin = of_disk(source)
        if origin is None:
            raise invalid(f"The disk or snapshot '{source.id}' holds no operating system.", f"galleryImageVersion.properties.{path}")
        return origin
    raise invalid(f"The resource '{source.id}' cannot be the source of a gallery image version.", f"galleryImageVersion.properties.{path}")


def _add_data_disks(arm: Sandbox, body: Json, origin: Origin) -> None:
    given = field(body, "properties.storageProfile.dataDiskImages", list, [])
    luns = [one["lun"] for one in origin.data]
    for one in given:
        lun = required(one, "lun", int, target="galleryImageVersion.properties.storageProfile.dataDiskImages.lun")
        id = field(one, "source.id")
        if id is None:
            continue
        disk = arm.resource(id)
        if disk is None or disk.type not in (DISK, SNAPSHOT):
            raise arm_not_found(id)
        if lun in luns:
            raise invalid(
                f"The data disk image lun {lun} is used more than once.", "galleryImageVersion.properties.storageProfile.dataDiskImages.lun"
            )
        luns.append(lun)
        origin.data.append({"lun": lun, "size_gb": disk.properties["diskSizeGB"], "caching": one.get("hostCaching", "None")})
    if origin.kind in ("disk", "snapshot") and (caching := field(body, "properties.storageProfile.osDiskImage.hostCaching")) is not None:
        origin.caching = caching


def check_fit(origin: Origin, definition: Resource) -> None:
    """Raise ArmError where the source does not fit the definition: OS type and state, generation, architecture, security type."""
    wanted = definition.properties
    content = origin.content
    if content["os"] != wanted["osType"]:
        raise ArmError(
            400,
            "BadRequest",
            f"The resource with id '{origin.id}' has a different OS type ['{content['os']}'] than the parent gallery image OS type "
            f"['{wanted['osType']}'].",
        )
    if origin.state is not None and origin.state != wanted["osState"]:
        raise ArmError(
            400,
            "BadRequest",
            f"The resource with id '{origin.id}' has a different OS state ['{origin.state}'] than the parent gallery image OS state "
            f"['{wanted['osState']}'].",
        )
    if content["generation"] != wanted["hyperVGeneration"]:
        raise ArmError(
            400,
            "BadRequest",
            f"The resource with id '{origin.id}' has a different Hypervisor generation ['{content['generation']}'] than the parent "
            f"gallery image Hypervisor generation "
            f"['{wanted['hyperVGeneration']}'].",
        )
    if content["architecture"] != wanted.get("architecture", "x64"):
        raise ArmError(
            400,
            "BadRequest",
            f"The resource with id '{origin.id}' has a different architecture ['{content['architecture']}'] than the parent gallery "
            f"image architecture ['{wanted.get('architecture', 'x64')}'].",
        )
    kind, own = security_type(wanted), content["security"]
    with_state = origin.kind in ("machine", "disk", "snapshot")  # these may carry a VM guest state
    fits = {
        "standard": own == "Standard",
        "trustedlaunch": own == "TrustedLaunch",
        "confidentialvm": own == "ConfidentialVM",
    }.get(kind, kind in _SUPPORTED and own == "Standard" and not with_state)
    if not fits:
        raise ArmError(
            400,
            "BadRequest",
            f"The resource with id '{origin.id}' has the security type ['{own}'], which cannot be the source of a gallery image with "
            f"the security type "
            f"['{kind}']{' unless it is a managed image or a gallery image version' if kind in _SUPPORTED and own == 'Standard' else ''}.",
        )
