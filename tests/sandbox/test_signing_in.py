"""Signing in without a secret: managed identities, certificates, tokens of other issuers; and what a sovereign cloud takes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from include.sandbox import assertions, instance_metadata
from include.sandbox.clock import virtual_clock
from include.sandbox.clouds import CLOUDS, Cloud
from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request, Response
from tests.signing_key import AUDIENCE, ISSUER, SUBJECT, SigningKey, der

ARM = "https://management.azure.com"
IMDS = "http://169.254.169.254"


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(virtual_clock())


def put(sandbox: Sandbox, path: str, body: Any, api_version: str = "2023-01-31") -> Response:
    headers = {"authorization": f"Bearer {sandbox.token()}"}
    return sandbox.handle(Request("PUT", f"{ARM}{path}?api-version={api_version}", headers, json.dumps(body).encode()))


def identity(sandbox: Sandbox, name: str = "builder") -> Any:
    """A user-assigned identity, as Azure shows it."""
    group = f"/subscriptions/{sandbox.subscription_id}/resourceGroups/rg"
    put(sandbox, group, {"location": "westeurope"}, "2024-11-01")
    return put(sandbox, f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}", {"location": "westeurope"}).json()


# managed identity


def instance(sandbox: Sandbox, query: str = "", path: str = "", version: str = "2018-02-01", **headers: str) -> Response:
    url = f"{IMDS}{path}/metadata/identity/oauth2/token?api-version={version}&resource={quote(ARM + '/')}{query}"
    return sandbox.handle(Request("GET", url, {"metadata": "true", **headers}))


def said(answer: Response) -> tuple[int, str]:
    return answer.status, answer.json()["error_description"]


@pytest.mark.parametrize(
    ("query", "member"),
    [("&client_id={}", "clientId"), ("&object_id={}", "principalId"), ("&msi_res_id={}", "id"), ("&mi_res_id={}", "id")],
)
def test_a_machine_gets_a_token_of_the_identity_that_it_names(sandbox: Sandbox, query: str, member: str) -> None:
    wanted, _ = identity(sandbox, "one"), identity(sandbox, "two")
    value = wanted[member] if member == "id" else wanted["properties"][member]
    found = instance(sandbox, query.format(quote(value))).json()
    assert (found["client_id"], found["resource"], found["token_type"]) == (wanted["properties"]["clientId"], f"{ARM}/", "Bearer")
    claims = json.loads(assertions.decoded(found["access_token"].split(".")[1]))
    assert (claims["oid"], claims["aud"]) == (wanted["properties"]["principalId"], f"{ARM}/")
    assert int(found["expires_on"]) == claims["exp"]


def test_a_machine_that_names_no_identity_gets_the_only_one(sandbox: Sandbox) -> None:
    assert said(instance(sandbox)) == (400, "Identity not found")
    only = identity(sandbox, "one")
    assert instance(sandbox).json()["client_id"] == only["properties"]["clientId"]
    identity(sandbox, "two")
    status, text = said(instance(sandbox))
    assert status == 400
    assert text.startswith("Multiple user assigned identities exist")
    assert said(instance(sandbox, "&client_id=nobody")) == (400, "Identity not found")


def test_the_metadata_service_has_its_rules(sandbox: Sandbox) -> None:
    identity(sandbox)
    assert said(instance(sandbox, metadata="")) == (400, "Required metadata header not specified")
    assert instance(sandbox, **{"x-forwarded-for": "10.0.0.4"}).status == 400
    assert said(instance(sandbox, version="")) == (400, "Required query variable 'api-version' was not specified")
    assert instance(sandbox, version="2017-01-01").status == 400
    assert sandbox.handle(Request("GET", f"{IMDS}/metadata/nothing?api-version=2018-02-01", {"metadata": "true"})).status == 404
    government = f"{IMDS}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.usgovcloudapi.net"
    refused = sandbox.handle(Request("GET", government, {"metadata": "true"})).json()
    assert (refused["error"], refused["error_description"][:12]) == ("invalid_resource", "AADSTS500011")


def test_nothing_else_is_served_over_plain_http_nor_that_over_tls(sandbox: Sandbox) -> None:
    headers = {"authorization": f"Bearer {sandbox.token()}"}
    assert (
        sandbox.handle(Request("GET", f"http://127.0.0.1/subscriptions/{sandbox.subscription_id}?api-version=2022-12-01", headers)).status
        == 404
    )
    identity(sandbox)
    over_tls = f"{ARM}/metadata/identity/oauth2/token?api-version=2018-02-01&resource={ARM}"
    assert sandbox.handle(Request("GET", over_tls, {"metadata": "true"})).status == 404


def test_a_machine_of_the_sandbox_has_its_own_identities_only(sandbox: Sandbox) -> None:
    other = identity(sandbox, "elsewhere")
    mine = identity(sandbox, "mine")
    root = f"/subscriptions/{sandbox.subscription_id}/resourceGroups/rg/providers/Microsoft.Compute/availabilitySets/x"
    gallery = root.replace("availabilitySets", "galleries")
    given = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {mine["id"]: {}}}
    made = put(sandbox, gallery, {"location": "westeurope", "identity": given}, "2025-03-03")
    assert made.status == 201, made.body
    own = made.json()["identity"]["principalId"]
    found = instance(sandbox, path=gallery).json()
    assert json.loads(assertions.decoded(found["access_token"].split(".")[1]))["oid"] == own
    assert instance(sandbox, f"&object_id={mine['properties']['principalId']}", gallery).status == 200
    assert said(instance(sandbox, f"&client_id={other['properties']['clientId']}", gallery)) == (
        400,
        "Identity not found",
    )
    assert instance(sandbox, path=root).status == 404


def test_an_app_proves_itself_by_its_identity_header(sandbox: Sandbox) -> None:
    wanted = identity(sandbox)
    url = f"http://127.0.0.1/msi/token?api-version=2019-08-01&resource={quote(ARM)}&mi_res_id={quote(wanted['id'])}"
    proof = {"x-identity-header": instance_metadata.header_of(sandbox)}
    assert sandbox.handle(Request("GET", url, proof)).json()["client_id"] == wanted["properties"]["clientId"]
    assert sandbox.handle(Request("GET", url, {"x-identity-header": "guess"})).status == 401
    assert sandbox.handle(Request("GET", url.replace("builder", "nobody"), proof)).status == 400


# client assertions


@pytest.fixture(scope="module")
def keys() -> list[SigningKey]:
    return [SigningKey(name) for name in ("first", "second")]


def sign_in(sandbox: Sandbox, client: str, assertion: str) -> Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": client,
        "client_assertion": assertion,
        "client_assertion_type": assertions.TYPE,
        "scope": f"{ARM}/.default",
    }
    return sandbox.handle(
        Request("POST", f"https://login.microsoftonline.com/{sandbox.tenant_id}/oauth2/v2.0/token", {}, urlencode(form).encode())
    )


def code(answer: Response) -> int | None:
    """The AADSTS code; None for a token."""
    found = answer.json()
    if "access_token" in found:
        return None
    assert found["error_description"].startswith(f"AADSTS{found['error_codes'][0]}: ")
    return int(found["error_codes"][0])


def trust(sandbox: Sandbox, *keys: SigningKey, issuer: str = ISSUER) -> Response:
    body = {"issuer": issuer, "keys": [key.public() for key in keys]}
    return sandbox.handle(Request("POST", "https://localhost/_sandbox/issuers", {}, json.dumps(body).encode()))


def federate(sandbox: Sandbox, owner: Any, name: str = "pods", **change: Any) -> Response:
    properties = {"issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE], **change}
    return put(sandbox, f"{owner['id']}/federatedIdentityCredentials/{name}", {"properties": properties})


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({}, None),
        ({"aud": AUDIENCE}, None),
        ({"iss": f"{ISSUER}/"}, 700211),
        ({"sub": SUBJECT.upper()}, 700213),
        ({"aud": "api://AzureADTokenExchangeUSGov"}, 700212),
        ({"nbf": 0, "exp": 1}, 700024),
        ({"exp": None}, 700024),
    ],
)
def test_a_token_of_another_issuer_is_taken_if_a_federated_credential_says_so(
    sandbox: Sandbox, keys: list[SigningKey], change: dict[str, Any], refusal: int | None
) -> None:
    owner = identity(sandbox)
    assert federate(sandbox, owner).status == 201
    trust(sandbox, keys[0])
    assert code(sign_in(sandbox, owner["properties"]["clientId"], keys[0].token(sandbox.now, **change))) == refusal


def test_a_token_is_held_against_its_issuers_keys(sandbox: Sandbox, keys: list[SigningKey]) -> None:
    owner = identity(sandbox)
    client = owner["properties"]["clientId"]
    federate(sandbox, owner)
    assert code(sign_in(sandbox, client, keys[0].token(sandbox.now))) == 50166
    assert trust(sandbox, keys[0]).status == 201
    assert code(sign_in(sandbox, client, keys[0].token(sandbox.now))) is None
    assert code(sign_in(sandbox, client, keys[1].token(sandbox.now))) == 700027
    stolen = SigningKey(keys[0].id, keys[1].private)
    assert code(sign_in(sandbox, client, stolen.token(sandbox.now))) == 700027
    trust(sandbox, *keys)
    assert code(sign_in(sandbox, client, keys[1].token(sandbox.now))) is None
    assert trust(sandbox, issuer="http://plain").status == 400


def test_an_identity_without_federated_credentials_trusts_nobody(sandbox: Sandbox, keys: list[SigningKey]) -> None:
    owner, other = identity(sandbox), identity(sandbox, "other")
    federate(sandbox, owner)
    trust(sandbox, keys[0])
    assert code(sign_in(sandbox, other["properties"]["clientId"], keys[0].token(sandbox.now))) == 700211
    sandbox.handle(Request("DELETE", f"{ARM}{owner['id']}?api-version=2023-01-31", {"authorization": f"Bearer {sandbox.token()}"}))
    assert code(sign_in(sandbox, owner["properties"]["clientId"], keys[0].token(sandbox.now))) == 700016
    assert identity(sandbox)["id"] == owner["id"]
    assert code(sign_in(sandbox, owner["properties"]["clientId"], keys[0].token(sandbox.now))) == 700211


def test_a_federated_credential_that_cannot_be_is_refused(sandbox: Sandbox) -> None:
    owner = identity(sandbox)
    assert federate(sandbox, owner, "no").status == 400
    assert federate(sandbox, owner, audiences=["a", "b"]).status == 400
    assert federate(sandbox, owner, subject="").status == 400
    assert federate(sandbox, owner).status == 201
    assert federate(sandbox, owner).status == 200
    assert federate(sandbox, owner, "again").json()["error"]["code"] == "Conflict"
    for number in range(19):
        assert federate(sandbox, owner, f"more-{number}", subject=f"{SUBJECT}-{number}").status == 201
    assert federate(sandbox, owner, "too-many", subject="another").status == 400


def graph(sandbox: Sandbox, method: str, path: str, body: Any = None) -> Response:
    headers = {"authorization": f"Bearer {sandbox.token(audience='https://graph.microsoft.com')}"}
    content = json.dumps(body).encode() if body is not None else b""
    return sandbox.handle(Request(method, f"https://graph.microsoft.com/v1.0{path}", headers, content))


def application(sandbox: Sandbox) -> tuple[str, str]:
    """The path and the client id of a new application with a service principal."""
    made = graph(sandbox, "POST", "/applications", {"displayName": "factory"}).json()
    assert graph(sandbox, "POST", "/servicePrincipals", {"appId": made["appId"]}).status == 201
    return f"/applications/{made['id']}", made["appId"]


def test_an_applications_federated_credentials_are_graphs(sandbox: Sandbox, keys: list[SigningKey]) -> None:
    path, client = application(sandbox)
    trust(sandbox, keys[0])
    given = {"name": "pods", "issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE]}
    made = graph(sandbox, "POST", f"{path}/federatedIdentityCredentials", given)
    assert made.status == 201, made.body
    assert code(sign_in(sandbox, client, keys[0].token(sandbox.now))) is None
    listed = graph(sandbox, "GET", f"{path}/federatedIdentityCredentials").json()["value"]
    assert [{name: one[name] for name in given} for one in listed] == [given]
    assert graph(sandbox, "POST", f"{path}/federatedIdentityCredentials", given).status == 409
    one = f"{path}/federatedIdentityCredentials/{made.json()['id']}"
    assert graph(sandbox, "PATCH", one, {"subject": "somebody else"}).status == 204
    assert code(sign_in(sandbox, client, keys[0].token(sandbox.now))) == 700213
    assert graph(sandbox, "DELETE", one).status == 204
    assert graph(sandbox, "GET", one).status == 404
    assert code(sign_in(sandbox, client, keys[0].token(sandbox.now))) == 700211


def keyed(sandbox: Sandbox, path: str, certificates: Iterable[x509.Certificate]) -> Response:
    given = [{"type": "AsymmetricX509Cert", "usage": "Verify", "key": der(one)} for one in certificates]
    return graph(sandbox, "PATCH", path, {"keyCredentials": given})


def proof(key: SigningKey, certificate: x509.Certificate, client: str, now: float, tenant: str, **change: Any) -> str:
    """What a client signs with its certificate's key."""
    claims = {
        "iss": client,
        "sub": client,
        "aud": f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        "nbf": now,
        "exp": now + 600,
    }
    thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA1())).decode().rstrip("=")
    return key.sign({**claims, **change}, x5t=thumbprint)


def test_an_application_signs_in_by_its_certificate(sandbox: Sandbox, keys: list[SigningKey]) -> None:
    path, client = application(sandbox)
    begin = datetime.fromtimestamp(sandbox.now, UTC)
    own, other = keys[0].certificate(begin), keys[1].certificate(begin)
    assert code(sign_in(sandbox, client, proof(keys[0], own, client, sandbox.now, sandbox.tenant_id))) == 700027
    assert keyed(sandbox, path, [own]).status == 204
    shown = graph(sandbox, "GET", path).json()["keyCredentials"][0]
    thumbprint = own.fingerprint(hashes.SHA1()).hex().upper()
    assert (shown["key"], shown["customKeyIdentifier"]) == (None, thumbprint)

    def trial(key: SigningKey, certificate: x509.Certificate, **change: Any) -> int | None:
        return code(sign_in(sandbox, client, proof(key, certificate, client, sandbox.now, sandbox.tenant_id, **change)))

    assert trial(keys[0], own) is None
    assert trial(keys[1], own) == 700027
    assert trial(keys[1], other) == 700027
    assert trial(keys[0], own, sub="another") == 700021
    assert trial(keys[0], own, aud="https://login.microsoftonline.us/common") == 700023
    assert trial(keys[0], own, exp=sandbox.now - 3600) == 700024
    assert keyed(sandbox, path, [own, other]).status == 204
    assert trial(keys[1], other) is None
    sandbox.skip(400 * 86_400)
    assert trial(keys[0], own) == 700027


def test_a_certificate_that_is_none_is_refused(sandbox: Sandbox) -> None:
    path, _ = application(sandbox)
    given = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.b64encode(b"no certificate").decode()}
    assert graph(sandbox, "PATCH", path, {"keyCredentials": [given]}).status == 400


def test_what_is_trusted_survives_a_dump(sandbox: Sandbox, keys: list[SigningKey]) -> None:
    path, client = application(sandbox)
    certificate = keys[1].certificate(datetime.fromtimestamp(sandbox.now, UTC))
    keyed(sandbox, path, [certificate])
    trust(sandbox, keys[0])
    owner = identity(sandbox)
    federate(sandbox, owner)
    again = Sandbox(virtual_clock())
    again.load(sandbox.dump())
    assert code(sign_in(again, owner["properties"]["clientId"], keys[0].token(again.now))) is None
    assert code(sign_in(again, client, proof(keys[1], certificate, client, again.now, again.tenant_id))) is None


# clouds


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS)
def test_each_cloud_has_its_own_endpoints_regions_and_audiences(cloud: Cloud) -> None:
    sandbox = Sandbox(virtual_clock(), cloud=cloud.name)
    endpoints = sandbox.handle(Request("GET", f"{cloud.resource_manager}/metadata/endpoints?api-version=2022-09-01")).json()
    assert (endpoints["name"], endpoints["authentication"]["loginEndpoint"]) == (cloud.name, f"{cloud.login}/")
    assert endpoints["authentication"]["audiences"] == [f"{cloud.management}/", f"{cloud.resource_manager}/"]
    assert (endpoints["graph"], endpoints["microsoftGraphResourceId"]) == (f"{cloud.directory_graph}/", f"{cloud.graph}/")
    root = f"{cloud.resource_manager}/subscriptions/{sandbox.subscription_id}"
    own = {"authorization": f"Bearer {sandbox.token()}"}
    regions = [one["name"] for one in sandbox.handle(Request("GET", f"{root}/locations?api-version=2022-12-01", own)).json()["value"]]
    for name in ("westeurope", "usgovvirginia", "chinanorth3"):
        group = Request("PUT", f"{root}/resourceGroups/{name}?api-version=2024-11-01", own, json.dumps({"location": name}).encode())
        assert sandbox.handle(group).status == (201 if name in regions else 400)
    assert sum(name in regions for name in ("westeurope", "usgovvirginia", "chinanorth3")) == 1


@pytest.mark.parametrize("base", ["https://management.usgovcloudapi.net", "https://127.0.0.1:8443"])
def test_a_token_for_another_clouds_services_is_refused(base: str) -> None:
    sandbox = Sandbox(virtual_clock(), cloud="AzureUSGovernment")

    def ask(audience: str) -> Any:
        headers = {"authorization": f"Bearer {sandbox.token(audience=audience)}"}
        return sandbox.handle(Request("GET", f"{base}/subscriptions/{sandbox.subscription_id}?api-version=2022-12-01", headers))

    assert ask("https://management.core.usgovcloudapi.net/").status == 200
    for other in ("https://management.azure.com/", "https://management.chinacloudapi.cn", "https://graph.microsoft.us"):
        assert ask(other).json()["error"]["code"] == "InvalidAuthenticationTokenAudience"
