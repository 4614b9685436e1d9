"""Soft delete in galleries: the bin, what can still be done with a version in it, and the way back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.sandbox.bodies import LOCATION, generalize, group, machine, make_definition, make_machine, publish, version
from tests.sandbox_transport import AzureClients

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

DAY = 86_400
POLICY = {"isSoftDeleteEnabled": True, "retentionPeriodInDays": 3, "gracePeriodInDays": 2}


async def set_policy(clients: AzureClients, **policy: Any) -> Any:
    body = {"location": LOCATION, "properties": {"softDeletePolicy": policy}}
    return await (await clients.compute.galleries.begin_create_or_update("rg", "gallery", body)).result()


async def deleted(clients: AzureClients, *names: str, **policy: Any) -> dict[str, Any]:
    """A definition with versions of which `names` are soft-deleted; returns the source."""
    source = {"source": {"virtualMachineId": (await make_machine(clients)).id}}
    await generalize(clients)
    await make_definition(clients)
    await set_policy(clients, **(policy or POLICY))
    for name in ("1.0.0", "1.1.0"):
        await publish(clients, name, version(source))
    for name in names:
        await remove(clients, name)
    return source


async def remove(clients: AzureClients, name: str, **options: Any) -> None:
    await (await clients.compute.gallery_image_versions.begin_delete("rg", "gallery", "ubuntu", name, **options)).result()


async def listed(clients: AzureClients) -> list[str]:
    return [one.name async for one in clients.compute.gallery_image_versions.list_by_gallery_image("rg", "gallery", "ubuntu")]


async def in_the_bin(clients: AzureClients) -> list[Any]:
    found = clients.compute.soft_deleted_resource.list_by_artifact_name("rg", "gallery", "images", "ubuntu")
    return [one async for one in found]


async def boot(clients: AzureClients, name: str, reference: str) -> str:
    subnet = f"{group(clients)}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/build"
    poller = await clients.compute.virtual_machines.begin_create_or_update("rg", name, machine(subnet, {"id": reference}))
    return str((await poller.result()).storage_profile.image_reference.exact_version)


def definition(clients: AzureClients) -> str:
    return f"{group(clients)}/providers/Microsoft.Compute/galleries/gallery/images/ubuntu"


async def test_a_soft_deleted_version_is_in_the_bin_and_nowhere_else(azure_clients: AzureClients) -> None:
    await deleted(azure_clients, "1.1.0")
    assert await listed(azure_clients) == ["1.0.0"]
    with pytest.raises(ResourceNotFoundError):
        await azure_clients.compute.gallery_image_versions.get("rg", "gallery", "ubuntu", "1.1.0")
    (found,) = await in_the_bin(azure_clients)
    assert found.name == "1.1.0"
    assert found.properties.resource_arm_id == f"{definition(azure_clients)}/versions/1.1.0"
    consumable, gone = found.properties.consumption_end_time, found.properties.hard_deletion_target_time
    assert gone - consumable == timedelta(days=2)


async def test_latest_never_resolves_to_it_but_its_name_does_until_its_retention_ends(azure_clients: AzureClients) -> None:
    await deleted(azure_clients, "1.1.0")
    assert await boot(azure_clients, "latest", definition(azure_clients)) == "1.0.0"
    assert await boot(azure_clients, "named", f"{definition(azure_clients)}/versions/1.1.0") == "1.1.0"
    await asyncio.sleep(3 * DAY)
    with pytest.raises(ResourceNotFoundError, match="not available in westeurope"):
        await boot(azure_clients, "late", f"{definition(azure_clients)}/versions/1.1.0")
    assert [one.name for one in await in_the_bin(azure_clients)] == ["1.1.0"], "in its grace period it is still there"


@pytest.mark.parametrize("body", [{"properties": {"restore": True, "storageProfile": {}}}, {"tags": {}}])
async def test_a_put_with_its_home_region_restores_it(azure_clients: AzureClients, body: dict[str, Any]) -> None:
    await deleted(azure_clients, "1.1.0")
    await asyncio.sleep(4 * DAY)
    restored = await publish(azure_clients, "1.1.0", {"location": LOCATION, **body})
    assert (restored.provisioning_state, restored.storage_profile.os_disk_image.size_in_gb) == ("Succeeded", 30)
    assert await in_the_bin(azure_clients) == []
    assert await boot(azure_clients, "latest", definition(azure_clients)) == "1.1.0"
    await asyncio.sleep(30 * DAY)
    assert await listed(azure_clients) == ["1.0.0", "1.1.0"], "the end of its old retention does not reach it any more"


async def test_a_patch_restores_it_too(azure_clients: AzureClients) -> None:
    await deleted(azure_clients, "1.1.0")
    update = azure_clients.compute.gallery_image_versions.begin_update
    with pytest.raises(ResourceNotFoundError):
        await update("rg", "gallery", "ubuntu", "1.1.0", {"tags": {"a": "b"}})
    restored = await (await update("rg", "gallery", "ubuntu", "1.1.0", {"properties": {"restore": True, "storageProfile": {}}})).result()
    assert restored.provisioning_state == "Succeeded"
    assert await in_the_bin(azure_clients) == []


async def test_it_is_not_restored_elsewhere_nor_is_what_was_never_deleted(azure_clients: AzureClients) -> None:
    await deleted(azure_clients, "1.1.0")
    restore = {"properties": {"restore": True, "storageProfile": {}}}
    with pytest.raises(HttpResponseError, match="is not the location 'westeurope'"):
        await publish(azure_clients, "1.1.0", {"location": "uksouth", **restore})
    with pytest.raises(ResourceNotFoundError, match="is not soft-deleted"):
        await publish(azure_clients, "3.0.0", {"location": LOCATION, **restore})
    assert [one.name for one in await in_the_bin(azure_clients)] == ["1.1.0"]
    assert await listed(azure_clients) == ["1.0.0"]


async def test_its_number_is_taken_while_it_is_in_the_bin(azure_clients: AzureClients) -> None:
    source = await deleted(azure_clients, "1.1.0")
    with pytest.raises(ResourceExistsError, match="is soft-deleted and is kept until"):
        await publish(azure_clients, "1.1.0", version(source))
    await asyncio.sleep(5 * DAY)
    assert await in_the_bin(azure_clients) == []
    await publish(azure_clients, "1.1.0", version(source))


async def test_nothing_that_holds_soft_deleted_versions_is_deleted(azure_clients: AzureClients) -> None:
    await deleted(azure_clients, "1.1.0", "1.0.0")
    for delete in (
        lambda: azure_clients.compute.gallery_images.begin_delete("rg", "gallery", "ubuntu"),
        lambda: azure_clients.compute.galleries.begin_delete("rg", "gallery"),
    ):
        with pytest.raises(ResourceExistsError):
            await delete()
    await asyncio.sleep(5 * DAY)
    await (await azure_clients.compute.gallery_images.begin_delete("rg", "gallery", "ubuntu")).result()
    await (await azure_clients.compute.galleries.begin_delete("rg", "gallery")).result()


async def test_a_delete_may_pass_by_the_bin(azure_clients: AzureClients) -> None:
    await deleted(azure_clients)
    await remove(azure_clients, "1.1.0", bypass_soft_delete=True)
    assert await in_the_bin(azure_clients) == []
    await set_policy(azure_clients, isSoftDeleteEnabled=False)
    await remove(azure_clients, "1.0.0")
    assert await in_the_bin(azure_clients) == []


async def test_seven_days_are_kept_where_the_policy_names_none(azure_clients: AzureClients) -> None:
    await deleted(azure_clients, "1.1.0", isSoftDeleteEnabled=True)
    await asyncio.sleep(7 * DAY - 60)
    assert len(await in_the_bin(azure_clients)) == 1
    await asyncio.sleep(61)
    assert await in_the_bin(azure_clients) == []


async def test_a_deleted_resource_group_takes_its_bins_with_it(azure_clients: AzureClients) -> None:
    await deleted(azure_clients, "1.1.0")
    await (await azure_clients.resources.resource_groups.begin_delete("rg")).result()
    assert azure_clients.sandbox.store.of_type(azure_clients.subscription_id, "microsoft.compute/galleries") == {}
    kept = "microsoft.compute/galleries/softdeletedartifacttypes/artifacts/versions"
    assert azure_clients.sandbox.store.of_type(azure_clients.subscription_id, kept) == {}
