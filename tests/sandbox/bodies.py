"""Request bodies and small sequences of calls that the sandbox's tests share."""

from __future__ import annotations

from typing import Any

from include.sandbox.api_versions import known_versions, type_of
from include.sandbox.blobs import ACCOUNT
from include.sandbox.sandbox import Sandbox
from tests.sandbox_transport import AzureClients

LOCATION = "westeurope"
KEY = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 builder@example.com"
UBUNTU = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
PACKAGE = f"https://{ACCOUNT}.blob.core.windows.net/packages/agent.zip"
WINDOWS = {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter-g2", "version": "latest"}


RG = "/resourceGroups/rg"


def newest(path: str) -> str:
    """The newest api-version of what a path names."""
    return known_versions(type_of(path.split("?")[0].strip("/").split("/")))[0]


def put_package(sandbox: Sandbox) -> str:
    """Put the package of an application into the sandbox's account; returns its address."""
    sandbox.store.put_blob(PACKAGE.split("/", 3)[3], b"package")
    return PACKAGE


def group(clients: AzureClients, name: str = "rg") -> str:
    return f"/subscriptions/{clients.subscription_id}/resourceGroups/{name}"


def application_version(link: str, *regions: str, **profile: Any) -> dict[str, Any]:
    targets = [{"name": name} for name in (LOCATION, *regions)]
    actions = {"install": "./install.sh", "remove": "./remove.sh"}
    return {
        "location": LOCATION,
        "properties": {"publishingProfile": {"source": {"mediaLink": link}, "manageActions": actions, "targetRegions": targets, **profile}},
    }


async def make_group(clients: AzureClients, name: str = "rg", location: str = LOCATION, **body: Any) -> Any:
    return await clients.resources.resource_groups.create_or_update(name, {"location": location, **body})


async def make_network(clients: AzureClients, name: str = "rg", location: str = LOCATION) -> str:
    """A virtual network with one subnet, by the generic by-id call; returns the subnet's id."""
    id = f"{group(clients, name)}/providers/Microsoft.Network/virtualNetworks/vnet"
    subnet = {"name": "build", "properties": {"addressPrefix": "10.0.0.0/24", "defaultOutboundAccess": True}}
    body = {"location": location, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [subnet]}}
    poller = await clients.resources.resources.begin_create_or_update_by_id(id, body, api_version="2024-05-01")
    await poller.result()
    return f"{id}/subnets/build"


def machine(
    subnet: str, image: dict[str, Any], *, windows: bool = False, location: str = LOCATION, specialized: bool = False, **properties: Any
) -> dict[str, Any]:
    """A virtual machine's PUT with an inline network interface."""
    configuration = {
        "name": "nic",
        "properties": {
            "primary": True,
            "deleteOption": "Delete",
            "ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": subnet}}}],
        },
    }
    profile: dict[str, Any] = {"computerName": "builder", "adminUsername": "builder"}
    if windows:
        profile["adminPassword"] = "Correct-Horse-9"
    else:
        profile["linuxConfiguration"] = {
            "disablePasswordAuthentication": True,
            "ssh": {"publicKeys": [{"path": "/home/builder/.ssh/authorized_keys", "keyData": KEY}]},
        }
    body: dict[str, Any] = {
        "location": location,
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
            "storageProfile": {"imageReference": image, "osDisk": {"createOption": "FromImage", "deleteOption": "Delete"}},
            "osProfile": profile,
            "networkProfile": {"networkApiVersion": "2022-11-01", "networkInterfaceConfigurations": [configuration]},
            **properties,
        },
    }
    if specialized:
        del body["properties"]["osProfile"]
    return body


async def make_machine(
    clients: AzureClients, name: str = "vm", image: dict[str, Any] | None = None, resource_group: str = "rg", **options: Any
) -> Any:
    """Group, network and a running machine."""
    location = options.get("location", LOCATION)
    await make_group(clients, resource_group, location)
    subnet = await make_network(clients, resource_group, location)
    poller = await clients.compute.virtual_machines.begin_create_or_update(
        resource_group, name, machine(subnet, image or UBUNTU, **options)
    )
    return await poller.result()


async def run(clients: AzureClients, script: str, *, name: str = "command", vm: str = "vm", **properties: Any) -> Any:
    """Run a script to its end; returns the instance view."""
    body = {"location": LOCATION, "properties": {"source": {"script": script}, **properties}}
    poller = await clients.compute.virtual_machine_run_commands.begin_create_or_update("rg", vm, name, body, polling_interval=5)
    await poller.result()
    return await view_of(clients, name, vm)


async def view_of(clients: AzureClients, name: str = "command", vm: str = "vm") -> Any:
    found = await clients.compute.virtual_machine_run_commands.get_by_virtual_machine("rg", vm, name, expand="instanceView")
    return found.instance_view


async def generalize(clients: AzureClients, vm: str = "vm", *, deprovision: bool = True) -> None:
    """Deprovision (by run command), deallocate, mark as generalized."""
    if deprovision:
        await run(clients, "waagent -deprovision+user -force\n", name="deprovision", vm=vm)
    await (await clients.compute.virtual_machines.begin_deallocate("rg", vm)).result()
    await clients.compute.virtual_machines.generalize("rg", vm)


async def make_definition(
    clients: AzureClients,
    name: str = "ubuntu",
    *,
    security: str | None = "Standard",
    sharing: dict[str, Any] | None = None,
    **properties: Any,
) -> Any:
    """A gallery with one definition for Linux, generalized, V2; `sharing` is the gallery's sharingProfile."""
    gallery: dict[str, Any] = {"location": LOCATION}
    if sharing is not None:
        gallery["properties"] = {"sharingProfile": sharing}
    await (await clients.compute.galleries.begin_create_or_update("rg", "gallery", gallery)).result()
    body: dict[str, Any] = {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V2",
        "identifier": {"publisher": "factory", "offer": "linux", "sku": name},
        **properties,
    }
    if security is not None:
        body["features"] = [{"name": "SecurityType", "value": security}]
    poller = await clients.compute.gallery_images.begin_create_or_update("rg", "gallery", name, {"location": LOCATION, "properties": body})
    return await poller.result()


def version(source: dict[str, Any], *regions: str, excluded: bool = False, **more: Any) -> dict[str, Any]:
    """A version's PUT: `source` is the storageProfile."""
    profile: dict[str, Any] = {
        "targetRegions": [{"name": name, "regionalReplicaCount": 1} for name in (LOCATION, *regions)],
        "excludeFromLatest": excluded,
    }
    return {"location": LOCATION, "properties": {"publishingProfile": profile, "storageProfile": source, **more}}


async def publish(clients: AzureClients, name: str, body: dict[str, Any], definition: str = "ubuntu") -> Any:
    poller = await clients.compute.gallery_image_versions.begin_create_or_update("rg", "gallery", definition, name, body)
    return await poller.result()


async def replication_of(clients: AzureClients, name: str, definition: str = "ubuntu") -> dict[str, tuple[str, int]]:
    """{region: (state, progress)}."""
    found = await clients.compute.gallery_image_versions.get("rg", "gallery", definition, name, expand="ReplicationStatus")
    return {one.region: (one.state, one.progress) for one in found.replication_status.summary}


def one_of_each(at: str) -> dict[str, Any]:
    """A valid PUT for one resource of each kind, by its path below the subscription `at`, in an order in which they can be sent."""
    network, compute = f"{RG}/providers/Microsoft.Network", f"{RG}/providers/Microsoft.Compute"
    subnet = f"{at}{network}/virtualNetworks/v/subnets/s"
    identifier = {"publisher": "p", "offer": "o", "sku": "s"}
    definition: dict[str, Any] = {"osType": "Linux", "osState": "Specialized", "hyperVGeneration": "V2", "identifier": identifier}
    definition["features"] = [{"name": "SecurityType", "value": "Standard"}]
    market = f"{at}/providers/Microsoft.Compute/locations/{LOCATION}/publishers/Canonical/artifactTypes/VMImage"
    ubuntu = {"createOption": "FromImage", "imageReference": {"id": f"{market}/offers/ubuntu-24_04-lts/skus/server/versions/latest"}}
    captured = {"osType": "Linux", "osState": "Generalized", "snapshot": {"id": f"{at}{compute}/snapshots/s"}}
    here = {"location": LOCATION}
    vault = {"family": "A", "name": "standard"}
    keys = {"keyUrl": "https://kept.vault.azure.net/keys/key"}
    rule = {"priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "Tcp"}
    rule |= {"sourceAddressPrefix": "*", "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": "22"}
    script = {"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript", "typeHandlerVersion": "2.1"}
    instances = {
        "storageProfile": {"imageReference": UBUNTU},
        "osProfile": {"computerNamePrefix": "vm", "adminUsername": "builder", "adminPassword": "Correct-Horse-9"},
        "networkProfile": {
            "networkInterfaceConfigurations": [
                {
                    "name": "nic",
                    "properties": {"primary": True, "ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": subnet}}}]},
                }
            ]
        },
    }
    return {
        RG: {**here, "tags": {"a": "b"}},
        f"{network}/virtualNetworks/v": {
            **here,
            "properties": {
                "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
                "subnets": [{"name": "s", "properties": {"addressPrefix": "10.0.0.0/24"}}],
            },
        },
        f"{network}/virtualNetworks/v/subnets/t": {"properties": {"addressPrefix": "10.0.1.0/24"}},
        f"{network}/applicationSecurityGroups/a": {**here, "properties": {}},
        f"{network}/routeTables/t": {**here, "properties": {}},
        f"{network}/routeTables/t/routes/r": {"properties": {"addressPrefix": "10.7.0.0/16", "nextHopType": "VnetLocal"}},
        f"{network}/publicIPPrefixes/p": {**here, "sku": {"name": "Standard"}, "properties": {"prefixLength": 30}},
        f"{network}/natGateways/n": {**here, "sku": {"name": "Standard"}, "properties": {}},
        f"{network}/loadBalancers/l": {
            **here,
            "sku": {"name": "Standard"},
            "properties": {
                "frontendIPConfigurations": [{"name": "f", "properties": {"subnet": {"id": subnet}}}],
                "backendAddressPools": [{"name": "p"}],
            },
        },
        f"{network}/loadBalancers/l/backendAddressPools/q": {"properties": {}},
        f"{network}/networkSecurityGroups/g": {**here, "properties": {"securityRules": []}},
        f"{network}/publicIPAddresses/p": {**here, "sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}},
        f"{network}/networkInterfaces/n": {
            **here,
            "properties": {"ipConfigurations": [{"name": "c", "properties": {"subnet": {"id": subnet}, "primary": True}}]},
        },
        f"{compute}/disks/d": {**here, "properties": {"osType": "Linux", "hyperVGeneration": "V2", "creationData": ubuntu}},
        f"{compute}/snapshots/s": {
            **here,
            "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": f"{at}{compute}/disks/d"}, "incremental": True},
        },
        f"{compute}/virtualMachines/vm": machine(subnet, UBUNTU),
        f"{compute}/virtualMachines/vm/runCommands/c": {
            **here,
            "properties": {"source": {"script": f"echo {KEY}"}, "timeoutInSeconds": 60},
        },
        f"{compute}/images/i": {**here, "properties": {"hyperVGeneration": "V2", "storageProfile": {"osDisk": captured}}},
        f"{compute}/galleries/g": {**here, "properties": {"description": "d", "softDeletePolicy": {"isSoftDeleteEnabled": True}}},
        f"{compute}/galleries/g/images/i": {**here, "properties": definition},
        f"{compute}/galleries/g/images/i/versions/1.0.0": version(
            {"source": {"virtualMachineId": f"{at}{compute}/virtualMachines/vm"}}, "northeurope"
        ),
        f"{compute}/galleries/g/applications/a": {**here, "properties": {"supportedOSType": "Linux"}},
        f"{compute}/galleries/g/applications/a/versions/1.0.0": {
            **here,
            "properties": {"publishingProfile": {"source": {"mediaLink": PACKAGE}, "manageActions": {"install": "i", "remove": "r"}}},
        },
        f"{compute}/availabilitySets/a": {**here, "sku": {"name": "Aligned"}, "properties": {}},
        f"{compute}/proximityPlacementGroups/p": {**here, "properties": {}},
        f"{compute}/sshPublicKeys/k": {**here, "properties": {"publicKey": KEY}},
        f"{RG}/providers/Microsoft.Storage/storageAccounts/keptblobs": {**here, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"},
        f"{RG}/providers/Microsoft.Storage/storageAccounts/keptblobs/blobServices/default/containers/vhds": {"properties": {}},
        f"{RG}/providers/Microsoft.KeyVault/vaults/kept": {
            **here,
            "properties": {"tenantId": at.split("/")[2], "sku": vault, "accessPolicies": [], "enablePurgeProtection": True},
        },
        f"{RG}/providers/Microsoft.KeyVault/vaults/kept/keys/key": {"properties": {"kty": "RSA"}},
        f"{compute}/diskEncryptionSets/e": {
            **here,
            "identity": {"type": "SystemAssigned"},
            "properties": {"activeKey": keys, "rotationToLatestKeyVersionEnabled": True},
        },
        f"{compute}/diskAccesses/a": {**here, "tags": {"a": "b"}},
        f"{compute}/restorePointCollections/r": {**here, "properties": {"source": {"id": f"{at}{compute}/virtualMachines/vm"}}},
        f"{compute}/restorePointCollections/r/restorePoints/p": {"properties": {"consistencyMode": "CrashConsistent"}},
        f"{compute}/virtualMachines/vm/extensions/x": {**here, "properties": {**script, "settings": {"commandToExecute": "true"}}},
        f"{compute}/virtualMachineScaleSets/s": {
            **here,
            "sku": {"name": "Standard_D2s_v5", "capacity": 1},
            "properties": {"upgradePolicy": {"mode": "Manual"}, "virtualMachineProfile": instances},
        },
        f"{compute}/virtualMachineScaleSets/f": {**here, "properties": {"orchestrationMode": "Flexible"}},
        f"{network}/networkSecurityGroups/g/securityRules/r": {"properties": rule},
        f"{network}/virtualNetworks/w": {**here, "properties": {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}}},
        f"{network}/virtualNetworks/v/virtualNetworkPeerings/p": {
            "properties": {"remoteVirtualNetwork": {"id": f"{at}{network}/virtualNetworks/w"}}
        },
    }
