"""What the sandbox bears: mixed reads in process and over HTTPS, a long list in pages, and the memory of many versions.

Times are seconds of the sandbox's own CPU: what else runs on the machine, the client above all, does not count.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from include.sandbox.clock import Clock
from include.sandbox.sandbox import Sandbox
from include.sandbox.server import connection, open_sandbox
from include.sandbox.wire import Request
from tests.sandbox.bodies import LOCATION, newest

ROOT = Path(__file__).parents[2]
RG = "/resourceGroups/rg"
COMPUTE = f"{RG}/providers/Microsoft.Compute"
IMAGE = f"{COMPUTE}/images/image"
VERSIONS = f"{COMPUTE}/galleries/gallery/images/ubuntu/versions"
REGIONS = (LOCATION, "northeurope", "uksouth")
SECONDS = 5.0


def run(versions: int = 10_000) -> None:
    """Print the table of docs/performance.md."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:  # a process of its own: its memory is measured
        memory, listed, reads = pool.apply(_in_process, (versions,))
    print(f"{'memory of ' + format(versions, ',') + ' versions':<44} {memory:>8.0f} MB  (limit 300)")
    print(f"{'5,000 versions listed in pages of 1,000':<44} {listed:>8.2f} s   (limit 2)")
    print(f"{'mixed reads a second, in process, one core':<44} {reads:>8,.0f}     (goal 2,000)")
    print(f"{'mixed reads a second, over HTTPS, one core':<44} {_over_https():>8,.0f}     (goal 2,000)")


def filled(sandbox: Sandbox, versions: int) -> Callable[[str, str, Any], Any]:
    """Give the sandbox a gallery with so many versions in three regions; returns what asks it, without the network."""
    headers = {"authorization": f"Bearer {sandbox.token()}"}
    root = f"/subscriptions/{sandbox.subscription_id}"

    def ask(method: str, path: str, body: Any = None) -> Any:
        response = sandbox.handle(Request(method, url_of(root, path), headers, b"" if body is None else json.dumps(body).encode()))
        assert response.status < 300, response.body
        return response.json()

    def put(path: str, **properties: Any) -> None:
        ask("PUT", path, {"location": LOCATION, **({"properties": properties} if properties else {})})
        sandbox.clock.advance(7200)

    put(RG)
    market = f"{root}/providers/Microsoft.Compute/locations/{LOCATION}/publishers/Canonical/artifactTypes/VMImage"
    image = {"id": f"{market}/offers/ubuntu-24_04-lts/skus/server/versions/latest"}
    put(f"{COMPUTE}/disks/disk", osType="Linux", hyperVGeneration="V2", creationData={"createOption": "FromImage", "imageReference": image})
    put(f"{COMPUTE}/snapshots/snapshot", creationData={"createOption": "Copy", "sourceResourceId": f"{root}{COMPUTE}/disks/disk"})
    os_disk = {"osType": "Linux", "osState": "Generalized", "snapshot": {"id": f"{root}{COMPUTE}/snapshots/snapshot"}}
    put(IMAGE, hyperVGeneration="V2", storageProfile={"osDisk": os_disk})
    put(f"{COMPUTE}/galleries/gallery")
    identifier = {"publisher": "p", "offer": "o", "sku": "s"}
    security = [{"name": "SecurityType", "value": "Standard"}]
    definition = VERSIONS.rpartition("/")[0]
    put(definition, osType="Linux", osState="Generalized", hyperVGeneration="V2", identifier=identifier, features=security)
    profile = {"targetRegions": [{"name": name, "regionalReplicaCount": 1} for name in REGIONS]}
    body = {
        "location": LOCATION,
        "properties": {"publishingProfile": profile, "storageProfile": {"source": {"id": f"{root}{IMAGE}"}}},
    }
    for number in range(versions):
        ask("PUT", f"{VERSIONS}/1.{number // 1000}.{number % 1000}", body)
    sandbox.clock.advance(3 * 86_400)
    ask("GET", RG)
    return ask


def url_of(root: str, path: str) -> str:
    return f"https://management.azure.com{root}{path}{'&' if '?' in path else '?'}api-version={newest(path)}"


def reads() -> list[str]:
    """A mix: half of it versions with their replication, the most expensive read there is."""
    names = [f"{VERSIONS}/1.0.{number}" for number in range(50)]
    others = [RG, IMAGE, f"{COMPUTE}/disks/disk", f"{COMPUTE}/snapshots/snapshot", f"{COMPUTE}/galleries/gallery"] * 5
    return [*(f"{name}?$expand=ReplicationStatus" for name in names), *names[:25], *others]


def _in_process(versions: int) -> tuple[float, float, float]:
    """(MB, seconds of the list, reads a second)."""
    sandbox = Sandbox(Clock(), throttle=False)
    ask = filled(sandbox, versions)
    memory = _resident(os.getpid())
    headers = {"authorization": f"Bearer {sandbox.token()}"}
    root = f"/subscriptions/{sandbox.subscription_id}"
    began, count, url = time.process_time(), 0, url_of(root, VERSIONS)
    while url and count < 5000:
        page = sandbox.handle(Request("GET", url, headers)).json()
        count, url = count + len(page["value"]), page.get("nextLink", "")
    listed = time.process_time() - began
    assert ask("GET", RG, None)
    requests = [Request("GET", url_of(root, path), headers) for path in reads()]
    began, done = time.process_time(), 0
    while time.process_time() - began < SECONDS:
        for request in requests:
            assert sandbox.handle(request).status == 200
        done += len(requests)
    return memory, listed, done / (time.process_time() - began)


def _over_https() -> float:
    """Reads that a served sandbox answers in a second of its CPU, asked by four connections."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        made = open_sandbox(state)
        filled(made, 60)
        made.store.close()
        found = connection(state, port)
        words = ["serve", "--port", str(port), "--state", folder, "--no-throttle"]
        server = subprocess.Popen([sys.executable, "-m", "include.sandbox", *words], cwd=ROOT, stdout=subprocess.PIPE)
        try:
            assert server.stdout is not None
            assert b"ready" in server.stdout.readline()
            context = ssl.create_default_context(cafile=found.ca_file)
            counts = [0] * 4
            threads = [threading.Thread(target=_client, args=(made, port, context, counts, number)) for number in range(len(counts))]
            before = _spent(server.pid)
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return sum(counts) / (_spent(server.pid) - before)
        finally:
            server.kill()
            server.wait()


def _client(sandbox: Sandbox, port: int, context: ssl.SSLContext, counts: list[int], number: int) -> None:
    """Ask one thing after the other on one connection, eight at a time in the pipe."""
    root = f"/subscriptions/{sandbox.subscription_id}"
    token = sandbox.token(lifetime=10 * 86_400)
    heads = [
        f"GET {url_of(root, path).removeprefix('https://management.azure.com')} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        f"authorization: Bearer {token}\r\n\r\n"
        for path in reads()
    ]
    with socket.create_connection(("127.0.0.1", port)) as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as wire:
        stream = wire.makefile("rb")
        began = time.perf_counter()
        while time.perf_counter() - began < SECONDS:
            for start in range(0, len(heads), 8):
                chunk = heads[start : start + 8]
                wire.sendall("".join(chunk).encode())
                for _ in chunk:
                    status = stream.readline()
                    assert status.split()[1] == b"200", status
                    length = 0
                    while (line := stream.readline()) != b"\r\n":
                        if line[:15].lower() == b"content-length:":
                            length = int(line[15:])
                    stream.read(length)
                    counts[number] += 1


def _spent(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    """MB of memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2
