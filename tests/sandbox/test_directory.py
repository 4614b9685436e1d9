"""Tenants, subscriptions and principals: who gets a token, and where it is good for something."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest

from include.sandbox.clock import virtual_clock
from include.sandbox.directory import Directory, Principal
from include.sandbox.sandbox import Sandbox
from include.sandbox.server import connection
from include.sandbox.wire import Request, Response

HOST = "https://management.azure.com"


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(virtual_clock())


def sign_in(sandbox: Sandbox, tenant: str, client: str, secret: str = "in-process") -> Response:
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret, "scope": f"{HOST}/.default"}
    return sandbox.handle(Request("POST", f"{HOST}/{tenant}/oauth2/v2.0/token", {}, urlencode(form).encode()))


def groups(sandbox: Sandbox, token: str, subscription: str, auxiliary: str = "") -> Response:
    headers = {"authorization": f"Bearer {token}"}
    if auxiliary:
        headers["x-ms-authorization-auxiliary"] = auxiliary
    return sandbox.handle(Request("GET", f"{HOST}/subscriptions/{subscription}/resourcegroups?api-version=2024-11-01", headers))


def names(sandbox: Sandbox, principal: Principal) -> list[str]:
    headers = {"authorization": f"Bearer {sandbox.token(principal)}"}
    body = sandbox.handle(Request("GET", f"{HOST}/subscriptions?api-version=2022-12-01", headers)).json()
    return [one["displayName"] for one in body["value"]]


def test_a_token_is_good_in_the_subscriptions_of_its_tenant(sandbox: Sandbox) -> None:
    own = sandbox.directory
    token = sign_in(sandbox, own.tenant_id, own.client_id).json()["access_token"]
    assert groups(sandbox, token, own.subscription_id).status == 200
    assert groups(sandbox, token, own.second_subscription_id.upper()).status == 200
    refused = groups(sandbox, token, own.partner_subscription_id)
    assert (refused.status, refused.json()["error"]["code"]) == (401, "InvalidAuthenticationTokenTenant")
    assert f"It must match the tenant 'https://sts.windows.net/{own.partner_tenant_id}/'" in refused.json()["error"]["message"]
    assert f'authorization_uri="{HOST}/{own.partner_tenant_id}"' in refused.headers["www-authenticate"]


def test_a_multi_tenant_application_signs_in_to_both_tenants_as_two_principals(sandbox: Sandbox) -> None:
    own = sandbox.directory
    assert sign_in(sandbox, own.partner_tenant_id, own.client_id).status == 200
    assert own.find(own.partner_tenant_id, own.client_id).object_id != own.main.object_id
    assert len({one.object_id for one in own.principals}) == len(own.principals) == 5


def test_an_application_of_one_tenant_is_unknown_in_the_other(sandbox: Sandbox) -> None:
    own = sandbox.directory
    assert sign_in(sandbox, own.tenant_id, own.colleague_client_id).status == 200
    refused = sign_in(sandbox, own.partner_tenant_id, own.colleague_client_id)
    assert (refused.status, refused.json()["error_codes"]) == (400, [700016])
    assert sign_in(sandbox, "9a47e400-0000-4000-8000-000000000000", own.client_id).json()["error_codes"] == [90002]
    assert sign_in(sandbox, own.partner_tenant_id, own.partner_client_id, "wrong").json()["error_codes"] == [7000215]


def test_each_principal_sees_the_subscriptions_in_which_it_may_do_something(sandbox: Sandbox) -> None:
    own = sandbox.directory
    assert names(sandbox, own.main) == ["Sandbox", "Sandbox 2"]
    assert names(sandbox, own.partner) == ["Partner"]
    assert names(sandbox, own.colleague) == []


def test_auxiliary_tokens_are_checked_as_the_others_are(sandbox: Sandbox) -> None:
    own = sandbox.directory
    token, other = sandbox.token(), sandbox.token(own.find(own.partner_tenant_id, own.client_id))
    assert groups(sandbox, token, own.subscription_id, f"Bearer {other}").status == 200
    for bad in ("Bearer a.b.c", f"Bearer {other}, Bearer {sandbox.token(own.partner, lifetime=-1)}"):
        assert groups(sandbox, token, own.subscription_id, bad).status == 401


def test_a_state_folder_of_before_gets_the_new_settings_and_keeps_its_own(tmp_path: Path) -> None:
    kept = {"tenant_id": "72f988bf-0000-4000-8000-0000000000aa", "client_secret": "kept"}
    (tmp_path / "identity.json").write_text(json.dumps(kept))
    found = connection(tmp_path, 8443)
    assert (found.tenant_id, found.client_secret) == (kept["tenant_id"], "kept")
    assert len({found.client_secret, found.colleague_client_secret, found.partner_client_secret}) == 3
    assert Directory(**json.loads((tmp_path / "identity.json").read_text())).settings().items() >= kept.items()
    assert connection(tmp_path, 8443) == found
