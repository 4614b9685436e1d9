"""The tags on a version that say where it is in its life. What a build writes beside them is in ``tags.py``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

OWN = "image-factory-run"
"""The run that published it; a version without it is not the factory's, and is never retired."""
BASE = "image-factory-base"
"""What it was built from: the id of a version, or a marketplace URN."""
PROMOTED = "image-factory-promoted"
"""ISO time at which ``latest`` began to resolve to it, in its first regions at least; set once."""
WAVE = "image-factory-wave"
"""``2 of 3 at <ISO time>``: how far the last promotion has come."""
APPROVED = "image-factory-approved"
"""Who approved the promotion, when, and why."""
ROLLED_BACK = "image-factory-rolled-back"
"""ISO time, and the reason; such a version is promoted again only by a word."""
PROMOTED_AGAIN = "image-factory-promoted-again"
"""ISO time of the plan by which it was promoted although it had been rolled back; a roll-back planned before that does not take it out."""
RETIRED = "image-factory-retired"
"""ISO time at which retention excluded it; the wait until it is deleted counts from there."""
RESTORED = "image-factory-restored"
"""ISO time at which it came back after it was deleted."""
COPIED_FROM = "image-factory-copied-from"
"""On a copy in a recipe's second gallery: the id of the version that it is a copy of."""
PINNED = "image-factory-pinned"
"""Set by people: whatever its value, the version is kept. ``false`` is as if it were not there."""

REMOVED = "image-factory-removed-"
"""With the name of a region: ISO time at which a run was about to take the version away from it."""

RETIRED_UP_TO = "image-factory-retired-up-to"
"""On the image definition: the highest number that was ever deleted. No new version takes a number up to it."""

CHANNELS = ("dev", "test", "prod")
"""The channels that forms offer."""
_CHANNEL = "image-factory-channel-"


def channel_tag(channel: str) -> str:
    """The tag that a version has from the time on at which the channel was moved to it; its value is that ISO time."""
    return _CHANNEL + channel


def channels_of(tags: dict[str, str]) -> dict[str, str]:
    """The channels that have ever been at the version and were not rolled back, with the ISO time of each."""
    return {name.removeprefix(_CHANNEL): value for name, value in tags.items() if name.startswith(_CHANNEL)}


def time_in(tags: Mapping[str, str], name: str) -> datetime | None:
    """The time with which the value of a tag begins; None where there is no such tag, or where somebody else wrote it, and no time."""
    try:
        found = datetime.fromisoformat(tags.get(name, "").partition(" ")[0])
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def is_pinned(tags: Mapping[str, str]) -> bool:
    return tags.get(PINNED, "false").lower() != "false"


def of_promotion(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags, with their values, that a version has only as long as its promotion holds: channels, and how far its waves have come."""
    return {name: value for name, value in tags.items() if name.startswith(_CHANNEL) or name == WAVE}
