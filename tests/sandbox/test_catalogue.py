"""Every failure of the catalogue that concerns Azure has a ready fault, and the fault shows what was reported."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.sandbox import catalogue
from include.sandbox.clock import virtual_clock
from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request, Response
from tests.sandbox.bodies import KEY, LOCATION, UBUNTU, WINDOWS, machine, newest, version

RG = "/resourceGroups/rg"
COMPUTE = f"{RG}/providers/Microsoft.Compute"
NETWORK = f"{RG}/providers/Microsoft.Network"
VM = f"{COMPUTE}/virtualMachines/vm"
IMAGE = f"{COMPUTE}/images/image"
DEFINITION = f"{COMPUTE}/galleries/gallery/images/ubuntu"
VERSION = f"{DEFINITION}/versions/1.0.0"
ADDRESS = f"{NETWORK}/publicIPAddresses/ip"

COUNTS = {"P": 16, "V": 5, "G": 7, "C": 6, "U": 14, "R": 8, "D": 10}
IDS = [f"{stage}{number:02}" for stage, most in COUNTS.items() for number in range(1, most + 1)]
SINCE = ["P16"]  # met after the list was written
WRITTEN = Path(os.environ.get("REFERENCE", Path(__file__).parents[3] / "shared" / "reference")) / "failures-and-timing.md"


class Line:
    """A sandbox with a network, driven by plain requests."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(virtual_clock())
        self.token = self.sandbox.token()
        self.done("PUT", RG, {"location": LOCATION})
        subnets = [{"name": "build", "properties": {"addressPrefix": "10.0.0.0/24"}}]
        space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": subnets}
        self.done("PUT", f"{NETWORK}/virtualNetworks/vnet", {"location": LOCATION, "properties": space})
        self.subnet = f"/subscriptions/{self.sandbox.subscription_id}{NETWORK}/virtualNetworks/vnet/subnets/build"

    def ask(self, method: str, path: str, body: Any = None) -> Response:
        """One request; `path` below the subscription, or a whole URL."""
        url = path if path.startswith("https://") else f"https://management.azure.com/subscriptions/{self.sandbox.subscription_id}{path}"
        if "api-version" not in url and "sig=" not in url:
            url += f"{'&' if '?' in url else '?'}api-version={newest(path)}"
        data = b"" if body is None else json.dumps(body).encode()
        return self.sandbox.handle(Request(method, url, {"authorization": f"Bearer {self.token}"}, data))

    def advance(self, seconds: float) -> None:
        self.sandbox.clock.advance(seconds)

    def outcome(self, response: Response, *, within: float = 40_000) -> dict[str, Any]:
        """The end of a long-running operation: its status body."""
        assert response.status < 300, response.body
        url = response.headers.get("azure-asyncoperation")
        waited = 0.0
        while url is not None:
            body: dict[str, Any] = self.ask("GET", url).json()
            if body["status"] != "InProgress" or waited > within:
                return body
            self.advance(60)
            waited += 60
        return {"status": "Succeeded"}

    def done(self, method: str, path: str, body: Any = None) -> Response:
        response = self.ask(method, path, body)
        assert self.outcome(response)["status"] == "Succeeded", response.body
        return response

    def make_machine(self, image: dict[str, Any] = UBUNTU, **options: Any) -> Response:
        return self.ask("PUT", VM, machine(self.subnet, image, **options))

    def running_machine(self, image: dict[str, Any] = UBUNTU, **options: Any) -> None:
        assert self.outcome(self.make_machine(image, **options))["status"] == "Succeeded"

    def run(self, script: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Run a script: the operation's end, and the instance view."""
        body = {"location": LOCATION, "properties": {"source": {"script": script}}}
        end = self.outcome(self.ask("PUT", f"{VM}/runCommands/command", body))
        view = self.ask("GET", f"{VM}/runCommands/command?$expand=instanceView").json()["properties"]["instanceView"]
        return end, view

    def generalized_image(self, *, deprovision: bool = True) -> None:
        self.running_machine()
        self.run("waagent -deprovision+user -force\n" if deprovision else "true\n")
        self.done("POST", f"{VM}/deallocate")
        self.done("POST", f"{VM}/generalize")
        self.done(
            "PUT", IMAGE, {"location": LOCATION, "properties": {"sourceVirtualMachine": {"id": self.id(VM)}, "hyperVGeneration": "V2"}}
        )

    def definition(self) -> None:
        self.done("PUT", f"{COMPUTE}/galleries/gallery", {"location": LOCATION})
        properties = {
            "osType": "Linux",
            "osState": "Generalized",
            "hyperVGeneration": "V2",
            "identifier": {"publisher": "p", "offer": "o", "sku": "s"},
            "features": [{"name": "SecurityType", "value": "Standard"}],
        }
        self.done("PUT", DEFINITION, {"location": LOCATION, "properties": properties})

    def publish(self, *regions: str) -> Response:
        return self.ask("PUT", VERSION, version({"source": {"id": self.id(IMAGE)}}, *regions))

    def replicas(self) -> dict[str, str]:
        shown = self.ask("GET", f"{VERSION}?$expand=ReplicationStatus").json()
        return {one["region"]: one["state"] for one in shown["properties"]["replicationStatus"]["summary"]}

    def id(self, path: str) -> str:
        return f"/subscriptions/{self.sandbox.subscription_id}{path}"


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture(scope="module")
def published() -> bytes:
    """The state of a sandbox that has a generalized image and a definition: made once, it is the slow part."""
    made = Line()
    made.generalized_image()
    made.definition()
    return made.sandbox.dump()


@pytest.fixture
def gallery(line: Line, published: bytes) -> Line:
    """A line with a generalized image and a definition for it."""
    line.sandbox.load(published)
    return line


TESTED: set[str] = set()


def concerns(*ids: str) -> Callable[[Any], Any]:
    """Note which failures a test shows."""
    TESTED.update(ids)
    return lambda test: test


def shown(response: Response) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status, error["code"], error["message"]


def test_every_failure_that_was_collected_has_a_ready_fault() -> None:
    assert [name.split("-", 1)[0] for name in catalogue.rules()] == IDS
    assert all(rule["about"] and rule["source"] for rule in catalogue.rules().values())


@pytest.mark.skipif(not WRITTEN.exists(), reason="the list of failures is not here; REFERENCE names its folder")
def test_the_list_of_failures_has_no_other_ids() -> None:
    listed = re.findall(r"^\| ([PVGCURD]\d\d) \|", WRITTEN.read_text(), re.MULTILINE)
    assert listed == [one for one in IDS if one not in SINCE]


def test_every_ready_fault_is_shown_here() -> None:
    assert set(IDS) - TESTED == set()


def test_a_ready_fault_is_taken_by_id_or_name_and_adapted(line: Line) -> None:
    faults = line.sandbox.faults
    assert faults.add("P03", count=2).name == "P03-allocation-failed"
    rule = faults.add({"use": "r01-region-fails-until-readded", "match": {"region": "uksouth"}})
    assert rule.match == {"type": "Microsoft.Compute/galleries/images/versions", "region": "uksouth"}
    with pytest.raises(ValueError, match="no ready fault is called 'P99'; there are P01-group-not-seen-yet"):
        faults.add("P99")


# requests that are refused: (id, method, path, body, status, code, a part of the message)

EMPTY: dict[str, Any] = {"location": LOCATION}
REFUSED = [
    ("P09", "PUT", ADDRESS, EMPTY, 403, "RequestDisallowedByPolicy", "Resource 'ip' was disallowed by policy. Policy identifiers: '[{"),
    ("P10", "PUT", ADDRESS, EMPTY, 429, "RetryableErrorDueToAnotherOperation", "another operation"),
    ("P12", "PUT", f"{RG}/providers/Microsoft.KeyVault/vaults/v", EMPTY, 409, "VaultAlreadyExists", "already in use"),
    ("P14", "PUT", f"{RG}/providers/Microsoft.Storage/storageAccounts/s", EMPTY, 409, "StorageAccountOperationInProgress", "exclusive"),
    ("G01", "POST", f"{VM}/generalize", None, 409, "OperationNotAllowed", "'generalize' is not allowed on VM 'vm' since the VM is running"),
    ("G02", "POST", f"{VM}/capture", {}, 409, "OperationNotAllowed", "cannot be completed because the VM is not generalized."),
    ("G03", "POST", f"{VM}/start", None, 409, "OperationNotAllowed", "'start' is not allowed on VM 'vm' since the VM is generalized."),
    ("C01", "PUT", IMAGE, EMPTY, 409, "PropertyChangeNotAllowed", "Changing property 'sourceVirtualMachine' is not allowed."),
    ("C02", "DELETE", IMAGE, None, 409, "OperationNotAllowed", "Operation 'Image Delete' is not allowed since the Virtual Machines"),
    ("C06", "PUT", VERSION, EMPTY, 429, "TooManyRequests", "Too many requests on source '/subscriptions/"),
    ("U01", "PUT", VERSION, EMPTY, 409, "PropertyChangeNotAllowed", "storageProfile.source.id' is not allowed"),
    ("U06", "PUT", VERSION, EMPTY, 404, "ParentResourceNotFound", "Can not perform requested operation on nested resource."),
    ("U07", "PUT", VERSION, EMPTY, 400, "InvalidParameter", "must contain the location of image version 'westeurope'"),
    ("U08", "PUT", VERSION, EMPTY, 409, "OperationNotAllowed", "is not allowed on 1.0.0 since it is marked for deletion"),
    ("U09", "DELETE", VERSION, None, 409, "DeleteGalleryImageVersionBlockedBeforeEndOfLife", "end of life"),
    ("U10", "PUT", VERSION, EMPTY, 409, "OperationNotAllowed", "Current Limit: 10000"),
    ("U11", "PUT", VERSION, EMPTY, 409, "Conflict", "soft-deleted"),
    ("U14", "PUT", VERSION, EMPTY, 409, "Conflict", "conflict with a concurrent request"),
    ("R06", "PUT", VERSION, EMPTY, 400, "InvalidParameter", "Shallow"),
    ("D01", "DELETE", f"{NETWORK}/networkInterfaces/nic", None, 400, "NicInUse", "is used by existing resource"),
    ("D02", "PUT", VM, EMPTY, 400, "NicReservedForAnotherVm", "reserved for another Virtual Machine for 180 seconds"),
    ("D03", "PATCH", VM, EMPTY, 409, "OperationNotAllowed", "Operation 'startTenantUpdate' is not allowed on VM 'vm'"),
    ("D04", "DELETE", DEFINITION, None, 409, "CannotDeleteResource", "Can not delete resource before nested resources are deleted."),
    ("D05", "DELETE", ADDRESS, None, 409, "ScopeLocked", "following scope(s) are locked"),
    ("D06", "DELETE", ADDRESS, None, 404, "ResourceGroupNotFound", "Resource group 'rg' could not be found."),
]  # fmt: skip
concerns(*(one[0] for one in REFUSED))


@pytest.mark.parametrize(("id", "method", "path", "body", "status", "code", "part"), REFUSED, ids=[one[0] for one in REFUSED])
def test_it_refuses(line: Line, id: str, method: str, path: str, body: Any, status: int, code: str, part: str) -> None:
    line.sandbox.faults.add(id)
    response = line.ask(method, path, body)
    found = shown(response)
    assert (found[0], found[1]) == (status, code)
    assert part in found[2]
    if status == 429:
        assert int(response.headers["retry-after"]) >= 10


def test_a_policys_denial_names_the_policy_twice(line: Line) -> None:
    line.sandbox.faults.add("P09", effect={"policy": {"assignment": "no-public-ip", "definition": "deny", "message": "Use Bastion"}})
    error = line.ask("PUT", ADDRESS, EMPTY).json()["error"]
    assert error["target"] == "ip"
    assert "Reasons: 'Use Bastion'" in error["message"]
    assert error["additionalInfo"][0]["type"] == "PolicyViolation"
    assert error["additionalInfo"][0]["info"]["policyAssignmentName"] == "no-public-ip"


@concerns("P05", "P06", "P15")
@pytest.mark.parametrize(
    ("id", "code", "part"),
    [
        ("P05", "SkuNotAvailable", "SKUs have failed for Capacity Restrictions: Standard_D2s_v5' is currently not available"),
        ("P06", "OperationNotAllowed", "Total Regional Cores quota"),
        ("P15", "InvalidParameter", "The following list of images referenced from the deployment template are not found"),
    ],
)  # fmt: skip
def test_no_machine_is_made(line: Line, id: str, code: str, part: str) -> None:
    line.sandbox.faults.add(id)
    found = shown(line.make_machine())
    assert found[1] == code
    assert part in found[2]
    assert line.ask("GET", VM).status == 404


@concerns("P16")
def test_terms_that_were_accepted_count_as_not_accepted(line: Line) -> None:
    rocky = {"publisher": "resf", "offer": "rockylinux-x86_64", "sku": "9-base", "version": "latest"}
    plan = {"name": "9-base", "product": "rockylinux-x86_64", "publisher": "resf"}
    terms = (
        f"{RG.split('/resourceGroups')[0]}/providers/Microsoft.MarketplaceOrdering/agreements/resf/offers/rockylinux-x86_64/plans/9-base"
    )
    assert line.ask("POST", f"{terms}/sign").status == 200
    line.sandbox.faults.add("P16", count=1)
    body = {**machine(line.subnet, rocky), "plan": plan}
    found = shown(line.ask("PUT", VM, body))
    assert found[:2] == (400, "ResourcePurchaseValidationFailed")
    assert "You have not accepted the legal terms on this subscription" in found[2]
    assert line.ask("GET", VM).status == 404
    assert line.ask("PUT", VM, body).status == 201


@concerns("P03", "P04", "P07", "P08", "P11")
@pytest.mark.parametrize(
    ("id", "code", "least"),
    [
        ("P03", "AllocationFailed", 0),
        ("P04", "ZonalAllocationFailed", 0),
        ("P07", "OSProvisioningTimedOut", 1200),
        ("P08", "OperationPreempted", 0),
        ("P11", "NetworkingInternalOperationError", 0),
    ],
)
def test_a_machines_creation_fails_and_leaves_it_failed(line: Line, id: str, code: str, least: float) -> None:
    line.sandbox.faults.add(id)
    began = line.sandbox.clock.now()
    end = line.outcome(line.make_machine())
    assert (end["status"], end["error"]["code"]) == ("Failed", code)
    assert "{" not in end["error"]["message"]
    assert line.sandbox.clock.now() - began >= least
    assert line.ask("GET", VM).json()["properties"]["provisioningState"] == "Failed"


@concerns("P01")
def test_a_new_group_is_not_seen_for_two_minutes(line: Line) -> None:
    line.sandbox.faults.add("P01")
    new = "/resourceGroups/new"
    assert line.ask("PUT", new, EMPTY).status == 201
    assert shown(line.ask("GET", new))[:2] == (404, "ResourceGroupNotFound")
    assert shown(line.ask("PUT", f"{new}/providers/Microsoft.Compute/galleries/g", EMPTY))[:2] == (404, "ResourceGroupNotFound")
    assert [one["name"] for one in line.ask("GET", "/resourceGroups").json()["value"]] == ["rg"]
    line.advance(121)
    assert line.ask("GET", new).status == 200


@concerns("P02")
def test_what_was_deleted_is_still_shown_for_ten_minutes(line: Line) -> None:
    line.done("PUT", ADDRESS, EMPTY)
    line.sandbox.faults.add("P02")
    line.done("DELETE", ADDRESS)
    line.advance(30)
    for _ in range(2):
        assert line.ask("GET", ADDRESS).status == 200
        assert [one["name"] for one in line.ask("GET", ADDRESS.rpartition("/")[0]).json()["value"]] == ["ip"]
        assert line.ask("DELETE", ADDRESS).status == 204, "writes see what is"
    line.advance(601)
    assert line.ask("GET", ADDRESS).status == 404
    assert line.ask("GET", ADDRESS.rpartition("/")[0]).json()["value"] == []


@concerns("P13")
def test_a_gateway_timeout_hides_that_the_request_took_effect(line: Line) -> None:
    line.running_machine()
    line.sandbox.faults.add("P13")
    assert shown(line.ask("POST", f"{VM}/deallocate"))[:2] == (504, "GatewayTimeout")
    line.advance(300)
    statuses = line.ask("GET", f"{VM}/instanceView").json()["statuses"]
    assert "PowerState/deallocated" in [one["code"] for one in statuses]


@concerns("V01", "V04")
@pytest.mark.parametrize(("id", "status"), [("V01", "Failed"), ("V04", "InProgress")])
def test_a_machine_does_not_answer(line: Line, id: str, status: str) -> None:
    line.running_machine()
    line.sandbox.faults.add(id)
    end, _ = line.run("true\n")
    assert end["status"] == status
    assert status != "Failed" or end["error"]["code"] == "VMAgentStatusCommunicationError"


@concerns("V02")
def test_about_a_third_of_the_scripts_lose_their_connection(line: Line) -> None:
    line.running_machine()
    line.sandbox.faults.add("V02")
    views = [line.run(f"# {number}\ntrue\n")[1] for number in range(20)]
    lost = [view for view in views if view["exitCode"] == 2300218]
    assert 2 <= len(lost) <= 14
    assert lost[0]["error"] == "Script disconnected unexpectedly.\n"


@concerns("V03")
def test_a_spot_machine_is_evicted_in_mid_build(line: Line) -> None:
    line.sandbox.faults.add("V03")
    line.running_machine(priority="Spot", evictionPolicy="Deallocate")
    line.advance(700)
    statuses = line.ask("GET", f"{VM}/instanceView").json()["statuses"]
    assert "PowerState/deallocated" in [one["code"] for one in statuses]


@concerns("V05")
def test_a_script_takes_twice_as_long(line: Line) -> None:
    line.running_machine()
    script = "# sandbox: stdout done\n# sandbox: sleep 600\n"
    took = []
    for _ in range(2):
        before = line.sandbox.clock.now()
        _, view = line.run(script)
        took.append(line.sandbox.clock.now() - before)
        assert view["output"] == "done\n"
        line.sandbox.faults.add("V05")
        script += "\n"
    assert took[1] - took[0] == pytest.approx(600, abs=61)


@concerns("G04", "G05")
@pytest.mark.parametrize("id", ["G04", "G05"])
def test_sysprep_leaves_the_image_undeployable(line: Line, id: str) -> None:
    line.running_machine(WINDOWS, windows=True)
    line.sandbox.faults.add(id)
    _, view = line.run("Sysprep.exe /generalize /oobe /quit\n")
    assert view["exitCode"] == 0
    line.advance(7200)
    _, state = line.run("(Get-ItemProperty HKLM:\\...\\State).ImageState\n")
    assert state["output"] != "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE\n"


@concerns("G06")
def test_a_wait_for_the_agent_never_ends(line: Line) -> None:
    line.running_machine(WINDOWS, windows=True)
    line.sandbox.faults.add("G06")
    _, view = line.run("while ((Get-Service WindowsAzureTelemetryService).Status -ne 'Running') { Start-Sleep 5 }\n")
    assert view["executionState"] == "TimedOut", "Azure's own limit ends it"


@concerns("G07")
def test_an_image_that_was_not_deprovisioned_times_out_at_its_first_boot(line: Line) -> None:
    line.sandbox.faults.add("G07")
    line.generalized_image()
    body = machine(line.subnet, {"id": line.id(IMAGE)})
    end = line.outcome(line.ask("PUT", f"{COMPUTE}/virtualMachines/test", body))
    assert end["error"]["code"] == "OSProvisioningTimedOut"


@concerns("C03")
def test_a_disks_deletion_never_ends(line: Line) -> None:
    disk = f"{COMPUTE}/disks/d"
    line.done("PUT", disk, {"location": LOCATION, "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}})
    line.sandbox.faults.add("C03")
    assert line.outcome(line.ask("DELETE", disk))["status"] == "InProgress"


@concerns("C04", "C05")
@pytest.mark.parametrize("id", ["C04", "C05"])
def test_a_sas_is_not_valid_now(line: Line, id: str) -> None:
    disk = f"{COMPUTE}/disks/d"
    line.done("PUT", disk, {"location": LOCATION, "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}})
    end = line.outcome(line.ask("POST", f"{disk}/beginGetAccess", {"access": "Read", "durationInSeconds": 3600}))
    url = end["properties"]["output"]["accessSAS"]
    assert line.ask("GET", url).status == 200
    line.sandbox.faults.add(id)
    refused = line.ask("GET", url)
    assert (refused.status, refused.headers["x-ms-error-code"]) == (403, "AuthenticationFailed")
    assert b"Signature not valid in the specified time frame" in refused.body


@concerns("U02")
def test_a_failed_version_blocks_its_number_until_it_is_deleted(gallery: Line) -> None:
    gallery.sandbox.faults.add("U02")
    end = gallery.outcome(gallery.publish())
    assert end["error"]["code"] == "InvalidBeginGetAccessForGalleryImageVersionSnapshotResponseFromPIR"
    assert gallery.ask("GET", VERSION).json()["properties"]["provisioningState"] == "Failed"
    assert gallery.outcome(gallery.publish())["status"] == "Failed"
    gallery.done("DELETE", VERSION)
    assert gallery.outcome(gallery.publish())["status"] == "Succeeded"


@concerns("U03", "R01", "R07", "R08")
@pytest.mark.parametrize(
    ("id", "detail", "mended"),
    [
        ("U03", "Storage allocation failure", True),
        ("R01", "Failed with internal server error.", False),
        ("R07", "source resource size 2520 exceeds the max size 2048 supported", False),
        ("R08", "There is no capacity for the replica in the region.", False),
    ],
)
def test_a_regions_replication_fails(gallery: Line, id: str, detail: str, mended: bool) -> None:
    rule = gallery.sandbox.faults.add(id)
    end = gallery.outcome(gallery.publish("northeurope"))
    assert (end["status"], end["error"]["code"]) == ("Failed", "InternalOperationError")
    assert end["error"]["message"].startswith("Gallery replication jobs failed in one or more regions.")
    assert detail in end["error"]["message"]
    assert "Failed" in gallery.replicas().values()
    if id == "R01":
        assert gallery.outcome(gallery.publish("northeurope"))["status"] == "Failed", "a repetition does not help"
        assert gallery.outcome(gallery.publish())["status"] == "Succeeded"
        assert gallery.outcome(gallery.publish("northeurope"))["status"] == "Succeeded"
    if id == "R08":
        assert gallery.replicas() == {"westeurope": "Completed", "northeurope": "Failed"}
    if mended:
        assert gallery.outcome(gallery.publish("northeurope"))["status"] == "Succeeded"
    assert rule.fired >= 1


@concerns("U04", "R02", "R05")
@pytest.mark.parametrize(("id", "least", "most"), [("U04", 5400, 5500), ("R02", 90_000, 90_100), ("R05", 2000, 6100)])
def test_a_replication_takes_long_and_succeeds(gallery: Line, id: str, least: float, most: float) -> None:
    gallery.sandbox.faults.add(id)
    began = gallery.sandbox.clock.now()
    assert gallery.outcome(gallery.publish("northeurope"), within=200_000)["status"] == "Succeeded"
    assert least <= gallery.sandbox.clock.now() - began <= most


@concerns("U05")
def test_a_new_version_is_not_seen_for_five_minutes(gallery: Line) -> None:
    gallery.sandbox.faults.add("U05")
    assert gallery.publish().status == 201
    assert shown(gallery.ask("GET", VERSION))[:2] == (404, "ResourceNotFound")
    gallery.advance(301)
    assert gallery.ask("GET", VERSION).status == 200


@concerns("U12")
def test_a_token_expires_while_an_operation_is_asked_for(line: Line) -> None:
    response = line.make_machine()
    line.sandbox.faults.add("U12")
    found = shown(line.ask("GET", response.headers["azure-asyncoperation"]))
    assert found[:2] == (401, "ExpiredAuthenticationToken")
    assert found[2].startswith("The access token expiry UTC time '")
    assert line.outcome(response)["status"] == "Succeeded", "with a new token, the same operation goes on"


@concerns("U13")
def test_a_clock_that_is_behind_finds_the_token_not_yet_valid(line: Line) -> None:
    line.token = line.sandbox.token()
    line.sandbox.faults.add("U13")
    found = shown(line.ask("GET", RG))
    assert found[:2] == (401, "InvalidAuthenticationToken")
    assert "not yet valid" in found[2]


@concerns("R03")
def test_a_version_has_succeeded_before_a_region_has_it(gallery: Line) -> None:
    gallery.sandbox.faults.add("R03")
    assert gallery.outcome(gallery.publish("northeurope"))["status"] == "Succeeded"
    assert gallery.replicas() == {"westeurope": "Completed", "northeurope": "Replicating"}
    gallery.advance(601)
    assert gallery.replicas()["northeurope"] == "Completed"


@concerns("R04")
def test_another_writer_loses_a_region(gallery: Line) -> None:
    gallery.sandbox.faults.add("R04")
    assert gallery.outcome(gallery.publish("northeurope"))["status"] == "Succeeded"
    gallery.advance(10_000)
    assert set(gallery.replicas()) == {"westeurope"}


@concerns("D07")
def test_a_groups_deletion_takes_an_hour(line: Line) -> None:
    line.sandbox.faults.add("D07")
    location = line.ask("DELETE", RG).headers["location"]
    line.advance(3500)
    assert line.ask("GET", location).status == 202
    line.advance(200)
    assert line.ask("GET", location).status == 200


@concerns("D08")
def test_a_collector_deletes_an_empty_definition(line: Line) -> None:
    line.sandbox.faults.add("D08")
    line.definition()
    assert line.ask("GET", DEFINITION).status == 200
    line.advance(300)
    line.ask("GET", RG)
    line.advance(60)
    assert line.ask("GET", DEFINITION).status == 404


@concerns("D09")
def test_a_janitor_deletes_the_group_in_mid_build(line: Line) -> None:
    line.sandbox.faults.add("D09")
    line.make_machine()
    line.advance(301)
    assert line.ask("GET", RG).json()["properties"]["provisioningState"] == "Deleting"


@concerns("D10")
def test_a_staging_groups_deletion_hangs(line: Line) -> None:
    staging = "/resourceGroups/IT_staging"
    line.done("PUT", staging, EMPTY)
    line.sandbox.faults.add("D10")
    location = line.ask("DELETE", staging).headers["location"]
    line.advance(20 * 3600)
    assert line.ask("GET", location).status == 202
    assert KEY, "the machines' key is not what hangs"
