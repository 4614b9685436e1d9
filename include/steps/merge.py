"""Changing one version beside other writers: read, merge, put, re-read.

The SDK offers no ETag on gallery versions. What protects a merge: while an update runs, Azure refuses the next one; what is put is what was
read a moment before, with one thing changed; and what was put is read again, and put again when another writer's result is there instead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from include.steps.arm_error import of_exception
from include.steps.azure import Started
from include.steps.errors import StepError
from include.steps.look import Resource, gone
from include.steps.version import Version

log = logging.getLogger(__name__)

Change = Callable[[Resource], Resource | None]
"""From the version as it is to the body to put, or None when nothing is to be changed; it raises where the change must not be made."""

PUTS = 10
TIMEOUT = 2 * 3600.0
# A refused update came while another one ran; that takes minutes.
REFUSED = 15.0


async def merge(version: Version, change: Change, timeout: float = TIMEOUT) -> Resource:
    """Put what ``change`` makes of the version until it has nothing to change, and return the version then.

    :param timeout: seconds for each operation.
    :raises StepError: ``ResourceGone``, ``LostUpdate``, and what ``change`` raises.
    """
    started: Started | None = None
    for _ in range(PUTS):
        _, resource = await version.settle(None, timeout, started)
        started = None
        if resource is None:
            raise gone(f"Version {version.version} of {version.gallery}/{version.definition}", "plan")
        body = change(resource)
        if body is None:
            return resource
        async with LookingAgain(version):
            started = await version.put(body)
    raise lost_update(version, PUTS)


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
        f"{version.id} was written {times} times and is still not as it was written",
        "Find who else updates this version (a pipeline, Terraform) and let only one of them do it; then clear this task.",
    )
