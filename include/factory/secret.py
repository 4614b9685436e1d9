"""Secrets that must not stand in a recipe, and how they are known."""

from __future__ import annotations

import re

CURE = "Give the build machine a managed identity (build.identities), and let the script read the secret from Key Vault."

_WORDS = re.compile(
    r"(?:^|_)(?:password|passwd|pwd|passphrase|secret|token|sas|sas_url|credentials?|api_?key|access_?key|account_?key|private_?key|connection_?string|key)$"
)
_PUBLIC = re.compile(r"(?:^|_)public_?key$")
_VALUES = (
    (re.compile(r"AccountKey=[A-Za-z0-9+/=]{8,}|SharedAccessKey=", re.IGNORECASE), "a storage or service key"),
    (re.compile(r"[?&]sig=[^&\s]{8,}", re.IGNORECASE), "a shared access signature"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"), "a private key"),
    (re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"), "a bearer token"),
    (re.compile(r"\b(?:ghp|gho|ghs|github_pat|glpat|xox[abp])[_-][A-Za-z0-9_-]{16,}"), "an access token"),
    (re.compile(r"\b[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@$]+@", re.IGNORECASE), "a password in a URL"),
)


def secret_in_value(value: str) -> str | None:
    """What kind of secret `value` holds, or None."""
    return next((kind for expression, kind in _VALUES if expression.search(value)), None)


def secret_under_name(name: str, value: str) -> str | None:
    """What kind of secret the pair holds, by its value or by a name such as ``ADMIN_PASSWORD``; None when it holds none."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()
    by_value = secret_in_value(value)
    if by_value or not value or _PUBLIC.search(words):
        return by_value
    return "a secret, by its name," if _WORDS.search(words) else None
