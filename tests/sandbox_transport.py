"""The official Azure clients on a Sandbox in this process: no network, and as fast as the clock allows.

Under looptime the sandbox's clock is the event loop's, so that a 25-minute build passes in milliseconds; with the sync transport a
client's sleep moves the
sandbox's clock on. `calls` of a transport is what went over the wire: (method, path, status); status 0 is a broken connection.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken
from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import AsyncHttpTransport, HttpTransport
from azure.core.rest._http_response_impl import HttpResponseImpl
from azure.core.rest._http_response_impl_async import AsyncHttpResponseImpl
from azure.core.utils import case_insensitive_dict

from include.sandbox.clock import Clock, loop_clock, virtual_clock
from include.sandbox.directory import Principal
from include.sandbox.recorder import Recorder, record_to
from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request, Response

BASE = "https://management.azure.com"

Calls = list[tuple[str, str, int]]


class StaticCredential:
    """One token for everything; fits sync clients."""

    def __init__(self, token: str = "in.process.token") -> None:
        self._token = token

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self._token, int(time.time()) + 10 * 365 * 86_400)

    def close(self) -> None:
        """Nothing is held."""


class DirectoryCredential:
    """Tokens of a principal of a sandbox's directory (default: the main one), each for the service that its scope names; for async
    clients."""

    def __init__(self, sandbox: Sandbox, principal: Principal | None = None) -> None:
        self._sandbox = sandbox
        self._principal = principal

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        token = self._sandbox.token(self._principal, audience=scopes[0].removesuffix("/.default"))
        return AccessToken(token, int(time.time()) + 10 * 365 * 86_400)

    async def close(self) -> None:
        """Nothing is held."""

    async def __aenter__(self) -> DirectoryCredential:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is held."""


class AsyncStaticCredential(StaticCredential):
    """One token for everything; fits async clients."""

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:  # type: ignore[override]  # fewer parameters than the protocol has
        return AccessToken(self._token, int(time.time()) + 10 * 365 * 86_400)

    async def close(self) -> None:  # type: ignore[override]  # fewer parameters than the protocol has
        """Nothing is held."""

    async def __aenter__(self) -> AsyncStaticCredential:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is held."""


class _Closed:
    def close(self) -> None:
        """There is no connection."""


class _AsyncClosed:
    async def close(self) -> None:
        """There is no connection."""


class _Body:
    """The answer's body in pieces, for `response.iter_bytes()` and `response.stream_download()` alike."""

    def __init__(self, pipeline: Any, response: Any, **_: Any) -> None:
        self._pieces = [response.sandbox_body] if response.sandbox_body else []
        self.content_length = len(response.sandbox_body)
        self.response = response

    def __len__(self) -> int:
        return sum(len(piece) for piece in self._pieces)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop(0)


def _parts(request: Any, answer: Response) -> dict[str, Any]:
    headers = case_insensitive_dict({**answer.headers, "content-length": answer.headers.get("content-length", str(len(answer.body)))})
    return {
        "request": request,
        "status_code": answer.status,
        "reason": "",
        "content_type": headers.get("content-type"),
        "headers": headers,
        "stream_download_generator": _Body,
    }


class _SyncResponse(HttpResponseImpl):
    def __init__(self, request: Any, answer: Response) -> None:
        super().__init__(internal_response=_Closed(), **_parts(request, answer))
        self.sandbox_body = answer.body


class _AsyncResponse(AsyncHttpResponseImpl):
    def __init__(self, request: Any, answer: Response) -> None:
        super().__init__(internal_response=_AsyncClosed(), **_parts(request, answer))
        self.sandbox_body = answer.body


def _as_request(request: Any) -> Request:
    content = getattr(request, "_data", None)
    if content is None:
        content = getattr(request, "content", None) or getattr(request, "data", None)
    if isinstance(content, dict):
        from urllib.parse import urlencode

        content = urlencode(content)
    if hasattr(content, "read"):
        content = content.read()
    body = content.encode() if isinstance(content, str) else bytes(content or b"")
    return Request(request.method, request.url, {str(key).lower(): str(value) for key, value in request.headers.items()}, body)


class SandboxTransport(AsyncHttpTransport):  # type: ignore[type-arg]  # generic over types of the SDK alone
    """An async transport that answers from `sandbox`."""

    def __init__(self, sandbox: Sandbox, calls: Calls | None = None) -> None:
        self.sandbox = sandbox
        self.calls: Calls = calls if calls is not None else []

    async def send(self, request: Any, *, stream: bool = False, **_: Any) -> Any:
        answer = self.sandbox.handle(_as_request(request))
        await asyncio.sleep(answer.delay)
        self.calls.append((request.method, urlsplit(request.url).path, 0 if answer.dropped else answer.status))
        if answer.dropped:
            raise ServiceResponseError("the connection broke before the answer came")
        response = _AsyncResponse(request, answer)
        if not stream:
            await response.read()
        return response

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def sleep(self, duration: float) -> None:
        await asyncio.sleep(duration)

    async def __aenter__(self) -> SandboxTransport:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to close."""


class SyncSandboxTransport(HttpTransport):  # type: ignore[type-arg]  # generic over types of the SDK alone
    """A sync transport that answers from `sandbox`; sleeping moves the sandbox's clock."""

    def __init__(self, sandbox: Sandbox, calls: Calls | None = None) -> None:
        self.sandbox = sandbox
        self.calls: Calls = calls if calls is not None else []

    def send(self, request: Any, *, stream: bool = False, **_: Any) -> Any:
        answer = self.sandbox.handle(_as_request(request))
        self.calls.append((request.method, urlsplit(request.url).path, 0 if answer.dropped else answer.status))
        if answer.dropped:
            raise ServiceResponseError("the connection broke before the answer came")
        response = _SyncResponse(request, answer)
        if not stream:
            response.read()
        return response

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def sleep(self, duration: float) -> None:
        self.sandbox.clock.advance(duration)

    def __enter__(self) -> SyncSandboxTransport:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""


@cache
def _recorder(path: str) -> Recorder:
    return record_to(Path(path))


def make_sandbox(clock: Clock | None = None, **options: Any) -> Sandbox:
    """A sandbox in memory whose clock follows the running event loop, open to requests without a token it issued.

    What it answers is recorded where `SANDBOX_RECORD` names a file, as a served one's is.
    """
    options.setdefault("authenticate", False)
    if os.environ.get("SANDBOX_RECORD"):
        options.setdefault("recorder", _recorder(os.environ["SANDBOX_RECORD"]))
    return Sandbox(clock or loop_clock(), **options)


def make_sync_sandbox(**options: Any) -> Sandbox:
    """As `make_sandbox`, for sync clients: only their sleeping moves the clock."""
    return make_sandbox(virtual_clock(), **options)


@dataclass
class AzureClients:
    """The official async clients on one sandbox, with one log of their calls. Close with `await clients.close()`."""

    sandbox: Sandbox
    compute: Any
    resources: Any
    network: Any
    subscription_id: str
    calls: Calls = field(default_factory=list)

    def count(self, method: str | None = None, containing: str = "") -> int:
        """How many calls of that method have `containing` in their path, without regard to case."""
        return sum(1 for one, path, _ in self.calls if method in (None, one) and containing.lower() in path.lower())

    async def close(self) -> None:
        for client in (self.compute, self.resources, self.network):
            await client.close()


def client_options(sandbox: Sandbox, calls: Calls | None = None) -> dict[str, Any]:
    """Keyword arguments for an official async client (or for `include.steps.azure.Azure`) besides credential and subscription."""
    return {"transport": SandboxTransport(sandbox, calls)}


def azure_clients_on(
    sandbox: Sandbox, principal: Principal | None = None, subscription_id: str = "", auxiliary: Principal | None = None
) -> AzureClients:
    """The official async clients of compute, resources and network on `sandbox`, as a principal (default: the main one) in a subscription
    (default: the main one's first); `auxiliary`: whose token goes along in `x-ms-authorization-auxiliary`."""
    from azure.core.pipeline.policies import HeadersPolicy
    from azure.mgmt.compute.aio import ComputeManagementClient
    from azure.mgmt.network.aio import NetworkManagementClient
    from azure.mgmt.resource.resources.aio import ResourceManagementClient

    calls: Calls = []
    subscription_id = subscription_id or sandbox.subscription_id
    options = client_options(sandbox, calls)
    if auxiliary is not None:
        options["headers_policy"] = HeadersPolicy({"x-ms-authorization-auxiliary": f"Bearer {sandbox.token(auxiliary)}"})
    made = [
        kind(DirectoryCredential(sandbox, principal), subscription_id, **options)
        for kind in (ComputeManagementClient, ResourceManagementClient, NetworkManagementClient)
    ]
    return AzureClients(sandbox, made[0], made[1], made[2], subscription_id, calls)


def sync_client(kind: Any, sandbox: Sandbox, *, token: str = "in.process.token", calls: Calls | None = None, **options: Any) -> Any:
    """An official sync client of class `kind` on a sandbox; `token` says who calls."""
    transport = SyncSandboxTransport(sandbox, calls)
    return kind(StaticCredential(token), subscription_id=sandbox.subscription_id, transport=transport, **options)
