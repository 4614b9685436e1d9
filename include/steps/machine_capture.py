"""Captures of machines that the factory did not build: planned, thinned out, and told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from include.factory.notice import subject
from include.factory.version_tags import PINNED
from include.steps import gallery_image, gallery_versions, preflight
from include.steps.azure import Azure
from include.steps.errors import StepError
from include.steps.form import checked, fields_of, run_of
from include.steps.look import Found, Resource, look, sort, step
from include.steps.machine_state import is_generalized, power_state, read_machine
from include.steps.target_region import normal, states
from include.steps.version import Version

if TYPE_CHECKING:
    from include.factory.capture import Capture, GalleryFacts
    from include.factory.machine_facts import MachineFacts
    from include.factory.run import Run

log = logging.getLogger(__name__)

CAPTURE_TAG = "image-factory-capture"
FORM = ("replica_count", "storage_account_type")
DELETE_TIMEOUT = 2 * 3600.0


@step
async def plan(azure: Azure, *, run: dict[str, Any], form: dict[str, Any] | str) -> dict[str, Any]:
    """Plan the capture of an existing machine, before the first write.

    :param run: ``{"dag_id", "run_id", "at": ISO time, "started"}``.
    :param form: the fields of :class:`include.factory.capture.Capture` (an object, or JSON text of one), where ``regions`` may hold names,
        which then take ``replica_count`` and ``storage_account_type`` beside it; ``reason``; and ``dry_run``: print and stop.
    :return: the fields of :class:`include.factory.capture.CapturePlan`, and ``about``; in ``steps``, None marks what is not
        needed.
    :raises StepSkipped: a dry run; its result is the plan.
    :raises StepError: ``BadParameter``: every field that is wrong; ``MachineNotFound``; ``CannotBeCaptured`` and ``CannotBePlanned``:
        everything that is in the way, each with its cure; ``QuotaInUse`` (kind ``transient``): only quota that running machines use.
    """
    from include.factory.capture import CapturePlanError, capture_plan_text, needs_of_capture, plan_capture

    fields, dry_run = fields_of(form)
    asked, this = _asked(fields, run)
    machine, gallery = await asyncio.gather(read_facts(azure, asked.virtual_machine), _gallery_facts(azure, asked))
    found = await preflight.findings(azure, needs_of_capture(asked, this, machine, gallery))
    try:
        made = plan_capture(asked, this, machine, gallery)
    except CapturePlanError as error:
        cure = "Correct what is named, and start a new run."
        problems = [*error.problems, *found.problems]
        raise StepError("permanent", "CannotBeCaptured", " ".join([str(error), *found.problems]), cure, details=problems) from error
    log.info("%s", capture_plan_text(asked, machine, made))
    about = (
        [subject(asked.resource_group, asked.gallery, asked.definition)]
        if asked.resource_group and asked.gallery and asked.definition
        else []
    )
    return preflight.conclude(machine.name, found, {**made.model_dump(mode="json"), "about": about}, dry_run=dry_run)


def _asked(form: dict[str, Any], run: dict[str, Any]) -> tuple[Capture, Run]:
    from include.factory.capture import Capture

    reason = str(form.pop("reason", ""))
    own = {name: form.pop(name) for name in FORM if name in form}
    regions = [{"name": one, **own} if isinstance(one, str) else one for one in form.get("regions") or ()]
    return checked(Capture, {**form, "regions": regions}), run_of(run, reason)


async def read_facts(azure: Azure, machine: str) -> MachineFacts:
    """What a capture must know of a machine.

    :param machine: ARM id, or ``resource-group/name``.
    :raises StepError: ``MachineNotFound``; ``BadParameter``: it is in another subscription than the connection's.
    """
    parts = machine.strip("/").split("/")
    if len(parts) > 2 and (len(parts) != 8 or parts[6].lower() != "virtualmachines"):
        raise StepError("permanent", "BadParameter", f"{machine!r} is not the id of a machine", "`az vm list --query [].id` prints ids.")
    if len(parts) > 2 and parts[1].lower() != azure.subscription_id.lower():
        raise StepError(
            "permanent",
            "BadParameter",
            f"The machine is in the subscription {parts[1]}, and the connection's is {azure.subscription_id}",
            "Use a connection of the machine's subscription.",
        )
    group, name = (parts[3], parts[7]) if len(parts) > 2 else (parts[0], parts[1])
    resource = await read_machine(azure, group, name)
    if resource is None:
        raise StepError(
            "permanent",
            "MachineNotFound",
            f"There is no machine {name} in the resource group {group} of {azure.subscription_id}",
            "Correct virtual_machine; `az vm list --output table` shows what there is.",
        )
    return await _facts(azure, resource)


async def _facts(azure: Azure, resource: Resource) -> MachineFacts:
    from include.factory.machine_facts import MachineFacts

    properties = resource["properties"]
    profile = properties["storageProfile"]
    described = [profile["osDisk"], *sorted(profile.get("dataDisks") or (), key=lambda disk: disk["lun"])]
    disks = await asyncio.gather(*(_managed_disk(azure, disk) for disk in described))
    system = disks[0] or {}
    view = properties.get("instanceView") or {}
    return MachineFacts.model_validate(
        {
            "id": resource["id"],
            "location": normal(resource["location"]),
            "size": properties["hardwareProfile"]["vmSize"],
            "os_type": profile["osDisk"]["osType"],
            "security_type": (properties.get("securityProfile") or {}).get("securityType") or "Standard",
            "generation": (system.get("properties") or {}).get("hyperVGeneration") or view.get("hyperVGeneration") or "V1",
            "architecture": ((system.get("properties") or {}).get("supportedCapabilities") or {}).get("architecture") or "x64",
            "power": power_state(resource),
            "generalized": is_generalized(resource),
            "os_disk": _disk_facts(described[0], disks[0], None),
            "data_disks": [_disk_facts(one, disk, one["lun"]) for one, disk in zip(described[1:], disks[1:], strict=True)],
            "plan": {key: resource["plan"][key] for key in ("name", "product", "publisher")} if resource.get("plan") else None,
        }
    )


async def _managed_disk(azure: Azure, described: dict[str, Any]) -> Resource | None:
    id = (described.get("managedDisk") or {}).get("id")
    if not id or described.get("diffDiskSettings"):
        return None
    segments = id.split("/")
    return await look(azure.compute.disks.get(segments[4], segments[-1]))


def _disk_facts(described: dict[str, Any], disk: Resource | None, lun: int | None) -> dict[str, Any]:
    properties = (disk or {}).get("properties") or {}
    return {
        "lun": lun,
        "size_gb": properties.get("diskSizeGB") or described.get("diskSizeGB") or 0,
        "storage_account_type": ((disk or {}).get("sku") or {}).get("name") or "Premium_LRS",
        "caching": described.get("caching") or "None",
        "managed": disk is not None,
        "encryption_set": (properties.get("encryption") or {}).get("diskEncryptionSetId"),
    }


async def _gallery_facts(azure: Azure, asked: Capture) -> GalleryFacts:
    from include.factory.capture import GalleryFacts

    if asked.to != "gallery":
        return GalleryFacts(subscription_id=azure.subscription_id)
    group, gallery, definition = str(asked.resource_group), str(asked.gallery), str(asked.definition)
    found = await asyncio.gather(
        look(azure.resources.resource_groups.get(group)),
        look(azure.compute.galleries.get(group, gallery)),
        look(azure.compute.gallery_images.get(group, gallery, definition)),
    )
    versions = await gallery_versions.read(azure, resource_group=group, gallery=gallery, definition=definition) if found[2] else []
    return GalleryFacts.model_validate(
        {
            "subscription_id": azure.subscription_id,
            "there": [one["id"] for one in found if one is not None],
            "definition": gallery_image.facts(found[2]) if found[2] else None,
            "versions": versions,
        }
    )


@step
async def retire(
    azure: Azure, *, resource_group: str, gallery: str, definition: str, name: str, keep: int, versions: list[str]
) -> dict[str, Any]:
    """Delete older captures of one name, oldest first; ``{"deleted": [version …]}``: those of ``versions`` that are gone. Run again, it
    deletes what is left.

    A version that does not carry that name, or is pinned (tag ``image-factory-pinned``), is left; and nothing is deleted unless ``keep``
    other good captures of the name are there.

    :param versions: that go, newest first.
    :raises StepError: ``TooFewCaptures``.
    """
    path = {"resource_group": resource_group, "gallery": gallery, "definition": definition}
    there = await gallery_versions.read(azure, **path)
    own = {one.name: one for one in there if one.tags.get(CAPTURE_TAG) == name}
    good = [one for one in own.values() if one.state == "Succeeded" and one.name not in versions]
    if len(good) < keep:
        raise StepError(
            "permanent",
            "TooFewCaptures",
            f"{len(good)} good captures of {name} would be left, and {keep} are to be kept",
            "Nothing was deleted. Find out who deletes captures; then start a new capture.",
        )
    deleted = []
    for version in reversed(versions):
        one = Version(azure, **path, version=version)
        found, resource = await one.settle(None, DELETE_TIMEOUT)
        if resource is None or found is Found.ABSENT:
            deleted.append(version)
            continue
        tags = resource.get("tags") or {}
        pinned = tags.get(PINNED, "false").lower() != "false"
        if tags.get(CAPTURE_TAG) != name or pinned:
            log.warning("Version %s is left: it is %s.", version, "pinned" if pinned else f"no capture of {name}")
            continue
        await one.delete()
        deleted.append(version)
        log.info("Capture %s of %s is deleted.", version, name)
    return {"deleted": deleted}


@step
async def report(
    azure: Azure,
    *,
    machine: str,
    name: str,
    leftovers: str,
    was: str,
    resource_group: str | None = None,
    gallery: str | None = None,
    definition: str | None = None,
    version: str | None = None,
    regions: list[str] | None = None,
    failed_tasks: Collection[str] = (),
) -> dict[str, Any]:
    """Print how things are after a capture, whatever became of it: the machine, the version region by region, the captures of its name,
    and what is left of the run.

    :param was: the machine's power state before.
    :param leftovers: the run's own resource group.
    :return: ``{"machine": power state, "generalized": bool, "version": state by region or None, "captures": [version …], "leftovers":
        bool, "failed_tasks"}``.
    """
    segments = machine.split("/")
    read, group = await asyncio.gather(read_machine(azure, segments[4], segments[8]), look(azure.resources.resource_groups.get(leftovers)))
    power = power_state(read) if read else "absent"
    told: dict[str, Any] = {
        "machine": power,
        "generalized": bool(read and is_generalized(read)),
        "version": None,
        "captures": [],
        "leftovers": group is not None and sort(group) is not Found.DELETING,
        "failed_tasks": sorted(failed_tasks),
    }
    lines = [f"Machine {segments[8]} was {was} and is {power}{', generalized' if told['generalized'] else ''}."]
    if version and resource_group and gallery and definition:
        one = await Version(azure, resource_group, gallery, definition, version).read()
        seen = states(one) if one else {}
        told["version"] = {region: seen.get(region, "Absent") for region in regions or ()}
        lines.append(f"Version {gallery}/{definition} {version}: " + ", ".join(f"{key} {value}" for key, value in told["version"].items()))
        try:
            all_versions = await gallery_versions.read(azure, resource_group=resource_group, gallery=gallery, definition=definition)
        except StepError:
            all_versions = []
        own = sorted((each for each in all_versions if each.tags.get(CAPTURE_TAG) == name), key=lambda each: each.number, reverse=True)
        told["captures"] = [each.name for each in own]
        lines.append(f"Captures of {name}: {', '.join(told['captures']) or 'none'}.")
    if told["leftovers"]:
        lines.append(f"The resource group {leftovers} is still there.")
    if failed_tasks:
        lines.append(f"Failed: {', '.join(sorted(failed_tasks))}. Clear them when the cause is gone: what is done is not done again.")
    log.info("%s", "\n".join(lines))
    return told
