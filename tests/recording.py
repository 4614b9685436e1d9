"""What all sandboxes of a session of the suite answered, in one file: of this process, of those it starts, and of xdist's other workers."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class Recording:
    """The file, and a lock that each worker shares until all its tests but the judging one are done.

    :ivar path: one exchange a line; it may be missing where nothing was asked.
    :ivar judged: whether :meth:`complete` was called: then nobody needs it after this process.
    """

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self.path = path
        self.judged = False
        self._lock = lock

    def complete(self) -> Path:
        """The path, when no other worker can add to it any more: each has run its tests and stopped what it started for them."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.judged = True
        return self.path


@contextmanager
def record_into(folder: Path) -> Iterator[Recording]:
    """Every sandbox that starts from now on appends to one file of `folder` (or to the one that `SANDBOX_RECORD` names already, and which
    stays)."""
    chosen = os.environ.get("SANDBOX_RECORD")
    path = Path(chosen or folder / "traffic.jsonl")
    with (folder / "traffic.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        os.environ["SANDBOX_RECORD"] = str(path)
        try:
            recording = Recording(path, lock)
            yield recording
            if recording.judged and not chosen:
                path.unlink(missing_ok=True)
        finally:
            if not chosen:
                del os.environ["SANDBOX_RECORD"]
