"""All state: resources, running operations, due events and settings, in memory, and in SQLite where a folder was given.

A change is marked by `touch`, `drop`, `schedule` or `remember`; `commit` writes all marked changes in one transaction before the
answer goes out,
so that a killed sandbox has lost nothing that it acknowledged. Reads never touch the database.
"""

from __future__ import annotations

import base64
import heapq
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .wire import Json, compact, parse


class Resource:
    """One resource. `body` is what GET shows; `private` is what only the sandbox knows (guest state, replicas, who uses it)."""

    __slots__ = ("body", "id", "key", "private", "rendered", "type")

    def __init__(self, id: str, type: str, body: Json, private: Json | None = None) -> None:
        self.id = id
        self.key = id.lower()
        self.type = type
        self.body = body
        self.private: Json = private if private is not None else {}
        self.rendered: bytes | None = None

    @property
    def name(self) -> str:
        return str(self.body.get("name") or self.id.rsplit("/", 1)[1])

    @property
    def location(self) -> str:
        return str(self.body.get("location", ""))

    @property
    def properties(self) -> Json:
        return self.body.setdefault("properties", {})  # type: ignore[no-any-return]  # of a JSON object

    @property
    def state(self) -> str:
        """provisioningState."""
        return str(self.properties.get("provisioningState", "Succeeded"))

    @property
    def subscription(self) -> str:
        return self.id.split("/", 3)[2]

    @property
    def group(self) -> str:
        """Resource group name as written in the id."""
        parts = self.id.split("/", 5)
        return parts[4] if len(parts) > 4 else ""


def collection_of(key: str) -> str:
    """`/…/virtualmachines/x` -> `/…/virtualmachines`."""
    return key.rsplit("/", 1)[0]


def group_of(key: str) -> str:
    """The resource group's key of any resource key in it."""
    return "/".join(key.split("/", 5)[:5])


def scope_of(key: str) -> str | None:
    """The resource that an extension's key belongs to; None for other keys."""
    scope, _, _ = key.rpartition("/providers/")
    return scope if "/providers/" in scope else None


class Store:
    """See the module's text. `path` is a SQLite file, or None for memory only."""

    def __init__(self, path: Path | None = None) -> None:
        self.resources: dict[str, Resource] = {}
        self.operations: dict[str, Json] = {}
        self.settings: dict[str, Any] = {}
        self.blobs: dict[str, bytes] = {}
        self._collections: dict[str, dict[str, Resource]] = {}
        self._types: dict[str, dict[str, Resource]] = {}
        self._groups: dict[str, dict[str, Resource]] = {}
        self._extensions: dict[str, set[str]] = {}  # a resource's locks and role assignments: they go with it
        self._events: list[tuple[float, int, str, Json]] = []
        self._sequence = 0
        self._added: list[Resource] = []
        self._changed: dict[tuple[str, str], Any] = {}
        self._database: sqlite3.Connection | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._load(self._database)

    # resources

    def get(self, id: str) -> Resource | None:
        return self.resources.get(id.lower())

    def add(self, resource: Resource) -> Resource:
        key = resource.key
        self.resources[key] = resource
        self._collections.setdefault(collection_of(key), {})[key] = resource
        self._types.setdefault(f"{resource.subscription.lower()}/{resource.type.lower()}", {})[key] = resource
        if key.count("/") > 4:
            self._groups.setdefault(group_of(key), {})[key] = resource
        if (scope := scope_of(key)) is not None:
            self._extensions.setdefault(scope, set()).add(key)
        self._added.append(resource)
        self.touch(resource)
        return resource

    def undo_additions(self) -> None:
        """Take back what was added since the last commit: the request that added it was refused after all."""
        for resource in self._added:
            self.drop(resource)
        self._added.clear()

    def keep_additions(self) -> None:
        """What was added stays, even if the request is refused."""
        self._added.clear()

    def touch(self, resource: Resource) -> None:
        """Mark a changed resource."""
        resource.rendered = None
        self._changed["resource", resource.key] = resource

    def drop(self, resource: Resource) -> None:
        key = resource.key
        if self.resources.pop(key, None) is None:
            return
        self._collections.get(collection_of(key), {}).pop(key, None)
        self._types.get(f"{resource.subscription.lower()}/{resource.type.lower()}", {}).pop(key, None)
        self._groups.get(group_of(key), {}).pop(key, None)
        self._changed["resource", key] = None
        for extension in self._extensions.pop(key, ()):
            self.drop(self.resources[extension])
        if (scope := scope_of(key)) in self._extensions:
            self._extensions[scope].discard(key)

    def collection(self, key: str) -> dict[str, Resource]:
        """All resources directly below the collection `key` (lower case)."""
        return self._collections.get(key, {})

    def of_type(self, subscription: str, type: str) -> dict[str, Resource]:
        return self._types.get(f"{subscription.lower()}/{type.lower()}", {})

    def in_group(self, group_key: str) -> dict[str, Resource]:
        return self._groups.get(group_key, {})

    # operations, events, settings, blobs

    def remember(self, operation: Json) -> None:
        self.operations[operation["id"]] = operation
        self._changed["operation", operation["id"]] = operation

    def forget(self, operation_id: str) -> None:
        if self.operations.pop(operation_id, None) is not None:
            self._changed["operation", operation_id] = None

    def schedule(self, due: float, name: str, /, **arguments: Any) -> None:
        """Have the event `name` (see events.py) happen at `due`, epoch seconds. Arguments are JSON values."""
        self._sequence += 1
        heapq.heappush(self._events, (due, self._sequence, name, arguments))
        self._changed["event", str(self._sequence)] = [due, name, arguments]

    def next_due(self) -> float | None:
        return self._events[0][0] if self._events else None

    def pop_event(self) -> tuple[float, str, Json]:
        due, sequence, name, arguments = heapq.heappop(self._events)
        self._changed["event", str(sequence)] = None
        return due, name, arguments

    def events(self) -> Iterator[tuple[float, str, Json]]:
        return ((due, name, arguments) for due, _, name, arguments in sorted(self._events, key=lambda event: event[:2]))

    def set(self, name: str, value: Any) -> None:
        """Keep a setting (a JSON value)."""
        self.settings[name] = value
        self._changed["setting", name] = value

    def put_blob(self, name: str, content: bytes | None) -> None:
        if content is None:
            self.blobs.pop(name, None)
        else:
            self.blobs[name] = content
        self._changed["blob", name] = content

    # all of it

    def dump(self) -> Json:
        """Everything, as a JSON value; `restore` takes it back."""
        return {
            "resources": [[one.id, one.type, one.body, one.private] for one in self.resources.values()],
            "operations": list(self.operations.values()),
            "events": [list(event) for event in self.events()],
            "settings": self.settings,
            "blobs": {name: base64.b64encode(content).decode() for name, content in self.blobs.items()},
        }

    def restore(self, dumped: Json) -> None:
        """Become what was dumped. Raises KeyError, TypeError or ValueError, and changes nothing, where that is no dump."""
        new = Store()
        for id, type, body, private in dumped["resources"]:
            new.add(Resource(id, type, body, private))
        new.operations = {one["id"]: one for one in dumped["operations"]}
        for due, name, arguments in dumped["events"]:
            new.schedule(float(due), name, **arguments)
        new.settings = dict(dumped["settings"])
        new.blobs = {name: base64.b64decode(content) for name, content in dumped["blobs"].items()}
        for kind, old in (("resource", self.resources), ("operation", self.operations), ("setting", self.settings), ("blob", self.blobs)):
            self._changed.update(dict.fromkeys((kind, key) for key in old))
        self._changed.update(dict.fromkeys(("event", str(sequence)) for _, sequence, _, _ in self._events))
        for name in ("resources", "operations", "settings", "blobs", "_collections", "_types", "_groups", "_events", "_sequence"):
            setattr(self, name, getattr(new, name))
        self._changed.update(new._changed)
        for kind, values in (("operation", new.operations), ("setting", new.settings), ("blob", new.blobs)):
            self._changed.update({(kind, key): value for key, value in values.items()})

    # durability

    def commit(self) -> None:
        """Write what changed. Without a database, forget that it changed."""
        self.keep_additions()
        if not self._changed:
            return
        changed, self._changed = self._changed, {}
        if self._database is None:
            return
        rows = []
        gone = []
        for (kind, key), value in changed.items():
            if value is None:
                gone.append((kind, key))
            elif kind == "resource":
                rows.append((kind, key, compact([value.id, value.type, value.body, value.private])))
            elif kind == "blob":
                rows.append((kind, key, value))
            else:
                rows.append((kind, key, compact(value)))
        database = self._database
        database.execute("begin immediate")
        if gone:
            database.executemany("delete from state where kind = ? and key = ?", gone)
        if rows:
            database.executemany("insert or replace into state (kind, key, value) values (?, ?, ?)", rows)
        database.execute("commit")

    def close(self) -> None:
        self.commit()
        if self._database is not None:
            self._database.close()
            self._database = None

    def _load(self, database: sqlite3.Connection) -> None:
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = normal")
        database.execute("create table if not exists state (kind text, key text, value blob, primary key (kind, key)) without rowid")
        for kind, key, value in database.execute("select kind, key, value from state"):
            if kind == "blob":
                self.blobs[key] = bytes(value)
                continue
            decoded = parse(value)
            if kind == "resource":
                self.add(Resource(decoded[0], decoded[1], decoded[2], decoded[3]))
            elif kind == "operation":
                self.operations[key] = decoded
            elif kind == "event":
                self._events.append((decoded[0], int(key), decoded[1], decoded[2]))
                self._sequence = max(self._sequence, int(key))
            else:
                self.settings[key] = decoded
        heapq.heapify(self._events)
        self._changed.clear()
