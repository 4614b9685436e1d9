"""The two keys of a storage account, and what is signed with them: requests (SharedKey) and shared access signatures.

Rules: "Authorize with Shared Key", "Create an account SAS" and "Create a service SAS" (learn.microsoft.com).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

from .wire import Json, moment, stamp

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox
    from .store import Resource

NAMES = ("key1", "key2")
_HEADERS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)
_OVERRIDES = ("rscc", "rscd", "rsce", "rscl", "rsct")


def value_of(arm: Sandbox, account: Resource, name: str) -> str:
    """A key: 64 bytes in base64, others each time that it is regenerated."""
    turn = account.private["keys"][name]["turn"]
    return base64.b64encode(hmac.new(arm.key, f"{account.key} {name} {turn}".encode(), hashlib.sha512).digest()).decode()


def new(arm: Sandbox) -> Json:
    """Both keys of a new account, as data."""
    return {name: {"turn": arm.count("storage.key"), "made": stamp(arm.now)} for name in NAMES}


def shown(arm: Sandbox, account: Resource) -> Json:
    """What listKeys and regenerateKey answer."""
    made = account.private["keys"]
    return {
        "keys": [
            {"creationTime": made[name]["made"], "keyName": name, "value": value_of(arm, account, name), "permissions": "FULL"}
            for name in NAMES
        ]
    }


def signed(arm: Sandbox, call: Call, account: Resource, parts: list[str], now: float) -> bool:
    """Whether one of the account's keys signed the request, or the SAS in its query, and that SAS is in force and allows the method."""
    query = call.query
    if query.get("sig"):
        text = _service_sas(account, query, parts) if "sr" in query else _account_sas(account, query)
        if not _in_force(query, now) or not _permits(call, query.get("sp", "")):
            return False
        return _matches(arm, account, text, query["sig"])
    scheme, _, rest = call.header("authorization").partition(" ")
    owner, _, signature = rest.partition(":")
    if scheme.lower() != "sharedkey" or owner.lower() != account.name.lower():
        return False
    return _matches(arm, account, _request(call, account), signature)


def _matches(arm: Sandbox, account: Resource, text: str, signature: str) -> bool:
    return any(
        hmac.compare_digest(
            base64.b64encode(hmac.new(base64.b64decode(value_of(arm, account, name)), text.encode(), hashlib.sha256).digest()),
            signature.encode(),
        )
        for name in NAMES
    )


def _in_force(query: dict[str, str], now: float) -> bool:
    try:
        return moment(query.get("st") or "1970-01-01T00:00:00Z") <= now < moment(query.get("se") or "1970-01-01T00:00:00Z")
    except ValueError:
        return False


def _permits(call: Call, granted: str) -> bool:
    wanted = {"GET": "r", "HEAD": "r", "DELETE": "d"}.get(call.method, "wca")
    if call.query.get("comp") == "list":
        wanted = "l"
    return bool(set(wanted) & set(granted))


def _account_sas(account: Resource, query: dict[str, str]) -> str:
    names = ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv", *(["ses"] if query.get("sv", "") >= "2020-12-06" else [])]
    return "\n".join([account.name, *(query.get(name, "") for name in names), ""])


def _service_sas(account: Resource, query: dict[str, str], parts: list[str]) -> str:
    whole = "/".join(parts[:1] if query.get("sr") == "c" else parts)
    values = [query.get(name, "") for name in ("sp", "st", "se")]
    values += [
        f"/blob/{account.name}/{whole}",
        *(query.get(name, "") for name in ("si", "sip", "spr", "sv", "sr")),
        query.get("snapshot", ""),
    ]
    if query.get("sv", "") >= "2020-12-06":
        values.append(query.get("ses", ""))
    return "\n".join([*values, *(query.get(name, "") for name in _OVERRIDES)])


def _request(call: Call, account: Resource) -> str:
    standard = [call.header(name) for name in _HEADERS]
    if standard[2] == "0":
        standard[2] = ""
    own = sorted((name.lower(), value.strip()) for name, value in call.headers.items() if name.lower().startswith("x-ms-"))
    resource = f"/{account.name}{call.path}" + "".join(f"\n{name}:{call.query[name]}" for name in sorted(call.query))
    return "\n".join([call.method, *standard, *(f"{name}:{value}" for name, value in own), resource])
