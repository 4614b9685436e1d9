"""How the making of a machine ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import guest
from ..content import MACHINE, disk_content
from ..events import event
from ..registry import TYPES
from ..store import Resource
from ..wire import ArmError, Json

if TYPE_CHECKING:
    from ..sandbox import Sandbox


@event("virtualMachines.created")
def _created(arm: Sandbox, operation: Json, resource: Resource | None, user: str | None) -> None:
    if resource is None:
        return
    disk = arm.resource(resource.private["os_disk"])
    content = disk_content(disk) if disk is not None else None
    if disk is None or content is None:
        raise ArmError(409, "OperationNotAllowed", "The OS disk was deleted.")
    if resource.private["os_state"] == "Generalized":
        guest.provision(content, user)
    else:
        content["guest"]["boots"] += 1
    arm.store.touch(disk)
    resource.private |= {"power": "running", "since": arm.now, "agent_from": _agent_from(arm, resource, content)}
    arm.store.touch(resource)


def _agent_from(arm: Sandbox, machine: Resource, content: Json) -> float | None:
    """When the agent answers: a generalized guest's at once, for it is who reports that the machine is provisioned; nobody waits for a
    specialized one (recorded: azure-cli test_specialized_image); none where there is no system on the disk."""
    if content.get("blank"):
        return None
    if machine.private["os_state"] == "Generalized":
        return arm.now
    return arm.now + arm.seconds("guest.boot", machine.key, arm.count("boot"))


@event("virtualMachines.created.failed")
def _not_created(arm: Sandbox, operation: Json, resource: Resource, error: Json) -> None:
    came_up = "Provisioning" in error["code"] or error["code"] == "VMAgentStatusCommunicationError"
    resource.private |= {"power": "running" if came_up else "failed", "agent_from": None}


@event("virtualMachines.unprovisioned")
def _unprovisioned(arm: Sandbox, operation: Json, resource: Resource | None) -> None:
    """G07: the image's guest was never deprovisioned, so nothing in it answers the provisioning (azure-powershell#14940)."""
    if resource is None:
        return
    resource.private |= {"power": "running", "since": arm.now, "agent_from": None}
    raise ArmError(
        409,
        "OSProvisioningTimedOut",
        f"OS Provisioning for VM '{resource.name}' did not finish in the allotted time. The VM may still finish provisioning "
        f"successfully. Please check provisioning "
        "state later. Also, make sure the image has been properly prepared (generalized). Instructions for Windows: "
        "https://azure.microsoft.com/documentation/articles/virtual-machines-windows-upload-image/ Instructions for Linux: "
        "https://azure.microsoft.com/documentation/articles/virtual-machines-linux-capture-image/",
    )


@event("virtualMachines.unsold")
def _unsold(arm: Sandbox, operation: Json, resource: Resource | None, code: str, message: str) -> None:
    """The request's purchase plan is not the image's (purchase_plans.py)."""
    if resource is None:
        return
    resource.private |= {"power": "failed", "agent_from": None}
    raise ArmError(400, code, message)


@event("virtualMachines.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None) -> None:
    if resource is not None:
        TYPES[MACHINE.lower()].remove(arm, resource)
