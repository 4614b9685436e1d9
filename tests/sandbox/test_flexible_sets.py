"""Flexible scale sets: ordinary machines, which the set makes and deletes, or which join it."""

from __future__ import annotations

import json
import re
from typing import Any, cast

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from include.sandbox.wire import Request
from include.steps import image_users
from tests.sandbox.bodies import (
    LOCATION,
    UBUNTU,
    generalize,
    machine,
    make_definition,
    make_group,
    make_machine,
    make_network,
    publish,
    version,
)
from tests.sandbox_transport import BASE, AzureClients

from .scale_sets import patch, put, scale_set

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def flexible(clients: AzureClients, image: dict[str, Any], capacity: int = 2, **properties: Any) -> dict[str, Any]:
    body = scale_set(clients, image, capacity, orchestrationMode="Flexible", **properties)
    if "upgradePolicy" not in properties:
        del body["properties"]["upgradePolicy"]
    body["properties"]["virtualMachineProfile"]["networkProfile"]["networkApiVersion"] = "2020-11-01"
    return body


async def named(clients: AzureClients) -> list[str]:
    return [one.name async for one in clients.compute.virtual_machines.list("rg")]


async def listed(clients: AzureClients) -> list[str]:
    return [one.instance_id async for one in clients.compute.virtual_machine_scale_set_vms.list("rg", "web")]


async def ready(clients: AzureClients, capacity: int = 2, **properties: Any) -> Any:
    await make_group(clients)
    await make_network(clients)
    return await put(clients, flexible(clients, UBUNTU, capacity, **properties))


async def test_a_flexible_set_makes_ordinary_machines(azure_clients: AzureClients) -> None:
    made = await ready(azure_clients)
    assert (made.provisioning_state, made.sku.capacity, made.orchestration_mode, made.single_placement_group) == (
        "Succeeded",
        2,
        "Flexible",
        False,
    )
    machines = [one async for one in azure_clients.compute.virtual_machines.list("rg")]
    for one in machines:
        assert re.fullmatch(r"web_[0-9a-f]{8}", one.name)
        assert re.fullmatch(r"web[0-9A-Z]{6}", one.os_profile.computer_name)
        assert (one.provisioning_state, one.virtual_machine_scale_set.id) == ("Succeeded", made.id)
        assert one.storage_profile.os_disk.delete_option == "Delete"
        nic = one.network_profile.network_interfaces[0].id.rsplit("/", 1)[1]
        assert re.fullmatch(r"nic-[0-9a-f]{8}", nic)
    found = [one async for one in azure_clients.compute.virtual_machine_scale_set_vms.list("rg", "web")]
    assert {(one.name, one.instance_id, one.id) for one in found} == {(one.name, one.name, one.id) for one in machines}


async def test_its_capacity_adds_and_removes_machines(azure_clients: AzureClients) -> None:
    await ready(azure_clients, 1)
    first = await named(azure_clients)
    assert (await patch(azure_clients, sku={"capacity": 3})).sku.capacity == 3
    assert len(await named(azure_clients)) == 3
    assert (await patch(azure_clients, sku={"capacity": 1})).sku.capacity == 1
    assert await named(azure_clients) == first == await listed(azure_clients), "the newest go first"
    disks = [one async for one in azure_clients.compute.disks.list()]
    assert len(disks) == 1, "disks go with their machines"


async def test_machines_are_deleted_by_name_and_with_the_set(azure_clients: AzureClients) -> None:
    await ready(azure_clients, 3)
    sets = azure_clients.compute.virtual_machine_scale_sets
    one, other, last = await named(azure_clients)
    with pytest.raises(HttpResponseError, match="The provided instanceId 0 is not an active"):
        await sets.begin_delete_instances("rg", "web", {"instanceIds": ["0"]})
    await (await sets.begin_delete_instances("rg", "web", {"instanceIds": [one]})).result()
    assert (await sets.get("rg", "web")).sku.capacity == 2
    await (await azure_clients.compute.virtual_machines.begin_delete("rg", other)).result()
    assert (await sets.get("rg", "web")).sku.capacity == 1, "whoever deletes a machine"
    assert await named(azure_clients) == [last]
    await (await sets.begin_delete("rg", "web")).result()
    assert (await named(azure_clients), [one async for one in azure_clients.compute.disks.list()]) == ([], [])


async def test_its_machines_are_found_by_the_set_that_they_are_in(azure_clients: AzureClients) -> None:
    made = await ready(azure_clients, 1)
    machines = azure_clients.compute.virtual_machines
    await make_machine(azure_clients)
    found = [one.name async for one in machines.list("rg", filter=f"'virtualMachineScaleSet/id' eq '{made.id}'")]
    assert found == await listed(azure_clients)
    with pytest.raises(HttpResponseError, match="is not supported"):
        assert [one async for one in machines.list("rg", filter="name eq 'vm'")]


async def test_what_is_done_to_machines_is_refused_of_their_set(azure_clients: AzureClients) -> None:
    await ready(azure_clients, 1)
    sets, instances = azure_clients.compute.virtual_machine_scale_sets, azure_clients.compute.virtual_machine_scale_set_vms
    with pytest.raises(HttpResponseError, match=r"'VirtualMachineScaleSets\.manualupgrade\.POST' is not allowed"):
        await sets.begin_update_instances("rg", "web", {"instanceIds": ["*"]})
    for ask in (sets.begin_deallocate, sets.begin_start, sets.begin_power_off, sets.begin_restart, sets.begin_reimage):
        with pytest.raises(HttpResponseError, match="is not allowed on Virtual Machine Scale Set 'web'"):
            await ask("rg", "web")
    (name,) = await named(azure_clients)
    with pytest.raises(HttpResponseError, match="instanceId must be a number"):
        await instances.get("rg", "web", name)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"upgradePolicy": {"mode": "Rolling"}}, "'Rolling' of 'upgradePolicy.mode' is not supported"),
        ({"skuProfile": {"vmSizes": [{"name": "Standard_D2s_v5"}]}}, "with a 'skuProfile' is not supported"),
        ({"priorityMixPolicy": {"baseRegularPriorityCount": 1}}, "with a 'priorityMixPolicy' is not supported"),
        ({"platformFaultDomainCount": 6}, "must lie between 1 and 5"),
    ],
)
async def test_what_the_sandbox_does_not_do_is_refused(azure_clients: AzureClients, change: dict[str, Any], expected: str) -> None:
    with pytest.raises(HttpResponseError, match=expected):
        await ready(azure_clients, 1, **change)


def extension(name: str, kind: str, *after: str, **settings: Any) -> dict[str, Any]:
    told = {"publisher": "Microsoft.Azure.Extensions", "type": kind, "typeHandlerVersion": "2.1", "settings": settings}
    return {"name": name, "properties": {**told, "provisionAfterExtensions": list(after)}}


async def with_extensions(clients: AzureClients, *extensions: dict[str, Any]) -> Any:
    await make_group(clients)
    await make_network(clients)
    body = flexible(clients, UBUNTU)
    body["properties"]["virtualMachineProfile"]["extensionProfile"] = {"extensions": list(extensions)}
    return await put(clients, body)


async def test_the_profiles_extensions_are_put_on_its_machines(azure_clients: AzureClients) -> None:
    await with_extensions(azure_clients, extension("last", "CustomScript", "first", commandToExecute="true"), extension("first", "Health"))
    for name in await named(azure_clients):
        found = (await azure_clients.compute.virtual_machine_extensions.list("rg", name)).value
        assert [(one.name, one.provisioning_state) for one in found] == [("first", "Succeeded"), ("last", "Succeeded")]


async def test_an_extension_that_fails_fails_the_sets_operation(azure_clients: AzureClients) -> None:
    with pytest.raises(HttpResponseError, match="VMExtensionProvisioningError"):
        await with_extensions(azure_clients, extension("script", "CustomScript", commandToExecute="# sandbox: exit 3"))


async def test_extensions_that_wait_for_each_other_are_refused(azure_clients: AzureClients) -> None:
    with pytest.raises(HttpResponseError, match="wait for each other"):
        await with_extensions(azure_clients, extension("a", "A", "b"), extension("b", "B", "a"))


async def test_a_set_needs_to_know_the_network_version(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    await make_network(azure_clients)
    body = flexible(azure_clients, UBUNTU)
    del body["properties"]["virtualMachineProfile"]["networkProfile"]["networkApiVersion"]
    with pytest.raises(HttpResponseError, match="networkApiVersion"):
        await put(azure_clients, body)


async def test_machines_that_cannot_be_made_fail_the_sets_operation(azure_clients: AzureClients) -> None:
    await ready(azure_clients, 1)
    azure_clients.sandbox.store.set("quota", {"westeurope/cores": 4})
    with pytest.raises(ResourceExistsError, match="Current Usage: 2"):
        await patch(azure_clients, sku={"capacity": 3})
    azure_clients.sandbox.faults.add(
        match={"method": "PUT", "type": "Microsoft.Compute/virtualMachines"},
        effect={"operation": {"code": "AllocationFailed", "message": "Allocation failed."}},
    )
    with pytest.raises(HttpResponseError, match="AllocationFailed"):
        await patch(azure_clients, sku={"capacity": 2})
    assert (await azure_clients.compute.virtual_machine_scale_sets.get("rg", "web")).provisioning_state == "Failed"


async def test_the_users_of_a_version_are_found_in_both_kinds_of_sets(azure_clients: AzureClients) -> None:
    source = {"source": {"virtualMachineId": (await make_machine(azure_clients)).id}}
    await generalize(azure_clients)
    definition = str((await make_definition(azure_clients)).id)
    await publish(azure_clients, "1.0.0", version(source))
    await publish(azure_clients, "1.1.0", version(source))
    await put(azure_clients, flexible(azure_clients, {"id": f"{definition}/versions/1.0.0"}))
    uniform = scale_set(azure_clients, {"id": f"{definition}/versions/1.0.0"}, 1)
    uniform["properties"]["virtualMachineProfile"]["osProfile"]["computerNamePrefix"] = "other"
    await (await azure_clients.compute.virtual_machine_scale_sets.begin_create_or_update("rg", "other", uniform)).result()
    users = await image_users.machines(cast(Any, azure_clients))
    kinds = sorted((one.kind, one.version) for one in users if one.definition == definition.lower())
    assert kinds == [("instance", "1.0.0"), ("machine", "1.0.0"), ("machine", "1.0.0"), ("scale set", "1.0.0"), ("scale set", "1.0.0")]
    assert {one.id.rsplit("/", 1)[1] for one in users if one.kind == "machine"} == set(await listed(azure_clients))
    newer = {"storageProfile": {"imageReference": {"id": f"{definition}/versions/1.1.0"}}}
    await patch(azure_clients, sku={"capacity": 3}, properties={"virtualMachineProfile": newer})
    users = await image_users.machines(cast(Any, azure_clients))
    versions = sorted(one.version or "" for one in users if one.kind == "machine")
    assert versions == ["1.0.0", "1.0.0", "1.1.0"], "machines that are there stay as they are"


async def test_machines_join_a_flexible_set_and_go_with_it(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    subnet = await make_network(azure_clients)
    sets = azure_clients.compute.virtual_machine_scale_sets
    made = await (
        await sets.begin_create_or_update(
            "rg", "flex", {"location": LOCATION, "properties": {"orchestrationMode": "Flexible", "platformFaultDomainCount": 2}}
        )
    ).result()
    assert (made.orchestration_mode, made.platform_fault_domain_count, made.single_placement_group) == ("Flexible", 2, False)
    machines = azure_clients.compute.virtual_machines
    joining = machine(subnet, UBUNTU, virtualMachineScaleSet={"id": made.id}, platformFaultDomain=1)
    vm = await (await machines.begin_create_or_update("rg", "vm", joining)).result()
    assert (vm.virtual_machine_scale_set.id, vm.platform_fault_domain) == (made.id, 1)
    assert [one.name async for one in azure_clients.compute.virtual_machine_scale_set_vms.list("rg", "flex")] == ["vm"]
    with pytest.raises(HttpResponseError, match="not one of the 2"):
        await machines.begin_create_or_update("rg", "other", {**joining, "properties": {**joining["properties"], "platformFaultDomain": 2}})
    await (await sets.begin_delete("rg", "flex")).result()
    assert [one async for one in machines.list("rg")] == []
    with pytest.raises(ResourceNotFoundError):
        await machines.get("rg", "vm")


async def test_a_machine_that_is_there_joins_a_set_and_leaves_it(azure_clients: AzureClients) -> None:
    made = await ready(azure_clients, 1)
    await make_machine(azure_clients)
    sets, machines = azure_clients.compute.virtual_machine_scale_sets, azure_clients.compute.virtual_machines

    async def join(name: str, id: str | None) -> Any:
        return await (await machines.begin_update("rg", name, {"properties": {"virtualMachineScaleSet": {"id": id}}})).result()

    assert (await join("vm", made.id)).virtual_machine_scale_set.id == made.id
    assert (await sets.get("rg", "web")).sku.capacity == 2
    assert (await join("vm", None)).virtual_machine_scale_set is None
    (own,) = await listed(azure_clients)
    with pytest.raises(ResourceExistsError, match="is not stopped"):
        await join(own, None)
    await (await machines.begin_power_off("rg", own)).result()
    await join(own, None)
    assert (await sets.get("rg", "web")).sku.capacity == 0
    spread = {"location": LOCATION, "properties": {"orchestrationMode": "Flexible", "platformFaultDomainCount": 2}}
    other = await (await sets.begin_create_or_update("rg", "spread", spread)).result()
    for id, expected in (
        (other.id, "VmssDoesNotSupportAttachingExistingVMMultiFD"),
        (f"{made.id}x", "referenced by the Virtual Machine does not exist"),
    ):
        with pytest.raises(HttpResponseError, match=expected):
            await join("vm", id)
    await join("vm", made.id)
    with pytest.raises(ResourceExistsError, match=r"virtualMachineScaleSet\.id"):
        await join("vm", other.id)


async def test_no_machine_joins_a_uniform_set(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    subnet = await make_network(azure_clients)
    made = await put(azure_clients, scale_set(azure_clients, UBUNTU))
    with pytest.raises(HttpResponseError, match="does not have orchestration mode set to 'Flexible'"):
        await azure_clients.compute.virtual_machines.begin_create_or_update(
            "rg", "vm", machine(subnet, UBUNTU, virtualMachineScaleSet={"id": made.id})
        )


async def test_the_resource_graph_shows_a_sets_machines(azure_clients: AzureClients) -> None:
    made = await ready(azure_clients, 1)
    query = (
        "resources | where type == 'microsoft.compute/virtualmachines' "
        f"| where properties.virtualMachineScaleSet.id =~ '{made.id}' | project name"
    )
    sandbox = azure_clients.sandbox
    headers = {"authorization": f"Bearer {sandbox.token()}", "content-type": "application/json"}
    url = f"{BASE}/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"
    answer = sandbox.handle(Request("POST", url, headers, json.dumps({"query": query}).encode())).json()["data"]
    assert [one["name"] for one in answer] == await listed(azure_clients)
