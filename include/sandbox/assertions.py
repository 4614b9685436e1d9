"""Client assertions: how an application signs in without a secret, by a certificate's key or by a token of an issuer that it trusts.

Rules: "Microsoft identity platform application authentication certificate credentials" and "Workload identity federation"
(learn.microsoft.com); texts: AADSTS error reference and public bug threads (azure-workload-identity#1200, #642, passport-azure-ad#453).

Nothing leaves the sandbox, so it cannot ask an issuer for its keys: `/_sandbox/issuers` is told them (control.py).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from .graph import credentials
from .wire import Json, moment, zulu

if TYPE_CHECKING:
    from .directory import Principal
    from .sandbox import Sandbox

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SKEW = 300.0  # seconds by which clocks may differ
_UNSIGNED = "Client assertion failed signature validation."
_ON_APPLICATION = "The certificate with identifier used to sign the client assertion is {} on application."
_FEDERATION = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
_CERTIFICATES = "https://learn.microsoft.com/entra/identity-platform/certificate-credentials"


class RefusalError(Exception):
    """Why a sign-in is refused: `AADSTS{number}: {text}`."""

    def __init__(self, number: int, text: str, *, status: int = 401, error: str = "invalid_client") -> None:
        super().__init__(text)
        self.number, self.text, self.status, self.error = number, text, status, error


@dataclass(frozen=True, slots=True)
class Assertion:
    """A JSON Web Token as it was sent."""

    header: Json
    claims: Json
    signed: bytes
    signature: bytes

    @classmethod
    def read(cls, text: str) -> Assertion:
        """Raises RefusalError for what is none."""
        try:
            header, claims, signature = text.split(".")
            found = cls(_parsed(header), _parsed(claims), f"{header}.{claims}".encode(), decoded(signature))
        except ValueError:
            raise RefusalError(50027, "JWT token is invalid or malformed.") from None
        return found

    def claim(self, name: str) -> str:
        return str(self.claims.get(name) or "")

    @property
    def audiences(self) -> list[str]:
        given = self.claims.get("aud")
        return [str(one) for one in given] if isinstance(given, list) else [str(given or "")]

    def is_signed_by(self, key: RSAPublicKey) -> bool:
        """RS256, or PS256 as MSAL signs with a certificate."""
        algorithm = hashes.SHA256()
        paddings: dict[str, Any] = {"RS256": padding.PKCS1v15(), "PS256": padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)}
        how = paddings.get(str(self.header.get("alg")))
        if how is None:
            return False
        try:
            key.verify(self.signature, self.signed, how, algorithm)
        except InvalidSignature:
            return False
        return True


def _parsed(text: str) -> Json:
    found = json.loads(decoded(text))
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def decoded(text: str) -> bytes:
    """Base64 in the alphabet of URLs, padded or not. Raises ValueError."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as problem:
        raise ValueError(str(problem)) from None


def check(arm: Sandbox, whose: Principal, text: str, authorities: set[str]) -> None:
    """Whether the assertion is one of the application's or managed identity's. `authorities`: the audiences by which the tenant goes.

    Raises RefusalError.
    """
    assertion = Assertion.read(text)
    if assertion.claim("iss") == whose.client_id:
        _check_certificate(arm, whose, assertion, authorities)
    else:
        _check_federated(arm, whose, assertion)
    _check_time(arm, assertion)


def _check_certificate(arm: Sandbox, whose: Principal, assertion: Assertion, authorities: set[str]) -> None:
    if assertion.claim("sub") != whose.client_id:
        raise RefusalError(700021, "Client assertion application identifier doesn't match 'client_id' parameter.")
    if not any(one.rstrip("/").lower() in authorities for one in assertion.audiences):
        raise RefusalError(
            700023, f"Client assertion audience claim does not match Realm issuer. Review the documentation at {_CERTIFICATES} ."
        )
    named = {str(assertion.header[name]).rstrip("=") for name in ("x5t", "x5t#S256") if assertion.header.get(name)}
    for key, certificate in credentials.certificates(arm, whose):
        prints = (certificate.fingerprint(kind) for kind in (hashes.SHA1(), hashes.SHA256()))  # noqa: S303 -- a name, not a proof
        if named.isdisjoint(base64.urlsafe_b64encode(one).decode().rstrip("=") for one in prints):
            continue
        public = certificate.public_key()
        if not isinstance(public, RSAPublicKey) or not assertion.is_signed_by(public):
            raise _unsigned(whose, _UNSIGNED, "Key was found, but use of the key to verify the signature failed.", named)
        if not moment(key["startDateTime"]) <= arm.now < moment(key["endDateTime"]):
            raise _unsigned(whose, _ON_APPLICATION.format("expired"), "The key used is expired.", named)
        return
    raise _unsigned(whose, _ON_APPLICATION.format("not registered"), "The key was not found.", named)


def _unsigned(whose: Principal, what: str, reason: str, named: set[str]) -> RefusalError:
    prints = ", ".join(decoded(one).hex().upper() for one in named)
    return RefusalError(
        700027,
        f"{what} [Reason - {reason}, Thumbprint of key used by client: '{prints}', Please visit the Azure Portal, Graph Explorer or "
        f"directly use MS Graph to see configured keys for app Id '{whose.client_id}'.]",
    )


def _check_federated(arm: Sandbox, whose: Principal, assertion: Assertion) -> None:
    """The comparison is of letters as they are, case and all."""
    issuer, subject = assertion.claim("iss"), assertion.claim("sub")
    trusted = list(credentials.federated(arm, whose))
    for number, what, value in ((700211, "issuer", issuer), (700213, "subject", subject)):
        trusted = [one for one in trusted if one[what] == value]
        if not trusted:
            raise _unmatched(number, what, value)
    if not any(one in credential["audiences"] for credential in trusted for one in assertion.audiences):
        raise _unmatched(700212, "audience", ", ".join(assertion.audiences))
    keys = arm.store.settings.get("issuers", {}).get(issuer)
    if keys is None:
        raise RefusalError(50166, "Request to External OIDC endpoint failed.", status=400, error="invalid_request")
    if not any(assertion.is_signed_by(key) for key in _public_keys(keys, assertion.header.get("kid"))):
        raise RefusalError(700027, _UNSIGNED)


def _unmatched(number: int, what: str, value: str) -> RefusalError:
    return RefusalError(
        number,
        f"No matching federated identity record found for presented assertion {what} '{value}'. Check your federated identity credential "
        f"Subject, Audience and Issuer against the presented assertion. {_FEDERATION}",
    )


def _public_keys(keys: list[Json], id: object) -> Iterator[RSAPublicKey]:
    for key in keys:
        if key.get("kty") == "RSA" and id in (None, key.get("kid")):
            exponent, modulus = (int.from_bytes(decoded(key[part])) for part in ("e", "n"))
            yield RSAPublicNumbers(exponent, modulus).public_key()


def _check_time(arm: Sandbox, assertion: Assertion) -> None:
    begin, end = (float(assertion.claims.get(name) or 0) for name in ("nbf", "exp"))
    if not begin - SKEW <= arm.now < end + SKEW:
        raise RefusalError(
            700024,
            f"Client assertion is not within its valid time range. Current time: {zulu(arm.now)}, assertion valid from {zulu(begin)}, "
            f"expiry time of assertion {zulu(end)}. Review the documentation at {_CERTIFICATES} .",
        )


def trust(arm: Sandbox, given: Json) -> Json:
    """Learn the keys of an issuer, `{"issuer": URL, "keys": [JSON Web Key, …]}`, as its `jwks_uri` shows them. Raises ValueError."""
    issuer, keys = given.get("issuer"), given.get("keys")
    if not isinstance(issuer, str) or not issuer.startswith("https://"):
        raise ValueError(f"issuer must be an https:// URL, not {issuer!r}")
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise ValueError("keys must be a list of JSON Web Keys")
    try:
        found = len(list(_public_keys(keys, None)))
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"a key cannot be read: {problem!r}") from None
    if found == 0:
        raise ValueError("keys must have an RSA key: Entra takes RS256 only")
    arm.store.set("issuers", {**arm.store.settings.get("issuers", {}), issuer: keys})
    return {"issuer": issuer, "keys": found}
