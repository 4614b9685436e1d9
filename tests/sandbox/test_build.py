"""A whole build through the official async clients, in virtual time."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.sandbox.bodies import LOCATION, generalize, group, machine, make_definition, make_machine, publish, replication_of, run, version
from tests.sandbox_transport import AzureClients

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_a_build_from_marketplace_image_to_replicated_version_and_a_machine_made_from_it(azure_clients: AzureClients) -> None:
    began = time.perf_counter()
    clients = azure_clients
    vm = await make_machine(clients)
    assert vm.provisioning_state == "Succeeded"
    assert vm.storage_profile.image_reference.exact_version == "24.04.202511110"
    view = await run(clients, "#!/bin/sh\napt-get update\napt-get install -y nginx\n")
    assert (view.execution_state, view.exit_code) == ("Succeeded", 0)
    assert "did not execute" in view.output
    await generalize(clients)
    statuses = (await clients.compute.virtual_machines.instance_view("rg", "vm")).statuses
    assert statuses[0].code == "OSState/generalized"
    assert statuses[-1].code == "PowerState/deallocated"
    await make_definition(clients)
    published = await publish(clients, "1.0.0", version({"source": {"virtualMachineId": vm.id}}, "northeurope", "East US 2"))
    assert [region.name for region in published.publishing_profile.target_regions] == ["West Europe", "North Europe", "East US 2"]
    assert await replication_of(clients, "1.0.0") == dict.fromkeys(("westeurope", "northeurope", "eastus2"), ("Completed", 100))
    subnet = f"{group(clients)}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/build"
    poller = await clients.compute.virtual_machines.begin_create_or_update("rg", "test", machine(subnet, {"id": published.id}))
    booted = await poller.result()
    assert booted.provisioning_state == "Succeeded"
    poller = await clients.resources.resource_groups.begin_delete("rg", force_deletion_types="Microsoft.Compute/virtualMachines")
    await poller.result()
    assert not await clients.resources.resource_groups.check_existence("rg")
    assert asyncio.get_running_loop().time() > 600, "virtual time passed"
    assert time.perf_counter() - began < 5, "real time did not"
    assert booted.location == LOCATION
