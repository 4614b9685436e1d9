"""Disk encryption sets: the customer's key that disks, snapshots and image replicas are encrypted with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..authorization import check_linked
from ..content import DISK, DISK_RESTORE_POINT, SNAPSHOT
from ..events import event
from ..registry import ResourceType, field, invalid, register, required
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty, stamp
from . import vault_keys
from .groups import location_of
from .identity import identity
from .regions import in_region

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

SET = "Microsoft.Compute/diskEncryptionSets"
KINDS = ("EncryptionAtRestWithCustomerKey", "EncryptionAtRestWithPlatformAndCustomerKeys", "ConfidentialVmEncryptedWithCustomerKey")


def check_encryption(arm: Sandbox, encryption: Json | None, location: str) -> None:
    """Raises ArmError where a disk's `encryption` names no set, one that is not there, or one elsewhere."""
    kind = field(encryption or {}, "type")
    id = field(encryption or {}, "diskEncryptionSetId")
    if id is not None:
        check_encryption_set(arm, id, location)
    elif kind is not None and kind != "EncryptionAtRestWithPlatformKey":
        raise invalid("Required parameter 'encryption.diskEncryptionSetId' is missing (null).", "encryption.diskEncryptionSetId")


def check_encryption_set(arm: Sandbox, id: str, location: str) -> Resource:
    """The set of that id. Raises ArmError 404 where there is none, 400 where it is in another region."""
    found = in_region(arm, id, SET, location, "disk encryption set")
    check_key(arm, found)
    return found


def check_key(arm: Sandbox, found: Resource) -> None:
    """Raises ArmError where nothing can be encrypted with the key of a set.

    Azure asks for the vault's purge protection and region when a set is used, not when it is made: both codes are documented for the
    making of a scale set (troubleshoot-common-bring-your-own-key-issues.md); ARO-RP#1595 saw a set made with a vault elsewhere, and
    terraform-provider-azurerm#20250 and #20253 dropped a client's own demand of purge protection as one that Azure does not make of a
    set. The texts are the sandbox's, and no HTTP status is public, nor is KeyVaultAccessForbidden's: 400 is by analogy with Compute's
    other refusals of what a request names."""
    if found.properties.get("federatedClientId"):
        return  # another tenant's key, used by an application of that tenant
    active = found.properties["activeKey"]
    vault, _ = vault_keys.at(arm, active["keyUrl"], field(active, "sourceVault.id"))
    if not vault.properties.get("enablePurgeProtection"):
        raise ArmError(
            400,
            "KeyVaultNotPurgeProtectionEnabled",
            f"The key vault '{vault.name}' must have soft delete and purge protection enabled to encrypt disks at rest.",
        )
    if vault.location != found.location:
        raise ArmError(
            400,
            "KeyVaultAndDiskInDifferentRegions",
            f"The key vault '{vault.name}' is in region {vault.location}; the disk encryption set is in {found.location}.",
        )
    _check_access(arm, found)


def has_vault(arm: Sandbox, id: str) -> bool:
    """Whether the vault of the set of that id is there; another tenant's always is."""
    found = arm.resource(id, SET)
    if found is None or found.properties.get("federatedClientId"):
        return found is not None
    active = found.properties["activeKey"]
    return vault_keys.vault_at(arm, active["keyUrl"], field(active, "sourceVault.id")) is not None


def _check_access(arm: Sandbox, found: Resource) -> None:
    """Raises ArmError where the key of a set is gone, or where the set's identity may not use it (code and text:
    ansible-collections/azure#1676, azure-docs#96319)."""
    active = found.properties["activeKey"]
    if found.properties.get("federatedClientId"):
        return
    vault, key = vault_keys.at(arm, active["keyUrl"], field(active, "sourceVault.id"))
    shown = found.body["identity"]
    own = [] if "principalId" not in shown else [(shown["principalId"], f"disk encryption set '{found.name}'")]
    assigned = shown.get("userAssignedIdentities") or {}
    own += [(one["principalId"], f"user-assigned identity '{id}'") for id, one in assigned.items()]
    if not any(vault_keys.may_use(arm, principal, vault, key) for principal, _ in own):
        raise ArmError(
            400,
            "KeyVaultAccessForbidden",
            f"Unable to access key vault resource '{active['keyUrl']}' to enable encryption at rest. Please grant get, wrap and unwrap key "
            f"permissions to {own[0][1] if own else 'the identity'}. Please visit https://aka.ms/keyvaultaccessssecmk for more "
            "information.",
        )


def active_key(arm: Sandbox, call: Call, given: Json) -> Json:
    """The key that a set is to have, with its version. Raises ArmError where it is not there, or where it cannot be a set's key."""
    active = required(given, "activeKey", dict, target="activeKey")
    url = required(active, "keyUrl", target="activeKey.keyUrl")
    if given.get("federatedClientId"):
        return dict(active)
    vault, key = vault_keys.at(arm, url, field(active, "sourceVault.id"))
    check_linked(arm, call, f"{vault.type}/read", vault.id)
    if not str(key.properties["kty"]).startswith("RSA"):
        raise invalid("Disks are encrypted with RSA keys only.", "activeKey.keyUrl")
    if given.get("rotationToLatestKeyVersionEnabled"):
        return {**active, "keyUrl": vault_keys.newest(key)}
    if url.rstrip("/").count("/") < 5:
        raise invalid("The keyUrl of a key that is not rotated names its version.", "activeKey.keyUrl")
    return dict(active)


def users(arm: Sandbox, found: Resource) -> list[str]:
    """The ids of what is encrypted with a set."""
    return [
        resource.id
        for kind in (DISK, SNAPSHOT, DISK_RESTORE_POINT)
        for resource in arm.store.of_type(found.subscription, kind).values()
        if str(field(resource.properties, "encryption.diskEncryptionSetId", str, "")).lower() == found.key
    ]


class EncryptionSets(ResourceType):
    name = SET
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.DiskEncryptionSet", "PATCH": "compute.DiskEncryptionSetUpdate"}
    family = "DiskOperations"

    def __init__(self) -> None:
        super().__init__()
        self.views["associatedresources"] = lambda arm, call, found: Response(
            200, {"content-type": JSON_TYPE}, pretty({"value": users(arm, found)})
        )

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        key = active_key(arm, call, field(body, "properties", dict, {}))
        kind = field(body, "properties.encryptionType", str, "EncryptionAtRestWithCustomerKey")
        given = required(body, "identity", dict, target="identity")
        if resource is not None and field(resource.body, "properties.encryptionType") != kind:
            raise ArmError(409, "PropertyChangeNotAllowed", "Changing property 'encryptionType' is not allowed.", target="encryptionType")
        shown: Json = {"location": location}
        if "tags" in body:
            shown["tags"] = body["tags"]
        shown["identity"] = {name: value for name, value in given.items() if name in ("type", "userAssignedIdentities")}
        shown["properties"] = {**field(body, "properties", dict, {}), "provisioningState": "Updating"}
        made: Json = {"name": call.name, "id": call.id, "type": self.name, **shown}
        made["identity"] = identity(arm, call, given)
        made["properties"] = {
            "activeKey": key,
            "encryptionType": kind,
            **{
                name: value
                for name, value in shown["properties"].items()
                if name in ("rotationToLatestKeyVersionEnabled", "federatedClientId")
            },
            "provisioningState": "Updating",
        }
        if resource is not None and "lastKeyRotationTimestamp" in resource.properties:
            made["properties"]["lastKeyRotationTimestamp"] = resource.properties["lastKeyRotationTimestamp"]
        kind_of = "update" if resource is not None else "create"
        if made["identity"]["type"] == "UserAssigned":  # one of the set's own can be granted rights only when the set is there
            _check_access(arm, Resource(call.id, self.name, made))
        resource = self.in_place(arm, call, resource, made)
        operation = operations.start(arm, call, resource, f"disks.{kind_of}", family=self.family)
        return operations.accepted(arm, call, operation, body=shown)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        body = call.json()
        call._json = {
            "location": resource.location,
            "tags": body.get("tags", resource.body.get("tags") or {}),
            "identity": body.get("identity") or resource.body["identity"],
            "properties": {**resource.properties, **field(body, "properties", dict, {})},
        }
        return self.put(arm, call, resource)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        using = users(arm, resource)
        if using:
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Disk encryption set '{resource.name}' cannot be deleted because it is associated with resources: {', '.join(using)}.",
            )
        resource.properties["provisioningState"] = "Deleting"
        operation = operations.start(arm, call, resource, "disks.delete", then="diskEncryptionSets.deleted", family=self.family)
        return operations.accepted(arm, call, operation)


@event("diskEncryptionSets.rotate")
def _rotate(arm: Sandbox, key: str) -> None:
    """A key has a new version: the sets that follow it take it up within an hour (disks-enable-customer-managed-keys)."""
    arm.store.schedule(
        arm.now + arm.seconds("diskEncryptionSets.rotate", key, arm.count("rotations")), "diskEncryptionSets.rotated", key=key
    )


@event("diskEncryptionSets.rotated")
def _rotated(arm: Sandbox, key: str) -> None:
    found = arm.store.resources.get(key)
    for one in list(arm.store.resources.values()) if found is not None else ():
        if found is None or one.type != SET or not one.properties.get("rotationToLatestKeyVersionEnabled"):
            continue
        active = one.properties["activeKey"]
        if active["keyUrl"].lower().startswith(found.properties["keyUri"].lower() + "/"):
            active["keyUrl"] = vault_keys.newest(found)
            one.properties["lastKeyRotationTimestamp"] = stamp(arm.now)
            arm.store.touch(one)


@event("diskEncryptionSets.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        arm.store.drop(resource)


register(EncryptionSets())
