"""What a gallery image version may be made from, and whether it fits its definition.

Rules: image-version.md, shared-image-galleries.md and troubleshooting-shared-images.md of azure-compute-docs; the security types' matrix
is theirs too.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from ..authorization import check_linked
from ..content import DISK, IMAGE, MACHINE, SNAPSHOT, VERSION, Origin, disk_content, of_disk, of_machine, of_stored
from ..registry import arm_not_found, field, invalid, required
from ..store import Resource
from ..wire import ArmError, Json
from . import vhds
from .changes import changed
from .definitions import security_type
from .disk_access import check_uploaded
from .references import resolve_gallery
from .target_regions import encryption_sets

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

_SUPPORTED = ("trustedlaunchsupported", "confidentialvmsupported", "trustedlaunchandconfidentialvmsupported")


def named(body: Json) -> dict[str, str]:
    """The sources that a version's PUT names: wire path -> id. (2019-03-01 clients put it into publishingProfile.)"""
    paths = (
        "storageProfile.source.id",
        "storageProfile.source.virtualMachineId",
        "storageProfile.source.communityGalleryImageId",
        "publishingProfile.source.managedImage.id",
        "storageProfile.osDiskImage.source.uri",
        "storageProfile.osDiskImage.source.id",
        "storageProfile.osDiskImage.source.storageAccountId",
    )
    return {path: value for path in paths if (value := field(body, f"properties.{path}")) is not None}


def storage_profile(body: Json) -> Json:
    """A new version's storageProfile: what was given, with its defaults."""
    given = field(body, "properties.storageProfile", dict, {})
    made: Json = {"source": given["source"]} if given.get("source") else {}
    if (managed := field(body, "properties.publishingProfile.source.managedImage.id")) is not None:
        made["source"] = {"id": managed}
    if given.get("osDiskImage"):
        made["osDiskImage"] = {"hostCaching": "ReadWrite", **given["osDiskImage"]}
    if given.get("dataDiskImages"):
        made["dataDiskImages"] = [{"hostCaching": "None", **one} for one in given["dataDiskImages"]]
    return made


def check_luns(body: Json, version: Resource) -> None:
    """Raises ArmError 409 where an update names other data disks than the version has."""
    given = field(body, "properties.storageProfile.dataDiskImages", list)
    present = version.properties["storageProfile"].get("dataDiskImages")
    if given and present is not None and {one.get("lun") for one in given} != {one["lun"] for one in present}:
        raise changed("galleryImageVersion", "storageProfile.dataDiskImages.lun")


def find(arm: Sandbox, call: Call, body: Json, location: str, definition: Resource) -> Origin:
    """The origin of a new version. Raises ArmError where it is missing, ambiguous, not where the version is, or not the caller's to
    use."""
    found = named(body)
    kinds = {path.split(".")[-2] if "osDiskImage" not in path else "osDiskImage" for path in found}
    if not found or len(kinds) != 1 or (len(found) > 1 and "osDiskImage" not in kinds):
        raise invalid(
            "One and only one source type, either 'source' or 'osDiskImage', can be provided for a gallery image version.",
            "galleryImageVersion.properties.storageProfile",
        )
    path, id = next(iter(found.items()))
    if path.endswith("uri"):
        origin = vhd(arm, body, id, location, definition, path)
    elif path.endswith("storageAccountId"):
        raise invalid("Required parameter 'osDiskImage.source.uri' is missing (null).", f"galleryImageVersion.properties.{path}")
    elif path.endswith("communityGalleryImageId"):
        origin = of_stored(resolve_gallery(arm, call, {"communityGalleryImageId": id}, location), "version")
    elif id.lower().startswith("/sharedgalleries/"):
        origin = of_stored(resolve_gallery(arm, call, {"sharedGalleryImageId": id}, location), "version")
    else:
        origin = _of_resource(arm, call, id, path, location, definition)
    _add_data_disks(arm, call, body, location, origin)
    return origin


def _of_resource(arm: Sandbox, call: Call, id: str, path: str, location: str, definition: Resource) -> Origin:
    kind = _type(id)
    check_linked(arm, call, f"{kind}/{'write' if kind in (MACHINE, DISK, SNAPSHOT) else 'read'}", id)
    if kind == VERSION and path == "storageProfile.source.id":
        version = resolve_gallery(arm, call, {"id": id}, location)
        if any(encryption_sets(region) for region in version.properties["publishingProfile"]["targetRegions"]):
            raise ArmError(
                400,
                "BadRequest",
                f"The gallery image version '{id}' is encrypted with a disk encryption set and cannot be the source of another one.",
                target=f"galleryImageVersion.properties.{path}",
            )
        return of_stored(version, "version")
    source = arm.resource(id)
    if source is None:
        raise arm_not_found(id)
    if source.state in ("Failed", "Deleting", "Creating"):
        raise ArmError(
            409, "OperationNotAllowed", f"The source resource '{id}' is in the provisioning state '{source.state}' and cannot be used."
        )
    if source.location != location:
        raise invalid(
            f"The resource with id '{id}' is not in the location '{location}' of the gallery image version.", "galleryImageVersion.location"
        )
    if source.type == MACHINE and path.endswith(("virtualMachineId", "source.id")):
        return of_machine(arm, source)
    if source.type == IMAGE and path.endswith(("source.id", "managedImage.id")):
        return of_stored(source, "image")
    if source.type in (DISK, SNAPSHOT):
        check_uploaded(source)
        kept = "snapshot" if source.type == SNAPSHOT else "disk"
        origin = of_disk(source)
        if origin is None or origin.content.get("blank"):
            return _on_disk(kept, source.id, location, definition, int(source.properties["diskSizeGB"]))
        return origin
    raise invalid(f"The resource '{source.id}' cannot be the source of a gallery image version.", f"galleryImageVersion.properties.{path}")


def _type(id: str) -> str:
    """`Microsoft.Compute/galleries/images/versions` of a resource's id."""
    parts = id.split("/")
    full = "/".join([*parts[6:7], *parts[7::2]])
    return next((known for known in (MACHINE, DISK, SNAPSHOT, IMAGE, VERSION) if known.lower() == full.lower()), full)


def vhd(arm: Sandbox, body: Json, uri: str, location: str, definition: Resource, path: str) -> Origin:
    """A VHD in a storage account's blob."""
    source = field(body, "properties.storageProfile.osDiskImage.source", dict, {})
    if not (source.get("storageAccountId") or source.get("id")):
        name = "galleryImageVersion.properties.storageProfile.osDiskImage.source.storageAccountId"
        raise invalid(f"Required parameter '{name}' is missing (null).", name)
    if (account := source.get("storageAccountId")) is not None:
        vhds.check_account(arm, account, uri, location)
    wanted = definition.properties
    target = f"galleryImageVersion.properties.{path}"
    found = vhds.at(arm, vhds.check_url(uri, target), location, wanted["osType"], wanted["hyperVGeneration"])
    size = int(found.properties["diskSizeGB"])
    return _on_disk("vhd", uri, location, definition, size, disk_content(found))


def _on_disk(kind: str, id: str, location: str, definition: Resource, size: int, content: Json | None = None) -> Origin:
    """A disk. Where the sandbox knows no operating system on it, Azure takes it all the same (recorded), and a machine made from it never
    comes up."""
    if content is None or content.get("blank"):
        wanted = definition.properties
        security = {"trustedlaunch": "TrustedLaunch", "confidentialvm": "ConfidentialVM"}.get(security_type(wanted), "Standard")
        content = vhds.stated(
            wanted["osType"],
            wanted["hyperVGeneration"],
            size,
            architecture=wanted.get("architecture", "x64"),
            security=security,
            blank=True,
        )
    return Origin(kind, id, location, {**deepcopy(content), "size_gb": size}, None)


def _add_data_disks(arm: Sandbox, call: Call, body: Json, location: str, origin: Origin) -> None:
    given = field(body, "properties.storageProfile.dataDiskImages", list, [])
    luns = [one["lun"] for one in origin.data]
    where = "galleryImageVersion.properties.storageProfile.dataDiskImages"
    for one in given:
        lun = required(one, "lun", int, target=f"{where}.lun")
        size = _data_disk(arm, call, one, location, f"{where}.source")
        if size is None:
            continue
        if lun in luns:
            raise invalid(f"The data disk image lun {lun} is used more than once.", f"{where}.lun")
        luns.append(lun)
        origin.data.append({"lun": lun, "size_gb": size, "caching": one.get("hostCaching", "None")})
    caching = field(body, "properties.storageProfile.osDiskImage.hostCaching")
    if caching is not None:
        origin.caching = caching


def _data_disk(arm: Sandbox, call: Call, given: Json, location: str, where: str) -> int | None:
    """The size of a data disk image's source, in GB; None where it has none of its own."""
    uri, id = field(given, "source.uri"), field(given, "source.id")
    if uri is not None:
        return int(vhds.at(arm, vhds.check_url(uri, f"{where}.uri"), location, None, "V1").properties["diskSizeGB"])
    if id is None:
        return None
    kind = _type(id)
    check_linked(arm, call, f"{kind}/write", id)
    disk = arm.resource(id)
    if disk is None or kind not in (DISK, SNAPSHOT):
        raise arm_not_found(id)
    return int(disk.properties["diskSizeGB"])


def check_fit(origin: Origin, definition: Resource, version: str) -> None:
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
    kind, own = security_type(wanted, version), content["security"]
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
