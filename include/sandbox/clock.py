"""The sandbox's time: any callable of seconds, shifted. Time passes lazily: nothing runs between requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

START = 1_795_420_800.0  # 2026-11-23T08:00:00Z: where virtual time begins


class Clock:
    """Epoch seconds from `source`. With `start`, the first reading is `start` and time passes as `source` does."""

    def __init__(self, source: Callable[[], float] = time.time, *, start: float | None = None) -> None:
        self._source = source
        self._start = start
        self._shift: float | None = 0.0 if start is None else None
        self.skipped = 0.0

    def now(self) -> float:
        """Epoch seconds."""
        reading = self._source()
        if self._shift is None:
            assert self._start is not None
            self._shift = self._start - reading
        return reading + self._shift + self.skipped

    def advance(self, seconds: float) -> None:
        """Skip ahead by `seconds` (>= 0)."""
        if seconds < 0:
            raise ValueError(f"time cannot go back by {-seconds} seconds")
        self.skipped += seconds


def virtual_clock(start: float | None = None) -> Clock:
    """A clock that only `advance` moves; it starts at `start`, epoch seconds (default: START)."""
    return Clock(lambda: 0.0, start=START if start is None else start)


def loop_clock() -> Clock:
    """A clock that follows the running asyncio loop's time (virtual under looptime), and stands still where no loop runs."""
    last = 0.0

    def reading() -> float:
        nonlocal last
        try:
            last = asyncio.get_running_loop().time()
        except RuntimeError:
            pass
        return last

    return Clock(reading, start=START)
