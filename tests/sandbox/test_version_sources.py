"""What gallery image versions are made from, besides a machine in the same subscription."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from include.sandbox.wire import Request
from tests.sandbox.bodies import LOCATION, generalize, group, make_definition, make_group, make_machine, publish, version
from tests.sandbox.storage import blobs_of, make_account
from tests.sandbox.test_sharing import COMMUNITY, GROUPS, READER, assign, boot, share
from tests.sandbox_transport import AzureClients, azure_clients_on

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

ACCOUNT = "/subscriptions/5a4db0c0-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/imports"


async def machine_of(clients: AzureClients, **options: Any) -> dict[str, Any]:
    """A generalized machine as a version's source."""
    vm = await make_machine(clients, **options)
    await generalize(clients)
    return {"source": {"virtualMachineId": vm.id}}


async def os_disk(clients: AzureClients) -> str:
    return str((await clients.compute.virtual_machines.get("rg", "vm")).storage_profile.os_disk.managed_disk.id)


async def snapshot(clients: AzureClients, disk: str, name: str = "snapshot") -> Any:
    body = {"location": LOCATION, "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": disk}}}
    return await (await clients.compute.snapshots.begin_create_or_update("rg", name, body)).result()


async def data_disk(clients: AzureClients, size: int) -> str:
    body = {"location": LOCATION, "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": size}}
    return str((await (await clients.compute.disks.begin_create_or_update("rg", f"data{size}", body)).result()).id)


async def exported(clients: AzureClients, name: str, *, as_is: bool = True) -> str:
    """The snapshot's bytes in a blob of the account; returns the blob's address. Without `as_is`, other bytes."""
    access = await clients.compute.snapshots.begin_grant_access("rg", name, {"access": "Read", "durationInSeconds": 3600})
    sas = (await access.result()).access_sas
    sandbox = clients.sandbox
    content = sandbox.handle(Request("GET", sas)).body if as_is else b"something else"
    make_account(sandbox, ACCOUNT)
    container = blobs_of(sandbox, ACCOUNT).create_container("vhds")
    return str(container.upload_blob(f"{name}.vhd", content).url)


async def test_snapshots_by_lun_make_a_version_with_data_disks(azure_clients: AzureClients) -> None:
    await machine_of(azure_clients)
    await make_definition(azure_clients)
    system = await snapshot(azure_clients, await os_disk(azure_clients))
    disks = {0: await data_disk(azure_clients, 8), 7: await data_disk(azure_clients, 16)}
    data = [{"lun": lun, "source": {"id": id}} for lun, id in disks.items()]
    profile = {"osDiskImage": {"source": {"id": system.id}, "hostCaching": "ReadOnly"}, "dataDiskImages": data}
    made = (await publish(azure_clients, "1.0.0", version(profile))).storage_profile
    assert (made.os_disk_image.size_in_gb, made.os_disk_image.host_caching) == (30, "ReadOnly")
    assert [(one.lun, one.size_in_gb, one.source.id) for one in made.data_disk_images] == [
        (0, 8, disks[0]),
        (7, 16, disks[7]),
    ]
    body = version({"dataDiskImages": [{"lun": 3}]})
    with pytest.raises(HttpResponseError, match=r"storageProfile\.dataDiskImages\.lun' is not allowed"):
        await publish(azure_clients, "1.0.0", body)


async def test_a_vhd_in_a_blob_keeps_what_the_exported_disk_held(azure_clients: AzureClients) -> None:
    await machine_of(azure_clients)
    await make_definition(azure_clients)
    await snapshot(azure_clients, await os_disk(azure_clients))
    uri = await exported(azure_clients, "snapshot")
    source = {"uri": uri, "storageAccountId": ACCOUNT}
    made = await publish(azure_clients, "1.0.0", version({"osDiskImage": {"source": source}}))
    assert (made.storage_profile.os_disk_image.size_in_gb, made.storage_profile.os_disk_image.source.uri) == (30, uri)
    assert (await boot(azure_clients, id=made.id)).exact_version == "1.0.0"


async def test_a_vhd_of_unknown_bytes_becomes_a_version_whose_machines_never_come_up(azure_clients: AzureClients) -> None:
    await machine_of(azure_clients)
    await make_definition(azure_clients)
    await snapshot(azure_clients, await os_disk(azure_clients))
    uri = await exported(azure_clients, "snapshot", as_is=False)
    made = await publish(azure_clients, "1.0.0", version({"osDiskImage": {"source": {"uri": uri, "storageAccountId": ACCOUNT}}}))
    with pytest.raises(HttpResponseError) as failed:
        await boot(azure_clients, id=made.id)
    assert failed.value.error.code == "OSProvisioningTimedOut"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"uri": "https://imports.blob.core.windows.net/vhds/none.vhd", "storageAccountId": ACCOUNT}, "was not found"),
        ({"uri": "https://elsewhere.blob.core.windows.net/vhds/none.vhd", "storageAccountId": ACCOUNT}, "is not in the storage account"),
        ({"uri": "https://nobody.blob.core.windows.net/vhds/none.vhd", "storageAccountId": ACCOUNT + "s"}, "importss' under"),
        ({"uri": "https://imports.blob.core.windows.net/vhds/none.vhd"}, "storageAccountId' is missing"),
        ({"storageAccountId": ACCOUNT}, "uri' is missing"),
    ],
)
async def test_a_vhd_is_named_whole_and_is_there(azure_clients: AzureClients, source: dict[str, str], expected: str) -> None:
    await make_group(azure_clients)
    make_account(azure_clients.sandbox, ACCOUNT)
    await make_definition(azure_clients)
    with pytest.raises(HttpResponseError, match=expected):
        await publish(azure_clients, "1.0.0", version({"osDiskImage": {"source": source}}))


async def test_a_community_image_is_a_source_for_everybody(azure_clients: AzureClients) -> None:
    own = azure_clients.sandbox.directory
    partner = azure_clients_on(azure_clients.sandbox, own.partner, own.partner_subscription_id)
    try:
        source = await machine_of(partner)
        await make_definition(partner, sharing=COMMUNITY)
        await publish(partner, "1.0.0", version(source))
        await share(partner, "EnableCommunity")
        gallery = await partner.compute.galleries.get("rg", "gallery")
        name = gallery.sharing_profile.community_gallery_info.public_names[0]
        await make_group(azure_clients)
        await make_definition(azure_clients)
        id = f"/CommunityGalleries/{name}/Images/ubuntu/Versions/1.0.0"
        made = await publish(azure_clients, "5.0.0", version({"source": {"communityGalleryImageId": id}}))
        assert made.storage_profile.source.community_gallery_image_id == id
        assert (await boot(azure_clients, id=made.id)).exact_version == "5.0.0"
    finally:
        await partner.close()


async def test_a_directly_shared_image_is_a_source_for_those_it_is_shared_with(azure_clients: AzureClients) -> None:
    own = azure_clients.sandbox.directory
    source = await machine_of(azure_clients)
    await make_definition(azure_clients, sharing=GROUPS)
    await publish(azure_clients, "1.0.0", version(source))
    partner = azure_clients_on(azure_clients.sandbox, own.partner, own.partner_subscription_id)
    try:
        await make_group(partner)
        await make_definition(partner)
        id = f"/SharedGalleries/{azure_clients.subscription_id}-GALLERY/Images/ubuntu/Versions/1.0.0"
        with pytest.raises(ResourceNotFoundError, match="is not available in westeurope region"):
            await publish(partner, "1.0.0", version({"source": {"id": id}}))
        await share(azure_clients, Subscriptions=[partner.subscription_id])
        assert (await publish(partner, "1.0.0", version({"source": {"id": id}}))).provisioning_state == "Succeeded"
    finally:
        await partner.close()


async def test_a_version_is_copied_from_another_subscription(azure_clients: AzureClients) -> None:
    own = azure_clients.sandbox.directory
    image = await publish(azure_clients, "1.0.0", version(await source_and_definition(azure_clients)))
    second = azure_clients_on(azure_clients.sandbox, own.main, own.second_subscription_id)
    try:
        await make_group(second)
        await make_definition(second)
        copied = await publish(second, "1.0.0", version({"source": {"id": image.id}}))
        assert copied.storage_profile.os_disk_image.size_in_gb == 30
        far = version({"source": {"id": image.id}})
        far["location"] = "uksouth"
        far["properties"]["publishingProfile"]["targetRegions"] = [{"name": "uksouth"}]
        with pytest.raises(ResourceNotFoundError, match="is not available in uksouth region"):
            await publish(second, "1.1.0", far)
        unknown = image.id.replace(azure_clients.subscription_id, "5a4db0c0-0000-4000-8000-0000000000ff")
        with pytest.raises(HttpResponseError, match=r"linked subscription '.*00ff' was not found"):
            await publish(second, "1.2.0", version({"source": {"id": unknown}}))
    finally:
        await second.close()


async def source_and_definition(clients: AzureClients) -> dict[str, Any]:
    source = await machine_of(clients)
    await make_definition(clients)
    return source


async def test_a_version_is_copied_from_another_tenant_with_its_token(azure_clients: AzureClients) -> None:
    sandbox, own = azure_clients.sandbox, azure_clients.sandbox.directory
    image = await publish(azure_clients, "1.0.0", version(await source_and_definition(azure_clients)))
    guest = own.find(own.tenant_id, own.partner_client_id)
    without = azure_clients_on(sandbox, own.partner, own.partner_subscription_id)
    both = azure_clients_on(sandbox, own.partner, own.partner_subscription_id, auxiliary=guest)
    try:
        await make_group(both)
        await make_definition(both)
        body = version({"source": {"id": image.id}})
        with pytest.raises(HttpResponseError, match="is not authorized to access linked subscription"):
            await publish(without, "1.0.0", body)
        with pytest.raises(HttpResponseError, match=r"'Microsoft\.Compute/galleries/images/versions/read' on the linked scope"):
            await publish(both, "1.0.0", body)
        await assign(azure_clients, group(azure_clients), READER, 4, guest.object_id)
        assert (await publish(both, "1.0.0", body)).provisioning_state == "Succeeded"
    finally:
        await without.close()
        await both.close()


async def test_an_encrypted_version_cannot_be_copied(azure_clients: AzureClients) -> None:
    body = version(await source_and_definition(azure_clients))
    key = f"{group(azure_clients)}/providers/Microsoft.Compute/diskEncryptionSets/key"
    body["properties"]["publishingProfile"]["targetRegions"][0]["encryption"] = {"osDiskImage": {"diskEncryptionSetId": key}}
    image = await publish(azure_clients, "1.0.0", body)
    with pytest.raises(HttpResponseError, match="encrypted with a disk encryption set and cannot be the source"):
        await publish(azure_clients, "1.1.0", version({"source": {"id": image.id}}))


@pytest.mark.parametrize(
    "profile",
    [
        {},
        {"source": {"id": "/a", "virtualMachineId": "/b"}},
        {"source": {"id": "/a"}, "osDiskImage": {"source": {"id": "/b"}}},
    ],
)
async def test_one_source_is_named_and_only_one(azure_clients: AzureClients, profile: dict[str, Any]) -> None:
    await make_group(azure_clients)
    await make_definition(azure_clients)
    with pytest.raises(HttpResponseError, match="One and only one source type"):
        await publish(azure_clients, "1.0.0", version(profile))


async def test_the_oldest_clients_speak_of_managed_images_and_regions(azure_clients: AzureClients) -> None:
    """Packer 1.6's api-version, 2019-03-01, and the first of all, 2018-06-01."""
    source = await machine_of(azure_clients)
    await make_definition(azure_clients)
    body = {
        "location": LOCATION,
        "properties": {"sourceVirtualMachine": {"id": source["source"]["virtualMachineId"]}, "hyperVGeneration": "V2"},
    }
    image = await (await azure_clients.compute.images.begin_create_or_update("rg", "image", body)).result()
    path = f"{group(azure_clients)}/providers/Microsoft.Compute/galleries/gallery/images/ubuntu/versions"

    def ask(method: str, name: str, api_version: str, content: Any = None) -> Any:
        url = f"https://management.azure.com{path}/{name}?api-version={api_version}"
        return azure_clients.sandbox.handle(Request(method, url, {}, b"" if content is None else json.dumps(content).encode()))

    managed = {"managedImage": {"id": image.id}}
    regions = [{"name": LOCATION, "regionalReplicaCount": 1}]
    made = ask(
        "PUT",
        "1.0.0",
        "2019-03-01",
        {"location": LOCATION, "properties": {"publishingProfile": {"source": managed, "targetRegions": regions}}},
    )
    shown = made.json()["properties"]
    assert (made.status, shown["publishingProfile"]["source"]) == (201, managed)
    assert not {"safetyProfile", "storageProfile"} & shown.keys()
    first = {"location": LOCATION, "properties": {"publishingProfile": {"source": managed, "regions": ["West Europe"]}}}
    made = ask("PUT", "1.1.0", "2018-06-01", first)
    assert made.json()["properties"]["publishingProfile"]["regions"] == ["West Europe"]
    assert "type" not in made.json()
    azure_clients.sandbox.clock.advance(3600)
    assert "sizeInGB" in ask("GET", "1.1.0", "2018-06-01").json()["properties"]["storageProfile"]["osDiskImage"]
    today = ask("GET", "1.1.0", "2024-03-03").json()["properties"]
    assert today["storageProfile"]["source"] == {"id": image.id}
    assert ask("PUT", "1.1.0", "2018-06-01", first).status == 202, "an update is accepted"
