"""Disks, snapshots and encryption sets of every kind, through the official client."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobClient

from tests.sandbox.bodies import LOCATION, UBUNTU
from tests.sandbox.storage import blobs_of, make_account
from tests.sandbox.sync_machines import Azure
from tests.sandbox.vaults import grant, make_key
from tests.sandbox_transport import SyncSandboxTransport


@pytest.fixture
def azure() -> Azure:
    return Azure()


def code(error: Any) -> str:
    return str(error.value.error.code)


def make(azure: Azure, kind: str, name: str, creation: dict[str, Any], location: str = LOCATION, **properties: Any) -> Any:
    body = {"location": location, "properties": {"creationData": creation, **properties}}
    return getattr(azure.compute, kind).begin_create_or_update("rg", name, body).result()


def test_a_disk_is_made_shown_listed_changed_and_deleted(azure: Azure) -> None:
    disks = azure.compute.disks
    made = azure.disk(size=100)
    assert (made.tier, made.disk_iops_read_write, made.disk_m_bps_read_write, made.disk_state) == ("P10", 500, 100, "Unattached")
    assert (made.sku.tier, made.disk_size_bytes, made.network_access_policy) == ("Premium", 100 * 1024**3, "AllowAll")
    assert [one.name for one in disks.list()] == [one.name for one in disks.list_by_resource_group("rg")] == ["disk"]
    grown = disks.begin_update("rg", "disk", {"properties": {"diskSizeGB": 300}, "tags": {"a": "b"}}).result()
    assert (grown.disk_size_gb, grown.tier, grown.tags) == (300, "P20", {"a": "b"})
    faster = disks.begin_update("rg", "disk", {"properties": {"tier": "P40"}}).result()
    assert (faster.tier, faster.disk_iops_read_write) == ("P40", 7500)
    slower = disks.begin_update("rg", "disk", {"sku": {"name": "Standard_LRS"}}).result()
    assert (slower.tier, slower.disk_iops_read_write, slower.sku.tier) == ("S20", 500, "Standard")
    disks.begin_delete("rg", "disk").result()
    with pytest.raises(ResourceNotFoundError):
        disks.get("rg", "disk")


def test_the_first_answer_to_a_disks_put_is_an_echo(azure: Azure) -> None:
    from include.sandbox.wire import Request
    from tests.sandbox_transport import BASE

    url = (
        f"{BASE}/subscriptions/{azure.sandbox.subscription_id}/resourceGroups/rg/providers/Microsoft.Compute/disks/d?api-version=2025-01-02"
    )
    body = b'{"location": "westeurope", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}'
    answer = azure.sandbox.handle(Request("PUT", url, {}, body))
    assert answer.status == 202
    assert answer.json()["properties"] == {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4, "provisioningState": "Updating"}
    assert "sku" not in answer.json()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"properties": {"diskSizeGB": 4}}, "Disks or snapshot cannot be resized down."),
        (
            {"properties": {"creationData": {"createOption": "Upload"}}},
            "Changing property 'disk.creationData.createOption' is not allowed.",
        ),
        ({"properties": {"encryption": {"type": "EncryptionAtRestWithCustomerKey"}}}, "encryption.diskEncryptionSetId"),
        ({"properties": {"networkAccessPolicy": "AllowPrivate"}}, "diskAccessId"),
        ({"zones": ["2"]}, "Changing property 'zones' is not allowed."),
    ],
)
def test_what_a_disk_cannot_become_is_refused(azure: Azure, change: dict[str, Any], expected: str) -> None:
    made = azure.disk()
    body = {"location": LOCATION, "sku": {"name": "Premium_LRS"}, "properties": {"creationData": {"createOption": "Empty"}}}
    body["properties"].update(change.get("properties", {}))  # type: ignore[attr-defined]  # of a JSON object
    with pytest.raises(HttpResponseError) as refused:
        azure.compute.disks.begin_create_or_update("rg", made.name, {**body, **{k: v for k, v in change.items() if k != "properties"}})
    assert expected in str(refused.value)


def test_a_disk_is_made_of_a_platform_image_a_snapshot_and_another_disk(azure: Azure) -> None:
    root = f"/Subscriptions/{azure.sandbox.subscription_id}/Providers/Microsoft.Compute/Locations/{LOCATION}/Publishers/Canonical"
    image = f"{root}/ArtifactTypes/VMImage/Offers/ubuntu-24_04-lts/Skus/server/Versions/24.04.202511110"
    first = make(azure, "disks", "first", {"createOption": "FromImage", "imageReference": {"id": image}})
    assert (first.os_type, first.hyper_v_generation, first.disk_size_gb) == ("Linux", "V2", 30)
    snapshot = make(azure, "snapshots", "snapshot", {"createOption": "Copy", "sourceResourceId": first.id})
    assert (snapshot.creation_data.source_unique_id, snapshot.incremental) == (first.unique_id, False)
    for name, source in (("second", snapshot), ("third", first)):
        made = make(azure, "disks", name, {"createOption": "Copy", "sourceResourceId": source.id}, diskSizeGB=64)
        assert (made.os_type, made.disk_size_gb) == ("Linux", 64)
    with pytest.raises(ResourceNotFoundError) as refused:
        make(azure, "disks", "elsewhere", {"createOption": "Copy", "sourceResourceId": first.id}, "eastus")
    assert "Resource first is not found." in str(refused.value)
    with pytest.raises(HttpResponseError) as small:
        make(azure, "disks", "small", {"createOption": "Copy", "sourceResourceId": first.id}, diskSizeGB=10)
    assert "cannot be resized down" in str(small.value)


def test_a_snapshot_is_made_listed_changed_and_deleted(azure: Azure) -> None:
    snapshots = azure.compute.snapshots
    disk = azure.disk()
    make(azure, "snapshots", "snapshot", {"createOption": "Copy", "sourceResourceId": disk.id}, incremental=True)
    assert [one.name for one in snapshots.list()] == [one.name for one in snapshots.list_by_resource_group("rg")] == ["snapshot"]
    changed = snapshots.begin_update("rg", "snapshot", {"tags": {"a": "b"}}).result()
    assert (changed.tags, changed.incremental) == ({"a": "b"}, True)
    snapshots.begin_delete("rg", "snapshot").result()
    assert list(snapshots.list()) == []


def test_snapshots_of_one_disk_are_a_family(azure: Azure) -> None:
    disk, other = azure.disk(), azure.disk("other")
    one, two, three = (
        make(azure, "snapshots", name, {"createOption": "Copy", "sourceResourceId": source.id}, incremental=True)
        for name, source in (("one", disk), ("two", disk), ("three", other))
    )
    assert one.incremental_snapshot_family_id == two.incremental_snapshot_family_id != three.incremental_snapshot_family_id


def test_a_snapshot_is_copied_to_another_region_in_the_background(azure: Azure) -> None:
    snapshots = azure.compute.snapshots
    disk = azure.disk()
    source = make(azure, "snapshots", "source", {"createOption": "Copy", "sourceResourceId": disk.id}, incremental=True)
    creation = {"createOption": "CopyStart", "sourceResourceId": source.id}
    with pytest.raises(HttpResponseError) as refused:
        make(azure, "snapshots", "copy", creation, "eastus")
    assert "must be incremental" in str(refused.value)
    copy = make(azure, "snapshots", "copy", creation, "eastus", incremental=True)
    assert (copy.provisioning_state, snapshots.get("rg", "copy").completion_percent < 100) == ("Succeeded", True)
    with pytest.raises(ResourceExistsError) as early:
        make(azure, "disks", "restored", {"createOption": "Copy", "sourceResourceId": copy.id}, "eastus")
    assert "is still being copied" in str(early.value)
    azure.sandbox.clock.advance(2 * 3600)
    assert snapshots.get("rg", "copy").completion_percent == 100
    assert make(azure, "disks", "restored", {"createOption": "Copy", "sourceResourceId": copy.id}, "eastus").location == "eastus"


def test_a_disk_is_uploaded_through_its_write_sas(azure: Azure) -> None:
    disks = azure.compute.disks
    size = 20 * 1024**2 + 512
    made = make(
        azure,
        "disks",
        "upload",
        {"createOption": "Upload", "uploadSizeBytes": size},
        osType="Linux",
        hyperVGeneration="V2",
    )
    assert (made.disk_state, made.disk_size_gb, made.hyper_v_generation) == ("ReadyToUpload", None, "V2")
    for kind in ("disks", "snapshots"):
        with pytest.raises(ResourceExistsError) as early:
            make(azure, kind, "early", {"createOption": "Copy", "sourceResourceId": made.id})
        assert "ReadyToUpload" in str(early.value)
    with pytest.raises(ResourceExistsError):
        disks.begin_grant_access("rg", "upload", {"access": "Read", "durationInSeconds": 600})
    url = disks.begin_grant_access("rg", "upload", {"access": "Write", "durationInSeconds": 600}).result().access_sas
    assert disks.get("rg", "upload").disk_state == "ActiveUpload"
    blob = BlobClient.from_blob_url(url, transport=SyncSandboxTransport(azure.sandbox), retry_total=0)
    blob.upload_page(b"x" * 512, offset=0, length=512)
    with pytest.raises(ResourceExistsError):
        disks.begin_delete("rg", "upload")
    disks.begin_revoke_access("rg", "upload").result()
    assert (disks.get("rg", "upload").disk_state, disks.get("rg", "upload").disk_size_gb) == ("Unattached", 1)
    url = disks.begin_grant_access("rg", "upload", {"access": "Read", "durationInSeconds": 600}).result().access_sas
    read = BlobClient.from_blob_url(url, transport=SyncSandboxTransport(azure.sandbox), retry_total=0)
    assert read.download_blob(offset=0, length=4).readall() == b"xxxx"
    with pytest.raises(HttpResponseError):
        read.upload_page(b"x" * 512, offset=0, length=512)


def test_a_vhd_is_exported_and_imported_with_what_is_on_it(azure: Azure) -> None:
    vm = azure.machine()
    snapshot = make(azure, "snapshots", "s", {"createOption": "Copy", "sourceResourceId": vm.storage_profile.os_disk.managed_disk.id})
    sas = azure.compute.snapshots.begin_grant_access("rg", snapshot.name, {"access": "Read", "durationInSeconds": 3600}).result().access_sas
    account = f"/subscriptions/{azure.sandbox.subscription_id}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/imports"
    url = "https://imports.blob.core.windows.net/vhds/os.vhd"
    with pytest.raises(ResourceNotFoundError):
        make(azure, "disks", "nowhere", {"createOption": "Import", "sourceUri": url, "storageAccountId": account}, osType="Linux")
    make_account(azure.sandbox, account)
    blobs_of(azure.sandbox, account).create_container("vhds").get_blob_client("os.vhd").upload_blob_from_url(sas)
    creation = {"createOption": "Import", "sourceUri": url, "storageAccountId": account}
    made = make(azure, "disks", "imported", creation, osType="Linux", hyperVGeneration="V2")
    assert (made.disk_size_gb, made.os_type, made.hyper_v_generation) == (30, "Linux", "V2")
    with pytest.raises(HttpResponseError) as refused:
        make(azure, "disks", "none", {**creation, "sourceUri": url.replace("os.vhd", "none.vhd")})
    assert "was not found" in str(refused.value)
    assert make(azure, "disks", "same", {"createOption": "Import", "sourceUri": url}).disk_size_gb == 30
    with pytest.raises(HttpResponseError) as unknown:
        make(azure, "disks", "none", {"createOption": "Import", "sourceUri": url}, location="eastus")
    assert "does not belong to the same region as the disk" in str(unknown.value)


def vault(azure: Azure) -> str:
    return f"/subscriptions/{azure.sandbox.subscription_id}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/disk-keys"


def encryption_set(azure: Azure, name: str = "des") -> Any:
    body = {
        "location": LOCATION,
        "identity": {"type": "SystemAssigned"},
        "properties": {"activeKey": make_key(azure.sandbox, vault(azure), LOCATION)},
    }
    made = azure.compute.disk_encryption_sets.begin_create_or_update("rg", name, body).result()
    grant(azure.sandbox, vault(azure), made.identity.principal_id)
    return made


def test_an_encryption_set_is_made_shown_used_changed_and_deleted(azure: Azure) -> None:
    sets = azure.compute.disk_encryption_sets
    made = encryption_set(azure)
    assert (made.encryption_type, bool(made.identity.principal_id)) == ("EncryptionAtRestWithCustomerKey", True)
    disk = azure.disk(encryption={"type": "EncryptionAtRestWithCustomerKey", "diskEncryptionSetId": made.id})
    assert disk.encryption.disk_encryption_set_id == made.id
    assert list(sets.list_associated_resources("rg", "des")) == [disk.id]
    with pytest.raises(ResourceExistsError):
        sets.begin_delete("rg", "des")
    key = make_key(azure.sandbox, vault(azure), LOCATION)
    assert sets.begin_update("rg", "des", {"properties": {"activeKey": key}}).result().active_key.key_url == key["keyUrl"]
    assert [one.name for one in sets.list()] == [one.name for one in sets.list_by_resource_group("rg")] == ["des"]
    azure.compute.disks.begin_delete("rg", "disk").result()
    sets.begin_delete("rg", "des").result()
    assert list(sets.list()) == []


def test_a_machines_disks_are_encrypted_with_its_set(azure: Azure) -> None:
    made = encryption_set(azure)
    disk = {"createOption": "FromImage", "managedDisk": {"diskEncryptionSet": {"id": made.id}}}
    vm = azure.machine(storage={"osDisk": disk})
    assert vm.storage_profile.os_disk.managed_disk.disk_encryption_set.id == made.id
    assert azure.compute.disks.get("rg", vm.storage_profile.os_disk.name).encryption.disk_encryption_set_id == made.id
    missing = {"createOption": "FromImage", "managedDisk": {"diskEncryptionSet": {"id": f"{made.id}x"}}}
    with pytest.raises(ResourceNotFoundError):
        azure.machine("other", UBUNTU, storage={"osDisk": missing})
