"""The token endpoints that a machine or an app finds on itself, over plain HTTP: Instance Metadata Service and App Service.

`http://HOST/metadata/identity/oauth2/token` is a machine's to which every user-assigned identity of the home tenant is assigned;
`http://HOST/subscriptions/…/virtualMachines/NAME/metadata/identity/oauth2/token` is that machine's own, with the identities that it has.
`http://HOST/msi/token` is an app's, which shows the sandbox's `identity_header`, with the identities of the former.

Shapes and rules: "How to use managed identities for Azure resources on an Azure VM to acquire an access token" and "How to use managed
identities for App Service and Azure Functions" (learn.microsoft.com); texts: public bug threads of the identity libraries.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import tokens
from .directory import Principal
from .graph.objects import identities
from .wire import JSON_TYPE, Json, Response, compact

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox

_TOKEN = ["identity", "oauth2", "token"]
_OLDEST = "2018-02-01"
_APP_SERVICE = "2019-08-01"


@dataclass(frozen=True)
class Identity:
    """A managed identity of a machine; `id` is empty for the machine's own."""

    client: str
    principal: str
    tenant: str
    id: str


class _RefusalError(Exception):
    def __init__(self, status: int, error: str, text: str) -> None:
        super().__init__(text)
        self.status, self.error, self.text = status, error, text


def header_of(arm: Sandbox) -> str:
    """The value of `IDENTITY_HEADER`, which proves to App Service's endpoint that the caller is the app."""
    return hmac.digest(arm.key, b"identity header", "sha256").hex()[:32].upper()


def answer(arm: Sandbox, call: Call) -> Response:
    """Whatever is asked over plain HTTP."""
    parts = [segment.lower() for segment in call.segments]
    at = parts.index("metadata") if "metadata" in parts else len(parts)
    try:
        if parts[-2:] == ["msi", "token"] and len(parts) == 2:
            return _app_service(arm, call)
        if parts[at + 1 :] == _TOKEN:
            return _machine(arm, call, "/" + "/".join(call.segments[:at]) if at else "")
    except _RefusalError as refusal:
        return _json(refusal.status, {"error": refusal.error, "error_description": refusal.text})
    return _json(404, {"error": "Not found"})


def _machine(arm: Sandbox, call: Call, machine: str) -> Response:
    if call.header("metadata").lower() != "true":
        raise _RefusalError(400, "invalid_request", "Required metadata header not specified")
    if call.header("x-forwarded-for"):
        raise _RefusalError(400, "invalid_request", "A request with the header X-Forwarded-For is refused")
    if call.method != "GET":
        raise _RefusalError(405, "invalid_request", "The method is not allowed")
    if not call.api_version:
        raise _RefusalError(400, "invalid_request", "Required query variable 'api-version' was not specified")
    if call.api_version < _OLDEST:
        raise _RefusalError(400, "invalid_request", f"The api-version '{call.api_version}' is not supported: {_OLDEST} is the oldest")
    if machine and arm.resource(machine) is None:
        return _json(404, {"error": "Not found"})
    found = _chosen(call, _of_machine(arm, machine) if machine else _of_tenant(arm), ("msi_res_id", "mi_res_id"), ("object_id",))
    return _json(200, _token(arm, call, found))


def _app_service(arm: Sandbox, call: Call) -> Response:
    if not hmac.compare_digest(call.header("x-identity-header"), header_of(arm)):
        return _json(401, {"statusCode": 401, "message": "The header X-IDENTITY-HEADER is missing or wrong."})
    if call.api_version != _APP_SERVICE:
        return _json(400, {"statusCode": 400, "message": f"The api-version must be {_APP_SERVICE}."})
    try:
        found = _chosen(call, _of_tenant(arm), ("mi_res_id",), ("principal_id", "object_id"))
        whole = _token(arm, call, found)
    except _RefusalError as refusal:
        text = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
        return _json(400, {"statusCode": 400, "message": text if refusal.text == _ABSENT else refusal.text})
    return _json(200, {name: whole[name] for name in ("access_token", "expires_on", "resource", "token_type", "client_id")})


_ABSENT = "Identity not found"


def _of_tenant(arm: Sandbox) -> list[Identity]:
    found = identities(arm, arm.tenant_id)
    return [Identity(one.properties["clientId"], one.properties["principalId"], arm.tenant_id, one.id) for one in found]


def _of_machine(arm: Sandbox, machine: str) -> list[Identity]:
    resource = arm.resource(machine)
    own: Json = (resource.body.get("identity") if resource is not None else None) or {}
    tenant = str(arm.directory.tenant_of(machine.split("/")[2]))
    found = [Identity(one["clientId"], one["principalId"], tenant, id) for id, one in (own.get("userAssignedIdentities") or {}).items()]
    if own.get("principalId"):
        found.insert(0, Identity(arm.guid("client", own["principalId"]), own["principalId"], tenant, ""))
    return found


def _chosen(call: Call, held: list[Identity], resource: tuple[str, ...], object: tuple[str, ...]) -> Identity:
    """The identity that the query names; without a name the machine's own, or the only one."""
    asked = {
        **dict.fromkeys(("client_id",), "client"),
        **dict.fromkeys(object, "principal"),
        **dict.fromkeys(resource, "id"),
    }
    named = [(attribute, call.query[name].lower()) for name, attribute in asked.items() if call.query.get(name)]
    if named:
        found = [one for one in held if all(str(getattr(one, attribute)).lower() == value for attribute, value in named)]
    else:
        found = [one for one in held if not one.id] or held
    if not found:
        raise _RefusalError(400, "invalid_request", _ABSENT)
    if len(found) > 1:
        raise _RefusalError(
            400,
            "invalid_request",
            "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request",
        )
    return found[0]


def _token(arm: Sandbox, call: Call, identity: Identity) -> Json:
    resource = call.query.get("resource", "")
    if not resource:
        raise _RefusalError(400, "invalid_request", "Required query variable 'resource' is missing")
    if (refusal := tokens.unknown_service(arm, resource, identity.tenant)) is not None:
        raise _RefusalError(400, "invalid_resource", f"AADSTS500011: {refusal}")
    now = int(arm.clock.now())
    whose = Principal(identity.tenant, identity.client, identity.principal, "")
    return {
        "access_token": tokens.issue(arm, principal=whose, audience=resource),
        "client_id": identity.client,
        "expires_in": str(tokens.LIFETIME),
        "expires_on": str(now + tokens.LIFETIME),
        "ext_expires_in": str(tokens.LIFETIME),
        "not_before": str(now),
        "resource": resource,
        "token_type": "Bearer",
    }


def _json(status: int, value: Json) -> Response:
    return Response(status, {"content-type": JSON_TYPE, "server": "IMDS/150.870.65.1854"}, compact(value))
