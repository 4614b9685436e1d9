"""Answers show what their api-version knew, and what Azure showed on the day that it is by the sandbox's clock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.sandbox import vintages
from include.sandbox.clock import virtual_clock
from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request, Response, moment

from .bodies import UBUNTU

GROUP = "/resourceGroups/rg"
DISK = {"location": "westeurope", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
NETWORK = {
    "location": "westeurope",
    "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}],
    },
}


def on(day: str) -> Sandbox:
    sandbox = Sandbox(virtual_clock(moment(day)), authenticate=False, throttle=False)
    ask(sandbox, "PUT", GROUP, "2021-04-01", {"location": "westeurope"})
    return sandbox


def ask(sandbox: Sandbox, method: str, path: str, version: str, body: Any = None) -> Response:
    url = f"https://management.azure.com/subscriptions/{sandbox.subscription_id}{path}?api-version={version}"
    return sandbox.handle(Request(method, url, {}, b"" if body is None else json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("day", "version", "shown"),
    [
        ("2024-09-01", "2024-05-01", True),
        ("2024-09-01", "2022-01-01", False),
        ("2024-06-01", "2024-05-01", False),
        ("2026-01-01", "2024-05-01", False),
    ],
)
def test_what_came_and_went_on_a_day_is_shown_in_between(day: str, version: str, shown: bool) -> None:
    made = ask(on(day), "PUT", f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v", version, NETWORK).json()["properties"]
    assert ("ipamPoolPrefixAllocations" in made["addressSpace"]) is shown
    assert ("ipamPoolPrefixAllocations" in made["subnets"][0]["properties"]) is shown


@pytest.mark.parametrize(
    ("day", "named", "marked"),
    [
        ("2020-06-01", {"name", "location"}, True),
        ("2022-10-13", {"name", "location", "id"}, True),
        ("2023-02-22", {"name", "location", "id", "type"}, False),
        ("2026-01-01", {"name", "location", "id", "type"}, False),
    ],
)
def test_a_disks_write_is_answered_as_on_its_day(day: str, named: set[str], marked: bool) -> None:
    made = ask(on(day), "PUT", f"{GROUP}/providers/Microsoft.Compute/disks/d", "2019-07-01", DISK).json()
    assert set(made) - {"properties", "sku"} == named
    assert ("isArmResource" in made["properties"]) is marked


@pytest.mark.parametrize(("day", "sent", "told"), [("2022-02-13", True, True), ("2022-02-13", False, False), ("2026-01-01", False, True)])
def test_a_snapshot_once_had_a_name_only_where_it_was_sent(day: str, sent: bool, told: bool) -> None:
    """Recorded traffic of Azure/azure-service-operator (Test_Compute_Snapshot_CRUD) and azure-mgmt-compute 17.0.0."""
    sandbox, path = on(day), f"{GROUP}/providers/Microsoft.Compute/snapshots/s"
    made = ask(sandbox, "PUT", path, "2020-09-30", {**DISK, "name": "s"} if sent else DISK).json()
    assert ("name" in made) is told
    sandbox.clock.advance(60)
    assert ask(sandbox, "GET", path, "2020-09-30").json()["name"] == "s"


@pytest.mark.parametrize(("day", "version", "shown"), [("2021-01-01", "2020-11-01", False), ("2022-01-10", "2020-11-01", True)])
def test_an_interfaces_encryption_is_shown_since_a_day(day: str, version: str, shown: bool) -> None:
    """Recorded traffic of Azure/azure-service-operator (Test_Compute_VM_CRUD)."""
    sandbox = on(day)
    ask(sandbox, "PUT", f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v", version, NETWORK)
    subnet = {"id": f"/subscriptions/{sandbox.subscription_id}{GROUP}/providers/Microsoft.Network/virtualNetworks/v/subnets/a"}
    body = {"location": "westeurope", "properties": {"ipConfigurations": [{"name": "one", "properties": {"subnet": subnet}}]}}
    made = ask(sandbox, "PUT", f"{GROUP}/providers/Microsoft.Network/networkInterfaces/i", version, body).json()["properties"]
    assert ("vnetEncryptionSupported" in made) is shown


@pytest.mark.parametrize(
    ("day", "version", "shown"),
    [
        ("2019-10-16", "2018-01-01", True),
        ("2021-07-07", "2018-01-01", False),
        ("2018-08-10", "2018-04-01", True),
        ("2020-05-07", "2019-09-01", False),
        ("2026-01-01", "2021-02-01", True),
    ],
)
def test_a_public_addresss_tier_went_and_came_back(day: str, version: str, shown: bool) -> None:
    """Recorded traffic of Azure/azure-cli (test_vm_os_disk_swap), azure-mgmt-network 19.0.0 and others."""
    made = ask(on(day), "PUT", f"{GROUP}/providers/Microsoft.Network/publicIPAddresses/p", version, {"location": "westeurope"})
    assert ("tier" in made.json()["sku"]) is shown


@pytest.mark.parametrize(("version", "shown"), [("2021-05-01", False), ("2022-01-01", True)])
def test_an_interface_has_a_kind_and_a_subnet_notifies_since_2021(version: str, shown: bool) -> None:
    """Recorded traffic of Azure/azure-sdk-for-js (virtualmachines_create_test)."""
    sandbox, network = on("2026-01-01"), f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v"
    ask(sandbox, "PUT", network, version, NETWORK)
    made = ask(sandbox, "PUT", f"{network}/subnets/b", version, {"properties": {"addressPrefix": "10.0.1.0/24"}})
    assert ("azure-asyncnotification" in made.headers) is shown
    subnet = {"id": f"/subscriptions/{sandbox.subscription_id}{network}/subnets/a"}
    body = {"location": "westeurope", "properties": {"ipConfigurations": [{"name": "one", "properties": {"subnet": subnet}}]}}
    interface = ask(sandbox, "PUT", f"{GROUP}/providers/Microsoft.Network/networkInterfaces/i", version, body)
    assert ("kind" in interface.json()) is shown


@pytest.mark.parametrize(("day", "told"), [("2019-10-16", True), ("2026-01-01", False)])
def test_a_copys_first_answer_once_told_the_system(day: str, told: bool) -> None:
    """Recorded traffic of Azure/azure-cli (test_vm_os_disk_swap of 2019; test_vm_create_data_disk_delete_option of 2024)."""
    sandbox, disks = on(day), f"{GROUP}/providers/Microsoft.Compute/disks"
    empty = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4, "osType": "Linux"}
    ask(sandbox, "PUT", f"{disks}/a", "2019-03-01", {"location": "westeurope", "properties": empty})
    sandbox.clock.advance(60)
    source = f"/subscriptions/{sandbox.subscription_id}{disks}/a"
    copy = {"location": "westeurope", "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": source}}}
    assert ("osType" in ask(sandbox, "PUT", f"{disks}/b", "2019-03-01", copy).json()["properties"]) is told


@pytest.mark.parametrize("version", ["2021-02-01", "2025-05-01"])
def test_a_balancer_is_there_at_once_and_tells_of_its_probes_what_is_known(version: str) -> None:
    """Recorded traffic of azure-mgmt-network 19.0.0 (test_cli_mgmt_network_load_balancer) and of Azure/azure-service-operator
    (Test_Networking_LoadBalancer_CRUD)."""
    sandbox, provider = on("2026-01-01"), f"{GROUP}/providers/Microsoft.Network"
    body: dict[str, Any] = {"location": "westeurope", "sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}}
    ask(sandbox, "PUT", f"{provider}/publicIPAddresses/p", version, body)
    here = f"/subscriptions/{sandbox.subscription_id}{provider}"
    front, pool = ({"id": f"{here}/loadBalancers/b/{part}"} for part in ("frontendIPConfigurations/f", "backendAddressPools/q"))
    flow = {"protocol": "Tcp", "frontendPort": 80, "backendPort": 80, "frontendIPConfiguration": front, "backendAddressPool": pool}
    body["properties"] = {
        "frontendIPConfigurations": [{"name": "f", "properties": {"publicIPAddress": {"id": f"{here}/publicIPAddresses/p"}}}],
        "backendAddressPools": [{"name": "q"}],
        "probes": [{"name": "h", "properties": {"protocol": "Tcp", "port": 80}}],
        "loadBalancingRules": [{"name": "r", "properties": flow}],
    }
    answer = ask(sandbox, "PUT", f"{provider}/loadBalancers/b", version, body)
    made = answer.json()["properties"]
    assert (made["provisioningState"], "retry-after" in answer.headers, "azure-asyncoperation" in answer.headers) == (
        "Succeeded",
        False,
        True,
    )
    [rule], [probe], [kept] = (made[kind] for kind in ("loadBalancingRules", "probes", "backendAddressPools"))
    assert (rule["properties"]["backendAddressPools"], rule["properties"]["allowBackendPortConflict"]) == ([pool], False)
    assert (kept["properties"]["provisioningState"], kept["properties"]["loadBalancerBackendAddresses"]) == ("Succeeded", [])
    assert made["frontendIPConfigurations"][0]["properties"]["privateIPAddressVersion"] == "IPv4"
    assert ("probeThreshold" in probe["properties"]) is (version > "2022")


@pytest.mark.parametrize(
    ("asked", "version", "told"), [(64, "2019-07-01", 64), (None, "2019-07-01", None), (None, "2022-11-01", 30), (64, "2022-11-01", 64)]
)
def test_a_scale_set_once_told_a_size_only_where_it_was_asked_for(asked: int | None, version: str, told: int | None) -> None:
    """Recorded traffic of azure-mgmt-monitor 1.0.1 (test_autoscale_settings) and Azure/azure-cli (test_vmss_create_custom_data)."""
    sandbox, network = on("2026-01-01"), f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v"
    ask(sandbox, "PUT", network, "2021-05-01", NETWORK)
    subnet = {"id": f"/subscriptions/{sandbox.subscription_id}{network}/subnets/a"}
    address = {"name": "ip", "properties": {"subnet": subnet}}
    profile = {
        "storageProfile": {"imageReference": UBUNTU, "osDisk": {"createOption": "FromImage", "diskSizeGB": asked}},
        "osProfile": {"computerNamePrefix": "web", "adminUsername": "builder", "adminPassword": "Correct-horse1"},
        "networkProfile": {
            "networkInterfaceConfigurations": [{"name": "nic", "properties": {"primary": True, "ipConfigurations": [address]}}]
        },
    }
    model = {"upgradePolicy": {"mode": "Manual"}, "virtualMachineProfile": profile}
    body = {"location": "westeurope", "sku": {"name": "Standard_D2s_v5", "capacity": 1}, "properties": model}
    made = ask(sandbox, "PUT", f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/s", version, body)
    assert made.status == 201, made.body
    assert made.json()["properties"]["virtualMachineProfile"]["storageProfile"]["osDisk"].get("diskSizeGB") == told


def test_a_placement_group_tells_who_is_in_it_when_it_is_read() -> None:
    """Recorded traffic of Azure/azure-sdk-for-go (TestProximityPlacementGroupTestSuite)."""
    sandbox, provider, version = on("2026-01-01"), f"{GROUP}/providers/Microsoft.Compute", "2022-11-01"
    group = f"{provider}/proximityPlacementGroups/p"
    assert ask(sandbox, "PUT", group, version, {"location": "westeurope"}).json()["properties"] == {
        "proximityPlacementGroupType": "Standard"
    }
    placed = {"proximityPlacementGroup": {"id": f"/subscriptions/{sandbox.subscription_id}{group}"}}
    set = ask(sandbox, "PUT", f"{provider}/availabilitySets/s", version, {"location": "westeurope", "properties": placed}).json()
    read = ask(sandbox, "GET", group, version).json()["properties"]
    assert (read["virtualMachines"], read["virtualMachineScaleSets"], read["availabilitySets"]) == ([], [], [{"id": set["id"]}])


@pytest.mark.parametrize(("version", "shown"), [("2018-01-01-preview", False), ("2022-04-01", True)])
def test_a_permission_has_conditions_since_2022(version: str, shown: bool) -> None:
    """Recorded traffic of azure-mgmt-authorization 1.0.0 (test_authorization)."""
    held = ask(on("2026-01-01"), "GET", f"{GROUP}/providers/Microsoft.Authorization/permissions", version).json()["value"]
    assert ("condition" in held[0]) is shown


@pytest.mark.parametrize(("version", "shown"), [("2015-08-31-preview", True), ("2018-11-30", False)])
def test_an_identity_told_where_its_secret_is_until_2018(version: str, shown: bool) -> None:
    """Recorded traffic of azure-mgmt-resource 15.0.0 (test_deployment_scripts)."""
    sandbox, identity = on("2026-01-01"), f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one"
    made = ask(sandbox, "PUT", identity, version, {"location": "westeurope"}).json()["properties"]
    assert ("clientSecretUrl" in made) is shown
    assert ask(sandbox, "GET", identity, version).json()["properties"] == made


@pytest.mark.parametrize(("version", "shown"), [("2022-01-03", False), ("2022-03-03", True)])
def test_an_application_has_actions_since_2022_03_03(version: str, shown: bool) -> None:
    """Recorded traffic of Azure/azure-sdk-for-go (armcompute, TestGalleryTestSuite)."""
    sandbox, gallery = on("2026-01-01"), f"{GROUP}/providers/Microsoft.Compute/galleries/g"
    ask(sandbox, "PUT", gallery, "2024-03-03", {"location": "westeurope"})
    sandbox.clock.advance(60)
    body = {"location": "westeurope", "properties": {"supportedOSType": "Windows", "customActions": [{"name": "a", "script": "b"}]}}
    assert ask(sandbox, "PUT", f"{gallery}/applications/a", "2024-03-03", body).status == 201
    read = ask(sandbox, "GET", f"{gallery}/applications/a", version).json()["properties"]
    assert ("customActions" in read) is shown


def test_a_field_is_shown_by_the_api_versions_that_know_it() -> None:
    sandbox = on("2026-01-01")
    ask(sandbox, "PUT", f"{GROUP}/providers/Microsoft.Compute/disks/d", "2024-03-02", DISK)
    sandbox.clock.advance(60)
    old, new = (
        ask(sandbox, "GET", f"{GROUP}/providers/Microsoft.Compute/disks/d", version).json()["properties"]
        for version in ("2018-09-30", "2019-03-01")
    )
    assert set(new) - set(old) == {"uniqueId", "diskSizeBytes"}


@pytest.mark.parametrize(("version", "shown"), [("2022-11-01", False), ("2023-03-01", True)])
def test_a_restore_point_tells_its_disks_encryption_since_2023(version: str, shown: bool) -> None:
    """Recorded traffic of Azure/azure-sdk-for-go (armcompute, TestRestorePointTestSuite)."""
    disk = {"diskRestorePoint": {"id": "/one", "encryption": {"type": "EncryptionAtRestWithPlatformKey"}}}
    body = {"properties": {"sourceMetadata": {"storageProfile": {"osDisk": disk, "dataDisks": [disk]}}}}
    told = vintages.shown("Microsoft.Compute/restorePointCollections/restorePoints", version, body)["properties"]["sourceMetadata"]
    disks = told["storageProfile"]
    assert ["encryption" in one["diskRestorePoint"] for one in (disks["osDisk"], *disks["dataDisks"])] == [shown, shown]
