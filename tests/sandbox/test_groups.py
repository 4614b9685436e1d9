"""Resource groups and networks through the official async clients."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.sandbox.bodies import LOCATION, UBUNTU, group, machine, make_group, make_machine, make_network, newest
from tests.sandbox_transport import AzureClients

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_a_group_is_made_once_and_tagged_again(azure_clients: AzureClients) -> None:
    groups = azure_clients.resources.resource_groups
    await make_group(azure_clients, tags={"a": "1"})
    await make_group(azure_clients, tags={"b": "2"})
    assert [status for _, _, status in azure_clients.calls] == [201, 200]
    assert (await groups.get("RG")).tags == {"b": "2"}
    assert [one.name async for one in groups.list()] == ["rg"]


async def test_a_group_does_not_move(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    with pytest.raises(ResourceExistsError) as refused:
        await make_group(azure_clients, location="uksouth")
    assert refused.value.error.code == "InvalidResourceLocation"


async def test_a_deleted_group_takes_everything_with_it_and_refuses_writes_meanwhile(azure_clients: AzureClients) -> None:
    vm = await make_machine(azure_clients)
    poller = await azure_clients.resources.resource_groups.begin_delete("rg", force_deletion_types="Microsoft.Compute/virtualMachines")
    assert (await azure_clients.resources.resource_groups.get("rg")).properties.provisioning_state == "Deleting"
    with pytest.raises(ResourceExistsError) as refused:
        await make_network(azure_clients)
    assert refused.value.error.code == "ResourceGroupBeingDeleted"
    await poller.result()
    with pytest.raises(ResourceNotFoundError) as missing:
        await azure_clients.compute.virtual_machines.get("rg", vm.name)
    assert missing.value.error.code == "ResourceGroupNotFound"
    assert azure_clients.sandbox.store.resources == {}


async def test_the_generic_list_filters_by_type_and_tag(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    subnet = await make_network(azure_clients)
    body = machine(subnet, UBUNTU)
    body["tags"] = {"image-factory-run": "x/1"}
    await (await azure_clients.compute.virtual_machines.begin_create_or_update("rg", "vm", body)).result()
    resources = azure_clients.resources.resources
    types = sorted([one.type async for one in resources.list_by_resource_group("rg")])
    assert types == [
        "Microsoft.Compute/disks",
        "Microsoft.Compute/virtualMachines",
        "Microsoft.Network/networkInterfaces",
        "Microsoft.Network/virtualNetworks",
    ]
    tagged = [one.name async for one in resources.list(filter="tagName eq 'image-factory-run' and tagValue eq 'x/1'")]
    assert "vm" in tagged
    assert "vnet" not in tagged


async def test_what_is_in_use_is_not_deleted(azure_clients: AzureClients) -> None:
    vm = await make_machine(azure_clients)
    network = azure_clients.network
    nic = vm.network_profile.network_interfaces[0].id.rsplit("/", 1)[1]
    for delete, code in (
        (lambda: network.network_interfaces.begin_delete("rg", nic), "NicInUse"),
        (lambda: network.subnets.begin_delete("rg", "vnet", "build"), "InUseSubnetCannotBeDeleted"),
        (lambda: network.virtual_networks.begin_delete("rg", "vnet"), "InUseSubnetCannotBeDeleted"),
    ):
        with pytest.raises(HttpResponseError) as refused:
            await delete()
        assert (refused.value.status_code, refused.value.error.code) == (400, code)


async def test_interfaces_get_addresses_of_their_own(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    subnet = await make_network(azure_clients)
    addresses = []
    for name in ("one", "two"):
        body: dict[str, Any] = {
            "location": LOCATION,
            "properties": {"ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": subnet}}}]},
        }
        made = await (await azure_clients.network.network_interfaces.begin_create_or_update("rg", name, body)).result()
        addresses.append(made.ip_configurations[0].private_ip_address)
    assert addresses == ["10.0.0.4", "10.0.0.5"]
    shown = await azure_clients.network.virtual_networks.get("rg", "vnet")
    assert len(shown.subnets[0].ip_configurations) == 2
    await (await azure_clients.network.network_interfaces.begin_delete("rg", "one")).result()
    await (await azure_clients.network.network_interfaces.begin_delete("rg", "two")).result()
    await (await azure_clients.network.virtual_networks.begin_delete("rg", "vnet")).result()
    assert [one.id async for one in azure_clients.resources.resources.list_by_resource_group("rg")] == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("rg/providers/Microsoft.Compute/virtualMachines/none", "ResourceNotFound"),
        ("none/providers/Microsoft.Compute/virtualMachines/none", "ResourceGroupNotFound"),
        ("rg/providers/Microsoft.Compute/virtualWhatever/none", "InvalidResourceType"),
        ("rg/providers/Microsoft.Nothing/things/none", "InvalidResourceNamespace"),
        ("rg/providers/Microsoft.Compute/galleries/none/images/none/versions/1.0.0", "ResourceNotFound"),
        ("rg/providers/Microsoft.Network/virtualNetworks/vnet/subnets/none", "NotFound"),
    ],
)
async def test_each_kind_of_missing_has_its_own_404(azure_clients: AzureClients, path: str, code: str) -> None:
    await make_group(azure_clients)
    await make_network(azure_clients)
    id = group(azure_clients, path)
    with pytest.raises(ResourceNotFoundError) as missing:
        await azure_clients.resources.resources.get_by_id(id, api_version=newest(id))
    assert missing.value.error.code == code
    if "galleries" in path:
        assert "'Microsoft.Compute/galleries/none'" in str(missing.value), "a child of a missing parent names the parent"


async def test_deleting_what_is_not_there_is_fine(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    await (await azure_clients.compute.virtual_machines.begin_delete("rg", "none")).result()
    assert azure_clients.calls[-1][2] == 204
