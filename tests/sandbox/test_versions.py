"""Gallery image versions: replication over time, the rules of galleries, latest."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.sandbox.bodies import LOCATION, generalize, group, machine, make_definition, make_machine, publish, replication_of, version
from tests.sandbox_transport import AzureClients

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

VERSION = "Microsoft.Compute/galleries/images/versions"


def code(error: Any) -> str:
    return str(error.value.error.code)


async def source_of(clients: AzureClients, **options: Any) -> dict[str, Any]:
    """A generalized machine, and a definition that it fits; returns the storageProfile."""
    vm = await make_machine(clients)
    await generalize(clients)
    await make_definition(clients, **options)
    return {"source": {"virtualMachineId": vm.id}}


def versions(clients: AzureClients) -> Any:
    return clients.compute.gallery_image_versions


async def get(clients: AzureClients, name: str) -> Any:
    return await versions(clients).get("rg", "gallery", "ubuntu", name)


async def test_regions_make_progress_of_their_own_and_the_operation_ends_with_the_last(azure_clients: AzureClients) -> None:
    source = await source_of(azure_clients)
    poller = await versions(azure_clients).begin_create_or_update(
        "rg", "gallery", "ubuntu", "1.0.0", version(source, "northeurope", "uksouth")
    )
    seen: list[dict[str, tuple[str, int]]] = []
    while not poller.done():
        seen.append(await replication_of(azure_clients, "1.0.0"))
        await asyncio.sleep(30)
        if seen[-1] and all(state == "Completed" for state, _ in seen[-1].values()):
            break
    await poller.result()
    for region in ("westeurope", "northeurope", "uksouth"):
        progress = [one[region][1] for one in seen]
        assert progress == sorted(progress), "progress never goes back"
        assert len({value for value in progress if 0 < value < 100}) > 3, "progress moves"
    first_done = {
        region: next(index for index, one in enumerate(seen) if one[region][0] == "Completed")
        for region in seen[-1]
        if seen[-1][region][0] == "Completed"
    }
    assert len(set(first_done.values())) > 1, "regions do not end together"
    assert (await get(azure_clients, "1.0.0")).provisioning_state == "Succeeded"


async def test_replication_status_is_shown_only_when_asked_for(azure_clients: AzureClients) -> None:
    await publish(azure_clients, "1.0.0", version(await source_of(azure_clients)))
    assert (await get(azure_clients, "1.0.0")).replication_status is None


async def test_a_machine_in_a_region_without_a_replica_is_refused_as_azure_does(azure_clients: AzureClients) -> None:
    published = await publish(azure_clients, "1.0.0", version(await source_of(azure_clients)))
    with pytest.raises(ResourceNotFoundError) as refused:
        await make_machine(azure_clients, "far", {"id": published.id}, "far", location="uksouth")
    assert code(refused) == "GalleryImageNotFound"
    assert "is not available in uksouth region" in str(refused.value)
    assert refused.value.error.target == "imageReference"


async def test_a_failed_region_fails_the_operation_and_is_mended_by_putting_it_again(azure_clients: AzureClients) -> None:
    azure_clients.sandbox.faults.add(
        name="uk",
        match={"type": VERSION, "region": "UK South"},
        count=1,
        effect={"replication": {"message": "Failed with internal server error."}},
    )
    source = await source_of(azure_clients)
    with pytest.raises(HttpResponseError) as failed:
        await publish(azure_clients, "1.0.0", version(source, "uksouth"))
    assert "{region:uksouth, detail:Failed with internal server error.}" in str(failed.value)
    assert (await get(azure_clients, "1.0.0")).provisioning_state == "Failed"
    states = await replication_of(azure_clients, "1.0.0")
    assert (states["westeurope"], states["uksouth"][0]) == (("Completed", 100), "Failed")
    await publish(azure_clients, "1.0.0", version(source, "uksouth"))
    assert (await replication_of(azure_clients, "1.0.0"))["uksouth"] == ("Completed", 100)


async def test_a_stuck_region_is_mended_only_by_removing_and_adding_it_again(azure_clients: AzureClients) -> None:
    azure_clients.sandbox.faults.add(
        name="uk", match={"type": VERSION, "region": "uksouth"}, count=1, effect={"replication": {"until": "readd"}}
    )
    source = await source_of(azure_clients)
    for _ in range(2):
        with pytest.raises(HttpResponseError):
            await publish(azure_clients, "1.0.0", version(source, "uksouth"))
    await publish(azure_clients, "1.0.0", version({}))
    await publish(azure_clients, "1.0.0", version({}, "uksouth"))
    assert (await replication_of(azure_clients, "1.0.0"))["uksouth"] == ("Completed", 100)


async def test_a_region_can_be_unusable_though_the_operation_has_succeeded(azure_clients: AzureClients) -> None:
    azure_clients.sandbox.faults.add(name="late", match={"type": VERSION, "region": "uksouth"}, effect={"late": 600})
    await publish(azure_clients, "1.0.0", version(await source_of(azure_clients), "uksouth"))
    assert (await get(azure_clients, "1.0.0")).provisioning_state == "Succeeded"
    assert (await replication_of(azure_clients, "1.0.0"))["uksouth"][0] == "Replicating"
    await asyncio.sleep(600)
    assert (await replication_of(azure_clients, "1.0.0"))["uksouth"] == ("Completed", 100)


async def test_regions_that_are_left_out_are_removed_only_where_the_safety_profile_allows(azure_clients: AzureClients) -> None:
    await publish(azure_clients, "1.0.0", version(await source_of(azure_clients), "northeurope"))
    with pytest.raises(HttpResponseError, match="Complete set of target locations not specified") as refused:
        await publish(azure_clients, "1.0.0", version({}))
    assert refused.value.status_code == 400
    assert set(await replication_of(azure_clients, "1.0.0")) == {"westeurope", "northeurope"}
    await publish(azure_clients, "1.0.0", version({}, safetyProfile={"allowDeletionOfReplicatedLocations": True}))
    assert set(await replication_of(azure_clients, "1.0.0")) == {"westeurope"}


async def test_a_second_write_while_one_runs_is_a_conflict(azure_clients: AzureClients) -> None:
    source = await source_of(azure_clients)
    poller = await versions(azure_clients).begin_create_or_update("rg", "gallery", "ubuntu", "1.0.0", version(source))
    with pytest.raises(ResourceExistsError) as refused:
        await versions(azure_clients).begin_create_or_update("rg", "gallery", "ubuntu", "1.0.0", version(source))
    assert code(refused) == "Conflict"
    await poller.result()


async def test_the_source_of_a_version_never_changes(azure_clients: AzureClients) -> None:
    source = await source_of(azure_clients)
    await publish(azure_clients, "1.0.0", version(source))
    other = {"source": {"virtualMachineId": source["source"]["virtualMachineId"] + "2"}}
    with pytest.raises(ResourceExistsError) as refused:
        await publish(azure_clients, "1.0.0", version(other))
    assert code(refused) == "PropertyChangeNotAllowed"
    assert refused.value.error.target == "galleryImageVersion.properties.storageProfile.source.virtualMachineId"


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("1.0", {}, "Major(int).Minor(int).Patch(int)"),
        ("1.0.2147483648", {}, "Major(int).Minor(int).Patch(int)"),
        ("1.0.0", {"targetRegions": [{"name": "northeurope"}]}, "must contain the location of image version 'westeurope'"),
        ("1.0.0", {"targetRegions": [{"name": "westeurope"}, {"name": "West Europe"}]}, "Duplicate regions are not allowed"),
        ("1.0.0", {"targetRegions": [{"name": "westeurope"}, {"name": "atlantis"}]}, "not a known Azure region"),
        ("1.0.0", {"targetRegions": [{"name": "westeurope", "regionalReplicaCount": 101}]}, "between 1 and 100"),
        ("1.0.0", {"endOfLifeDate": "2001-01-01T00:00:00Z"}, "must be a future date"),
        ("1.0.0", {"replicationMode": "Shallow", "targetRegions": [{"name": "westeurope"}, {"name": "uksouth"}]}, "Shallow"),
    ],
)
async def test_what_a_gallery_does_not_take(azure_clients: AzureClients, name: str, change: dict[str, Any], expected: str) -> None:
    body = version(await source_of(azure_clients))
    body["properties"]["publishingProfile"].update(change)
    with pytest.raises(HttpResponseError) as refused:
        await publish(azure_clients, name, body)
    assert expected in str(refused.value)
    assert [one async for one in versions(azure_clients).list_by_gallery_image("rg", "gallery", "ubuntu")] == []


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ({"osType": "Windows"}, "different OS type"),
        ({"osState": "Specialized"}, "different OS state"),
        ({"hyperVGeneration": "V1"}, "different Hypervisor generation"),
        ({"architecture": "Arm64"}, "different architecture"),
        ({"security": "TrustedLaunch"}, "security type"),
        ({"security": None}, "unless it is a managed image or a gallery image version"),
    ],
)
async def test_a_source_must_fit_its_definition(azure_clients: AzureClients, definition: dict[str, Any], expected: str) -> None:
    source = await source_of(azure_clients, **definition)
    with pytest.raises(HttpResponseError) as refused:
        await publish(azure_clients, "1.0.0", version(source))
    assert expected in str(refused.value)


async def test_a_definition_that_supports_trusted_launch_takes_a_managed_image(azure_clients: AzureClients) -> None:
    source = await source_of(azure_clients, security="TrustedLaunchSupported")
    body = {
        "location": LOCATION,
        "properties": {"sourceVirtualMachine": {"id": source["source"]["virtualMachineId"]}, "hyperVGeneration": "V2"},
    }
    image = await (await azure_clients.compute.images.begin_create_or_update("rg", "image", body)).result()
    published = await publish(azure_clients, "1.0.0", version({"source": {"id": image.id}}))
    assert published.storage_profile.os_disk_image.size_in_gb == 30
    assert await boot(azure_clients, "trusted", published.id, security="TrustedLaunch") == "1.0.0"
    assert await boot(azure_clients, "plain", published.id) == "1.0.0"


async def test_only_a_definition_that_supports_trusted_launch_makes_such_machines(azure_clients: AzureClients) -> None:
    source = await source_of(azure_clients)
    published = await publish(azure_clients, "1.0.0", version(source))
    with pytest.raises(HttpResponseError, match="TrustedLaunch setting is not supported for the provided image"):
        await boot(azure_clients, "trusted", published.id, security="TrustedLaunch")


async def boot(clients: AzureClients, name: str, reference: str, security: str | None = None) -> str:
    subnet = f"{group(clients)}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/build"
    body = machine(subnet, {"id": reference})
    if security is not None:
        body["properties"]["securityProfile"] = {"securityType": security}
    made = await (await clients.compute.virtual_machines.begin_create_or_update("rg", name, body)).result()
    return str(made.storage_profile.image_reference.exact_version)


async def test_latest_is_the_greatest_number_that_is_not_excluded_and_a_regional_flag_wins(azure_clients: AzureClients) -> None:
    source = await source_of(azure_clients)
    definition = f"{group(azure_clients)}/providers/Microsoft.Compute/galleries/gallery/images/ubuntu"
    for name in ("1.9.0", "1.10.0"):
        await publish(azure_clients, name, version(source))
    await publish(azure_clients, "2.0.0", version(source, excluded=True))
    assert await boot(azure_clients, "one", definition) == "1.10.0"
    body = version({}, excluded=True)
    body["properties"]["publishingProfile"]["targetRegions"][0]["excludeFromLatest"] = False
    await publish(azure_clients, "2.0.0", body)
    assert await boot(azure_clients, "two", definition) == "2.0.0"


async def test_nothing_is_deleted_before_what_is_nested_in_it(azure_clients: AzureClients) -> None:
    compute = azure_clients.compute
    await publish(azure_clients, "1.0.0", version(await source_of(azure_clients)))
    for delete in (
        lambda: compute.galleries.begin_delete("rg", "gallery"),
        lambda: compute.gallery_images.begin_delete("rg", "gallery", "ubuntu"),
    ):
        with pytest.raises(ResourceExistsError) as refused:
            await delete()
        assert code(refused) == "CannotDeleteResource"
    await (await versions(azure_clients).begin_delete("rg", "gallery", "ubuntu", "1.0.0")).result()
    await (await compute.gallery_images.begin_delete("rg", "gallery", "ubuntu")).result()
    await (await compute.galleries.begin_delete("rg", "gallery")).result()
    assert [one async for one in compute.galleries.list_by_resource_group("rg")] == []


async def test_a_version_being_deleted_takes_no_update(azure_clients: AzureClients) -> None:
    await publish(azure_clients, "1.0.0", version(await source_of(azure_clients)))
    poller = await versions(azure_clients).begin_delete("rg", "gallery", "ubuntu", "1.0.0")
    with pytest.raises(ResourceExistsError) as refused:
        await publish(azure_clients, "1.0.0", version({}))
    assert "marked for deletion" in str(refused.value)
    await poller.result()


async def test_deletion_is_blocked_before_the_end_of_life(azure_clients: AzureClients) -> None:
    body = version(await source_of(azure_clients), safetyProfile={"blockDeletionBeforeEndOfLife": True})
    body["properties"]["publishingProfile"]["endOfLifeDate"] = "2027-11-23T00:00:00Z"
    await publish(azure_clients, "1.0.0", body)
    with pytest.raises(ResourceExistsError) as refused:
        await versions(azure_clients).begin_delete("rg", "gallery", "ubuntu", "1.0.0")
    assert code(refused) == "DeleteGalleryImageVersionBlockedBeforeEndOfLife"
    await publish(azure_clients, "1.0.0", version({}, safetyProfile={"blockDeletionBeforeEndOfLife": False}))
    await (await versions(azure_clients).begin_delete("rg", "gallery", "ubuntu", "1.0.0")).result()


async def test_a_failed_publish_blocks_the_number_until_it_is_deleted(azure_clients: AzureClients) -> None:
    fault = {"code": "InvalidBeginGetAccessForGalleryImageVersionSnapshotResponseFromPIR", "message": "The snapshot is gone.", "keep": True}
    azure_clients.sandbox.faults.add(name="publish", match={"type": VERSION, "method": "PUT"}, count=1, effect={"operation": fault})
    source = await source_of(azure_clients)
    for expected in (fault["code"], "InternalOperationError"):
        with pytest.raises(HttpResponseError) as failed:
            await publish(azure_clients, "1.0.0", version(source))
        assert code(failed) == expected
    await (await versions(azure_clients).begin_delete("rg", "gallery", "ubuntu", "1.0.0")).result()
    await publish(azure_clients, "1.0.0", version(source))


async def test_data_disks_keep_their_luns_from_machine_to_version_to_machine(azure_clients: AzureClients) -> None:
    vm = await make_machine(azure_clients)
    disks = [
        {"lun": 2, "createOption": "Empty", "diskSizeGB": 8, "caching": "ReadOnly"},
        {"lun": 5, "createOption": "Empty", "diskSizeGB": 16},
    ]
    update = {"properties": {"storageProfile": {"dataDisks": disks}}}
    await (await azure_clients.compute.virtual_machines.begin_update("rg", "vm", update)).result()
    await generalize(azure_clients)
    await make_definition(azure_clients)
    published = await publish(azure_clients, "1.0.0", version({"source": {"virtualMachineId": vm.id}}))
    assert [(one.lun, one.size_in_gb, one.host_caching) for one in published.storage_profile.data_disk_images] == [
        (2, 8, "ReadOnly"),
        (5, 16, "None"),
    ]
    await boot(azure_clients, "clone", published.id)
    clone = await azure_clients.compute.virtual_machines.get("rg", "clone")
    assert [(one.lun, one.disk_size_gb, one.create_option) for one in clone.storage_profile.data_disks] == [
        (2, 8, "FromImage"),
        (5, 16, "FromImage"),
    ]
