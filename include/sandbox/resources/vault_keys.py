"""Keys that Resource Manager makes in key vaults, their versions and rotation, and who may use them.

A key that is there is shown as it is (the operation's description); a new version comes of its rotation policy alone, for a client makes
versions through the vault's data plane, which the sandbox does not have.

No public answer was found to a key that Resource Manager refuses: the code BadRequest and its texts are by analogy with vaults'.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING, ClassVar

from ..authorization import allowed_data
from ..events import EVENTS, event
from ..pages import show
from ..registry import ResourceType, field, invalid, register
from ..store import Resource
from ..wire import ArmError, Json, Response
from .vaults import DAY, VAULT, bad, named

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

KEY = f"{VAULT}/keys"
KEY_VERSION = f"{KEY}/versions"
_NAME = re.compile(r"^[A-Za-z0-9-]{1,127}$")
_URL = re.compile(
    r"https://([A-Za-z0-9-]+)\.[A-Za-z0-9.-]*vault[A-Za-z0-9.-]*(?::443)?/keys/([A-Za-z0-9-]+)(?:/([A-Za-z0-9]+))?/?$", re.IGNORECASE
)
_AFTER = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?$")
_OPERATIONS = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"]
_USES = {"get": "read", "wrapKey": "wrap/action", "unwrapKey": "unwrap/action"}  # by access policy, and by role


class Keys(ResourceType):
    name = KEY
    regional = False
    listed = False
    nests = True
    bodies: ClassVar[dict[str, str]] = {"PUT": "keyvault.KeyCreateParameters"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        """Make the first version of a key; one that is there is shown."""
        vault, body = call.parent, call.json()
        assert vault is not None
        if resource is not None:
            return show(arm, call, self, resource)
        given = body["properties"]
        kind = given.get("kty")
        if not _NAME.match(call.name):
            raise bad(f"The key name '{call.name}' is invalid: it consists of 1 to 127 letters, digits and hyphens.")
        if kind is None:
            raise bad("The property 'kty' is required.")
        if kind.endswith("-HSM") and vault.properties["sku"]["name"] != "premium":
            raise bad(f"The key type '{kind}' needs a vault of the sku premium.")
        if kind.startswith("EC") and given.get("keySize") is not None:
            raise bad("The property 'keySize' is not valid for an elliptic curve key.")
        if kind.startswith("RSA") and (given.get("curveName") is not None or given.get("keySize", 2048) not in (2048, 3072, 4096)):
            raise bad("The properties 'keySize' (2048, 3072 or 4096) and 'curveName' do not fit an RSA key.")
        if given.get("release_policy") is not None or field(given, "attributes.exportable", bool, False):
            raise bad("Exportable keys need a key vault's attestation, which is not supported.")
        for one in field(given, "rotationPolicy.lifetimeActions", list, []):
            for when in (one.get("trigger") or {}).values():
                if when is not None and seconds_of(when) is None:
                    raise bad(f"The duration '{when}' of the rotation policy is invalid.")
        attributes = {"enabled": True, **(given.get("attributes") or {})}
        attributes |= {"created": int(arm.now), "updated": int(arm.now), "recoveryLevel": _recovery(vault), "exportable": False}
        properties: Json = {"attributes": attributes, "kty": kind, "keyOps": given.get("keyOps") or _OPERATIONS}
        if kind.startswith("RSA"):
            properties["keySize"] = given.get("keySize", 2048)
        else:
            properties["curveName"] = given.get("curveName", "P-256")
        if given.get("rotationPolicy") is not None:
            properties["rotationPolicy"] = deepcopy(given["rotationPolicy"])
        properties["keyUri"] = f"{vault.properties['vaultUri']}keys/{call.name}"
        made: Json = {"id": call.id, "name": call.name, "type": self.name, "location": vault.location}
        made |= {"tags": body.get("tags") or {}, "properties": properties}
        key = arm.store.add(Resource(call.id, self.name, made))
        add_version(arm, key)
        return show(arm, call, self, key)

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        return _kept(resource)


class Versions(ResourceType):
    name = KEY_VERSION
    regional = False
    listed = False

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        return _kept(resource)


def _kept(resource: Resource) -> ArmError:
    """A key goes with its vault, and comes back with it; to delete one alone is a matter of the data plane."""
    return ArmError(409, "Conflict", f"The key '{resource.name}' is in a vault.")


def _recovery(vault: Resource) -> str:
    return "Recoverable" if vault.properties.get("enablePurgeProtection") else "Recoverable+Purgeable"


def seconds_of(duration: str) -> float | None:
    """Of an ISO 8601 duration of years, months, weeks and days; None for anything else."""
    found = _AFTER.match(duration)
    if found is None or not any(found.groups()):
        return None
    return sum(int(number or 0) * days for number, days in zip(found.groups(), (365, 30, 7, 1), strict=True)) * DAY


def add_version(arm: Sandbox, key: Resource) -> None:
    """A new version, which is the key's own from now on; the next one comes when its rotation policy says so."""
    name = arm.guid("key", key.key, arm.count("key")).replace("-", "")
    properties = key.properties
    properties["keyUriWithVersion"] = f"{properties['keyUri']}/{name}"
    properties["attributes"]["updated"] = int(arm.now)
    own = {key_: deepcopy(value) for key_, value in properties.items() if key_ != "rotationPolicy"}
    own["attributes"]["created"] = int(arm.now)
    id = f"{key.id}/versions/{name}"
    body: Json = {"id": id, "name": name, "type": KEY_VERSION, "location": key.location, "tags": key.body["tags"], "properties": own}
    arm.store.add(Resource(id, KEY_VERSION, body))
    arm.store.touch(key)
    for one in field(properties, "rotationPolicy.lifetimeActions", list, []):
        after = field(one, "trigger.timeAfterCreate")
        if field(one, "action.type") == "rotate" and after is not None and (seconds := seconds_of(after)):
            arm.store.schedule(arm.now + seconds, "vaultKeys.rotate", id=key.key)


@event("vaultKeys.rotate")
def _rotate(arm: Sandbox, id: str) -> None:
    key = arm.store.resources.get(id)
    if key is not None and key.properties["attributes"]["enabled"]:
        add_version(arm, key)
        EVENTS["diskEncryptionSets.rotate"](arm, key=key.key)


def newest(key: Resource) -> str:
    """The URL of its newest version."""
    return str(key.properties["keyUriWithVersion"])


def vault_at(arm: Sandbox, url: str, vault_id: str | None) -> Resource | None:
    """The vault that a key's URL names, or `vault_id` where a request states it; None where it is not there."""
    parts = _URL.match(url)
    if vault_id is not None or parts is None:
        return arm.resource(vault_id, VAULT)
    return named(arm, parts[1])


def at(arm: Sandbox, url: str, vault_id: str | None) -> tuple[Resource, Resource]:
    """The vault and the key that a key's URL names; `vault_id` is what a request says of the vault. Raises ArmError where either is not
    there, or where they do not belong together.

    How disks' provider refuses a missing vault or key, no public evidence was found. KeyNotFound and its text are what a vault's own data
    plane says of a missing key; KeyVaultNotFound is by analogy with it, and 404 with other missing resources that a request names."""
    parts = _URL.match(url)
    if parts is None:
        raise invalid(f"The value '{url}' of parameter 'activeKey.keyUrl' is not the URL of a key.", "activeKey.keyUrl")
    vault = vault_at(arm, url, vault_id)
    if vault is None:
        raise ArmError(404, "KeyVaultNotFound", f"The key vault '{vault_id or parts[1]}' was not found.", target="activeKey.sourceVault.id")
    if vault.name.lower() != parts[1].lower():
        raise invalid(
            f"The key '{url}' is not in the key vault '{vault.id}' of parameter 'activeKey.sourceVault.id'.",
            "activeKey.sourceVault.id",
        )
    key = arm.resource(f"{vault.id}/keys/{parts[2]}", KEY)
    if key is None or (parts[3] and arm.resource(f"{key.id}/versions/{parts[3]}", KEY_VERSION) is None):
        raise ArmError(
            404,
            "KeyNotFound",
            f"A key with (name/id) {'/'.join(filter(None, parts.groups()[1:]))} was not found in this key vault. If you recently deleted "
            "this key you may be able to recover it using the correct recovery command. For help resolving this issue, please see "
            "https://go.microsoft.com/fwlink/?linkid=2125182",
        )
    return vault, key


def may_use(arm: Sandbox, principal: str, vault: Resource, key: Resource) -> bool:
    """Whether a principal may get the key, and wrap and unwrap with it: by the vault's access policies, or by roles where it asks those."""
    if not key.properties["attributes"].get("enabled", True):
        return False
    if vault.properties.get("enableRbacAuthorization"):
        return all(allowed_data(arm, principal, f"{KEY}/{action}", key.id) for action in _USES.values())
    granted = {
        str(name).lower()
        for one in vault.properties["accessPolicies"]
        if str(one["objectId"]).lower() == principal.lower()
        for name in one["permissions"].get("keys") or ()
    }
    return "all" in granted or {name.lower() for name in _USES} <= granted


register(Keys())
register(Versions())
