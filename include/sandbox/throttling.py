"""Rate limits: Resource Manager's, by subscription and caller, and Compute's, by subscription and by resource (buckets.py).

They count by the sandbox's clock, in memory: a restart fills them. A request that is refused counts too, so that whoever does not wait for
Retry-After waits longer. Numbers: request-limits-and-throttling and compute-throttling-limits (learn.microsoft.com). Where the sandbox does
not throttle, the headers show full buckets, less the request itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .buckets import limits_of
from .wire import ArmError, compact, stamp

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox

KINDS = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}  # all else writes
BUCKETS = {"reads": (250, 25.0), "writes": (200, 10.0), "deletes": (200, 10.0)}  # tokens, and how many come back in a second
WHOLE = 15  # times as many for all callers of a subscription together
REFILL = 180.0  # seconds in which Compute's token buckets are full again
WINDOWS = {"3Min": 180.0, "30Min": 1800.0}


@dataclass(slots=True)
class Bucket:
    """A token bucket. It goes below zero, down to -`most`, by requests that are refused."""

    most: int
    rate: float  # tokens a second
    level: float
    at: float

    def take(self, now: float) -> float:
        """Take a token. Returns 0, or the seconds until there is one again."""
        self.level = min(self.most, self.level + (now - self.at) * self.rate)
        self.at = now
        if self.level >= 1:
            self.level -= 1
            return 0.0
        self.level = max(-float(self.most), self.level - 1)
        return (1 - self.level) / self.rate

    @property
    def left(self) -> int:
        return max(0, int(self.level))

    @property
    def measured(self) -> int:
        return self.most - math.floor(self.level)


@dataclass(slots=True)
class Window:
    """Calls since `at`. A call that is refused puts off the window's end."""

    most: int
    seconds: float
    at: float
    measured: int = 0

    def take(self, now: float) -> float:
        """Count a call. Returns 0, or the seconds until the window's end."""
        if now >= self.at + self.seconds:
            self.at, self.measured = now, 0
        self.measured += 1
        if self.measured <= self.most:
            return 0.0
        self.at += self.seconds / self.most
        return self.at + self.seconds - now

    @property
    def left(self) -> int:
        return max(0, self.most - self.measured)


class Throttle:
    """The limits of one sandbox. `on`: whether they refuse."""

    def __init__(self, on: bool) -> None:
        self.on = on
        self._buckets: dict[tuple[str, ...], Bucket | Window] = {}

    def front_door(self, arm: Sandbox, call: Call) -> None:
        """Count a request against Resource Manager's limits. Raises ArmError 429 SubscriptionRequestsThrottled."""
        kind = KINDS.get(call.method, "writes")
        most, rate = BUCKETS[kind]
        if not self.on:
            own, whole, wait = most - 1, most * WHOLE - 1, 0.0
        else:
            subscription = call.subscription.lower()
            one = self._bucket((kind, subscription, call.principal), most, rate * arm.speed, arm.now)
            all = self._bucket((kind, subscription), most * WHOLE, rate * WHOLE * arm.speed, arm.now)
            wait = max(one.take(arm.now), all.take(arm.now))
            own, whole = one.left, all.left
        if kind != "reads":  # live answers to reads show the subscription's alone
            call.rates[f"x-ms-ratelimit-remaining-subscription-{kind}"] = str(own)
        call.rates[f"x-ms-ratelimit-remaining-subscription-global-{kind}"] = str(whole)
        if wait:
            seconds = max(1, math.ceil(wait))
            raise ArmError(
                429,
                "SubscriptionRequestsThrottled",
                f"Number of '{kind[:-1]}' requests for subscription '{call.subscription}' actor '{call.principal}' exceeded. "
                f"Please try again after '{seconds}' seconds after additional tokens are available. "
                "Refer to https://aka.ms/arm-throttling for additional information.",
                headers={"retry-after": str(seconds)},
                gateway=True,
            )

    def provider(self, arm: Sandbox, call: Call) -> None:
        """Count a request against Compute's limits. Raises ArmError 429 OperationNotAllowed."""
        limits, resource = limits_of(call.method, call.segments)
        if not limits:
            return
        shown = []
        worst: tuple[float, str, Bucket | Window] | None = None
        for name, kind, most in limits:
            if not self.on:
                shown.append(f"{name};{most - 1}")
                continue
            bucket: Bucket | Window
            key = (name, call.subscription.lower(), f"{call.group.lower()}/{resource}" if kind == "Resource" else "")
            if kind in WINDOWS:
                bucket = self._window(key, most, WINDOWS[kind] / arm.speed, arm.now)
            else:
                bucket = self._bucket(key, most, most / REFILL * arm.speed, arm.now)
            wait = bucket.take(arm.now)
            shown.append(f"{name};{bucket.left}")
            if wait and (worst is None or wait > worst[0]):
                worst = (wait, name, bucket)
        call.rates["x-ms-ratelimit-remaining-resource"] = ",".join(shown)
        if worst is not None:
            wait, name, bucket = worst
            group = name.removeprefix("Microsoft.Compute/")
            raise refused(arm, group, wait * arm.speed, allowed=bucket.most, measured=bucket.measured, since=bucket.at)

    def _bucket(self, key: tuple[str, ...], most: int, rate: float, now: float) -> Bucket:
        found = self._buckets.get(key)
        if not isinstance(found, Bucket):
            self._forget(now)
            found = self._buckets[key] = Bucket(most, rate, most, now)
        return found

    def _window(self, key: tuple[str, ...], most: int, seconds: float, now: float) -> Window:
        found = self._buckets.get(key)
        if not isinstance(found, Window):
            self._forget(now)
            found = self._buckets[key] = Window(most, seconds, now)
        return found

    def _forget(self, now: float) -> None:
        """Drop what is full again, once there is much: every operation has a bucket of its own."""
        if len(self._buckets) > 5_000:
            self._buckets = {key: one for key, one in self._buckets.items() if now - one.at < 2 * WINDOWS["30Min"]}


def refused(
    arm: Sandbox, group: str, retry_after: float, *, allowed: int = 800, measured: int = 1238, since: float | None = None
) -> ArmError:
    """Compute's 429 for an operation group (shape: Azure's throttling troubleshooting page, wrapped as every recorded Compute error is).
    `retry_after` is in Azure's seconds."""
    window = {
        "operationGroup": group,
        "startTime": stamp(since if since is not None else arm.now - WINDOWS["30Min"]),
        "endTime": stamp(arm.now),
    }
    counts = {"allowedRequestCount": allowed, "measuredRequestCount": measured}
    return ArmError(
        429,
        "OperationNotAllowed",
        "The server rejected the request because too many requests have been received for this subscription.",
        details=[{"code": "TooManyRequests", "target": group, "message": compact({**window, **counts}).decode()}],
        headers={"retry-after": arm.retry_after(retry_after)},
    )
