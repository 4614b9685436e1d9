"""Storage accounts and their blob containers, as Resource Manager has them; blobs.py has what is in them.

Shapes: the models of azure-mgmt-storage. Codes, texts and HTTP status: "Error codes for Create / Update Storage Account" of the Storage
Resource Provider, terraform#11485 (StorageAccountAlreadyTaken), terraform-provider-azurerm#110 (StorageAccountTypeConversionNotAllowed),
bosh-azure-cpi-release#415 (AccountPropertyCannotBeUpdated), azure-rest-api-specs#11331 (PublicAccessNotPermitted),
error-storage-account-name.md (AccountNameInvalid). What the sandbox does not have is refused by analogy with
FeatureNotSupportedForAccount, which Azure says of accounts whose kind lacks a service; ExtendedLocationNotSupported is the sandbox's own
choice of code. That the blob service's word on a container's bad name comes as ContainerOperationFailure is by analogy with its other
words that come through Resource Manager so.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations, storage_keys
from ..blobs import ACCOUNT, CONTAINER, STORAGE, account_named, container_id, endpoint, forget_blobs, new_container
from ..events import event
from ..kept import overlay
from ..pages import show
from ..registry import ResourceType, field, register, route
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, compact, stamp
from .groups import location_of
from .identity import identity

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

SERVICE = f"{STORAGE}/blobServices"
_NAME = re.compile(r"^[a-z0-9]{3,24}$")
_CONTAINER = re.compile(r"^(?:[a-z0-9](?!.*--)[a-z0-9-]{1,61}[a-z0-9]|\$root|\$web|\$logs)$")
_SERVICES = {
    "Storage": ("blob", "queue", "table", "file"),
    "StorageV2": ("dfs", "web", "blob", "queue", "table", "file"),
    "BlobStorage": ("dfs", "blob", "table"),
    "FileStorage": ("file",),
    "BlockBlobStorage": ("dfs", "web", "blob"),
}
# What a PUT and a PATCH may say, and the sandbox does not have.
_UNSUPPORTED = ("isSftpEnabled", "isNfsV3Enabled", "isHnsEnabled", "azureFilesIdentityBasedAuthentication", "customDomain", "turboTier")
_FIXED = ("dnsEndpointType", "immutableStorageWithVersioning")


def bad(code: str, message: str, status: int = 400) -> ArmError:
    return ArmError(status, code, message)


def _check_name(name: str) -> str | None:
    if _NAME.match(name):
        return None
    return (
        f"{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in length and use numbers "
        "and lower-case letters only."
    )


def _taken(arm: Sandbox, name: str) -> str | None:
    """Why that name is another's: an account's here, or the sandbox's own, which is nobody's resource: as one elsewhere in the world."""
    if name != ACCOUNT and account_named(arm, name) is None:
        return None
    return f"The storage account named {name} is already taken."


def _read_only(name: str) -> ArmError:
    """A property that was fixed when the account was made."""
    return bad(
        "AccountPropertyCannotBeUpdated",
        f"The property '{name}' was specified in the input, but it cannot be updated as it is read-only. For more information, see - "
        "https://aka.ms/storageaccountupdate",
    )


def _services(body: Json) -> tuple[str, ...]:
    premium = body["sku"]["name"].startswith("Premium")
    kind = body["kind"]
    return ("web", "blob") if premium and kind in ("Storage", "StorageV2") else _SERVICES[kind]


class Accounts(ResourceType):
    name = STORAGE
    family = "storage"
    bodies: ClassVar[dict[str, str]] = {
        "PUT": "storage.StorageAccountCreateParameters",
        "PATCH": "storage.StorageAccountUpdateParameters",
        "regeneratekey": "storage.StorageAccountRegenerateKeyParameters",
    }
    nests = True

    def __init__(self) -> None:
        super().__init__()
        self.actions["listkeys"] = self.list_keys
        self.actions["regeneratekey"] = self.regenerate_key

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        given = field(body, "properties", dict, {})
        self.check(body, given)
        if resource is not None:
            return self.change(arm, call, resource, body)
        if (problem := _check_name(call.name)) is not None:
            raise bad("AccountNameInvalid", problem)
        if (problem := _taken(arm, call.name)) is not None:
            raise bad("StorageAccountAlreadyTaken", problem, 409)
        keys = storage_keys.new(arm)
        tier = "Premium" if body["sku"]["name"].startswith("Premium") else "Standard"
        made: Json = {"sku": {"name": body["sku"]["name"], "tier": tier}, "kind": body["kind"], "id": call.id, "name": call.name}
        made |= {"type": self.name, "location": location, "tags": body.get("tags") or {}}
        for name in ("zones", "placement"):
            if body.get(name) is not None:
                made[name] = body[name]
        if body.get("identity") is not None:
            made["identity"] = identity(arm, call, body["identity"])
        on = {"keyType": "Account", "enabled": True, "lastEnabledTime": stamp(arm.now)}
        properties: Json = {
            "keyCreationTime": {name: keys[name]["made"] for name in storage_keys.NAMES},
            "allowCrossTenantReplication": False,
            "privateEndpointConnections": [],
            "minimumTlsVersion": "TLS1_0",
            "allowBlobPublicAccess": False,
            "networkAcls": {"bypass": "AzureServices", "virtualNetworkRules": [], "ipRules": [], "defaultAction": "Allow"},
            "supportsHttpsTrafficOnly": True,
            "encryption": {"services": {"file": dict(on), "blob": dict(on)}, "keySource": "Microsoft.Storage"},
        }
        if body["kind"] in ("StorageV2", "BlobStorage") and tier == "Standard":
            properties["accessTier"] = "Hot"
        overlay(properties, given)
        properties |= {"provisioningState": "Creating", "creationTime": stamp(arm.now), "primaryLocation": location}
        properties["statusOfPrimary"] = "available"
        made["properties"] = properties
        resource = arm.store.add(Resource(call.id, self.name, made, {"keys": keys}))
        service = f"{call.id}/blobServices/default"
        settings: Json = {"cors": {"corsRules": []}, "deleteRetentionPolicy": {"allowPermanentDelete": False, "enabled": False}}
        shown = {"sku": made["sku"], "id": service, "name": "default", "type": SERVICE, "properties": settings}
        arm.store.add(Resource(service, SERVICE, shown))
        operation = operations.start(
            arm, call, resource, "storageAccounts.create", then="storageAccounts.created", arguments={"base": call.base}, family=self.family
        )
        return operations.accepted(arm, call, operation, retry_after=17)

    def check(self, body: Json, given: Json) -> None:
        """Raises ArmError for what the sandbox does not have."""
        if body.get("extendedLocation") is not None:
            raise bad("ExtendedLocationNotSupported", "Extended locations are not supported.")
        for name in _UNSUPPORTED:
            if given.get(name):
                raise bad("FeatureNotSupportedForAccount", f"{name} is not supported for the account.")
        if field(given, "encryption.keySource") == "Microsoft.Keyvault" or field(given, "encryption.keyvaultproperties", dict):
            raise bad("FeatureNotSupportedForAccount", "Customer-managed keys are not supported for the account.")

    def change(self, arm: Sandbox, call: Call, resource: Resource, body: Json) -> Response:
        """A PUT on an account that is there changes what a PATCH may change, too."""
        given = field(body, "properties", dict, {})
        self.check(body, given)
        kind = body.get("kind")
        if kind is not None and kind != resource.body["kind"] and (resource.body["kind"], kind) != ("Storage", "StorageV2"):
            raise _read_only("kind")
        for name in _FIXED:
            if name in given and given[name] != resource.properties.get(name):
                raise _read_only(name)
        sku = field(body, "sku.name")
        if sku is not None:
            tier = "Premium" if sku.startswith("Premium") else "Standard"
            if tier != resource.body["sku"]["tier"]:
                raise bad("StorageAccountTypeConversionNotAllowed", f"Storage account type cannot be changed to {sku}.")
            resource.body["sku"] = {"name": sku, "tier": tier}
        if kind is not None:
            resource.body["kind"] = kind
        for name in ("tags", "zones", "placement"):
            if body.get(name) is not None:
                resource.body[name] = body[name]
        if body.get("identity") is not None:
            resource.body["identity"] = identity(arm, call, body["identity"], resource.body.get("identity"))
        overlay(resource.properties, given)
        arm.store.touch(resource)
        return show(arm, call, self, resource)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        return self.change(arm, call, resource, call.json())

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        return shown(resource, call.base)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        self.remove(arm, resource)
        return Response(200)

    def remove(self, arm: Sandbox, resource: Resource) -> None:
        forget_blobs(arm, f"{resource.name}:")
        super().remove(arm, resource)

    def list_keys(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        return Response(200, {"content-type": JSON_TYPE}, compact(storage_keys.shown(arm, resource)))

    def regenerate_key(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        name = str(call.json()["keyName"]).lower()
        if name not in storage_keys.NAMES:
            raise bad("InvalidValuesForRequestParameters", "Values for request parameters are invalid: keyName.")
        resource.private["keys"][name] = {"turn": arm.count("storage.key"), "made": stamp(arm.now)}
        resource.properties["keyCreationTime"][name] = stamp(arm.now)
        arm.store.touch(resource)
        return self.list_keys(arm, call, resource)


def shown(resource: Resource, base: str) -> Json:
    """An account with its endpoints as a client reaches them that came to `base`."""
    places = {service: endpoint(base, resource.name, service) for service in _services(resource.body)}
    return {**resource.body, "properties": {**resource.properties, "primaryEndpoints": places}}


@event("storageAccounts.created")
def _created(arm: Sandbox, operation: Json, resource: Resource | None, base: str, **_: Any) -> None:
    if resource is not None:
        resource.properties["provisioningState"] = "Succeeded"
        arm.store.touch(resource)
        operation["output"] = deepcopy(shown(resource, base))


class BlobServices(ResourceType):
    """An account's only one, `default`; it is there as long as the account is."""

    name = SERVICE
    regional = False
    listed = False


class Containers(ResourceType):
    name = CONTAINER
    regional = False
    listed = False
    bodies: ClassVar[dict[str, str]] = {"PUT": "storage.BlobContainer", "PATCH": "storage.BlobContainer"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        given = field(call.json(), "properties", dict, {})
        for name in ("immutableStorageWithVersioning", "blobAccessPointConfiguration", "enableNfsV3RootSquash", "enableNfsV3AllSquash"):
            if given.get(name):
                raise bad("FeatureNotSupportedForAccount", f"{name} is not supported for the account.")
        if not _CONTAINER.match(call.name):
            raise bad("ContainerOperationFailure", "The specifed resource name contains invalid characters.")
        account = arm.store.resources["/".join(call.id.lower().split("/")[:9])]
        if field(given, "publicAccess", str, "None") != "None" and not account.properties["allowBlobPublicAccess"]:
            raise bad("PublicAccessNotPermitted", "Public access is not permitted on this storage account.", 409)
        stated = {name: value for name, value in given.items() if value is not None and name in _STATED}
        if resource is None:
            return show(arm, call, self, arm.store.add(new_container(arm, container_id(account, call.name), stated)), 201)
        resource.properties.update({**stated, "lastModifiedTime": stamp(arm.now)})
        arm.store.touch(resource)
        return show(arm, call, self, resource)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        return self.put(arm, call, resource)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        self.remove(arm, resource)
        return Response(200)

    def remove(self, arm: Sandbox, resource: Resource) -> None:
        forget_blobs(arm, f"{resource.id.split('/')[8]}:{resource.name}/")
        super().remove(arm, resource)


_STATED = ("publicAccess", "metadata", "defaultEncryptionScope", "denyEncryptionScopeOverride")


@route("POST", "subscriptions/{}/providers/Microsoft.Storage/checkNameAvailability")
def check_name_availability(arm: Sandbox, call: Call, subscription: str) -> Response:
    name = field(call.json(), "name", str, "")
    problem, reason = _check_name(name), "AccountNameInvalid"
    if problem is None and (problem := _taken(arm, name)) is not None:
        reason = "AlreadyExists"
    body: Json = {"nameAvailable": problem is None}
    if problem is not None:
        body |= {"reason": reason, "message": problem}
    return Response(200, {"content-type": JSON_TYPE}, compact(body))


register(Accounts())
register(BlobServices())
register(Containers())
