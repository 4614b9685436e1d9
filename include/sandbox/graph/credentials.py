"""Who may sign in, and by what: the applications of directory.py, those that were registered by way of Graph, and managed identities."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ..directory import Principal
from ..store import Resource
from ..wire import Json, moment
from . import errors, objects

if TYPE_CHECKING:
    from ..sandbox import Sandbox

_YEARS_2 = 2 * 365 * 86_400.0  # a secret's life where nobody says


def principal(arm: Sandbox, tenant: str, client: str) -> Principal:
    """The service principal of an application or of a user-assigned identity in a tenant. Raises KeyError where there is none."""
    try:
        return arm.directory.find(tenant, client)
    except KeyError:
        for one in objects.kept(arm, tenant, objects.SERVICE_PRINCIPAL):
            if one.properties["appId"] == client.lower():
                return Principal(tenant, client.lower(), one.properties["id"], "")
        for identity in objects.identities(arm, tenant):
            if identity.properties["clientId"] == client.lower():
                return Principal(tenant, client.lower(), identity.properties["principalId"], "")
        raise


def accepts(arm: Sandbox, whose: Principal, secret: str) -> bool:
    """Whether that is a secret of the application. Raises LookupError for one that has expired."""
    if whose.client_secret and hmac.compare_digest(secret.encode(), whose.client_secret.encode()):
        return True
    for one in _registrations(arm, whose):
        for held in one.properties["passwordCredentials"]:
            if hmac.compare_digest(secret.encode(), _secret(arm, held["keyId"]).encode()):
                if moment(held["endDateTime"]) < arm.now:
                    raise LookupError(held["keyId"])
                return True
    return False


def _registrations(arm: Sandbox, whose: Principal) -> Iterator[Resource]:
    """The application, whichever tenant it is of, and its service principal, as they were written."""
    for kind in (objects.APPLICATION, objects.SERVICE_PRINCIPAL):
        for tenant in (whose.tenant_id,) if kind == objects.SERVICE_PRINCIPAL else set(arm.directory.subscriptions.values()):
            yield from (one for one in objects.kept(arm, tenant, kind) if one.properties["appId"] == whose.client_id)


def certificates(arm: Sandbox, whose: Principal) -> Iterator[tuple[Json, x509.Certificate]]:
    """The certificates whose keys the application signs in with, each with the key credential that says from when until when."""
    for one in _registrations(arm, whose):
        for held in one.properties["keyCredentials"]:
            yield held, _certificate(one.private["keys"][held["keyId"]])


def federated(arm: Sandbox, whose: Principal) -> Iterator[Json]:
    """The federated identity credentials of the application or the user-assigned identity: `issuer`, `subject` and `audiences`."""
    for one in _registrations(arm, whose):
        yield from one.private.get("federated", ())
    for identity in objects.identities(arm, whose.tenant_id):
        if identity.properties["clientId"] == whose.client_id:
            below = arm.store.collection(f"{identity.key}/federatedidentitycredentials")
            yield from (one.properties for one in below.values())


def keep_keys(arm: Sandbox, resource: Resource, given: list[Json]) -> None:
    """Take the certificates of `keyCredentials`: a list replaces what was there, and a known `keyId` needs no `key`. A key is never shown.

    Raises ArmError 400.
    """
    before = {one["keyId"]: one for one in resource.properties["keyCredentials"]}
    keys, shown = resource.private.get("keys", {}), []
    kept: Json = {}
    for one in given:
        id = str(one.get("keyId") or arm.guid("key", arm.count("directory")))
        if one.get("key") is None and id in before:
            kept[id] = keys[id]
            shown.append(before[id])
            continue
        if one.get("type") != "AsymmetricX509Cert" or one.get("usage") != "Verify":
            raise errors.bad("Invalid value specified for property 'type' or 'usage' of resource 'KeyCredential'.")
        try:
            certificate = _certificate(str(one.get("key")))
            begin, end = (
                str(one.get(name) or objects.when(limit.timestamp()))
                for name, limit in (("startDateTime", certificate.not_valid_before_utc), ("endDateTime", certificate.not_valid_after_utc))
            )
            if moment(end) > certificate.not_valid_after_utc.timestamp():
                raise errors.refused(400, "KeyCredentialsInvalidEndDate", "Key credential end date is invalid.")
            moment(begin)
        except ValueError:
            raise errors.bad("Invalid value specified for property 'key' of resource 'KeyCredential'.") from None
        kept[id] = str(one["key"])
        thumbprint = hashlib.sha1(certificate.public_bytes(serialization.Encoding.DER), usedforsecurity=False).hexdigest().upper()
        shown.append(
            {
                "customKeyIdentifier": one.get("customKeyIdentifier") or thumbprint,
                "displayName": one.get("displayName") or certificate.subject.rfc4514_string(),
                "endDateTime": end,
                "key": None,
                "keyId": id,
                "startDateTime": begin,
                "type": one["type"],
                "usage": one["usage"],
            }
        )
    resource.private["keys"], resource.properties["keyCredentials"] = kept, shown
    arm.store.touch(resource)


def _certificate(text: str) -> x509.Certificate:
    """A certificate as Graph takes it: DER in base64, in lines or not. Raises ValueError."""
    return x509.load_der_x509_certificate(base64.b64decode("".join(text.split()), validate=True))


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
