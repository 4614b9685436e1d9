"""Rolling back: which versions go out of ``latest``, and what each region resolves to instead."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from include.factory.calls import Call, calls_text
from include.factory.definition import AskedOfDefinition
from include.factory.image_version import ImageVersion, channel_heads, latest_everywhere, newest_first
from include.factory.value import Value
from include.factory.version_tags import RETIRED, of_promotion

# Task id -> step.
STEPS = {"roll_back": "rollback.roll_back", "report_versions": "promotion.report"}

LATEST = "latest"


class Rollback(AskedOfDefinition):
    """What is asked."""

    versions: str = LATEST
    """The bad versions, as ``version_selection`` reads them; ``latest`` is the newest that people get anywhere."""
    include_excluded: bool = False
    """Where nothing else is left, let the newest promoted version that was excluded there become ``latest``."""
    asked_at: datetime | None = None
    """When somebody asked for it."""


class RollbackPlan(Value):
    bad: tuple[str, ...]
    """Versions to take out of latest and out of their channels."""
    done: tuple[str, ...]
    """Bad versions that are out already."""
    include: dict[str, tuple[str, ...]]
    """Version -> regions in which it is included again, before anything is taken out."""
    before: dict[str, str]
    """Region -> what ``latest`` resolves to now."""
    after: dict[str, str]
    """Region -> what it will resolve to."""
    channels: dict[str, tuple[str, str | None]]
    """Channel -> the version it is at, and the one it will be at."""
    problems: tuple[str, ...] = ()
    """Why it is refused, with the cure."""


def meant(asked: Rollback, versions: Sequence[ImageVersion]) -> list[ImageVersion]:
    """The versions that are bad. ``latest`` is the newest one that any region resolves to: what was promoted last, be it to a first wave;
    or resolved to when this was asked for, if it was rolled back since.

    :raises PydanticCustomError: as :func:`include.factory.version_selection.select`.
    """
    from include.factory.version_selection import select

    if asked.versions != LATEST:
        return select(asked.versions, versions)
    since = [one for one in versions if asked.asked_at and (at := one.rolled_back_at) and at >= asked.asked_at.replace(microsecond=0)]
    return newest_first([*latest_everywhere(versions).values(), *since])[:1]


def plan_rollback(asked: Rollback, bad: Sequence[ImageVersion], versions: Sequence[ImageVersion]) -> RollbackPlan:
    """The plan; pure. ``versions`` are all of the definition, with the replication state of each region."""
    names = {version.name for version in bad}
    good = [version for version in versions if version.name not in names]
    before = {region: version.name for region, version in latest_everywhere(versions).items()}
    left = latest_everywhere(good)
    include: dict[str, list[str]] = {}
    after: dict[str, str] = {}
    problems = []
    for region in before:
        next_one = left.get(region)
        if next_one is not None:
            after[region] = next_one.name
            continue
        substitute = _substitute(good, region)
        if asked.include_excluded and substitute is not None:
            include.setdefault(substitute.name, []).append(region)
            after[region] = substitute.name
        else:
            problems.append(_nothing_left(region, substitute))
    heads, later = channel_heads(versions), channel_heads(good)
    return RollbackPlan(
        bad=tuple(version.name for version in newest_first(bad) if not _is_out(version)),
        done=tuple(version.name for version in newest_first(bad) if _is_out(version)),
        include={version: tuple(regions) for version, regions in include.items()},
        before=before,
        after=after,
        channels={
            channel: (head.name, later[channel].name if channel in later else None) for channel, head in heads.items() if head.name in names
        },
        problems=tuple(problems),
    )


def _is_out(version: ImageVersion) -> bool:
    return version.is_hidden and version.is_rolled_back and not of_promotion(version.tags)


def deciding(bad: Sequence[ImageVersion], versions: Sequence[ImageVersion]) -> list[ImageVersion]:
    """The versions of which it must be known whether they can be used in their regions."""
    names = {version.name for version in bad}
    good = [version for version in versions if version.name not in names]
    before, left = latest_everywhere(versions), latest_everywhere(good)
    substitutes = [_substitute(good, region, ("Completed", "Unknown")) for region in before if region not in left]
    return [*before.values(), *left.values(), *(one for one in substitutes if one is not None)]


def _substitute(good: Sequence[ImageVersion], region: str, states: Collection[str] = ("Completed",)) -> ImageVersion | None:
    """The newest version that is usable in the region and was latest before, somewhere."""
    fit = (
        version
        for version in newest_first(good)
        if region in version.regions and version.regions[region].state in states and version.state not in ("Creating", "Deleting")
        if version.is_promoted and not version.is_rolled_back and RETIRED not in version.tags
    )
    return next(fit, None)


def _nothing_left(region: str, substitute: ImageVersion | None) -> str:
    if substitute is not None:
        cure = f"Version {substitute.name} is there and excluded: start again with 'Include an excluded version' to make it latest."
    else:
        cure = "Bring an older version there first (backfill_regions), or promote a good one (promote_version)."
    return f"In {region} latest would find no other version. {cure}"


def rollback_text(asked: Rollback, plan: RollbackPlan, calls: Sequence[Call]) -> str:
    """The plan for a reader."""
    return "\n".join(_lines(asked, plan, calls))


def _lines(asked: Rollback, plan: RollbackPlan, calls: Sequence[Call]) -> Iterator[str]:
    yield f"Roll back {asked.gallery}/{asked.definition} ({asked.resource_group}): {', '.join(plan.bad) or 'nothing'}"
    yield ""
    if plan.done:
        yield f"  out of latest already: {', '.join(plan.done)}"
    yield "  latest:"
    for region, now in plan.before.items():
        later = plan.after.get(region, "NOTHING")
        yield f"    {region:20} " + (f"stays {now}" if later == now else f"{now} -> {later}")
    for channel, (now, back) in plan.channels.items():
        yield f"  channel {channel}: {now} -> {back or 'nowhere'}"
    yield calls_text(calls)
    for problem in plan.problems:
        yield f"  refused: {problem}"


def rollback_arguments(asked: Rollback, plan: RollbackPlan, since: str) -> dict[str, Mapping[str, Any]]:
    """The arguments of the steps ``rollback.roll_back`` and ``promotion.report`` under the tasks' names."""
    return {
        "roll_back": {
            **asked.path,
            "versions": list(plan.bad),
            "include": {version: list(regions) for version, regions in plan.include.items()},
            "regions": list(plan.before),
            "reason": asked.reason,
            "since": since,
        },
        "report_versions": {**asked.path, "rolled_back": list(plan.bad)},
    }
