"""A recording: what a client asked of Azure once, and what Azure answered.

One JSON object per file, one exchange per line: `{"source", "test", "interactions": [{i, method, host, path, query, rtype, req, status,
headers, res, repeat?, res_list_truncated_from?}]}`. Consecutive identical polls are folded into one with `repeat`; gaps in `i` are
requests that were left out.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.sandbox.wire import moment


@dataclass(frozen=True)
class Exchange:
    """One request and its answer. `request` and `answer` are JSON (None: empty, str: not JSON); header names are lower case."""

    index: int
    method: str
    path: str
    query: dict[str, str]
    kind: str
    request: Any
    status: int
    headers: dict[str, str]
    answer: Any

    @property
    def polls(self) -> bool:
        """Whether it asks for a long-running operation's state."""
        parts = self.path.lower().rstrip("/").split("/")
        if len(parts) < 4:
            return False
        return parts[-2].endswith(("operationresults", "operationstatuses")) or (
            parts[-2].endswith("operations") and parts[-4] == "locations"
        )

    @property
    def succeeded(self) -> bool:
        return self.status < 400

    @property
    def id(self) -> str:
        """The id of the resource that the path names, without a POST's action. Recorders renamed some names in paths but not in bodies:
        an id in the answer that differs in names only is the true one."""
        path = self.path.rsplit("/", 1)[0] if self.method == "POST" else self.path
        told = self.answer.get("id") if isinstance(self.answer, dict) and self.succeeded else None
        if isinstance(told, str) and _types(told) == _types(path):
            return told
        return path


SEASON = 90 * 86_400.0
_TIMES = re.compile(r'"(?:startTime|timestamp|date)": "(\d{4}-[^"]+)"')


def _types(path: str) -> list[str]:
    """Every second segment: what is named, without the names."""
    return path.lower().strip("/").split("/")[::2]


@dataclass(frozen=True)
class Recording:
    """A file. `bodies`: whether requests were recorded with their bodies; `retry_after`: whether Retry-After headers are Azure's own (some
    recorders drop them, others force them to 0)."""

    name: str
    exchanges: tuple[Exchange, ...]
    bodies: bool
    retry_after: bool

    @property
    def subscriptions(self) -> tuple[str, ...]:
        found = (one.path.split("/") for one in self.exchanges)
        return tuple(dict.fromkeys(parts[2].lower() for parts in found if len(parts) > 2 and parts[1].lower() == "subscriptions"))

    @property
    def start(self) -> float | None:
        """When it was made, epoch seconds: the earliest time that an answer tells of an operation, a deployment or (in its tags) a test's
        group, and that is not long before the newest api-version asked for; where none tells, a few months after that. Dates in requests
        are to be read by it, and what Azure showed on that day."""
        versions = (one.query.get("api-version", "")[:10] for one in self.exchanges)
        newest = max(filter(None, map(_moment, versions)), default=None)
        found = list(filter(None, (_moment(text) for one in self.exchanges for text in _TIMES.findall(json.dumps(one.answer)))))
        if newest is None:
            return min(found, default=None)
        return min((time for time in found if time > newest - SEASON), default=newest + SEASON)


def _moment(text: str) -> float | None:
    """Epoch seconds; None for what is no time."""
    try:
        return moment(text)
    except ValueError:
        return None


def read(path: Path) -> Recording:
    """Read one file. Raises ValueError where it is not a recording."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        exchanges = tuple(
            Exchange(
                one["i"],
                one["method"],
                one["path"],
                one["query"],
                one["rtype"],
                _unwrapped(one["req"]),
                one["status"],
                {name.lower(): value for name, value in one["headers"].items()},
                _joined(one["res"]),
            )
            for one in content["interactions"]
        )
    except (KeyError, TypeError, AttributeError, SyntaxError, ValueError, OSError) as problem:
        raise ValueError(f"{path} is not a recording: {problem!r}") from None
    writes = [one for one in exchanges if one.method in ("PUT", "PATCH")]
    return Recording(
        path.stem,
        exchanges,
        not writes or any(one.request is not None for one in writes),
        any(one.headers.get("retry-after", "0") != "0" for one in exchanges),
    )


def _unwrapped(body: Any) -> Any:
    """A request's body. One recorder kept JSON as Python shows bytes, more than once."""
    while isinstance(body, str) and body[:2] in ("b'", 'b"'):
        body = ast.literal_eval(body).decode()
        if body.startswith("{"):
            return json.loads(body)
    return body


def _joined(body: Any) -> Any:
    """An answer's body. One recorder kept JSON as its lines, of which the collection may have only the first: then the entries that are
    whole."""
    if not isinstance(body, list) or not all(isinstance(line, str) for line in body) or not "".join(body[:1]).endswith("\n"):
        return body
    text = "".join(body)
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        pass
    found, at, decoder = [], text.find("{"), json.JSONDecoder()
    while text.startswith("[") and at >= 0:
        try:
            entry, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            break
        found.append(entry)
        at = text.find("{", end)
    return found


def files(folder: Path, only: str = "") -> list[Path]:
    """Every file of a folder, and of those in it, whose name contains `only`, in order."""
    return [path for path in sorted(folder.rglob("*.json")) if only.lower() in path.name.lower()]
