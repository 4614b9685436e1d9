"""Key vaults, as Resource Manager has them: who may use their keys, and how a deleted one is kept, recovered and purged.

Shapes: azure-mgmt-keyvault's models. Codes and texts: azure-cli#29115 (ConflictError), ai-hub#241 (purge protection),
ARO-Landing-Zone-Accelerator#28 and azure_arc#3378 (VaultAlreadyExists), azure-docs#92981 (VaultNameNotValid), AzureTRE#1446
(MethodNotAllowed of a purge), terraform-provider-azurerm#12972 (SoftDeletedVaultDoesNotExist). Those threads do not show the HTTP status
of VaultAlreadyExists, VaultNameNotValid, ConflictError and MethodNotAllowed: it is what their names say. What is in a vault, its data
plane, is not in the sandbox, except for the keys that Resource Manager itself makes (vault_keys.py).
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING, ClassVar

from ..events import event
from ..pages import page_of, show
from ..registry import ResourceType, field, register, route
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, compact, stamp
from .groups import location_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

VAULT = "Microsoft.KeyVault/vaults"
POLICIES = f"{VAULT}/accessPolicies"
DELETED = "Microsoft.KeyVault/deletedVaults"  # kept under the id by which its location shows it
DAY = 86_400.0
RBAC_SINCE = "2026-02-01"  # from when on a new vault asks roles unless it says otherwise
_NAME = re.compile(r"^[A-Za-z](?!.*--)[A-Za-z0-9-]{1,22}[A-Za-z0-9]$")
_KEPT = (
    "enabledForDeployment",
    "enabledForDiskEncryption",
    "enabledForTemplateDeployment",
    "networkAcls",
    "enableRbacAuthorization",
    "publicNetworkAccess",
)


def named(arm: Sandbox, name: str) -> Resource | None:
    """The vault of that name, which no other vault has, wherever it is."""
    return next((one for one in arm.store.resources.values() if one.type == VAULT and one.name.lower() == name.lower()), None)


def _deleted_named(arm: Sandbox, name: str) -> Resource | None:
    return next((one for one in arm.store.resources.values() if one.type == DELETED and one.name.lower() == name.lower()), None)


def deleted_id(subscription: str, location: str, name: str) -> str:
    return f"/subscriptions/{subscription}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{name}"


def bad(message: str) -> ArmError:
    return ArmError(400, "BadRequest", message)


def _check_name(name: str) -> str | None:
    if _NAME.match(name):
        return None
    return (
        f"The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must begin with a "
        "letter, end with a letter or digit, and not contain consecutive hyphens. Follow this link for more information: "
        "https://go.microsoft.com/fwlink/?linkid=2147742"
    )


def _taken(name: str) -> str:
    return (
        f"The vault name '{name}' is already in use. Vault names are globally unique so it is possible that the name is already taken. If "
        "you are sure that the vault name was not taken then it is possible that a vault with the same name was recently deleted but not "
        "purged after being placed in a recoverable state. If the vault is in a recoverable state then the vault will need to be purged "
        "before reusing the name. For more information about VaultAlreadyExists, soft delete and purging a vault follow this link "
        "https://go.microsoft.com/fwlink/?linkid=2147740."
    )


def _policies(entries: list[Json]) -> list[Json]:
    return [deepcopy(one) for one in entries]


def _same(one: Json, other: Json) -> bool:
    """Whether two access policies are of the same principal, for the same application."""
    keys = ("objectId", "tenantId", "applicationId")
    return all(str(one.get(key) or "").lower() == str(other.get(key) or "").lower() for key in keys)


class Vaults(ResourceType):
    name = VAULT
    bodies: ClassVar[dict[str, str]] = {"PUT": "keyvault.VaultCreateOrUpdateParameters", "PATCH": "keyvault.VaultPatchParameters"}
    nests = True

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        given = body["properties"]
        if resource is not None:
            if "tags" in body or call.method == "PUT":
                resource.body["tags"] = body.get("tags") or {}
            return self.change(arm, call, resource, given)
        if (problem := _check_name(call.name)) is not None:
            raise ArmError(400, "VaultNameNotValid", problem)
        if named(arm, call.name) is not None:
            raise ArmError(409, "VaultAlreadyExists", _taken(call.name))
        kept = _deleted_named(arm, call.name)
        if given.get("createMode") == "recover":
            return self.recover(arm, call, kept)
        if kept is not None:
            raise ArmError(
                409,
                "ConflictError",
                "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. "
                "Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.",
            )
        days = field(given, "softDeleteRetentionInDays", int, 90)
        if not 7 <= days <= 90:
            raise bad('The property "softDeleteRetentionInDays" is invalid: it must be between 7 and 90.')
        self.check(given)
        author = {"By": call.client or call.principal or "sandbox", "ByType": "Application", "At": stamp(arm.now)}
        made: Json = {"id": call.id, "name": call.name, "type": self.name, "location": location, "tags": body.get("tags") or {}}
        made["systemData"] = {f"{event}{what}": value for event in ("created", "lastModified") for what, value in author.items()}
        made["properties"] = {
            "sku": given["sku"],
            "tenantId": given["tenantId"],
            "accessPolicies": _policies(given.get("accessPolicies") or []),
            "enabledForDeployment": False,
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": days,
            "enableRbacAuthorization": call.api_version >= RBAC_SINCE,
            "publicNetworkAccess": "Enabled",
        }
        made["properties"] |= {name: deepcopy(given[name]) for name in _KEPT if given.get(name) is not None}
        if given.get("enablePurgeProtection"):
            made["properties"]["enablePurgeProtection"] = True
        made["properties"] |= {"vaultUri": f"https://{call.name.lower()}.vault.azure.net/", "provisioningState": "RegisteringDns"}
        resource = arm.store.add(Resource(call.id, self.name, made))
        arm.store.schedule(arm.now + arm.seconds("vaults.create", resource.key, arm.count("vaults")), "vaults.registered", id=resource.key)
        return show(arm, call, self, resource)

    def check(self, given: Json) -> None:
        """Raises ArmError for what cannot be turned off."""
        if given.get("enablePurgeProtection") is False:
            raise bad(
                'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a vault is an irreversible '
                "action."
            )
        if given.get("enableSoftDelete") is False:
            raise bad(
                "The property \"enableSoftDelete\" can be set to false only for creating new vault. Enabling the 'soft delete' "
                "functionality is an irreversible action."
            )

    def change(self, arm: Sandbox, call: Call, resource: Resource, given: Json) -> Response:
        self.check(given)
        own = resource.properties
        days = given.get("softDeleteRetentionInDays")
        if days is not None and days != own["softDeleteRetentionInDays"]:
            raise bad('The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.')
        for name in ("tenantId", "sku", *_KEPT):
            if given.get(name) is not None:
                own[name] = deepcopy(given[name])
        if given.get("accessPolicies") is not None:
            own["accessPolicies"] = _policies(given["accessPolicies"])
        if given.get("enablePurgeProtection"):
            own["enablePurgeProtection"] = True
        self.stamp(arm, call, resource)
        return show(arm, call, self, resource)

    def stamp(self, arm: Sandbox, call: Call, resource: Resource) -> None:
        resource.body["systemData"] |= {"lastModifiedBy": call.client or call.principal or "sandbox", "lastModifiedAt": stamp(arm.now)}
        arm.store.touch(resource)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        body = call.json()
        if body.get("tags") is not None:
            resource.body["tags"] = body["tags"]
        return self.change(arm, call, resource, field(body, "properties", dict, {}))

    def recover(self, arm: Sandbox, call: Call, kept: Resource | None) -> Response:
        """The vault as it was, with its keys."""
        if kept is None or kept.properties["vaultId"].lower() != call.id.lower():
            raise ArmError(
                400,
                "SoftDeletedVaultDoesNotExist",
                "A soft deleted vault with the given name does not exist. Ensure that the name for the vault that is being attempted to "
                "recover is in a recoverable state.",
            )
        for id, type, body, private in kept.private["resources"]:
            arm.store.add(Resource(id, type, body, private))
        arm.store.drop(kept)
        return show(arm, call, self, arm.store.resources[call.id.lower()])

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        self.remove(arm, resource)
        return Response(200)

    def remove(self, arm: Sandbox, resource: Resource) -> None:
        """Soft-deleted, also where its group goes; purged when its days are over."""
        own = [one for one in arm.store.resources.values() if one.key == resource.key or one.key.startswith(resource.key + "/")]
        until = arm.now + resource.properties["softDeleteRetentionInDays"] * DAY
        id = deleted_id(resource.subscription, resource.location, resource.name)
        properties: Json = {
            "vaultId": resource.id,
            "location": resource.location,
            "tags": resource.body.get("tags") or {},
            "deletionDate": stamp(arm.now),
            "scheduledPurgeDate": stamp(until),
        }
        if resource.properties.get("enablePurgeProtection"):
            properties["purgeProtectionEnabled"] = True
        number = arm.count("vaults.deleted")
        private = {"resources": [[one.id, one.type, one.body, one.private] for one in own if "/providers/" in one.key], "number": number}
        super().remove(arm, resource)
        arm.store.add(Resource(id, DELETED, {"id": id, "name": resource.name, "type": DELETED, "properties": properties}, private))
        arm.store.schedule(until, "vaults.purged", id=id.lower(), number=number)


class AccessPolicies(ResourceType):
    """`add`, `replace` and `remove` of a vault's access policies: actions that are put."""

    name = POLICIES
    regional = False
    listed = False
    enumerable = False
    bodies: ClassVar[dict[str, str]] = {"PUT": "keyvault.VaultAccessPolicyParameters"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        vault, kind = call.parent, call.name.lower()
        assert vault is not None
        asked = call.json()["properties"]["accessPolicies"]
        own = vault.properties["accessPolicies"]
        if kind not in ("add", "replace", "remove"):
            raise bad(f"The operation kind '{call.name}' is not valid. Allowed values are: add, replace, remove.")
        for one in asked:
            before = next((other for other in own if _same(one, other)), None)
            if kind == "replace":
                own = [other for other in own if other is not before] + _policies([one])
            elif kind == "add" and before is None:
                own = [*own, *_policies([one])]
            elif before is not None:
                _merge(before["permissions"], one["permissions"], add=kind == "add")
        vault.properties["accessPolicies"] = [one for one in own if any(one["permissions"].values())]
        arm.store.touch(vault)
        body = {"id": call.id, "type": self.name, "properties": {"accessPolicies": vault.properties["accessPolicies"]}}
        return Response(200, {"content-type": JSON_TYPE}, compact(body))


def _merge(own: Json, given: Json, *, add: bool) -> None:
    for what, names in given.items():
        lower = {str(one).lower() for one in names or ()}
        kept = [one for one in own.get(what) or [] if one.lower() not in lower]
        own[what] = kept + list(names or ()) if add else kept


@event("vaults.registered")
def _registered(arm: Sandbox, id: str) -> None:
    vault = arm.store.resources.get(id)
    if vault is not None:
        vault.properties["provisioningState"] = "Succeeded"
        arm.store.touch(vault)


@event("vaults.purged")
def _purged(arm: Sandbox, id: str, number: int) -> None:
    kept = arm.store.resources.get(id)
    if kept is not None and kept.private["number"] == number:
        arm.store.drop(kept)


@route("POST", "subscriptions/{}/providers/Microsoft.KeyVault/checkNameAvailability")
def check_name_availability(arm: Sandbox, call: Call, subscription: str) -> Response:
    name = field(call.json(), "name", str, "")
    problem, reason = _check_name(name), "AccountNameInvalid"
    if problem is None and (named(arm, name) is not None or _deleted_named(arm, name) is not None):
        problem, reason = _taken(name), "AlreadyExists"
    body: Json = {"nameAvailable": problem is None}
    if problem is not None:
        body |= {"reason": reason, "message": problem}
    return Response(200, {"content-type": JSON_TYPE}, compact(body))


@route("GET", "subscriptions/{}/providers/Microsoft.KeyVault/deletedVaults")
def deleted_vaults(arm: Sandbox, call: Call, subscription: str) -> Response:
    found = list(arm.store.of_type(subscription, DELETED).values())
    return page_of(arm, call, found, lambda one: one.body, render=compact)


@route("GET", "subscriptions/{}/providers/Microsoft.KeyVault/deletedManagedHSMs")
def deleted_hsms(arm: Sandbox, call: Call, subscription: str) -> Response:
    """Managed HSMs cannot be made, so that none was deleted; az asks for them beside the deleted vaults."""
    return page_of(arm, call, [], lambda one: one, render=compact)


def _deleted(arm: Sandbox, subscription: str, location: str, name: str) -> Resource:
    """Raises ArmError where there is none of that name; the code is Azure's, the text is the sandbox's."""
    found = arm.resource(deleted_id(subscription, location, name), DELETED)
    if found is None:
        raise ArmError(404, "DeletedVaultNotFound", f"The specified deleted vault '{name}' does not exist.")
    return found


@route("GET", "subscriptions/{}/providers/Microsoft.KeyVault/locations/{}/deletedVaults/{}")
def deleted_vault(arm: Sandbox, call: Call, subscription: str, location: str, name: str) -> Response:
    return Response(200, {"content-type": JSON_TYPE}, compact(_deleted(arm, subscription, location, name).body))


@route("POST", "subscriptions/{}/providers/Microsoft.KeyVault/locations/{}/deletedVaults/{}/purge")
def purge(arm: Sandbox, call: Call, subscription: str, location: str, name: str) -> Response:
    kept = _deleted(arm, subscription, location, name)
    if kept.properties.get("purgeProtectionEnabled"):
        raise ArmError(405, "MethodNotAllowed", "Operation 'DeletedVaultPurge' is not allowed.")
    arm.store.drop(kept)
    return Response(200)


register(Vaults())
register(AccessPolicies())
