"""Restore points of machines: made, copied to another region, read, restored, deleted. Held against the official SDK."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from tests.sandbox_transport import AzureClients

from .bodies import LOCATION, WINDOWS, group, make_machine
from .vaults import grant, make_key, send

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def collection(clients: AzureClients, name: str = "points", location: str = LOCATION, source: str = "virtualMachines/vm") -> Any:
    id = f"{group(clients)}/providers/Microsoft.Compute/{source}"
    body = {"location": location, "properties": {"source": {"id": id}}, "tags": {"a": "b"}}
    return await clients.compute.restore_point_collections.create_or_update("rg", name, body)


async def point(clients: AzureClients, name: str = "first", of: str = "points", **properties: Any) -> Any:
    poller = await clients.compute.restore_points.begin_create("rg", of, name, {"properties": properties})
    return await poller.result()


async def furnished(clients: AzureClients, **options: Any) -> None:
    """A machine with a data disk, and a collection for it."""
    data = [{"lun": 3, "createOption": "Empty", "diskSizeGB": 7, "name": "data"}]
    await make_machine(clients, **options)
    body = {"properties": {"storageProfile": {"dataDisks": data}}}
    await (await clients.compute.virtual_machines.begin_update("rg", "vm", body)).result()
    await collection(clients)


async def test_a_restore_point_has_each_disk_and_the_machine_as_it_was(azure_clients: AzureClients) -> None:
    await furnished(azure_clients)
    made = await point(azure_clients)
    assert made.provisioning_state == "Succeeded"
    assert made.consistency_mode == "FileSystemConsistent"
    machine = await azure_clients.compute.virtual_machines.get("rg", "vm")
    assert made.source_metadata.vm_id == machine.vm_id
    profile = made.source_metadata.storage_profile
    assert [(one.lun, one.disk_size_gb) for one in profile.data_disks] == [(3, 7)]
    listed = [one async for one in azure_clients.compute.disk_restore_point.list_by_restore_point("rg", "points", "first")]
    assert {one.id for one in listed} == {profile.os_disk.disk_restore_point.id, profile.data_disks[0].disk_restore_point.id}
    found = await azure_clients.compute.disk_restore_point.get("rg", "points", "first", listed[0].name)
    assert (found.os_type, found.hyper_v_generation) == ("Linux", "V2")
    assert found.source_resource_id == profile.os_disk.managed_disk.id
    whole = await azure_clients.compute.restore_point_collections.get("rg", "points", expand="restorePoints")
    assert [one.name for one in whole.restore_points] == ["first"]
    assert [one.name async for one in azure_clients.compute.restore_point_collections.list("rg")] == ["points"]


async def test_how_consistent_a_restore_point_is_depends_on_the_guest_and_on_what_was_asked_for(azure_clients: AzureClients) -> None:
    await make_machine(azure_clients, image=WINDOWS, windows=True)
    await collection(azure_clients)
    assert (await point(azure_clients)).consistency_mode == "ApplicationConsistent"
    assert (await point(azure_clients, "second", consistencyMode="CrashConsistent")).consistency_mode == "CrashConsistent"
    with pytest.raises(HttpResponseError) as refused:
        await point(azure_clients, "third", consistencyMode="ApplicationConsistent")
    assert refused.value.error.code == "InvalidParameter"


async def test_excluded_disks_are_left_out_and_must_be_the_machines(azure_clients: AzureClients) -> None:
    await furnished(azure_clients)
    machine = await azure_clients.compute.virtual_machines.get("rg", "vm")
    data = machine.storage_profile.data_disks[0].managed_disk.id
    made = await point(azure_clients, excludeDisks=[{"id": data}])
    assert made.source_metadata.storage_profile.data_disks == []
    assert [one.id for one in made.exclude_disks] == [data]
    with pytest.raises(HttpResponseError, match="not attached"):
        await point(azure_clients, "second", excludeDisks=[{"id": data + "x"}])


async def test_a_disk_is_restored_and_a_machine_gets_one_with_its_own_making(azure_clients: AzureClients) -> None:
    await furnished(azure_clients)
    profile = (await point(azure_clients)).source_metadata.storage_profile
    creation = {"createOption": "Restore", "sourceResourceId": profile.os_disk.disk_restore_point.id}
    body = {"location": LOCATION, "properties": {"creationData": creation}}
    disk = await (await azure_clients.compute.disks.begin_create_or_update("rg", "restored", body)).result()
    assert (disk.os_type, disk.disk_size_gb, disk.creation_data.create_option) == ("Linux", 30, "Restore")
    again = {"lun": 5, "createOption": "Restore", "sourceResource": {"id": profile.data_disks[0].disk_restore_point.id}}
    kept = {"lun": 3, "createOption": "Attach", "managedDisk": {"id": profile.data_disks[0].managed_disk.id}}
    update = {"properties": {"storageProfile": {"dataDisks": [kept, again]}}}
    machine = await (await azure_clients.compute.virtual_machines.begin_update("rg", "vm", update)).result()
    assert {one.lun: one.disk_size_gb for one in machine.storage_profile.data_disks} == {3: 7, 5: 7}
    elsewhere = {"location": "northeurope", "properties": {"creationData": creation}}
    with pytest.raises(ResourceNotFoundError):
        await azure_clients.compute.disks.begin_create_or_update("rg", "elsewhere", elsewhere)


async def test_a_disk_that_is_read_keeps_its_restore_point_until_access_ends(azure_clients: AzureClients) -> None:
    await furnished(azure_clients)
    await point(azure_clients)
    operations = azure_clients.compute.disk_restore_point
    first, _ = [one.name async for one in operations.list_by_restore_point("rg", "points", "first")]
    poller = await operations.begin_grant_access("rg", "points", "first", first, {"access": "Read", "durationInSeconds": 300})
    assert (await poller.result()).access_sas.startswith("https://")
    for refuse in (
        lambda: azure_clients.compute.restore_points.begin_delete("rg", "points", "first"),
        lambda: azure_clients.compute.restore_point_collections.begin_delete("rg", "points"),
    ):
        with pytest.raises(HttpResponseError) as refused:
            await refuse()
        assert refused.value.error.code == "DiskRestorePointUsedByCustomer"
    await (await operations.begin_revoke_access("rg", "points", "first", first)).result()
    await (await azure_clients.compute.restore_points.begin_delete("rg", "points", "first")).result()
    with pytest.raises(ResourceNotFoundError):
        await operations.get("rg", "points", "first", first)


async def test_a_collection_goes_with_its_points_and_not_with_its_machine(azure_clients: AzureClients) -> None:
    await furnished(azure_clients)
    await point(azure_clients)
    await (await azure_clients.compute.virtual_machines.begin_delete("rg", "vm")).result()
    assert (await azure_clients.compute.restore_points.get("rg", "points", "first")).provisioning_state == "Succeeded"
    with pytest.raises(ResourceNotFoundError):
        await point(azure_clients, "second")
    await (await azure_clients.compute.restore_point_collections.begin_delete("rg", "points")).result()
    with pytest.raises(ResourceNotFoundError):
        await azure_clients.compute.restore_points.get("rg", "points", "first")


async def test_a_copy_reaches_the_other_region_bit_by_bit(azure_clients: AzureClients) -> None:
    await furnished(azure_clients)
    await point(azure_clients)
    await collection(azure_clients, "far", "northeurope", "restorePointCollections/points")
    source = f"{group(azure_clients)}/providers/Microsoft.Compute/restorePointCollections/points/restorePoints/first"
    copy = await point(azure_clients, "copy", "far", sourceRestorePoint={"id": source})
    assert copy.source_restore_point.id == source
    shown = await azure_clients.compute.restore_points.get("rg", "far", "copy", expand="instanceView")
    assert shown.instance_view.statuses[0].code == "ReplicationState/replicating"
    creation = {
        "createOption": "Restore",
        "sourceResourceId": copy.source_metadata.storage_profile.os_disk.disk_restore_point.id,
    }
    body = {"location": "northeurope", "properties": {"creationData": creation}}
    with pytest.raises(HttpResponseError, match="still being copied"):
        await azure_clients.compute.disks.begin_create_or_update("rg", "restored", body)
    azure_clients.sandbox.skip(8000)
    shown = await azure_clients.compute.restore_points.get("rg", "far", "copy", expand="instanceView")
    assert [one.replication_status.completion_percent for one in shown.instance_view.disk_restore_points] == [100, 100]
    parts = [one async for one in azure_clients.compute.disk_restore_point.list_by_restore_point("rg", "far", "copy")]
    assert {(one.replication_state, one.source_resource_location) for one in parts} == {("Succeeded", LOCATION)}
    restored = await (await azure_clients.compute.disks.begin_create_or_update("rg", "restored", body)).result()
    assert restored.location == "northeurope"


async def test_what_a_collection_and_a_point_are_cannot_change(azure_clients: AzureClients) -> None:
    await furnished(azure_clients)
    await point(azure_clients)
    with pytest.raises(HttpResponseError) as refused:
        await point(azure_clients)
    assert refused.value.status_code == 409
    changed = await azure_clients.compute.restore_point_collections.update("rg", "points", {"tags": {"c": "d"}})
    assert changed.tags == {"c": "d"}
    other = {"properties": {"source": {"id": changed.source.id + "x"}}}
    with pytest.raises(HttpResponseError) as refused:
        await azure_clients.compute.restore_point_collections.update("rg", "points", other)
    assert refused.value.error.code == "PropertyChangeNotAllowed"


async def test_a_second_point_waits_for_the_first(azure_clients: AzureClients) -> None:
    await furnished(azure_clients)
    first = await azure_clients.compute.restore_points.begin_create("rg", "points", "first", {})
    with pytest.raises(HttpResponseError) as refused:
        await azure_clients.compute.restore_points.begin_create("rg", "points", "second", {})
    assert (refused.value.status_code, refused.value.error.code) == (409, "VMRestorePointClientError")
    await first.result()
    await point(azure_clients, "second")


async def test_restore_points_are_shown_by_their_collection_and_not_listed(azure_clients: AzureClients) -> None:
    await furnished(azure_clients)
    await point(azure_clients)
    collection = f"{group(azure_clients)}/providers/Microsoft.Compute/restorePointCollections/points"
    answer = send(azure_clients.sandbox, "GET", f"{collection}/restorePoints", version="2024-07-01")
    assert (answer.status, answer.json()["error"]["code"]) == (404, "InvalidResourceType")


async def test_a_shared_disk_has_no_restore_point_and_may_be_left_out(azure_clients: AzureClients) -> None:
    await furnished(azure_clients)
    properties = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 256, "maxShares": 2}
    body = {"location": LOCATION, "sku": {"name": "Premium_LRS"}, "properties": properties}
    disk = await (await azure_clients.compute.disks.begin_create_or_update("rg", "shared", body)).result()
    attached = {"dataDisksToAttach": [{"diskId": disk.id, "lun": 9}]}
    await (await azure_clients.compute.virtual_machines.begin_attach_detach_data_disks("rg", "vm", attached)).result()
    with pytest.raises(HttpResponseError, match="Shared disks is not supported") as refused:
        await point(azure_clients)
    assert refused.value.error.code == "VMRestorePointClientError"
    assert (await point(azure_clients, excludeDisks=[{"id": disk.id}])).provisioning_state == "Succeeded"


async def test_a_disk_whose_key_vault_is_gone_has_no_restore_point(azure_clients: AzureClients) -> None:
    await furnished(azure_clients)
    sandbox = azure_clients.sandbox
    vault = f"{group(azure_clients)}/providers/Microsoft.KeyVault/vaults/keys-of-disks"
    body = {"location": LOCATION, "identity": {"type": "SystemAssigned"}, "properties": {"activeKey": make_key(sandbox, vault, LOCATION)}}
    made = await (await azure_clients.compute.disk_encryption_sets.begin_create_or_update("rg", "set", body)).result()
    grant(sandbox, vault, made.identity.principal_id)
    encryption = {"type": "EncryptionAtRestWithCustomerKey", "diskEncryptionSetId": made.id}
    creation = {"location": LOCATION, "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4, "encryption": encryption}}
    disk = await (await azure_clients.compute.disks.begin_create_or_update("rg", "secret", creation)).result()
    attached = {"dataDisksToAttach": [{"diskId": disk.id, "lun": 9}]}
    await (await azure_clients.compute.virtual_machines.begin_attach_detach_data_disks("rg", "vm", attached)).result()
    await point(azure_clients)
    assert send(sandbox, "DELETE", vault).status == 200
    with pytest.raises(HttpResponseError) as refused:
        await point(azure_clients, "second")
    assert refused.value.error.code == "DiskRestorePointClientError"
    await point(azure_clients, "second", excludeDisks=[{"id": disk.id}])
