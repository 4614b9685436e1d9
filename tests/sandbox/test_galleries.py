"""Galleries and their definitions, made, read, listed, changed and deleted with the official client; what of them cannot change."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.sandbox.bodies import LOCATION, generalize, make_definition, make_group, make_machine, publish, version
from tests.sandbox_transport import AzureClients

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_a_gallery_from_its_making_to_its_end(azure_clients: AzureClients) -> None:
    galleries = azure_clients.compute.galleries
    await make_group(azure_clients)
    body = {"location": LOCATION, "properties": {"description": "ours"}, "tags": {"a": "b"}}
    made = await (await galleries.begin_create_or_update("rg", "gallery", body)).result()
    assert made.identifier.unique_name == f"{azure_clients.subscription_id}-GALLERY"
    changed = await (await galleries.begin_update("rg", "gallery", {"tags": {"c": "d"}})).result()
    assert (changed.description, changed.tags) == ("ours", {"c": "d"})
    replaced = await (await galleries.begin_create_or_update("rg", "gallery", {"location": LOCATION})).result()
    assert (replaced.description, replaced.tags) == (None, None)
    assert [one.name async for one in galleries.list_by_resource_group("rg")] == ["gallery"]
    assert [one.name async for one in galleries.list()] == ["gallery"]
    await (await galleries.begin_delete("rg", "gallery")).result()
    with pytest.raises(ResourceNotFoundError):
        await galleries.get("rg", "gallery")


async def test_a_definition_from_its_making_to_its_end(azure_clients: AzureClients) -> None:
    images = azure_clients.compute.gallery_images
    await make_group(azure_clients)
    made = await make_definition(azure_clients, description="ours", recommended={"vCPUs": {"min": 2, "max": 8}})
    assert (made.recommended.v_cp_us.max, made.architecture) == (8, "x64")
    changed = await (
        await images.begin_update("rg", "gallery", "ubuntu", {"properties": {"description": "mine"}, "tags": {"a": "b"}})
    ).result()
    assert (changed.description, changed.tags, changed.identifier.sku) == ("mine", {"a": "b"}, "ubuntu")
    assert [one.name async for one in images.list_by_gallery("rg", "gallery")] == ["ubuntu"]
    await (await images.begin_delete("rg", "gallery", "ubuntu")).result()
    assert [one async for one in images.list_by_gallery("rg", "gallery")] == []


async def test_a_version_from_its_making_to_its_end(azure_clients: AzureClients) -> None:
    versions = azure_clients.compute.gallery_image_versions
    source = {"source": {"virtualMachineId": (await make_machine(azure_clients)).id}}
    await generalize(azure_clients)
    await make_definition(azure_clients)
    made = await publish(azure_clients, "1.0.0", version(source) | {"tags": {"a": "b"}})
    assert (made.storage_profile.os_disk_image.size_in_gb, made.tags) == (30, {"a": "b"})
    profile = {"publishingProfile": {"excludeFromLatest": True, "endOfLifeDate": "2030-01-01T00:00:00Z"}}
    changed = await (await versions.begin_update("rg", "gallery", "ubuntu", "1.0.0", {"properties": profile, "tags": {"c": "d"}})).result()
    assert (changed.publishing_profile.exclude_from_latest, changed.publishing_profile.end_of_life_date.year) == (True, 2030)
    assert (changed.tags, len(changed.publishing_profile.target_regions)) == ({"c": "d"}, 1)
    assert [one.name async for one in versions.list_by_gallery_image("rg", "gallery", "ubuntu")] == ["1.0.0"]
    await (await versions.begin_delete("rg", "gallery", "ubuntu", "1.0.0")).result()
    with pytest.raises(ResourceNotFoundError):
        await versions.get("rg", "gallery", "ubuntu", "1.0.0")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"osType": "Windows"}, "osType"),
        ({"osState": "Specialized"}, "osState"),
        ({"hyperVGeneration": "V1"}, "hyperVGeneration"),
        ({"architecture": "Arm64"}, "architecture"),
        ({"identifier": {"publisher": "other", "offer": "linux", "sku": "ubuntu"}}, "identifier.publisher"),
        ({"features": [{"name": "SecurityType", "value": "TrustedLaunch"}]}, "features"),
    ],
)
async def test_what_a_definition_is_cannot_be_changed_in_either_way(azure_clients: AzureClients, change: dict[str, Any], path: str) -> None:
    await make_group(azure_clients)
    await make_definition(azure_clients, security=None)
    with pytest.raises(ResourceExistsError) as refused:
        await azure_clients.compute.gallery_images.begin_update("rg", "gallery", "ubuntu", {"properties": change})
    assert (refused.value.error.code, refused.value.error.target) == ("PropertyChangeNotAllowed", f"galleryImage.properties.{path}")
    with pytest.raises(ResourceExistsError):
        await make_definition(azure_clients, security=None, **change)


async def test_a_feature_can_start_at_a_later_version(azure_clients: AzureClients) -> None:
    source = {"source": {"virtualMachineId": (await make_machine(azure_clients)).id}}
    await generalize(azure_clients)
    await make_definition(azure_clients)
    feature = {"name": "SecurityType", "value": "TrustedLaunch", "startsAtVersion": "2.0.0"}
    body = {"properties": {"allowUpdateImage": True, "features": [feature]}}
    made = await (await azure_clients.compute.gallery_images.begin_update("rg", "gallery", "ubuntu", body)).result()
    assert [(one.value, one.starts_at_version) for one in made.features] == [("TrustedLaunch", "2.0.0")]
    await publish(azure_clients, "1.9.0", version(source))
    with pytest.raises(HttpResponseError, match="security type"):
        await publish(azure_clients, "2.0.0", version(source))


@pytest.mark.parametrize("name", ["a-b", ".a", "a" * 81])
async def test_a_gallery_has_a_name_without_dashes(azure_clients: AzureClients, name: str) -> None:
    await make_group(azure_clients)
    with pytest.raises(HttpResponseError, match="gallery name"):
        await azure_clients.compute.galleries.begin_create_or_update("rg", name, {"location": LOCATION})


async def test_publisher_offer_and_sku_name_one_definition_of_a_gallery(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    await make_definition(azure_clients)
    same = {"publisher": "Factory", "offer": "LINUX", "sku": "ubuntu"}
    with pytest.raises(ResourceExistsError, match="Choose a different publisher, offer, sku combination"):
        await make_definition(azure_clients, "other", identifier=same)


async def test_a_gallery_can_have_an_identity(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    body = {"location": LOCATION, "identity": {"type": "SystemAssigned"}}
    made = await (await azure_clients.compute.galleries.begin_create_or_update("rg", "gallery", body)).result()
    assert (made.identity.type, made.identity.tenant_id) == ("SystemAssigned", azure_clients.sandbox.tenant_id)
    changed = await (await azure_clients.compute.galleries.begin_update("rg", "gallery", {"identity": {"type": "None"}})).result()
    assert changed.identity.type == "None"
