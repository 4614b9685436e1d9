"""Clients that know only Azure's public hosts: a CONNECT proxy to the sandbox, and a command run behind it.

A client is pointed here with `HTTPS_PROXY`. It opens a tunnel to `management.azure.com:443`, ends up at the sandbox's TLS port, and is
shown a certificate that carries that name. A tunnel to any other host is refused with 403: nothing leaves the machine.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import ssl
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from .clouds import CLOUDS, PUBLIC, Cloud
from .server import certificates, connection

HEAD_LIMIT = 16_384  # bytes of a CONNECT request's head
READY_WITHIN = 30.0  # seconds for a sandbox to start


def is_azure(host: str, cloud: Cloud = PUBLIC) -> bool:
    """Whether the host is one of the cloud's, by name or by wildcard, or public storage, which az reads in every cloud."""
    name = host.lower().rstrip(".")
    hosts = (*cloud.hosts, f"*.blob.{PUBLIC.storage}")
    return any(name == known or (known.startswith("*.") and name.partition(".")[2] == known[2:]) for known in hosts)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


class Proxy:
    """Tunnels for the hosts that the sandbox answers for. `port` is 0 for any free one; after `start` it is the bound one."""

    def __init__(self, sandbox_port: int, port: int = 0, cloud: Cloud = PUBLIC) -> None:
        self.cloud = cloud
        self.sandbox_port = sandbox_port
        self.port = port
        self._server: asyncio.Server | None = None
        self._tunnels: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=HEAD_LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for tunnel in self._tunnels:
            tunnel.cancel()
        await asyncio.gather(*self._tunnels, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tunnels.add(task)
        try:
            await self._tunnel(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the client went, sent no request, or the proxy ends
        finally:
            self._tunnels.discard(task)
            writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, _, rest = head.partition(" ")
        host, _, port = rest.partition(" ")[0].rpartition(":")
        if method != "CONNECT":
            return await _refuse(writer, "405 Method Not Allowed", "this proxy makes tunnels (CONNECT) only")
        if not is_azure(host, self.cloud) or port != "443":
            return await _refuse(writer, "403 Forbidden", f"{host}:{port} is not a host of the sandbox, and nothing else is let through")
        try:
            inside, outside = await asyncio.open_connection("127.0.0.1", self.sandbox_port)
        except OSError:
            return await _refuse(writer, "502 Bad Gateway", f"no sandbox answers on port {self.sandbox_port}")
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_copy(reader, outside), _copy(inside, writer))
        finally:
            outside.close()
        return None


async def _refuse(writer: asyncio.StreamWriter, status: str, why: str) -> None:
    body = why.encode() + b"\n"
    head = f"HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


def environment(
    state: Path, sandbox_port: int, proxy_port: int, inherited: Mapping[str, str] = os.environ, cloud: Cloud = PUBLIC
) -> dict[str, str]:
    """The environment in which a client that knows only Azure's public hosts talks to the sandbox.

    The names are those that az, the SDKs, Ansible, Packer and Terraform read. az keeps its logins in the sandbox's state folder, apart
    from the user's own.
    """
    found = connection(state, sandbox_port)
    proxy = f"http://127.0.0.1:{proxy_port}"
    own = {
        **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), proxy),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1,::1"),
        "REQUESTS_CA_BUNDLE": found.ca_bundle,  # Python's requests
        "SSL_CERT_FILE": found.ca_bundle,  # Go, aiohttp, OpenSSL
        "CURL_CA_BUNDLE": found.ca_bundle,
        "NODE_EXTRA_CA_CERTS": found.ca_file,
        **dict.fromkeys(("AZURE_SUBSCRIPTION_ID", "ARM_SUBSCRIPTION_ID"), found.subscription_id),
        **dict.fromkeys(("AZURE_TENANT_ID", "AZURE_TENANT", "ARM_TENANT_ID"), found.tenant_id),
        **dict.fromkeys(("AZURE_CLIENT_ID", "ARM_CLIENT_ID"), found.client_id),
        **dict.fromkeys(("AZURE_CLIENT_SECRET", "AZURE_SECRET", "ARM_CLIENT_SECRET"), found.client_secret),
        "AZURE_AUTHORITY_HOST": cloud.login,
        "AZURE_CONFIG_DIR": str((state / "azure").resolve()),
        "AZURE_CORE_COLLECT_TELEMETRY": "0",
        "CHECKPOINT_DISABLE": "1",  # Packer and Terraform would ask for news
    }
    return {**inherited, **own}


async def _running(state: Path, port: int) -> bool:
    """Whether the sandbox of `state` serves `port`. Raises SystemExit where something else does."""
    context = ssl.create_default_context(cafile=str(state / "ca.pem"))
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="management.azure.com")
    except ConnectionRefusedError:
        return False
    except OSError as error:
        raise SystemExit(f"what answers on port {port} is not the sandbox of {state}: {error}") from None
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


async def _start_sandbox(state: Path, port: int, speed: float, public_addresses: str, cloud: Cloud) -> asyncio.subprocess.Process:
    """A sandbox in a process of its own, ready. Raises SystemExit where it does not get ready."""
    options = ["--state", str(state), "--port", str(port), "--speed", f"{speed:g}", "--cloud", cloud.name]
    options += ["--public-addresses", public_addresses] if public_addresses else []
    # Its own session: Ctrl-C is for the command, which may still want to tidy up in the sandbox.
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __package__, "serve", *options, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert server.stdout is not None
    try:
        line = await asyncio.wait_for(server.stdout.readline(), READY_WITHIN)
    except TimeoutError:
        line = b""
    if not line:
        await _end(server)
        raise SystemExit(f"the sandbox did not start on port {port}")
    return server


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    await process.wait()


async def _execute(command: Sequence[str], state: Path, port: int, speed: float, public_addresses: str, cloud: Cloud) -> int:
    certificates(state)
    server = None if await _running(state, port) else await _start_sandbox(state, port, speed, public_addresses, cloud)
    proxy = Proxy(port, cloud=cloud)
    try:
        await proxy.start()
        child = await asyncio.create_subprocess_exec(*command, env=environment(state, port, proxy.port, cloud=cloud))
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # the terminal sends it to the command, too
        loop.add_signal_handler(signal.SIGTERM, child.terminate)
        code = await child.wait()
    finally:
        await proxy.stop()
        if server is not None:
            await _end(server)
    return code if code >= 0 else 128 - code


def execute(
    command: Sequence[str], state: Path, port: int, *, speed: float = 60.0, public_addresses: str = "", cloud: str = PUBLIC.name
) -> int:
    """Run `command` with the hosts of one of Azure's clouds answered by the sandbox of `state`; returns its exit code (128 + n for
    signal n).

    A sandbox is started for the time of the command where none serves `port`; `speed` and `public_addresses` are for that one. Raises
    SystemExit where the command does not exist or the sandbox cannot be reached.
    """
    if shutil.which(command[0]) is None:
        raise SystemExit(f"no such command: {command[0]}")
    return asyncio.run(_execute(command, state, port, speed, public_addresses, CLOUDS[cloud]))
