"""Galleries shared by role, directly and with the community: who may read and use what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceNotFoundError

from include.sandbox.sandbox import Sandbox
from tests.sandbox.bodies import (
    LOCATION,
    generalize,
    group,
    machine,
    make_definition,
    make_group,
    make_machine,
    make_network,
    publish,
    version,
)
from tests.sandbox_transport import AzureClients, azure_clients_on

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

GROUPS = {"permissions": "Groups"}
COMMUNITY = {
    "permissions": "Community",
    "communityGalleryInfo": {
        "publisherUri": "https://example.com",
        "publisherContact": "images@example.com",
        "eula": "https://example.com/eula",
        "publicNamePrefix": "example",
    },
}


@pytest_asyncio.fixture
async def partner(sandbox: Sandbox) -> AsyncIterator[AzureClients]:
    """The partner's clients, in the partner's subscription."""
    own = sandbox.directory
    clients = azure_clients_on(sandbox, own.partner, own.partner_subscription_id)
    yield clients
    await clients.close()


async def published(clients: AzureClients, *regions: str, sharing: dict[str, Any] | None) -> Any:
    """A generalized machine, and its image in a gallery shared like that."""
    source = {"source": {"virtualMachineId": (await make_machine(clients)).id}}
    await generalize(clients)
    await make_definition(clients, sharing=sharing)
    return await publish(clients, "1.0.0", version(source, *regions))


async def share(clients: AzureClients, operation: str = "Add", **groups: list[str]) -> Any:
    body: dict[str, Any] = {"operationType": operation}
    if groups:
        body["groups"] = [{"type": kind, "ids": ids} for kind, ids in groups.items()]
    return await (await clients.compute.gallery_sharing_profile.begin_update("rg", "gallery", body)).result()


async def gallery(clients: AzureClients, **query: str) -> Any:
    return (await clients.compute.galleries.get("rg", "gallery", **query)).as_dict()["properties"]


async def boot(clients: AzureClients, name: str = "clone", **reference: str) -> Any:
    await make_group(clients)
    subnet = await make_network(clients)
    poller = await clients.compute.virtual_machines.begin_create_or_update("rg", name, machine(subnet, dict(reference)))
    return (await poller.result()).storage_profile.image_reference


async def test_a_direct_share_is_seen_and_used_where_it_was_given_to(azure_clients: AzureClients, partner: AzureClients) -> None:
    await published(azure_clients, "northeurope", sharing=GROUPS)
    shared = partner.compute.shared_galleries
    assert [one async for one in shared.list(LOCATION)] == []
    await share(azure_clients, Subscriptions=[partner.subscription_id])
    (found,) = [one async for one in shared.list(LOCATION)]
    unique = f"{azure_clients.subscription_id}-GALLERY"
    assert (found.name, found.identifier.unique_id) == (unique, f"/SharedGalleries/{unique}")
    assert [one async for one in shared.list("uksouth")] == [], "it has nothing there"
    (image,) = [one async for one in partner.compute.shared_gallery_images.list(LOCATION, unique)]
    assert (image.name, image.properties.os_state) == ("ubuntu", "Generalized")
    (one,) = [one async for one in partner.compute.shared_gallery_image_versions.list("northeurope", unique, "ubuntu")]
    assert one.properties.storage_profile.os_disk_image.disk_size_gb == 30
    used = await boot(partner, sharedGalleryImageId=one.identifier.unique_id)
    assert (used.shared_gallery_image_id, used.exact_version) == (f"/SharedGalleries/{unique}/Images/ubuntu/Versions/1.0.0", "1.0.0")
    await share(azure_clients, "Remove", Subscriptions=[partner.subscription_id])
    with pytest.raises(ResourceNotFoundError, match="is not available in westeurope region"):
        await boot(partner, "later", sharedGalleryImageId=one.identifier.unique_id)


async def test_a_share_with_a_tenant_reaches_its_subscriptions(azure_clients: AzureClients, partner: AzureClients) -> None:
    await published(azure_clients, sharing=GROUPS)
    await share(azure_clients, AADTenants=[azure_clients.sandbox.directory.partner_tenant_id])
    assert [one async for one in partner.compute.shared_galleries.list(LOCATION)] == []
    assert len([one async for one in partner.compute.shared_galleries.list(LOCATION, shared_to="tenant")]) == 1
    latest = f"/SharedGalleries/{azure_clients.subscription_id}-GALLERY/Images/ubuntu/Versions/latest"
    assert (await boot(partner, sharedGalleryImageId=latest)).exact_version == "1.0.0"


async def test_the_gallery_tells_with_whom_it_is_shared(azure_clients: AzureClients, partner: AzureClients) -> None:
    await published(azure_clients, "uksouth", sharing=GROUPS)
    assert (await gallery(azure_clients))["sharingProfile"] == {"permissions": "Groups"}
    await share(azure_clients, Subscriptions=[partner.subscription_id.upper()])
    shown = await gallery(azure_clients, expand="SharingProfile/Groups")
    assert shown["sharingProfile"]["groups"] == [{"type": "Subscriptions", "ids": [partner.subscription_id]}]
    assert {one["region"]: one["state"] for one in shown["sharingStatus"]["summary"]} == {LOCATION: "Succeeded", "uksouth": "Succeeded"}
    await share(azure_clients, "Reset")
    after = await gallery(azure_clients, select="Permissions")
    assert (after["sharingProfile"], "sharingStatus" in after) == ({"permissions": "Private"}, False)


async def test_how_a_gallery_is_shared_is_fixed_when_it_is_made(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    await make_definition(azure_clients)
    assert (await gallery(azure_clients, select="Permissions"))["sharingProfile"] == {"permissions": "Private"}
    with pytest.raises(ResourceExistsError, match="since its sharing permission is 'Private'"):
        await share(azure_clients, Subscriptions=["5a4db0c0-0000-4000-8000-000000000009"])
    for call in (azure_clients.compute.galleries.begin_create_or_update, azure_clients.compute.galleries.begin_update):
        with pytest.raises(
            ResourceExistsError, match=r"Changing property 'gallery\.properties\.sharingProfile\.permissions' is not allowed"
        ):
            await call("rg", "gallery", {"location": LOCATION, "properties": {"sharingProfile": GROUPS}})


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ({"Subscriptions": [f"5a4db0c0-0000-4000-8000-0000000001{number:02}" for number in range(31)]}, "at most 30 Subscriptions"),
        ({"AADTenants": [f"5a4db0c0-0000-4000-8000-0000000001{number:02}" for number in range(6)]}, "at most 5 AADTenants"),
        ({"Subscriptions": ["nobody"]}, "is not a valid GUID"),
        ({"Friends": []}, "Friends"),
        ({}, "groups"),
    ],
)
async def test_what_a_share_does_not_take(azure_clients: AzureClients, groups: dict[str, list[str]], expected: str) -> None:
    await make_group(azure_clients)
    await make_definition(azure_clients, sharing=GROUPS)
    with pytest.raises(HttpResponseError, match=expected):
        await share(azure_clients, "Add", **groups)


async def test_a_community_gallery_is_open_to_everybody_once_it_is_enabled(azure_clients: AzureClients, partner: AzureClients) -> None:
    await published(azure_clients, sharing=COMMUNITY)
    info = (await gallery(azure_clients))["sharingProfile"]["communityGalleryInfo"]
    (name,) = info["publicNames"]
    assert (name.startswith("example-"), info["communityGalleryEnabled"]) == (True, False)
    with pytest.raises(ResourceNotFoundError):
        await partner.compute.community_galleries.get(LOCATION, name)
    await share(azure_clients, "EnableCommunity")
    found = await partner.compute.community_galleries.get(LOCATION, name)
    assert found.properties.community_metadata.publisher_contact == "images@example.com"
    (image,) = [one async for one in partner.compute.community_gallery_images.list(LOCATION, name)]
    assert image.identifier.unique_id == f"/CommunityGalleries/{name}/Images/ubuntu"
    (one,) = [one async for one in partner.compute.community_gallery_image_versions.list(LOCATION, name, "ubuntu")]
    used = await boot(partner, communityGalleryImageId=one.identifier.unique_id)
    assert (used.community_gallery_image_id, used.exact_version) == (one.identifier.unique_id, "1.0.0")
    await share(azure_clients, "Reset")
    with pytest.raises(ResourceNotFoundError):
        await boot(partner, "later", communityGalleryImageId=one.identifier.unique_id)


@pytest.mark.parametrize("sharing", [GROUPS, COMMUNITY])
async def test_trusted_launch_and_encrypted_images_stay_private(azure_clients: AzureClients, sharing: dict[str, Any]) -> None:
    source = {"source": {"virtualMachineId": (await make_machine(azure_clients)).id}}
    await generalize(azure_clients)
    with pytest.raises(HttpResponseError, match="security type 'trustedlaunch' are not supported"):
        await make_definition(azure_clients, security="TrustedLaunch", sharing=sharing)
    await make_definition(azure_clients, sharing=sharing)
    body = version(source)
    key = f"{group(azure_clients)}/providers/Microsoft.Compute/diskEncryptionSets/key"
    body["properties"]["publishingProfile"]["targetRegions"][0]["encryption"] = {"osDiskImage": {"diskEncryptionSetId": key}}
    with pytest.raises(HttpResponseError, match="Encrypted gallery image versions are not supported"):
        await publish(azure_clients, "1.0.0", body)


async def test_a_community_gallery_and_its_images_are_in_one_region(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    await make_definition(azure_clients, sharing=COMMUNITY)
    body = {"osType": "Linux", "osState": "Generalized", "identifier": {"publisher": "a", "offer": "b", "sku": "c"}}
    with pytest.raises(HttpResponseError, match="must be in the same region"):
        await azure_clients.compute.gallery_images.begin_create_or_update(
            "rg", "gallery", "far", {"location": "uksouth", "properties": body}
        )
    bad = {"location": LOCATION, "properties": {"sharingProfile": {"permissions": "Community"}}}
    with pytest.raises(HttpResponseError, match="publisherUri"):
        await azure_clients.compute.galleries.begin_create_or_update("rg", "nobody", bad)


async def test_a_colleague_uses_an_image_only_with_a_role_on_it(azure_clients: AzureClients, sandbox: Sandbox) -> None:
    image = await published(azure_clients, sharing=None)
    colleague = azure_clients_on(sandbox, sandbox.directory.colleague)
    try:
        with pytest.raises(HttpResponseError) as refused:
            await colleague.compute.gallery_image_versions.get("rg", "gallery", "ubuntu", "1.0.0")
        assert refused.value.error.code == "AuthorizationFailed"
        await make_group(azure_clients, "mine")
        await assign(azure_clients, group(azure_clients, "mine"), "b24988ac-6180-42a0-ab88-20f7382dd24c", 1)
        subnet = await make_network(colleague, "mine")
        with pytest.raises(HttpResponseError) as refused:
            await colleague.compute.virtual_machines.begin_create_or_update("mine", "vm", machine(subnet, {"id": image.id}))
        assert refused.value.error.code == "LinkedAuthorizationFailed"
        await assign(azure_clients, f"{group(azure_clients)}/providers/Microsoft.Compute/galleries/gallery", READER, 2)
        poller = await colleague.compute.virtual_machines.begin_create_or_update("mine", "vm", machine(subnet, {"id": image.id}))
        assert (await poller.result()).provisioning_state == "Succeeded"
    finally:
        await colleague.close()


READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


async def assign(clients: AzureClients, scope: str, role: str, number: int, principal: str = "") -> None:
    definition = f"/subscriptions/{clients.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    who = principal or clients.sandbox.directory.colleague.object_id
    id = f"{scope}/providers/Microsoft.Authorization/roleAssignments/0a551900-0000-4000-8000-00000000000{number}"
    body = {"properties": {"roleDefinitionId": definition, "principalId": who, "principalType": "ServicePrincipal"}}
    await (await clients.resources.resources.begin_create_or_update_by_id(id, body, api_version="2022-04-01")).result()


async def test_an_image_of_another_tenant_takes_a_token_of_each(azure_clients: AzureClients, partner: AzureClients) -> None:
    sandbox, own = azure_clients.sandbox, azure_clients.sandbox.directory
    image = await published(partner, sharing=None)
    here = own.find(own.partner_tenant_id, own.client_id)
    both = azure_clients_on(sandbox, own.main, own.subscription_id, auxiliary=here)
    try:
        with pytest.raises(HttpResponseError, match=r"the current tenant '.*' is not authorized to access linked subscription"):
            await boot(azure_clients, id=image.id)
        with pytest.raises(HttpResponseError, match=r"does not have permission to perform action\(s\)"):
            await boot(both, id=image.id)
        await assign(partner, f"{group(partner)}/providers/Microsoft.Compute/galleries/gallery", READER, 3, here.object_id)
        assert (await boot(both, id=image.id)).exact_version == "1.0.0"
        with pytest.raises(ClientAuthenticationError):
            await azure_clients_on(sandbox, own.main, own.partner_subscription_id).compute.galleries.get("rg", "gallery")
    finally:
        await both.close()
