"""The output of a script as it grows, seen through a window of its last 4096 bytes."""

from __future__ import annotations

import logging

WINDOW = 4096


class OutputTail:
    """Logs each line of a stream once, though every look shows only the stream's end.

    Azure keeps the last 4 KB of output and of error in the instance view (run-command-overview, "Output is limited to the last 4,096
    bytes").
    """

    def __init__(self, log: logging.Logger, level: int, name: str) -> None:
        self._log = log
        self._level = level
        self._name = name
        self._window = ""
        self._rest = ""

    def show(self, window: str | None) -> None:
        """Log the lines that are new since the last look; an unfinished last line waits for its end."""
        window = window or ""
        new = self._new(window)
        self._window = window or self._window
        *lines, self._rest = (self._rest + new).split("\n")
        for line in lines:
            self._log.log(self._level, "%s", line.rstrip("\r"))

    def close(self, window: str | None) -> None:
        """Show the last window, the unfinished line too."""
        self.show(window)
        if self._rest:
            self._log.log(self._level, "%s", self._rest)
        self._rest = ""

    def _new(self, window: str) -> str:
        """What of the window was not in the last one: behind the longest end of that with which this begins."""
        if window.startswith(self._window):
            return window[len(self._window) :]
        for length in range(min(len(self._window), len(window)), 0, -1):
            if self._window.endswith(window[:length]):
                return window[length:]
        if len(window.encode()) >= WINDOW - 4:
            self._log.warning("Some of %s went by between two looks and is lost: the window is %d bytes.", self._name, WINDOW)
        return window


def last_lines(output: str | None, error: str | None, count: int = 20) -> str:
    """The end of what a script said, its error stream first, as that says why."""
    lines = [line for text in (output, error) for line in (text or "").rstrip().splitlines()]
    return "\n".join(lines[-count:])
