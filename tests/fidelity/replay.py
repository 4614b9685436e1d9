"""One recording replayed against one sandbox in this process, under a clock that only waiting moves.

Waiting: where the recording shows an operation (or a resource) done and the sandbox's is still under way, time passes until it is done
too, from due event to due event. Where the recording shows it under way, no time passes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from include.sandbox.blobs import ACCOUNT
from include.sandbox.clock import virtual_clock
from include.sandbox.directory import Directory
from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request, Response

from . import scope, seed
from .names import Names
from .recording import Exchange, Recording
from .shape import differences

BASE = "https://management.azure.com"
HEADERS = ("azure-asyncoperation", "location", "azure-asyncnotification", "etag")
PATIENCE = 4 * 3600.0  # seconds that anything may take
STEP = 10.0

_ORDER = {"accepted": 0, "registering": 1, "unregistering": 1, "inprogress": 1, "running": 1, "creating": 1, "updating": 1, "deleting": 1}


@dataclass
class Judgement:
    """One exchange, judged: the differences in status (HTTP status, error code, headers) and in shape; or why it is out of scope."""

    exchange: Exchange
    out_of_scope: str = ""
    status: list[str] = field(default_factory=list)
    shape: list[str] = field(default_factory=list)
    answer: Response | None = None


class Replay:
    """`sandbox`: to replay against; by default a new one that knows the recording's subscriptions."""

    def __init__(self, recording: Recording, sandbox: Sandbox | None = None) -> None:
        self.recording = recording
        self.sandbox = sandbox or new_sandbox(recording)
        self.names = Names()
        self._asked = scope.asked_for(exchange.path for exchange in recording.exchanges)
        self.names.sent([f"/subscriptions/{id}" for id in recording.subscriptions])
        self._operations: dict[tuple[str, str, bool], str] = {}
        self._began: set[str] = set()  # operations of requests that were out of scope
        self._made: set[str] = set()  # lower-case ids of what the recording made so far
        self._makes = {id for exchange in recording.exchanges for id in seed.makes(exchange)}  # and of what it ever makes
        self._unmade: dict[str, str] = {}  # what requests that were out of scope made, lower-case id -> why
        self._seeded: dict[str, str] = {}  # what was there before, lower-case id -> why it cannot be made

    def run(self) -> Iterator[Judgement]:
        """Replay every exchange, in order."""
        self._publish_images()
        for number, exchange in enumerate(self.recording.exchanges):
            judgement = self._replay(number, exchange)
            if judgement.out_of_scope and exchange.succeeded:
                self._unmade.update(dict.fromkeys(seed.makes(exchange), judgement.out_of_scope))
                self._began.update(filter(None, (_last(exchange.headers.get(name, "")) for name in ("azure-asyncoperation", "location"))))
            elif exchange.method != "DELETE":
                self._made.update(seed.makes(exchange))
            if scope.mangled(exchange.answer, exchange.headers.get("content-type", "")):
                judgement.out_of_scope = judgement.out_of_scope or scope.MANGLED
            yield judgement

    def _handle(self, request: Request) -> Response:
        """The sandbox's answer; a 500 where it breaks, as over HTTP."""
        try:
            return self.sandbox.handle(request)
        except Exception as problem:
            return Response(500, {}, json.dumps({"error": {"code": type(problem).__name__, "message": str(problem)}}).encode())

    # one exchange

    def _replay(self, number: int, exchange: Exchange) -> Judgement:
        judgement = Judgement(exchange)
        if exchange.polls:
            return self._poll(exchange, judgement)
        body = exchange.request
        if body is None and not self.recording.bodies and exchange.method in ("PUT", "PATCH", "POST"):
            body = self._rebuilt(exchange)
            if body is None:
                judgement.out_of_scope = scope.NO_BODY
                return judgement
        needed = scope.left_out(body, exchange.path, self._asked)
        if needed is not None:
            judgement.out_of_scope = scope.NEEDS.format(needed)
            return judgement
        judgement.out_of_scope = self._prepare(number, exchange, body)
        if judgement.out_of_scope:
            return judgement
        if exchange.succeeded:
            self._need_blobs(body)
        self.names.sent(exchange.path)
        self.names.sent(body)
        path = exchange.path
        if exchange.method != "POST" and exchange.id != path:
            path = exchange.id
        elif exchange.method == "POST" and exchange.id != path.rsplit("/", 1)[0]:
            path = f"{exchange.id}/{path.rsplit('/', 1)[1]}"
        url = f"{BASE}{quote(self.names.translate(path), safe='/%')}?{urlencode(exchange.query)}"
        answer = self._ask(exchange, Request(exchange.method, url, _headers(body), _encoded(self.names.translate(body))))
        return self._judge(exchange, answer, judgement)

    def _poll(self, exchange: Exchange, judgement: Judgement) -> Judgement:
        url = self._operations.get(_key(exchange.path, exchange.query))
        if url is None:
            last = _last(exchange.path)
            if last in self._began or not any(last == known[0] for known in self._awaited(exchange)):
                judgement.out_of_scope = scope.BEGAN_OUTSIDE
                return judgement
            judgement.status.append("the operation was not started")
            judgement.shape.append("the operation was not started")
            return judgement
        return self._judge(exchange, self._ask(exchange, Request("GET", url)), judgement)

    def _awaited(self, poll: Exchange) -> Iterator[tuple[str, str, bool]]:
        for exchange in self.recording.exchanges:
            if exchange is poll:
                return
            for name in ("azure-asyncoperation", "location"):
                if name in exchange.headers:
                    yield _key(*_split(exchange.headers[name]))

    def _ask(self, exchange: Exchange, request: Request) -> Response:
        answer = self._handle(request)
        if exchange.method not in ("GET", "HEAD"):
            return answer
        deadline = self.sandbox.clock.now() + PATIENCE
        while _behind(exchange, answer) and self.sandbox.clock.now() < deadline:
            self._wait(deadline)
            answer = self._handle(request)
        return answer

    def _wait(self, deadline: float) -> None:
        """Let time pass until the next thing happens."""
        due, now = self.sandbox.store.next_due(), self.sandbox.clock.now()
        self.sandbox.clock.advance(max(0.0, due - now) if due is not None and due < deadline else STEP)

    def _judge(self, exchange: Exchange, answer: Response, judgement: Judgement) -> Judgement:
        judgement.answer = answer
        body = _decoded(answer)
        if answer.status != exchange.status:
            told = f" ({_code(body)})" if answer.status >= 400 else ""
            judgement.status.append(f"{answer.status}{told} instead of {exchange.status}")
        elif _code(body) != _code(exchange.answer):
            judgement.status.append(f"error {_code(body)} instead of {_code(exchange.answer)}")
        if answer.status == exchange.status:
            for name in HEADERS:
                if (name in answer.headers) != (name in exchange.headers):
                    judgement.status.append(f"{'extra' if name in answer.headers else 'missing'} header {name}")
            judgement.status += self._retry_after(exchange, answer)
        for name in ("azure-asyncoperation", "location"):
            if name in exchange.headers and name in answer.headers:
                self._operations[_key(*_split(exchange.headers[name]))] = answer.headers[name]
        judgement.shape = differences(exchange.answer, body, self.names.same)
        self.names.learn(exchange.answer, body)
        return judgement

    def _retry_after(self, exchange: Exchange, answer: Response) -> list[str]:
        if not self.recording.retry_after:
            return []
        recorded, answered = exchange.headers.get("retry-after"), answer.headers.get("retry-after")
        if recorded in (None, "0") or answered is None:
            return [] if recorded in (None, "0") and answered is None else [f"Retry-After {answered} instead of {recorded}"]
        # Compute's vary from poll to poll: 9 to 50 s.
        return [] if exchange.polls or recorded == answered else [f"Retry-After {answered} instead of {recorded}"]

    # what has to be there

    def _rebuilt(self, exchange: Exchange) -> Any:
        if exchange.method == "POST":
            return {} if exchange.path.rsplit("/", 1)[1].lower() not in _NEED_BODY else None
        return seed.as_request(exchange.answer) if exchange.succeeded and isinstance(exchange.answer, dict) else None

    def _prepare(self, number: int, exchange: Exchange, body: Any) -> str:
        """Make what was there already. Answers why the exchange is out of scope, or an empty text."""
        if _code(exchange.answer) == "ResourceGroupNotFound":
            return ""
        group = _group(exchange.path)
        creates = exchange.method == "PUT" and exchange.status != 200
        if exchange.kind.lower() == "resourcegroups/{}":
            if exchange.succeeded and not creates:
                self._need_group(exchange.id)
            return ""
        if not group:
            return next((why for id, why in self._unmade.items() if _within(exchange.path, id)), "")
        self._need_group(group)
        if not exchange.succeeded:
            return ""
        needed: list[str] = []
        parts = exchange.id.split("/")
        target = exchange.id if len(parts) % 2 else "/".join(parts[:-1])  # of a list, what it is below
        above = "/".join(target.split("/")[:-2])
        needed += [one for one in (above if creates else target,) if one.count("/") > 7]
        if exchange.method in ("PUT", "PATCH", "POST"):
            own = seed.makes(exchange)
            needed += [id for id in scope.references(body) if not any(_within(id, made) for made in own)]
        reason = next(filter(None, (self._need(number, id) for id in needed)), "")
        if not reason and exchange.method == "GET":
            reason = next(filter(None, (self._seeded.get(_owner(one).lower()) for one in scope.references(exchange.answer))), "")
        if not reason and not creates and target.lower() in self._made:
            self._wait_for(target)
        return reason

    def _wait_for(self, id: str) -> None:
        """Where something that the sandbox still has to do makes a resource that the recording shows already: let time pass until it is
        there."""
        deadline = self.sandbox.clock.now() + PATIENCE
        while self.sandbox.store.get(self.names.translate(id)) is None:
            due = self.sandbox.store.next_due()
            if due is None or due > deadline:
                return
            self._wait(deadline)
            self.sandbox.advance()

    def _need_group(self, id: str) -> None:
        key = id.lower()
        if key in self._made or key in self._seeded or self.sandbox.store.get(key) is not None:
            return
        self._seeded[key] = ""
        body = seed.shown(self.recording, id)[0] or {}
        inside = (one.answer for one in self.recording.exchanges if _group(one.path).lower() == key and isinstance(one.answer, dict))
        places = (answer["location"] for answer in inside if isinstance(answer.get("location"), str))
        made: dict[str, Any] = {"location": body.get("location") or next(places, "westus")}
        if body.get("tags"):
            made["tags"] = body["tags"]
        self._put(id, made, "2022-09-01")

    def _need(self, number: int, id: str) -> str:
        """Have the resource there. Answers why it cannot be, or an empty text: a resource that the recording shows whole and that the
        sandbox refuses is the sandbox's own fault."""
        key = id.lower()
        if key in self._seeded:
            return self._seeded[key]
        if self.sandbox.store.get(self.names.translate(id)) is not None:
            return ""
        above, kind = "/".join(key.split("/")[:-2]), key.split("/")[-2]
        if key in self._made or (above in self._made and kind in seed.PARTS and key not in self._unmade):
            return ""  # the recording made it: the sandbox should have it
        self._seeded[key] = ""  # what points back at it may ask for it meanwhile
        self._seeded[key] = self._make(number, id)
        return self._seeded[key]

    def _make(self, number: int, id: str) -> str:
        body, version = seed.shown(self.recording, id, number)
        if body is None and scope.type_of(id).lower() in seed.BARE:
            self._need_group(_group(id))
            group = self.sandbox.store.get(_group(id))
            body, version = {"location": group.location if group is not None else "westus"}, seed.BARE[scope.type_of(id).lower()]
        if body is None:
            return scope.UNSEEN.format(scope.type_of(id))
        request = seed.as_request(body)
        needed = scope.left_out(request, asked=self._asked)
        if needed is not None:
            return scope.NEEDS.format(needed)
        self._need_group(_group(id))
        above = "/".join(id.split("/")[:-2])
        for other in ([above] if above.count("/") > 7 else []) + [one for one in scope.references(request) if not _within(one, id)]:
            reason = self._need(number, other)
            if reason:
                return reason
        self._need_blobs(request)
        self._put(id, request, version)
        for user in sorted({_owner(one) for one in scope.references(body)} - {id}):
            if not _within(user, id) and user.lower() not in self._makes:
                self._need(number, user)
        return ""

    def _need_blobs(self, body: Any) -> None:
        """Have the blobs there that a request reads, in the sandbox's own storage account: a megabyte each, with nothing in it."""
        for url in scope.blobs(body):
            account, path = urlsplit(url).netloc.partition(".")[0], urlsplit(url).path
            place = f"https://{ACCOUNT}.blob.core.windows.net/{account}{path}"
            if account != ACCOUNT and self._handle(Request("HEAD", place)).status == 404:
                self._handle(Request("PUT", place, {"x-ms-blob-type": "BlockBlob"}, bytes(1 << 20)))
                self.names.place(url, place)

    def _put(self, id: str, body: Any, version: str) -> None:
        url = f"{BASE}{quote(self.names.translate(id))}?api-version={version}"
        answer = self._handle(Request("PUT", url, _headers(body), _encoded(self.names.translate(body))))
        status = answer.headers.get("azure-asyncoperation")
        deadline = self.sandbox.clock.now() + PATIENCE
        while status and self.sandbox.clock.now() < deadline:
            told = self._handle(Request("GET", status))
            if _progress(told.status, _decoded(told)) == 2:
                return
            self._wait(deadline)

    def _publish_images(self) -> None:
        """Have in the marketplace what the recording lists of it, and every image that it names by its exact version."""
        for image in (*seed.marketplace(self.recording), *seed.shelves(self.recording)):
            self._handle(Request("POST", f"{BASE}/_sandbox/marketplace", _headers(image), _encoded(image)))


_NEED_BODY = frozenset({"begingetaccess", "capture", "runcommand", "share", "attachdetachdatadisks", "moveresources", "validate"})


def new_sandbox(recording: Recording, kind: type[Sandbox] = Sandbox) -> Sandbox:
    """A sandbox in memory with a virtual clock that starts when the recording did, for its subscriptions, open to requests without a
    token."""
    known = dict(zip(("subscription_id", "second_subscription_id"), recording.subscriptions, strict=False))
    return kind(virtual_clock(recording.start), authenticate=False, throttle=False, directory=Directory(**known))


def _behind(exchange: Exchange, answer: Response) -> bool:
    """Whether the recording shows done what the sandbox still shows under way."""
    if exchange.status == 404 and answer.status < 300:
        return True
    if exchange.status >= 400 or answer.status >= 400:
        return False
    return _progress(answer.status, _decoded(answer)) < _progress(exchange.status, exchange.answer)


def _progress(status: int, body: Any) -> int:
    """0 accepted, 1 under way, 2 done."""
    if status == 202:
        return 1
    if not isinstance(body, dict):
        return 2
    properties = body.get("properties")
    state = (
        body.get("status")
        or body.get("registrationState")
        or (properties.get("provisioningState") if isinstance(properties, dict) else None)
    )
    return _ORDER.get(str(state).lower(), 2)


def _code(body: Any) -> str | None:
    """The error's code, of an answer or of a failed operation."""
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("code")) if isinstance(error, dict) else None


def _key(path: str, query: dict[str, str]) -> tuple[str, str, bool]:
    """An operation's URL without what recorders rename."""
    parts = path.lower().rstrip("/").split("/")
    return parts[-1], parts[-2] if len(parts) > 1 else "", "monitor" in query


def _split(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    return parts.path, {name.lower(): value for name, value in parse_qsl(parts.query, keep_blank_values=True)}


def _last(url: str) -> str:
    return urlsplit(url).path.lower().rsplit("/", 1)[-1]


def _group(path: str) -> str:
    parts = path.split("/")
    return "/".join(parts[:5]) if len(parts) > 4 and parts[3].lower() == "resourcegroups" else ""


def _within(id: str, of: str) -> bool:
    """Whether a resource is the one named, or below it."""
    return id.lower() == of.lower() or id.lower().startswith(of.lower() + "/")


def _owner(id: str) -> str:
    """The network interface of an IP configuration; any other resource itself."""
    return id.split("/ipConfigurations/")[0]


def _headers(body: Any) -> dict[str, str]:
    return {"content-type": "application/json"} if body is not None else {}


def _encoded(body: Any) -> bytes:
    return b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()


def _decoded(answer: Response) -> Any:
    if not answer.body:
        return None
    try:
        return json.loads(answer.body)
    except ValueError:
        return answer.body.decode("utf-8", "replace")
