"""Promoting a version that exists: planned, done wave by wave, and told."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.factory import version_tags
from include.factory.notice import news, subject
from include.steps import form as form_of
from include.steps import gallery_versions, image_users, preflight, restore
from include.steps.arm_error import of_exception
from include.steps.azure import Azure
from include.steps.errors import StepError
from include.steps.latest import show
from include.steps.look import Resource, now, step
from include.steps.table import table
from include.steps.target_region import normal, present, states
from include.steps.version import Version, region_update

if TYPE_CHECKING:
    from include.factory.image_version import ImageVersion

log = logging.getLogger(__name__)

# Seconds between looks at what latest is: what Azure lists may lag behind what it has accepted.
LOOKS = (5.0, 15.0, 30.0, 60.0)
# Who runs a version: so many are named in the log; all are in the result.
SHOWN = 50


@step
async def plan(azure: Azure, *, form: dict[str, Any] | str, run: dict[str, Any] | None = None) -> dict[str, Any]:
    """Plan a promotion before the first write.

    :param form: the fields of :class:`include.factory.promotion.Promotion` (an object, or JSON text of one); ``recipe`` may stand for the
        three names of its definition; ``dry_run``: print and stop. The approvers of a recipe that asks for approval are always asked.
    :param run: ``{"dag_id", "run_id", "at": ISO time, "started"}``; needed for ``boot``.
    :return: ``{"version", "text", "calls", "approval": {"approvers", "timeout"}|None, "steps"}``.
    :raises StepSkipped: a dry run, or nothing to do; its result is the same object.
    :raises StepError: ``BadParameter``; ``DefinitionNotFound``; ``CannotBePromoted``: everything that is in the way.
    """
    from include.factory.calls import World, planned_calls
    from include.factory.image_version import newest_first
    from include.factory.preflight import Findings, needs_of_calls
    from include.factory.promotion import STEPS, Promotion, plan_promotion, promotion_arguments, promotion_text

    fields, dry_run = form_of.fields_of(form)
    asked = form_of.checked(Promotion, await form_of.located(fields))
    versions = await _with_latest(azure, asked.path)
    chosen = newest_first(versions)[:1] if asked.version == "newest" else [one for one in versions if one.name == asked.version]
    read = await gallery_versions.with_states(azure, [one.name for one in chosen], **asked.path)
    made = plan_promotion(asked, next(iter(read), None), versions)
    found = Findings()
    boots = []
    if asked.boot and not made.problems:
        for wave in made.waves[:-1]:
            image = Version(azure, **asked.path, version=made.version).id
            form_of_boot = {"image": image, "region": wave[0], "check": asked.boot_check, "reason": asked.reason}
            boot, obstacles = await restore.plan_boot(azure, run=run or {}, form=form_of_boot)
            boots.append(boot.steps)
            found = found.and_(obstacles)
    steps = promotion_arguments(asked, made, now(), boots)
    calls = planned_calls(steps, STEPS, World(azure.subscription_id))
    text = promotion_text(asked, made, calls)
    log.info("%s", text)
    if made.problems:
        cure = "Correct what is named; then start a new run."
        raise StepError("permanent", "CannotBePromoted", " ".join(made.problems), cure, details=list(made.problems))
    document = {
        "version": made.version,
        "about": [subject(**asked.path)],
        "text": text,
        "calls": [call.model_dump() for call in calls],
        "approval": await _approval(asked.path, asked.approvers),
        "steps": steps,
    }
    # The machines' own rights are among what their plans need.
    found = found.and_(await preflight.findings(azure, needs_of_calls(call for call in calls if "/galleries/" in call.path)))
    nothing = f"Version {made.version} is where it is to be already: nothing to do." if made.is_empty else None
    return preflight.conclude(f"Promoting {made.version}", found, document, dry_run=dry_run, nothing=nothing)


async def _with_latest(azure: Azure, path: dict[str, str]) -> list[ImageVersion]:
    """All versions, with the replication states of those that ``latest`` resolves to."""
    from include.factory.image_version import latest_everywhere

    listed = await gallery_versions.read(azure, **path)
    return await gallery_versions.with_deciding_states(azure, listed, lambda versions: latest_everywhere(versions).values(), **path)


async def _approval(path: dict[str, str], approvers: Sequence[str]) -> dict[str, Any] | None:
    """Whose word is needed: that of the recipe of the definition, wherever the form came from; else that of the form's approvers."""
    from include.factory.catalogue import load_catalogue
    from include.factory.folder import catalogue_folder

    catalogue = await asyncio.to_thread(load_catalogue, catalogue_folder())
    for recipe in catalogue.recipes.values():
        here = {"resource_group": recipe.publish.resource_group, "gallery": recipe.publish.gallery, "definition": recipe.definition}
        if recipe.approval and {key: value.lower() for key, value in here.items()} == {key: value.lower() for key, value in path.items()}:
            return {"approvers": list(recipe.approval.approvers or approvers), "timeout": recipe.approval.timeout}
    return {"approvers": list(approvers), "timeout": 86400} if approvers else None


@step
async def promote(
    azure: Azure,
    *,
    resource_group: str,
    gallery: str,
    definition: str,
    version: str,
    waves: list[list[str]],
    channels: list[str],
    since: str,
    pause: float = 3600,
    check: bool = True,
    boots: list[dict[str, Any]] | None = None,
    lifts: dict[str, str] | None = None,
    approval: dict[str, Any] | str | None = None,
) -> dict[str, Any]:
    """Let ``latest`` resolve to the version wave by wave, and move channels to it with the last wave.

    When a wave is out, each of its regions is proven to resolve ``latest`` to the version, or to a higher one that is included there,
    before anything else happens. In a region that had its wave the regional exclude flag is off; the version's own goes off with the last.
    How far it has come is kept in the version's tags, so that a second run goes on there, and waits no longer than is left of the pause.

    :param waves: region names by wave; ``[]`` leaves ``latest`` alone.
    :param since: ISO time of the plan. A channel is at the version when its tag says so.
    :param pause: seconds between waves.
    :param check: before each further wave, stop when a machine, scale set or instance made from the version is ``Failed``.
    :param boots: for each wave but the last, what is booted before the next: :func:`include.steps.restore.boot`.
    :param lifts: marks of a roll-back or retirement that the plan saw on the version, with their values, and that are taken off; a mark
        that came later ends the promotion.
    :param approval: what the approval's task returned (an object, or JSON text of one); goes into the tags.
    :return: ``{"id", "version", "waves": how many, "latest": {region: what it was proven to resolve to}, "channels", "notices"}``.
    :raises StepError: ``RolledBack``, ``Retired``: since the plan was made; ``NotLatest``: names the regions;
        ``PromotionStopped``: names the machines, or says why one did
        not boot; ``ResourceGone``; ``NotReplicated``.
    """
    one = Version(azure, resource_group, gallery, definition, version)
    tags = _approved(approval)
    if version_tags.ROLLED_BACK in (lifts or {}):
        tags[version_tags.PROMOTED_AGAIN] = since
    moved = {version_tags.channel_tag(channel): since for channel in channels}
    began = False
    latest: dict[str, str] = {}
    for number in range(1, max(len(waves), 1) + 1):
        if number > 1:
            await _pause(one, number - 1, len(waves), pause, began)
            so_far = _so_far(version, waves, number - 1)
            if check:
                await _check(azure, one, so_far)
            if boots:
                await _boot(azure, one, waves[number - 2], boots[number - 2], so_far)
        began = await show(one, _Wave(waves, number, since, tags, moved), lifts=lifts or {}) or began
        if waves:
            latest |= await _proven(one, waves[number - 1])
    told = [f"latest in {', '.join(region for wave in waves for region in wave)}"] * bool(waves) + [f"channel {name}" for name in channels]
    notices = [news("promoted", resource_group, gallery, definition, f"version {version} is promoted", "\n".join(told))]
    return {"id": one.id, "version": version, "waves": len(waves), "latest": latest, "channels": channels, "notices": notices}


class _Wave:
    """The change of one wave."""

    def __init__(self, waves: list[list[str]], number: int, since: str, tags: dict[str, str], channels: dict[str, str]) -> None:
        self.waves, self.number, self.since, self.added, self.channels = waves, number, since, tags, channels
        self.last = number >= len(waves)

    def flags(self, resource: Resource) -> Resource | None:
        if not self.waves or not self._hidden(resource):
            return None
        if ready := {name: state for name, state in states(resource).items() if state != "Completed"}:
            raise StepError(
                "permanent",
                "NotReplicated",
                f"Version {resource['name']} is not Completed in {', '.join(sorted(ready))}",
                "latest is left where it is. Repair these regions with backfill_regions, then clear this task.",
            )
        own = _own(resource)
        items = [
            {**item, "excludeFromLatest": not self._is_out(name) and item.get("excludeFromLatest", own)}
            for name, item in present(resource).items()
        ]
        return region_update(items, excluded=False if self.last else None, allow_deletion=False)

    def tags(self, resource: Resource) -> tuple[dict[str, str], dict[str, str]]:
        there = resource.get("tags") or {}
        wanted = dict(self.added)
        if self.waves and version_tags.PROMOTED not in there:
            wanted[version_tags.PROMOTED] = now()
        if self.last:
            wanted |= self.channels
        if self.waves and _wave_of(there, self.since) < self.number:
            wanted[version_tags.WAVE] = f"{self.number} of {len(self.waves)} at {now()}"
        return {name: value for name, value in wanted.items() if there.get(name) != value}, {}

    def _is_out(self, region: str) -> bool:
        return self.last or region in {normal(name) for wave in self.waves[: self.number] for name in wave}

    def _hidden(self, resource: Resource) -> bool:
        """Whether the version, or a region whose turn has come, is excluded still."""
        own = _own(resource)
        items = present(resource).items()
        return (self.last and own) or any(self._is_out(name) and item.get("excludeFromLatest", own) for name, item in items)


def _own(resource: Resource) -> bool:
    """The version's own exclude flag."""
    return bool(resource["properties"]["publishingProfile"].get("excludeFromLatest"))


def _wave_of(tags: dict[str, str], since: str) -> int:
    """The last wave that is out of the promotion that was planned then; 0 where none is."""
    said = re.fullmatch(r"(\d+) of \d+ at (\S+)", tags.get(version_tags.WAVE, ""))
    return int(said[1]) if said and said[2] >= since else 0


def _approved(approval: dict[str, Any] | str | None) -> dict[str, str]:
    answer = json.loads(approval) if isinstance(approval, str) and approval else approval
    if not isinstance(answer, dict) or not answer.get("responded_at"):
        return {}
    who = (answer.get("responded_by_user") or {}).get("name") or "nobody (by default)"
    reason = str((answer.get("params_input") or {}).get("reason") or "")
    # Azure takes 256 characters.
    return {version_tags.APPROVED: f"{answer['responded_at']} by {who}{': ' + reason if reason else ''}"[:256]}


async def _pause(one: Version, done: int, waves: int, pause: float, began: bool) -> None:
    """Wait between waves: the whole pause after a wave of this process, what is left of it after one of an earlier self."""
    resource = await one.read()
    said = re.fullmatch(rf"{done} of {waves} at (\S+)", ((resource or {}).get("tags") or {}).get(version_tags.WAVE, ""))
    if said is None:
        return  # a later wave is done already
    passed = 0.0 if began else (datetime.now(UTC) - datetime.fromisoformat(said[1])).total_seconds()
    left = max(0.0, pause - max(0.0, passed))
    log.info("Wave %d of %d is out; the next comes in %.0f s.", done, waves, left)
    await asyncio.sleep(left)


def _so_far(version: str, waves: list[list[str]], done: int) -> str:
    """How far a promotion has come, for the error that stops it."""
    out, left = (", ".join(sorted({normal(name) for wave in some for name in wave})) for some in (waves[:done], waves[done:]))
    return f"Version {version} is out in {out}, and not in {left}."


async def _check(azure: Azure, one: Version, so_far: str) -> None:
    """Stop when the version does not do where it is out already."""
    path = {"resource_group": one.resource_group, "gallery": one.gallery, "definition": one.definition}
    read = await image_users.of_versions(azure, [one.version], **path)
    users = read.found
    if failed := [str(user) for user in users if user.state == "Failed"]:
        raise StepError(
            "permanent",
            "PromotionStopped",
            f"{len(failed)} of {len(users)} users of version {one.version} are Failed: {', '.join(failed[:10])}. {so_far}",
            "Look at them; then roll it back with roll_back, or clear this task to go on with the next wave.",
            details=failed,
        )
    log.info(
        "%d machines and scale sets in %d subscription(s) use version %s, and none of them is Failed.",
        len(users),
        len(read.subscriptions),
        one.version,
    )


async def _proven(one: Version, regions: list[str]) -> dict[str, str]:
    """What ``latest`` is in each region of a wave that is out: the version, or a higher one that is included there.

    :raises StepError: ``NotLatest``.
    """
    from include.factory.image_version import latest_in
    from include.factory.version import parse_version

    path = {"resource_group": one.resource_group, "gallery": one.gallery, "definition": one.definition}
    found: dict[str, ImageVersion | None] = {}
    for pause in (*LOOKS, None):
        versions = await gallery_versions.read(one.azure, **path)
        # A list has no replication states; a version that is gone or broken in a region is not latest there.
        above = [version.name for version in versions if version.number >= parse_version(one.version)]
        read = await gallery_versions.with_states(one.azure, above, **path)
        found = {region: latest_in(read, region) for region in map(normal, regions)}
        missing = [region for region, version in found.items() if version is None]
        if not missing:
            break
        if pause is None:
            raise StepError(
                "permanent",
                "NotLatest",
                f"Version {one.version} was promoted in {', '.join(missing)}, and latest does not resolve to it there",
                "Look at the version's regions and flags: somebody may have changed them, or a region failed (backfill_regions repairs "
                "it). Clear this task to go on, or take the version back with roll_back.",
                details=missing,
            )
        await asyncio.sleep(pause)
    told = {region: version.name for region, version in found.items() if version is not None}
    for region, name in told.items():
        log.info("latest in %s is %s.", region, name if name == one.version else f"{name}, which is higher and included there")
    return told


async def _boot(azure: Azure, one: Version, wave: list[str], steps: dict[str, Any], so_far: str) -> None:
    """Boot a machine of ``latest`` where the wave is out, and stop the promotion when it does not do."""
    from include.factory.version import parse_version

    cure = "Find out why; then roll it back with roll_back, or clear this task to try again and go on."
    log.info("Booting a machine of latest in %s.", wave[0])
    try:
        made_of = await restore.boot(azure, steps=steps)
    except StepError as error:
        if error.kind in ("transient", "adopt"):
            raise
        said = f"A machine of latest in {wave[0]} did not do: {error.message.rstrip('.')}. {so_far}"
        raise StepError("permanent", "PromotionStopped", said, f"{cure} {error.cure}") from error
    if made_of is None or parse_version(made_of) < parse_version(one.version):
        said = f"Azure made a machine of latest in {wave[0]} of version {made_of}, not of {one.version}. {so_far}"
        raise StepError("permanent", "PromotionStopped", said, cure)
    log.info("A machine of latest in %s was made of version %s, and is well.", wave[0], made_of)


@step
async def report(azure: Azure, *, resource_group: str, gallery: str, definition: str, rolled_back: Sequence[str] = ()) -> dict[str, Any]:
    """Read what ``latest`` and each channel resolve to now, and print a table; and who runs what was rolled back.

    :param rolled_back: versions that are taken out of ``latest``, which changes no machine that there is.
    :return: ``{"table": Markdown, "latest": {region: version}, "channels": {channel: version}, "running": {version: [who]}, "unread":
        {subscription: why nobody could be looked for there}}``.
    """
    from include.factory.image_version import channel_heads, latest_everywhere

    path = {"resource_group": resource_group, "gallery": gallery, "definition": definition}
    versions = await _with_latest(azure, path)
    latest = _names(latest_everywhere(versions))
    channels = _names(channel_heads(versions))
    rows = [[f"latest in {region}", name] for region, name in latest.items()]
    rows += [[f"channel {channel}", name] for channel, name in channels.items()]
    shown = table(["what", "version"], rows)
    log.info("%s/%s, as it is now:\n%s", gallery, definition, shown)
    running, unread = await _running(azure, path, rolled_back) if rolled_back else ({}, {})
    return {"table": shown, "latest": latest, "channels": channels, "running": running, "unread": unread}


async def _running(azure: Azure, path: dict[str, str], versions: Sequence[str]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Who runs the versions, by version; and where nobody could be looked for, with the reason. What was rolled back is out of ``latest``
    all the same, so that reason fails nothing."""
    from include.factory.few import few

    try:
        read = await image_users.of_versions(azure, versions, **path)
    except Exception as error:
        why = of_exception(error).message
        log.warning("Who runs %s could not be looked for: %s", ", ".join(versions), why)
        return {}, {azure.subscription_id: why}
    running = {version: sorted(str(user) for user in read.found if user.version == version) for version in versions}
    for version, who in running.items():
        if who:
            log.warning(
                "%d still run version %s, or would be made from it: %s. A roll-back does not change them: docs/versions.md, Roll back.",
                len(who),
                version,
                few(who, SHOWN),
            )
        else:
            log.info("Nobody in %d subscription(s) runs version %s.", len(read.subscriptions), version)
    return {version: who for version, who in running.items() if who}, read.unread


def _names(versions: dict[str, ImageVersion]) -> dict[str, str]:
    return {key: version.name for key, version in versions.items()}
