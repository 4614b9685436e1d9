"""Virtual machines and run command through the official async client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.sandbox.bodies import LOCATION, UBUNTU, WINDOWS, generalize, group, machine, make_group, make_machine, make_network, run, view_of
from tests.sandbox_transport import AzureClients

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def code(error: Any) -> str:
    return str(error.value.error.code)


async def power(clients: AzureClients, vm: str = "vm") -> str:
    view = await clients.compute.virtual_machines.instance_view("rg", vm)
    return next(status.code for status in view.statuses if status.code.startswith("PowerState/"))


async def wait_for_power(clients: AzureClients, state: str) -> None:
    for _ in range(600):
        if await power(clients) == f"PowerState/{state}":
            return
        await asyncio.sleep(5)
    raise AssertionError(f"never {state}")


async def test_a_machine_goes_through_its_power_states(azure_clients: AzureClients) -> None:
    machines = azure_clients.compute.virtual_machines
    await make_machine(azure_clients)
    assert await power(azure_clients) == "PowerState/running"
    await (await machines.begin_power_off("rg", "vm")).result()
    assert await power(azure_clients) == "PowerState/stopped"
    await (await machines.begin_deallocate("rg", "vm")).result()
    assert await power(azure_clients) == "PowerState/deallocated"
    await (await machines.begin_start("rg", "vm")).result()
    await (await machines.begin_restart("rg", "vm")).result()
    assert await power(azure_clients) == "PowerState/running"


async def test_a_running_machine_cannot_be_generalized_and_a_generalized_one_cannot_start(azure_clients: AzureClients) -> None:
    await make_machine(azure_clients)
    with pytest.raises(ResourceExistsError) as refused:
        await azure_clients.compute.virtual_machines.generalize("rg", "vm")
    assert code(refused) == "OperationNotAllowed"
    assert "since the VM is running" in str(refused.value)
    await generalize(azure_clients)
    with pytest.raises(ResourceExistsError) as refused:
        await (await azure_clients.compute.virtual_machines.begin_start("rg", "vm")).result()
    assert "since the VM is generalized" in str(refused.value)


async def test_an_image_whose_guest_was_not_deprovisioned_makes_a_machine_that_never_comes_up(azure_clients: AzureClients) -> None:
    vm = await make_machine(azure_clients)
    await run(azure_clients, "apt-get install -y nginx\n")
    await generalize(azure_clients, deprovision=False)
    image = {"location": LOCATION, "properties": {"sourceVirtualMachine": {"id": vm.id}, "hyperVGeneration": "V2"}}
    made = await (await azure_clients.compute.images.begin_create_or_update("rg", "image", image)).result()
    subnet = f"{group(azure_clients)}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/build"
    began = asyncio.get_running_loop().time()
    with pytest.raises(HttpResponseError) as failed:
        await (await azure_clients.compute.virtual_machines.begin_create_or_update("rg", "bad", machine(subnet, {"id": made.id}))).result()
    assert code(failed) == "OSProvisioningTimedOut"
    assert asyncio.get_running_loop().time() - began >= 1200
    bad = await azure_clients.compute.virtual_machines.get("rg", "bad", expand="instanceView")
    assert bad.provisioning_state == "Failed"
    assert "ProvisioningState/failed/OSProvisioningTimedOut" in [status.code for status in bad.instance_view.statuses]


async def test_a_guest_that_was_left_alone_is_provisioned_anew(azure_clients: AzureClients) -> None:
    vm = await make_machine(azure_clients)
    await generalize(azure_clients, deprovision=False)
    image = {"location": LOCATION, "properties": {"sourceVirtualMachine": {"id": vm.id}, "hyperVGeneration": "V2"}}
    made = await (await azure_clients.compute.images.begin_create_or_update("rg", "image", image)).result()
    subnet = f"{group(azure_clients)}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/build"
    poller = await azure_clients.compute.virtual_machines.begin_create_or_update("rg", "good", machine(subnet, {"id": made.id}))
    assert (await poller.result()).provisioning_state == "Succeeded"


async def test_a_script_that_fails_leaves_the_resource_succeeded_and_says_so_in_the_instance_view(azure_clients: AzureClients) -> None:
    await make_machine(azure_clients)
    view = await run(azure_clients, "# sandbox: stdout fetching\n# sandbox: stderr no route to host\n# sandbox: exit 7\n")
    assert (view.execution_state, view.exit_code, view.output, view.error) == ("Failed", 7, "fetching\n", "no route to host\n")
    command = await azure_clients.compute.virtual_machine_run_commands.get_by_virtual_machine("rg", "vm", "command")
    assert command.provisioning_state == "Succeeded"
    assert command.instance_view is None


async def test_a_failed_script_fails_its_operation_where_the_command_asks_for_it(azure_clients: AzureClients) -> None:
    await make_machine(azure_clients)
    with pytest.raises(HttpResponseError) as failed:
        await run(azure_clients, "exit 7\n", treatFailureAsDeploymentFailure=True)
    assert code(failed) == "VMExtensionProvisioningError"


async def test_output_appears_while_the_script_runs(azure_clients: AzureClients) -> None:
    await make_machine(azure_clients)
    script = "# sandbox: stdout one\n# sandbox: sleep 100\n# sandbox: stdout two\n# sandbox: sleep 100\n"
    body = {"location": LOCATION, "properties": {"source": {"script": script}}}
    poller = await azure_clients.compute.virtual_machine_run_commands.begin_create_or_update("rg", "vm", "command", body, polling=False)
    seen = set()
    for _ in range(60):
        view = await view_of(azure_clients)
        seen.add((view.execution_state, view.output or ""))
        await asyncio.sleep(5)
    assert {("Pending", ""), ("Running", "one\n"), ("Running", "one\ntwo\n"), ("Succeeded", "one\ntwo\n")} <= seen
    assert poller is not None


async def test_a_script_over_its_time_is_timed_out(azure_clients: AzureClients) -> None:
    await make_machine(azure_clients)
    view = await run(azure_clients, "# sandbox: sleep 500\n", timeoutInSeconds=60)
    assert view.execution_state == "TimedOut"
    assert 60 <= (view.end_time - view.start_time).total_seconds() <= 61


async def test_an_identical_command_is_not_run_again_and_a_changed_one_is(azure_clients: AzureClients) -> None:
    await make_machine(azure_clients)
    first = await run(azure_clients, "true\n")
    again = await run(azure_clients, "true\n")
    assert again.start_time == first.start_time
    changed = await run(azure_clients, "false_or_true\n")
    assert changed.start_time > first.start_time


async def test_run_command_needs_a_running_machine(azure_clients: AzureClients) -> None:
    await make_machine(azure_clients)
    await (await azure_clients.compute.virtual_machines.begin_deallocate("rg", "vm")).result()
    with pytest.raises(ResourceExistsError) as refused:
        await run(azure_clients, "true\n")
    assert "when the VM is not running" in str(refused.value)


async def test_the_run_command_action_answers_in_one_item_on_linux(azure_clients: AzureClients) -> None:
    await make_machine(azure_clients)
    poller = await azure_clients.compute.virtual_machines.begin_run_command(
        "rg", "vm", {"commandId": "RunShellScript", "script": ["# sandbox: stdout hello"]}
    )
    result = await poller.result()
    assert [item.message for item in result.value] == ["Enable succeeded: \n[stdout]\nhello\n\n[stderr]\n"]


async def test_sysprep_walks_through_its_image_states_and_powers_the_guest_off(azure_clients: AzureClients) -> None:
    await make_machine(azure_clients, image=WINDOWS, windows=True)
    question = "(Get-ItemProperty HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Setup\\State).ImageState\n"
    assert (await run(azure_clients, question, name="before")).output == "IMAGE_STATE_COMPLETE\n"
    await run(azure_clients, "C:\\Windows\\System32\\Sysprep\\sysprep.exe /generalize /oobe /shutdown /quiet\n", name="sysprep")
    assert (await run(azure_clients, question, name="during")).output == "IMAGE_STATE_UNDEPLOYABLE\n"
    await wait_for_power(azure_clients, "stopped")
    await generalize(azure_clients, deprovision=False)
    vm = await azure_clients.compute.virtual_machines.get("rg", "vm")
    image = {"location": LOCATION, "properties": {"sourceVirtualMachine": {"id": vm.id}, "hyperVGeneration": "V2"}}
    made = await (await azure_clients.compute.images.begin_create_or_update("rg", "image", image)).result()
    subnet = f"{group(azure_clients)}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/build"
    booted = await (
        await azure_clients.compute.virtual_machines.begin_create_or_update("rg", "good", machine(subnet, {"id": made.id}, windows=True))
    ).result()
    assert booted.provisioning_state == "Succeeded"


async def test_a_reboot_takes_the_agent_away_for_a_while_and_the_next_command_waits_for_it(azure_clients: AzureClients) -> None:
    await make_machine(azure_clients)
    await run(azure_clients, "shutdown -r now\n", name="reboot")
    await asyncio.sleep(3)
    view = await azure_clients.compute.virtual_machines.instance_view("rg", "vm")
    assert view.vm_agent.statuses[0].display_status == "Not Ready"
    assert (await run(azure_clients, "true\n", name="after")).execution_state == "Succeeded"


async def test_deleting_a_machine_honours_the_delete_options(azure_clients: AzureClients) -> None:
    compute = azure_clients.compute
    disks = [
        {"lun": 0, "createOption": "Empty", "diskSizeGB": 8, "deleteOption": "Delete"},
        {"lun": 3, "createOption": "Empty", "diskSizeGB": 16},
    ]
    await make_group(azure_clients)
    subnet = await make_network(azure_clients)
    body = machine(subnet, UBUNTU)
    body["properties"]["storageProfile"]["dataDisks"] = disks
    vm = await (await compute.virtual_machines.begin_create_or_update("rg", "vm", body)).result()
    assert [(disk.lun, disk.disk_size_gb) for disk in vm.storage_profile.data_disks] == [(0, 8), (3, 16)]
    attached = await compute.disks.get("rg", vm.storage_profile.data_disks[1].name)
    assert (attached.disk_state, attached.managed_by) == ("Attached", vm.id)
    with pytest.raises(ResourceExistsError) as refused:
        await compute.disks.begin_delete("rg", attached.name)
    assert "is attached to VM" in str(refused.value)
    await (await compute.virtual_machines.begin_delete("rg", "vm")).result()
    left = [disk.name async for disk in compute.disks.list_by_resource_group("rg")]
    assert left == [attached.name]
    interfaces = [nic async for nic in azure_clients.network.network_interfaces.list("rg")]
    assert interfaces == []
    with pytest.raises(ResourceNotFoundError):
        await compute.virtual_machines.get("rg", "vm")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda body: body["properties"].pop("osProfile"), "Required parameter 'osProfile' is missing"),
        (lambda body: body["properties"]["hardwareProfile"].update(vmSize="Standard_Nope"), "not valid"),
        (lambda body: body["properties"]["storageProfile"]["imageReference"].update(version="1.2.3"), "is not available"),
        (lambda body: body["properties"]["hardwareProfile"].update(vmSize="Standard_D2ps_v5"), "CPU Architecture of 'Arm64'"),
        (lambda body: body["properties"]["networkProfile"].pop("networkApiVersion"), "networkApiVersion"),
        (lambda body: body["properties"]["storageProfile"]["osDisk"].update(diskSizeGB=10), "smaller than the size"),
    ],
)
async def test_what_does_not_fit_is_refused_and_leaves_nothing_behind(azure_clients: AzureClients, change: Any, expected: str) -> None:
    await make_group(azure_clients)
    subnet = await make_network(azure_clients)
    body = machine(subnet, dict(UBUNTU))
    change(body)
    before = set(azure_clients.sandbox.store.resources)
    with pytest.raises(HttpResponseError) as refused:
        await azure_clients.compute.virtual_machines.begin_create_or_update("rg", "vm", body)
    assert expected in str(refused.value)
    assert set(azure_clients.sandbox.store.resources) == before


async def test_a_machine_from_disks_of_snapshots_is_specialized_and_takes_no_os_profile(azure_clients: AzureClients) -> None:
    compute = azure_clients.compute
    vm = await make_machine(azure_clients)
    source = {"createOption": "Copy", "sourceResourceId": vm.storage_profile.os_disk.managed_disk.id}
    snapshot = await (
        await compute.snapshots.begin_create_or_update("rg", "snapshot", {"location": LOCATION, "properties": {"creationData": source}})
    ).result()
    copy = {"location": LOCATION, "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": snapshot.id}}}
    disk = await (await compute.disks.begin_create_or_update("rg", "copy", copy)).result()
    body = machine(f"{group(azure_clients)}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/build", {})
    body["properties"]["storageProfile"] = {"osDisk": {"createOption": "Attach", "osType": "Linux", "managedDisk": {"id": disk.id}}}
    with pytest.raises(HttpResponseError) as refused:
        await compute.virtual_machines.begin_create_or_update("rg", "clone", body)
    assert "Parameter 'osProfile' is not allowed." in str(refused.value)
    del body["properties"]["osProfile"]
    await (await compute.virtual_machines.begin_create_or_update("rg", "clone", body)).result()
    view = await compute.virtual_machines.instance_view("rg", "clone")
    assert [status.code for status in view.statuses] == ["ProvisioningState/succeeded", "PowerState/running"]
    assert view.vm_agent.vm_agent_version == "Unknown"  # nobody waited for it
    await asyncio.sleep(120)
    assert (await compute.virtual_machines.instance_view("rg", "clone")).vm_agent.statuses[0].display_status == "Ready"


async def test_a_second_identical_put_joins_the_one_that_runs(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    body = machine(await make_network(azure_clients), UBUNTU)
    one = await azure_clients.compute.virtual_machines.begin_create_or_update("rg", "vm", body)
    two = await azure_clients.compute.virtual_machines.begin_create_or_update("rg", "vm", body)
    assert (await one.result()).vm_id == (await two.result()).vm_id
    assert len(azure_clients.sandbox.store.of_type(azure_clients.subscription_id, "Microsoft.Compute/virtualMachines")) == 1


async def test_a_quota_that_is_used_up_refuses_the_machine(azure_clients: AzureClients) -> None:
    azure_clients.sandbox.store.set("quota", {"westeurope/cores": 1})
    with pytest.raises(ResourceExistsError) as refused:
        await make_machine(azure_clients)
    assert "Current Limit: 1, Current Usage: 0, Additional Required: 2" in str(refused.value)
