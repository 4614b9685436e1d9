"""A client that knows only Azure's public hosts, behind `sandbox exec`."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from cryptography import x509

from include.sandbox.proxy import Proxy, is_azure
from include.sandbox.server import HOSTS, certificates

UNCONFIGURED = """
from azure.identity import EnvironmentCredential
from azure.mgmt.resource.resources import ResourceManagementClient
import os
with EnvironmentCredential() as credential, ResourceManagementClient(credential, os.environ["AZURE_SUBSCRIPTION_ID"]) as client:
    print(client.resource_groups.create_or_update("behind", {"location": "westeurope"}).id)
"""
UNCONFIGURED_ASYNC = """
import asyncio, os
from azure.identity.aio import EnvironmentCredential
from azure.mgmt.resource.resources.aio import ResourceManagementClient
async def main():
    async with EnvironmentCredential() as credential, ResourceManagementClient(credential, os.environ["AZURE_SUBSCRIPTION_ID"]) as client:
        print([group.name async for group in client.resource_groups.list()])
asyncio.run(main())
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def run(state: Path, port: int, *command: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "include.sandbox", "exec", "--state", str(state), "--port", str(port), "--", *command]
    return subprocess.run(words, capture_output=True, text=True, timeout=90, check=False)


def test_unconfigured_clients_reach_the_sandbox_and_its_state_stays(tmp_path: Path, port: int) -> None:
    made = run(tmp_path, port, sys.executable, "-c", UNCONFIGURED)
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip().endswith("/resourceGroups/behind")
    listed = run(tmp_path, port, sys.executable, "-c", UNCONFIGURED_ASYNC)
    assert listed.stdout.strip() == "['behind']", listed.stderr


def test_the_exit_code_is_the_commands(tmp_path: Path, port: int) -> None:
    assert run(tmp_path, port, "sh", "-c", "exit 7").returncode == 7
    assert run(tmp_path, port, "sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL
    absent = run(tmp_path, port, "no-such-command-here")
    assert absent.returncode == 1
    assert "no such command: no-such-command-here" in absent.stderr


def test_the_sandbox_that_exec_started_ends_with_it(tmp_path: Path, port: int) -> None:
    assert run(tmp_path, port, "true").returncode == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_port_that_someone_else_has_is_not_taken_for_the_sandbox(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        words = [
            sys.executable,
            "-m",
            "include.sandbox",
            "exec",
            "--state",
            str(tmp_path),
            "--port",
            str(other.getsockname()[1]),
            "--",
            "true",
        ]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
            accepted, _ = other.accept()
            accepted.close()
            _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "is not the sandbox of" in told


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("management.azure.com", True),
        ("LOGIN.microsoftonline.com", True),
        ("md-abc.z12.blob.storage.azure.net", True),
        ("account.blob.core.windows.net", True),
        ("blob.core.windows.net", False),
        ("a.b.blob.core.windows.net", False),
        ("evilmanagement.azure.com", False),
        ("management.azure.com.example.org", False),
        ("example.org", False),
    ],
)
def test_only_hosts_of_the_certificate_are_the_sandboxs(host: str, inside: bool) -> None:
    assert is_azure(host) is inside


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("CONNECT example.org:443 HTTP/1.1", b"403"),
        ("CONNECT management.azure.com:22 HTTP/1.1", b"403"),
        ("GET http://management.azure.com/ HTTP/1.1", b"405"),
        ("CONNECT management.azure.com:443 HTTP/1.1", b"502"),
    ],
)
async def test_the_proxy_refuses_what_is_not_a_tunnel_to_the_sandbox(request_line: str, status: bytes, port: int) -> None:
    proxy = Proxy(port)  # where nothing listens
    await proxy.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(f"{request_line}\r\nhost: x\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
    finally:
        await proxy.stop()
    assert answer.split(b" ")[1] == status


def test_a_certificate_that_lacks_a_name_is_made_anew(tmp_path: Path) -> None:
    old = trustme.CA()
    old.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    old.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    (tmp_path / "bundle.pem").write_bytes(old.cert_pem.bytes())
    server = certificates(tmp_path)
    names = x509.load_pem_x509_certificate(server.read_bytes()).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(HOSTS) == {str(name.value) for name in names}
    assert (tmp_path / "bundle.pem").read_text().endswith((tmp_path / "ca.pem").read_text())
    before = server.read_bytes()
    assert certificates(tmp_path).read_bytes() == before
