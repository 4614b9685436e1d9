"""POST capture: the VHDs of a generalized machine with unmanaged disks, and a template that makes a machine from them."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from .. import operations
from ..content import disk_content
from ..events import event
from ..wire import ArmError, Json, Response
from . import vhds
from .power import check_idle
from .virtual_machines import MACHINES

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox
    from ..store import Resource

_SCHEMA = "http://schema.management.azure.com/schemas/2014-04-01-preview/VM_IP.json"


def capture(arm: Sandbox, call: Call, machine: Resource) -> Response:
    """Raises ArmError 409 for a machine that is not generalized, or that has managed disks (texts: ERRORS of public threads)."""
    body = call.json()
    prefix, container = body["vhdPrefix"], body["destinationContainerName"]
    check_idle(arm, "capture", machine)
    profile = machine.properties["storageProfile"]
    if "vhd" not in profile["osDisk"]:
        raise ArmError(
            409,
            "OperationNotAllowed",
            "The Capture action is only supported on a Virtual Machine with blob based disks. Please use the 'Image' resource APIs to "
            f"create an Image from a managed Virtual Machine. The Virtual Machine '{machine.name}' has managed disks.",
        )
    if not machine.private.get("generalized"):
        raise ArmError(409, "OperationNotAllowed", "Capture operation cannot be completed because the VM is not generalized.")
    operation = operations.start(
        arm,
        call,
        machine,
        "virtualMachines.capture",
        then="virtualMachines.captured",
        arguments={"prefix": prefix, "container": container, "version": call.api_version},
        exclusive=False,
    )
    return operations.accepted(arm, call, operation)


@event("virtualMachines.captured")
def _captured(arm: Sandbox, operation: Json, resource: Resource | None, prefix: str, container: str, version: str) -> None:
    if resource is None:
        raise ArmError(404, "NotFound", "The virtual machine was deleted.")
    profile = resource.properties["storageProfile"]
    root = "/".join(profile["osDisk"]["vhd"]["uri"].split("/")[:3])
    number, fresh = arm.guid("capture", resource.key, arm.count("capture")), arm.guid("container", resource.key, arm.count("capture"))

    def one(shown: Json, kind: str) -> Json:
        source = arm.resource(shown["vhd"]["uri"])
        name = f"{prefix}-{kind}.{number}.vhd"
        url = f"{root}/system/Microsoft.Compute/Images/{container}/{name}"
        vhds.add(arm, url, resource.location, shown["diskSizeGB"], deepcopy(disk_content(source)) if source is not None else None)
        return {
            "name": name,
            "createOption": "FromImage",
            "image": {"uri": url},
            "vhd": {"uri": f"{root}/vmcontainer{fresh}/{kind}.{fresh}.vhd"},
            "caching": shown["caching"],
        }

    storage: Json = {"osDisk": {"osType": profile["osDisk"]["osType"], **one(profile["osDisk"], "osDisk")}}
    data = [{"lun": each["lun"], **one(each, f"dataDisk-{each['lun']}")} for each in profile["dataDisks"] if "vhd" in each]
    if data:
        storage["dataDisks"] = data
    parameters = {
        "vmName": {"type": "string"},
        "vmSize": {"type": "string", "defaultValue": resource.properties["hardwareProfile"]["vmSize"]},
        "adminUserName": {"type": "string"},
        "adminPassword": {"type": "securestring"},
        "networkInterfaceId": {"type": "string"},
    }
    machine = {
        "name": "[parameters('vmName')]",
        "type": resource.type,
        "location": resource.location,
        "apiVersion": version,
        "properties": {
            "hardwareProfile": {"vmSize": "[parameters('vmSize')]"},
            "provisioningState": 0,
            "storageProfile": storage,
            "osProfile": {
                "computerName": "[parameters('vmName')]",
                "adminUsername": "[parameters('adminUsername')]",
                "adminPassword": "[parameters('adminPassword')]",
            },
            "networkProfile": {"networkInterfaces": [{"id": "[parameters('networkInterfaceId')]"}]},
        },
    }
    operation["output"] = {"$schema": _SCHEMA, "contentVersion": "1.0.0.0", "parameters": parameters, "resources": [machine]}


MACHINES.actions["capture"] = capture
