"""Storage accounts and containers by the official SDK, and the blobs in them by the keys that the accounts have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.mgmt.storage import StorageManagementClient
from azure.mgmt.storage.aio import StorageManagementClient as AsyncStorageManagementClient
from azure.storage.blob import (
    AccountSasPermissions,
    BlobSasPermissions,
    BlobServiceClient,
    ResourceTypes,
    generate_account_sas,
    generate_blob_sas,
)

from tests.sandbox.bodies import LOCATION
from tests.sandbox.sync_machines import Azure
from tests.sandbox_transport import AsyncStaticCredential, SandboxTransport, SyncSandboxTransport, make_sandbox, sync_client

BODY: dict[str, Any] = {"location": LOCATION, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "tags": {"a": "b"}}


class Storage:
    """An account `imports` with a container `vhds`, and the clients of both."""

    def __init__(self) -> None:
        self.azure = Azure()
        self.management: Any = sync_client(StorageManagementClient, self.azure.sandbox)
        self.made = self.management.storage_accounts.begin_create("rg", "imports", BODY).result()
        self.management.blob_containers.create("rg", "imports", "vhds", {})

    def key(self, number: int = 0) -> str:
        return str(self.management.storage_accounts.list_keys("rg", "imports").keys_property[number].value)

    def blobs(self, credential: Any) -> BlobServiceClient:
        return BlobServiceClient(
            "https://imports.blob.core.windows.net", credential, transport=SyncSandboxTransport(self.azure.sandbox), retry_total=0
        )


@pytest.fixture
def storage() -> Storage:
    return Storage()


def refusal(act: Any) -> str:
    with pytest.raises(HttpResponseError) as refused:
        act()
    return str(refused.value.error.code if refused.value.error else refused.value)


def test_an_account_is_made_shown_changed_listed_and_deleted(storage: Storage) -> None:
    made, accounts = storage.made, storage.management.storage_accounts
    assert (made.provisioning_state, made.access_tier, made.sku.tier) == ("Succeeded", "Hot", "Standard")
    assert made.primary_endpoints.blob == "https://imports.blob.core.windows.net/"
    changed = accounts.update("rg", "imports", {"tags": {"c": "d"}, "properties": {"minimumTlsVersion": "TLS1_2"}})
    assert (changed.tags, changed.minimum_tls_version) == ({"c": "d"}, "TLS1_2")
    assert [one.name for one in accounts.list()] == [one.name for one in accounts.list_by_resource_group("rg")] == ["imports"]
    accounts.delete("rg", "imports")
    with pytest.raises(ResourceNotFoundError):
        accounts.get_properties("rg", "imports")


def test_a_name_is_valid_and_nobody_elses(storage: Storage) -> None:
    accounts = storage.management.storage_accounts
    storage.azure.resources.resource_groups.create_or_update("other", {"location": LOCATION})
    assert refusal(lambda: accounts.begin_create("other", "imports", BODY)) == "StorageAccountAlreadyTaken"
    assert refusal(lambda: accounts.begin_create("rg", "Bad-Name", BODY)) == "AccountNameInvalid"
    assert refusal(lambda: accounts.begin_create("rg", "devstorage", BODY)) == "StorageAccountAlreadyTaken"  # the sandbox's own
    for name, reason in (("freeone", None), ("imports", "AlreadyExists"), ("devstorage", "AlreadyExists"), ("x", "AccountNameInvalid")):
        told = accounts.check_name_availability({"name": name, "type": "Microsoft.Storage/storageAccounts"})
        assert (told.name_available, told.reason) == (reason is None, reason)


def test_what_an_account_is_made_as_it_stays(storage: Storage) -> None:
    def change(**body: Any) -> str:
        with pytest.raises(HttpResponseError) as refused:
            storage.management.storage_accounts.update("rg", "imports", body)
        assert refused.value.error is not None
        return f"{refused.value.status_code} {refused.value.error.code}"

    assert change(sku={"name": "Premium_LRS"}) == "400 StorageAccountTypeConversionNotAllowed"
    assert change(kind="BlobStorage") == "400 AccountPropertyCannotBeUpdated"
    assert change(properties={"dnsEndpointType": "AzureDnsZone"}) == "400 AccountPropertyCannotBeUpdated"


def test_what_the_sandbox_does_not_have_is_refused(storage: Storage) -> None:
    body = {**BODY, "properties": {"isHnsEnabled": True}}
    assert refusal(lambda: storage.management.storage_accounts.begin_create("rg", "lake", body)) == "FeatureNotSupportedForAccount"
    public = {"properties": {"publicAccess": "Blob"}}
    assert refusal(lambda: storage.management.blob_containers.create("rg", "imports", "open", public)) == "PublicAccessNotPermitted"


def test_blobs_are_written_with_a_key_until_it_is_regenerated(storage: Storage) -> None:
    key = storage.key()
    blob = storage.blobs(key).get_blob_client("vhds", "one.vhd")
    blob.upload_blob(b"x" * 1024)
    assert blob.download_blob().readall() == b"x" * 1024
    storage.management.storage_accounts.regenerate_key("rg", "imports", {"keyName": "key1"})
    assert storage.key() != key
    with pytest.raises(ClientAuthenticationError):
        blob.download_blob()
    assert storage.blobs(storage.key(1)).get_blob_client("vhds", "one.vhd").download_blob().readall() == b"x" * 1024


def test_a_shared_access_signature_permits_what_it_says_while_it_lasts(storage: Storage) -> None:
    now = datetime.fromtimestamp(storage.azure.sandbox.clock.now(), UTC)
    storage.blobs(storage.key()).get_blob_client("vhds", "one.vhd").upload_blob(b"x")
    read = generate_blob_sas(
        "imports", "vhds", "one.vhd", account_key=storage.key(), permission=BlobSasPermissions(read=True), expiry=now + timedelta(hours=1)
    )
    whole = generate_account_sas(
        "imports", storage.key(1), ResourceTypes(object=True), AccountSasPermissions(read=True, write=True), now + timedelta(hours=1)
    )
    for sas in (read, whole):
        assert storage.blobs(sas).get_blob_client("vhds", "one.vhd").download_blob().readall() == b"x"
    storage.blobs(whole).get_blob_client("vhds", "two.vhd").upload_blob(b"y")
    with pytest.raises(ClientAuthenticationError):
        storage.blobs(read).get_blob_client("vhds", "one.vhd").upload_blob(b"z", overwrite=True)
    storage.azure.sandbox.skip(7200)
    with pytest.raises(ClientAuthenticationError):
        storage.blobs(read).get_blob_client("vhds", "one.vhd").download_blob()


def test_containers_are_resources_and_hold_the_blobs(storage: Storage) -> None:
    containers, blobs = storage.management.blob_containers, storage.blobs(storage.key())
    assert [one.name for one in containers.list("rg", "imports")] == ["vhds"]
    with pytest.raises(ResourceNotFoundError):
        blobs.get_blob_client("nowhere", "one.vhd").upload_blob(b"x")
    blobs.create_container("other")
    assert containers.get("rg", "imports", "other").public_access == "None"
    blobs.get_blob_client("vhds", "one.vhd").upload_blob(b"x")
    containers.delete("rg", "imports", "vhds")
    containers.create("rg", "imports", "vhds", {})
    with pytest.raises(ResourceNotFoundError):
        blobs.get_blob_client("vhds", "one.vhd").download_blob()


def test_a_disk_is_exported_to_an_account_and_imported_from_it(storage: Storage) -> None:
    azure = storage.azure
    machine = azure.machine()
    source = {"createOption": "Copy", "sourceResourceId": machine.storage_profile.os_disk.managed_disk.id}
    body: dict[str, Any] = {"location": LOCATION, "properties": {"creationData": source}}
    azure.compute.snapshots.begin_create_or_update("rg", "s", body).result()
    sas = azure.compute.snapshots.begin_grant_access("rg", "s", {"access": "Read", "durationInSeconds": 3600}).result().access_sas
    blob = storage.blobs(storage.key()).get_blob_client("vhds", "os.vhd")
    blob.upload_blob_from_url(sas)
    creation = {"createOption": "Import", "sourceUri": blob.url, "storageAccountId": storage.made.id}
    body = {"location": LOCATION, "properties": {"creationData": creation, "osType": "Linux", "hyperVGeneration": "V2"}}
    made = azure.compute.disks.begin_create_or_update("rg", "imported", body).result()
    assert (made.disk_size_gb, made.os_type) == (30, "Linux")
    body["location"] = "northeurope"
    assert refusal(lambda: azure.compute.disks.begin_create_or_update("rg", "far", body)) == "BadRequest"


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_the_async_client_makes_one_too() -> None:
    sandbox = make_sandbox()
    client = AsyncStorageManagementClient(
        AsyncStaticCredential(sandbox.token()), sandbox.subscription_id, transport=SandboxTransport(sandbox)
    )
    from .vaults import send

    send(sandbox, "PUT", f"/subscriptions/{sandbox.subscription_id}/resourceGroups/rg", {"location": LOCATION}, "2022-09-01")
    made = await (await client.storage_accounts.begin_create("rg", "imports", BODY)).result()
    assert made.provisioning_state == "Succeeded"
    await client.close()
