"""Who may sign in with which secret: the applications of directory.py, and those that were registered by way of Graph."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

from ..directory import Principal
from ..store import Resource
from ..wire import Json, moment
from . import errors, objects

if TYPE_CHECKING:
    from ..sandbox import Sandbox

_YEARS_2 = 2 * 365 * 86_400.0  # a secret's life where nobody says


def principal(arm: Sandbox, tenant: str, client: str) -> Principal:
    """An application's service principal in a tenant. Raises KeyError where there is none."""
    try:
        return arm.directory.find(tenant, client)
    except KeyError:
        for one in objects.kept(arm, tenant, objects.SERVICE_PRINCIPAL):
            if one.properties["appId"] == client.lower():
                return Principal(tenant, client.lower(), one.properties["id"], "")
        raise


def accepts(arm: Sandbox, whose: Principal, secret: str) -> bool:
    """Whether that is a secret of the application. Raises LookupError for one that has expired."""
    if whose.client_secret and hmac.compare_digest(secret.encode(), whose.client_secret.encode()):
        return True
    for kind in (objects.APPLICATION, objects.SERVICE_PRINCIPAL):
        for tenant in (whose.tenant_id,) if kind == objects.SERVICE_PRINCIPAL else set(arm.directory.subscriptions.values()):
            for one in objects.kept(arm, tenant, kind):
                if one.properties["appId"] != whose.client_id:
                    continue
                for held in one.properties["passwordCredentials"]:
                    if hmac.compare_digest(secret.encode(), _secret(arm, held["keyId"]).encode()):
                        if moment(held["endDateTime"]) < arm.now:
                            raise LookupError(held["keyId"])
                        return True
    return False


def add_password(arm: Sandbox, resource: Resource, given: Json) -> Json:
    """A new secret, which is shown this once."""
    asked = given.get("passwordCredential") or {}
    key = arm.guid("secret", arm.count("directory"))
    secret = _secret(arm, key)
    made = {
        "customKeyIdentifier": None,
        "displayName": asked.get("displayName"),
        "endDateTime": asked.get("endDateTime") or objects.when(arm.now + _YEARS_2),
        "hint": secret[:3],
        "keyId": key,
        "secretText": None,
        "startDateTime": asked.get("startDateTime") or objects.when(arm.now),
    }
    try:
        moment(str(made["endDateTime"])), moment(str(made["startDateTime"]))
    except ValueError:
        raise errors.unreadable("Cannot convert a value of passwordCredential to the expected target type 'Edm.DateTimeOffset'.") from None
    resource.properties["passwordCredentials"].append(made)
    arm.store.touch(resource)
    return {**made, "secretText": secret}


def remove_password(arm: Sandbox, resource: Resource, given: Json) -> None:
    held = resource.properties["passwordCredentials"]
    left = [one for one in held if one["keyId"] != given.get("keyId")]
    if len(left) == len(held):
        raise errors.bad(f"No password credential found with keyId {given.get('keyId')}.")
    resource.properties["passwordCredentials"] = left
    arm.store.touch(resource)


def _secret(arm: Sandbox, key: str) -> str:
    """The secret of a key: it follows from the sandbox's own key, so that it is nowhere to be read."""
    digest = hmac.new(arm.key, f"secret {key}".encode(), hashlib.sha256).digest()
    text = base64.b64encode(digest, b"ab").decode().rstrip("=")
    return f"{text[:3]}8Q~{text[3:37]}"
