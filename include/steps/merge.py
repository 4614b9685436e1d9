"""Changing one version beside other writers: read, write what is missing, read again.

The SDK offers no ETag on gallery versions. What protects a change: while an update runs, Azure refuses the next one; flags and regions
travel in an update that names nothing else, and tags one by one in Azure's own merge, so that neither carries off what another writer put
there meanwhile (a pin, a channel, an approval), however long a request is under way; and what was written is read again, and written again
when another writer's result is there instead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from include.steps.arm_error import of_exception
from include.steps.azure import Started
from include.steps.errors import StepError
from include.steps.look import Resource, gone
from include.steps.version import Version

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patch:
    """An update of what the body names; tags are never in it (:func:`include.steps.version.region_update`)."""

    body: Resource

    async def send(self, version: Version) -> Started | None:
        return await version.patch(self.body)


@dataclass(frozen=True)
class Tag:
    """Tags to set, and tags to take away with the values that they have."""

    added: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)

    async def send(self, version: Version) -> Started | None:
        await version.tag(self.added, self.dropped)
        return None


@dataclass(frozen=True)
class Put:
    """A whole version, tags and all: for one that nobody else knows of yet."""

    body: Resource

    async def send(self, version: Version) -> Started | None:
        return await version.put(self.body)


Change = Callable[[Resource], Patch | Tag | Put | None]
"""From the version as it is to the write that is to be made next, or None when nothing is to be changed; it raises where the change must
not be made."""

WRITES = 12
TIMEOUT = 2 * 3600.0
# A refused update came while another one ran; that takes minutes.
REFUSED = 15.0


async def merge(version: Version, change: Change, timeout: float = TIMEOUT) -> Resource:
    """Write what ``change`` says of the version until it says nothing, and return the version then.

    :param timeout: seconds for each operation.
    :raises StepError: ``ResourceGone``, ``LostUpdate``, and what ``change`` raises.
    """
    started: Started | None = None
    for _ in range(WRITES):
        _, resource = await version.settle(None, timeout, started)
        started = None
        if resource is None:
            raise gone(str(version), "plan")
        write = change(resource)
        if write is None:
            return resource
        async with LookingAgain(version):
            started = await write.send(version)
    raise lost_update(version, WRITES)


class LookingAgain:
    """A write within may be refused because another writer came first: that is waited for, and the caller reads the version again.

    :raises StepError: any other refusal.
    """

    def __init__(self, version: Version) -> None:
        self.version = version

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Exception):
            return False
        failure = of_exception(error)
        if failure.kind != "adopt":
            raise failure from error
        log.warning("The update of version %s was refused (%s); looking again.", self.version.version, failure.code)
        await asyncio.sleep(REFUSED)
        return True


def lost_update(version: Version, times: int) -> StepError:
    """So many writes were not enough."""
    return StepError(
        "permanent",
        "LostUpdate",
        f"{version} was written {times} times and is still not as it was written",
        "Find who else updates this version (a pipeline, Terraform) and let only one of them do it; then clear this task.",
    )
