"""Machines made of versions that exist: planned, judged by the time they took, and told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any

from include.factory.notice import subject
from include.steps import gallery_image, gallery_versions, preflight
from include.steps.azure import Azure
from include.steps.errors import StepError, StepSkipped
from include.steps.form import checked, fields_of, run_of
from include.steps.look import RUN_TAG, Resource, look, pauses, step
from include.steps.machine_state import agent_ready, power_state, read_machine

if TYPE_CHECKING:
    from include.factory.preflight import Findings
    from include.factory.restore import ImageFacts, Place, Restore, RestorePlan
    from include.factory.run import Run

log = logging.getLogger(__name__)

# How long a report waits for the agent of a machine that has just been started (s).
AGENT_PATIENCE = 300.0


@step
async def plan(azure: Azure, *, run: dict[str, Any], form: dict[str, Any] | str) -> dict[str, Any]:
    """Plan a machine of a version, before the first write.

    :param run: ``{"dag_id", "run_id", "at": ISO time, "started"}``.
    :param form: the fields of :class:`include.factory.restore.Restore` (an object, or JSON text of one), ``reason``, and ``dry_run``.
    :return: the fields of :class:`include.factory.restore.RestorePlan`, and ``about``; in ``steps``, None marks what is not
        needed.
    :raises StepSkipped: a dry run; its result is the plan.
    :raises StepError: ``BadParameter``: every field that is wrong; ``ImageNotFound``; ``CannotBeRestored`` and ``CannotBePlanned``:
        everything that is in the way; ``QuotaInUse`` (kind ``transient``): only quota that running machines use.
    """
    return await _planned(azure, run, form, lives=True)


@step
async def plan_game_day(azure: Azure, *, run: dict[str, Any], form: dict[str, Any] | str) -> dict[str, Any]:
    """Plan a game day: a machine of the newest version, in another region than its home where there is one, tried and deleted.

    :param form: as in :func:`plan`; without an image, the recipe with a second gallery, or the backup, whose turn it is this month.
    :return: as :func:`plan`.
    :raises StepSkipped: a dry run, or there is nothing to be tried.
    :raises StepError: as :func:`plan`.
    """
    return await _planned(azure, run, form, lives=False)


async def _planned(azure: Azure, run: dict[str, Any], form: dict[str, Any] | str, lives: bool) -> dict[str, Any]:
    from include.factory.restore import RestorePlanError, needs_of_restore, plan_game_day, plan_restore, restore_plan_text

    fields, dry_run = fields_of(form)
    if not lives and not fields.get("image"):
        fields |= await asyncio.to_thread(_whose_turn, run["at"])
    asked, this = _asked(fields, run)
    image = await _image(azure, asked)
    place = await _place(azure, asked) if lives else _nowhere(azure)
    found = await preflight.findings(azure, needs_of_restore(asked, this, image, place, lives=lives))
    try:
        made = (plan_restore if lives else plan_game_day)(asked, this, image, place)
    except RestorePlanError as error:
        cure = "Correct what is named, and start a new run."
        problems = [*error.problems, *found.problems]
        raise StepError("permanent", "CannotBeRestored", " ".join([str(error), *found.problems]), cure, details=problems) from error
    log.info("%s", restore_plan_text(asked, image, made))
    document = {**made.model_dump(mode="json"), "about": [_subject(asked, image)]}
    return preflight.conclude(asked.image, found, document, dry_run=dry_run)


async def plan_boot(azure: Azure, *, run: dict[str, Any], form: dict[str, Any]) -> tuple[RestorePlan, Findings]:
    """Plan a machine of ``latest`` in a region, tried and deleted; and what is in the way of it.

    :param form: ``image`` (ARM id of the version that ``latest`` is to be), ``region``, ``check``.
    :raises StepError: as :func:`plan`.
    """
    from include.factory.restore import RestorePlanError, needs_of_restore, plan_boot

    asked, this = _asked(form, run)
    image, place = await _image(azure, asked), _nowhere(azure)
    try:
        made = plan_boot(asked, this, image, place)
    except RestorePlanError as error:
        raise StepError("permanent", "CannotBeBooted", str(error), "Correct what is named, and start a new run.") from error
    return made, await preflight.findings(azure, needs_of_restore(asked, this, image, place, lives=False))


async def boot(azure: Azure, *, steps: dict[str, dict[str, Any] | None]) -> str | None:
    """Make the planned machine, let its check pass, and delete it with all that was made for it, whatever came of it.

    :param steps: arguments by task of :data:`include.factory.restore.BOOT_STEPS`.
    :return: the number of the version that Azure made the machine of.
    :raises StepError: of the step that failed.
    """
    from include.steps import network, resource_group, run_command, virtual_machine

    group, machine = steps["create_resource_group"], steps["create_virtual_machine"]
    assert group is not None
    assert machine is not None
    try:
        await resource_group.ensure(azure, **group)
        await network.ensure(azure, **(steps["create_network"] or {}))
        await virtual_machine.create(azure, **machine)
        there = await read_machine(azure, machine["resource_group"], machine["name"])
        await run_command.run(azure, **(steps["check"] or {}))
    finally:
        await resource_group.delete(azure, **(steps["delete_resource_group"] or {}))
    reference = ((there or {}).get("properties", {}).get("storageProfile") or {}).get("imageReference") or {}
    return reference.get("exactVersion")


def _subject(asked: Restore, image: ImageFacts) -> str:
    """A recipe or a backup where it was named; else the definition."""
    parts = image.id.split("/")
    return subject(parts[4], parts[8], parts[10]) if "/" in asked.image else asked.image


def _whose_turn(at: str) -> dict[str, Any]:
    """The form of this month's game day: what is recovered from a disaster is either in a second gallery, or a backup."""
    from include.factory.backup import load_backups
    from include.factory.catalogue import load_catalogue
    from include.factory.folder import catalogue_folder
    from include.factory.restore import of_the_month

    catalogue = load_catalogue(catalogue_folder())
    # Behind another connection nothing can be made from here.
    seconds = {recipe.name: recipe.disaster_recovery for recipe in catalogue.recipes.values() if recipe.disaster_recovery}
    recipes = [name for name, second in seconds.items() if second.connection is None]
    backups = list(load_backups(catalogue_folder(), catalogue).backups)
    if not recipes and not backups:
        raise StepSkipped("No recipe has a second gallery, and there is no backup: nothing to be tried.")
    name = of_the_month([*recipes, *backups], datetime.fromisoformat(at))
    return {"image": name, "disaster_recovery": name in recipes}


def _asked(form: dict[str, Any], run: dict[str, Any]) -> tuple[Restore, Run]:
    from include.factory.restore import Restore

    reason = str(form.pop("reason", ""))
    return checked(Restore, form), run_of(run, reason)


def _where(azure: Azure, asked: Restore) -> tuple[str, str, str, str, str | None]:
    """Subscription, resource group, gallery, definition and version (None: as ``asked.version`` says) of the image that is named.

    :raises StepError: ``BadParameter``.
    """
    parts = asked.image.strip("/").split("/")
    if len(parts) >= 10 and parts[6].lower() == "galleries" and parts[8].lower() == "images":
        return parts[1], parts[3], parts[7], parts[9], parts[11] if len(parts) > 11 else None
    if len(parts) == 3:
        return azure.subscription_id, parts[0], parts[1], parts[2], None
    return _by_name(azure, asked)


def _by_name(azure: Azure, asked: Restore) -> tuple[str, str, str, str, str | None]:
    from include.factory.backup import load_backups
    from include.factory.catalogue import load_catalogue
    from include.factory.folder import catalogue_folder

    catalogue = load_catalogue(catalogue_folder())
    recipe = catalogue.recipes.get(asked.image)
    if recipe is None:
        backups = load_backups(catalogue_folder(), catalogue).backups
        if asked.image in backups:
            backup = backups[asked.image]
            return azure.subscription_id, backup.resource_group, backup.gallery, backup.image, None
        known = ", ".join(sorted([*catalogue.recipes, *backups])) or "none"
        raise StepError(
            "permanent",
            "BadParameter",
            f"There is no recipe and no backup {asked.image!r}",
            f"Known are {known}; or write resource-group/gallery/definition, or an ARM id.",
        )
    if not asked.disaster_recovery:
        return azure.subscription_id, recipe.publish.resource_group, recipe.publish.gallery, recipe.definition, None
    second = recipe.disaster_recovery
    if second is None:
        raise StepError(
            "permanent", "BadParameter", f"The recipe {recipe.name} has no second gallery", "Leave disaster_recovery off, or declare one."
        )
    if second.connection is not None:
        raise StepError(
            "permanent",
            "BadParameter",
            f"The second gallery of {recipe.name} is behind the connection {second.connection!r}, and machines are made by this one",
            "Restore it by an Airflow of that tenant, whose own connection this is, by the ARM id of the version.",
        )
    return second.subscription or azure.subscription_id, second.resource_group, second.gallery, recipe.definition, None


async def _image(azure: Azure, asked: Restore) -> ImageFacts:
    from include.factory.image_version import latest_in, newest_first
    from include.factory.restore import ImageFacts

    subscription, group, gallery, definition, named = await asyncio.to_thread(_where, azure, asked)
    there = azure.in_subscription(subscription)
    path = {"resource_group": group, "gallery": gallery, "definition": definition}
    described = await look(there.compute.gallery_images.get(group, gallery, definition))
    if described is None:
        raise _not_found(f"the image definition {gallery}/{definition} in the resource group {group} of {subscription}", "Correct `image`.")
    version = named or asked.version
    if version in ("latest", "newest"):
        versions = newest_first(await gallery_versions.read(there, **path))
        good = [one for one in versions if one.state == "Succeeded" and (asked.region is None or asked.region in one.regions)]
        chosen = good[0] if version == "newest" and good else None
        if version == "latest":
            # Without a region: of each version's own home.
            best = (latest_in(versions, asked.region),) if asked.region else (one for one in good if one.is_latest_candidate(one.home))
            chosen = next((one for one in best if one is not None), None)
        if chosen is None:
            where = f" in {asked.region}" if asked.region else ""
            have = ", ".join(one.name for one in versions[:5]) or "none at all"
            raise _not_found(f"a good version of {gallery}/{definition} that is {version}{where}", f"There are {have}; name one.")
        version = chosen.name
    resource = await look(there.compute.gallery_image_versions.get(group, gallery, definition, version, expand="ReplicationStatus"))
    if resource is None:
        raise _not_found(f"version {version} of {gallery}/{definition}", "Write a version that is there, latest or newest.")
    facts = gallery_image.facts(described)
    disks = (resource["properties"].get("storageProfile") or {}).get("dataDiskImages") or ()
    return ImageFacts.model_validate(
        {
            "id": resource["id"],
            "version": gallery_versions.of_resource(resource),
            "os_type": facts["os_type"],
            "os_state": facts["os_state"],
            "generation": facts["hyper_v_generation"],
            "architecture": facts["architecture"],
            "security_type": facts["features"].get("SecurityType", "Standard"),
            "luns": sorted(disk["lun"] for disk in disks),
            "plan": facts["plan"],
            "published": resource["properties"]["publishingProfile"].get("publishedDate"),
        }
    )


def _not_found(what: str, cure: str) -> StepError:
    return StepError("permanent", "ImageNotFound", f"There is no {what.removeprefix('the ').removeprefix('a ')}", cure)


async def _place(azure: Azure, asked: Restore) -> Place:
    from include.factory.restore import Place

    if not (asked.resource_group and asked.name):
        return _nowhere(azure)
    group = await look(azure.resources.resource_groups.get(asked.resource_group))
    machine = await look(azure.compute.virtual_machines.get(asked.resource_group, asked.name)) if group else None
    ids = tuple(one["id"] for one in (group, machine) if one is not None)
    return Place(azure.subscription_id, ids, None if machine is None else (machine.get("tags") or {}).get(RUN_TAG, ""))


def _nowhere(azure: Azure) -> Place:
    from include.factory.restore import Place

    return Place(azure.subscription_id)


@step
async def meet_objective(
    azure: Azure, *, resource_group: str, virtual_machine: str, command: str, objective_minutes: int
) -> dict[str, Any]:
    """Hold the time that recovery took against the objective; ``{"seconds": int}``.

    Recovery takes from Azure's first record of the machine to the end of its check, by Azure's clock.

    :raises StepError: ``ObjectiveMissed``; ``NotRecovered``: the machine is not there or was not checked.
    """
    from include.factory.restore import minutes

    measured = await _measure(azure, resource_group, virtual_machine, command)
    if measured["seconds"] is None:
        raise StepError("permanent", "NotRecovered", f"{virtual_machine} is not there, or was not checked", "Read the log of `check`.")
    if measured["seconds"] > objective_minutes * 60:
        raise StepError(
            "permanent",
            "ObjectiveMissed",
            f"Recovery took {minutes(measured['seconds'])}, and the objective is {objective_minutes} min",
            "Bring the image nearer (replicas in that region, more of them), take a size with a faster disk, or change the objective.",
        )
    log.info("Recovered in %s; the objective is %d min.", minutes(measured["seconds"]), objective_minutes)
    return {"seconds": measured["seconds"]}


async def _measure(azure: Azure, resource_group: str, virtual_machine: str, command: str | None) -> dict[str, Any]:
    """The machine (or None), its check's instance view, and the seconds that recovery took (None while it is not over)."""
    machine = await read_machine(azure, resource_group, virtual_machine)
    checked: Resource | None = None
    if machine is not None and command is not None:
        commands = azure.compute.virtual_machine_run_commands
        checked = await look(commands.get_by_virtual_machine(resource_group, virtual_machine, command, expand="instanceView"))
    view = ((checked or {}).get("properties") or {}).get("instanceView") or {}
    made = _time(((machine or {}).get("properties") or {}).get("timeCreated"))
    ended = _time(view.get("endTime")) if view.get("executionState") == "Succeeded" else None
    return {"machine": machine, "check": view, "seconds": round((ended - made).total_seconds()) if made and ended else None, "made": made}


def _boots(machine: Resource | None) -> bool:
    """Whether the machine runs and its agent has not reported yet: Azure calls a specialized one made as soon as it is started."""
    return machine is not None and power_state(machine) == "running" and not agent_ready(machine)


def _time(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written) if written else None


@step
async def report(
    azure: Azure,
    *,
    resource_group: str,
    virtual_machine: str,
    version_id: str,
    command: str | None = None,
    published: str | None = None,
    objective_minutes: int | None = None,
    failed_tasks: Collection[str] = (),
) -> dict[str, Any]:
    """Print what became of a restored machine: whether it runs, what its check said, how long recovery took, and how old the image was.

    :param published: ISO time of the version's publishing.
    :param objective_minutes: of a game day.
    :return: ``{"version", "power", "agent": bool, "check": state or None, "seconds": int|None, "age_hours": float|None, "met":
        bool|None, "failed_tasks"}``.
    """
    from include.factory.restore import minutes

    measured = await _measure(azure, resource_group, virtual_machine, command)
    clock = asyncio.get_running_loop().time
    deadline = clock() + AGENT_PATIENCE
    backoff = pauses()
    while not failed_tasks and _boots(measured["machine"]) and clock() < deadline:
        await asyncio.sleep(next(backoff))
        measured = await _measure(azure, resource_group, virtual_machine, command)
    machine, made, seconds = measured["machine"], measured["made"], measured["seconds"]
    age = (made - when).total_seconds() if made and (when := _time(published)) else None
    met = None if objective_minutes is None else seconds is not None and seconds <= objective_minutes * 60
    told = {
        "version": version_id,
        "power": power_state(machine) if machine else "absent",
        "agent": bool(machine and agent_ready(machine)),
        "check": measured["check"].get("executionState"),
        "seconds": seconds,
        "age_hours": None if age is None else round(age / 3600, 2),
        "met": met,
        "failed_tasks": sorted(failed_tasks),
    }
    lines = [
        f"Version    {version_id}",
        f"Machine    {virtual_machine} in {resource_group}: {told['power']}, agent {'ready' if told['agent'] else 'silent'}",
    ]
    if command is not None:
        lines.append(f"Check      {told['check'] or 'not run'}")
    if seconds is not None:
        lines.append(f"Recovery   {minutes(seconds)}, from the first record of the machine to the end of its check (recovery time)")
    if age is not None:
        lines.append(f"Image      {minutes(age)} old when it was used: what happened since would have been lost (recovery point)")
    if met is not None:
        lines.append(f"Objective  {objective_minutes} min: {'met' if met else 'MISSED'}")
    if failed_tasks:
        lines.append(f"Failed     {', '.join(sorted(failed_tasks))}")
    log.info("%s", "\n".join(lines))
    return told
