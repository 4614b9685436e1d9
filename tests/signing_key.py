"""A key that signs tokens and certificates, as a cluster or an application has one."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

ISSUER = "https://oidc.example.com/cluster"
SUBJECT = "system:serviceaccount:airflow:factory"
AUDIENCE = "api://AzureADTokenExchange"


@dataclass
class SigningKey:
    """An RSA key, and what is signed with it."""

    id: str = "first"
    private: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    @property
    def pem(self) -> bytes:
        return self.private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    def public(self) -> dict[str, str]:
        """As a JSON Web Key."""
        numbers = self.private.public_key().public_numbers()
        sizes = ((numbers.n, 256), (numbers.e, 3))
        n, e = (_encoded(number.to_bytes(size)) for number, size in sizes)
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id, "n": n, "e": e}

    def sign(self, claims: dict[str, Any], **header: str) -> str:
        """A JSON Web Token."""
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "RS256", **header}, claims))
        return f"{signed}.{_encoded(self.private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def token(self, now: float, **change: Any) -> str:
        """A token as a cluster gives one to its pods; a claim given as None is left out."""
        claims = {"iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "iat": int(now), "nbf": int(now), "exp": int(now) + 3600, **change}
        return self.sign({name: value for name, value in claims.items() if value is not None}, kid=self.id)

    def certificate(self, begin: datetime, days: int = 365) -> x509.Certificate:
        """A certificate of the key, signed by itself."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "factory")])
        made = x509.CertificateBuilder(name, name, self.private.public_key(), 1, begin, begin + timedelta(days=days))
        return made.sign(self.private, hashes.SHA256())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def der(certificate: x509.Certificate) -> str:
    """As Graph takes it."""
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
