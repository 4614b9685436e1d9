"""Managed images, through the official client."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from tests.sandbox.bodies import LOCATION
from tests.sandbox.sync_machines import Azure


@pytest.fixture
def azure() -> Azure:
    return Azure()


def image(azure: Azure, name: str = "image", *, generation: str | None = "V2", **properties: Any) -> Any:
    if generation is not None:
        properties["hyperVGeneration"] = generation
    return azure.compute.images.begin_create_or_update("rg", name, {"location": LOCATION, "properties": properties}).result()


def generalized(azure: Azure, **storage: Any) -> Any:
    vm = azure.machine(storage=storage)
    azure.compute.virtual_machines.begin_deallocate("rg", "vm").result()
    azure.compute.virtual_machines.generalize("rg", "vm")
    return vm


def test_an_image_of_a_machine_is_made_shown_listed_changed_and_deleted(azure: Azure) -> None:
    images = azure.compute.images
    data = [{"lun": 2, "createOption": "Empty", "diskSizeGB": 16, "managedDisk": {"storageAccountType": "StandardSSD_LRS"}}]
    vm = generalized(azure, dataDisks=data)
    made = image(azure, sourceVirtualMachine={"id": vm.id})
    profile = made.storage_profile
    assert (profile.os_disk.os_type, profile.os_disk.os_state, profile.os_disk.disk_size_gb) == ("Linux", "Generalized", 30)
    assert profile.os_disk.managed_disk.id == vm.storage_profile.os_disk.managed_disk.id
    assert [(one.lun, one.disk_size_gb, one.storage_account_type) for one in profile.data_disks] == [(2, 16, "StandardSSD_LRS")]
    assert [one.name for one in images.list()] == [one.name for one in images.list_by_resource_group("rg")] == ["image"]
    assert images.begin_update("rg", "image", {"tags": {"a": "b"}}).result().tags == {"a": "b"}
    with pytest.raises(ResourceExistsError) as refused:
        image(azure, sourceVirtualMachine={"id": f"{vm.id}x"})
    assert "Changing property 'sourceVirtualMachine' is not allowed." in str(refused.value)
    images.begin_delete("rg", "image").result()
    assert list(images.list()) == []


def test_an_image_is_made_of_disks_and_of_snapshots(azure: Azure) -> None:
    vm = azure.machine()
    source = {"createOption": "Copy", "sourceResourceId": vm.storage_profile.os_disk.managed_disk.id}
    body = {"location": LOCATION, "properties": {"creationData": source}}
    snapshot = azure.compute.snapshots.begin_create_or_update("rg", "snapshot", body).result()
    data = azure.disk("data", 16)
    disk = {"osType": "Linux", "osState": "Generalized"}
    made = image(
        azure,
        storageProfile={
            "osDisk": {**disk, "snapshot": {"id": snapshot.id}, "caching": "ReadWrite", "diskSizeGB": 64},
            "dataDisks": [{"lun": 0, "managedDisk": {"id": data.id}}],
        },
    )
    assert (made.storage_profile.os_disk.snapshot.id, made.storage_profile.os_disk.disk_size_gb) == (snapshot.id, 64)
    assert (made.storage_profile.data_disks[0].managed_disk.id, made.storage_profile.data_disks[0].disk_size_gb) == (data.id, 16)
    for wrong, expected in (
        ({**disk, "snapshot": {"id": snapshot.id}, "managedDisk": {"id": data.id}}, "exactly one of"),
        ({"osType": "Windows", "osState": "Generalized", "snapshot": {"id": snapshot.id}}, "does not match"),
        ({"osType": "Linux", "osState": "Specialized", "snapshot": {"id": snapshot.id}}, "always Generalized"),
        ({**disk, "blobUri": "https://nowhere.blob.core.windows.net/vhds/none.vhd"}, "was not found"),
    ):
        with pytest.raises(HttpResponseError) as refused:
            image(azure, "wrong", storageProfile={"osDisk": wrong})
        assert expected in str(refused.value)


def test_an_image_says_what_it_needs(azure: Azure) -> None:
    vm = azure.machine()
    with pytest.raises(ResourceExistsError) as running:
        image(azure, sourceVirtualMachine={"id": vm.id})
    assert "requires the Virtual Machine 'vm' to be Generalized." in str(running.value)
    with pytest.raises(HttpResponseError) as incomplete:
        image(azure, generation=None, storageProfile={"osDisk": {"osType": "Linux", "osState": "Generalized"}})
    assert "Required parameter 'hyperVGeneration' is missing (null)." in str(incomplete.value)


def test_no_image_is_made_of_a_trusted_launch_machine(azure: Azure) -> None:
    vm = azure.machine(securityProfile={"securityType": "TrustedLaunch", "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True}})
    azure.compute.virtual_machines.begin_deallocate("rg", "vm").result()
    azure.compute.virtual_machines.generalize("rg", "vm")
    with pytest.raises(ResourceExistsError) as refused:
        image(azure, sourceVirtualMachine={"id": vm.id})
    assert "security type 'TrustedLaunch'" in str(refused.value)


def test_an_image_of_an_empty_disk_makes_a_machine_that_never_comes_up(azure: Azure) -> None:
    disk = azure.disk("blank", 30)
    made = image(azure, storageProfile={"osDisk": {"osType": "Linux", "osState": "Generalized", "managedDisk": {"id": disk.id}}})
    with pytest.raises(HttpResponseError) as failed:
        azure.machine(image={"id": made.id})
    assert failed.value.error.code == "OSProvisioningTimedOut"


@pytest.mark.parametrize("name", ["_image", "image.", "x" * 81])
def test_a_name_that_compute_does_not_take_is_refused(azure: Azure, name: str) -> None:
    for make in (azure.disk, azure.machine):
        with pytest.raises(HttpResponseError) as refused:
            make(name)
        assert "is invalid according to its validation rule" in str(refused.value)
