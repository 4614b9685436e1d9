"""Every way to sign in, by the connection's hook, the unmodified azure-identity and steps, at a sandbox in a process of its own."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from image_factory.hooks.azure import AzureImageFactoryHook
from include.demo.settings import PROJECT
from include.sandbox.clouds import CLOUDS
from include.sandbox.proxy import Proxy
from include.sandbox.server import Connection, connection
from include.steps import gallery, resource_group
from include.steps.errors import StepError
from tests.signing_key import AUDIENCE, ISSUER, SUBJECT, SigningKey, der


@dataclass
class Served:
    """A sandbox in a process of its own, and what its owner does there to let others in."""

    found: Connection
    metadata: str
    cloud: str

    def ask(self, method: str, path: str, body: Any = None, audience: str = "") -> Any:
        """One request of the main application's."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.found.client_id,
            "client_secret": self.found.client_secret,
            "resource": audience or CLOUDS[self.cloud].management,
        }
        token = self._send("POST", f"/{self.found.tenant_id}/oauth2/token", urlencode(form).encode())["access_token"]
        content = json.dumps(body).encode() if body is not None else None
        return self._send(method, path, content, {"authorization": f"Bearer {token}", "content-type": "application/json"})

    def _send(self, method: str, path: str, content: bytes | None, headers: dict[str, str] | None = None) -> Any:
        request = urllib.request.Request(f"{self.found.endpoint}{path}", content, headers or {}, method=method)
        context = ssl.create_default_context(cafile=self.found.ca_file)
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def identity(self, name: str, location: str = "westeurope") -> Any:
        """A user-assigned identity that may contribute to the subscription."""
        scope = f"/subscriptions/{self.found.subscription_id}"
        self.ask("PUT", f"{scope}/resourceGroups/identities?api-version=2024-11-01", {"location": location})
        path = f"{scope}/resourceGroups/identities/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
        made = self.ask("PUT", f"{path}?api-version=2023-01-31", {"location": location})
        self.allow(made["properties"]["principalId"])
        return made

    def allow(self, principal: str) -> None:
        scope = f"/subscriptions/{self.found.subscription_id}"
        role = f"{scope}/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c"  # Contributor
        given = {"properties": {"roleDefinitionId": role, "principalId": principal, "principalType": "ServicePrincipal"}}
        self.ask("PUT", f"{scope}/providers/Microsoft.Authorization/roleAssignments/{principal}?api-version=2022-04-01", given)

    def application(self, key: SigningKey) -> str:
        """The client id of a new application that signs in by a key's certificate, and may contribute to the subscription."""
        graph = CLOUDS[self.cloud].graph
        given = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": der(key.certificate(datetime.now(UTC)))}
        made = self.ask("POST", "/v1.0/applications", {"displayName": "factory", "keyCredentials": [given]}, graph)
        self.allow(self.ask("POST", "/v1.0/servicePrincipals", {"appId": made["appId"]}, graph)["id"])
        return str(made["appId"])


@contextmanager
def served(state: Path, cloud: str = "AzureCloud") -> Iterator[Served]:
    command = [sys.executable, "-m", "include.sandbox", "serve", "--state", str(state), "--port", "0", "--metadata-port", "0"]
    process = subprocess.Popen([*command, "--speed", "120", "--cloud", cloud], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        words = process.stdout.readline().split()
        yield Served(connection(state, int(words[3].rsplit(":", 1)[1])), words[-1], cloud)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("sandbox")) as found:
        yield found


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey()


@pytest.fixture(autouse=True)
def no_identity_of_the_machines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "IDENTITY_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


Connect = Callable[..., AzureImageFactoryHook]


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """The hook of a connection with these fields."""

    def made(sandbox: Served, login: str | None = None, password: str | None = None, **extra: str) -> AzureImageFactoryHook:
        fields = {"subscriptionId": sandbox.found.subscription_id, "tenantId": sandbox.found.tenant_id, "ca_file": sandbox.found.ca_file}
        if sandbox.cloud == "AzureCloud":
            fields |= {"endpoint": sandbox.found.endpoint, "authority": sandbox.found.authority}
        stored = {"conn_type": "azure_image_factory", "login": login, "password": password, "extra": {**fields, **extra}}
        monkeypatch.setenv("AIRFLOW_CONN_SIGNING_IN", json.dumps(stored))
        return AzureImageFactoryHook("signing_in")

    return made


async def build(hook: AzureImageFactoryHook, name: str, location: str = "westeurope") -> None:
    """Steps of a build with the hook's clients: a group, and a gallery in it. Raises StepError."""
    async with hook.get_conn() as azure:
        assert (await resource_group.ensure(azure, name=name, location=location, tags={})).endswith(name)
        await gallery.ensure(azure, resource_group=name, name=name, location=location, tags={})


async def test_a_managed_identity(sandbox: Served, hook: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", sandbox.metadata)
    client = sandbox.identity("of-the-machine")["properties"]["clientId"]
    await build(hook(sandbox, client, identity="managed_identity"), "managed")
    await build(hook(sandbox, client, identity="default"), "chain")
    with pytest.raises(StepError, match="Assign the managed identity to the machine"):
        await build(hook(sandbox, sandbox.found.client_id, identity="managed_identity"), "unassigned")


async def test_a_managed_identity_of_app_service(sandbox: Served, hook: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{sandbox.metadata}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", sandbox.found.identity_header)
    client = sandbox.identity("of-the-app")["properties"]["clientId"]
    await build(hook(sandbox, client, identity="managed_identity"), "app")


async def test_a_workload_identity(
    sandbox: Served, hook: Connect, key: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = sandbox.identity("of-the-pod")
    credential = {"issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE]}
    sandbox.ask("PUT", f"{owner['id']}/federatedIdentityCredentials/pods?api-version=2023-01-31", {"properties": credential})
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [key.public()]}))
    port = sandbox.found.endpoint.rsplit(":", 1)[1]
    state = Path(sandbox.found.ca_file).parent
    command = [sys.executable, "-m", "include.sandbox", "issuer", ISSUER, str(keys), "--port", port, "--state", str(state)]
    learned = await asyncio.to_thread(subprocess.run, command, cwd=PROJECT, capture_output=True, check=True)
    assert json.loads(learned.stdout) == {"issuer": ISSUER, "keys": 1}
    token = tmp_path / "token"
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(token))
    ways = hook(sandbox, owner["properties"]["clientId"], identity="workload_identity")
    token.write_text(key.token(time.time()))
    await build(ways, "workload")
    token.write_text(key.token(time.time(), sub="system:serviceaccount:default:default"))
    with pytest.raises(StepError, match=r"AADSTS700213.*Give the identity a federated credential"):
        await build(ways, "stranger")
    token.write_text(key.token(time.time() - 86_400))
    with pytest.raises(StepError, match=r"AADSTS700024.*something renews the token"):
        await build(ways, "stale")
    token.write_text(SigningKey().token(time.time()))
    with pytest.raises(StepError, match=r"AADSTS700027"):
        await build(ways, "forged")


async def test_a_certificate(sandbox: Served, hook: Connect, key: SigningKey, tmp_path: Path) -> None:
    client = sandbox.application(key)
    file = tmp_path / "factory.pem"
    file.write_bytes(key.pem + key.certificate(datetime.now(UTC), days=10).public_bytes(Encoding.PEM))
    with pytest.raises(StepError, match=r"AADSTS700027.*Register the certificate"):
        await build(hook(sandbox, client, certificate_file=str(file)), "unknown")  # of the same key, and another certificate
    registered = key.certificate(datetime.now(UTC), days=30)
    given = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": der(registered)}
    sandbox.ask("PATCH", f"/v1.0/applications(appId='{client}')", {"keyCredentials": [given]}, CLOUDS["AzureCloud"].graph)
    file.write_bytes(key.pem + registered.public_bytes(Encoding.PEM))
    await build(hook(sandbox, client, certificate_file=str(file)), "certificate")


@pytest.mark.parametrize(("cloud", "location"), [("AzureUSGovernment", "usgovvirginia"), ("AzureChinaCloud", "chinanorth3")])
async def test_a_sovereign_cloud(
    cloud: str, location: str, hook: Connect, key: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the cloud's own addresses, which a proxy takes to the sandbox: the connection names nothing but the cloud."""
    with served(tmp_path / "sandbox", cloud) as sandbox:
        proxy = Proxy(int(sandbox.found.endpoint.rsplit(":", 1)[1]), cloud=CLOUDS[cloud])
        await proxy.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", sandbox.metadata)
        try:
            main = (sandbox.found.client_id, sandbox.found.client_secret)
            await build(hook(sandbox, *main, cloud=cloud), "secret", location)
            client = sandbox.identity("of-the-machine", location)["properties"]["clientId"]
            await build(hook(sandbox, client, cloud=cloud, identity="managed_identity"), "managed", location)
            async with hook(sandbox, *main, cloud=cloud).get_conn() as azure:
                assert [one["displayName"] for one in await azure.ask_directory("/applications")] == ["Sandbox", "Colleague"]
            own = {"endpoint": CLOUDS[cloud].resource_manager, "authority": CLOUDS[cloud].login, "cloud": "AzureCloud"}
            await build(hook(sandbox, *main, **own), "named", location)
        finally:
            await proxy.stop()


async def test_an_identity_of_another_cloud_is_told_so(sandbox: Served, hook: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", sandbox.metadata)
    client = sandbox.identity("of-the-machine")["properties"]["clientId"]
    elsewhere = {"endpoint": "https://management.usgovcloudapi.net", "authority": "https://login.microsoftonline.us"}
    with pytest.raises(StepError, match=r"AADSTS500011.*another cloud's"):
        await build(hook(sandbox, client, identity="managed_identity", **elsewhere), "government")


async def test_a_proxy_that_opens_no_way_to_that_cloud_is_asked_once_and_named(
    sandbox: Served, hook: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).decode().split()[1])
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    government = {"endpoint": "", "authority": "", "cloud": "AzureUSGovernment"}
    async with proxy:
        with pytest.raises(StepError, match=r"did not open login.microsoftonline.us.*correct cloud") as raised:
            await build(hook(sandbox, sandbox.found.client_id, "secret", **government), "elsewhere")
    assert (raised.value.kind, asked) == ("permanent", ["login.microsoftonline.us:443"])


async def test_a_certificate_that_nobody_vouched_for_is_told_at_once(sandbox: Served, hook: Connect) -> None:
    with pytest.raises(StepError, match=r"certificate of 127.0.0.1:\d+ is not trusted.*ca_file") as raised:
        await build(hook(sandbox, sandbox.found.client_id, sandbox.found.client_secret, ca_file=""), "untrusted")
    assert raised.value.kind == "permanent"


async def test_the_test_of_a_connection_tells_the_cure(sandbox: Served, hook: Connect) -> None:
    good, said = await asyncio.to_thread(hook(sandbox, sandbox.found.client_id, sandbox.found.client_secret).test_connection)
    assert good, said
    good, said = await asyncio.to_thread(hook(sandbox, sandbox.found.client_id, "wrong-secret").test_connection)
    assert not good
    assert "What to do: The client secret is wrong or has expired" in said
