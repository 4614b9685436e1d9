"""Look, decide, act, wait: what a step finds, and how it is made safe to run twice.

Every step reads its resource first and sorts what it finds into five: absent, ours and running, ours and done, ours and failed, someone
else's. "Ours" is what carries the tag ``image-factory-run`` of this run, which was in the PUT that made it.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ParamSpec, TypeVar

from include.factory.version_tags import RETIRED, ROLLED_BACK
from include.steps.arm_error import of_exception
from include.steps.errors import StepError, StepSkipped

log = logging.getLogger(__name__)

RUN_TAG = "image-factory-run"
PROMOTED_TAG = "image-factory-promoted"
ATTEMPT_TAG = "image-factory-attempt"
EXPIRES_TAG = "image-factory-expires"

P = ParamSpec("P")
R = TypeVar("R")
Resource = dict[str, Any]


class Found(StrEnum):
    """What a step found where its resource is to be."""

    ABSENT = "absent"
    RUNNING = "running"
    DELETING = "deleting"
    DONE = "done"
    FAILED = "failed"
    FOREIGN = "someone else's"


def now() -> str:
    """The time as tags have it: ISO, in UTC, to the second; such times sort as they come."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def pauses() -> Iterator[float]:
    """Seconds between looks where Azure names none: 1, 2, 4, 8, then 15."""
    yield from (1.0, 2.0, 4.0, 8.0)
    while True:
        yield 15.0


async def look(call: Awaitable[Any]) -> Resource | None:
    """Read a resource in its wire form; None when there is none (HTTP 404)."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        resource: Resource = (await call).as_dict()
    except ResourceNotFoundError:
        return None
    return resource


def state_of(resource: Mapping[str, Any]) -> str:
    """``properties.provisioningState``, ``Succeeded`` where a resource has none."""
    return str((resource.get("properties") or {}).get("provisioningState") or "Succeeded")


def sort(resource: Resource | None, run: str | None = None) -> Found:
    """Sort what was read.

    :param run: the run that must have made it; None for what all runs share (galleries, definitions).
    """
    if resource is None:
        return Found.ABSENT
    if run is not None and (resource.get("tags") or {}).get(RUN_TAG) != run:
        return Found.FOREIGN
    match state_of(resource):
        case "Succeeded":
            return Found.DONE
        case "Failed" | "Canceled":
            return Found.FAILED
        case "Deleting":
            return Found.DELETING
        case _:
            return Found.RUNNING


async def settle(
    read: Callable[[], Awaitable[Resource | None]], run: str | None = None, timeout: float = 7200
) -> tuple[Found, Resource | None]:
    """Read until nothing runs on the resource any more: the way to adopt an operation that somebody else, or an earlier self, started.

    :raises StepError: kind ``adopt``: still running after ``timeout`` seconds.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + timeout
    backoff = pauses()
    told = False
    while True:
        resource = await read()
        found = sort(resource, run)
        if found not in (Found.RUNNING, Found.DELETING) or resource is None:
            return found, resource
        if not told:
            log.info("%s is %s already: waiting for the end of that.", resource.get("name"), state_of(resource))
            told = True
        if clock() > deadline:
            raise StepError(
                "adopt",
                "OperationStillRunning",
                f"{resource.get('id')} is still {state_of(resource)} after {timeout:.0f} s",
                "Nothing: it goes on in Azure, and the next try takes it up. If it lasts, clear this task when the operation is over.",
            )
        await asyncio.sleep(next(backoff))


def taken(resource: Mapping[str, Any] | None) -> StepError:
    """The error for a name that something of another run, or of nobody, has."""
    tags = (resource or {}).get("tags") or {}
    owner = f"the run {tags[RUN_TAG]!r}" if RUN_TAG in tags else "somebody who is not this factory"
    return StepError(
        "permanent",
        "NameTaken",
        f"{(resource or {}).get('id')} exists and belongs to {owner}",
        "Nothing of another is ever changed. Start a new run (its names are its own), or delete that resource if it is a leftover.",
    )


def gone(what: str, stage: str) -> StepError:
    """The error for a resource of an earlier stage that is no longer there."""
    return StepError("redo", "ResourceGone", f"{what} does not exist any more", f"Clear the run from the task {stage}.", stage=stage)


def is_hidden(resource: Mapping[str, Any]) -> bool:
    """Whether a version is excluded from latest as a whole and in every region."""
    profile = resource["properties"]["publishingProfile"]
    return bool(profile.get("excludeFromLatest")) and all(item.get("excludeFromLatest", True) for item in profile["targetRegions"])


def is_withdrawn(resource: Mapping[str, Any]) -> bool:
    """Whether a version was rolled back or retired: then it is to be hidden until somebody promotes it."""
    return not {ROLLED_BACK, RETIRED}.isdisjoint(resource.get("tags") or {})


def rolled_back(resource: Mapping[str, Any]) -> StepError:
    """The error for a version that must not become ``latest`` again."""
    said = (resource.get("tags") or {}).get(ROLLED_BACK, "")
    return StepError(
        "permanent",
        "RolledBack",
        f"Version {resource['name']} was rolled back ({said})",
        "latest stays where it is. If the version is good after all, promote it with promote_version and say so there.",
    )


def retired(resource: Mapping[str, Any]) -> StepError:
    """The error for a version that was retired after its promotion was planned."""
    said = (resource.get("tags") or {}).get(RETIRED, "")
    return StepError(
        "permanent",
        "Retired",
        f"Version {resource['name']} was retired ({said}) after this promotion was planned",
        "latest stays where it is. If the version is to live, pin it and start promote_version again: its plan lifts the mark.",
    )


# A conflict, a lost answer or a new group that is not seen everywhere yet: look again after so many seconds, then leave it to Airflow's
# retries.
_AGAIN = (2.0, 4.0, 8.0, 15.0, 30.0)


def step(function: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Make a coroutine a step: it raises :class:`StepError` whatever the SDK raised, and looks again where the error table says ``adopt``.

    To run the coroutine once more is to look again, as that is what every step begins with.
    """

    @functools.wraps(function)
    async def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        for pause in (*_AGAIN, None):
            try:
                return await function(*args, **kwargs)
            except (StepError, StepSkipped) as error:
                failure: Exception = error
            except Exception as error:
                failure = of_exception(error)
                failure.__cause__ = error
            if not isinstance(failure, StepError) or pause is None or not _worth_a_look(failure):
                raise failure
            log.warning("%s Looking again in %.0f s.", failure, pause)
            await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    return wrapped


def _worth_a_look(error: StepError) -> bool:
    if error.code == "OperationStillRunning":
        return False
    return error.kind == "adopt" or (error.kind == "transient" and error.status in (400, 404, 409))
