"""The sandbox as its own process over HTTPS: real credentials, its own authority, and a kill that loses nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ServiceRequestError
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient

ROOT = Path(__file__).parents[2]


@dataclass
class Server:
    """One sandbox process on a free port, over a state folder."""

    state: Path
    port: int
    process: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> None:
        command = [
            sys.executable,
            "-m",
            "include.sandbox",
            "serve",
            "--port",
            str(self.port),
            "--state",
            str(self.state),
            "--speed",
            "120",
            *options,
        ]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith(f"sandbox ready on https://127.0.0.1:{self.port}"), line

    def kill(self) -> None:
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def command(self, *arguments: str) -> Any:
        ran = subprocess.run(
            [sys.executable, "-m", "include.sandbox", *arguments, "--port", str(self.port), "--state", str(self.state)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    def credential(self, connection: dict[str, str], **change: str) -> ClientSecretCredential:
        own = {**connection, **change}
        return ClientSecretCredential(
            own["tenant_id"],
            own["client_id"],
            own["client_secret"],
            authority=own["authority"],
            disable_instance_discovery=True,
            connection_verify=own["ca_file"],
        )

    def clients(self) -> tuple[ComputeManagementClient, ResourceManagementClient]:
        found = self.command("connection")
        options = {
            "base_url": found["endpoint"],
            "credential_scopes": [found["endpoint"] + "/.default"],
            "connection_verify": found["ca_file"],
            "polling_interval": 1,
        }
        credential = self.credential(found)
        return (
            ComputeManagementClient(credential, found["subscription_id"], **options),
            ResourceManagementClient(credential, found["subscription_id"], **options),
        )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = Server(tmp_path / "state", port)
    made.start()
    yield made
    made.kill()


EMPTY = {"location": "westeurope", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}


def test_a_service_principal_builds_and_a_killed_sandbox_resumes_what_was_running(server: Server) -> None:
    compute, resources = server.clients()
    resources.resource_groups.create_or_update("rg", {"location": "westeurope"})
    disk = compute.disks.begin_create_or_update("rg", "disk", EMPTY).result()
    server.command("faults", "--add", json.dumps({"name": "kept", "match": {"name": "none"}, "effect": {"latency": 1}}))
    server.command("faults", "--add", "D07")  # the group's deletion takes long enough for a busy machine
    poller = compute.galleries.begin_create_or_update("rg", "gallery", {"location": "westeurope"}, polling=False)
    assert poller is not None
    deletion = resources.resource_groups.begin_delete("rg", polling=False)
    assert deletion is not None
    server.kill()
    with pytest.raises(ServiceRequestError):
        resources.resource_groups.list(retry_total=0).next()
    server.start()
    assert [rule["name"] for rule in server.command("faults")] == ["kept", "D07-group-deletion-takes-an-hour"], "faults survive"
    assert compute.disks.get("rg", "disk").unique_id == disk.unique_id, "tokens and resources survive"
    assert resources.resource_groups.get("rg").properties.provisioning_state == "Deleting"
    server.command("advance", "3600")
    assert not resources.resource_groups.check_existence("rg"), "the deletion that was running ends"
    assert server.command("status")["resources"] == {}
    compute.close()
    resources.close()


def test_a_wrong_secret_and_a_foreign_authority_are_refused(server: Server) -> None:
    found = server.command("connection")
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        server.credential(found, client_secret="wrong").get_token("https://management.azure.com/.default")
    with pytest.raises((ServiceRequestError, ClientAuthenticationError), match=r"(?i)certificate"):
        ClientSecretCredential(
            found["tenant_id"],
            found["client_id"],
            found["client_secret"],
            authority=found["authority"],
            disable_instance_discovery=True,
            retry_total=0,
        ).get_token("https://management.azure.com/.default")


def test_secrets_are_readable_by_their_owner_only(server: Server) -> None:
    for name in ("identity.json", "server.pem"):
        assert (server.state / name).stat().st_mode & 0o077 == 0


def test_a_newer_platform_image_is_published_by_command_and_time_is_skipped(server: Server) -> None:
    compute, _ = server.clients()
    before = server.command("status")["now"]
    server.command("publish", "Canonical:ubuntu-24_04-lts:server:24.04.202612010")
    listed = compute.virtual_machine_images.list("westeurope", "Canonical", "ubuntu-24_04-lts", "server", top=1, orderby="name desc")
    assert [one.name for one in listed] == ["24.04.202612010"]
    server.command("advance", "86400")
    assert server.command("status")["now"][:10] > before[:10]
    compute.close()


def test_without_control_the_control_api_is_not_there(server: Server) -> None:
    server.kill()
    server.start("--no-control")
    ran = subprocess.run(
        [sys.executable, "-m", "include.sandbox", "status", "--port", str(server.port), "--state", str(server.state)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ran.returncode != 0
    assert "refused" in ran.stderr


def test_a_dropped_answer_breaks_the_connection_over_https(server: Server) -> None:
    _, resources = server.clients()
    server.command("faults", "--add", json.dumps({"name": "drop", "match": {"method": "PUT"}, "count": 1, "effect": {"drop": "after"}}))
    with pytest.raises(AzureError) as broken:  # the class depends on where the connection broke
        resources.resource_groups.create_or_update("rg", {"location": "westeurope"}, retry_total=0)
    assert not isinstance(broken.value, HttpResponseError), "no answer came"
    assert resources.resource_groups.check_existence("rg"), "it had taken effect"
    resources.close()


def test_rules_in_a_file_hold_from_the_start(server: Server, tmp_path: Path) -> None:
    server.kill()
    rules = tmp_path / "night.yaml"
    rules.write_text("- P03\n- {use: R01, match: {region: uksouth}}\n- name: slow\n  effect: {latency: 3}\n")
    server.start("--faults", str(rules))
    assert [rule["name"] for rule in server.command("faults")] == ["P03-allocation-failed", "R01-region-fails-until-readded", "slow"]


def test_state_is_dumped_and_loaded_by_another_sandbox(server: Server, tmp_path: Path) -> None:
    compute, resources = server.clients()
    resources.resource_groups.create_or_update("rg", {"location": "westeurope"})
    disk = compute.disks.begin_create_or_update("rg", "disk", EMPTY).result()
    server.command("faults", "--add", "R01", "--region", "uksouth", "--count", "2")
    file = tmp_path / "state.json"
    ran = [sys.executable, "-m", "include.sandbox", "dump", str(file), "--port", str(server.port), "--state", str(server.state)]
    subprocess.run(ran, cwd=ROOT, check=True)
    resources.resource_groups.create_or_update("other", {"location": "westeurope"})
    assert server.command("load", str(file))["resources"] == 2
    assert [one.name for one in resources.resource_groups.list()] == ["rg"]
    assert compute.disks.get("rg", "disk").unique_id == disk.unique_id
    assert [(rule["match"]["region"], rule["count"]) for rule in server.command("faults")] == [("uksouth", 2)]
    server.kill()
    server.start()
    assert [one.name for one in resources.resource_groups.list()] == ["rg"], "what was loaded is kept"
    compute.close()
    resources.close()


def test_a_sandbox_killed_in_a_storm_of_writes_has_lost_nothing_that_it_acknowledged(server: Server) -> None:
    connection = server.command("connection")
    token = server.credential(connection).get_token("https://management.azure.com/.default").token
    context = ssl.create_default_context(cafile=connection["ca_file"])
    acknowledged: dict[str, str] = {}

    def url(name: str) -> str:
        return f"{connection['endpoint']}/subscriptions/{connection['subscription_id']}/resourceGroups/{name}?api-version=2021-04-01"

    def storm(writer: int) -> None:
        """Make and change groups until the connection breaks."""
        number = 0
        while True:
            name, tag = f"rg-{writer}-{number % 7}", str(number)
            body = json.dumps({"location": "westeurope", "tags": {"n": tag}}).encode()
            headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
            request = urllib.request.Request(url(name), data=body, method="PUT", headers=headers)
            try:
                with urllib.request.urlopen(request, context=context, timeout=20) as answer:
                    answer.read()
            except (OSError, HTTPException):  # killed before, or in the middle of, its answer
                return
            acknowledged[name] = tag
            number += 1

    for _ in range(2):
        acknowledged.clear()
        threads = [threading.Thread(target=storm, args=(writer,)) for writer in range(4)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60
        while len(acknowledged) < 28 and time.monotonic() < deadline:
            time.sleep(0.05)
        server.kill()
        for thread in threads:
            thread.join()
        server.start()
        for name, tag in acknowledged.items():
            request = urllib.request.Request(url(name), headers={"authorization": f"Bearer {token}"})
            with urllib.request.urlopen(request, context=context, timeout=20) as answer:
                kept = json.loads(answer.read())["tags"]["n"]
            assert int(kept) >= int(tag), f"{name}: {tag} was acknowledged, {kept} is there"
        assert len(acknowledged) == 28


def test_the_same_seed_gives_two_processes_the_same_ids_and_durations(tmp_path: Path, server: Server) -> None:
    def story(one: Server) -> list[str]:
        compute, resources = one.clients()
        resources.resource_groups.create_or_update("rg", {"location": "westeurope"})
        disk = compute.disks.begin_create_or_update("rg", "disk", EMPTY).result()
        answers: list[Any] = []

        def keep(response: Any) -> None:
            answers.append(response.http_response)

        compute.galleries.begin_create_or_update("rg", "g", {"location": "westeurope"}, raw_response_hook=keep).result()
        ended = next(body for body in (answer.json() for answer in answers) if body.get("status") == "Succeeded")
        took = datetime.fromisoformat(ended["endTime"]) - datetime.fromisoformat(ended["startTime"])
        compute.close()
        resources.close()
        return [disk.unique_id, ended["name"], f"{took.total_seconds():.4f}"]

    first = story(server)
    server.kill()
    server.state = tmp_path / "again"
    server.start()
    assert story(server) == first
    server.kill()
    server.state = tmp_path / "other"
    server.start("--seed", "1")
    assert story(server) != first


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["serve", "--speed", "0"], "argument --speed: 0 is not above 0"),
        (["serve", "--port", "99999"], "argument --port: 99999 is no port"),
        (["serve", "--state", __file__], "is a file and no folder"),
        (["faults", "--state", "nowhere"], "there is no sandbox in nowhere; name its folder with --state"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(words: list[str], said: str) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "include.sandbox", *words], cwd=ROOT, text=True, capture_output=True, check=False, timeout=60
    )
    assert refused.returncode
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
