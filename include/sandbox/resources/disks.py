"""Managed disks and snapshots: made, changed, deleted."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..blobs import forget_upload
from ..content import DISK, SNAPSHOT, disk_content
from ..events import event
from ..registry import ResourceType, field, invalid, one_of, register, required
from ..store import Resource
from ..vintages import DISKS_UNTIL
from ..wire import ArmError, Json, Response, stamp
from . import disk_sources
from .disk_access import UPLOADING, begin_access, end_access, revoke
from .disk_accesses import ACCESS
from .disk_performance import PROVISIONED, SKUS, TIERS, of_tier, performance
from .encryption_sets import check_encryption
from .entity_names import check_name
from .groups import location_of
from .regions import in_region
from .zones import check_zones

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

LARGEST = 65_536  # GB, of an Ultra or Premium v2 disk
LARGEST_OTHER = 32_767
# What a client may change of a disk that is there.
_CHANGEABLE = (
    "osType",
    "networkAccessPolicy",
    "publicNetworkAccess",
    "diskAccessId",
    "encryption",
    "supportedCapabilities",
    "supportsHibernation",
    "dataAccessAuthMode",
    "burstingEnabled",
    "maxShares",
    "optimizedForFrequentAttach",
    "diskIOPSReadWrite",
    "diskMBpsReadWrite",
    "diskIOPSReadOnly",
    "diskMBpsReadOnly",
    "tier",
    "purchasePlan",
)


def new_disk(
    arm: Sandbox,
    id: str,
    type: str,
    location: str,
    *,
    sku: str,
    size_gb: int,
    creation: Json,
    content: Json | None,
    tags: Json | None = None,
    zones: list[str] | None = None,
) -> Resource:
    """Add a finished disk or snapshot to the store (as a machine's PUT makes them)."""
    body: Json = {"name": id.rsplit("/", 1)[1], "id": id, "type": type, "location": location}
    if tags is not None:
        body["tags"] = tags
    if zones is not None:
        body["zones"] = zones
    body["sku"] = {"name": sku}
    body["properties"] = {"creationData": creation, "diskSizeGB": size_gb, "provisioningState": "Succeeded"}
    resource = Resource(id, type, body, {"content": content})
    fill(arm, resource)
    return arm.store.add(resource)


def fill(arm: Sandbox, resource: Resource) -> None:
    """What GET shows of a finished disk beyond what was asked for."""
    properties = resource.properties
    sku = resource.body.setdefault("sku", {"name": "Standard_LRS"})
    sku["tier"] = sku_tier(sku["name"])
    size = int(properties["diskSizeGB"])
    content = disk_content(resource)
    if content is not None:
        properties["osType"] = content["os"]
        if properties.get("diskState") not in UPLOADING:  # recorded: azure-sdk-for-net UploadDiskPositiveTest
            properties["hyperVGeneration"] = content["generation"]
        properties.setdefault("supportedCapabilities", {"architecture": content["architecture"]})
        if content["security"] != "Standard":
            properties.setdefault(
                "securityProfile",
                {
                    "securityType": "TrustedLaunch"
                    if content["security"] == "TrustedLaunch"
                    else "ConfidentialVM_VMGuestStateOnlyEncryptedWithPlatformKey"
                },
            )
    if resource.type == DISK:
        _perform(properties, sku["name"], size)
    else:
        properties.setdefault("incremental", False)
    properties.setdefault("encryption", {"type": "EncryptionAtRestWithPlatformKey"})
    properties.setdefault("networkAccessPolicy", "AllowAll")
    properties.setdefault("publicNetworkAccess", "Enabled")
    properties.setdefault("timeCreated", stamp(arm.now))
    properties.setdefault("diskState", "Unattached")
    properties["diskSizeBytes"] = size * 1024**3
    properties.setdefault("uniqueId", arm.guid("disk", resource.key, arm.count("disk.id")))


def _perform(properties: Json, sku: str, size: int) -> None:
    tier, iops, rate = performance(sku, size)
    if tier is None:
        properties.pop("tier", None)
        properties.setdefault("diskIOPSReadWrite", iops)
        properties.setdefault("diskMBpsReadWrite", rate)
        return
    chosen = properties.get("tier")
    if sku.startswith("Premium") and chosen in TIERS and TIERS.index(chosen) > TIERS.index(tier):
        tier = chosen  # a higher tier than the size's own
        iops, rate = of_tier(tier) or (iops, rate)
    properties |= {"diskIOPSReadWrite": iops, "diskMBpsReadWrite": rate, "tier": tier}


class ManagedDisks(ResourceType):
    name: ClassVar[str] = DISK
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.Disk", "PATCH": "compute.DiskUpdate", "begingetaccess": "compute.GrantAccessData"}
    family = "DiskOperations"

    def __init__(self) -> None:
        super().__init__()
        self.actions["begingetaccess"] = begin_access
        self.actions["endgetaccess"] = end_access

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        if resource is not None:
            return self.update(arm, call, resource, body)
        check_name(call.name, "diskName" if self.name == DISK else "snapshotName")
        option = str(body["properties"]["creationData"]["createOption"])
        sku = str(one_of(body, "sku.name", SKUS, "Standard_LRS"))
        check_zones(body, location, self.name, call.name)
        self.check(arm, body, location, sku)
        source = disk_sources.find(arm, call, body, option, location, self.name)
        asked = field(body, "properties.diskSizeGB", int)
        if asked is None and source.size_gb is None:
            required(body, "properties.diskSizeGB", int, target="disk.diskSizeGB")
        if asked is not None and source.size_gb is not None and asked < source.size_gb:
            raise invalid("Disks or snapshot cannot be resized down.", "diskSizeGB")
        shown = echo(arm, call, self.name, location, body)
        if source.copied is not None and "osType" in source.copied.properties and arm.now < DISKS_UNTIL:
            shown["properties"].setdefault("osType", source.copied.properties["osType"])  # recorded: azure-cli test_vm_os_disk_swap
        if source.copied is not None and call.api_version < "2022-08-01":  # recorded, until then
            shown["properties"]["creationData"] = {**shown["properties"]["creationData"], "sourceUniqueId": source.shown["sourceUniqueId"]}
        resource = Resource(
            call.id, self.name, {"name": call.name, **deepcopy(shown)}, {"content": source.content, "size": asked or source.size_gb}
        )
        resource.body["sku"] = {"name": sku}
        resource.properties["creationData"] |= source.shown
        for name in ("diskState", "diskIOPSReadWrite", "diskMBpsReadWrite"):
            if sku not in PROVISIONED or name == "diskState":
                resource.properties.pop(name, None)
        if "sourceResourceId" in source.shown and "sourceUri" in resource.properties["creationData"]:
            resource.properties["creationData"].pop("sourceUri")
        if resource.type == SNAPSHOT and resource.properties.get("incremental"):
            family = source.copied.properties.get("incrementalSnapshotFamilyId") if source.copied is not None else None
            about = source.copied.key if source.copied is not None else call.id.lower()
            same = family if option != "CopyStart" else None
            resource.properties["incrementalSnapshotFamilyId"] = same or arm.guid("family", about, location)
        if option == "CopyStart":
            begin = arm.now
            resource.private |= {
                "begun_at": begin,
                "completes_at": begin + arm.seconds("snapshots.copyStart", resource.key, arm.count("copyStart")),
            }
        arm.store.add(resource)
        operation = operations.start(arm, call, resource, f"{self.short}.create", then="disks.created", family=self.family)
        return operations.accepted(arm, call, operation, retry_after=2, body=shown)

    def check(self, arm: Sandbox, body: Json, location: str, sku: str) -> None:
        """Raises ArmError for values that no disk may have."""
        size = field(body, "properties.diskSizeGB", int)
        largest = LARGEST if sku in PROVISIONED else LARGEST_OTHER
        if size is not None and not 1 <= size <= largest:
            raise invalid(
                f"The value '{size}' of parameter 'disk.diskSizeGB' is out of range. The value must be between '1' and '{largest}', "
                "inclusive.",
                "disk.diskSizeGB",
            )
        if self.name == SNAPSHOT and sku not in ("Standard_LRS", "Premium_LRS", "Standard_ZRS"):
            raise invalid(f"The storage account type '{sku}' is not supported for snapshots.", "sku.name")
        if field(body, "properties.networkAccessPolicy") == "AllowPrivate":
            required(body, "properties.diskAccessId", target="diskAccessId")
        if (access := field(body, "properties.diskAccessId")) is not None:
            in_region(arm, access, ACCESS, location, "disk access", "diskAccessId")
        check_encryption(arm, field(body, "properties.encryption", dict), location)

    def update(self, arm: Sandbox, call: Call, resource: Resource, body: Json) -> Response:
        if operations.running(arm, resource) is not None:
            raise operations.conflict(resource)
        self.check_immutable(resource, body)
        sku = str(one_of(body, "sku.name", SKUS, resource.body["sku"]["name"]))
        self.check(arm, body, resource.location, sku)
        size = field(body, "properties.diskSizeGB", int)
        if size is not None and size < resource.properties.get("diskSizeGB", 0):
            raise invalid("Disks or snapshot cannot be resized down.", "diskSizeGB")
        if sku != resource.body["sku"]["name"] and resource.properties.get("diskState") == "Attached":
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"The SKU of disk {resource.name} cannot be changed while it is attached to the running VM "
                f"{resource.body.get('managedBy', '')}. Please deallocate the VM and retry.",
            )
        given = field(body, "properties", dict, {})
        if size is not None and resource.properties.get("diskState") not in UPLOADING:
            resource.properties["diskSizeGB"] = resource.private["size"] = size
        for name in _CHANGEABLE:
            if given.get(name) is not None and (name not in ("diskIOPSReadWrite", "diskMBpsReadWrite") or sku in PROVISIONED):
                resource.properties[name] = given[name]
        resource.body["sku"] = {"name": sku}
        if "tags" in body:
            resource.body["tags"] = body["tags"]
        shown = echo(arm, call, self.name, resource.location, {"sku": resource.body["sku"], **body}, resource)
        of_old = resource.type == SNAPSHOT and arm.now < DISKS_UNTIL
        if call.method == "PATCH" or of_old:  # recorded: a PATCH tells the size, and the tier of the sku
            shown["sku"] = {"name": sku, "tier": sku_tier(sku)}
            if "diskSizeGB" in resource.properties:
                shown["properties"].setdefault("diskSizeGB", resource.properties["diskSizeGB"])
        if of_old:  # recorded
            shown["properties"]["faultDomain"] = 0
        resource.properties["provisioningState"] = "Updating"
        operation = operations.start(arm, call, resource, f"{self.short}.update", then="disks.created", family=self.family)
        return operations.accepted(arm, call, operation, retry_after=2, body=shown)

    def check_immutable(self, resource: Resource, body: Json) -> None:
        """Raises ArmError 409 PropertyChangeNotAllowed for what a disk keeps for life."""
        what = "disk" if resource.type == DISK else "snapshot"
        old = resource.properties.get("creationData", {})
        given = field(body, "properties.creationData", dict, {})
        for name in ("createOption", "sourceResourceId", "sourceUri", "storageAccountId", "uploadSizeBytes"):
            value, own = given.get(name), old.get(name)
            if value is not None and str(value).lower() != str(own).lower() and not (name == "sourceUri" and "sourceResourceId" in old):
                raise not_changeable(f"{what}.creationData.{name}")
        for name in ("hyperVGeneration", "incremental"):
            value, own = field(body, "properties", dict, {}).get(name), resource.properties.get(name)
            if value is not None and own is not None and value != own:
                raise not_changeable(f"{what}.{name}")
        if "zones" in body and body["zones"] != resource.body.get("zones"):
            raise not_changeable("zones")

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        return self.update(arm, call, resource, call.json())

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        if resource.body.get("managedBy") and resource.type == DISK:
            return ArmError(409, "OperationNotAllowed", f"Disk {resource.name} is attached to VM {resource.body['managedBy']}.")
        if resource.properties.get("diskState") in ("ActiveSAS", "ActiveUpload"):
            what = "Disk" if resource.type == DISK else "Snapshot"
            return ArmError(
                409,
                "OperationNotAllowed",
                f"{what} {resource.name} cannot be deleted because it has an active shared access signature. Revoke it with endGetAccess.",
            )
        return None

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        current = operations.running(arm, resource)
        if current is not None and current["kind"].endswith(".delete"):
            return operations.accepted(arm, call, current)
        problem = self.in_use(arm, resource)
        if problem is not None:
            raise problem
        operation = operations.start(arm, call, resource, f"{self.short}.delete", then="disks.deleted", family=self.family)
        resource.properties["provisioningState"] = "Deleting"
        arm.store.touch(resource)
        return operations.accepted(arm, call, operation)


class Snapshots(ManagedDisks):
    name = SNAPSHOT
    bodies: ClassVar[dict[str, str]] = {
        "PUT": "compute.Snapshot",
        "PATCH": "compute.SnapshotUpdate",
        "begingetaccess": "compute.GrantAccessData",
    }

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        """A snapshot that was started as a copy says how far it is (recorded: azure-cli test_completion_percent)."""
        end = resource.private.get("completes_at")
        if end is None or resource.state == "Updating":
            return resource.body
        begin = resource.private["begun_at"]
        percent = 100.0 if arm.now >= end else float(int(100 * (arm.now - begin) / max(0.001, end - begin)))
        return {**resource.body, "properties": {**resource.properties, "completionPercent": percent}}


def not_changeable(name: str) -> ArmError:
    """A change of what cannot change."""
    return ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.", target=name)


def sku_tier(name: str) -> str:
    """`Premium` of `Premium_LRS`."""
    return "Ultra" if name == "UltraSSD_LRS" else "Premium" if name.startswith("Premium") else "Standard"


def echo(arm: Sandbox, call: Call, type: str, location: str, body: Json, resource: Resource | None = None) -> Json:
    """The first answer to a PUT or PATCH: what was asked for and no more (recorded). In the old days a snapshot's had a name only where
    the request had one, as Kubernetes' Azure operator sends (its recorded traffic)."""
    made: Json = {"name": call.name, "id": call.id, "type": type, "location": location}
    if type == SNAPSHOT and arm.now < DISKS_UNTIL and "name" not in body:
        del made["name"]
    for name in ("tags", "zones", "managedBy", "identity", "extendedLocation"):
        if name in body:
            made[name] = body[name]
    if "sku" in body and isinstance(body["sku"], dict):
        made["sku"] = {key: value for key, value in body["sku"].items() if key == "name"}
    given = {**field(body, "properties", dict, {})}
    if str(field(body, "sku.name", str, "")) not in PROVISIONED:
        given.pop("diskIOPSReadWrite", None)
        given.pop("diskMBpsReadWrite", None)
    if resource is not None and "creationData" not in given:
        given["creationData"] = resource.properties["creationData"]
    made["properties"] = {**given, "provisioningState": "Updating"}
    return made


@event("disks.created")
def _created(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        resource.properties.setdefault("diskSizeGB", resource.private.get("size") or 1)
        resource.properties["provisioningState"] = "Succeeded"
        if resource.properties["creationData"]["createOption"] in ("Upload", "UploadPreparedSecure"):
            resource.properties.setdefault("diskState", "ReadyToUpload")
        fill(arm, resource)
        if (
            resource.properties["diskState"] in UPLOADING
        ):  # recorded: azure-cli test_vm_disk_upload, azure-sdk-for-net UploadDiskPositiveTest
            resource.private["size"] = resource.properties.pop("diskSizeGB")
            resource.properties.pop("diskSizeBytes")
        arm.store.touch(resource)


@event("disks.accessEnded")
def _access_ended(arm: Sandbox, operation: Json, resource: Resource | None) -> None:
    if resource is None:
        return
    uploaded = resource.properties.get("diskState") in UPLOADING
    revoke(arm, resource, ended=True)
    if uploaded and resource.properties["diskState"] not in UPLOADING:
        resource.properties["diskSizeGB"] = resource.private["size"]
        fill(arm, resource)


@event("disks.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        forget_upload(arm, resource)
        arm.store.drop(resource)


register(ManagedDisks())
register(Snapshots())
