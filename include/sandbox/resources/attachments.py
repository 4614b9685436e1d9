"""POST attachDetachDataDisks: managed disks come and go without the machine's whole list (since 2024-03-01)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import operations
from ..registry import field, invalid
from ..wire import ArmError, Response
from .machine_disks import attach, check_luns, data_disk, first_answer, managed_ids
from .machine_update import bump
from .power import not_allowed
from .virtual_machines import MACHINES

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox
    from ..store import Resource


def attach_detach(arm: Sandbox, call: Call, machine: Resource) -> Response:
    """200 with the storageProfile, and an operation (recorded: azure-cli test_vm_disk_attach_detach_api)."""
    body = call.json()
    coming = list(field(body, "dataDisksToAttach", list, []))
    going = list(field(body, "dataDisksToDetach", list, []))
    if not coming and not going:
        raise invalid("Either dataDisksToAttach or dataDisksToDetach must name a disk.", "dataDisksToAttach")
    if machine.state == "Deleting":
        raise not_allowed("attachDetachDataDisks", machine, "marked for deletion")
    if operations.running(arm, machine) is not None:
        raise operations.conflict(machine)
    profile = machine.properties["storageProfile"]
    before = {id.lower() for id in managed_ids(machine)}
    kept = {str((one.get("managedDisk") or {}).get("id", "")).lower(): dict(one) for one in profile["dataDisks"]}
    for one in going:
        id = one["diskId"]
        found = kept.get(id.lower())
        if found is None:
            raise ArmError(409, "OperationNotAllowed", f"Disk {id} is not attached to VM {machine.id}.", target="dataDisksToDetach.diskId")
        found["toBeDetached"] = True
        if one.get("detachOption"):
            found["detachOption"] = one["detachOption"]
    taken = {one["lun"] for one in kept.values()}
    made = []
    for one in coming:
        id = one["diskId"]
        lun = one.get("lun")
        if lun is None:
            lun = next(number for number in range(64) if number not in taken)
        taken.add(lun)
        given = {**one, "lun": lun, "createOption": "Attach", "managedDisk": {"id": id}}
        made.append(data_disk(arm, call, machine, given, None))
    check_luns([*kept.values(), *made], machine)
    attach(arm, machine, [one["managedDisk"]["id"] for one in made])
    profile["dataDisks"] = sorted([*kept.values(), *made], key=lambda one: int(one["lun"]))
    bump(arm, machine)
    machine.properties["provisioningState"] = "Updating"
    operation = operations.start(arm, call, machine, "virtualMachines.update", then="virtualMachines.updated")
    shown = first_answer({"properties": {"storageProfile": MACHINES.view(arm, call, machine)["properties"]["storageProfile"]}}, {}, before)
    response = operations.written(arm, call, operation, shown["properties"]["storageProfile"], created=False)
    response.headers["etag"] = machine.body["etag"]
    return response


MACHINES.actions["attachdetachdatadisks"] = attach_detach
