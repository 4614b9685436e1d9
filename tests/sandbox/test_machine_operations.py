"""What is done to a machine: power, reimage, capture and conversion, extensions, run command, diagnostics; through the official client."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from include.sandbox.wire import Request
from tests.sandbox.bodies import LOCATION, UBUNTU, WINDOWS
from tests.sandbox.sync_machines import Azure


@pytest.fixture
def azure() -> Azure:
    return Azure()


def test_every_power_operation_has_its_effect(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    azure.machine()
    for operation, power in (
        (machines.begin_power_off, "stopped"),
        (machines.begin_redeploy, "stopped"),  # a stopped machine is redeployed and stays stopped
        (machines.begin_start, "running"),
        (machines.begin_restart, "running"),
        (machines.begin_redeploy, "running"),
        (machines.begin_reapply, "running"),
        (machines.begin_deallocate, "deallocated"),
    ):
        operation("rg", "vm").result()
        assert azure.statuses()[-1] == f"PowerState/{power}"
    profile = machines.get("rg", "vm").storage_profile
    assert (profile.os_disk.disk_size_gb, profile.os_disk.managed_disk.storage_account_type) == (None, None)  # as Azure does
    assert azure.compute.disks.get("rg", profile.os_disk.name).disk_state == "Reserved"


def test_a_stopped_machine_shows_what_its_agent_said_last_and_a_deallocated_one_does_not(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    azure.machine()
    machines.begin_power_off("rg", "vm").result()
    view = machines.get("rg", "vm", expand="instanceView").instance_view
    assert (view.vm_agent.statuses[0].display_status, view.os_name) == ("Ready", "ubuntu")
    machines.begin_deallocate("rg", "vm").result()
    assert machines.instance_view("rg", "vm").vm_agent is None


def test_a_spot_machine_can_be_evicted_and_no_other(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    azure.machine()
    with pytest.raises(ResourceExistsError) as refused:
        machines.simulate_eviction("rg", "vm")
    assert "is allowed only for Spot Virtual Machines" in str(refused.value)
    azure.machine("spot", priority="Spot", evictionPolicy="Deallocate")
    machines.simulate_eviction("rg", "spot")
    azure.sandbox.clock.advance(120)
    assert azure.statuses("spot")[-1] == "PowerState/deallocated"


def test_a_machine_is_reimaged_onto_a_new_disk(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    before = azure.machine().storage_profile.os_disk
    machines.begin_reimage("rg", "vm", {"tempDisk": False}).result()
    after = machines.get("rg", "vm").storage_profile.os_disk
    assert after.name != before.name
    with pytest.raises(ResourceNotFoundError):
        azure.compute.disks.get("rg", before.name)  # deleteOption Delete


def test_maintenance_and_conversion_are_refused_as_recorded(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    azure.machine()
    for call, expected in (
        (machines.begin_perform_maintenance, "since the Subscription of this VM is not eligible"),
        (machines.begin_convert_to_managed_disks, "is already using managed disks"),
    ):
        with pytest.raises(ResourceExistsError) as refused:
            call("rg", "vm")
        assert expected in str(refused.value)


UNMANAGED = {"osDisk": {"createOption": "FromImage", "name": "os", "vhd": {"uri": "https://account.blob.core.windows.net/vhds/os.vhd"}}}


def unmanaged(azure: Azure) -> Any:
    image = {"publisher": "Canonical", "offer": "UbuntuServer", "sku": "18.04-LTS", "version": "latest"}
    return azure.machine(image=image, storage=UNMANAGED, hardwareProfile={"vmSize": "Standard_DS1_v2"})


def test_a_machine_with_unmanaged_disks_is_captured_into_vhds_and_a_template(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    made = unmanaged(azure)
    assert made.storage_profile.os_disk.managed_disk is None
    assert made.storage_profile.os_disk.vhd.uri.endswith("/vhds/os.vhd")
    asked = {"vhdPrefix": "my", "destinationContainerName": "captured", "overwriteVhds": True}
    with pytest.raises(ResourceExistsError) as refused:
        machines.begin_capture("rg", "vm", asked)
    assert "because the VM is not generalized" in str(refused.value)
    machines.begin_deallocate("rg", "vm").result()
    machines.generalize("rg", "vm")
    template = machines.begin_capture("rg", "vm", asked).result()
    disk = template.resources[0]["properties"]["storageProfile"]["osDisk"]
    assert disk["image"]["uri"].startswith("https://account.blob.core.windows.net/system/Microsoft.Compute/Images/captured/my-osDisk.")
    image = {
        "location": LOCATION,
        "properties": {
            "hyperVGeneration": "V1",
            "storageProfile": {"osDisk": {"osType": "Linux", "osState": "Generalized", "blobUri": disk["image"]["uri"]}},
        },
    }
    assert azure.compute.images.begin_create_or_update("rg", "image", image).result().storage_profile.os_disk.blob_uri


def test_managed_disks_are_captured_as_images_only(azure: Azure) -> None:
    azure.machine()
    asked = {"vhdPrefix": "my", "destinationContainerName": "captured", "overwriteVhds": True}
    with pytest.raises(ResourceExistsError) as refused:
        azure.compute.virtual_machines.begin_capture("rg", "vm", asked)
    assert "only supported on a Virtual Machine with blob based disks" in str(refused.value)


def test_unmanaged_disks_are_converted(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    unmanaged(azure)
    machines.begin_deallocate("rg", "vm").result()
    machines.begin_convert_to_managed_disks("rg", "vm").result()
    disk = machines.get("rg", "vm").storage_profile.os_disk
    assert (disk.vhd, azure.compute.disks.get("rg", "os").disk_state) == (None, "Attached")


EXTENSION = {"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript", "typeHandlerVersion": "2.1"}


def extension(azure: Azure, name: str = "script", **properties: Any) -> Any:
    body = {"location": LOCATION, "properties": {**EXTENSION, **properties}}
    return azure.compute.virtual_machine_extensions.begin_create_or_update("rg", "vm", name, body)


def test_an_extension_is_made_shown_listed_changed_and_deleted(azure: Azure) -> None:
    extensions = azure.compute.virtual_machine_extensions
    azure.machine()
    made = extension(azure, settings={"commandToExecute": "true"}, protectedSettings={"secret": "s"}).result()
    assert (made.provisioning_state, made.settings, made.protected_settings) == ("Succeeded", {"commandToExecute": "true"}, None)
    assert [one.name for one in extensions.list("rg", "vm").value] == ["script"]
    shown = extensions.get("rg", "vm", "script", expand="instanceView").instance_view
    assert (shown.type, shown.statuses[0].code) == ("Microsoft.Azure.Extensions.CustomScript", "ProvisioningState/succeeded")
    machine = azure.compute.virtual_machines.get("rg", "vm", expand="instanceView")
    assert [one.name for one in machine.resources] == ["script"]
    assert [one.name for one in machine.instance_view.extensions] == ["script"]
    assert machine.instance_view.vm_agent.extension_handlers[0].type == "Microsoft.Azure.Extensions.CustomScript"
    changed = extensions.begin_update("rg", "vm", "script", {"properties": {"autoUpgradeMinorVersion": True}}).result()
    assert changed.auto_upgrade_minor_version
    with pytest.raises(HttpResponseError) as refused:
        extension(azure, "again")
    assert "Multiple VMExtensions per handler not supported" in str(refused.value)
    extensions.begin_delete("rg", "vm", "script").result()
    assert azure.compute.virtual_machines.get("rg", "vm").resources is None


def test_a_custom_script_that_fails_fails_its_extension(azure: Azure) -> None:
    azure.machine()
    script = base64.b64encode(b"# sandbox: stderr no such package\n# sandbox: exit 100\n").decode()
    with pytest.raises(HttpResponseError) as failed:
        extension(azure, settings={"script": script}).result()
    assert failed.value.error.code == "VMExtensionProvisioningError"
    assert "no such package" in str(failed.value)
    assert azure.compute.virtual_machine_extensions.get("rg", "vm", "script").provisioning_state == "Failed"


def test_a_custom_script_has_its_effect_on_the_guest(azure: Azure) -> None:
    azure.machine()
    extension(azure, settings={"commandToExecute": "waagent -deprovision+user -force"}).result()
    azure.compute.virtual_machines.begin_deallocate("rg", "vm").result()
    azure.compute.virtual_machines.generalize("rg", "vm")
    vm = azure.compute.virtual_machines.get("rg", "vm")
    image = {"location": LOCATION, "properties": {"sourceVirtualMachine": {"id": vm.id}, "hyperVGeneration": "V2"}}
    made = azure.compute.images.begin_create_or_update("rg", "image", image).result()
    assert azure.machine("boots", {"id": made.id}).provisioning_state == "Succeeded"


def test_an_extension_needs_a_running_machine(azure: Azure) -> None:
    azure.machine()
    azure.compute.virtual_machines.begin_deallocate("rg", "vm").result()
    with pytest.raises(ResourceExistsError) as refused:
        extension(azure)
    assert "Cannot modify extensions in the VM when the VM is not running." in str(refused.value)


def test_a_run_command_is_made_shown_listed_changed_and_deleted(azure: Azure) -> None:
    commands = azure.compute.virtual_machine_run_commands
    azure.machine()
    body = {"location": LOCATION, "properties": {"source": {"script": "# sandbox: stdout one"}}}
    commands.begin_create_or_update("rg", "vm", "command", body).result()
    view = commands.get_by_virtual_machine("rg", "vm", "command", expand="instanceView").instance_view
    assert (view.execution_state, view.output) == ("Succeeded", "one\n")
    change = {"properties": {"source": {"script": "# sandbox: stdout two"}, "timeoutInSeconds": 60}}
    commands.begin_update("rg", "vm", "command", change).result()
    assert commands.get_by_virtual_machine("rg", "vm", "command", expand="instanceView").instance_view.output == "two\n"
    assert [one.name for one in commands.list_by_virtual_machine("rg", "vm")] == ["command"]
    commands.begin_delete("rg", "vm", "command").result()
    assert list(commands.list_by_virtual_machine("rg", "vm")) == []


def test_the_run_command_action_knows_its_documents(azure: Azure) -> None:
    documents = {one.id: one.os_type for one in azure.compute.virtual_machine_run_commands.list(LOCATION)}
    assert (documents["RunShellScript"], documents["RunPowerShellScript"]) == ("Linux", "Windows")
    shown = azure.compute.virtual_machine_run_commands.get(LOCATION, "RunShellScript")
    assert [parameter.name for parameter in shown.parameters] == ["arg1", "arg2"]
    azure.machine("win", WINDOWS, windows=True)
    machines = azure.compute.virtual_machines
    result = machines.begin_run_command("rg", "win", {"commandId": "RunPowerShellScript", "script": ["# sandbox: stdout hi"]}).result()
    assert [(one.code, one.message) for one in result.value] == [
        ("ComponentStatus/StdOut/succeeded", "hi\n"),
        ("ComponentStatus/StdErr/succeeded", ""),
    ]
    for command, code in (("RunShellScript", "BadRequest"), ("Nonsense", "NotFound")):
        with pytest.raises(HttpResponseError) as refused:
            machines.begin_run_command("rg", "win", {"commandId": command})
        assert refused.value.error.code == code


def test_boot_diagnostics_are_served_where_they_are_enabled(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    azure.machine()
    with pytest.raises(ResourceExistsError):
        machines.retrieve_boot_diagnostics_data("rg", "vm")
    change = {"properties": {"diagnosticsProfile": {"bootDiagnostics": {"enabled": True}}}}
    machines.begin_update("rg", "vm", change).result()
    shown = machines.retrieve_boot_diagnostics_data("rg", "vm")
    assert b"vm booted 1 times" in azure.sandbox.handle(Request("GET", shown.serial_console_log_blob_uri)).body


def test_an_ephemeral_os_disk_goes_with_its_machine(azure: Azure) -> None:
    disk = {"createOption": "FromImage", "diffDiskSettings": {"option": "Local"}, "caching": "ReadOnly"}
    made = azure.machine(storage={"osDisk": disk}).storage_profile.os_disk
    assert (made.diff_disk_settings.placement, made.delete_option, made.managed_disk.storage_account_type) == (
        "CacheDisk",
        "Delete",
        "Standard_LRS",
    )
    azure.compute.virtual_machines.begin_delete("rg", "vm").result()
    with pytest.raises(ResourceNotFoundError):
        azure.compute.disks.get("rg", made.name)


def test_an_empty_disk_makes_a_machine_whose_agent_never_answers(azure: Azure) -> None:
    disk = azure.disk("blank", hyperVGeneration="V2")
    os_disk = {"createOption": "Attach", "osType": "Linux", "managedDisk": {"id": disk.id}}
    azure.machine(specialized=True, storage={"imageReference": None, "osDisk": os_disk})
    azure.sandbox.clock.advance(600)
    assert azure.compute.virtual_machines.instance_view("rg", "vm").vm_agent.vm_agent_version == "Unknown"
    with pytest.raises(HttpResponseError) as failed:
        extension(azure).result()
    assert failed.value.error.code == "VMAgentStatusCommunicationError"


def test_data_disks_are_copied_into_a_new_machine(azure: Azure) -> None:
    source = azure.disk("source", 16)
    data = [{"lun": 0, "createOption": "Copy", "sourceResource": {"id": source.id}}]
    made = azure.machine(storage={"dataDisks": data}).storage_profile.data_disks[0]
    assert (made.source_resource.id, made.disk_size_gb, made.create_option) == (source.id, 16, "Copy")
    with pytest.raises(HttpResponseError) as refused:
        azure.machine("other", UBUNTU, storage={"osDisk": {"createOption": "FromImage", "name": "source"}})
    assert "Only CreateOption.Attach is supported." in str(refused.value)


def test_a_script_is_read_from_a_blob_and_its_output_written_to_one(azure: Azure) -> None:
    store = azure.sandbox.store
    root = "https://devstorage.blob.core.windows.net/scripts"
    store.put_blob("scripts/run.sh", b"# sandbox: stdout from a blob\n# sandbox: exit 4\n")
    azure.machine()
    properties = {"source": {"scriptUri": f"{root}/run.sh"}, "outputBlobUri": f"{root}/out.txt"}
    commands = azure.compute.virtual_machine_run_commands
    commands.begin_create_or_update("rg", "vm", "command", {"location": LOCATION, "properties": properties}).result()
    assert commands.get_by_virtual_machine("rg", "vm", "command", expand="instanceView").instance_view.exit_code == 4
    assert store.blobs["scripts/out.txt"] == b"from a blob\n"
