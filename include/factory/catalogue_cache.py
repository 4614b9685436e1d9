"""What was read of the catalogue's files, so that files that have not changed are not read again.

One JSON file per catalogue below ``$XDG_CACHE_HOME/image-factory`` (``~/.cache`` without the variable). It holds what the YAML says and the
scripts' digests, never results of a check: recipes from the cache are validated like all others. A cache that cannot be read is an empty
one, and a cache that cannot be written stays as it is.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

FORMAT = 1
# A file changed a moment ago may change again within the clock tick of its file system, with the same size: it is not remembered yet.
SETTLED = 100_000_000  # ns


class CatalogueCache:
    def __init__(self, folder: Path) -> None:
        self._path = cache_file(folder)
        self._old: dict[str, Any] = self._read()
        self._new: dict[str, Any] = {}
        self._changed = False

    def get(self, name: str, stat: os.stat_result) -> Any:
        """What was remembered of the file `name` as `stat` shows it, or None."""
        entry = self._old.get(name)
        if not isinstance(entry, list) or len(entry) != 2 or entry[0] != stamp(stat):
            return None
        self._new[name] = entry
        return entry[1]

    def put(self, name: str, stat: os.stat_result, value: Any) -> None:
        if time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) > SETTLED:
            self._new[name] = [stamp(stat), value]
            self._changed = True

    def stamps(self) -> dict[str, list[int]]:
        """The stamps of the files that were remembered, by their names."""
        return {name: entry[0] for name, entry in self._new.items()}

    def save(self) -> None:
        """Write what was put and used; whole or not at all, so that readers and other writers see one state."""
        if not self._changed and len(self._new) == len(self._old):
            return
        temporary = ""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"format": FORMAT, "files": self._new}, file, separators=(",", ":"))
            Path(temporary).replace(self._path)
        except OSError:
            if temporary:
                Path(temporary).unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._path.read_bytes())
            return dict(content["files"]) if content["format"] == FORMAT else {}
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return {}


def cache_file(folder: Path) -> Path:
    """Where the cache of the catalogue in `folder` lies."""
    return _cache_folder() / f"catalogue-{sha256(str(folder.resolve()).encode()).hexdigest()[:16]}.json"


def stamp(stat: os.stat_result) -> list[int]:
    """What a file that has changed does not have again."""
    return [stat.st_mtime_ns, stat.st_size, stat.st_ino]


def _cache_folder() -> Path:
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    try:
        # The specification lets relative paths be ignored.
        base = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        base = Path(tempfile.gettempdir())
    return base / "image-factory"
