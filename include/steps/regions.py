"""Regions of many versions at once: planned, changed, and told."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from include.factory.notice import subject
from include.steps import form as form_of
from include.steps import gallery_versions, preflight
from include.steps.arm_error import of_exception
from include.steps.azure import Azure
from include.steps.errors import StepError, partly, told_of
from include.steps.look import step
from include.steps.replication import Replication
from include.steps.table import table
from include.steps.target_region import Region
from include.steps.version import Version

if TYPE_CHECKING:
    from include.factory.image_version import ImageVersion
    from include.factory.region_change import RegionChange, RegionPlan

log = logging.getLogger(__name__)


@step
async def plan(azure: Azure, *, form: dict[str, Any] | str) -> dict[str, Any]:
    """Plan what is asked of the versions of a definition, before the first write.

    :param form: the fields of :class:`include.factory.region_change.RegionChange` (an object, or JSON text of one), where ``add`` may
        hold region names, which then take ``replica_count`` and ``storage_account_type`` beside it; ``recipe`` may stand for the three
        names of its definition; and ``dry_run``: print and stop.
    :return: ``{"versions": [names to change], "calls": [{"method", "path", "what"}],
        "steps": {"change_regions", "report_regions": arguments}}``.
    :raises StepSkipped: a dry run, or nothing to do; its result is the same object.
    :raises StepError: ``BadParameter``: every field that is wrong, with the cure; ``DefinitionNotFound``.
    """
    from include.factory.version_selection import select

    fields, dry_run = form_of.fields_of(form)
    asked = _asked(await form_of.located(fields))
    versions = await gallery_versions.read(azure, **asked.path)
    try:
        chosen = select(asked.versions, versions)
    except ValueError as error:
        raise form_of.bad([f"versions: {error}"]) from error
    return await _planned(azure, asked, chosen, versions, dry_run)


@step
async def plan_recipe(azure: Azure, *, recipe: str, run: dict[str, Any]) -> dict[str, Any]:
    """Plan the regions of a recipe's versions as the recipe says them now.

    The versions are those whose number is of the run's day (UTC), as ``publish.version`` makes numbers; and the one that people get
    (the newest included in latest), unless the run is one of a backfill.

    :param recipe: name of a recipe of the catalogue.
    :param run: ``{"at": ISO time, "run_type", "params": {"dry_run", "remove_others", "at_once"}}``; params may be JSON text.
    :return: as :func:`plan`.
    :raises StepSkipped: a dry run, or nothing to do.
    :raises StepError: ``RecipeBroken``, ``BadParameter``.
    """
    from include.factory.image_version import newest_included
    from include.factory.version import parse_version, version_of

    chosen_recipe = await form_of.recipe_of(recipe)
    params = run.get("params") or {}
    params = json.loads(params) if isinstance(params, str) else params
    publish = chosen_recipe.publish
    day = datetime.fromisoformat(run["at"]).replace(hour=0, minute=0, second=0, microsecond=0)
    first, last = (parse_version(version_of(publish.version, at)) for at in (day, day + timedelta(days=1, seconds=-1)))
    asked = _asked(
        {
            "resource_group": publish.resource_group,
            "gallery": publish.gallery,
            "definition": chosen_recipe.definition,
            "versions": "..".join(".".join(map(str, number)) for number in (first, last)),
            "add": [region.model_dump() for region in chosen_recipe.target_regions],
            "set_replica_count": True,
            "timeout": chosen_recipe.replicate.timeout,
            **{name: params[name] for name in ("remove_others", "at_once") if params.get(name) is not None},
        }
    )
    versions = await gallery_versions.read(
        azure, resource_group=publish.resource_group, gallery=publish.gallery, definition=chosen_recipe.definition
    )
    chosen = [version for version in versions if first <= version.number <= last]
    front = newest_included(versions)
    if front is not None and run.get("run_type") != "backfill" and front.name not in {version.name for version in chosen}:
        chosen.append(front)
    return await _planned(azure, asked, chosen, versions, bool(params.get("dry_run")))


def _asked(form: dict[str, Any]) -> RegionChange:
    from include.factory.region_change import RegionChange

    fields = {name: value for name, value in form.items() if value is not None}
    own = {name: fields.pop(name) for name in ("replica_count", "storage_account_type") if name in fields}
    fields["add"] = [{"name": one, **own} if isinstance(one, str) else one for one in fields.get("add") or ()]
    return form_of.checked(RegionChange, fields)


async def _planned(
    azure: Azure, asked: RegionChange, chosen: list[ImageVersion], versions: list[ImageVersion], dry_run: bool
) -> dict[str, Any]:
    from include.factory.calls import World, planned_calls
    from include.factory.image_version import newest_first
    from include.factory.preflight import needs_of_calls
    from include.factory.region_change import STEPS, arguments_of, plan_regions, region_plan_text

    read = await gallery_versions.with_states(azure, [version.name for version in chosen], **asked.path)
    made = plan_regions(asked, newest_first(read), versions)
    steps = arguments_of(asked, made)
    calls = planned_calls(steps, STEPS, World(azure.subscription_id))
    log.info("%s", region_plan_text(asked, made, calls))
    document = {
        "versions": [change.version for change in made.changes],
        "about": [subject(**asked.path)],
        "calls": [call.model_dump() for call in calls],
        "steps": steps,
    }
    found = await preflight.findings(azure, needs_of_calls(calls, asked.add if made.changes else ()))
    nothing = None if made.changes else _nothing(chosen, made)
    return preflight.conclude(f"{asked.gallery}/{asked.definition}", found, document, dry_run=dry_run, nothing=nothing)


def _nothing(chosen: list[ImageVersion], made: RegionPlan) -> str:
    if not chosen:
        return "No version is meant: nothing to do."
    if made.left_out:
        return f"Nothing can be done: {'; '.join(f'{version}: {reason}' for version, reason in made.left_out.items())}."
    return f"{len(made.right)} version(s) have their regions already: nothing to do."


async def change(
    azure: Azure,
    *,
    resource_group: str,
    gallery: str,
    definition: str,
    target_regions: list[Region],
    versions: list[dict[str, Any]],
    at_once: int = 10,
    timeout: float = 21600,
    earlier: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Change the regions of each version, ``at_once`` at a time; one that fails delays no other, and one that somebody deleted since the
    plan has no regions any more, and is noted.

    Run again, it does what is left.

    :param target_regions: settings of the regions to add, ``{"name", "replica_count", "storage_account_type", "encryption_set"|None}``.
    :param versions: in order, the fields of :class:`include.factory.region_change.VersionChange` each.
    :param timeout: seconds for each version.
    :param earlier: the details of the error of this task's last try, whose notes are told with those of this one.
    :return: ``{"versions": {version: {region: state}}}``, with ``Removed`` for regions that are gone as
        asked, whichever try took them away; and ``"notes"``, ``{version: [sentences]}``, where other writers' updates had to
        be mended, or the version is gone.
    :raises StepError: ``PartlyReplicated``: some are done, and the others and their regions are named; kind ``transient`` when waiting
        is all that is missing.
    """
    settings = {region["name"]: region for region in target_regions}
    gate = asyncio.Semaphore(at_once)
    done: dict[str, dict[str, str]] = {}
    notes: dict[str, list[str]] = {name: list(said) for name, said in ((earlier or {}).get("notes") or {}).items()}
    failures: dict[str, StepError] = {}

    async def one(asked: dict[str, Any]) -> None:
        name = asked["version"]
        async with gate:
            told = notes.setdefault(name, [])
            try:
                result = await _change(Version(azure, resource_group, gallery, definition, name), settings, asked, timeout, told)
                done[name] = {**result["regions"], **dict.fromkeys(result.get("removed", ()), "Removed")}
            except Exception as error:
                failure = error if isinstance(error, StepError) else of_exception(error)
                if failure.code == "ResourceGone":
                    done[name] = {}
                    told.append("It was deleted since the plan was made.")
                    log.warning("Version %s was deleted since the plan was made: nothing is done.", name)
                else:
                    failures[name] = failure
                    log.error("Version %s", told_of(name, str(failure)))
            log.info("%d of %d versions are done, %d failed.", len(done), len(versions), len(failures))

    await asyncio.gather(*map(one, versions))
    notes = {name: list(dict.fromkeys(told)) for name, told in notes.items() if told}
    if failures:
        said = f"{len(done)} of {len(versions)} versions are done, {len(failures)} are not."
        raise partly("PartlyReplicated", said, failures, done=dict(sorted(done.items())), notes=notes)
    return {"versions": done, **({"notes": notes} if notes else {})}


async def _change(version: Version, settings: dict[str, Region], asked: dict[str, Any], timeout: float, notes: list[str]) -> dict[str, Any]:
    wanted = [*asked.get("add", ()), *asked.get("repair", ())]
    return await Replication(
        version,
        [settings[name] for name in wanted],
        timeout,
        remove=asked.get("remove", ()),
        replica_count=asked.get("replica_count"),
        excluded=asked.get("excluded", True),
        forget=asked.get("forget"),
        notes=notes,
    ).run()


async def report(
    azure: Azure, *, resource_group: str, gallery: str, definition: str, versions: list[str], regions: list[str]
) -> dict[str, Any]:
    """Read how the versions are now, whatever became of the change, and print a table of versions and regions.

    :param regions: the regions that the versions are to have; others that they have are shown, too.
    :return: ``{"table": Markdown, "complete": number of versions that are Completed in all of ``regions``, "incomplete": {version:
        {region: state}}}``.
    """
    read = await gallery_versions.with_states(azure, versions, resource_group=resource_group, gallery=gallery, definition=definition)
    read.sort(key=lambda version: version.number, reverse=True)
    columns = list(dict.fromkeys([*regions, *(name for version in read for name in version.regions)]))
    rows = [[version.name, *(version.regions[name].state if name in version.regions else "-" for name in columns)] for version in read]
    shown = table(["version", *columns], rows)
    incomplete = {
        version.name: {name: version.regions[name].state if name in version.regions else "Absent" for name in regions}
        for version in read
        if any(name not in version.regions or version.regions[name].state != "Completed" for name in regions)
    }
    log.info("%s/%s, as it is now:\n%s", gallery, definition, shown)
    for name, state in incomplete.items():
        log.warning("Not Completed: %s in %s", name, ", ".join(f"{region} ({one})" for region, one in state.items() if one != "Completed"))
    if incomplete:
        log.warning("The log of the task that changes regions says why, and what to do; cleared, that task does what is left.")
    return {"table": shown, "complete": len(read) - len(incomplete), "incomplete": incomplete}
