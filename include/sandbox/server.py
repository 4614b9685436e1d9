"""The sandbox over HTTPS: a raw ASGI app under uvicorn, with a certificate of its own authority.

The authority is made once and kept in the state folder: `ca.pem` for clients that need it alone, `bundle.pem` with the public
authorities before it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import certifi
import trustme
import uvicorn
from cryptography import x509

from . import catalogue
from .blobs import ACCOUNT, account_sas
from .clouds import CLOUDS, PUBLIC
from .directory import Directory
from .instance_metadata import header_of
from .recorder import record_to
from .sandbox import Sandbox
from .wire import JSON_TYPE, Request, compact

# The names that the certificate carries: this machine's, and those of Azure's clouds. Disks are read at `md-….z12.blob.storage.azure.net`.
HOSTS = (
    "localhost",
    "127.0.0.1",
    "::1",
    "sandbox",
    *dict.fromkeys(host for cloud in CLOUDS.values() for host in cloud.hosts),
)


@dataclass(frozen=True)
class Connection:
    """What a client needs: everything that an Airflow connection or an SDK credential asks for."""

    endpoint: str
    authority: str
    tenant_id: str
    subscription_id: str
    client_id: str
    client_secret: str
    ca_file: str
    ca_bundle: str
    blob_endpoint: str
    blob_sas: str
    second_subscription_id: str
    colleague_client_id: str
    colleague_client_secret: str
    partner_tenant_id: str
    partner_subscription_id: str
    partner_client_id: str
    partner_client_secret: str
    identity_header: str


def identity(state: Path) -> Directory:
    """The sandbox's tenants, subscriptions and applications, made once per state folder (`identity.json`, readable by its owner only)."""
    path = state / "identity.json"
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    # Hexadecimal: a secret that begins with a hyphen is an option to a command line.
    made = {name: secrets.token_hex(20) for name in ("client_secret", "colleague_client_secret", "partner_client_secret")}
    found = Directory(**{**made, **kept})
    if kept != found.settings():
        state.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps(found.settings(), indent=2))
    return found


def certificates(state: Path) -> Path:
    """Make the authority and the server's certificate where they are missing or lack a name. Returns the server's PEM file (key and
    chain)."""
    server = state / "server.pem"
    if not (server.exists() and (state / "ca.pem").exists() and _names(server) >= set(HOSTS)):
        state.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA(organization_name="Azure sandbox")
        issued = authority.issue_cert(*HOSTS)
        authority.cert_pem.write_to_path(str(state / "ca.pem"))
        server.touch(mode=0o600)
        issued.private_key_and_cert_chain_pem.write_to_path(str(server))
        (state / "bundle.pem").unlink(missing_ok=True)
    bundle = state / "bundle.pem"
    if not bundle.exists():
        bundle.write_text(Path(certifi.where()).read_text() + "\n" + (state / "ca.pem").read_text())
    return server


def _names(server: Path) -> set[str]:
    """The hosts and addresses that a certificate file was issued for."""
    found = x509.load_pem_x509_certificate(server.read_bytes()).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return {str(name.value) for name in found.value}


def open_sandbox(state: Path, **options: Any) -> Sandbox:
    """The sandbox of a state folder, resumed where it was."""
    return Sandbox(store=state / "state.sqlite", directory=identity(state), **options)


def connection(state: Path, port: int, host: str = "127.0.0.1") -> Connection:
    """How to reach the sandbox of a state folder; makes its identity and certificates where they are missing."""
    certificates(state)
    own = identity(state)
    endpoint = f"https://{host}:{port}"
    closed = Sandbox(control=False, directory=own)
    return Connection(
        endpoint=endpoint,
        authority=endpoint,
        **own.settings(),
        ca_file=str((state / "ca.pem").resolve()),
        ca_bundle=str((state / "bundle.pem").resolve()),
        blob_endpoint=f"{endpoint}/{ACCOUNT}",
        blob_sas=account_sas(closed),
        identity_header=header_of(closed),
    )


Message = MutableMapping[str, Any]


class App:
    """The ASGI app: one request in, `Sandbox.handle`, one answer out."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.server: uvicorn.Server | None = None  # knows the connections, so that a fault can break one

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        client = scope.get("client")
        if path.startswith("/_sandbox") and client is not None and client[0] not in ("127.0.0.1", "::1"):
            await _send(send, 403, {"content-type": JSON_TYPE}, compact({"error": "the control API answers the loopback interface only"}))
            return
        url = f"{scope['scheme']}://{headers.get('host', 'localhost')}{path}{'?' + query if query else ''}"
        response = self.sandbox.handle(Request(scope["method"], url, headers, body))
        if response.delay:
            await asyncio.sleep(response.delay)
        if response.dropped:
            self._break(client)
            await receive()  # tells that the client has gone
            return
        await _send(send, response.status, response.headers, response.body)

    def _break(self, client: Any) -> None:
        for connection in list(self.server.server_state.connections) if self.server is not None else ():
            if getattr(connection, "client", None) == client and getattr(connection, "transport", None) is not None:
                connection.transport.abort()


async def _send(send: Callable[[Message], Awaitable[None]], status: int, headers: dict[str, str], body: bytes) -> None:
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    if "content-length" not in headers and status not in (204, 304):
        pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def serve(
    state: Path,
    port: int,
    *,
    host: str = "127.0.0.1",
    speed: float = 1.0,
    seed: int = 0,
    control: bool = True,
    throttle: bool | None = None,
    faults: Path | None = None,
    record: Path | None = None,
    public_addresses: tuple[str, ...] = (),
    cloud: str = PUBLIC.name,
    metadata_port: int | None = None,
) -> None:
    """Serve until interrupted. Prints one line when ready. `throttle`: whether rate limits refuse (default: at speed 1). `faults`: a file
    of rules to begin with. `record`: a file to append every exchange to. `cloud`: which of Azure's clouds it is. `metadata_port`: where
    the instance metadata endpoint answers, on loopback and over plain HTTP, as nothing else does."""
    certificate = certificates(state)
    recorder = record_to(record) if record is not None else None
    options = {"speed": speed, "seed": seed, "control": control, "throttle": throttle, "public_addresses": public_addresses}
    sandbox = open_sandbox(state, recorder=recorder, cloud=cloud, **options)
    try:
        for rule in catalogue.read(faults.read_text()) if faults is not None else ():
            sandbox.faults.add(rule)
    except (OSError, ValueError) as problem:
        raise SystemExit(f"{faults}: {problem}") from None

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            bound = self.servers[0].sockets[0].getsockname()[1] if self.servers else port
            more = f" metadata http://127.0.0.1:{await self._metadata(metadata_port)}" if metadata_port is not None else ""
            print(f"sandbox ready on https://{host}:{bound} state {state} speed {speed:g}{more}", flush=True)  # noqa: T201 -- the one line

        async def _metadata(self, port: int) -> int:
            """Listen for instance metadata, too; the port that was bound."""

            def protocol() -> Any:
                made: Any = config.http_protocol_class
                return made(config=config, server_state=self.server_state, app_state={})

            self.servers.append(await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port))
            return int(self.servers[-1].sockets[0].getsockname()[1])

    app = App(sandbox)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        ssl_certfile=str(certificate),
        log_level="error",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_keep_alive=75,
    )
    app.server = Server(config)
    try:
        app.server.run()
    finally:
        sandbox.store.close()


def as_json(found: Connection) -> str:
    return json.dumps(asdict(found), indent=2)
