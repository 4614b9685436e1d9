"""What an image is built from: found, pinned to a version, and described."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from include.steps.azure import Azure
from include.steps.errors import StepError
from include.steps.look import Found, Resource, look, sort, step
from include.steps.target_region import normal, present

log = logging.getLogger(__name__)

# Between looks for a newer version (s): images appear a few times a month.
NEWER_PAUSE = 600.0


@step
async def resolve(azure: Azure, *, base: dict[str, Any], location: str) -> dict[str, Any]:
    """Find the base image and pin it: ``latest`` becomes the version that is newest in ``location`` at this moment.

    :param base: ``{"kind": "marketplace", "publisher", "offer", "sku", "version"}``, ``{"kind": "gallery", "resource_group", "gallery",
        "definition", "version"}``, ``{"kind": "managed_image", "id"}`` or ``{"kind": "snapshot", "os": id, "data": {lun: id}}``.
    :return: ``id`` (ARM id, or URN for the marketplace), ``version``, ``image_reference`` or ``snapshot``, ``os_type``, ``os_state``,
        ``generation``, ``architecture``, ``security_type`` (each None where Azure does not say), ``data_luns``, and ``plan`` (marketplace
        purchase plan, or None).
    :raises StepError: ``BaseNotFound``; ``BaseElsewhere``: a managed image or snapshot of another region.
    """
    match base["kind"]:
        case "marketplace":
            return await _marketplace(azure, base, normal(location))
        case "gallery":
            return await _gallery(azure, base, normal(location))
        case "managed_image":
            return await _managed_image(azure, base, normal(location))
        case "snapshot":
            return await _snapshot(azure, base, normal(location))
        case kind:
            raise StepError(
                "permanent",
                "UnknownBase",
                f"base.kind {kind!r} is not known",
                "It is one of marketplace, gallery, managed_image, snapshot.",
            )


@step
async def wait_for_newer(
    azure: Azure, *, base: dict[str, Any], location: str, than: str | None, timeout: float = 7 * 86400
) -> dict[str, Any]:
    """Wait until the base has a version newer than ``than``; its own ``version`` is taken for ``latest``.

    :param base: of kind marketplace or gallery, as in :func:`resolve`.
    :param than: a version; None takes any.
    :param timeout: seconds.
    :return: ``{"id", "version"}``.
    :raises StepError: ``NothingNewer`` (kind ``transient``): not in that time.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + timeout
    while True:
        found = await resolve(azure, base={**base, "version": "latest"}, location=location)
        if than is None or version_key(str(found["version"])) > version_key(than):
            log.info("%s is newer than %s.", found["id"], than)
            return {"id": found["id"], "version": found["version"]}
        if clock() + NEWER_PAUSE > deadline:
            raise StepError(
                "transient",
                "NothingNewer",
                f"{found['id']} is still the newest after {timeout:.0f} s",
                "Nothing: the next try waits on. If the task failed, nothing newer came in all its tries: clear it to wait on.",
            )
        await asyncio.sleep(NEWER_PAUSE)


def version_key(version: str) -> tuple[int, ...]:
    """Versions in Azure's order: number by number, never as text (22.04.9 is older than 22.04.10)."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))


def _not_found(what: str, cure: str) -> StepError:
    return StepError("permanent", "BaseNotFound", f"{what} does not exist", cure)


async def _marketplace(azure: Azure, base: dict[str, Any], location: str) -> dict[str, Any]:
    from azure.core.exceptions import ResourceNotFoundError

    images = azure.compute.virtual_machine_images
    publisher, offer, sku, version = (base[key] for key in ("publisher", "offer", "sku", "version"))
    urn = f"{publisher}:{offer}:{sku}"
    cure = f"`az vm image list --all --publisher {publisher} --location {location}` shows what there is; correct base in the recipe."
    try:
        if version == "latest":
            # All of them, sorted here: Azure's own $orderby compares the names as text.
            names = [str(item["name"]) for item in await images.list(location, publisher, offer, sku)]
            if not names:
                raise _not_found(f"A version of {urn} in {location}", cure)
            version = max(names, key=version_key)
        image = (await images.get(location, publisher, offer, sku, version)).as_dict()
    except ResourceNotFoundError as error:
        raise _not_found(f"The marketplace image {urn}:{version} in {location}", cure) from error
    properties = image.get("properties") or {}
    features = {item["name"]: item["value"] for item in properties.get("features") or ()}
    return {
        "id": f"{urn}:{version}",
        "version": version,
        "image_reference": {"publisher": publisher, "offer": offer, "sku": sku, "version": version},
        "os_type": (properties.get("osDiskImage") or {}).get("operatingSystem"),
        "os_state": "Generalized",
        "generation": properties.get("hyperVGeneration"),
        "architecture": properties.get("architecture"),
        "security_type": features.get("SecurityType"),
        "data_luns": sorted(disk["lun"] for disk in properties.get("dataDiskImages") or ()),
        "plan": properties.get("plan"),
    }


async def _gallery(azure: Azure, base: dict[str, Any], location: str) -> dict[str, Any]:
    path = (base["resource_group"], base["gallery"], base["definition"])
    definition_read = look(azure.compute.gallery_images.get(*path))
    versions = azure.compute.gallery_image_versions
    name = f"{base['gallery']}/{base['definition']}"
    if base["version"] == "latest":
        definition, all_versions = await asyncio.gather(definition_read, read_versions(azure, *path))
        candidates = [version for version in all_versions if is_latest_in(version, location)]
        version = max(candidates, key=lambda one: version_key(one["name"]), default=None)
        wanted = f"A version of {name} that latest sees in {location}"
    else:
        definition, version = await asyncio.gather(definition_read, look(versions.get(*path, base["version"])))
        wanted = f"Version {base['version']} of {name} in {location}"
        if version is not None and location not in present(version):
            version = None
    if definition is None or version is None:
        raise _not_found(wanted, "Build, replicate and promote that image first, or correct base in the recipe.")
    properties = definition["properties"]
    features = {item["name"]: item["value"] for item in properties.get("features") or ()}
    return {
        "id": version["id"],
        "version": version["name"],
        "image_reference": {"id": version["id"]},
        "os_type": properties.get("osType"),
        "os_state": properties.get("osState"),
        "generation": properties.get("hyperVGeneration"),
        "architecture": properties.get("architecture"),
        "security_type": features.get("SecurityType"),
        "data_luns": sorted(disk["lun"] for disk in (version["properties"].get("storageProfile") or {}).get("dataDiskImages") or ()),
        "plan": properties.get("purchasePlan"),
    }


async def read_versions(azure: Azure, resource_group: str, gallery: str, definition: str) -> list[Resource]:
    """All versions of a definition; none where there is no such definition, gallery or group."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        pages = azure.compute.gallery_image_versions.list_by_gallery_image(resource_group, gallery, definition)
        return [version.as_dict() async for version in pages]
    except ResourceNotFoundError:
        return []


def is_latest_in(version: Resource, location: str) -> bool:
    """Whether ``latest`` may resolve to the version in a region; the regional flag takes precedence over the global one."""
    region = present(version).get(location)
    if region is None or sort(version) is not Found.DONE:
        return False
    excluded = region.get("excludeFromLatest")
    return not (version["properties"]["publishingProfile"].get("excludeFromLatest") if excluded is None else excluded)


async def _managed_image(azure: Azure, base: dict[str, Any], location: str) -> dict[str, Any]:
    segments = base["id"].split("/")
    image = await look(azure.compute.images.get(segments[4], segments[-1]))
    if image is None:
        raise _not_found(f"The managed image {base['id']}", "Correct base.managed_image in the recipe.")
    _check_region(image, location)
    profile = image["properties"]["storageProfile"]
    return {
        "id": image["id"],
        "version": None,
        "image_reference": {"id": image["id"]},
        "os_type": profile["osDisk"].get("osType"),
        "os_state": profile["osDisk"].get("osState"),
        "generation": image["properties"].get("hyperVGeneration"),
        "architecture": None,
        "security_type": None,
        "data_luns": sorted(disk["lun"] for disk in profile.get("dataDisks") or ()),
        "plan": None,
    }


async def _snapshot(azure: Azure, base: dict[str, Any], location: str) -> dict[str, Any]:
    ids = [base["os"], *(base.get("data") or {}).values()]
    snapshots = await asyncio.gather(*(look(azure.compute.snapshots.get(id.split("/")[4], id.split("/")[-1])) for id in ids))
    for id, snapshot in zip(ids, snapshots, strict=True):
        if snapshot is None:
            raise _not_found(f"The snapshot {id}", "Correct base in the recipe.")
        _check_region(snapshot, location)
    properties = (snapshots[0] or {})["properties"]
    return {
        "id": base["os"],
        "version": None,
        "snapshot": {"os": base["os"], "data": dict(base.get("data") or {})},
        "os_type": properties.get("osType"),
        "os_state": "Specialized",
        "generation": properties.get("hyperVGeneration"),
        "architecture": (properties.get("supportedCapabilities") or {}).get("architecture"),
        "security_type": (properties.get("securityProfile") or {}).get("securityType"),
        "data_luns": sorted(int(lun) for lun in base.get("data") or {}),
        "plan": None,
    }


def _check_region(resource: Resource, location: str) -> None:
    if normal(resource["location"]) != location:
        raise StepError(
            "permanent",
            "BaseElsewhere",
            f"{resource['id']} is in {resource['location']} and machines are built from it only there, not in {location}",
            "Build in its region (build.region), or copy it.",
        )
