"""Virtual machines: made, shown, deleted. What a machine is made of is in machine_*.py, what is done to it in power.py and its like."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from .. import guest, operations
from ..content import MACHINE, Origin
from ..kept import keep
from ..pages import list_of
from ..regions import short
from ..registry import ResourceType, field, invalid, one_of, register, required, route
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty, stamp
from . import purchase_plans, vhds
from .entity_names import check_name
from .groups import location_of
from .identity import identity
from .instance_view import instance_view
from .machine_applications import check_applications
from .machine_disks import allocated, attached_os, first_answer, let_go, storage_profile
from .machine_fit import security_profile
from .machine_interfaces import connect, disconnect, named_interfaces
from .machine_profile import os_profile
from .machine_settings import settings
from .machine_update import bump, check_conditions, update
from .references import resolve
from .sizes import check_available, check_quota, find_size, list_sizes_for
from .zones import check_zones

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

EXTENSIONS = "extensions"
INTERFACES = frozenset({"networkApiVersion", "networkInterfaceConfigurations", "networkInterfaces"})  # become references (recorded)


class VirtualMachines(ResourceType):
    name = MACHINE
    bodies: ClassVar[dict[str, str]] = {
        "PUT": "compute.VirtualMachine",
        "PATCH": "compute.VirtualMachineUpdate",
        "runcommand": "compute.RunCommandInput",
        "capture": "compute.VirtualMachineCaptureParameters",
        "reimage": "compute.VirtualMachineReimageParameters",
        "attachdetachdatadisks": "compute.AttachDetachDataDisksRequest",
    }
    nests: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.views["instanceview"] = lambda arm, call, machine: Response(
            200, {"content-type": JSON_TYPE}, pretty(instance_view(arm, machine))
        )
        self.views["vmsizes"] = list_sizes_for

    def preflight(self, arm: Sandbox, call: Call, body: Json) -> None:
        """Sizes and cores are looked at before anything is made."""
        profile = body.get("properties", {}).get("hardwareProfile") if isinstance(body.get("properties"), dict) else None
        given = profile.get("vmSize") if isinstance(profile, dict) else None
        location = body.get("location")
        if call.resource is not None or not isinstance(given, str) or not isinstance(location, str):
            return
        name, size = find_size(given)
        check_available(arm, short(location), name)
        try:
            check_quota(arm, call.subscription, short(location), size)
        except ArmError as problem:
            raise ArmError(400, "QuotaExceeded", problem.message) from None

    def dynamic(self, call: Call) -> bool:
        return call.expands("instanceView") or call.query.get("statusonly", "").lower() == "true"

    def tagged(self, call: Call) -> bool:
        return not call.expands("instanceView")  # recorded: no etag header beside an expanded view

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        properties = resource.properties
        if resource.private.get("power") == "deallocated":
            properties = {**properties, "storageProfile": allocated(properties["storageProfile"])}
        if self.dynamic(call):
            properties = {**properties, "instanceView": instance_view(arm, resource)}
        body = {**resource.body, "properties": properties}
        extensions = arm.store.collection(f"{resource.key}/{EXTENSIONS}")
        if extensions:
            # Recorded: a list names the extensions, a GET shows them.
            body["resources"] = [one.body if call.name else {"id": one.id} for one in extensions.values()]
        if call.expands("userData") and resource.private.get("user_data"):
            body["properties"] = {**properties, "userData": resource.private["user_data"]}
        return body

    def select(self, arm: Sandbox, call: Call, parent: Resource | None, found: list[Resource]) -> list[Resource]:
        """`$filter` names a scale set and nothing else (azure-mgmt-compute, VirtualMachinesOperations.list). Raises ArmError 400."""
        wanted = call.query.get("$filter", "")
        if not wanted:
            return found
        named = re.fullmatch(r"\s*'?virtualMachineScaleSet/id'?\s+eq\s+'?([^']+?)'?\s*", wanted, re.IGNORECASE)
        if named is None:
            raise invalid(f"The filter '{wanted}' is not supported. Only 'virtualMachineScaleSet/id' eq '{{id}}' is.", "$filter")
        key = named[1].lower()
        return [one for one in found if str(field(one.properties, "virtualMachineScaleSet.id", str, "")).lower() == key]

    # create

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        check_conditions(call, resource)
        if resource is not None:
            return update(arm, call, resource, body)
        check_name(call.name, "vmName")
        size_name, size = find_size(required(body, "properties.hardwareProfile.vmSize", target="vmSize"))
        check_zones(body, location, self.name, call.name)
        check_available(arm, location, size_name)
        check_quota(arm, call.subscription, location, size, spot=field(body, "properties.priority") in ("Spot", "Low"))
        os_disk = required(body, "properties.storageProfile", dict, target="storageProfile").get("osDisk") or {}
        option = one_of(os_disk, "createOption", ("FromImage", "Attach", "Empty")) or "FromImage"
        origin, reference = _origin(arm, call, body, os_disk, option, location)
        if option != "Attach" and field(os_disk, "managedDisk.id") is not None:
            raise invalid("Parameter 'osDisk.managedDisk.id' is not allowed.", "osDisk.managedDisk.id")
        check_applications(arm, call, body["properties"], location, origin.content["os"])
        security = security_profile(body, origin, size_name, size)
        profile = os_profile(body, origin, call.name)
        machine = Resource(call.id, self.name, {"name": call.name, "id": call.id, "type": self.name, "location": location})
        for name in ("tags", "zones", "plan", "placement", "extendedLocation"):
            if body.get(name) is not None:
                machine.body[name] = body[name]
        if field(body, "identity", dict):
            machine.body["identity"] = identity(arm, call, body["identity"])
        properties = machine.body["properties"] = {
            "hardwareProfile": {**body["properties"]["hardwareProfile"], "vmSize": size_name},
            "provisioningState": "Creating",
            "vmId": arm.guid("vm", call.id, arm.count("vm")),
            **settings(arm, body, location, machine),
        }
        if security is not None:
            properties["securityProfile"] = security
        machine.private |= {
            "os_state": origin.state,
            "made_of": origin.kind,
            "power": "creating",
            "generalized": False,
            "security": (security or {}).get("securityType", "Standard"),
            "image": (reference or {}).get("id", ""),
            "size": size.cores,
        }
        interfaces = named_interfaces(arm, call, body, location)
        properties["storageProfile"] = storage_profile(arm, call, body, machine, origin, reference, option)
        keep(properties["storageProfile"], body["properties"]["storageProfile"])
        if profile is not None:
            properties["osProfile"] = profile
        properties["networkProfile"] = {"networkInterfaces": connect(arm, call, body, interfaces, machine)}
        keep(properties["networkProfile"], body["properties"].get("networkProfile") or {}, but=INTERFACES)
        properties["timeCreated"] = stamp(arm.now)
        arm.store.add(machine)
        bump(arm, machine)
        lost = origin.state == "Generalized" and not guest.is_ready(origin.content)
        unsold = purchase_plans.problem(arm, origin, body.get("plan"), call.id, properties["storageProfile"]["osDisk"]["name"])
        then, arguments = "virtualMachines.created", {"user": (profile or {}).get("adminUsername")}
        if unsold is not None:
            then, arguments = "virtualMachines.unsold", unsold
        elif lost:
            then, arguments = "virtualMachines.unprovisioned", {}
        operation = operations.start(
            arm,
            call,
            machine,
            "virtualMachines.osProvisioningTimeout" if lost and unsold is None else "virtualMachines.create",
            then=then,
            arguments=arguments,
        )
        answer = first_answer(machine.body, body)
        return operations.written(arm, call, operation, answer, created=True, retry_after=10)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        check_conditions(call, resource)
        return update(arm, call, resource, call.json())

    # delete

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        current = operations.running(arm, resource)
        if current is not None and current["kind"] == "virtualMachines.delete":
            return operations.accepted(arm, call, current, retry_after=10)
        operations.preempt(arm, resource)
        resource.properties["provisioningState"] = "Deleting"
        operation = operations.start(arm, call, resource, "virtualMachines.delete", then="virtualMachines.deleted")
        return operations.accepted(arm, call, operation, retry_after=10)

    def remove(self, arm: Sandbox, resource: Resource) -> None:
        let_go(arm, resource)
        disconnect(arm, resource)
        super().remove(arm, resource)


def _origin(arm: Sandbox, call: Call, body: Json, os_disk: Json, option: str, location: str) -> tuple[Origin, Json | None]:
    """What a machine is made from, and the imageReference to show."""
    if option == "Attach":
        return attached_os(arm, os_disk, location, call.id), None
    if field(os_disk, "image.uri") is not None:
        return vhds.image(arm, os_disk, location), None
    given = field(body, "properties.storageProfile.imageReference", dict)
    if given is None:
        raise invalid("Required parameter 'imageReference' is missing (null).", "imageReference")
    origin, _, reference = resolve(arm, call, given, location)
    return origin, reference


MACHINES = VirtualMachines()
register(MACHINES)


@route("GET", "subscriptions/{}/providers/Microsoft.Compute/locations/{}/virtualMachines")
def list_by_location(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    found = arm.store.of_type(subscription, MACHINE).values()
    return list_of(arm, call, MACHINES, [machine for machine in found if machine.location == short(location)])
