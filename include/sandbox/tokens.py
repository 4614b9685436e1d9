"""Microsoft Entra's token endpoints (v1 and v2), OpenID metadata, and the check of bearer tokens.

Shapes: recorded traffic of azure-identity and MSAL (azure-mgmt-compute 29 and 30 test recordings); error texts: AADSTS error reference.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from . import assertions
from .clouds import CLOUDS, is_elsewhere
from .directory import Principal
from .graph import credentials
from .wire import JSON_TYPE, ArmError, Json, Response, compact

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox

LIFETIME = 86_399  # seconds, as recorded
SKEW = 300.0  # seconds by which clocks may differ


@dataclass(frozen=True, slots=True)
class Claims:
    """What a bearer token says: whose it is, for which service, from when and until when (epoch seconds)."""

    tenant: str
    principal: str
    client: str
    audience: str
    begin: float
    expiry: float


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def issue(arm: Sandbox, *, principal: Principal | None = None, lifetime: int = LIFETIME, audience: str = "") -> str:
    """A bearer token of a service principal (default: the main one) that `check` accepts for `lifetime` seconds: a JWT signed with the
    sandbox's own key. `audience`: the service that it is for (default: Resource Manager)."""
    whose = principal or arm.directory.main
    now = int(arm.clock.now())
    header = _base64(b'{"typ":"JWT","alg":"HS256"}')
    claims = {
        "aud": audience or f"{arm.cloud.resource_manager}/",
        "iss": f"{arm.cloud.tokens}/{whose.tenant_id}/",
        "iat": now,
        "nbf": now,
        "exp": now + lifetime,
        "appid": whose.client_id,
        "oid": whose.object_id,
        "tid": whose.tenant_id,
        "ver": "1.0",
    }
    signed = f"{header}.{_base64(json.dumps(claims).encode())}"
    return f"{signed}.{_sign(arm, signed)}"


def _sign(arm: Sandbox, text: str) -> str:
    return _base64(hmac.new(arm.key, text.encode(), hashlib.sha256).digest())


def check(arm: Sandbox, call: Call, *, now: float | None = None) -> None:
    """Fill in who asks, by the clock or at `now`. Raises ArmError 401 as ARM does for a missing, foreign or expired bearer token. A sandbox
    that does not authenticate takes every caller without a token of its own for the main principal."""
    now = arm.now if now is None else now
    value = call.header("authorization")
    bearer = value[7:].strip() if value[:7].lower() == "bearer " else ""
    claims = _read(arm, bearer)
    if claims is None and not arm.authenticate:
        main = arm.directory.main
        call.tenant, call.principal, call.client = main.tenant_id, main.object_id, main.client_id
        return
    if not bearer:
        raise _refused(arm, call, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    held = _valid(arm, call, claims, now)
    audiences = call.cloud.audiences
    if _is_for_another(call, held, audiences):
        raise _refused(
            arm,
            call,
            "InvalidAuthenticationTokenAudience",
            f"The access token has been obtained for wrong audience or resource '{held.audience}'. It should exactly match with one of the "
            f"allowed audiences {','.join(repr(one + slash) for one in audiences for slash in ('/', ''))}.",
        )
    call.tenant, call.principal, call.client = held.tenant, held.principal, held.client
    for other in filter(None, call.header("x-ms-authorization-auxiliary").split(",")):
        also = _valid(arm, call, _read(arm, other.strip()[7:].strip()), now)
        call.auxiliary[also.tenant] = also.principal


def check_graph(arm: Sandbox, call: Call, audiences: frozenset[str]) -> None:
    """As `check`, in Graph's words."""
    value = call.header("authorization")
    claims = _read(arm, value[7:].strip() if value[:7].lower() == "bearer " else "")
    if claims is None and not arm.authenticate:
        main = arm.directory.main
        call.tenant, call.principal, call.client = main.tenant_id, main.object_id, main.client_id
        return
    if not value:
        why = "Access token is empty."
    elif claims is None:
        why = "IDX14100: JWT is not well formed, there are no dots (.)." if "." not in value else "Signing key is invalid."
    elif _is_for_another(call, claims, audiences):
        why = "Access token validation failure. Invalid audience."
    elif claims.expiry <= arm.now:
        why = "Lifetime validation failed, the token is expired."
    else:
        call.tenant, call.principal, call.client = claims.tenant, claims.principal, claims.client
        return
    raise ArmError(
        401,
        "InvalidAuthenticationToken",
        why,
        headers={"www-authenticate": f'Bearer realm="", authorization_uri="{call.cloud.login}/common/oauth2/authorize"'},
    )


def _is_for_another(call: Call, claims: Claims, audiences: Collection[str]) -> bool:
    """Whether a token is for another service. Where all services share an endpoint that is not Azure's own, it is their audience, too."""
    audience = claims.audience.rstrip("/")
    if audience in audiences:
        return False
    return call.cloud.owns(call.base) or any(audience in one.services for one in CLOUDS.values())


def check_tenant(arm: Sandbox, call: Call) -> None:
    """Raises ArmError 401 InvalidAuthenticationTokenTenant for a token of another tenant than the subscription's."""
    wanted = arm.directory.tenant_of(call.subscription)
    if wanted is None or wanted == call.tenant:
        return
    authority = f"{call.base}/{wanted}"
    raise ArmError(
        401,
        "InvalidAuthenticationTokenTenant",
        f"The access token is from the wrong issuer '{call.cloud.tokens}/{call.tenant}/'. It must match the tenant "
        f"'{call.cloud.tokens}/{wanted}/' associated with this subscription. Please use the authority (URL) '{authority}' to get the "
        "token. Note, if the subscription is transferred to another tenant there is no impact to the services, but information about new "
        "tenant could take time to propagate (up to an hour). If you just transferred your subscription and see this error message, please "
        "try back later.",
        headers={
            "www-authenticate": f'Bearer authorization_uri="{authority}", error="invalid_token", '
            'error_description="The access token is from the wrong issuer. It must match the AD tenant associated with the subscription, '
            'to which the configuration request is directed."'
        },
        gateway=True,
    )


def _read(arm: Sandbox, token: str) -> Claims | None:
    """The claims of a token that the sandbox issued; None for any other text."""
    known = arm.known_tokens.get(token)
    if known is not None:
        return known
    parts = token.split(".")
    if len(parts) != 3 or not hmac.compare_digest(_sign(arm, f"{parts[0]}.{parts[1]}").encode(), parts[2].encode()):
        return None
    claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    if len(arm.known_tokens) > 10_000:
        arm.known_tokens.clear()
    return arm.known_tokens.setdefault(
        token, Claims(claims["tid"], claims["oid"], claims["appid"], claims["aud"], float(claims["nbf"]), float(claims["exp"]))
    )


def _valid(arm: Sandbox, call: Call, claims: Claims | None, now: float) -> Claims:
    if claims is None:
        raise _refused(arm, call, "InvalidAuthenticationToken", "The access token is invalid.")
    if claims.expiry <= now:
        raise expired(arm, call, claims.expiry, now)
    if now < arm.now and claims.begin > now + SKEW:  # only a fault's clock is behind: a test's may start anew
        message = f"The access token is not yet valid: it begins at '{american(claims.begin)}', and it is '{american(now)}' UTC."
        raise _refused(arm, call, "InvalidAuthenticationToken", message)
    return claims


def expired(arm: Sandbox, call: Call, expiry: float, now: float) -> ArmError:
    """401 for a token that has expired (terraform-provider-azurerm#20867)."""
    message = f"The access token expiry UTC time '{american(expiry)}' is earlier than current UTC time '{american(now)}'."
    return _refused(arm, call, "ExpiredAuthenticationToken", message)


def _refused(arm: Sandbox, call: Call, code: str, message: str) -> ArmError:
    tenant = arm.directory.tenant_of(call.segments[1] if len(call.segments) > 1 else "") or arm.tenant_id
    challenge = (
        f'Bearer authorization_uri="{call.base}/{tenant}", error="invalid_token", '
        "error_description=\"The authentication failed because of missing 'Authorization' header.\""
    )
    return ArmError(401, code, message, headers={"www-authenticate": challenge}, gateway=True)


def american(seconds: float) -> str:
    """Epoch seconds as ARM's messages print times."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.month}/{moment.day}/{moment.year} {moment.hour % 12 or 12}:{moment:%M:%S} {'AM' if moment.hour < 12 else 'PM'}"


def answer(arm: Sandbox, call: Call) -> Response | None:
    """The answer of the login host, or None where the path is not one of its own."""
    parts = [segment.lower() for segment in call.segments]
    if parts[:3] == ["common", "discovery", "instance"] or parts[1:3] == ["discovery", "instance"]:
        host = call.base.split("://", 1)[1]
        return _json(
            200,
            {
                "tenant_discovery_endpoint": f"{call.base}/{arm.tenant_id}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
            },
        )
    if len(parts) >= 3 and parts[-2:] == [".well-known", "openid-configuration"]:
        return _json(200, _openid(arm, call.base, parts[0]))
    if len(parts) >= 3 and parts[-1] == "keys" and "discovery" in parts:
        return _json(200, {"keys": []})
    if len(parts) in (3, 4) and parts[1] == "oauth2" and parts[-1] == "token":
        return _token(arm, call, parts[0], version2=len(parts) == 4)
    return None


def _openid(arm: Sandbox, base: str, tenant: str) -> Json:
    return {
        "token_endpoint": f"{base}/{tenant}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{base}/{tenant}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{base}/{tenant if tenant in arm.directory.subscriptions.values() else arm.tenant_id}/v2.0",
        "request_uri_parameter_supported": False,
        "authorization_endpoint": f"{base}/{tenant}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/{tenant}/oauth2/v2.0/devicecode",
        "end_session_endpoint": f"{base}/{tenant}/oauth2/v2.0/logout",
        "tenant_region_scope": "NA",
        "cloud_instance_name": base.split("://", 1)[1],
    }


def _token(arm: Sandbox, call: Call, tenant: str, *, version2: bool) -> Response:
    form = dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
    if form.get("client_id", "") == "" and call.header("authorization")[:6].lower() == "basic ":
        user, _, password = base64.b64decode(call.header("authorization")[6:]).decode().partition(":")
        form.update(client_id=user, client_secret=password)
    home = arm.tenant_id if tenant in ("common", "organizations") else tenant
    if home not in arm.directory.subscriptions.values():
        return _refuse(
            arm,
            400,
            "invalid_request",
            90002,
            f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.",
        )
    if form.get("grant_type") != "client_credentials":
        return _refuse(
            arm, 400, "unsupported_grant_type", 70003, f"The app requested an unsupported grant type '{form.get('grant_type', '')}'."
        )
    client = form.get("client_id", "")
    try:
        principal = credentials.principal(arm, home, client)
    except KeyError:
        return _refuse(
            arm, 400, "unauthorized_client", 700016, f"Application with identifier '{client}' was not found in the directory '{tenant}'."
        )
    secret, assertion = form.get("client_secret"), form.get("client_assertion")
    if secret is None and not assertion:
        return _refuse(
            arm,
            401,
            "invalid_client",
            7000218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )
    try:
        wrong = secret is not None and not credentials.accepts(arm, principal, secret)
    except LookupError:
        return _refuse(
            arm,
            401,
            "invalid_client",
            7000222,
            f"The provided client secret keys for app '{client}' are expired. Visit the Azure portal to create new keys for your app: "
            "https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: "
            "https://aka.ms/certCreds.",
        )
    if wrong:
        return _refuse(
            arm,
            401,
            "invalid_client",
            7000215,
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client "
            "secret ID, "
            f"for a secret added to app '{client}'.",
        )
    if secret is None:
        if form.get("client_assertion_type") != assertions.TYPE:
            text = "The request body must contain the following parameter: 'client_assertion_type'."
            return _refuse(arm, 400, "invalid_request", 900144, text)
        names = (tenant, home)
        authorities = {f"{call.base}/{name}{end}".lower() for name in names for end in ("", "/v2.0", "/oauth2/token", "/oauth2/v2.0/token")}
        try:
            assertions.check(arm, principal, str(assertion), authorities)
        except assertions.RefusalError as refusal:
            return _refuse(arm, refusal.status, refusal.error, refusal.number, refusal.text)
    resource = form.get("resource") or form.get("scope", "").removesuffix("/.default")
    if not resource:
        return _refuse(
            arm,
            400,
            "invalid_request",
            900144,
            f"The request body must contain the following parameter: '{'scope' if version2 else 'resource'}'.",
        )
    if (unknown := unknown_service(arm, resource, home)) is not None:
        return _refuse(arm, 400, "invalid_resource", 500011, unknown)
    token = issue(arm, principal=principal, audience=resource)
    if version2:
        return _json(
            200,
            {
                "token_type": "Bearer",
                "expires_in": LIFETIME,
                "ext_expires_in": LIFETIME,
                "refresh_in": LIFETIME // 2,
                "access_token": token,
            },
        )
    now = int(arm.clock.now())
    return _json(
        200,
        {
            "token_type": "Bearer",
            "expires_in": str(LIFETIME),
            "ext_expires_in": str(LIFETIME),
            "expires_on": str(now + LIFETIME),
            "not_before": str(now),
            "resource": resource,
            "access_token": token,
        },
    )


def unknown_service(arm: Sandbox, audience: str, tenant: str) -> str | None:
    """Why there is no token for a service of another cloud; None where there is one."""
    if not is_elsewhere(audience, arm.cloud):
        return None
    return (
        f"The resource principal named {audience} was not found in the tenant named {tenant}. This can happen if the application has not "
        "been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your "
        "authentication request to the wrong tenant."
    )


def _refuse(arm: Sandbox, status: int, error: str, number: int, text: str) -> Response:
    when = datetime.fromtimestamp(arm.now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    trace, correlation = arm.request_guid(), arm.request_guid()
    return _json(
        status,
        {
            "error": error,
            "error_description": f"AADSTS{number}: {text}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {when}",
            "error_codes": [number],
            "timestamp": when,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"{arm.cloud.login}/error?code={number}",
        },
    )


def _json(status: int, value: Json) -> Response:
    return Response(status, {"content-type": JSON_TYPE, "cache-control": "no-store, no-cache"}, compact(value))
