"""One version of an image definition: read with its replication status, put, followed, deleted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from include.steps import target_region
from include.steps.azure import Azure, Started
from include.steps.errors import StepError, classify
from include.steps.look import Found, Resource, look, sort

log = logging.getLogger(__name__)

CREATE, REGIONS, FLAGS = (f"galleries/images/versions {what}" for what in ("create", "regions", "flags"))
"""Kinds of update, each with durations of its own."""

# Azure asks for 60 s between looks at a version (Retry-After of every recorded answer); this is the way there when no answer is at hand.
_RAMP = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
_SLOWEST = 60.0
# However slowly the regions come on, somebody reads the log.
_LONGEST = 240.0


@dataclass
class Version:
    """Names one version and holds what was last reported of its regions."""

    azure: Azure
    resource_group: str
    gallery: str
    definition: str
    version: str

    def __post_init__(self) -> None:
        self._told: dict[str, tuple[str, int]] = {}
        self._pause = 0.0
        self.read_at = 0.0
        """When the version was asked for last; what it said is as old as that."""

    def __str__(self) -> str:
        return f"Version {self.version} of {self.gallery}/{self.definition}"

    @property
    def id(self) -> str:
        return self.azure.id(self.resource_group, "galleries", self.gallery, "images", self.definition, "versions", self.version)

    @property
    def _path(self) -> tuple[str, str, str, str]:
        return self.resource_group, self.gallery, self.definition, self.version

    async def read(self) -> Resource | None:
        """The version with its replication status; None when there is none. A region whose state or progress changed is logged."""
        self.read_at = asyncio.get_running_loop().time()
        resource = await look(self.azure.compute.gallery_image_versions.get(*self._path, expand="ReplicationStatus"))
        if resource is not None:
            self._tell(resource)
        return resource

    def _tell(self, resource: Resource) -> None:
        progress = target_region.progress(resource)
        for region, state in target_region.states(resource).items():
            now = (state, progress.get(region, 0))
            if self._told.get(region) != now and state != "Unknown":
                self._told[region] = now
                log.info("Version %s: %s %s", self.version, region, f"{now[1]} %" if state == "Replicating" else state)

    async def settle(
        self, run: str | None, timeout: float, started: Started | None = None, kind: str = FLAGS
    ) -> tuple[Found, Resource | None]:
        """Read until no operation runs on the version: after one of ours (``started``, of ``kind``), or to adopt another's.

        :raises StepError: kind ``adopt``: still running after ``timeout`` seconds.
        """
        from include.steps.polling import DURATIONS

        clock = asyncio.get_running_loop().time
        began, seen_running = clock(), 0.0
        if started is not None:
            self._pause = started.retry_after
            await asyncio.sleep(max(self._pause, DURATIONS.quick(kind)) or 1.0)
        pauses = self.pauses()
        while True:
            resource = await self.read()
            found = sort(resource, run)
            if found not in (Found.RUNNING, Found.DELETING):
                break
            seen_running = clock() - began
            if seen_running > timeout:
                raise StepError(
                    "adopt",
                    "OperationStillRunning",
                    f"{self} is still {found} after {timeout:.0f} s",
                    "Nothing: it goes on in Azure, and the next try takes it up. If it lasts, clear this task when the operation is over.",
                )
            await asyncio.sleep(max(next(pauses), _half_of_the_rest(resource, seen_running)))
        if started is not None and found is Found.DONE:
            DURATIONS.learn(kind, seen_running)
            log.info("Version %s: the operation took %.0f s.", self.version, clock() - began)
        return found, resource

    def pauses(self) -> Iterator[float]:
        """Seconds between looks: what Azure asked for last, or 1, 2, 4, 8, 15, 30 and then 60."""
        if not self._pause:
            yield from _RAMP
        while True:
            yield self._pause or _SLOWEST

    async def put(self, body: Resource) -> Started:
        """Start creating or updating the version."""
        return await self.azure.start(self.azure.compute.gallery_image_versions.begin_create_or_update, *self._path, body)

    async def patch(self, body: Resource) -> Started:
        """Start updating what ``body`` names of the version; its tags and all else stay as they are at that moment."""
        return await self.azure.start(self.azure.compute.gallery_image_versions.begin_update, *self._path, body)

    async def tag(self, added: Mapping[str, str], dropped: Mapping[str, str]) -> None:
        """Set tags, and take away those of ``dropped`` that still have the value given there. All others stay, whoever set them meanwhile
        (Tags - Update At Scope)."""
        await tag(self.azure, self.id, added, dropped)

    async def delete(self) -> None:
        """Delete the version and wait until that is done."""
        versions = self.azure.compute.gallery_image_versions
        await self.azure.finish(versions.begin_delete, *self._path, kind="galleries/images/versions DELETE")

    async def failure(self, resource: Resource, started: Started | None) -> StepError:
        """Why the version is ``Failed``: by the operation's record when it is ours, and by what the regions say."""
        from include.steps.arm_error import ArmError

        error = await self.azure.operation_error(started)
        said = tuple(f"{region}: {text}" for region, text in target_region.details(resource).items())
        codes = error.codes if error else ("InternalOperationError",)
        messages = (*(error.messages if error else ()), *said) or ("Azure gave no reason",)
        return classify(None, ArmError(codes, (f"Version {self.version} failed", *messages)))


async def tag(azure: Azure, id: str, added: Mapping[str, str], dropped: Mapping[str, str] | None = None) -> None:
    """The same for any resource, by its ARM id."""
    for operation, tags in (("Delete", dropped), ("Merge", added)):
        if tags:
            body = {"operation": operation, "properties": {"tags": dict(tags)}}
            await azure.finish(azure.resources.tags.begin_update_at_scope, id, body, kind="tags PATCH")


def _half_of_the_rest(resource: Resource | None, elapsed: float) -> float:
    """Half of the time that the slowest region still needs if it goes on as it did, in seconds: so a long wait costs few looks and ends
    in time."""
    if resource is None:
        return 0.0
    waiting = {name for name, state in target_region.states(resource).items() if state == "Replicating"}
    slowest = min((per_cent for name, per_cent in target_region.progress(resource).items() if name in waiting), default=100)
    return min(_LONGEST, elapsed * (100 - slowest) / slowest / 2) if slowest > 0 else 0.0


def region_update(
    regions: list[dict[str, Any]] | None = None,
    *,
    excluded: bool | None = None,
    allow_deletion: bool | None = None,
    block_deletion: bool | None = None,
) -> Resource:
    """The body that patches the list of regions, the exclude flags or the words on deletion; what is None is not sent.

    The source is not sent either, and ``storageProfile`` is there because the model requires it.
    """
    properties: Resource = {"storageProfile": {}}
    profile: Resource = {} if regions is None else {"targetRegions": regions}
    if excluded is not None:
        profile["excludeFromLatest"] = excluded
    if profile:
        properties["publishingProfile"] = profile
    safety = {"allowDeletionOfReplicatedLocations": allow_deletion, "blockDeletionBeforeEndOfLife": block_deletion}
    if said := {name: word for name, word in safety.items() if word is not None}:
        properties["safetyProfile"] = said
    return {"properties": properties}


def update(resource: Resource, *, excluded: bool, tags: dict[str, str]) -> Resource:
    """The body that puts a version again: what is there, with its exclude flags and its tags replaced.

    The source is not sent back, as Azure would check rights on it again and refuse any difference; ``storageProfile`` is sent empty, as
    in the recorded update of ``test_create_image_version_with_allow_replicated_location_deletion`` (azure-cli). Read-only properties stay
    out.
    """
    profile = dict(resource["properties"]["publishingProfile"])
    profile.pop("publishedDate", None)
    profile["excludeFromLatest"] = excluded
    profile["targetRegions"] = [{**item, "excludeFromLatest": excluded} for item in profile["targetRegions"]]
    safety = dict(resource["properties"].get("safetyProfile") or {})
    for read_only in ("reportedForPolicyViolation", "policyViolations"):
        safety.pop(read_only, None)
    safety["allowDeletionOfReplicatedLocations"] = False
    return {
        "location": resource["location"],
        "tags": tags,
        "properties": {"publishingProfile": profile, "safetyProfile": safety, "storageProfile": {}},
    }
