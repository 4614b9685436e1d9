"""Disks, snapshots, the SAS that reads them, and the blobs they are exported to."""

from __future__ import annotations

import re
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobClient

from include.sandbox.blobs import SIZE, account_sas
from include.sandbox.directory import Directory
from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request
from tests.sandbox.bodies import LOCATION
from tests.sandbox_transport import BASE, StaticCredential, SyncSandboxTransport, make_sync_sandbox


def clients(sandbox: Sandbox) -> tuple[Any, Any]:
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.resource.resources import ResourceManagementClient

    transport = SyncSandboxTransport(sandbox)
    compute = ComputeManagementClient(StaticCredential(), sandbox.subscription_id, transport=transport)
    resources = ResourceManagementClient(StaticCredential(), sandbox.subscription_id, transport=transport)
    resources.resource_groups.create_or_update("rg", {"location": LOCATION})
    return compute, resources


@pytest.fixture
def sandbox() -> Sandbox:
    return make_sync_sandbox()


@pytest.fixture
def compute(sandbox: Sandbox) -> Any:
    return clients(sandbox)[0]


def snapshot(compute: Any, name: str = "snapshot") -> Any:
    empty = {"location": LOCATION, "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
    disk = compute.disks.begin_create_or_update("rg", "disk", empty).result()
    copy = {"location": LOCATION, "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": disk.id}}}
    return compute.snapshots.begin_create_or_update("rg", name, copy).result()


def grant(compute: Any, seconds: int = 3600) -> str:
    return str(compute.snapshots.begin_grant_access("rg", "snapshot", {"access": "Read", "durationInSeconds": seconds}).result().access_sas)


def blob(sandbox: Sandbox, url: str) -> BlobClient:
    return BlobClient.from_blob_url(url, transport=SyncSandboxTransport(sandbox), retry_total=0)


def test_a_disk_shows_what_azure_fills_in(compute: Any) -> None:
    body = {
        "location": LOCATION,
        "sku": {"name": "Premium_LRS"},
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 20},
    }
    disk = compute.disks.begin_create_or_update("rg", "disk", body).result()
    assert (disk.tier, disk.disk_iops_read_write, disk.disk_state, disk.disk_size_bytes) == ("P4", 120, "Unattached", 20 * 1024**3)


def test_a_snapshot_of_nothing_is_refused(compute: Any) -> None:
    body = {
        "location": LOCATION,
        "properties": {
            "creationData": {
                "createOption": "Copy",
                "sourceResourceId": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/disks/none",
            }
        },
    }
    with pytest.raises(ResourceNotFoundError) as refused:
        compute.snapshots.begin_create_or_update("rg", "snapshot", body)
    assert "Resource none is not found." in str(refused.value)


def test_a_sas_serves_the_disks_bytes_in_ranges_until_it_is_revoked(sandbox: Sandbox, compute: Any) -> None:
    snapshot(compute)
    reader = blob(sandbox, grant(compute))
    assert reader.get_blob_properties().size == SIZE
    whole = reader.download_blob().readall()
    assert len(whole) == SIZE
    assert whole[-512:].startswith(b"conectix")
    assert reader.download_blob(offset=1000, length=24).readall() == whole[1000:1024]
    assert compute.snapshots.get("rg", "snapshot").disk_state == "ActiveSAS"
    compute.snapshots.begin_revoke_access("rg", "snapshot").result()
    assert compute.snapshots.get("rg", "snapshot").disk_state == "Unattached"
    with pytest.raises(ClientAuthenticationError):
        reader.download_blob()


def test_a_sas_ends_with_its_time(sandbox: Sandbox, compute: Any) -> None:
    snapshot(compute)
    reader = blob(sandbox, grant(compute, 600))
    sandbox.clock.advance(601)
    with pytest.raises(ClientAuthenticationError):
        reader.download_blob()
    assert compute.snapshots.get("rg", "snapshot").disk_state == "Unattached"


def test_an_active_sas_blocks_the_deletion_of_its_disk_and_of_its_group(sandbox: Sandbox) -> None:
    compute, resources = clients(sandbox)
    snapshot(compute)
    grant(compute)
    with pytest.raises(ResourceExistsError):
        compute.snapshots.begin_delete("rg", "snapshot")
    with pytest.raises(HttpResponseError):
        resources.resource_groups.begin_delete("rg").result()
    assert resources.resource_groups.get("rg").properties.provisioning_state == "Succeeded"
    compute.snapshots.begin_revoke_access("rg", "snapshot").result()
    resources.resource_groups.begin_delete("rg").result()
    assert not resources.resource_groups.check_existence("rg")


def test_a_disk_is_copied_to_a_blob_by_its_sas(sandbox: Sandbox, compute: Any) -> None:
    snapshot(compute)
    source = grant(compute)
    target = blob(sandbox, f"{BASE}/devstorage/vhds/image.vhd?{account_sas(sandbox)}")
    assert target.start_copy_from_url(source)["copy_status"] == "pending"
    sandbox.clock.advance(120)
    properties = target.get_blob_properties()
    assert (properties.copy.status, properties.size) == ("success", SIZE)
    assert target.download_blob().readall() == blob(sandbox, source).download_blob().readall()


def test_a_copy_whose_sas_ends_too_early_fails(sandbox: Sandbox, compute: Any) -> None:
    snapshot(compute)
    target = blob(sandbox, f"{BASE}/devstorage/vhds/image.vhd?{account_sas(sandbox)}")
    target.start_copy_from_url(grant(compute))
    compute.snapshots.begin_revoke_access("rg", "snapshot")
    sandbox.clock.advance(120)
    assert target.get_blob_properties().copy.status == "failed"


def test_blobs_are_written_read_and_deleted(sandbox: Sandbox) -> None:
    target = blob(sandbox, f"{BASE}/devstorage/logs/build/1.txt?{account_sas(sandbox)}")
    target.upload_blob(b"hello", overwrite=True)
    assert target.download_blob().readall() == b"hello"
    target.delete_blob()
    assert not target.exists()


def test_a_blob_is_not_written_with_a_foreign_sas(sandbox: Sandbox) -> None:
    with pytest.raises(ClientAuthenticationError):
        blob(sandbox, f"{BASE}/devstorage/logs/1.txt?{account_sas(Sandbox(directory=Directory(client_secret='other')))}").upload_blob(
            b"hello"
        )


def test_storage_is_served_at_azures_own_hosts(sandbox: Sandbox, compute: Any) -> None:
    snapshot(compute)
    assert re.match(r"https://md-\w{12}\.z\d+\.blob\.storage\.azure\.net/\w+/abcd\?", grant(compute))
    sas = account_sas(sandbox)
    blob(sandbox, f"https://devstorage.blob.core.windows.net/vhds/image.vhd?{sas}").upload_blob(b"hello")
    assert blob(sandbox, f"{BASE}/devstorage/vhds/image.vhd?{sas}").download_blob().readall() == b"hello"
    unknown = sandbox.handle(Request("GET", "https://azcliprod.blob.core.windows.net/cli/else.json"))
    assert (unknown.status, unknown.headers["x-ms-error-code"]) == (404, "ResourceNotFound")


def test_a_snapshot_grows_and_does_not_shrink(compute: Any) -> None:
    """ "It can only increase": the Disk OpenAPI document (2025-01-02); recorded traffic of Azure/azure-service-operator
    (Test_Compute_Snapshot_CRUD)."""
    made: dict[str, Any] = {"location": LOCATION, "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 32}}
    compute.snapshots.begin_create_or_update("rg", "empty", made).result()
    made["properties"]["diskSizeGB"] = 64
    assert compute.snapshots.begin_create_or_update("rg", "empty", made).result().disk_size_gb == 64
    made["properties"]["diskSizeGB"] = 8
    with pytest.raises(HttpResponseError) as refused:
        compute.snapshots.begin_create_or_update("rg", "empty", made)
    assert "cannot be resized down" in str(refused.value)
