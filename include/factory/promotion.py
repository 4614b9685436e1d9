"""Promoting a version: to channels, and to ``latest``, in all its regions at once or wave by wave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from include.factory.calls import Call, calls_text
from include.factory.definition import AskedOfDefinition
from include.factory.image_version import ImageVersion, channel_heads, latest_everywhere
from include.factory.region import RegionName
from include.factory.value import Value
from include.factory.version_tags import RETIRED, ROLLED_BACK

# Task id -> step.
STEPS = {"promote_version": "promotion.promote", "report_promotion": "promotion.report"}

ChannelName = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]


def _wave(written: Any) -> Any:
    return [name for name in written.split(",") if name.strip()] if isinstance(written, str) else written


Wave = Annotated[tuple[RegionName, ...], BeforeValidator(_wave)]
"""Regions that get the version together, as a list or as ``eastus2, westus2``."""


class Promotion(AskedOfDefinition):
    """What is asked."""

    version: str = "newest"
    """A version number, or ``newest``."""
    channels: tuple[ChannelName, ...] = ()
    """Channels to move to the version."""
    latest: bool = True
    """Whether ``latest`` is to resolve to it."""
    waves: tuple[Wave, ...] = ()
    """In which order the regions get it; those that are named in none come last. By default all at once."""
    pause: int = Field(default=60, ge=0, le=30 * 1440)
    """Minutes between waves."""
    check: bool = True
    """Stop before a wave when a machine made from the version has failed."""
    boot: bool = False
    """Before each further wave, boot a machine of ``latest`` in the first region of the one that is out, and stop when it does not do."""
    boot_check: str = ""
    """Script that must pass on that machine; by default the build's boot test."""
    rolled_back_too: bool = False
    """Promote a version although it was rolled back."""
    approvers: tuple[str, ...] = ()
    """Airflow users of whom one must approve."""


class PromotionPlan(Value):
    version: str
    waves: tuple[tuple[str, ...], ...]
    """Regions by wave; empty where ``latest`` is not asked for."""
    channels: tuple[str, ...]
    """Channels that are elsewhere now."""
    before: dict[str, str]
    """Region -> what ``latest`` resolves to now."""
    after: dict[str, str]
    """Region -> what it will resolve to after the last wave."""
    heads: dict[str, str]
    """Channel -> version now."""
    lifts: dict[str, str] = Field(default_factory=dict)
    """The marks of a roll-back or a retirement that the version has now, and that are taken off: tag -> value."""
    problems: tuple[str, ...] = ()
    """Why it cannot be promoted, each with its cure."""

    @property
    def is_empty(self) -> bool:
        return not (self.waves or self.channels)


def plan_promotion(asked: Promotion, version: ImageVersion | None, versions: Sequence[ImageVersion]) -> PromotionPlan:
    """The plan; pure. ``version`` is the one that is meant, with the replication state of each region; None when there is none."""
    before = {region: one.name for region, one in latest_everywhere(versions).items()}
    heads = {channel: one.name for channel, one in channel_heads(versions).items()}
    if version is None:
        known = ", ".join(one.name for one in sorted(versions, key=lambda one: one.number, reverse=True)[:3]) or "there is none"
        missing = f"There is no version {asked.version}. The newest are: {known}."
        return PromotionPlan(version=asked.version, waves=(), channels=(), before=before, after=before, heads=heads, problems=(missing,))
    included = not version.excluded and version.is_promoted and not any(replica.excluded for replica in version.regions.values())
    waves = () if included or not asked.latest else _waves(asked, version)
    after = dict(before)
    for region in version.regions if asked.latest else ():
        if region not in before or version.number >= _number(before[region], versions):
            after[region] = version.name
    return PromotionPlan(
        version=version.name,
        waves=waves,
        channels=tuple(channel for channel in dict.fromkeys(asked.channels) if heads.get(channel) != version.name),
        before=before,
        after=dict(sorted(after.items())),
        heads=heads,
        lifts={name: version.tags[name] for name in (ROLLED_BACK, RETIRED) if name in version.tags},
        problems=tuple(_problems(asked, version)),
    )


def _number(name: str, versions: Sequence[ImageVersion]) -> tuple[int, int, int]:
    return next(one.number for one in versions if one.name == name)


def _waves(asked: Promotion, version: ImageVersion) -> tuple[tuple[str, ...], ...]:
    seen: set[str] = set()
    waves = []
    for wave in (*asked.waves, tuple(version.regions)):
        new = tuple(region for region in dict.fromkeys(wave) if region not in seen)
        seen.update(new)
        waves += [new] if new else []
    return tuple(waves)


def _problems(asked: Promotion, version: ImageVersion) -> Iterator[str]:
    if version.state != "Succeeded":
        yield f"Version {version.name} is {version.state}. Wait until it is published, or repair its regions with backfill_regions."
    if unready := [f"{name} ({replica.state})" for name, replica in version.regions.items() if replica.state != "Completed"]:
        yield f"Version {version.name} is not Completed in {', '.join(unready)}. Wait, or repair these regions with backfill_regions."
    if version.is_rolled_back and not asked.rolled_back_too:
        said = version.tags[ROLLED_BACK]
        yield f"Version {version.name} was rolled back ({said}). Promote another, or say that it may be promoted although it was."
    if unknown := [name for wave in asked.waves for name in wave if name not in version.regions]:
        has = ", ".join(version.regions)
        yield f"Version {version.name} is not in {', '.join(unknown)}; it is in {has}. Correct the waves, or bring it there first."
    if not (asked.latest or asked.channels):
        yield "Neither latest nor a channel is asked for. Choose at least one."


def promotion_text(asked: Promotion, plan: PromotionPlan, calls: Sequence[Call]) -> str:
    """The plan for a reader."""
    return "\n".join(_lines(asked, plan, calls))


def _lines(asked: Promotion, plan: PromotionPlan, calls: Sequence[Call]) -> Iterator[str]:
    yield f"Promote {asked.gallery}/{asked.definition} {plan.version} ({asked.resource_group})"
    yield ""
    for number, wave in enumerate(plan.waves, 1):
        pause = f", {asked.pause} min after the one before" if number > 1 else ""
        yield f"  wave {number} of {len(plan.waves)}{pause}: {', '.join(wave)}"
        if asked.boot and number < len(plan.waves):
            yield f"    then a machine of latest is booted in {wave[0]}, tried and deleted"
    for channel in plan.channels:
        yield f"  channel {channel}: {plan.heads.get(channel, 'nowhere')} -> {plan.version}"
    if asked.latest:
        yield "  latest:"
        for region, name in plan.after.items():
            now = plan.before.get(region, "none")
            higher = " (a higher version is included there: roll that back to make this one latest)"
            stays = higher if name != plan.version and plan.version != now else ""
            yield f"    {region:20} {now} -> {name}{stays}" if now != name else f"    {region:20} stays {now}{stays}"
    yield calls_text(calls)


def promotion_arguments(
    asked: Promotion, plan: PromotionPlan, since: str, boots: Sequence[dict[str, Any]] = ()
) -> dict[str, dict[str, Any]]:
    """The arguments of the steps ``promotion.promote`` and ``promotion.report`` under the tasks' names.

    :param boots: for each wave but the last, the steps of the machine that is booted when it is out, by task of ``restore.BOOT_STEPS``.
    """
    return {
        "promote_version": {
            **asked.path,
            "version": plan.version,
            "waves": [list(wave) for wave in plan.waves],
            "channels": list(plan.channels),
            "since": since,
            "pause": asked.pause * 60,
            "check": asked.check,
            "lifts": plan.lifts,
            **({"boots": list(boots)} if boots else {}),
        },
        "report_promotion": dict(asked.path),
    }
