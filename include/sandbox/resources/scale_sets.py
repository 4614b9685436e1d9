"""Virtual machine scale sets, as users of images: a model, and instances that were made from what its image reference meant at the time.

Instances have no guest, no disks and no addresses of their own. What else a scale
set can do is refused. Shapes: the compute OpenAPI document 2025-04-01 and its examples.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..content import MACHINE, Origin
from ..events import event
from ..kept import keep, overlay
from ..pages import list_of, page_of
from ..regions import short
from ..registry import ResourceType, arm_not_found, field, invalid, register, required, route
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty, stamp
from . import flexible_sets, instance_ids, purchase_plans, upgrade_policy
from .changes import changed
from .groups import location_of
from .identity import identity
from .interfaces import MEMBERSHIPS
from .machine_applications import check_applications
from .machine_fit import security_profile
from .machine_profile import os_profile
from .network import LOAD_BALANCER, refer, reference_missing
from .references import resolve
from .sizes import SIZES, check_quota, find_size
from .upgrade_policy import unsupported

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

SCALE_SET = "Microsoft.Compute/virtualMachineScaleSets"
INSTANCE = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"
MOST = 1000  # instances of a set
IMAGE_REFERENCE = "properties.virtualMachineProfile.storageProfile.imageReference"
_POWER = ("start", "poweroff", "deallocate", "restart", "redeploy", "reapply", "reimageall")
_UNSUPPORTED = ("hostGroup", "virtualMachineProfile.capacityReservation", "virtualMachineProfile.serviceArtifactReference", "skuProfile")
# Secrets, which are never shown.
_SECRET = frozenset(
    {
        "virtualMachineProfile.osProfile.adminPassword",
        "virtualMachineProfile.osProfile.customData",
        "virtualMachineProfile.osProfile.windowsConfiguration.additionalUnattendContent.content",
        "virtualMachineProfile.extensionProfile.extensions.properties.protectedSettings",
        "virtualMachineProfile.userData",
    }
)
# What an update changes by rules of its own, or not at all.
_GOVERNED = frozenset(
    {"orchestrationMode", "provisioningState", "timeCreated", "uniqueId", "upgradePolicy", IMAGE_REFERENCE.removeprefix("properties.")}
)


class ScaleSets(ResourceType):
    name = SCALE_SET
    bodies: ClassVar[dict[str, str]] = {
        "PUT": "compute.VirtualMachineScaleSet",
        "PATCH": "compute.VirtualMachineScaleSetUpdate",
        "manualupgrade": "compute.VirtualMachineScaleSetVMInstanceRequiredIDs",
        "delete": "compute.VirtualMachineScaleSetVMInstanceRequiredIDs",
        "reimage": "compute.VirtualMachineScaleSetReimageParameters",
        **dict.fromkeys(_POWER, "compute.VirtualMachineScaleSetVMInstanceIDs"),
    }
    nests: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.views["instanceview"] = lambda arm, call, found: Response(200, {"content-type": JSON_TYPE}, pretty(_instance_view(arm, found)))
        self.views["skus"] = lambda arm, call, found: page_of(arm, call, _skus(found), lambda one: one)
        self.actions["manualupgrade"] = self.upgrade
        self.actions["delete"] = self.delete_instances

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        """A Flexible set that nothing changes has as many machines as there are, whoever made and deleted them. Once the size of a disk was
        told only where it was asked for (recorded: azure-mgmt-monitor 1.0.1 test_autoscale_settings)."""
        if not resource.private.get("sized", True) and call.api_version < "2020-12-01":
            return _unsized(resource.body)
        if not flexible_sets.makes_machines(resource) or operations.running(arm, resource) is not None:
            return resource.body
        return {**resource.body, "sku": {**resource.body["sku"], "capacity": len(flexible_sets.present(arm, resource))}}

    # create and update

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        if resource is not None:
            return self.update(arm, call, resource, body, whole=True)
        mode = field(body, "properties.orchestrationMode") or "Uniform"
        flexible = mode == "Flexible"
        if flexible:
            flexible_sets.check(body)
            if field(body, "properties.virtualMachineProfile", dict) is None:
                return flexible_sets.make(arm, call, body, self.envelope(arm, call, body, location))
        for path in _UNSUPPORTED:
            if field(body, f"properties.{path}", dict):
                raise unsupported(path, "…")
        single = field(body, "properties.singlePlacementGroup", bool, not flexible)
        properties: Json = {"singlePlacementGroup": single, "orchestrationMode": mode, "upgradePolicy": upgrade_policy.read(body, flexible)}
        if flexible:
            properties["platformFaultDomainCount"] = 1
            overlay(properties, {"platformFaultDomainCount": field(body, "properties.platformFaultDomainCount", int)})
        if (group := field(body, "properties.proximityPlacementGroup.id")) is not None and arm.resource(group) is None:
            raise arm_not_found(group)
        name, size = find_size(required(body, "sku.name", target="sku.name"))
        origin, _, reference = resolve(arm, call, required(body, IMAGE_REFERENCE, dict, target="imageReference"), location)
        _check_plan(arm, origin, body.get("plan"), call.id)
        properties["virtualMachineProfile"] = _profile(arm, call, body, origin, name, size, flexible=flexible)
        if properties["upgradePolicy"]["mode"] == "Rolling":
            upgrade_policy.check_health(body["properties"]["virtualMachineProfile"])
        if upgrade_policy.is_automatic(properties["upgradePolicy"]):
            given = body["properties"]["virtualMachineProfile"]
            upgrade_policy.check_automatic(arm, given, given, reference, origin)
        keep(properties, body["properties"], but=_SECRET)
        if not flexible:
            _show_defaults(properties)
        properties |= {
            "provisioningState": "Creating",
            "uniqueId": arm.guid("scale set", call.id, arm.count("scale set")),
            "timeCreated": stamp(arm.now),
        }
        made = self.envelope(arm, call, body, location)
        made["sku"] = {"name": name, "tier": "Standard", "capacity": 0}
        made["properties"] = properties
        resource = Resource(call.id, self.name, made, {"state": origin.state, "next": 0})
        take(resource, origin, reference)
        resource.private["sized"] = field(body, "properties.virtualMachineProfile.storageProfile.osDisk.diskSizeGB", int) is not None
        capacity = field(body, "sku.capacity", int, 0)
        _check_capacity(arm, resource, capacity, name)
        arm.store.add(resource)
        if flexible:
            resource.private["profile"] = deepcopy(body["properties"]["virtualMachineProfile"])
            operation = flexible_sets.scale(arm, call, resource, capacity, "create")
            return operations.written(arm, call, operation, resource.body, created=True, retry_after=10)
        _watch_image(arm, resource)
        _scale(arm, resource, capacity)
        operation = operations.start(arm, call, resource, "virtualMachineScaleSets.create", then="scaleSets.written")
        return operations.written(arm, call, operation, self.view(arm, call, resource), created=True, retry_after=10)

    def envelope(self, arm: Sandbox, call: Call, body: Json, location: str) -> Json:
        """What stands beside the properties."""
        made: Json = {"name": call.name, "id": call.id, "type": self.name, "location": location}
        for key in ("tags", "zones", "plan", "placement", "extendedLocation"):
            if body.get(key) is not None:
                made[key] = body[key]
        if field(body, "identity", dict):
            made["identity"] = identity(arm, call, body["identity"])
        return made

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        return self.update(arm, call, resource, call.json(), whole=False)

    def update(self, arm: Sandbox, call: Call, resource: Resource, body: Json, *, whole: bool) -> Response:
        """New capacity, image, size, tags or upgrade policy. The image is looked up again for every instance that is added."""
        if operations.running(arm, resource) is not None:
            raise operations.conflict(resource)
        own = resource.properties
        if field(body, "properties.orchestrationMode") not in (None, own["orchestrationMode"]):
            raise changed("vmss", "orchestrationMode")
        flexible = flexible_sets.is_flexible(resource)
        if flexible and not flexible_sets.makes_machines(resource):
            return flexible_sets.update(arm, call, resource, body)
        if flexible:
            flexible_sets.check(body)
            resource.body["sku"]["capacity"] = len(flexible_sets.present(arm, resource))
        storage = own["virtualMachineProfile"]["storageProfile"]
        given = field(body, IMAGE_REFERENCE, dict)
        asked = {key: value for key, value in (given or storage["imageReference"]).items() if key != "exactVersion"}
        name, size = find_size(field(body, "sku.name", str, resource.body["sku"]["name"]))
        capacity = field(body, "sku.capacity", int, resource.body["sku"]["capacity"])
        _check_capacity(arm, resource, capacity, name)
        policy = own["upgradePolicy"]
        if field(body, "properties.upgradePolicy", dict) is not None:
            policy = upgrade_policy.read(body, flexible, None if whole else policy)
        profile = field(body, "properties.virtualMachineProfile", dict, {})
        shown = deepcopy(own["virtualMachineProfile"])
        overlay(shown, profile)
        if policy["mode"] == "Rolling":
            upgrade_policy.check_health(shown)
        new_image = asked != storage["imageReference"]
        automatic = upgrade_policy.is_automatic(policy) and (policy is not own["upgradePolicy"] or bool(profile))
        if new_image or automatic or capacity > resource.body["sku"]["capacity"]:
            origin, _, reference = resolve(arm, call, asked, resource.location)
            if origin.state != resource.private["state"]:
                raise invalid(
                    f"A scale set whose image is {resource.private['state']} cannot be changed to an image that is {origin.state}.",
                    "imageReference",
                )
            security_profile({"properties": own["virtualMachineProfile"]}, origin, name, size)
            _check_plan(arm, origin, resource.body.get("plan"), resource.id)
            if automatic:
                upgrade_policy.check_automatic(arm, shown, profile, asked, origin)
            if new_image or capacity > resource.body["sku"]["capacity"]:
                take(resource, origin, reference)
        check_applications(arm, call, profile, resource.location, storage["osDisk"]["osType"])
        overlay(own, field(body, "properties", dict, {}), but=_SECRET | _GOVERNED)
        own["upgradePolicy"] = policy
        if not flexible:
            _show_defaults(own)
        storage["imageReference"] = asked
        resource.body["sku"]["name"] = name
        if "tags" in body or whole:
            resource.body["tags"] = field(body, "tags", dict, {})
        for instance in instances(arm, resource) if new_image else ():
            instance.properties["latestModelApplied"] = False
            arm.store.touch(instance)
        own["provisioningState"] = "Updating"
        if flexible:
            overlay(resource.private["profile"], profile)
            operation = flexible_sets.scale(arm, call, resource, capacity, "update")
        else:
            _watch_image(arm, resource)
            _scale(arm, resource, capacity)
            operation = operations.start(arm, call, resource, "virtualMachineScaleSets.update", then="scaleSets.written")
        return operations.written(arm, call, operation, resource.body, created=False, retry_after=10)

    # the rest

    def upgrade(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        """POST …/manualupgrade: the instances take over the model's image."""
        if flexible_sets.is_flexible(resource):
            raise flexible_sets.not_allowed(resource, "manualupgrade")
        wanted = chosen(arm, resource, call.json()["instanceIds"])
        operation = operations.start(
            arm,
            call,
            resource,
            "virtualMachineScaleSets.update",
            then="scaleSets.upgraded",
            arguments={"ids": [one.key for one in wanted]},
        )
        return operations.accepted(arm, call, operation, retry_after=10)

    def delete_instances(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        """POST …/delete: these instances go, and the capacity with them."""
        if flexible_sets.is_flexible(resource):
            return flexible_sets.delete_instances(arm, call, resource, call.json()["instanceIds"])
        for one in chosen(arm, resource, call.json()["instanceIds"]):
            arm.store.drop(one)
        resource.body["sku"]["capacity"] = len(instances(arm, resource))
        operation = operations.start(arm, call, resource, "virtualMachineScaleSets.update")
        return operations.accepted(arm, call, operation, retry_after=10)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        current = operations.running(arm, resource)
        if current is not None and current["kind"].endswith(".delete"):
            return operations.accepted(arm, call, current, retry_after=10)
        operations.preempt(arm, resource)
        resource.properties["provisioningState"] = "Deleting"
        operation = operations.start(arm, call, resource, "virtualMachineScaleSets.delete", then="scaleSets.deleted")
        return operations.accepted(arm, call, operation, retry_after=10)


class Instances(ResourceType):
    """A Uniform set's instances; those of a Flexible one are machines, and only its list shows them as instances."""

    name = INSTANCE
    listed = False

    def __init__(self) -> None:
        super().__init__()
        self.views["instanceview"] = lambda arm, call, one: Response(200, {"content-type": JSON_TYPE}, pretty(_view(one)))

    def select(self, arm: Sandbox, call: Call, parent: Resource | None, found: list[Resource]) -> list[Resource]:
        return flexible_sets.members(arm, parent) if parent is not None and flexible_sets.is_flexible(parent) else found

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        if resource.type == MACHINE:
            return flexible_sets.instance(arm, call, resource)
        if not call.expands("instanceView"):
            return resource.body
        return {**resource.body, "properties": {**resource.properties, "instanceView": _view(resource)}}

    def dynamic(self, call: Call) -> bool:
        return call.expands("instanceView")

    def missing(self, call: Call) -> ArmError | None:
        """Text: vm-scale-sets#60."""
        if call.name.isdigit():
            return None
        return ArmError(400, "InvalidParameter", "Virtual Machine Scale Set VM instanceId must be a number.", target="instanceId")

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        assert call.parent is not None
        arm.store.drop(resource)
        call.parent.body["sku"]["capacity"] = len(instances(arm, call.parent))
        arm.store.touch(call.parent)
        operation = operations.start(arm, call, None, "virtualMachineScaleSets.update", location=call.parent.location, exclusive=False)
        return operations.accepted(arm, call, operation, retry_after=10)


def instances(arm: Sandbox, resource: Resource) -> list[Resource]:
    """A set's instances, oldest first."""
    found = arm.store.collection(f"{resource.key}/virtualmachines").values()
    return sorted(found, key=lambda one: int(one.body["instanceId"]))


def _check_capacity(arm: Sandbox, resource: Resource, capacity: int, size_name: str) -> None:
    if not 0 <= capacity <= MOST:
        raise invalid(f"The value {capacity} of parameter 'sku.capacity' must lie between 0 and {MOST}.", "sku.capacity")
    more = capacity - resource.body["sku"]["capacity"]
    if more > 0:
        check_quota(arm, resource.subscription, resource.location, find_size(size_name)[1], more)


def take(resource: Resource, origin: Origin, reference: Json) -> None:
    """What the model's image means from now on: the reference with its exact version, and the id of what it was found to be."""
    resource.private |= {"image": reference, "found": origin.id}


def _watch_image(arm: Sandbox, resource: Resource) -> None:
    """Have somebody look for newer versions from now on, where the policy says so (automatic_upgrades.py). Windows then leaves updates to
    it (the document's enableAutomaticOSUpgrade)."""
    if not upgrade_policy.is_automatic(resource.properties["upgradePolicy"]):
        return
    system = resource.properties["virtualMachineProfile"].get("osProfile", {})
    if "windowsConfiguration" in system:
        system["windowsConfiguration"]["enableAutomaticUpdates"] = False
    if not resource.private.get("watched"):
        resource.private["watched"] = True
        arm.store.schedule(arm.now, "automaticUpgrades.look", id=resource.key)


def _check_plan(arm: Sandbox, origin: Origin, plan: Any, id: str) -> None:
    """Raises ArmError 400 where the set's purchase plan is not its image's."""
    if (found := purchase_plans.problem(arm, origin, plan, id, f"{id.rpartition('/')[2]}_OsDisk")) is not None:
        raise ArmError(400, found["code"], found["message"])


def _scale(arm: Sandbox, resource: Resource, capacity: int) -> None:
    """Add or remove instances: the newest go first."""
    present = instances(arm, resource)
    for instance in present[capacity:]:
        arm.store.drop(instance)
    for _ in range(capacity - len(present)):
        arm.store.add(_instance(arm, resource, resource.private["next"], resource.body["sku"]["name"]))
        resource.private["next"] += 1
    resource.body["sku"]["capacity"] = capacity


def chosen(arm: Sandbox, resource: Resource, ids: list[str]) -> list[Resource]:
    """The instances that a request names. Raises ArmError 400."""
    return instance_ids.chosen({one.body["instanceId"]: one for one in instances(arm, resource)}, ids, numbers=True)


def _show_defaults(properties: Json) -> None:
    """What Azure adds to a Uniform set's model (recorded: azure-sdk-for-go TestVirtualMachineScaleSetTestSuite, azure-cli
    test_vmss_create_custom_data). Its systems tell of patching only what they were given."""
    properties.setdefault("doNotRunExtensionsOnOverprovisionedVMs", False)
    network = properties["virtualMachineProfile"]["networkProfile"]
    for interface in network["networkInterfaceConfigurations"]:
        given = interface["properties"] = {
            "enableAcceleratedNetworking": False,
            "disableTcpStateTracking": False,
            "dnsSettings": {"dnsServers": []},
            "enableIPForwarding": False,
            **field(interface, "properties", dict, {}),
        }
        for address in field(given, "ipConfigurations", list, []):
            address["properties"] = {"privateIPAddressVersion": "IPv4", **field(address, "properties", dict, {})}


def _unsized(body: Json) -> Json:
    """A scale set without the size of its instances' OS disks."""
    profile = body["properties"]["virtualMachineProfile"]
    disk = {name: value for name, value in profile["storageProfile"]["osDisk"].items() if name != "diskSizeGB"}
    profile = {**profile, "storageProfile": {**profile["storageProfile"], "osDisk": disk}}
    return {**body, "properties": {**body["properties"], "virtualMachineProfile": profile}}


def _profile(arm: Sandbox, call: Call, body: Json, origin: Origin, size_name: str, size: Any, *, flexible: bool) -> Json:
    """The virtualMachineProfile to show. Raises ArmError where it does not fit the image, or names a subnet that is not there."""
    given = required(body, "properties.virtualMachineProfile", dict)
    made: Json = {}
    check_applications(arm, call, given, location_of(call, body, None), origin.content["os"])
    wanted = field(given, "osProfile", dict)
    named = {**wanted, "computerName": wanted.get("computerNamePrefix") or call.name} if wanted is not None else None
    system = os_profile({"properties": {"osProfile": named}}, origin, call.name)
    if system is not None:
        made["osProfile"] = {"computerNamePrefix": system.pop("computerName"), **system}
        for name in ("linuxConfiguration", "windowsConfiguration"):
            if name in system and field(wanted, f"{name}.patchSettings", dict) is None and not flexible:
                system[name].pop("patchSettings", None)
    disk = field(given, "storageProfile.osDisk", dict, {})
    if (option := disk.get("createOption", "FromImage")) != "FromImage":
        raise unsupported("osDisk.createOption", option)
    made["storageProfile"] = {
        "osDisk": {
            "osType": origin.content["os"],
            "createOption": "FromImage",
            "caching": disk.get("caching", origin.caching),
            "managedDisk": {"storageAccountType": field(disk, "managedDisk.storageAccountType", str, "Premium_LRS")},
            "diskSizeGB": disk.get("diskSizeGB", origin.content["size_gb"]),
        },
        "imageReference": dict(field(given, "storageProfile.imageReference", dict, {})),
    }
    network = required(given, "networkProfile", dict, target="networkProfile")
    for interface in required(network, "networkInterfaceConfigurations", list, target="networkInterfaceConfigurations"):
        for address in field(interface, "properties.ipConfigurations", list, []):
            subnet = field(address, "properties.subnet.id")
            if arm.resource(subnet) is None:
                raise reference_missing(str(subnet), call.id)
            for member, kind in {**MEMBERSHIPS, "loadBalancerInboundNatPools": f"{LOAD_BALANCER}/inboundNatPools"}.items():
                for one in field(address, f"properties.{member}", list, []):
                    refer(arm, one, kind, call.id)
            if field(address, "properties.applicationGatewayBackendAddressPools", list):
                raise unsupported("applicationGatewayBackendAddressPools", "…")
    made["networkProfile"] = network
    if (security := security_profile({"properties": given}, origin, size_name, size)) is not None:
        made["securityProfile"] = security
    return made


def _instance(arm: Sandbox, resource: Resource, number: int, size: str) -> Resource:
    profile = resource.properties["virtualMachineProfile"]
    id = f"{resource.id}/virtualMachines/{number}"
    properties: Json = {
        "latestModelApplied": True,
        "vmId": arm.guid("vm", id, arm.count("vm")),
        "hardwareProfile": {},
        "storageProfile": {
            "imageReference": dict(resource.private["image"]),
            "osDisk": {**deepcopy(profile["storageProfile"]["osDisk"]), "name": f"{resource.name}_{number}_OsDisk_1"},
        },
    }
    if "osProfile" in profile:
        system = {key: value for key, value in profile["osProfile"].items() if key != "computerNamePrefix"}
        properties["osProfile"] = {"computerName": f"{profile['osProfile']['computerNamePrefix']}{number:06}", **system}
    properties["networkProfileConfiguration"] = profile["networkProfile"]
    properties |= {"provisioningState": "Creating", "timeCreated": stamp(arm.now)}
    body = {
        "name": f"{resource.name}_{number}",
        "id": id,
        "type": INSTANCE,
        "location": resource.location,
        "instanceId": str(number),
        "sku": {"name": size, "tier": "Standard"},
        "properties": properties,
    }
    return Resource(id, INSTANCE, body)


def _status(instance: Resource) -> Json:
    return {
        "code": f"ProvisioningState/{instance.state.lower()}",
        "level": "Info",
        "displayStatus": f"Provisioning {instance.state.lower()}",
    }


def _view(instance: Resource) -> Json:
    """An instance's: it has no guest, and so no agent that answers."""
    power = instance.private.get("power", "running")
    shown = {"code": f"PowerState/{power}", "level": "Info", "displayStatus": f"VM {power}"}
    return {"vmAgent": {}, "statuses": [_status(instance), shown]}


def _instance_view(arm: Sandbox, resource: Resource) -> Json:
    counts: dict[str, int] = {}
    for one in instances(arm, resource):
        code = f"ProvisioningState/{one.state.lower()}"
        counts[code] = counts.get(code, 0) + 1
    summary = [{"code": code, "count": count} for code, count in counts.items()]
    return {"virtualMachine": {"statusesSummary": summary}, "statuses": [_status(resource)]}


def _skus(resource: Resource) -> list[Json]:
    """The sizes that the set can have: those that its image boots on, as its own size does."""
    if flexible_sets.is_flexible(resource):
        return []
    own = find_size(resource.body["sku"]["name"])[1]
    fitting = [name for name, size in SIZES.items() if size.generations == own.generations and size.architecture == own.architecture]
    capacity = {"minimum": 0, "maximum": MOST, "defaultCapacity": 1, "scaleType": "Automatic"}
    return [{"resourceType": SCALE_SET, "sku": {"name": name, "tier": "Standard"}, "capacity": capacity} for name in fitting]


@route("GET", "subscriptions/{}/providers/Microsoft.Compute/locations/{}/virtualMachineScaleSets")
def list_by_location(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    found = arm.store.of_type(subscription, SCALE_SET).values()
    return list_of(arm, call, SCALE_SETS, [one for one in found if one.location == short(location)])


@event("scaleSets.written")
def _written(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    """The new instances are there; with the upgrade mode Automatic the old ones have the model's image too."""
    if resource is None:
        return
    mode = resource.properties["upgradePolicy"]["mode"]
    automatic = mode == "Automatic"
    if mode == "Rolling" and any(not one.properties["latestModelApplied"] for one in instances(arm, resource)):
        arm.store.schedule(arm.now, "rollingUpgrades.begin", id=resource.key)
    for one in instances(arm, resource):
        if automatic and not one.properties["latestModelApplied"]:
            apply(resource, one)
        one.properties["provisioningState"] = "Succeeded"
        arm.store.touch(one)


@event("scaleSets.upgraded")
def _upgraded(arm: Sandbox, operation: Json, resource: Resource | None, ids: list[str], **_: Any) -> None:
    if resource is None:
        return
    for one in instances(arm, resource):
        if one.key in ids:
            apply(resource, one)
            arm.store.touch(one)


def apply(resource: Resource, instance: Resource) -> None:
    instance.properties["storageProfile"]["imageReference"] = dict(resource.private["image"])
    instance.properties["latestModelApplied"] = True


@event("scaleSets.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        flexible_sets.remove_members(arm, resource)
        SCALE_SETS.remove(arm, resource)


SCALE_SETS = ScaleSets()
register(SCALE_SETS)
INSTANCES = Instances()
register(INSTANCES)
