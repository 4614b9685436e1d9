"""A sandbox whose clock moves by waiting, and small sequences of calls with the official sync clients."""

from __future__ import annotations

from typing import Any

from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient

from include.sandbox.sandbox import Sandbox
from tests.sandbox.bodies import LOCATION, UBUNTU, machine
from tests.sandbox_transport import make_sync_sandbox, sync_client


class Azure:
    """The clients on one sandbox, with a resource group `rg`."""

    def __init__(self) -> None:
        self.sandbox: Sandbox = make_sync_sandbox()
        self.compute: Any = sync_client(ComputeManagementClient, self.sandbox)
        self.network: Any = sync_client(NetworkManagementClient, self.sandbox)
        self.resources: Any = sync_client(ResourceManagementClient, self.sandbox)
        self.resources.resource_groups.create_or_update("rg", {"location": LOCATION})

    def subnet(self) -> str:
        """A subnet's id; the network is made once."""
        body = {
            "location": LOCATION,
            "properties": {
                "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
                "subnets": [{"name": "build", "properties": {"addressPrefix": "10.0.0.0/24"}}],
            },
        }
        return str(self.network.virtual_networks.begin_create_or_update("rg", "vnet", body).result().subnets[0].id)

    def nic(self, name: str = "nic") -> str:
        """A network interface's id."""
        body = {"location": LOCATION, "properties": {"ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": self.subnet()}}}]}}
        return str(self.network.network_interfaces.begin_create_or_update("rg", name, body).result().id)

    def machine(
        self, name: str = "vm", image: dict[str, Any] | None = None, *, storage: dict[str, Any] | None = None, **options: Any
    ) -> Any:
        """A machine that was made; `storage` is merged into its storageProfile."""
        body = machine(self.subnet(), image or UBUNTU, **options)
        body["properties"]["storageProfile"].update(storage or {})
        return self.compute.virtual_machines.begin_create_or_update("rg", name, body).result()

    def disk(self, name: str = "disk", size: int = 8, **properties: Any) -> Any:
        """An empty managed disk."""
        sku = properties.pop("sku", "Premium_LRS")
        body = {
            "location": LOCATION,
            "sku": {"name": sku},
            "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": size, **properties},
        }
        return self.compute.disks.begin_create_or_update("rg", name, body).result()

    def statuses(self, name: str = "vm") -> list[str]:
        """The codes of a machine's instance view."""
        return [status.code for status in self.compute.virtual_machines.instance_view("rg", name).statuses]
