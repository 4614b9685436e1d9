"""Restoring versions from a gallery's bin, out of ``latest``."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from include.factory import version_tags
from include.factory.notice import news, subject
from include.steps import form as form_of
from include.steps import preflight, recycle_bin
from include.steps.arm_error import of_exception
from include.steps.azure import Azure
from include.steps.errors import StepError, partly, told_of
from include.steps.look import Resource, now, step
from include.steps.merge import Put, merge
from include.steps.table import table
from include.steps.version import Version, update

log = logging.getLogger(__name__)

# Seconds between looks at a version that was restored and is not to be seen yet.
SEEN = (2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)


@step
async def plan(azure: Azure, *, form: dict[str, Any] | str) -> dict[str, Any]:
    """Plan what is restored, before the first write.

    :param form: the fields of :class:`include.factory.restoration.Restoration` (an object, or JSON text of one); ``recipe`` may stand for
        the three names of its definition; ``dry_run``: print and stop.
    :return: ``{"versions", "text", "calls", "steps": {"restore_version", "report_versions"}}``.
    :raises StepSkipped: a dry run; its result is the same object.
    :raises StepError: ``BadParameter``: a version is not in the bin; the ones that are, are named.
    """
    from include.factory.calls import World, calls_text, planned_calls
    from include.factory.image_version import ImageVersion
    from include.factory.preflight import needs_of_calls
    from include.factory.restoration import STEPS, Restoration
    from include.factory.version_selection import select

    fields, dry_run = form_of.fields_of(form)
    asked = form_of.checked(Restoration, await form_of.located(fields))
    there = {deleted.version: deleted for deleted in await recycle_bin.read(azure, **asked.path)}
    try:
        chosen = [one.name for one in select(asked.versions, [ImageVersion(name=name, home=one.location) for name, one in there.items()])]
    except ValueError as error:
        raise form_of.bad([f"versions: in the bin of {asked.gallery}/{asked.definition}: {error}"]) from error
    steps: dict[str, dict[str, Any]] = {
        "restore_version": {
            **asked.path,
            "versions": {name: there[name].location for name in chosen},
            "pin": (asked.reason or "restored by hand") if asked.pin else None,
        },
        "report_versions": {"definitions": [asked.path]},
    }
    calls = planned_calls(steps, STEPS, World(azure.subscription_id))
    rows = [[one.version, one.location, one.since, one.gone or "-", "yes" if one.version in chosen else "no"] for one in there.values()]
    text = f"Restore versions of {asked.gallery}/{asked.definition} ({asked.resource_group})\n\n" + "\n".join(
        [table(["version", "home", "deleted", "gone for good", "restored now"], rows), "", calls_text(calls)]
    )
    log.info("%s", text)
    document = {
        "versions": chosen,
        "about": [subject(**asked.path)],
        "text": text,
        "calls": [call.model_dump() for call in calls],
        "steps": steps,
    }
    found = await preflight.findings(azure, needs_of_calls(calls))
    nothing = None if chosen else "The bin holds no such version: nothing to do."
    return preflight.conclude("The restoration", found, document, dry_run=dry_run, nothing=nothing)


async def restore(
    azure: Azure, *, resource_group: str, gallery: str, definition: str, versions: dict[str, str], pin: str | None = None
) -> dict[str, Any]:
    """Restore the versions: excluded from ``latest`` everywhere, not marked as retired, and as old as this day for retention.

    A version that is there already is marked only. What Azure did not bring back of the tags is lost, and with it what the version was
    built from; promote it (``promote_version``) to let ``latest`` resolve to it again.

    :param versions: version -> home region.
    :param pin: why retention must leave them alone from now on, or None.
    :return: ``{"restored": [versions], "notices"}``.
    :raises StepError: ``PartlyRestored``: names the others, each with its reason.
    """
    failed: dict[str, StepError] = {}

    async def one(name: str, location: str) -> None:
        version = Version(azure, resource_group, gallery, definition, name)
        try:
            await _restore(version, location, pin)
        except Exception as error:
            failed[name] = error if isinstance(error, StepError) else of_exception(error)
            log.error("Version %s", told_of(name, str(failed[name])))

    await asyncio.gather(*(one(name, location) for name, location in versions.items()))

    def told(names: list[str]) -> list[dict[str, Any]]:
        return [news("restored", resource_group, gallery, definition, f"{', '.join(names)} restored")] if names else []

    if failed:
        good = sorted(versions.keys() - failed.keys())
        said = f"{len(good)} of {len(versions)} versions are back, {len(failed)} are not."
        raise partly("PartlyRestored", said, failed, done=good, notices=told(good))
    names = sorted(versions)
    return {"restored": names, "notices": told(names)}


async def _restore(version: Version, location: str, pin: str | None) -> None:
    if await version.read() is None:
        log.info("Version %s is restored in %s.", version.version, location)
        started = await version.put({"location": location, "properties": {"restore": True}})
        await version.settle(None, 7200, started)
        for pause in SEEN:  # it is not seen everywhere at once
            if await version.read() is not None:
                break
            await asyncio.sleep(pause)
    await merge(version, _Marked(pin))


class _Marked:
    """Out of latest, no longer retired, restored now."""

    def __init__(self, pin: str | None) -> None:
        self.time = now()
        self.pin = {version_tags.PINNED: pin[:256]} if pin else {}

    def __call__(self, resource: Resource) -> Put | None:
        tags = {name: value for name, value in (resource.get("tags") or {}).items() if name != version_tags.RETIRED}
        if tags.get(version_tags.RESTORED, "") >= self.time:
            return None
        # One call, as nobody else knows of the version yet, and what tags and flags come back with it Azure does not promise.
        return Put(update(resource, excluded=True, tags={**tags, version_tags.RESTORED: self.time, **self.pin}))
