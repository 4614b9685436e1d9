"""Scale sets as users of images: which version each instance was made from, and what happens when it is gone."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.sandbox.bodies import (
    LOCATION,
    UBUNTU,
    make_group,
    make_network,
    publish,
    version,
)
from tests.sandbox_transport import AzureClients

from .scale_sets import patch, published, put, scale_set, source, used

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_a_scale_set_is_made_read_listed_changed_and_deleted(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    await make_network(azure_clients)
    sets = azure_clients.compute.virtual_machine_scale_sets
    made = await put(azure_clients, scale_set(azure_clients, UBUNTU))
    assert (made.provisioning_state, made.sku.capacity, made.orchestration_mode) == ("Succeeded", 2, "Uniform")
    assert made.virtual_machine_profile.os_profile.computer_name_prefix == "web"
    assert [one.name async for one in sets.list("rg")] == [one.name async for one in sets.list_all()] == ["web"]
    changed = await patch(azure_clients, tags={"a": "b"}, sku={"name": "Standard_D2s_v5", "capacity": 3})
    assert (changed.tags, changed.sku.capacity) == ({"a": "b"}, 3)
    one = await azure_clients.compute.virtual_machine_scale_set_vms.get("rg", "web", "2")
    assert (one.name, one.os_profile.computer_name, one.latest_model_applied) == ("web_2", "web000002", True)
    view = await sets.get_instance_view("rg", "web")
    assert [(status.code, status.count) for status in view.virtual_machine.statuses_summary] == [("ProvisioningState/succeeded", 3)]
    await (await azure_clients.compute.virtual_machine_scale_set_vms.begin_delete("rg", "web", "0")).result()
    await (await sets.begin_delete_instances("rg", "web", {"instanceIds": ["1"]})).result()
    assert list(await used(azure_clients)) == ["2"]
    assert (await sets.get("rg", "web")).sku.capacity == 1
    await (await sets.begin_delete("rg", "web")).result()
    assert [one async for one in sets.list("rg")] == []
    with pytest.raises(ResourceNotFoundError):
        await azure_clients.compute.virtual_machine_scale_set_vms.get("rg", "web", "2")


async def test_a_uniform_set_shows_what_azure_adds(azure_clients: AzureClients) -> None:
    """Recorded traffic of azure-sdk-for-go (TestVirtualMachineScaleSetTestSuite) and azure-cli (test_vmss_create_custom_data)."""
    await make_group(azure_clients)
    await make_network(azure_clients)
    made = await put(azure_clients, scale_set(azure_clients, UBUNTU))
    [interface] = made.virtual_machine_profile.network_profile.network_interface_configurations
    assert (interface.enable_accelerated_networking, interface.enable_ip_forwarding, interface.disable_tcp_state_tracking) == (False,) * 3
    assert (interface.dns_settings.dns_servers, interface.ip_configurations[0].private_ip_address_version) == ([], "IPv4")
    assert made.do_not_run_extensions_on_overprovisioned_v_ms is False
    assert made.virtual_machine_profile.os_profile.linux_configuration.patch_settings is None
    disk = made.virtual_machine_profile.storage_profile.os_disk
    assert (disk.os_type, disk.disk_size_gb) == ("Linux", 30)


async def test_a_scale_set_says_how_large_the_os_disks_of_its_instances_are(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    await make_network(azure_clients)
    body = scale_set(azure_clients, UBUNTU)
    body["properties"]["virtualMachineProfile"]["storageProfile"]["osDisk"]["diskSizeGB"] = 64
    assert (await put(azure_clients, body)).virtual_machine_profile.storage_profile.os_disk.disk_size_gb == 64


async def test_new_instances_take_what_latest_means_then(azure_clients: AzureClients) -> None:
    definition = await published(azure_clients, "1.0.0")
    await put(azure_clients, scale_set(azure_clients, {"id": definition}))
    await publish(azure_clients, "1.1.0", version(source(azure_clients)))
    assert await used(azure_clients) == {"0": "1.0.0", "1": "1.0.0"}
    await patch(azure_clients, sku={"capacity": 3})
    assert await used(azure_clients) == {"0": "1.0.0", "1": "1.0.0", "2": "1.1.0"}


@pytest.mark.parametrize(("mode", "expected"), [("Manual", ["1.0.0", "1.0.0"]), ("Automatic", ["1.1.0", "1.1.0"])])
async def test_another_image_reaches_the_instances_as_the_upgrade_mode_says(
    azure_clients: AzureClients, mode: str, expected: list[str]
) -> None:
    definition = await published(azure_clients, "1.0.0", "1.1.0")
    await put(azure_clients, scale_set(azure_clients, {"id": f"{definition}/versions/1.0.0"}, mode=mode))
    image = {"storageProfile": {"imageReference": {"id": f"{definition}/versions/1.1.0"}}}
    await patch(azure_clients, properties={"virtualMachineProfile": image})
    assert list((await used(azure_clients)).values()) == expected
    upgrade = azure_clients.compute.virtual_machine_scale_sets.begin_update_instances
    await (await upgrade("rg", "web", {"instanceIds": ["0"]})).result()
    assert (await used(azure_clients))["0"] == "1.1.0"


async def test_a_scale_set_cannot_grow_when_its_version_is_gone(azure_clients: AzureClients) -> None:
    definition = await published(azure_clients, "1.0.0")
    await put(azure_clients, scale_set(azure_clients, {"id": f"{definition}/versions/1.0.0"}))
    await (await azure_clients.compute.gallery_image_versions.begin_delete("rg", "gallery", "ubuntu", "1.0.0")).result()
    with pytest.raises(ResourceNotFoundError, match="is not available in westeurope region"):
        await patch(azure_clients, sku={"capacity": 3})
    assert len(await used(azure_clients)) == 2
    assert (await patch(azure_clients, sku={"capacity": 1})).sku.capacity == 1, "it can still shrink"


async def test_a_soft_deleted_version_still_serves_a_scale_set(azure_clients: AzureClients) -> None:
    definition = await published(azure_clients, "1.0.0")
    policy = {"location": LOCATION, "properties": {"softDeletePolicy": {"isSoftDeleteEnabled": True}}}
    await (await azure_clients.compute.galleries.begin_create_or_update("rg", "gallery", policy)).result()
    await put(azure_clients, scale_set(azure_clients, {"id": f"{definition}/versions/1.0.0"}))
    await (await azure_clients.compute.gallery_image_versions.begin_delete("rg", "gallery", "ubuntu", "1.0.0")).result()
    assert (await patch(azure_clients, sku={"capacity": 3})).sku.capacity == 3


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"upgradePolicy": {"mode": "Rolling"}}, "a health probe or health extension was not provided"),
        ({"skuProfile": {"vmSizes": [{"name": "Standard_D2s_v5"}]}}, "'skuProfile' is not supported"),
        ({"upgradePolicy": {}}, "upgradePolicy.mode"),
    ],
)
async def test_what_the_sandbox_does_not_do_is_refused(azure_clients: AzureClients, change: dict[str, Any], expected: str) -> None:
    await make_group(azure_clients)
    await make_network(azure_clients)
    with pytest.raises(HttpResponseError, match=expected):
        await put(azure_clients, scale_set(azure_clients, UBUNTU, **change))
    assert [one async for one in azure_clients.compute.virtual_machine_scale_sets.list("rg")] == []


async def test_capacity_is_held_to_the_quota(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    await make_network(azure_clients)
    azure_clients.sandbox.store.set("quota", {"westeurope/cores": 6})
    with pytest.raises(ResourceExistsError, match="Additional Required: 8"):
        await put(azure_clients, scale_set(azure_clients, UBUNTU, 4))
    await put(azure_clients, scale_set(azure_clients, UBUNTU, 3))
    with pytest.raises(ResourceExistsError, match="Current Usage: 6"):
        await patch(azure_clients, sku={"capacity": 4})
    with pytest.raises(HttpResponseError, match="between 0 and 1000"):
        await patch(azure_clients, sku={"capacity": 1001})
    assert (await azure_clients.compute.virtual_machine_scale_sets.get("rg", "web")).sku.capacity == 3


async def powers(clients: AzureClients) -> dict[str, str]:
    """Instance id -> power state."""
    found = clients.compute.virtual_machine_scale_set_vms.list("rg", "web", expand="instanceView")
    return {one.instance_id: one.instance_view.statuses[-1].code async for one in found}


async def test_instances_are_stopped_and_started_together_and_one_by_one(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    await make_network(azure_clients)
    await put(azure_clients, scale_set(azure_clients, UBUNTU))
    sets, one_by_one = azure_clients.compute.virtual_machine_scale_sets, azure_clients.compute.virtual_machine_scale_set_vms
    await (await sets.begin_power_off("rg", "web")).result()
    assert await powers(azure_clients) == {"0": "PowerState/stopped", "1": "PowerState/stopped"}
    await (await sets.begin_start("rg", "web", {"instanceIds": ["1"]})).result()
    assert await powers(azure_clients) == {"0": "PowerState/stopped", "1": "PowerState/running"}
    await (await one_by_one.begin_deallocate("rg", "web", "1")).result()
    view = await one_by_one.get_instance_view("rg", "web", "1")
    assert [status.code for status in view.statuses] == ["ProvisioningState/succeeded", "PowerState/deallocated"]
    with pytest.raises(ResourceExistsError, match="'web_0' is not running, so it cannot be restarted"):
        await sets.begin_restart("rg", "web")
    await (await sets.begin_start("rg", "web")).result()
    await (await sets.begin_restart("rg", "web")).result()
    assert set((await powers(azure_clients)).values()) == {"PowerState/running"}


async def test_a_deallocated_instance_needs_quota_to_start(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    await make_network(azure_clients)
    await put(azure_clients, scale_set(azure_clients, UBUNTU))
    sets = azure_clients.compute.virtual_machine_scale_sets
    await (await sets.begin_deallocate("rg", "web")).result()
    azure_clients.sandbox.store.set("quota", {"westeurope/cores": 2})
    with pytest.raises(ResourceExistsError, match="Additional Required: 4"):
        await sets.begin_start("rg", "web")
    await (await sets.begin_start("rg", "web", {"instanceIds": ["0"]})).result()


@pytest.mark.parametrize(
    ("id", "expected"), [("7", "7 is not an active Virtual Machine Scale Set VM instanceId"), ("web_0", "must be a non-negative integer")]
)
async def test_an_instance_that_is_not_there_is_refused_by_name(azure_clients: AzureClients, id: str, expected: str) -> None:
    await make_group(azure_clients)
    await make_network(azure_clients)
    await put(azure_clients, scale_set(azure_clients, UBUNTU))
    sets = azure_clients.compute.virtual_machine_scale_sets
    for ask in (sets.begin_delete_instances, sets.begin_update_instances, sets.begin_deallocate):
        with pytest.raises(HttpResponseError, match=expected):
            await ask("rg", "web", {"instanceIds": [id]})
    assert len(await used(azure_clients)) == 2


async def test_a_reimage_needs_the_version_that_an_instance_was_made_from(azure_clients: AzureClients) -> None:
    definition = await published(azure_clients, "1.0.0")
    await put(azure_clients, scale_set(azure_clients, {"id": definition}))
    await publish(azure_clients, "1.1.0", version(source(azure_clients)))
    sets = azure_clients.compute.virtual_machine_scale_sets
    await (await sets.begin_reimage("rg", "web")).result()
    assert await used(azure_clients) == {"0": "1.0.0", "1": "1.0.0"}, "a reimage upgrades nothing"
    await patch(azure_clients, sku={"capacity": 3})
    await (await azure_clients.compute.gallery_image_versions.begin_delete("rg", "gallery", "ubuntu", "1.0.0")).result()
    with pytest.raises(ResourceNotFoundError, match=r"versions/1\.0\.0 is not available in westeurope region"):
        await sets.begin_reimage("rg", "web")
    await (await azure_clients.compute.virtual_machine_scale_set_vms.begin_reimage("rg", "web", "2")).result()
    await (await sets.begin_deallocate("rg", "web", {"instanceIds": ["0"]})).result()
    await (await sets.begin_start("rg", "web", {"instanceIds": ["0"]})).result()
