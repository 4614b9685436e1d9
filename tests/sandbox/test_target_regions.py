"""Where versions are replicated to, and how: storage, replica sets, encryption; and what else a version shows of itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from include.sandbox.store import Resource
from tests.sandbox.bodies import LOCATION, generalize, group, make_definition, make_group, make_machine, publish, version
from tests.sandbox_transport import AzureClients

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def source_of(clients: AzureClients, **options: Any) -> dict[str, Any]:
    vm = await make_machine(clients)
    await generalize(clients)
    await make_definition(clients, **options)
    return {"source": {"virtualMachineId": vm.id}}


async def regions(clients: AzureClients, name: str = "1.0.0") -> list[dict[str, Any]]:
    found = await clients.compute.gallery_image_versions.get("rg", "gallery", "ubuntu", name)
    return [one.as_dict() for one in found.publishing_profile.target_regions]


def with_profile(body: dict[str, Any], **profile: Any) -> dict[str, Any]:
    body["properties"]["publishingProfile"] |= profile
    return body


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ({}, ["Standard_ZRS", "Standard_LRS"]),
        ({"storageAccountStrategy": "DefaultStandard_LRS"}, ["Standard_LRS", "Standard_LRS"]),
        ({"storageAccountType": "Premium_LRS"}, ["Premium_LRS", "Premium_LRS"]),
    ],
)
async def test_a_region_without_a_storage_type_gets_the_versions_or_the_strategys(
    azure_clients: AzureClients, profile: dict[str, Any], expected: list[str]
) -> None:
    body = with_profile(version(await source_of(azure_clients), "ukwest"), **profile)
    await publish(azure_clients, "1.0.0", body)
    assert [one["storageAccountType"] for one in await regions(azure_clients)] == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"storageAccountType": "Premium_LRS", "storageAccountStrategy": "DefaultStandard_LRS"}, "cannot be specified together"),
        (
            {"targetRegions": [{"name": LOCATION}, {"name": "ukwest", "storageAccountType": "Standard_ZRS"}]},
            "ZRS storage account type is not",
        ),
        ({"replicaCount": 101}, "between 1 and 100"),
        ({"targetRegions": [{"name": LOCATION, "additionalReplicaSets": [{"regionalReplicaCount": 0}]}]}, "between 1 and 100"),
        (
            {"targetExtendedLocations": [{"name": LOCATION, "extendedLocation": {"name": "microsoftlosangeles1", "type": "EdgeZone"}}]},
            "extended locations is not supported",
        ),
    ],
)
async def test_what_a_region_cannot_be(azure_clients: AzureClients, change: dict[str, Any], expected: str) -> None:
    body = with_profile(version(await source_of(azure_clients)), **change)
    with pytest.raises(HttpResponseError, match=expected):
        await publish(azure_clients, "1.0.0", body)


async def test_additional_replica_sets_are_kept_and_changed(azure_clients: AzureClients) -> None:
    more = {"storageAccountType": "PremiumV2_LRS", "regionalReplicaCount": 2}
    body = version(await source_of(azure_clients))
    body["properties"]["publishingProfile"]["targetRegions"][0]["additionalReplicaSets"] = [more]
    await publish(azure_clients, "1.0.0", body)
    assert (await regions(azure_clients))[0]["additionalReplicaSets"] == [more]


async def test_storage_and_mode_stay_what_they_were(azure_clients: AzureClients) -> None:
    source = await source_of(azure_clients)
    await publish(azure_clients, "1.0.0", version(source))
    for change in (
        {"storageAccountType": "Premium_LRS"},
        {"storageAccountStrategy": "DefaultStandard_LRS"},
        {"replicationMode": "Shallow"},
    ):
        with pytest.raises(ResourceExistsError) as refused:
            await publish(azure_clients, "1.0.0", with_profile(version({}), **change))
        assert refused.value.error.target == f"galleryImageVersion.properties.publishingProfile.{next(iter(change))}"


async def test_a_disk_is_encrypted_in_every_region_or_in_none(azure_clients: AzureClients) -> None:
    source = await source_of(azure_clients)
    key = f"{group(azure_clients)}/providers/Microsoft.Compute/diskEncryptionSets/key"

    def encrypted(*names: str, id: str = key) -> dict[str, Any]:
        body = version(source, "northeurope")
        for region in body["properties"]["publishingProfile"]["targetRegions"]:
            if region["name"] in names:
                region["encryption"] = {"osDiskImage": {"diskEncryptionSetId": id}}
        return body

    with pytest.raises(HttpResponseError, match="must be encrypted with one in every target region"):
        await publish(azure_clients, "1.0.0", encrypted(LOCATION))
    elsewhere = key.replace(azure_clients.subscription_id, azure_clients.sandbox.directory.second_subscription_id)
    with pytest.raises(HttpResponseError, match="must be in the subscription"):
        await publish(azure_clients, "1.0.0", encrypted(LOCATION, "northeurope", id=elsewhere))
    await publish(azure_clients, "1.0.0", encrypted(LOCATION, "northeurope"))
    with pytest.raises(ResourceExistsError, match=r"targetRegions\.encryption' is not allowed"):
        await publish(azure_clients, "1.0.0", encrypted())


async def test_uefi_settings_are_shown_to_whoever_asks(azure_clients: AzureClients) -> None:
    settings = {"uefiSettings": {"signatureTemplateNames": ["MicrosoftUefiCertificateAuthorityTemplate"]}}
    await publish(azure_clients, "1.0.0", version(await source_of(azure_clients), securityProfile=settings))
    get = azure_clients.compute.gallery_image_versions.get
    assert (await get("rg", "gallery", "ubuntu", "1.0.0")).security_profile is None
    shown = await get("rg", "gallery", "ubuntu", "1.0.0", expand="UefiSettings")
    assert shown.security_profile.uefi_settings.signature_template_names == ["MicrosoftUefiCertificateAuthorityTemplate"]


async def test_a_version_tells_which_platform_image_it_descends_from(azure_clients: AzureClients) -> None:
    await publish(azure_clients, "1.0.0", version(await source_of(azure_clients)))
    found = await azure_clients.compute.gallery_image_versions.get("rg", "gallery", "ubuntu", "1.0.0", expand="ValidationProfile")
    told = {one.name: one.value for one in found.validations_profile.platform_attributes}
    assert (told["source_image_publisher"], told["source_image_sku"]) == ("Canonical", "server")


async def test_a_trusted_launch_image_is_validated_an_hour_after_it_was_published(azure_clients: AzureClients) -> None:
    vm = await make_machine(azure_clients, securityProfile={"securityType": "TrustedLaunch"})
    await generalize(azure_clients)
    await make_definition(azure_clients, security="TrustedLaunch")
    await publish(azure_clients, "1.0.0", version({"source": {"virtualMachineId": vm.id}}))

    async def executed() -> Any:
        found = await azure_clients.compute.gallery_image_versions.get("rg", "gallery", "ubuntu", "1.0.0", expand="ValidationProfile")
        return found.validations_profile.executed_validations

    assert not await executed()
    await asyncio.sleep(3600)
    assert [one.status for one in await executed()] == ["Succeeded"]


@pytest.mark.parametrize(
    ("type", "most", "path"), [("galleries", 100, "galleries/g{}"), ("galleries/images", 1000, "galleries/gallery/images/i{}")]
)
async def test_a_region_of_a_subscription_holds_so_many(azure_clients: AzureClients, type: str, most: int, path: str) -> None:
    await make_group(azure_clients)
    await make_definition(azure_clients)
    store = azure_clients.sandbox.store
    for number in range(most - 1):
        identifier = {"publisher": "p", "offer": "o", "sku": str(number)}
        body = {"name": path.rsplit("/", 1)[1].format(number), "location": LOCATION, "properties": {"identifier": identifier}}
        store.add(Resource(f"{group(azure_clients)}/providers/Microsoft.Compute/{path.format(number)}", f"Microsoft.Compute/{type}", body))
    galleries = azure_clients.compute.galleries
    another = (
        galleries.begin_create_or_update("rg", "another", {"location": LOCATION})
        if type == "galleries"
        else make_definition(azure_clients, "b")
    )
    with pytest.raises(ResourceExistsError, match=f"limit of {most} resources"):
        await another
    await (await galleries.begin_create_or_update("rg", "far", {"location": "uksouth"})).result()
