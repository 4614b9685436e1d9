"""The core: one synchronous function from request to response, over a clock and a store.

State moves lazily: at each request the events that are due by the clock happen, in order, each at its own time; then the request is
answered.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from . import front_door, latency, stale, tokens
from .call import Call
from .clock import Clock
from .clouds import CLOUDS, PUBLIC
from .directory import Directory, Principal
from .events import EVENTS
from .faults import Faults
from .operations import ceil_seconds
from .recorder import Recorder
from .resources import load_families
from .store import Resource, Store
from .throttling import Throttle
from .wire import ArmError, Request, Response, compact, parse

PAGE = 1000  # resources per list page


class Sandbox:
    """A local Azure Resource Manager.

    `clock`: anything with `now() -> float`, epoch seconds. `store`: a Store, a path to keep state in, or None for memory. `speed`
    divides every latency and every Retry-After. `authenticate=False` lets requests without a token in; `control=False` hides `/_sandbox`.
    `recorder` is told every exchange. `throttle`: whether rate limits refuse (default: at speed 1). `public_addresses`: the ranges (CIDR)
    of public IPv4 addresses, instead of those for documentation. `cloud`: which of Azure's clouds (clouds.py) it is.
    """

    def __init__(
        self,
        clock: Clock | Any = None,
        *,
        store: Store | Path | str | None = None,
        seed: int = 0,
        speed: float = 1.0,
        authenticate: bool = True,
        control: bool = True,
        directory: Directory | None = None,
        page: int = PAGE,
        recorder: Recorder | None = None,
        throttle: bool | None = None,
        public_addresses: tuple[str, ...] = (),
        cloud: str = PUBLIC.name,
    ) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be above 0, not {speed}")
        load_families()
        self.cloud = CLOUDS[cloud]
        self.clock = clock if clock is not None else Clock()
        self.store = store if isinstance(store, Store) else Store(Path(store) if store is not None else None)
        self.seed = seed
        self.speed = speed
        self.authenticate = authenticate
        self.control = control
        self.directory = directory or Directory()
        self.tenant_id = self.directory.tenant_id
        self.subscription_id = self.directory.subscription_id
        self.client_id = self.directory.client_id
        self.client_secret = self.directory.client_secret
        self.object_id = self.directory.main.object_id
        self.page = page
        self.recorder = recorder
        self.public_addresses = public_addresses
        self.key = hashlib.sha256(f"{self.client_secret} {self.tenant_id}".encode()).digest()
        self.known_tokens: dict[str, tokens.Claims] = {}
        self.requests: Counter[str] = Counter()  # since the start: "PUT Microsoft.Compute/virtualMachines" -> number
        self.throttle = Throttle(speed == 1 if throttle is None else throttle)
        self.faults = Faults(seed)
        self.faults.load(self.store.settings.get("faults", []))
        self._chance = Random(f"{seed} requests {self.store.settings.get('count.operation', 0)}")
        self._lock = threading.RLock()
        if hasattr(self.clock, "skipped"):
            self.clock.skipped += self.store.settings.get("skipped", 0.0)
        self.now: float = self.clock.now()

    # what the families need

    def seconds(self, name: str, *key: object) -> float:
        """How long `name` takes this time, divided by speed. The same seed and key give the same answer."""
        return latency.sample(name, Random(f"{self.seed} {name} {key}")) / self.speed

    def retry_after(self, seconds: float) -> str:
        """A Retry-After header: divided by speed, at least 1."""
        return str(ceil_seconds(seconds / self.speed))

    def count(self, name: str) -> int:
        """The next number of a series that survives a restart."""
        number = int(self.store.settings.get(f"count.{name}", 0)) + 1
        self.store.set(f"count.{name}", number)
        return number

    def guid(self, *key: object) -> str:
        """A GUID that follows from the seed and the key."""
        return str(UUID(int=Random(f"{self.seed} guid {key}").getrandbits(128), version=4))

    def request_guid(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128), version=4))

    def resource(self, id: str | None, type: str | None = None) -> Resource | None:
        """The resource of that id (and type); None where there is none."""
        if not id:
            return None
        # Azure's own tests leave the first slash out (recorded); a VHD's id is its URL
        found = self.store.get(id if id.startswith("/") or "://" in id else f"/{id}")
        if found is None or (type is not None and found.type.lower() != type.lower()):
            return None
        return found

    # requests

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        with self._lock:
            self.advance()
            self.store.commit()
            call = Call(request, self.cloud)
            response = front_door.answer(self, call)
            if self.faults.changed:
                self.store.set("faults", self.faults.dump())
                self.faults.changed = False
            if self.store.settings.get("stale"):
                stale.notice(self)
            self.store.commit()
            if self.recorder is not None:
                self.recorder(request, response)
            return response

    def answer(self, request: Request) -> Response:
        """Answer a request that the sandbox makes of itself, as a deployment does, within the request or event at hand. What happened so
        far stands, whatever the answer."""
        self.store.commit()
        call = Call(request, self.cloud)
        call.internal = True
        return front_door.answer(self, call)

    def advance(self) -> None:
        """Let everything happen that is due by now."""
        now = self.clock.now()
        store = self.store
        while (due := store.next_due()) is not None and due <= now:
            due, name, arguments = store.pop_event()
            self.now = due
            EVENTS[name](self, **arguments)
            if store.settings.get("stale"):
                stale.notice(self)
        self.now = now

    def dump(self) -> bytes:
        """All state and the time, as JSON."""
        with self._lock:
            self.advance()
            return compact({"now": self.now, **self.store.dump()})

    def load(self, dumped: bytes) -> None:
        """Become what was dumped; the clock skips ahead to that time where it is behind. Raises ValueError where that is no dump."""
        with self._lock:
            try:
                found = parse(dumped)
                ahead = found["now"] - self.clock.now()
                self.store.restore(found)
            except (ArmError, KeyError, TypeError, ValueError) as problem:
                raise ValueError(f"this is no dump of a sandbox: {problem!r}") from None
            self.faults.load(self.store.settings.get("faults", []))
            self.skip(max(0.0, ahead))
            self.store.commit()

    def skip(self, seconds: float) -> None:
        """Skip ahead in time, and let what is due by then happen."""
        self.clock.advance(seconds)
        self.store.set("skipped", self.clock.skipped)
        self.advance()

    def token(self, principal: Principal | None = None, *, lifetime: int = 10 * 365 * 86_400, audience: str = "") -> str:
        """A bearer token for in-process clients, of a principal of the directory (default: the main one)."""
        return tokens.issue(self, principal=principal, lifetime=lifetime, audience=audience)
