"""Scale sets named `web`: their bodies, what changes them, and which image versions their instances were made from."""

from __future__ import annotations

from typing import Any

from tests.sandbox_transport import AzureClients

from .bodies import LOCATION, generalize, group, make_definition, make_machine, publish, version

KEY = {"path": "/home/builder/.ssh/authorized_keys", "keyData": "ssh-rsa AAAA builder@example.com"}

HEALTH = {
    "name": "health",
    "properties": {"publisher": "Microsoft.ManagedServices", "type": "ApplicationHealthLinux", "typeHandlerVersion": "1.0"},
}


def scale_set(
    clients: AzureClients, image: dict[str, Any], capacity: int = 2, *, mode: str = "Manual", **properties: Any
) -> dict[str, Any]:
    subnet = f"{group(clients)}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/build"
    address = {"name": "ip", "properties": {"subnet": {"id": subnet}}}
    system = {"computerNamePrefix": "web", "adminUsername": "builder", "linuxConfiguration": {"ssh": {"publicKeys": [KEY]}}}
    profile = {
        "osProfile": system,
        "storageProfile": {"imageReference": image, "osDisk": {"createOption": "FromImage"}},
        "networkProfile": {
            "networkInterfaceConfigurations": [{"name": "nic", "properties": {"primary": True, "ipConfigurations": [address]}}]
        },
    }
    return {
        "location": LOCATION,
        "sku": {"name": "Standard_D2s_v5", "capacity": capacity},
        "properties": {"upgradePolicy": {"mode": mode}, "virtualMachineProfile": profile, **properties},
    }


async def put(clients: AzureClients, body: dict[str, Any]) -> Any:
    return await (await clients.compute.virtual_machine_scale_sets.begin_create_or_update("rg", "web", body)).result()


async def patch(clients: AzureClients, **body: Any) -> Any:
    return await (await clients.compute.virtual_machine_scale_sets.begin_update("rg", "web", body)).result()


async def used(clients: AzureClients) -> dict[str, str]:
    """Instance id -> exact version of its image."""
    found = clients.compute.virtual_machine_scale_set_vms.list("rg", "web")
    return {one.instance_id: one.storage_profile.image_reference.exact_version async for one in found}


async def published(clients: AzureClients, *names: str) -> str:
    """Versions of a generalized machine's image; returns the definition's id."""
    source = {"source": {"virtualMachineId": (await make_machine(clients)).id}}
    await generalize(clients)
    definition = await make_definition(clients)
    for name in names:
        await publish(clients, name, version(source))
    return str(definition.id)


def source(clients: AzureClients) -> dict[str, Any]:
    """Of a version: the machine of `published`."""
    return {"source": {"virtualMachineId": f"{group(clients)}/providers/Microsoft.Compute/virtualMachines/vm"}}
