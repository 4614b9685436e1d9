"""What may change of a machine that is there, through the official client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from include.sandbox.wire import Request
from tests.sandbox.bodies import LOCATION, UBUNTU, machine
from tests.sandbox.sync_machines import Azure
from tests.sandbox_transport import BASE


@pytest.fixture
def azure() -> Azure:
    return Azure()


def code(error: Any) -> str:
    return str(error.value.error.code)


def test_a_machine_is_made_shown_listed_changed_and_deleted(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    made = azure.machine()
    assert (made.provisioning_state, made.etag, made.storage_profile.image_reference.exact_version) == (
        "Succeeded",
        '"1"',
        "24.04.202511110",
    )
    assert [one.name for one in machines.list("rg")] == [one.name for one in machines.list_all()] == ["vm"]
    assert next(iter(machines.list_by_location(LOCATION))).name == "vm"
    changed = machines.begin_update("rg", "vm", {"tags": {"team": "images"}}).result()
    assert (changed.tags, changed.etag) == ({"team": "images"}, '"2"')
    machines.begin_delete("rg", "vm").result()
    assert list(machines.list("rg")) == []


@pytest.mark.parametrize(
    ("size", "why"),
    [
        ("Standard_D2ps_v5", "only supports a CPU Architecture of 'Arm64', but an image or disk with CPU Architecture 'x64'"),
        ("Standard_D2_v2", "cannot boot Hypervisor Generation '2'"),
    ],
)
def test_a_machine_is_not_resized_to_what_cannot_boot_its_disk(azure: Azure, size: str, why: str) -> None:
    azure.machine()
    with pytest.raises(HttpResponseError, match=why):
        azure.compute.virtual_machines.begin_update("rg", "vm", {"properties": {"hardwareProfile": {"vmSize": size}}})


@pytest.mark.parametrize(
    ("change", "target"),
    [
        ({"storageProfile": {"imageReference": {**UBUNTU, "sku": "minimal"}}}, "imageReference"),
        ({"osProfile": {"adminUsername": "somebody"}}, "osProfile.adminUsername"),
        ({"osProfile": {"computerName": "other"}}, "osProfile.computerName"),
        ({"priority": "Spot"}, "priority"),
        ({"storageProfile": {"osDisk": {"osType": "Windows"}}}, "osDisk.osType"),
        ({"storageProfile": {"osDisk": {"name": "other"}}}, "osDisk.name"),
        (
            {"availabilitySet": {"id": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/availabilitySets/a"}},
            "availabilitySet.id",
        ),
        ({"securityProfile": {"securityType": "ConfidentialVM"}}, "securityProfile.securityType"),
    ],
)
def test_what_a_machine_keeps_for_life_is_named(azure: Azure, change: dict[str, Any], target: str) -> None:
    azure.machine()
    with pytest.raises(ResourceExistsError) as refused:
        azure.compute.virtual_machines.begin_update("rg", "vm", {"properties": change})
    assert code(refused) == "PropertyChangeNotAllowed"
    assert refused.value.error.target == target
    assert f"Changing property '{target}' is not allowed." in str(refused.value)


def test_a_put_leaves_what_it_does_not_name(azure: Azure) -> None:
    before = azure.machine()
    after = azure.compute.virtual_machines.begin_create_or_update("rg", "vm", {"location": LOCATION}).result()
    assert after.hardware_profile.vm_size == before.hardware_profile.vm_size
    assert after.os_profile.admin_username == "builder"


def test_a_put_on_condition_is_refused_where_the_condition_does_not_hold(azure: Azure) -> None:
    body = machine(azure.subnet(), UBUNTU)
    machines = azure.compute.virtual_machines
    machines.begin_create_or_update("rg", "vm", body, match_condition=MatchConditions.IfMissing).result()
    with pytest.raises(HttpResponseError) as refused:
        machines.begin_create_or_update("rg", "vm", body, match_condition=MatchConditions.IfMissing)
    assert (refused.value.status_code, code(refused)) == (412, "PreconditionFailed")
    machines.begin_update("rg", "vm", {"tags": {"a": "b"}}, etag='"1"', match_condition=MatchConditions.IfNotModified).result()
    with pytest.raises(HttpResponseError) as refused:
        machines.begin_update("rg", "vm", {"tags": {"a": "c"}}, etag='"1"', match_condition=MatchConditions.IfNotModified)
    assert 'if-match header "1" does not match etag "2"' in str(refused.value)


def test_data_disks_come_and_go_with_the_list(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    disk = azure.disk()
    azure.machine()
    wanted = [
        {"lun": 0, "createOption": "Empty", "name": "fresh", "diskSizeGB": 4},
        {"lun": 3, "createOption": "Attach", "managedDisk": {"id": disk.id}, "deleteOption": "Delete"},
    ]
    changed = machines.begin_update("rg", "vm", {"properties": {"storageProfile": {"dataDisks": wanted}}}).result()
    assert [(one.lun, one.name, one.disk_size_gb, one.to_be_detached) for one in changed.storage_profile.data_disks] == [
        (0, "fresh", 4, False),
        (3, "disk", 8, False),
    ]
    assert azure.compute.disks.get("rg", "disk").disk_state == "Attached"
    with pytest.raises(ResourceExistsError) as refused:
        azure.compute.disks.begin_delete("rg", "disk")
    assert "is attached to VM" in str(refused.value)
    none = b'{"properties": {"storageProfile": {"dataDisks": []}}}'
    answer = azure.sandbox.handle(Request("PATCH", f"{BASE}{changed.id}?api-version=2025-04-01", {}, none)).json()
    assert [one["toBeDetached"] for one in answer["properties"]["storageProfile"]["dataDisks"]] == [True, True]
    azure.sandbox.clock.advance(120)
    assert machines.get("rg", "vm").storage_profile.data_disks == []
    assert azure.compute.disks.get("rg", "fresh").disk_state == "Unattached"
    assert [one.name for one in azure.compute.disks.list() if one.name == "disk"] == []  # deleteOption Delete


def test_disks_are_attached_and_detached_by_themselves(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    one, two = azure.disk("one"), azure.disk("two")
    azure.machine()
    coming = {"dataDisksToAttach": [{"diskId": one.id, "lun": 0}, {"diskId": two.id}]}
    machines.begin_attach_detach_data_disks("rg", "vm", coming).result()
    profile = machines.get("rg", "vm").storage_profile
    assert [(disk.lun, disk.name) for disk in profile.data_disks] == [(0, "one"), (1, "two")]
    going = {"dataDisksToDetach": [{"diskId": one.id, "detachOption": "ForceDetach"}]}
    machines.begin_attach_detach_data_disks("rg", "vm", going).result()
    assert [disk.name for disk in machines.get("rg", "vm").storage_profile.data_disks] == ["two"]
    with pytest.raises(ResourceExistsError) as refused:
        machines.begin_attach_detach_data_disks("rg", "vm", going)
    assert "is not attached to VM" in str(refused.value)
    other = azure.machine("other")
    with pytest.raises(ResourceExistsError) as refused:
        machines.begin_attach_detach_data_disks("rg", other.name, {"dataDisksToAttach": [{"diskId": two.id}]})
    assert "already owned by VM" in str(refused.value)


def test_a_size_takes_only_so_many_disks(azure: Azure) -> None:
    azure.machine(hardwareProfile={"vmSize": "Standard_B1s"})
    disks = [{"lun": lun, "createOption": "Empty", "diskSizeGB": 1} for lun in range(3)]
    with pytest.raises(ResourceExistsError) as refused:
        azure.compute.virtual_machines.begin_update("rg", "vm", {"properties": {"storageProfile": {"dataDisks": disks}}})
    assert "The maximum number of data disks allowed to be attached to a VM of this size is 2." in str(refused.value)


def test_a_machine_is_resized_within_quota_and_availability(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    azure.machine()
    bigger = {"properties": {"hardwareProfile": {"vmSize": "Standard_D8s_v5"}}}
    azure.sandbox.store.set("quota", {"westeurope/cores": 4})
    with pytest.raises(ResourceExistsError) as refused:
        machines.begin_update("rg", "vm", bigger)
    assert "Current Usage: 2, Additional Required: 6" in str(refused.value)
    azure.sandbox.store.set("quota", {})
    azure.sandbox.store.set("restricted", {"westeurope": ["Standard_D8s_v5"]})
    with pytest.raises(ResourceExistsError) as refused:
        machines.begin_update("rg", "vm", bigger)
    assert code(refused) == "SkuNotAvailable"
    azure.sandbox.store.set("restricted", {})
    assert machines.begin_update("rg", "vm", bigger).result().hardware_profile.vm_size == "Standard_D8s_v5"


def test_interfaces_change_only_while_the_machine_is_deallocated(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    first, second = azure.nic("first"), azure.nic("second")
    azure.machine(networkProfile={"networkInterfaces": [{"id": first, "properties": {"primary": True}}]})
    both = {"networkInterfaces": [{"id": first, "properties": {"primary": True}}, {"id": second, "properties": {"primary": False}}]}
    with pytest.raises(HttpResponseError) as refused:
        machines.begin_update("rg", "vm", {"properties": {"networkProfile": both}})
    assert code(refused) == "AddingOrDeletingNetworkInterfacesOnARunningVirtualMachineNotSupported"
    machines.begin_deallocate("rg", "vm").result()
    changed = machines.begin_update("rg", "vm", {"properties": {"networkProfile": both}}).result()
    assert [one.id for one in changed.network_profile.network_interfaces] == [first, second]
    with pytest.raises(HttpResponseError) as refused:
        azure.network.network_interfaces.begin_delete("rg", "second")
    assert code(refused) == "NicInUse"
    one = {"networkInterfaces": [{"id": first, "properties": {"primary": True}}]}
    machines.begin_update("rg", "vm", {"properties": {"networkProfile": one}}).result()
    azure.network.network_interfaces.begin_delete("rg", "second").result()


def test_identities_are_assigned_added_and_taken_away(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    root = f"/subscriptions/{azure.sandbox.subscription_id}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
    for name in ("one", "two"):
        body = {"location": LOCATION}
        # a generic client that polls is sent to a path without an api-version, as Azure does (pulumi-azure-nextgen#100)
        azure.resources.resources.begin_create_or_update_by_id(f"{root}/{name}", body, api_version="2023-01-31", polling=False)
    azure.machine()
    with pytest.raises(HttpResponseError) as refused:
        machines.begin_update("rg", "vm", {"identity": {"type": "UserAssigned", "userAssignedIdentities": {f"{root}/none": {}}}})
    assert code(refused) == "ResourceNotFound"
    both = {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {f"{root}/one": {}}}  # as az writes it
    shown = machines.begin_update("rg", "vm", {"identity": both}).result().identity
    assert (shown.type, bool(shown.principal_id)) == ("SystemAssigned, UserAssigned", True)
    assert shown.user_assigned_identities[f"{root}/one"].client_id
    change = {"type": "UserAssigned", "userAssignedIdentities": {f"{root}/two": {}, f"{root}/one": None}}
    shown = machines.begin_update("rg", "vm", {"identity": change}).result().identity
    assert list(shown.user_assigned_identities) == [f"{root}/two"]
    assert shown.principal_id is None


def test_a_spot_machines_price_changes_only_while_it_is_deallocated(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    made = azure.machine(priority="Spot", billingProfile={"maxPrice": 1.0})
    assert (made.priority, made.eviction_policy) == ("Spot", "Deallocate")
    with pytest.raises(ResourceExistsError) as refused:
        machines.begin_update("rg", "vm", {"properties": {"billingProfile": {"maxPrice": 2.0}}})
    assert "Max price change is not allowed" in str(refused.value)
    machines.begin_deallocate("rg", "vm").result()
    changed = machines.begin_update("rg", "vm", {"properties": {"billingProfile": {"maxPrice": 2.0}}}).result()
    assert changed.billing_profile.max_price == 2.0


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"evictionPolicy": "Delete"}, "only be set on Azure Spot"),
        ({"host": {"id": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/hostGroups/g/hosts/h"}}, "not supported"),
        (
            {
                "proximityPlacementGroup": {
                    "id": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/proximityPlacementGroups/p"
                }
            },
            "was not found",
        ),
        ({"osProfile": {"computerName": "vm", "adminUsername": "builder", "adminPassword": "short"}}, "password complexity"),
        ({"osProfile": {"computerName": "vm", "adminUsername": "root", "adminPassword": "Correct-Horse-9"}}, "Admin Username"),
        ({"osProfile": {"computerName": "a_b", "adminUsername": "builder", "adminPassword": "Correct-Horse-9"}}, "Linux host name"),
        (
            {
                "osProfile": {
                    "computerName": "vm",
                    "adminUsername": "builder",
                    "adminPassword": "Correct-Horse-9",
                    "customData": "not base64!",
                }
            },
            "Base64",
        ),
    ],
)
def test_what_cannot_be_is_refused(azure: Azure, properties: dict[str, Any], expected: str) -> None:
    with pytest.raises(HttpResponseError) as refused:
        azure.machine(**properties)
    assert expected in str(refused.value)


def test_a_machine_is_in_the_region_of_the_group_that_it_is_placed_in(azure: Azure) -> None:
    group = azure.compute.proximity_placement_groups.create_or_update("rg", "p", {"location": "northeurope", "properties": {}})
    with pytest.raises(HttpResponseError) as refused:
        azure.machine(proximityPlacementGroup={"id": group.id})
    assert (code(refused), refused.value.error.target) == ("BadRequest", "proximityPlacementGroup")


def test_a_stopped_machines_os_disk_is_swapped_and_grown(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    old = azure.machine().storage_profile.os_disk
    creation = {"createOption": "Copy", "sourceResourceId": old.managed_disk.id}
    body = {"location": LOCATION, "properties": {"creationData": creation}}
    new = azure.compute.disks.begin_create_or_update("rg", "new", body).result()
    swap = {"properties": {"storageProfile": {"osDisk": {"managedDisk": {"id": new.id}, "name": "new"}}}}
    with pytest.raises(ResourceExistsError):
        machines.begin_update("rg", "vm", swap)
    machines.begin_deallocate("rg", "vm").result()
    machines.begin_update("rg", "vm", swap).result()
    assert (azure.compute.disks.get("rg", "new").disk_state, azure.compute.disks.get("rg", old.name).disk_state) == (
        "Reserved",
        "Unattached",
    )
    grow = {"properties": {"storageProfile": {"osDisk": {"diskSizeGB": 64, "caching": "ReadOnly"}}}}
    machines.begin_update("rg", "vm", grow).result()
    assert azure.compute.disks.get("rg", "new").disk_size_gb == 64
    machines.begin_start("rg", "vm").result()
    with pytest.raises(ResourceExistsError) as refused:
        machines.begin_update("rg", "vm", {"properties": {"storageProfile": {"osDisk": {"diskSizeGB": 128}}}})
    assert "cannot be resized while the VM is allocated" in str(refused.value)
    shown = machines.get("rg", "vm").storage_profile.os_disk
    assert (shown.name, shown.disk_size_gb, shown.caching) == ("new", 64, "ReadOnly")


def test_the_answer_to_a_swap_names_the_disk_that_was_there(azure: Azure) -> None:
    """Recorded traffic of Azure/azure-cli (test_vm_os_disk_swap)."""
    machines = azure.compute.virtual_machines
    old = azure.machine().storage_profile.os_disk
    creation = {"createOption": "Copy", "sourceResourceId": old.managed_disk.id}
    new = azure.compute.disks.begin_create_or_update("rg", "new", {"location": LOCATION, "properties": {"creationData": creation}}).result()
    machines.begin_power_off("rg", "vm").result()
    whole = machines.get("rg", "vm")
    whole.storage_profile.os_disk.managed_disk.id, whole.storage_profile.os_disk.name = new.id, "new"
    answers: list[Any] = []
    machines.begin_create_or_update("rg", "vm", whole, raw_response_hook=lambda one: answers.append(json.loads(one.http_response.read())))
    assert answers[0]["properties"]["storageProfile"]["osDisk"]["managedDisk"]["id"] == new.id


def test_the_keys_of_a_machine_are_those_that_it_was_made_with(azure: Azure) -> None:
    azure.machine()
    keys = [{"path": "/home/builder/.ssh/authorized_keys", "keyData": "ssh-ed25519 AAAA other"}]
    with pytest.raises(ResourceExistsError) as refused:
        azure.compute.virtual_machines.begin_update(
            "rg", "vm", {"properties": {"osProfile": {"linuxConfiguration": {"ssh": {"publicKeys": keys}}}}}
        )
    assert refused.value.error.target == "linuxConfiguration.ssh.publicKeys"


def test_zones_are_those_of_the_region(azure: Azure) -> None:
    body = {**machine(azure.subnet(), UBUNTU), "zones": ["4"]}
    with pytest.raises(HttpResponseError) as refused:
        azure.compute.virtual_machines.begin_create_or_update("rg", "vm", body)
    assert code(refused) == "InvalidAvailabilityZone"
    assert "The supported zones for location 'westeurope' are '1,2,3'" in str(refused.value)
    body["zones"] = ["1"]
    vm = azure.compute.virtual_machines.begin_create_or_update("rg", "vm", body).result()
    assert azure.compute.disks.get("rg", vm.storage_profile.os_disk.name).zones == ["1"]
    elsewhere = {"location": LOCATION, "zones": ["2"], "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
    disk = azure.compute.disks.begin_create_or_update("rg", "disk", elsewhere).result()
    with pytest.raises(HttpResponseError) as far:
        azure.compute.virtual_machines.begin_attach_detach_data_disks("rg", "vm", {"dataDisksToAttach": [{"diskId": disk.id}]})
    assert "because it is not in zone '1'" in str(far.value)
