"""Which versions may go: first out of ``latest``, after a wait for good; and why each of the others stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from include.factory import cost, version_tags
from include.factory.calls import Call, calls_text
from include.factory.definition import AskedOfDefinition
from include.factory.few import few
from include.factory.image_version import ImageVersion, channel_heads, newest_first
from include.factory.publish import Retention
from include.factory.value import Value

# Task id -> step.
STEPS = {"retire_versions": "retirement.retire", "report_versions": "retirement.report"}

Action = Literal["keep", "exclude", "wait", "delete"]


class Retired(AskedOfDefinition):
    """One definition whose versions are to be retired, and by which rules."""

    rules: Retention
    parents_too: bool = False
    """Retire a version although versions that were built on it live."""
    soft: bool = False
    """Whether the gallery keeps deleted versions for a while."""
    unseen: tuple[str, ...] = ()
    """With whom the gallery is shared whose machines nobody here can see, in words."""


class Verdict(Value):
    version: str
    action: Action
    reason: str
    """Why it stays, or since when it may go."""


class Uses(Value):
    """Who needs the versions of one definition: version number -> their names."""

    users: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Machines, scale sets and instances, and versions of other definitions whose source it is."""
    children: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Versions that a build made on top of it."""


def verdicts(asked: Retired, versions: Sequence[ImageVersion], uses: Uses, now: datetime) -> list[Verdict]:
    """What becomes of each version, newest first; pure."""
    protected = _protected(asked.rules, versions)
    return [_verdict(asked, version, protected.get(version.name), uses, now) for version in newest_first(versions)]


def _protected(rules: Retention, versions: Sequence[ImageVersion]) -> dict[str, str]:
    """Version -> what it is needed for among the versions themselves."""
    ordered = newest_first(versions)
    good = [version for version in ordered if version.is_promoted and not version.is_rolled_back]
    found: dict[str, str] = {}
    for version in good[: rules.keep]:
        found.setdefault(version.name, f"one of the {rules.keep} newest")
    for version in [one for one in good if one.state == "Succeeded"][:1]:
        found.setdefault(version.name, "the last good version")
    for channel, head in channel_heads(versions).items():
        found.setdefault(head.name, f"the head of channel {channel}")
    for region, front in fronts(rules, versions).items():
        for place, version in enumerate(front):
            found.setdefault(version.name, f"{'a version to go back to' if place else 'latest'} in {region}")
    for version in versions:
        if version_tags.is_pinned(version.tags):
            found[version.name] = f"pinned ({version.tags[version_tags.PINNED]})"
    return found


def fronts(rules: Retention, versions: Sequence[ImageVersion]) -> dict[str, list[ImageVersion]]:
    """Region -> what ``latest`` resolves to there, and the versions below it that it could go back to."""
    ordered = newest_first(versions)
    regions = sorted({region for version in versions for region in version.regions})
    return {region: [one for one in ordered if one.is_latest_candidate(region)][: rules.rollback + 1] for region in regions}


def deciding(rules: Retention, versions: Sequence[ImageVersion]) -> list[ImageVersion]:
    """The versions of which it must be known whether they can be used in their regions."""
    return [one for front in fronts(rules, versions).values() for one in front]


def _verdict(asked: Retired, version: ImageVersion, protection: str | None, uses: Uses, now: datetime) -> Verdict:
    since = _due_since(asked.rules, version)
    if reason := _kept_because(asked, version, protection, uses, since, now):
        return Verdict(version=version.name, action="keep", reason=reason)
    assert since is not None
    retired = version_tags.time_in(version.tags, version_tags.RETIRED)
    if retired is None or not version.is_hidden:
        return Verdict(version=version.name, action="exclude", reason=f"due since {since:%Y-%m-%d}")
    gone = retired + timedelta(seconds=asked.rules.wait)
    if now < gone:
        return Verdict(version=version.name, action="wait", reason=f"is deleted from {gone:%Y-%m-%d %H:%M} UTC on")
    if asked.unseen and not asked.rules.shared_too:
        needed = f"for the word 'Shared, too', as {few(asked.unseen, 3)} may use it, and nobody here can see that"
        return Verdict(version=version.name, action="wait", reason=needed)
    return Verdict(version=version.name, action="delete", reason=f"excluded since {retired:%Y-%m-%d %H:%M} UTC")


def _kept_because(
    asked: Retired, version: ImageVersion, protection: str | None, uses: Uses, since: datetime | None, now: datetime
) -> str | None:
    if version_tags.OWN not in version.tags:
        return "not made by the factory"
    if version.state not in ("Succeeded", "Failed"):
        return f"it is {version.state}"
    if protection:
        return protection
    if since is None or since > now:
        return "young enough"
    if users := uses.users.get(version.name):
        return f"in use by {few(sorted(users), 3)}"
    if (children := uses.children.get(version.name)) and not asked.parents_too:
        return f"the parent of {few(sorted(children), 3)}"
    if version.block_deletion and (version.end_of_life is None or version.end_of_life > now):
        return "Azure keeps it until its end of life (blockDeletionBeforeEndOfLife)"
    return None


def _due_since(rules: Retention, version: ImageVersion) -> datetime | None:
    """When it became old enough, or ended its life, whichever came first; one that was restored is as old as its coming back."""
    times = [version.end_of_life] if version.end_of_life else []
    born = max(filter(None, (version.published, version_tags.time_in(version.tags, version_tags.RESTORED))), default=None)
    if born is not None and rules.older_than is not None:
        times.append(born + timedelta(seconds=rules.older_than))
    return min(times, default=None)


def retirement_text(asked: Retired, judged: Sequence[Verdict], sizes: Mapping[str, ImageVersion], calls: Sequence[Call]) -> str:
    """The plan of one definition for a reader."""
    return "\n".join(_lines(asked, judged, sizes, calls))


def _lines(asked: Retired, judged: Sequence[Verdict], sizes: Mapping[str, ImageVersion], calls: Sequence[Call]) -> Iterator[str]:
    rules = asked.rules
    age = f"older than {rules.older_than // 86400} days" if rules.older_than is not None else "past their end of life"
    yield f"Retire {asked.gallery}/{asked.definition} ({asked.resource_group}): {age}, beyond the newest {rules.keep}"
    if asked.unseen:
        yield f"  SHARED with {few(asked.unseen, 10)}: who uses its versions there cannot be seen from here."
        yield "  A version out of latest can still be named by them. Once it is deleted, they make no machine of it, and their scale sets"
        yield "  that name it cannot grow. So none is deleted without the word 'Shared, too' (in a recipe: retention: {shared_too: true}),"
        yield f"  which was {'said' if rules.shared_too else 'not said'}."
    for action, said in (
        ("exclude", "to go out of latest now"),
        ("wait", "out of latest, and waiting"),
        ("delete", "to be deleted now"),
        ("keep", "kept"),
    ):
        for one in (one for one in judged if one.action == action):
            yield f"    {one.version:20} {said}: {one.reason}"
    gone = [sizes[one.version] for one in judged if one.action == "delete"]
    if gone:
        replicas = [(version.size_gb, replica) for version in gone for replica in version.regions.values()]
        gigabytes = sum(size * replica.replica_count for size, replica in replicas)
        monthly = sum(cost.storage(size, replica.replica_count, replica.storage_account_type) for size, replica in replicas)
        yield f"  replicas: {gigabytes} GB less, as provisioned; at most {monthly:.2f} USD a month less for storage (list prices)"
    yield calls_text(calls)
