"""Key vaults and keys for what is encrypted with them, made through the sandbox's own front door."""

from __future__ import annotations

import json
from typing import Any

from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request, Response

VERSION = "2024-11-01"
USES = ["get", "wrapKey", "unwrapKey"]


def vault_body(sandbox: Sandbox, location: str, **properties: Any) -> dict[str, Any]:
    """A vault whose keys may encrypt disks."""
    sku = {"family": "A", "name": "standard"}
    made = {"tenantId": sandbox.tenant_id, "sku": sku, "accessPolicies": [], "enablePurgeProtection": True}
    made |= {"enableRbacAuthorization": False, **properties}
    return {"location": location, "properties": made}


KEY_BODY = {"properties": {"kty": "RSA", "keySize": 3072}}


def send(sandbox: Sandbox, method: str, id: str, body: Any = None, version: str = VERSION) -> Response:
    headers = {"authorization": f"Bearer {sandbox.token()}", "content-type": "application/json"}
    content = json.dumps(body).encode() if body is not None else b""
    return sandbox.handle(Request(method, f"https://management.azure.com{id}?api-version={version}", headers, content))


def make_key(sandbox: Sandbox, vault: str, location: str, **properties: Any) -> dict[str, Any]:
    """The activeKey of a new key in a vault of that id, which is made where it is not there."""
    if sandbox.store.get(vault) is None:
        answer = send(sandbox, "PUT", vault, vault_body(sandbox, location, **properties))
        assert answer.status == 200, answer.body
    answer = send(sandbox, "PUT", f"{vault}/keys/key{len(sandbox.store.collection(f'{vault}/keys'.lower()))}", KEY_BODY)
    assert answer.status == 200, answer.body
    return {"sourceVault": {"id": vault}, "keyUrl": answer.json()["properties"]["keyUriWithVersion"]}


def grant(sandbox: Sandbox, vault: str, principal: str, keys: list[str] | None = None, kind: str = "add") -> Response:
    """Let a principal use a vault's keys."""
    one = {"tenantId": sandbox.tenant_id, "objectId": principal, "permissions": {"keys": USES if keys is None else keys}}
    answer = send(sandbox, "PUT", f"{vault}/accessPolicies/{kind}", {"properties": {"accessPolicies": [one]}})
    assert answer.status == 200, answer.body
    return answer
