"""Virtual machines: create, update, show, delete. Power operations are in power.py, the instance view in instance_view.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import guest, operations
from ..content import DISK, MACHINE, Origin, disk_content
from ..events import event
from ..registry import ResourceType, field, one_of, register, required
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty, stamp
from .disks import new_disk
from .groups import location_of
from .instance_view import instance_view
from .interfaces import INTERFACE, RESERVED, claim, interface_properties, release, reserved
from .references import resolve
from .sizes import SIZES, check_quota, find_size, size_body

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

CACHING = ("None", "ReadOnly", "ReadWrite")
SECURITY = ("TrustedLaunch", "ConfidentialVM", "Standard")


def wrong(message: str, target: str) -> ArmError:
    return ArmError(400, "InvalidParameter", message, target=target)


class VirtualMachines(ResourceType):
    name = MACHINE
    nests: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.views["instanceview"] = lambda arm, call, machine: Response(
            200, {"content-type": JSON_TYPE}, pretty(instance_view(arm, machine))
        )
        self.views["vmsizes"] = lambda arm, call, machine: Response(
            200, {"content-type": JSON_TYPE}, pretty({"value": [size_body(name, size) for name, size in SIZES.items()]})
        )

    def dynamic(self, call: Call) -> bool:
        return call.expands("instanceView") or call.query.get("statusonly", "").lower() == "true"

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        if self.dynamic(call):
            return {**resource.body, "properties": {**resource.properties, "instanceView": instance_view(arm, resource)}}
        return resource.body

    # create

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        if resource is not None:
            return self.update(arm, call, resource, body)
        size_name, size = find_size(required(body, "properties.hardwareProfile.vmSize", target="vmSize"))
        check_quota(arm, call.subscription, location, size)
        os_disk = required(body, "properties.storageProfile", dict).get("osDisk") or {}
        option = one_of(os_disk, "createOption", ("FromImage", "Attach", "Empty")) or "FromImage"
        reference: Json | None = None
        if option == "Attach":
            disk = self.attachable(arm, field(os_disk, "managedDisk.id"), location, call.id, "osDisk.managedDisk.id")
            content = disk_content(disk)
            if content is None:
                raise wrong("The disk to attach as OS disk holds no operating system.", "osDisk.managedDisk.id")
            origin = Origin(
                "disk", disk.id, location, content, "Specialized", os_disk.get("caching", "ReadWrite"), disk.body["sku"]["name"]
            )
        else:
            given = field(body, "properties.storageProfile.imageReference", dict)
            if given is None:
                raise wrong("Required parameter 'imageReference' is missing (null).", "imageReference")
            origin, _, reference = resolve(arm, given, location)
        security = self.check_fit(body, origin, size_name, size)
        profile = self.os_profile(body, origin, call.name)
        machine = Resource(call.id, self.name, {"name": call.name, "id": call.id, "type": self.name, "location": location})
        for name in ("tags", "zones", "plan", "extendedLocation"):
            if name in body:
                machine.body[name] = body[name]
        if field(body, "identity", dict):
            machine.body["identity"] = identity(arm, call, body["identity"])
        properties: Json = {
            "hardwareProfile": {"vmSize": size_name},
            "provisioningState": "Creating",
            "vmId": arm.guid("vm", call.id, arm.count("vm")),
        }
        machine.body["properties"] = properties
        for name in (
            "priority",
            "evictionPolicy",
            "billingProfile",
            "licenseType",
            "userData",
            "diagnosticsProfile",
            "availabilitySet",
            "additionalCapabilities",
        ):
            if field(body, "properties", dict, {}).get(name) is not None:
                properties[name] = body["properties"][name]
        if properties.get("priority") == "Spot":
            properties.setdefault("evictionPolicy", "Deallocate")
        if security is not None:
            properties["securityProfile"] = security
        machine.private |= {
            "os_state": origin.state,
            "power": "creating",
            "generalized": False,
            "security": (security or {}).get("securityType", "Standard"),
            "image": reference.get("id", "") if reference else "",
        }
        interfaces = self.interfaces(arm, call, body, location)
        properties["storageProfile"] = self.disks(arm, call, body, machine, origin, reference, option)
        if profile is not None:
            properties["osProfile"] = profile
        properties["networkProfile"] = {"networkInterfaces": self.connect(arm, call, body, interfaces, machine)}
        properties["timeCreated"] = stamp(arm.now)
        arm.store.add(machine)
        self.bump(arm, machine)
        lost = origin.state == "Generalized" and not guest.is_ready(origin.content)
        operation = operations.start(
            arm,
            call,
            machine,
            "virtualMachines.osProvisioningTimeout" if lost else "virtualMachines.create",
            then="virtualMachines.unprovisioned" if lost else "virtualMachines.created",
            arguments={} if lost else {"user": (profile or {}).get("adminUsername")},
        )
        return operations.written(arm, call, operation, without_disk_ids(machine.body), created=True, retry_after=10)

    def check_fit(self, body: Json, origin: Origin, size_name: str, size: Any) -> Json | None:
        """Size, generation, architecture and security type must fit. Returns the securityProfile to show."""
        content = origin.content
        if content["generation"] not in size.generations:
            raise ArmError(
                400,
                "BadRequest",
                f"The selected VM size '{size_name}' cannot boot Hypervisor Generation '{content['generation'][1]}'. If this was a "
                f"Create operation please check that the "
                f"Hypervisor Generation of the Image matches the Hypervisor Generation of the selected VM Size.",
            )
        if content["architecture"] != size.architecture:
            raise wrong(
                f"The CPU architecture '{content['architecture']}' of the image does not match the CPU architecture "
                f"'{size.architecture}' of the VM size '{size_name}'.",
                "vmSize",
            )
        security = field(body, "properties.securityProfile", dict)
        kind = one_of(security or {}, "securityType", SECURITY) or "Standard"
        if origin.kind == "disk" and security is None:
            kind = content["security"]
            security = {"securityType": kind} if kind != "Standard" else None
        if kind == "Standard" and content["security"] != "Standard":
            raise ArmError(
                400,
                "BadRequest",
                f"Security type of VM is not compatible with the security type of attached OS Disk or image: the image needs "
                f"'{content['security']}'.",
            )
        if kind == "TrustedLaunch" and not (origin.supports_trusted_launch or content["security"] == "TrustedLaunch"):
            raise ArmError(
                400,
                "BadRequest",
                "Use of TrustedLaunch setting is not supported for the provided image. Please select Trusted Launch Supported Gen2 OS "
                "Image. For more information, see https://aka.ms/TrustedLaunch-FAQ.",
            )
        if kind == "ConfidentialVM" and not size.confidential:
            raise ArmError(
                400,
                "BadRequest",
                f"The VM size '{size_name}' is not supported for creation of VMs and Virtual Machine Scale Set with 'ConfidentialVM' "
                f"security type.",
            )
        if kind == "TrustedLaunch" and size.confidential:
            raise ArmError(400, "BadRequest", f"The VM size '{size_name}' is not supported for 'TrustedLaunch' security type.")
        return {**security, "securityType": kind} if security is not None and "securityType" in security else security

    def os_profile(self, body: Json, origin: Origin, name: str) -> Json | None:
        """osProfile with defaults. A generalized image needs one, a specialized one must not have one
        (troubleshooting-shared-images.md)."""
        given = field(body, "properties.osProfile", dict)
        if origin.state != "Generalized":
            if given is not None:
                raise wrong("Parameter 'osProfile' is not allowed.", "osProfile")
            return None
        if given is None:
            raise wrong("Required parameter 'osProfile' is missing (null).", "osProfile")
        computer = given.get("computerName") or name
        user = required(given, "adminUsername", target="osProfile.adminUsername")
        windows = origin.content["os"] == "Windows"
        if windows and len(computer) > 15:
            raise wrong(
                "Windows computer name cannot be more than 15 characters long, be entirely numeric, or contain the following "
                "characters: ` ~ ! @ # $ % ^ & * ( ) = + _ [ ] { } \\ | ; : . ' \" , < > / ?.",
                "computerName",
            )
        if user.lower() in ("admin", "administrator", "root", "guest", "user", "test"):
            raise wrong(
                f"The Admin Username specified is not allowed.{'' if windows else ' For more information about disallowed usernames, see https://aka.ms/vmosprofile'}",
                "adminUsername",
            )
        own = "windowsConfiguration" if windows else "linuxConfiguration"
        foreign = "linuxConfiguration" if windows else "windowsConfiguration"
        if given.get(foreign):
            raise wrong(f"The property '{foreign}' cannot be used together with the property '{origin.content['os']}'.", foreign)
        configuration = dict(field(given, own, dict, {}))
        keys = field(configuration, "ssh.publicKeys", list, [])
        if not given.get("adminPassword") and (windows or not keys):
            raise wrong("Required parameter 'adminPassword' is missing (null).", "adminPassword")
        made: Json = {"computerName": computer, "adminUsername": user}
        if given.get("customData"):
            pass  # write-only
        configuration.setdefault("provisionVMAgent", True)
        if windows:
            configuration.setdefault("enableAutomaticUpdates", True)
            configuration.setdefault("patchSettings", {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"})
        else:
            configuration.setdefault("disablePasswordAuthentication", not given.get("adminPassword"))
            configuration.setdefault("patchSettings", {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"})
        made[own] = configuration
        made |= {
            "secrets": given.get("secrets") or [],
            "allowExtensionOperations": given.get("allowExtensionOperations", True),
            "requireGuestProvisionSignal": True,
        }
        return made

    def attachable(self, arm: Sandbox, id: str | None, location: str, machine_id: str, target: str) -> Resource:
        disk = arm.resource(id, DISK)
        if id is None:
            raise wrong(f"Required parameter '{target}' is missing (null).", target)
        if disk is None:
            from .images import arm_not_found

            raise arm_not_found(id)
        owner = disk.body.get("managedBy")
        if owner and owner.lower() != machine_id.lower():
            raise ArmError(
                409, "ConflictingUserInput", f"Disk '{disk.name}' cannot be attached as the disk is already owned by VM '{owner}'."
            )
        if disk.location != location:
            raise ArmError(
                409, "OperationNotAllowed", f"Disk {disk.name} is in region {disk.location} and cannot be attached to a VM in {location}."
            )
        if disk.properties.get("diskState") == "ActiveSAS":
            raise ArmError(409, "OperationNotAllowed", f"Cannot attach disk {disk.name} while it has an active shared access signature.")
        return disk

    def disks(self, arm: Sandbox, call: Call, body: Json, machine: Resource, origin: Origin, reference: Json | None, option: str) -> Json:
        """storageProfile, with the disks that it asks for made and attached."""
        profile = body["properties"]["storageProfile"]
        given = profile.get("osDisk") or {}
        shown: Json = {"imageReference": reference} if reference is not None else {}
        group = call.id.split("/providers/")[0]
        number = arm.guid("disk", call.id, arm.count("disk")).replace("-", "")
        content = origin.content
        if option == "Attach":
            os_resource = arm.resource(origin.id, DISK)
            assert os_resource is not None
        else:
            size = field(given, "diskSizeGB", int) or content["size_gb"]
            if size < content["size_gb"]:
                raise wrong(
                    f"The specified disk size {size} GB is smaller than the size of the corresponding disk in the VM image: "
                    f"{content['size_gb']} GB. "
                    "This is not allowed. Please choose equal or greater size or do not specify an explicit size.",
                    "osDisk.diskSizeGB",
                )
            name = given.get("name") or f"{call.name}_OsDisk_1_{number}"
            sku = field(given, "managedDisk.storageAccountType", str, "Premium_LRS")
            own = dict(content)
            own["security"] = machine.private["security"]
            os_resource = new_disk(
                arm,
                f"{group}/providers/{DISK}/{name}",
                DISK,
                machine.location,
                sku=sku,
                size_gb=size,
                creation={
                    "createOption": "FromImage",
                    **({"galleryImageReference": {"id": origin.id}} if origin.kind == "version" else {}),
                },
                content=own,
                tags=machine.body.get("tags"),
            )
        machine.private["os_disk"] = os_resource.id
        caching = one_of(given, "caching", CACHING) or ("ReadWrite" if option != "Attach" else "None")
        shown["osDisk"] = {
            "osType": content["os"],
            "name": os_resource.name,
            "createOption": option,
            "caching": caching,
            "managedDisk": {"storageAccountType": os_resource.body["sku"]["name"], "id": os_resource.id},
            "deleteOption": one_of(given, "deleteOption", ("Delete", "Detach")) or "Detach",
            "diskSizeGB": os_resource.properties["diskSizeGB"],
        }
        wanted = list(field(profile, "dataDisks", list, []))
        named = {one.get("lun") for one in wanted}
        # an image's data disks come along unasked
        wanted += [{"lun": one["lun"], "createOption": "FromImage"} for one in origin.data if one["lun"] not in named]
        shown["dataDisks"] = [self.data_disk(arm, call, machine, one, origin) for one in wanted]
        if len({one["lun"] for one in shown["dataDisks"]}) != len(wanted):
            raise wrong("A LUN can be used by one data disk only.", "dataDisk.lun")
        self.own(arm, machine, [os_resource.id, *(one["managedDisk"]["id"] for one in shown["dataDisks"])])
        if profile.get("diskControllerType"):
            shown["diskControllerType"] = profile["diskControllerType"]
        return shown

    def data_disk(self, arm: Sandbox, call: Call, machine: Resource, given: Json, origin: Origin | None) -> Json:
        lun = required(given, "lun", int, target="dataDisk.lun")
        option = one_of(given, "createOption", ("Empty", "Attach", "FromImage", "Copy", "Restore"))
        if option is None:
            required(given, "createOption", target="dataDisk.createOption")
        sku = field(given, "managedDisk.storageAccountType", str, "Premium_LRS")
        caching = one_of(given, "caching", CACHING) or "None"
        if option == "Attach":
            disk = self.attachable(arm, field(given, "managedDisk.id"), machine.location, machine.id, "dataDisk.managedDisk.id")
        else:
            size = field(given, "diskSizeGB", int)
            if option == "FromImage":
                source = next((one for one in (origin.data if origin else []) if one["lun"] == lun), None)
                if source is None:
                    raise wrong(
                        f"StorageProfile.dataDisks.lun does not have required value(s) for image specified in storage profile: {lun}.",
                        "dataDisk.lun",
                    )
                size = size or source["size_gb"]
                if size < source["size_gb"]:
                    raise wrong("Disks or snapshot cannot be resized down.", "dataDisk.diskSizeGB")
                caching = one_of(given, "caching", CACHING) or source["caching"]
            if size is None:
                raise wrong("Required parameter 'dataDisk.diskSizeGB' is missing (null).", "dataDisk.diskSizeGB")
            number = arm.guid("disk", call.id, lun, arm.count("disk")).replace("-", "")
            name = given.get("name") or f"{machine.name}_disk{lun + 2}_{number}"
            disk = new_disk(
                arm,
                f"{call.id.split('/providers/')[0]}/providers/{DISK}/{name}",
                DISK,
                machine.location,
                sku=sku,
                size_gb=size,
                creation={"createOption": "Empty" if option == "Empty" else "FromImage"},
                content=None,
                tags=machine.body.get("tags"),
            )
        return {
            "lun": lun,
            "name": disk.name,
            "createOption": option,
            "caching": caching,
            "managedDisk": {"storageAccountType": disk.body["sku"]["name"], "id": disk.id},
            "deleteOption": one_of(given, "deleteOption", ("Delete", "Detach")) or "Detach",
            "diskSizeGB": disk.properties["diskSizeGB"],
            "toBeDetached": False,
        }

    def own(self, arm: Sandbox, machine: Resource, ids: list[str]) -> None:
        """Attach disks: the last thing that happens, when nothing can be refused any more."""
        for id in ids:
            disk = arm.resource(id, DISK)
            assert disk is not None
            disk.body["managedBy"] = machine.id
            disk.properties["diskState"] = "Reserved" if machine.private["power"] == "deallocated" else "Attached"
            arm.store.touch(disk)

    # network

    def interfaces(self, arm: Sandbox, call: Call, body: Json, location: str) -> list[Resource]:
        """The existing interfaces that the machine names. Raises ArmError for one that is missing, taken or reserved."""
        found = []
        for one in field(body, "properties.networkProfile.networkInterfaces", list, []):
            id = required(one, "id", target="networkInterfaces.id")
            interface = arm.resource(id, INTERFACE)
            if interface is None:
                raise ArmError(
                    400,
                    "InvalidResourceReference",
                    f"Resource {id} referenced by resource {call.id} was not found. Please make sure that the referenced resource "
                    f"exists, and that both resources are in the same region.",
                    details=[],
                )
            user = interface.properties.get("virtualMachine")
            if user and user["id"].lower() != call.id.lower():
                raise ArmError(
                    400,
                    "NicInUse",
                    f"Network Interface {id} is used by existing resource {user['id']}. In order to delete the network interface, it "
                    f"must be dissociated from the resource. To learn more, see aka.ms/deletenic.",
                    details=[],
                )
            if interface.private.get("reserved_until", 0) > arm.now and interface.private.get("reserved_for") != call.id.lower():
                raise reserved()
            found.append(interface)
        configurations = field(body, "properties.networkProfile.networkInterfaceConfigurations", list, [])
        if not found and not configurations:
            raise wrong("Required parameter 'networkProfile' is missing (null).", "networkProfile")
        if configurations and not field(body, "properties.networkProfile.networkApiVersion"):
            raise wrong("Required parameter 'networkProfile.networkApiVersion' is missing (null).", "networkProfile.networkApiVersion")
        for one in configurations:  # refused before anything is made
            properties = dict(required(one, "properties", dict, target="networkInterfaceConfigurations.properties"))
            interface_properties(arm, f"{call.id}/networkInterfaceConfigurations/{required(one, 'name')}", properties, None)
        return found

    def connect(self, arm: Sandbox, call: Call, body: Json, found: list[Resource], machine: Resource) -> list[Json]:
        shown = []
        given = field(body, "properties.networkProfile.networkInterfaces", list, [])
        for one, interface in zip(given, found, strict=True):
            reference: Json = {"id": interface.id}
            if field(one, "properties", dict):
                reference["properties"] = one["properties"]
            shown.append(reference)
        group = call.id.split("/providers/")[0]
        for index, one in enumerate(field(body, "properties.networkProfile.networkInterfaceConfigurations", list, [])):
            name = required(one, "name", target="networkInterfaceConfigurations.name")
            properties = dict(required(one, "properties", dict, target="networkInterfaceConfigurations.properties"))
            id = f"{group}/providers/{INTERFACE}/{name}-{arm.guid('nic', call.id, arm.count('nic'))[:8]}"
            made = interface_properties(arm, id, self.with_addresses(arm, call, group, machine, properties), None)
            made["resourceGuid"] = arm.guid("nic", id)
            header = {
                "name": id.rsplit("/", 1)[1],
                "id": id,
                "etag": f'W/"{arm.guid("etag", id)}"',
                "type": INTERFACE,
                "location": machine.location,
            }
            if "tags" in machine.body:
                header["tags"] = machine.body["tags"]
            interface = arm.store.add(Resource(id, INTERFACE, {**header, "properties": made, "kind": "Regular"}))
            found.append(interface)
            primary = field(properties, "primary", bool, index == 0)
            shown.append({"id": id, "properties": {"primary": primary, "deleteOption": properties.get("deleteOption", "Detach")}})
        for interface in found:
            interface.properties["virtualMachine"] = {"id": machine.id}
            interface.properties["primary"] = True
            interface.private.pop("reserved_until", None)
            claim(arm, interface)
            arm.store.touch(interface)
        return shown

    def with_addresses(self, arm: Sandbox, call: Call, group: str, machine: Resource, properties: Json) -> Json:
        """The interface's properties with its inline public addresses made."""
        configurations = []
        for one in field(properties, "ipConfigurations", list, []):
            inner = dict(field(one, "properties", dict, {}))
            asked = inner.pop("publicIPAddressConfiguration", None)
            if asked is not None:
                name = f"{required(asked, 'name')}-{arm.guid('ip', call.id, arm.count('ip'))[:8]}"
                id = f"{group}/providers/Microsoft.Network/publicIPAddresses/{name}"
                body = {
                    "name": id.rsplit("/", 1)[1],
                    "id": id,
                    "etag": f'W/"{arm.guid("etag", id)}"',
                    "type": "Microsoft.Network/publicIPAddresses",
                    "location": machine.location,
                    "properties": {
                        "provisioningState": "Succeeded",
                        "publicIPAddressVersion": "IPv4",
                        "publicIPAllocationMethod": "Static",
                        "ipTags": [],
                    },
                    "sku": {"name": "Standard", "tier": "Regional"},
                }
                if "tags" in machine.body:
                    body["tags"] = machine.body["tags"]
                arm.store.add(Resource(id, "Microsoft.Network/publicIPAddresses", body))
                inner["publicIPAddress"] = {"id": id}
            configurations.append({**one, "properties": inner})
        return {**properties, "ipConfigurations": configurations}

    # update

    def update(self, arm: Sandbox, call: Call, resource: Resource, body: Json) -> Response:
        if resource.state == "Deleting":
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Operation 'startTenantUpdate' is not allowed on VM '{resource.name}' since the VM is marked for deletion. You can "
                f"only retry the Delete operation (or wait for an ongoing one to complete).",
            )
        current = operations.running(arm, resource)
        if (
            current is not None
            and current["kind"] in ("virtualMachines.create", "virtualMachines.osProvisioningTimeout")
            and not self.changes(resource, body)
        ):
            return operations.written(arm, call, current, without_disk_ids(resource.body), created=False, retry_after=10)
        if current is not None:
            if current["kind"].endswith("delete"):
                raise operations.conflict(resource)
            operations.preempt(arm, resource)
        self.check_immutable(resource, body)
        before = repr(resource.body)
        again = resource.private.get("power") in ("creating", "failed")
        size = field(body, "properties.hardwareProfile.vmSize")
        if size is not None:
            name, found = find_size(size)
            if name != resource.properties["hardwareProfile"]["vmSize"] or again:
                check_quota(arm, resource.subscription, resource.location, found)
                resource.properties["hardwareProfile"] = {"vmSize": name}
        for name in ("tags", "identity"):
            if name in body:
                resource.body[name] = identity(arm, call, body[name]) if name == "identity" and body[name] else body[name]
        if field(body, "properties.storageProfile.dataDisks", list) is not None:
            self.change_disks(arm, call, resource, body["properties"]["storageProfile"]["dataDisks"])
        for part in ("osDisk",):
            option = field(body, f"properties.storageProfile.{part}.deleteOption")
            if option is not None:
                resource.properties["storageProfile"][part]["deleteOption"] = option
        for name in ("billingProfile", "diagnosticsProfile", "licenseType", "userData"):
            if field(body, "properties", dict, {}).get(name) is not None:
                resource.properties[name] = body["properties"][name]
        if repr(resource.body) == before and not again and resource.state == "Succeeded":
            return arm.show(call, self, resource)
        resource.properties["provisioningState"] = "Updating"
        self.bump(arm, resource)
        if again:
            operation = operations.start(
                arm,
                call,
                resource,
                "virtualMachines.create",
                then="virtualMachines.created",
                arguments={"user": field(resource.body, "properties.osProfile.adminUsername")},
            )
        else:
            operation = operations.start(arm, call, resource, "virtualMachines.update")
        return operations.written(arm, call, operation, resource.body, created=False)

    def changes(self, resource: Resource, body: Json) -> bool:
        size = field(body, "properties.hardwareProfile.vmSize")
        return size is not None and size.lower() != resource.properties["hardwareProfile"]["vmSize"].lower()

    def check_immutable(self, resource: Resource, body: Json) -> None:
        own = resource.properties["storageProfile"].get("imageReference") or {}
        given = field(body, "properties.storageProfile.imageReference", dict)
        if given is not None and any(
            str(given.get(key, "")).lower() != str(own.get(key, "")).lower() for key in ("id", "publisher", "offer", "sku", "version")
        ):
            raise ArmError(409, "PropertyChangeNotAllowed", "Changing property 'imageReference' is not allowed.", target="imageReference")
        user = field(body, "properties.osProfile.adminUsername")
        if user is not None and user != field(resource.body, "properties.osProfile.adminUsername"):
            raise ArmError(
                409,
                "PropertyChangeNotAllowed",
                "Changing property 'osProfile.adminUsername' is not allowed.",
                target="osProfile.adminUsername",
            )
        priority = field(body, "properties.priority")
        if priority is not None and priority != resource.properties.get("priority", "Regular"):
            raise ArmError(409, "PropertyChangeNotAllowed", "Changing property 'priority' is not allowed.", target="priority")
        if "zones" in body and body["zones"] != resource.body.get("zones"):
            raise ArmError(409, "PropertyChangeNotAllowed", "Changing property 'zones' is not allowed.", target="zones")

    def change_disks(self, arm: Sandbox, call: Call, resource: Resource, wanted: list[Json]) -> None:
        """The list of data disks is full desired state: what is missing from it is detached, what is new is made or attached."""
        profile = resource.properties["storageProfile"]
        old = {one["lun"]: one for one in profile["dataDisks"]}
        kept = []
        new = []
        for one in wanted:
            lun = required(one, "lun", int, target="dataDisk.lun")
            if lun in old and not one.get("toBeDetached"):
                found = old.pop(lun)
                found |= {key: one[key] for key in ("caching", "deleteOption") if one.get(key) is not None}
                kept.append(found)
            elif lun not in old:
                kept.append(self.data_disk(arm, call, resource, one, None))
                new.append(kept[-1]["managedDisk"]["id"])
        self.own(arm, resource, new)
        for one in old.values():
            detach(arm, one["managedDisk"]["id"])
        profile["dataDisks"] = kept

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        return self.update(arm, call, resource, call.json())

    def bump(self, arm: Sandbox, resource: Resource) -> None:
        """ETag "1", "2", …, since api-version 2024-07-01."""
        number = resource.private["etag"] = resource.private.get("etag", 0) + 1
        resource.body["etag"] = f'"{number}"'
        arm.store.touch(resource)

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
        profile = resource.properties["storageProfile"]
        for one in (profile["osDisk"], *profile["dataDisks"]):
            id = (one.get("managedDisk") or {}).get("id") or (resource.private["os_disk"] if one is profile["osDisk"] else None)
            disk = arm.resource(id, DISK)
            if disk is not None and one.get("deleteOption") == "Delete":
                arm.store.drop(disk)
            elif disk is not None:
                detach(arm, disk.id)
        for one in resource.properties["networkProfile"]["networkInterfaces"]:
            interface = arm.resource(one["id"], INTERFACE)
            if interface is None:
                continue
            interface.properties.pop("virtualMachine", None)
            if (one.get("properties") or {}).get("deleteOption") == "Delete":
                release(arm, interface)
                arm.store.drop(interface)
            else:
                if resource.private.get("power") == "failed":
                    interface.private |= {"reserved_until": arm.now + RESERVED / arm.speed, "reserved_for": resource.key}
                arm.store.touch(interface)
        super().remove(arm, resource)


def detach(arm: Sandbox, id: str) -> None:
    disk = arm.resource(id, DISK)
    if disk is not None:
        disk.body.pop("managedBy", None)
        disk.properties["diskState"] = "Unattached"
        arm.store.touch(disk)


def identity(arm: Sandbox, call: Call, given: Json) -> Json:
    """A machine's identity with the ids that Azure fills in."""
    made = dict(given)
    if "systemassigned" in str(given.get("type", "")).lower().replace(" ", ""):
        made["principalId"] = arm.guid("principal", call.id.lower())
        made["tenantId"] = arm.tenant_id
    if isinstance(given.get("userAssignedIdentities"), dict):
        made["userAssignedIdentities"] = {
            id: {"principalId": arm.guid("principal", id.lower()), "clientId": arm.guid("client", id.lower())}
            for id, value in given["userAssignedIdentities"].items()
            if value is not None
        }
    return made


def without_disk_ids(body: Json) -> Json:
    """The first answer of a PUT: managedDisk.id appears only when the machine is there."""
    profile = body["properties"]["storageProfile"]

    def bare(one: Json) -> Json:
        if one["createOption"] == "Attach":
            return one
        return {**one, "managedDisk": {"storageAccountType": one["managedDisk"]["storageAccountType"]}}

    shown = {**profile, "osDisk": bare(profile["osDisk"]), "dataDisks": [bare(one) for one in profile["dataDisks"]]}
    return {**body, "properties": {**body["properties"], "storageProfile": shown}}


MACHINES = VirtualMachines()
register(MACHINES)


@event("virtualMachines.created")
def _created(arm: Sandbox, operation: Json, resource: Resource | None, user: str | None) -> None:
    if resource is None:
        return
    disk = arm.resource(resource.private["os_disk"], DISK)
    content = disk_content(disk) if disk is not None else None
    if disk is None or content is None:
        raise ArmError(409, "OperationNotAllowed", "The OS disk was deleted.")
    if resource.private["os_state"] == "Generalized":
        guest.provision(content, user)
    else:
        content["guest"]["boots"] += 1
    arm.store.touch(disk)
    resource.private |= {"power": "running", "since": arm.now, "agent_from": arm.now}
    arm.store.touch(resource)


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


@event("virtualMachines.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None) -> None:
    if resource is not None:
        MACHINES.remove(arm, resource)
