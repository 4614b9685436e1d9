"""What a region offers: marketplace images, sizes, SKUs, usages; and the small resources that machines refer to; through the official
clients, sync and async."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from include.sandbox.blobs import account_sas, text_at
from include.sandbox.wire import Request
from tests.sandbox.bodies import LOCATION
from tests.sandbox.sync_machines import Azure
from tests.sandbox_transport import BASE, AzureClients


@pytest.fixture
def azure() -> Azure:
    return Azure()


def test_the_marketplace_is_walked_down_to_a_version(azure: Azure) -> None:
    images = azure.compute.virtual_machine_images
    assert {"Canonical", "MicrosoftWindowsServer", "OpenLogic"} <= {one.name for one in images.list_publishers(LOCATION)}
    assert "UbuntuServer" in [one.name for one in images.list_offers(LOCATION, "canonical")]
    assert "18.04-LTS" in [one.name for one in images.list_skus(LOCATION, "Canonical", "UbuntuServer")]
    newest = images.list(LOCATION, "Canonical", "ubuntu-24_04-lts", "server", top=1, orderby="name desc")
    assert [one.name for one in newest] == ["24.04.202511110"]
    whole = images.list(LOCATION, "Canonical", "ubuntu-24_04-lts", "server", expand="properties")
    assert whole[0]["properties"]["osDiskImage"]["operatingSystem"] == "Linux"
    shown = images.get(LOCATION, "Canonical", "ubuntu-24_04-lts", "server", "latest")
    assert (shown.name, shown.hyper_v_generation, shown.architecture) == ("24.04.202511110", "V2", "x64")
    assert {one.name: one.value for one in shown.features}["SecurityType"] == "TrustedLaunchSupported"
    for missing in (
        lambda: images.list_offers(LOCATION, "nobody"),
        lambda: images.get(LOCATION, "Canonical", "ubuntu-24_04-lts", "server", "1.2.3"),
    ):
        with pytest.raises(ResourceNotFoundError):
            missing()


def test_the_short_names_of_images_are_read_where_az_reads_them(azure: Azure) -> None:
    image_names = {"https://azcliprod.blob.core.windows.net/cli/vm/aliases.json"}
    local = "https://localhost:8443"
    endpoints = azure.sandbox.handle(Request("GET", f"{local}/metadata/endpoints?api-version=2022-09-01")).json()
    image_names.add(endpoints["vmImageAliasDoc"])
    for url in image_names:
        named = azure.sandbox.handle(Request("GET", url)).json()["outputs"]["aliases"]["value"]
        assert {"Ubuntu2204", "AzureLinux4", "Debian11"} < set(named["Linux"])
        for found in (*named["Linux"].values(), *named["Windows"].values()):
            shown = azure.compute.virtual_machine_images.get(LOCATION, found["publisher"], found["offer"], found["sku"], "latest")
            assert shown.architecture == found["architecture"]


def test_preview_features_are_registered_after_a_while(azure: Azure) -> None:
    root = f"{BASE}/subscriptions/{azure.sandbox.subscription_id}/providers/Microsoft.Features/providers/Microsoft.Compute/features"

    def state(name: str, method: str = "GET", act: str = "") -> str:
        answer = azure.sandbox.handle(Request(method, f"{root}/{name}{act}?api-version=2021-07-01"))
        return str(answer.json()["properties"]["state"] if answer.status == 200 else answer.json()["error"]["code"])

    assert state("encryptionathost") == "Registered"
    assert state("UseStandardSecurityType") == "NotRegistered"
    assert state("UseStandardSecurityType", "POST", "/register") == state("UseStandardSecurityType") == "Registering"
    azure.sandbox.clock.advance(600)
    assert state("UseStandardSecurityType") == "Registered"
    assert state("UseStandardSecurityType", "POST", "/unregister") == "Unregistering"
    assert state("Nope") == "FeatureNotFound"
    listed = azure.sandbox.handle(Request("GET", f"{root}?api-version=2015-12-01"))  # no api-version of Microsoft.Compute's
    assert listed.status == 200, "recorded: azure-mgmt-resource 15.0.0, test_features"


def test_sizes_skus_and_usages_agree(azure: Azure) -> None:
    sizes = {one.name: one for one in azure.compute.virtual_machine_sizes.list(LOCATION)}
    assert (sizes["Standard_DS1_v2"].number_of_cores, sizes["Standard_DS1_v2"].max_data_disk_count) == (1, 4)
    azure.sandbox.store.set("restricted", {LOCATION: ["Standard_D2s_v5"]})
    skus = list(azure.compute.resource_skus.list(filter=f"location eq '{LOCATION}'"))
    machines = {one.name: one for one in skus if one.resource_type == "virtualMachines"}
    assert set(machines) == set(sizes)
    assert machines["Standard_D2s_v5"].restrictions[0].reason_code == "NotAvailableForSubscription"
    assert {one.name: one.value for one in machines["Standard_D2_v2"].capabilities}["PremiumIO"] == "False"
    assert {one.tier for one in skus if one.resource_type == "disks"} == {"Standard", "Premium", "Ultra"}
    azure.sandbox.store.set("restricted", {})
    azure.machine()
    azure.machine("spot", priority="Spot")
    used = {one.name.value: one.current_value for one in azure.compute.usage.list(LOCATION)}
    assert (used["cores"], used["standardDSv5Family"], used["lowPriorityCores"], used["virtualMachines"]) == (2, 2, 2, 2)
    assert used["PremiumDiskCount"] == 2
    assert [one.name for one in azure.compute.virtual_machines.list_available_sizes("rg", "vm")] == list(sizes)


def test_an_availability_set_is_made_used_changed_and_deleted(azure: Azure) -> None:
    sets = azure.compute.availability_sets
    made = sets.create_or_update(
        "rg", "set", {"location": LOCATION, "sku": {"name": "Aligned"}, "properties": {"platformFaultDomainCount": 2}}
    )
    assert (made.platform_fault_domain_count, made.platform_update_domain_count, made.sku.name) == (2, 5, "Aligned")
    vm = azure.machine(availabilitySet={"id": made.id})
    assert [one.id for one in sets.get("rg", "set").virtual_machines] == [vm.id]
    assert [one.name for one in sets.list("rg")] == [one.name for one in sets.list_by_subscription()] == ["set"]
    changed = sets.update("rg", "set", {"tags": {"a": "b"}})
    assert (changed.tags, changed.virtual_machines) == ({"a": "b"}, None), "recorded: no write shows machines"
    with pytest.raises(ResourceExistsError):
        sets.delete("rg", "set")
    azure.compute.virtual_machines.begin_delete("rg", "vm").result()
    sets.delete("rg", "set")
    assert list(sets.list("rg")) == []


def test_a_placement_group_is_made_used_and_left(azure: Azure) -> None:
    groups = azure.compute.proximity_placement_groups
    made = groups.create_or_update("rg", "group", {"location": LOCATION, "properties": {"proximityPlacementGroupType": "Standard"}})
    azure.machine()
    change = {"properties": {"proximityPlacementGroup": {"id": made.id}}}
    with pytest.raises(ResourceExistsError) as refused:
        azure.compute.virtual_machines.begin_update("rg", "vm", change)
    assert "is not allowed while the VM is running" in str(refused.value)
    azure.compute.virtual_machines.begin_deallocate("rg", "vm").result()
    azure.compute.virtual_machines.begin_update("rg", "vm", change).result()
    assert len(groups.get("rg", "group").virtual_machines) == 1
    assert groups.update("rg", "group", {"tags": {"a": "b"}}).tags == {"a": "b"}
    with pytest.raises(ResourceExistsError):
        groups.delete("rg", "group")


def test_an_ssh_key_is_kept_or_made(azure: Azure) -> None:
    keys = azure.compute.ssh_public_keys
    keys.create("rg", "given", {"location": LOCATION, "properties": {"publicKey": "ssh-ed25519 AAAA builder"}})
    keys.create("rg", "made", {"location": LOCATION})
    pair = keys.generate_key_pair("rg", "made", {"encryptionType": "Ed25519"})
    assert pair.public_key.startswith("ssh-ed25519 ")
    assert pair.private_key.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert keys.get("rg", "made").public_key == pair.public_key
    assert sorted(one.name for one in keys.list_by_resource_group("rg")) == ["given", "made"]
    with pytest.raises(HttpResponseError):
        keys.create("rg", "bad", {"location": LOCATION, "properties": {"publicKey": "nonsense"}})
    keys.delete("rg", "given")
    assert [one.name for one in keys.list_by_subscription()] == ["made"]


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_offers_are_read_by_the_async_client_too(azure_clients: AzureClients) -> None:
    images: Any = azure_clients.compute.virtual_machine_images
    assert "Debian" in [one.name for one in await images.list_publishers(LOCATION)]
    sizes = [one.name async for one in azure_clients.compute.virtual_machine_sizes.list(LOCATION)]
    assert "Standard_D2s_v5" in sizes
    assert "availabilitySets" in [one.name.value async for one in azure_clients.compute.usage.list(LOCATION)]


def publish(azure: Azure, **entry: Any) -> int:
    body = json.dumps(entry).encode()
    return azure.sandbox.handle(Request("POST", "https://management.azure.com/_sandbox/marketplace", {}, body)).status


def test_publishers_offers_skus_and_extensions_are_published_before_they_have_anything(azure: Azure) -> None:
    images, extensions = azure.compute.virtual_machine_images, azure.compute.virtual_machine_extension_images
    assert publish(azure, publisher="contoso") == 201
    assert [images.list_offers(LOCATION, "Contoso"), list(extensions.list_types(LOCATION, "contoso"))] == [[], []]
    assert publish(azure, publisher="contoso", offer="linux") == 201
    assert ([one.name for one in images.list_offers(LOCATION, "contoso")], images.list_skus(LOCATION, "contoso", "linux")) == (
        ["linux"],
        [],
    )
    assert publish(azure, publisher="contoso", offer="linux", sku="1") == 201
    assert [one.name for one in images.list_skus(LOCATION, "contoso", "linux")] == ["1"]
    assert images.list(LOCATION, "contoso", "linux", "1") == []
    properties = {"operatingSystem": "Windows", "computeRole": "IaaS"}
    assert publish(azure, publisher="contoso", type="Agent", version="1.2", properties=properties) == 201
    assert [one.name for one in extensions.list_versions(LOCATION, "contoso", "agent")] == ["1.2"]
    assert extensions.get(LOCATION, "contoso", "agent", "1.2").operating_system == "Windows"
    assert [publish(azure, offer="linux"), publish(azure, publisher="c", offer="o", sku="s", version="one")] == [400, 400]


def test_logs_of_requests_are_written_to_a_container_of_the_sandbox_s_and_to_no_other(azure: Azure) -> None:
    asked = {"fromTime": "2026-01-01T00:00:00Z", "toTime": "2026-01-02T00:00:00Z", "intervalLength": "SixtyMins"}
    export = azure.compute.log_analytics.begin_export_request_rate_by_interval
    place = "https://devstorage.blob.core.windows.net/logs"
    written = export(LOCATION, {**asked, "blobContainerSasUri": f"{place}?{account_sas(azure.sandbox)}"}).result()
    assert written.properties.output.startswith(f"{place}/RequestRateByInterval_")
    assert "Operation,Count" in str(text_at(azure.sandbox, written.properties.output))
    with pytest.raises(HttpResponseError, match="Could not write log analytics"):
        export(LOCATION, {**asked, "blobContainerSasUri": "https://elsewhere.blob.core.windows.net/logs?sig=x"}).result()
