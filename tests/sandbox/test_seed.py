"""The same seed and the same requests give the same answers, byte for byte."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from include.sandbox.clock import virtual_clock
from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request, Response
from tests.sandbox.bodies import LOCATION, UBUNTU, machine, newest, version

ROOT = Path(__file__).parents[2]
RG = "/resourceGroups/rg"
COMPUTE = f"{RG}/providers/Microsoft.Compute"
NETWORK = f"{RG}/providers/Microsoft.Network"


def story(seed: int, *, chance: float = 0.3) -> list[str]:
    """A build with faults that come by chance, polled to its end; each answer as status, headers and body."""
    sandbox = Sandbox(virtual_clock(), seed=seed)
    token = sandbox.token()
    heard: list[str] = []
    root = f"/subscriptions/{sandbox.subscription_id}"
    sandbox.faults.add(name="flaky", match={"method": "GET", "type": "*perations"}, probability=chance, effect={"error": {"status": 503}})
    sandbox.faults.add("V02", probability=chance)
    sandbox.faults.add("R05")

    def ask(method: str, path: str, body: Any = None) -> Response:
        url = path if path.startswith("https://") else f"https://management.azure.com{root}{path}"
        if "api-version" not in url:
            url += f"{'&' if '?' in url else '?'}api-version={newest(path)}"
        data = b"" if body is None else json.dumps(body).encode()
        response = sandbox.handle(Request(method, url, {"authorization": f"Bearer {token}"}, data))
        heard.append(f"{method} {path}: {response.status} {response.headers} {response.body!r}")
        return response

    def done(method: str, path: str, body: Any = None) -> None:
        response = ask(method, path, body)
        while "azure-asyncoperation" in response.headers:
            sandbox.clock.advance(11)
            polled = ask("GET", response.headers["azure-asyncoperation"])
            if polled.status == 200 and polled.json()["status"] != "InProgress":
                break

    done("PUT", RG, {"location": LOCATION})
    subnets = [{"name": "build", "properties": {"addressPrefix": "10.0.0.0/24"}}]
    space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": subnets}
    done("PUT", f"{NETWORK}/virtualNetworks/vnet", {"location": LOCATION, "properties": space})
    vm = f"{COMPUTE}/virtualMachines/vm"
    done("PUT", vm, machine(f"{root}{NETWORK}/virtualNetworks/vnet/subnets/build", UBUNTU))
    for script in ("echo one\n", "waagent -deprovision+user -force\n"):
        done("PUT", f"{vm}/runCommands/c", {"location": LOCATION, "properties": {"source": {"script": script}}})
        ask("GET", f"{vm}/runCommands/c?$expand=instanceView")
    done("POST", f"{vm}/deallocate")
    done("POST", f"{vm}/generalize")
    done("PUT", f"{COMPUTE}/galleries/g", {"location": LOCATION})
    definition = {"osType": "Linux", "osState": "Generalized", "identifier": {"publisher": "p", "offer": "o", "sku": "s"}}
    features = {"hyperVGeneration": "V2", "features": [{"name": "SecurityType", "value": "Standard"}]}
    done("PUT", f"{COMPUTE}/galleries/g/images/i", {"location": LOCATION, "properties": {**definition, **features}})
    source = {"source": {"virtualMachineId": f"{root}{vm}"}}
    done("PUT", f"{COMPUTE}/galleries/g/images/i/versions/1.0.0", version(source, "northeurope", "uksouth"))
    ask("GET", f"{COMPUTE}/galleries/g/images/i/versions/1.0.0?$expand=ReplicationStatus")
    ask("GET", f"{COMPUTE}/none")
    ask("PUT", f"{COMPUTE}/disks/d", {"location": LOCATION, "properties": {"creationData": 5}})
    done("DELETE", vm)
    ask("DELETE", RG)
    ask("GET", "/resources")
    return heard


def digest(heard: list[str]) -> str:
    return hashlib.sha256("\n".join(heard).encode()).hexdigest()


def test_a_story_is_repeated_byte_for_byte() -> None:
    first = story(7)
    assert len(first) > 100
    assert any(" 503 " in one for one in first), "chance took part"
    for one, two in zip(first, story(7), strict=True):
        assert one == two
    assert digest(first) != digest(story(8))


def test_another_process_tells_the_same_story() -> None:
    program = "from tests.sandbox.test_seed import digest, story; print(digest(story(7)))"
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == digest(story(7))
