"""Microsoft's validator (`oav validate-traffic`) on all that the sandbox answered in this session of the suite.

The findings count that are about answers. Two kinds are no findings of ours: what Azure's own answers show in any operation on the same
kind of resource, by the same validator on recorded traffic; and, where a client asked at an api-version later than the document's, a
property that the official SDK knows.
"""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from include.demo.settings import PROJECT
from include.sandbox.recorder import exchange
from include.sandbox.wire import Request, Response, pretty
from tests.recording import Recording
from tests.sandbox_transport import BASE, make_sync_sandbox

from .documents import complete
from .judges import node_packages
from .traffic import DOCUMENTS, Document, Exchange, one_of_each, recorded, recorded_of_azure

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.validates_traffic]

FIDELITY = Path(os.environ.get("FIDELITY", PROJECT.parent / "shared" / "fidelity"))
SPECIFICATION = FIDELITY / "openapi" / "specification"
UNKNOWN = "Additional properties not allowed: "

Finding = tuple[str, str, str]  # operation, code, message

# What Azure answers, by the resource's kind, that neither the documents nor the shared recordings show.
UNDESCRIBED: set[Finding] = {
    # Peerings that people published as Azure gave them have it; published scripts read the other of `az network vnet check-ip-address`.
    *((kind, "OBJECT_ADDITIONAL_PROPERTIES", f"{UNKNOWN}routeServiceVips") for kind in ("VirtualNetworks", "VirtualNetworkPeerings")),
    ("VirtualNetworks", "OBJECT_ADDITIONAL_PROPERTIES", f"{UNKNOWN}inUseWithResource"),
    # A list of machines shows nothing of their extensions but the ids (azure-sdk-for-net#13378).
    ("VirtualMachines", "OBJECT_MISSING_REQUIRED_PROPERTY", "Missing required property: location"),
}


def findings(oav: Path, specification: Path, document: Document, exchanges: list[Exchange], folder: Path) -> set[Finding]:
    """What the validator finds in the answers of these exchanges."""
    payloads = folder / "payloads"
    payloads.mkdir(parents=True)
    for number, one in enumerate(exchanges):
        (payloads / f"{number}.json").write_text(json.dumps(one))
    report = folder / "report.json"
    command = [str(oav), "validate-traffic", str(payloads), str(specification / document.path), "--logLevel", "error"]
    told = subprocess.run(
        [*command, "--report", str(folder / "report.html"), "--jsonReport", str(report)],
        env={**os.environ, "HOME": str(folder)},  # where it logs
        capture_output=True,
        text=True,
        timeout=900,
        check=False,  # the HTML report's template is not in the package, and that ends it with 1 once the JSON report is written
    )
    assert report.exists(), told.stdout + told.stderr
    found = json.loads(report.read_text())
    return {(one["operationId"], one["errorCode"], one["errorMessage"]) for one in found["errors"] if one["issueSource"] == "response"}


def known_to_the_sdk() -> set[str]:
    """The names of all properties in the SDKs' models."""
    from azure.mgmt.compute import models as compute
    from azure.mgmt.network import models as network
    from azure.mgmt.resource.resources import models as resources

    kinds = [kind for models in (compute, network, resources) for kind in vars(models).values() if isinstance(kind, type)]
    return {name for kind in kinds for one in vars(kind).values() if (name := getattr(one, "_rest_name_input", None))}


def validated(oav: Path, exchanges: Any, folder: Path) -> dict[tuple[str, bool], set[Finding]]:
    groups = one_of_each(exchanges)
    specification = folder / "specification"
    complete(SPECIFICATION, specification)
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = {
            (document.path, later): pool.submit(
                findings, oav, specification, document, group, folder / f"{DOCUMENTS.index(document)}-{later}"
            )
            for (document, later), group in groups.items()
        }
    return {key: done.result() for key, done in running.items()}


def kind_of(finding: Finding) -> Finding:
    """The finding with its operation's resource only: `Disks` of `Disks_Update`. What Azure shows in one answer it shows in others."""
    operation, code, message = finding
    return operation.split("_")[0], code, message


@pytest.fixture
def oav() -> Path:
    if not SPECIFICATION.exists():
        pytest.skip(f"no OpenAPI documents at {SPECIFICATION}; FIDELITY names the folder that has openapi/ and recordings/")
    return node_packages("oav") / "node_modules" / ".bin" / "oav"


@pytest.fixture
def of_azure(oav: Path, tmp_path: Path) -> set[Finding]:
    """What the validator finds in Azure's own answers, by the resource's kind."""
    found = validated(oav, recorded_of_azure(FIDELITY / "recordings"), tmp_path / "azure")
    return {kind_of(finding) for findings in found.values() for finding in findings}


@pytest.fixture
def traffic(of_azure: set[Finding], recording: Recording) -> Path:
    """What all sandboxes of the session answered: this waits for the tests of the suite's other processes."""
    traffic = recording.complete()
    if not traffic.exists():
        pytest.skip("nothing was asked of a sandbox in this session: run it with tests that do, as in `pytest tests/sandbox tests/clients`")
    return traffic


def test_a_wrong_answer_is_found(oav: Path, tmp_path: Path) -> None:
    sandbox = make_sync_sandbox()
    asked = Request("GET", f"{BASE}/subscriptions/{sandbox.subscription_id}/providers/Microsoft.Compute/images?api-version=2025-04-01")
    image = {"id": "image", "location": "westeurope", "properties": {"storageProfile": {"osDisk": {"osType": "Linux"}}}}
    answered = Response(200, {"content-type": "application/json"}, pretty({"value": [image]}))
    found = validated(oav, [exchange(asked, answered)], tmp_path)
    assert [finding for findings in found.values() for finding in findings] == [
        ("Images_List", "OBJECT_MISSING_REQUIRED_PROPERTY", "Missing required property: osState")
    ]


def test_answers_are_as_microsofts_documents_say(oav: Path, of_azure: set[Finding], traffic: Path, tmp_path: Path) -> None:
    forgiven = of_azure | UNDESCRIBED
    names = known_to_the_sdk()
    ours = validated(oav, recorded(traffic), tmp_path / "sandbox")
    wrong = {
        finding
        for (_, later), found in ours.items()
        for finding in found
        if kind_of(finding) not in forgiven and not (later and finding[2].startswith(UNKNOWN) and finding[2].removeprefix(UNKNOWN) in names)
    }
    assert not wrong, "\n".join(map(str, sorted(wrong)))
