"""What goes over the wire, as recorded: status codes, long-running operation headers, dialects, tokens, paging."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.sandbox import assertions, tokens
from include.sandbox.clock import virtual_clock
from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request, Response
from tests.sandbox.bodies import LOCATION, UBUNTU, machine, newest

HOST = "https://management.azure.com"


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(virtual_clock(), authenticate=False, page=3)


def ask(
    sandbox: Sandbox, method: str, path: str, body: Any = None, *, version: str = "", headers: dict[str, str] | None = None
) -> Response:
    url = path if path.startswith("https://") else f"{HOST}/subscriptions/{sandbox.subscription_id}{path}"
    if "api-version" not in url:
        url += ("&" if "?" in url else "?") + f"api-version={version or newest(path)}"
    return sandbox.handle(Request(method, url, headers or {}, b"" if body is None else json.dumps(body).encode()))


def finish(sandbox: Sandbox, response: Response) -> Any:
    """Poll the status URL until it is done; returns the last body."""
    url = response.headers["azure-asyncoperation"]
    for _ in range(200):
        body = ask(sandbox, "GET", url).json()
        if body["status"] not in ("InProgress", "Running", "Accepted"):
            return body
        sandbox.clock.advance(30)
    raise AssertionError("never done")


RG = "/resourceGroups/rg"
COMPUTE = f"{RG}/providers/Microsoft.Compute"
NETWORK = f"{RG}/providers/Microsoft.Network"


@pytest.fixture
def built(sandbox: Sandbox) -> Sandbox:
    """A group, a network, and a running machine."""
    ask(sandbox, "PUT", RG, {"location": LOCATION})
    space = {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "build", "properties": {"addressPrefix": "10.0.0.0/24"}}],
    }
    finish(sandbox, ask(sandbox, "PUT", f"{NETWORK}/virtualNetworks/vnet", {"location": LOCATION, "properties": space}))
    subnet = f"/subscriptions/{sandbox.subscription_id}{NETWORK}/virtualNetworks/vnet/subnets/build"
    finish(sandbox, ask(sandbox, "PUT", f"{COMPUTE}/virtualMachines/vm", machine(subnet, UBUNTU)))
    return sandbox


def lro(response: Response) -> tuple[int, bool, bool, str | None]:
    """(status, Azure-AsyncOperation sent, Location sent, Retry-After)."""
    return response.status, "azure-asyncoperation" in response.headers, "location" in response.headers, response.headers.get("retry-after")


DISK = {"location": LOCATION, "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
COMMAND = {"location": LOCATION, "properties": {"source": {"script": "true"}}}


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("PUT", f"{COMPUTE}/disks/d", DISK, (202, True, True, "2")),
        ("PUT", f"{COMPUTE}/galleries/g", {"location": LOCATION}, (201, True, False, None)),
        ("PUT", f"{COMPUTE}/virtualMachines/vm/runCommands/c", COMMAND, (201, True, False, None)),
        ("PATCH", f"{COMPUTE}/virtualMachines/vm", {"properties": {"licenseType": "None"}}, (200, True, False, None)),
        ("PATCH", f"{COMPUTE}/virtualMachines/vm", {"tags": {"a": "b"}}, (200, False, False, None)),
        ("POST", f"{COMPUTE}/virtualMachines/vm/deallocate", None, (202, True, True, "10")),
        ("POST", f"{COMPUTE}/virtualMachines/vm/powerOff?skipShutdown=false", None, (202, True, True, None)),
        ("POST", f"{COMPUTE}/virtualMachines/vm/runCommand", {"commandId": "RunShellScript", "script": ["true"]}, (202, True, True, None)),
        ("DELETE", f"{COMPUTE}/virtualMachines/vm", None, (202, True, True, "10")),
        (
            "PUT",
            f"{NETWORK}/virtualNetworks/other",
            {"location": LOCATION, "properties": {"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]}}},
            (201, True, False, "3"),
        ),
        ("DELETE", RG, None, (202, False, True, "15")),
    ],
)
def test_long_running_calls_carry_the_headers_that_were_recorded(
    built: Sandbox, method: str, path: str, body: Any, expected: tuple[int, bool, bool, str | None]
) -> None:
    response = ask(built, method, path, body)
    assert lro(response) == expected
    if method in ("POST", "DELETE"):
        assert response.body == b""


def test_a_status_url_is_long_opaque_and_answers_200_with_a_retry_after(built: Sandbox) -> None:
    response = ask(built, "POST", f"{COMPUTE}/virtualMachines/vm/deallocate")
    url = response.headers["azure-asyncoperation"]
    assert len(url) > 3500
    assert "/locations/westeurope/operations/" in url
    status = ask(built, "GET", url)
    assert (status.status, status.json()["status"], status.headers["retry-after"]) == (200, "InProgress", "10")
    assert ask(built, "GET", response.headers["location"]).status == 202
    done = finish(built, response)
    assert list(done) == ["startTime", "endTime", "status", "name"]
    assert done["endTime"].endswith("+00:00")
    final = ask(built, "GET", response.headers["location"])
    assert (final.status, final.body) == (200, b"")


@pytest.mark.parametrize(("speed", "action", "told"), [(1, "start", "10 -"), (1, "powerOff", "- -"), (100, "powerOff", "1 1")])
def test_when_to_ask_again_is_told_as_azure_does_and_always_by_a_faster_sandbox(
    built: Sandbox, speed: float, action: str, told: str
) -> None:
    finish(built, ask(built, "POST", f"{COMPUTE}/virtualMachines/vm/{'deallocate' if action == 'start' else 'start'}"))
    built.speed = speed
    url = ask(built, "POST", f"{COMPUTE}/virtualMachines/vm/{action}").headers["azure-asyncoperation"]
    assert " ".join(ask(built, "GET", url).headers.get("retry-after", "-") for _ in range(2)) == told


def test_a_disks_operation_has_the_whole_resource_as_its_output(built: Sandbox) -> None:
    response = ask(built, "PUT", f"{COMPUTE}/disks/d", DISK)
    assert response.json()["properties"]["provisioningState"] == "Updating"
    assert finish(built, response)["properties"]["output"]["properties"]["diskState"] == "Unattached"


def test_generalize_is_synchronous(built: Sandbox) -> None:
    finish(built, ask(built, "POST", f"{COMPUTE}/virtualMachines/vm/deallocate"))
    response = ask(built, "POST", f"{COMPUTE}/virtualMachines/vm/generalize")
    assert (lro(response), response.body) == ((200, False, False, None), b"")


def test_a_groups_deletion_polls_its_location_to_an_empty_200(built: Sandbox) -> None:
    response = ask(built, "DELETE", RG)
    assert ask(built, "GET", response.headers["location"]).status == 202
    built.clock.advance(3600)
    final = ask(built, "GET", response.headers["location"])
    assert (final.status, final.body) == (200, b"")
    assert ask(built, "HEAD", RG).status == 404


def test_the_front_door_writes_compactly_and_the_provider_indents(built: Sandbox) -> None:
    provider = ask(built, "GET", f"{COMPUTE}/virtualMachines/vm")
    assert provider.body.startswith(b'{\r\n  "name": "vm",\r\n')
    gateway = ask(built, "GET", f"{COMPUTE}/virtualMachines/none")
    assert gateway.body.startswith(b'{"error":{"code":"ResourceNotFound"')
    assert gateway.headers["x-ms-failure-cause"] == "gateway"
    assert "x-ms-failure-cause" not in ask(built, "POST", f"{COMPUTE}/virtualMachines/vm/generalize").headers


def test_a_machines_etag_counts_its_changes(built: Sandbox) -> None:
    before = ask(built, "GET", f"{COMPUTE}/virtualMachines/vm")
    assert (before.headers["etag"], before.json()["etag"]) == ('"1"', '"1"')
    finish(built, ask(built, "PATCH", f"{COMPUTE}/virtualMachines/vm", {"properties": {"licenseType": "None"}}))
    assert ask(built, "GET", f"{COMPUTE}/virtualMachines/vm").headers["etag"] == '"2"'


def test_an_update_that_changes_nothing_has_no_operation(built: Sandbox) -> None:
    assert lro(ask(built, "PATCH", f"{COMPUTE}/virtualMachines/vm", {})) == (200, False, False, None)


def test_rate_limit_headers_name_the_bucket(built: Sandbox) -> None:
    response = ask(built, "POST", f"{COMPUTE}/virtualMachines/vm/deallocate")
    assert response.headers["x-ms-ratelimit-remaining-resource"].startswith("Microsoft.Compute/DeleteVMSubscriptionMaximum;")
    assert response.headers["x-ms-ratelimit-remaining-subscription-writes"] == "199"


def test_ids_are_compared_without_regard_to_case(built: Sandbox) -> None:
    assert ask(built, "GET", f"{COMPUTE}/virtualMachines/vm".upper()).status == 200


def test_a_long_list_comes_in_pages(sandbox: Sandbox) -> None:
    ask(sandbox, "PUT", RG, {"location": LOCATION})
    for number in range(7):
        ask(sandbox, "PUT", f"{COMPUTE}/disks/d{number}", DISK)
    names: list[str] = []
    url: str | None = f"{COMPUTE}/disks"
    pages = 0
    while url is not None:
        body = ask(sandbox, "GET", url).json()
        names += [one["name"] for one in body["value"]]
        url = body.get("nextLink")
        pages += 1
    assert (pages, names) == (3, [f"d{number}" for number in range(7)])


@pytest.mark.parametrize(
    ("version", "code"),
    [("", "MissingApiVersionParameter"), ("yesterday", "NoRegisteredProviderFound"), ("2024-07-02", "NoRegisteredProviderFound")],
)
def test_an_unknown_api_version_is_refused(sandbox: Sandbox, version: str, code: str) -> None:
    response = sandbox.handle(
        Request(
            "GET",
            f"{HOST}/subscriptions/{sandbox.subscription_id}/providers/Microsoft.Compute/disks"
            + (f"?api-version={version}" if version else ""),
        )
    )
    assert (response.status, response.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize("path", ["/resourceGroups", "/resourceGroups/rg", "/locations", "/providers/Microsoft.Compute"])
def test_resource_manager_itself_names_the_versions_that_it_has(sandbox: Sandbox, path: str) -> None:
    error = ask(sandbox, "GET", path, version="2024-07-02").json()["error"]
    assert error["code"] == "InvalidApiVersionParameter"
    assert error["message"].startswith("The api-version '2024-07-02' is invalid. The supported versions are '")


def test_a_provider_names_its_versions_and_locations(sandbox: Sandbox) -> None:
    message = ask(sandbox, "GET", f"{RG}/providers/Microsoft.Compute/disks/d", version="2024-07-01").json()["error"]["message"]
    assert message.startswith("No registered resource provider found for location '' and API version '2024-07-01' for type 'disks'. ")
    assert "2023-10-02, 2024-03-02" in message


def test_whether_something_is_there_is_told_before_its_api_version_is_judged(sandbox: Sandbox) -> None:
    """Recorded traffic of azure-mgmt-resource 15.0.0 (test_resources): HEAD with an api-version of Resource Manager's own."""
    found = [ask(sandbox, method, f"{RG}/providers/Microsoft.Compute/disks/none", version="2019-10-01") for method in ("HEAD", "GET")]
    assert [answer.status for answer in found] == [404, 400]


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff"])
def test_a_malformed_body_is_a_400(sandbox: Sandbox, body: bytes) -> None:
    response = sandbox.handle(Request("PUT", f"{HOST}/subscriptions/{sandbox.subscription_id}{RG}?api-version=2024-11-01", {}, body))
    assert (response.status, response.json()["error"]["code"]) == (400, "InvalidRequestContent")


def test_a_value_of_the_wrong_type_is_named(sandbox: Sandbox) -> None:
    ask(sandbox, "PUT", RG, {"location": LOCATION})
    response = ask(
        sandbox,
        "PUT",
        f"{COMPUTE}/disks/d",
        {"location": LOCATION, "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": "four"}},
    )
    assert (response.status, response.json()["error"]["target"]) == (400, "diskSizeGB")


# tokens


def closed() -> Sandbox:
    return Sandbox(virtual_clock())


def test_a_request_needs_a_token_that_the_sandbox_issued() -> None:
    sandbox = closed()
    assert ask(sandbox, "GET", RG).json()["error"]["code"] == "AuthenticationFailed"
    forged = {"Authorization": "Bearer a.b.c"}
    assert ask(sandbox, "GET", RG, headers=forged).json()["error"]["code"] == "InvalidAuthenticationToken"
    token = tokens.issue(sandbox, lifetime=60)
    own = {"Authorization": f"Bearer {token}"}
    assert ask(sandbox, "GET", RG, headers=own).status == 404
    sandbox.clock.advance(61)
    late = ask(sandbox, "GET", RG, headers=own)
    assert (late.status, late.json()["error"]["code"]) == (401, "ExpiredAuthenticationToken")
    assert "is earlier than current UTC time" in late.json()["error"]["message"]


@pytest.mark.parametrize(
    ("form", "status", "number"),
    [
        ("client_id={client}&client_secret={secret}&scope=https://management.azure.com/.default", 200, None),
        ("client_id={client}&client_assertion=a.b.c&client_assertion_type=urn&scope=https://management.azure.com/.default", 400, 900144),
        ("client_id={client}&client_assertion=a.b.c&client_assertion_type={type}&scope=https://management.azure.com/.default", 401, 50027),
        ("client_id={client}&client_secret={secret}&scope=https://management.usgovcloudapi.net/.default", 400, 500011),
        ("client_id={client}&client_secret=wrong&scope=https://management.azure.com/.default", 401, 7000215),
        ("client_id=nobody&client_secret={secret}&scope=https://management.azure.com/.default", 400, 700016),
        ("client_id={client}&scope=https://management.azure.com/.default", 401, 7000218),
    ],
)
def test_the_token_endpoint_answers_as_entra_does(form: str, status: int, number: int | None) -> None:
    sandbox = closed()
    body = "grant_type=client_credentials&" + form.format(client=sandbox.client_id, secret=sandbox.client_secret, type=assertions.TYPE)
    response = sandbox.handle(Request("POST", f"{HOST}/{sandbox.tenant_id}/oauth2/v2.0/token", {}, body.encode()))
    assert response.status == status
    if number is None:
        token = response.json()["access_token"]
        assert token.count(".") == 2
        assert ask(sandbox, "PUT", RG, {"location": LOCATION}, headers={"authorization": f"Bearer {token}"}).status == 201
    else:
        assert response.json()["error_codes"] == [number]
        assert response.json()["error_description"].startswith(f"AADSTS{number}: ")


def test_a_v1_token_comes_with_texts_for_numbers() -> None:
    sandbox = closed()
    body = f"grant_type=client_credentials&client_id={sandbox.client_id}&client_secret={sandbox.client_secret}&resource=https://management.azure.com/"
    found = sandbox.handle(Request("POST", f"{HOST}/{sandbox.tenant_id}/oauth2/token?api-version=1.0", {}, body.encode())).json()
    assert {type(found[key]) for key in ("expires_in", "expires_on", "not_before", "resource")} == {str}
