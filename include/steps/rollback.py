"""Taking bad versions out of ``latest``, and proving what each region resolves to instead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from include.factory import version_tags
from include.factory.notice import news, subject
from include.steps import form as form_of
from include.steps import gallery_versions, preflight
from include.steps.azure import Azure
from include.steps.errors import StepError
from include.steps.latest import hiding
from include.steps.look import Resource, is_hidden, now, step
from include.steps.merge import Patch, Tag, merge
from include.steps.target_region import normal
from include.steps.version import Version, region_update

if TYPE_CHECKING:
    from include.factory.image_version import ImageVersion
    from include.factory.rollback import Rollback, RollbackPlan

log = logging.getLogger(__name__)


@step
async def plan(azure: Azure, *, form: dict[str, Any] | str, asked_at: str = "") -> dict[str, Any]:
    """Plan a roll-back before the first write.

    :param form: the fields of :class:`include.factory.rollback.Rollback` (an object, or JSON text of one); ``recipe`` may stand for the
        three names of its definition; ``dry_run``: print and stop.
    :param asked_at: ISO time at which somebody asked for the roll-back. ``latest`` is what people got then: whoever plans a run again,
        or triggers a second one before the first is done, does not take out the good version below the bad one.
    :return: ``{"versions", "text", "calls", "latest": {region: version afterwards}, "steps"}``.
    :raises StepSkipped: a dry run, or nothing to do; its result is the same object.
    :raises StepError: ``BadParameter``; ``DefinitionNotFound``; ``RegionLeftWithout``: names the regions where ``latest`` would resolve to
        nothing, each with the way out.
    """
    from include.factory.calls import World, planned_calls
    from include.factory.preflight import needs_of_calls
    from include.factory.rollback import STEPS, Rollback, meant, rollback_arguments, rollback_text

    fields, dry_run = form_of.fields_of(form)
    asked = form_of.checked(Rollback, {**await form_of.located(fields), **({"asked_at": asked_at} if asked_at else {})})
    listed = await gallery_versions.read(azure, **asked.path)
    try:
        versions = await _judged(azure, asked.path, listed, lambda versions: meant(asked, versions))
    except ValueError as error:
        raise form_of.bad([f"versions: {error}"]) from error
    made = _planned(asked, meant(asked, versions), versions)
    steps = rollback_arguments(asked, made, now())
    world = World(azure.subscription_id).with_versions(asked.path, versions)
    calls = planned_calls(steps, STEPS, world)
    text = rollback_text(asked, made, calls)
    log.info("%s", text)
    if made.problems:
        raise _without(made)
    document = {
        "versions": list(made.bad),
        "about": [subject(**asked.path)],
        "text": text,
        "calls": [call.model_dump() for call in calls],
        "latest": made.after,
        "steps": steps,
    }
    found = await preflight.findings(azure, needs_of_calls(calls))
    nothing = None if made.bad else "No version is to be taken out of latest: nothing to do."
    return preflight.conclude("The roll-back", found, document, dry_run=dry_run, nothing=nothing)


async def _judged(
    azure: Azure, path: dict[str, str], listed: Sequence[ImageVersion], bad: Callable[[Sequence[ImageVersion]], list[ImageVersion]]
) -> list[ImageVersion]:
    """The versions, with the replication states of those that decide what ``latest`` is with and without the bad ones."""
    from include.factory.rollback import deciding

    return await gallery_versions.with_deciding_states(azure, listed, lambda versions: deciding(bad(versions), versions), **path)


def _planned(asked: Rollback, bad: Sequence[ImageVersion], versions: Sequence[ImageVersion]) -> RollbackPlan:
    from include.factory.rollback import plan_rollback

    return plan_rollback(asked, bad, versions)


def _without(made: RollbackPlan) -> StepError:
    regions = [region for region in made.before if region not in made.after]
    return StepError(
        "permanent",
        "RegionLeftWithout",
        f"Nothing was changed, as latest would resolve to nothing in {', '.join(regions)}. {' '.join(made.problems)}",
        "Do what is said for each region; then start the roll-back again. To stop new machines at once, name an older version in them.",
        details=list(made.problems),
    )


@step
async def roll_back(
    azure: Azure,
    *,
    resource_group: str,
    gallery: str,
    definition: str,
    versions: list[str],
    include: dict[str, list[str]],
    regions: list[str],
    reason: str = "",
    since: str = "",
) -> dict[str, Any]:
    """Take the versions out of ``latest`` globally and in every region, and out of their channels; then prove what resolves.

    What is included in their place is included first, so that no region is ever without. A build that promotes another version meanwhile
    is not disturbed; one that is promoting a bad version is stopped by the mark, which is set before the flags.

    :param include: version -> regions in which it is to be included.
    :param regions: where ``latest`` resolved when this was planned, and must resolve afterwards.
    :param since: ISO time of the plan. A version that was promoted later although it had been rolled back is left alone.
    :return: ``{"latest": {region: version}, "versions", "notices"}``.
    :raises StepError: ``RegionLeftWithout``: since the plan was made, another version went; nothing was changed. ``NotProven``.
        ``PromotedAgain``.
    """
    from include.factory.image_version import latest_everywhere
    from include.factory.rollback import Rollback

    path = {"resource_group": resource_group, "gallery": gallery, "definition": definition}

    def bad(there: Sequence[ImageVersion]) -> list[ImageVersion]:
        return [version for version in there if version.name in versions]

    there = await _judged(azure, path, await gallery_versions.read(azure, **path), bad)
    asked = Rollback.model_validate({**path, "versions": ",".join(versions), "include_excluded": bool(include)})
    again = _planned(asked, bad(there), there)
    if again.problems:
        raise _without(again)

    async def each(name: str, wanted: list[str] | None) -> None:
        one = Version(azure, resource_group, gallery, definition, name)
        await merge(one, _Taken(reason, since) if wanted is None else _Included(wanted))

    await asyncio.gather(*(each(name, wanted) for name, wanted in include.items()))
    await asyncio.gather(*(each(name, None) for name in versions))
    latest = latest_everywhere(await _judged(azure, path, await gallery_versions.read(azure, **path), bad))
    for region, version in latest.items():
        log.info("latest in %s is %s (%s).", region, version.name, version.regions[region].state)
    unproven = [region for region in regions if region not in latest or latest[region].name in versions]
    if unproven:
        raise StepError(
            "transient",
            "NotProven",
            f"The versions were taken out, and latest does not resolve to a good one in {', '.join(unproven)}",
            "Nothing: it is tried again. If it lasts, find out who else changes these versions, and promote a good one.",
            details=unproven,
        )
    now_there = {region: version.name for region, version in latest.items()}
    text = "\n".join([*([f"Why: {reason}"] if reason else []), *(f"latest in {region}: {name}" for region, name in now_there.items())])
    notices = [news("rolled_back", resource_group, gallery, definition, f"{', '.join(versions)} rolled back", text)]
    return {"latest": now_there, "versions": versions, "notices": notices}


class _Taken:
    """Out of latest and of its channels, with the mark that keeps it out."""

    def __init__(self, reason: str, since: str) -> None:
        self.since = since
        # Azure takes 256 characters.
        self.mark = f"{now()} {reason}".strip()[:256]

    def __call__(self, resource: Resource) -> Patch | Tag | None:
        tags = resource.get("tags") or {}
        again = tags.get(version_tags.PROMOTED_AGAIN, "")
        if self.since and again > self.since:
            raise StepError(
                "permanent",
                "PromotedAgain",
                f"Version {resource['name']} was promoted again ({again}) after this roll-back was planned, though rolled back once",
                "latest stays where it is. If the version is bad after all, start a new run of roll_back, which plans anew.",
            )
        left = version_tags.of_promotion(tags)
        if left or version_tags.ROLLED_BACK not in tags:
            return Tag({} if version_tags.ROLLED_BACK in tags else {version_tags.ROLLED_BACK: self.mark}, left)
        return None if is_hidden(resource) else hiding(resource)


class _Included:
    """Included in some regions; the others, and the version's own flag, as they are."""

    def __init__(self, regions: list[str]) -> None:
        self.regions = {normal(region) for region in regions}

    def __call__(self, resource: Resource) -> Patch | None:
        profile = resource["properties"]["publishingProfile"]
        own = bool(profile.get("excludeFromLatest"))
        items = profile["targetRegions"]
        if not any(normal(item["name"]) in self.regions and item.get("excludeFromLatest", own) for item in items):
            return None
        flagged = [{**item, "excludeFromLatest": False} if normal(item["name"]) in self.regions else item for item in items]
        return Patch(region_update(flagged, allow_deletion=False))
