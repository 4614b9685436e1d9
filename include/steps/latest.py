"""Letting ``latest`` resolve to a version, and taking it out, so that no roll-back is undone, however long a request is under way.

The exclude flags travel without tags, and tags without flags: flags by an update of the version that leaves its tags out, tags one by one
by Azure's own merge (:meth:`include.steps.version.Version.tag`). So no promotion can carry off the mark of a roll-back that came after the
version was read, and no roll-back or retirement what somebody pinned. On the way out the mark comes before the flags, on the way in after
them: whoever reads in between sees that the version is going. After each write the version is read again; where a promotion finds a mark
that its plan had not seen, it takes the version out of latest, should an update of its own have brought it back, and ends.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

from include.factory import version_tags
from include.steps.azure import Started
from include.steps.look import Found, Resource, gone, is_hidden, retired, rolled_back, taken
from include.steps.merge import TIMEOUT, WRITES, LookingAgain, Patch, lost_update
from include.steps.target_region import present
from include.steps.version import Version, region_update

log = logging.getLogger(__name__)

Tags = dict[str, str]


class Change(Protocol):
    """What a promotion makes of a version."""

    def flags(self, resource: Resource) -> Resource | None:
        """The body that patches the exclude flags; None where they are right. Raises where the version is not to be promoted."""

    def tags(self, resource: Resource) -> tuple[Tags, Tags]:
        """Tags to set, and tags to take away with the values that they have; asked when the flags are right."""


async def show(one: Version, change: Change, *, lifts: Mapping[str, str], run: str | None = None) -> bool:
    """Make the change; whether anything was to be done.

    :param lifts: marks of a roll-back or a retirement that the plan saw, with their values: these are taken off, and no others.
    :param run: the run that must have published the version; None takes anybody's.
    :raises StepError: ``RolledBack``, ``Retired``: since the plan was made; ``ResourceGone``; ``NameTaken``; ``LostUpdate``; what the
        change raises.
    """
    began = False
    started: Started | None = None
    for _ in range(WRITES):
        found, resource = await one.settle(run, TIMEOUT, started)
        started = None
        if resource is None:
            raise gone(str(one), "plan" if run is None else "publish_version")
        if found is Found.FOREIGN:
            raise taken(resource)
        there = resource.get("tags") or {}
        marks = {name: there[name] for name in (version_tags.ROLLED_BACK, version_tags.RETIRED) if name in there}
        if not marks.items() <= lifts.items():
            await _withdraw(one, resource)
            raise rolled_back(resource) if version_tags.ROLLED_BACK in marks else retired(resource)
        body = None if marks else change.flags(resource)
        added, dropped = change.tags(resource) if not (marks or body) else ({}, marks)
        if body is None and not added and not dropped:
            return began
        began = True
        async with LookingAgain(one):
            if body is not None:
                started = await one.patch(body)
            else:
                await one.tag(added, dropped)
    raise lost_update(one, WRITES)


def hiding(resource: Resource) -> Patch:
    """The update that excludes a version from latest as a whole and in every region."""
    items = [{**item, "excludeFromLatest": True} for item in present(resource).values()]
    return Patch(region_update(items, excluded=True, allow_deletion=False))


async def _withdraw(one: Version, resource: Resource) -> None:
    """Out of latest again, and out of the channels, where an update of ours that was under way came after the roll-back."""
    if not is_hidden(resource):
        log.warning("Version %s was taken out of latest while it was promoted, and is taken out again.", one.version)
        _, after = await one.settle(None, TIMEOUT, await one.patch(hiding(resource).body))
        if after is None:
            return
        resource = after
    there = resource.get("tags") or {}
    if version_tags.ROLLED_BACK in there:
        await one.tag({}, version_tags.of_promotion(there))
