"""Microsoft Graph: who is in the directory, who is in which group, and who may sign in."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from include.sandbox.clock import virtual_clock
from include.sandbox.directory import Principal
from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request, Response

GRAPH = "https://graph.microsoft.com"
ARM = "https://management.azure.com"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(virtual_clock())


class Directory:
    """Graph as a principal (default: the main one) sees it."""

    def __init__(self, sandbox: Sandbox, principal: Principal | None = None, base: str = GRAPH) -> None:
        self.sandbox = sandbox
        self.base = base
        self.headers = {"authorization": f"Bearer {sandbox.token(principal, audience=base)}"}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        content = json.dumps(body).encode() if body is not None else b""
        return self.sandbox.handle(Request(method, f"{self.base}/v1.0{path}", {**self.headers, **headers}, content))

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status == 200, answer.body
        return answer.json()

    def made(self, path: str, body: Any) -> Any:
        answer = self.ask("POST", path, body)
        assert answer.status in (200, 201), answer.body
        return answer.json()

    def group(self, name: str, *members: str) -> str:
        given = {"displayName": name, "mailNickname": name, "mailEnabled": False, "securityEnabled": True}
        id = str(self.made("/groups", given)["id"])
        for member in members:
            self.add(id, member)
        return id

    def add(self, group: str, member: str) -> None:
        answer = self.ask("POST", f"/groups/{group}/members/$ref", {"@odata.id": f"{self.base}/v1.0/directoryObjects/{member}"})
        assert answer.status == 204, answer.body

    def user(self, name: str) -> str:
        given = {"displayName": name, "mailNickname": name, "accountEnabled": True, "passwordProfile": {"password": "Correct.Horse.1"}}
        return str(self.made("/users", {**given, "userPrincipalName": f"{name}@sandbox.onmicrosoft.com"})["id"])

    def filtered(self, path: str, text: str) -> list[str]:
        return [one["displayName"] for one in self.get(f"{path}?$filter={quote(text)}")["value"]]


@pytest.fixture
def graph(sandbox: Sandbox) -> Directory:
    return Directory(sandbox)


def refusal(answer: Response) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["code"]


def assign(sandbox: Sandbox, principal: str, **properties: str) -> Response:
    scope = f"/subscriptions/{sandbox.subscription_id}"
    role = f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{READER}"
    body = {"properties": {"roleDefinitionId": role, "principalId": principal, **properties}}
    url = f"{ARM}{scope}/providers/Microsoft.Authorization/roleAssignments/{sandbox.request_guid()}?api-version=2022-04-01"
    return sandbox.handle(Request("PUT", url, {"authorization": f"Bearer {sandbox.token()}"}, json.dumps(body).encode()))


def sign_in(sandbox: Sandbox, client: str, secret: str) -> Response:
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret, "scope": f"{ARM}/.default"}
    return sandbox.handle(Request("POST", f"{ARM}/{sandbox.tenant_id}/oauth2/v2.0/token", {}, urlencode(form).encode()))


def test_the_directory_has_the_sandboxs_applications(sandbox: Sandbox, graph: Directory) -> None:
    own = sandbox.directory
    assert [one["displayName"] for one in graph.get("/servicePrincipals")["value"]] == ["Sandbox", "Colleague", "Partner"]
    assert [one["appId"] for one in graph.get("/applications")["value"]] == [own.client_id, own.colleague_client_id]
    found = graph.get(f"/servicePrincipals(appId='{own.client_id}')")
    assert (found["id"], found["servicePrincipalNames"]) == (own.main.object_id, [own.client_id])
    assert found["@odata.context"] == f"{GRAPH}/v1.0/$metadata#servicePrincipals/$entity"
    assert "@odata.type" not in found


def test_objects_are_found_by_what_is_asked_about_them(sandbox: Sandbox, graph: Directory) -> None:
    graph.group("readers")
    graph.group("readers of images")
    graph.user("ann")
    client = sandbox.client_id
    assert graph.filtered("/groups", "displayName eq 'Readers' and mailNickname eq 'readers'") == ["readers"]
    assert graph.filtered("/groups", "startswith(displayName,'readers')") == ["readers", "readers of images"]
    assert graph.filtered("/groups", "displayName in ('readers', 'writers') or not securityEnabled eq true") == ["readers"]
    assert graph.filtered("/users", "userPrincipalName eq 'ann@sandbox.onmicrosoft.com'") == ["ann"]
    assert graph.filtered("/users", "mail eq null") == ["ann"]
    assert graph.filtered("/servicePrincipals", f"servicePrincipalNames/any(c:c eq '{client}')") == ["Sandbox"]
    assert graph.get("/users?$select=displayName,accountEnabled&$count=true") == {
        "@odata.context": f"{GRAPH}/v1.0/$metadata#users(displayName,accountEnabled)",
        "@odata.count": 1,
        "value": [{"displayName": "ann", "accountEnabled": True}],
    }
    for bad in ("colour eq 'red'", "displayName eq", "displayName like 'a'"):
        assert refusal(graph.ask("GET", f"/groups?$filter={quote(bad)}")) == (400, "BadRequest")


def test_a_list_comes_in_pages(graph: Directory) -> None:
    for number in range(5):
        graph.user(f"user{number}")
    first = graph.get("/users?$top=3&$select=displayName")
    assert len(first["value"]) == 3
    second = graph.get(first["@odata.nextLink"].removeprefix(f"{GRAPH}/v1.0"))
    assert [one["displayName"] for one in second["value"]] == ["user3", "user4"]
    assert "@odata.nextLink" not in second


def test_transitive_members_are_those_of_groups_in_the_group_too(graph: Directory) -> None:
    ann, ben = graph.user("ann"), graph.user("ben")
    inner = graph.group("inner", ben)
    outer = graph.group("outer", ann, inner)
    graph.add(inner, outer)  # groups may hold each other
    members = graph.get(f"/groups/{outer}/members")["value"]
    assert [(one["@odata.type"], one["displayName"]) for one in members] == [
        ("#microsoft.graph.user", "ann"),
        ("#microsoft.graph.group", "inner"),
    ]
    everybody = graph.get(f"/groups/{outer}/transitiveMembers/microsoft.graph.user?$select=id")
    assert [one["id"] for one in everybody["value"]] == [ann, ben]
    assert graph.ask("GET", f"/groups/{outer}/members/$count", ConsistencyLevel="eventual").body == b"2"
    assert graph.made(f"/users/{ben}/getMemberGroups", {"securityEnabledOnly": True})["value"] == [inner, outer]
    assert graph.made(f"/directoryObjects/{ann}/checkMemberGroups", {"groupIds": [inner]})["value"] == [inner]
    assert [one["displayName"] for one in graph.get(f"/users/{ann}/memberOf")["value"]] == ["outer"]


def test_members_come_once_and_go(graph: Directory) -> None:
    ann = graph.user("ann")
    group = graph.group("readers", ann)
    url = {"@odata.id": f"{GRAPH}/v1.0/directoryObjects/{ann}"}
    assert refusal(graph.ask("POST", f"/groups/{group}/members/$ref", url)) == (400, "Request_BadRequest")
    assert refusal(graph.ask("POST", f"/groups/{group}/members/$ref", {"@odata.id": url["@odata.id"][:-1] + "?"}))[0] == 404
    assert graph.ask("DELETE", f"/groups/{group}/members/{ann}/$ref").status == 204
    assert refusal(graph.ask("DELETE", f"/groups/{group}/members/{ann}/$ref")) == (404, "Request_ResourceNotFound")
    graph.ask("PATCH", f"/groups/{group}", {"description": "few", "members@odata.bind": [url["@odata.id"]]})
    assert graph.get(f"/groups/{group}")["description"] == "few"
    assert graph.ask("DELETE", f"/users/{ann}").status == 204
    assert graph.get(f"/groups/{group}/members")["value"] == []


def test_a_role_of_a_group_is_its_members(sandbox: Sandbox, graph: Directory) -> None:
    colleague = sandbox.directory.colleague
    group = graph.group("outer", graph.group("inner", colleague.object_id))
    made = assign(sandbox, group)
    assert (made.status, made.json()["properties"]["principalType"]) == (201, "Group")
    url = f"{ARM}/subscriptions/{sandbox.subscription_id}/resourcegroups?api-version=2024-11-01"
    reads = Request("GET", url, {"authorization": f"Bearer {sandbox.token(colleague)}"})
    assert sandbox.handle(reads).status == 200
    scope = f"{ARM}/subscriptions/{sandbox.subscription_id}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
    asked = f"{scope}&$filter=assignedTo('{colleague.object_id}')"
    found = sandbox.handle(Request("GET", asked, {"authorization": f"Bearer {sandbox.token()}"})).json()["value"]
    assert [one["properties"]["principalId"] for one in found] == [group]
    graph.ask("DELETE", f"/groups/{group}")
    assert sandbox.handle(reads).status == 403


def test_a_role_is_for_somebody_of_the_tenants_directory(sandbox: Sandbox, graph: Directory) -> None:
    ann = graph.user("ann")
    assert assign(sandbox, ann).json()["properties"]["principalType"] == "User"
    assert refusal(assign(sandbox, ann, principalType="Group")) == (400, "UnmatchedPrincipalType")
    assert refusal(assign(sandbox, sandbox.directory.partner.object_id)) == (400, "PrincipalNotFound")


def test_managed_identities_are_service_principals(sandbox: Sandbox, graph: Directory) -> None:
    group = f"/subscriptions/{sandbox.subscription_id}/resourceGroups/rg"
    identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/builder"
    headers = {"authorization": f"Bearer {sandbox.token()}"}
    _, made = (
        sandbox.handle(Request("PUT", f"{ARM}{id}?api-version={version}", headers, b'{"location": "westeurope"}')).json()
        for id, version in ((group, "2024-11-01"), (identity, "2023-01-31"))
    )
    found = graph.get(f"/servicePrincipals/{made['properties']['principalId']}")
    assert (found["displayName"], found["servicePrincipalType"]) == ("builder", "ManagedIdentity")
    assert (found["appId"], found["alternativeNames"]) == (made["properties"]["clientId"], ["isExplicit=True", identity])
    assert refusal(graph.ask("DELETE", f"/servicePrincipals/{found['id']}")) == (403, "Authorization_RequestDenied")


def test_many_objects_are_read_by_their_ids(sandbox: Sandbox, graph: Directory) -> None:
    ann, group = graph.user("ann"), graph.group("readers")
    ids = [group, ann, sandbox.object_id, "00000000-0000-0000-0000-000000000000"]
    found = graph.made("/directoryObjects/getByIds", {"ids": ids, "types": ["user", "servicePrincipal"]})["value"]
    assert [(one["@odata.type"], one["id"]) for one in found] == [
        ("#microsoft.graph.user", ann),
        ("#microsoft.graph.servicePrincipal", sandbox.object_id),
    ]
    assert graph.get(f"/directoryObjects/{group}")["@odata.type"] == "#microsoft.graph.group"


def test_an_application_that_was_registered_signs_in(sandbox: Sandbox, graph: Directory) -> None:
    application = graph.made("/applications", {"displayName": "builder", "keyCredentials": []})
    secret = graph.made(f"/applications/{application['id']}/addPassword", {"passwordCredential": {"displayName": "rbac"}})
    app_id = application["appId"]
    assert sign_in(sandbox, app_id, secret["secretText"]).json()["error_codes"] == [700016]
    principal = graph.made("/servicePrincipals", {"appId": app_id})
    assert refusal(graph.ask("POST", "/servicePrincipals", {"appId": app_id})) == (409, "Request_MultipleObjectsWithSameKeyValue")
    signed = sign_in(sandbox, app_id, secret["secretText"])
    assert signed.status == 200
    headers = {"authorization": f"Bearer {signed.json()['access_token']}"}
    url = f"{ARM}/subscriptions/{sandbox.subscription_id}/resourcegroups?api-version=2024-11-01"
    assert sandbox.handle(Request("GET", url, headers)).status == 403
    assert assign(sandbox, principal["id"]).status == 201
    assert sandbox.handle(Request("GET", url, headers)).status == 200
    held = graph.get(f"/applications/{application['id']}")["passwordCredentials"]
    assert [(one["secretText"], one["hint"]) for one in held] == [(None, secret["secretText"][:3])]
    assert graph.ask("POST", f"/applications/{application['id']}/removePassword", {"keyId": secret["keyId"]}).status == 204
    assert sign_in(sandbox, app_id, secret["secretText"]).json()["error_codes"] == [7000215]


def test_a_secret_expires(sandbox: Sandbox, graph: Directory) -> None:
    own = graph.get(f"/applications(appId='{sandbox.directory.colleague_client_id}')")
    asked = {"passwordCredential": {"endDateTime": "2000-01-01T00:00:00Z"}}
    secret = graph.made(f"/applications/{own['id']}/addPassword", asked)["secretText"]
    assert sign_in(sandbox, own["appId"], secret).json()["error_codes"] == [7000222]
    assert sign_in(sandbox, own["appId"], "in-process").status == 200


def test_who_has_no_permission_of_graphs_is_refused(sandbox: Sandbox) -> None:
    own = sandbox.directory
    for principal in (own.colleague, own.find(own.partner_tenant_id, own.client_id)):
        assert refusal(Directory(sandbox, principal).ask("GET", "/users")) == (403, "Authorization_RequestDenied")
    partner = Directory(sandbox, own.partner)
    assert [one["displayName"] for one in partner.get("/applications")["value"]] == ["Partner"]


def test_a_token_is_good_for_one_service(sandbox: Sandbox, graph: Directory) -> None:
    for_arm = f"Bearer {sandbox.token()}"
    wrong = graph.ask("GET", "/users", authorization=for_arm)
    assert (refusal(wrong), wrong.json()["error"]["message"]) == (
        (401, "InvalidAuthenticationToken"),
        "Access token validation failure. Invalid audience.",
    )
    other = sandbox.handle(Request("GET", f"{ARM}/subscriptions?api-version=2022-12-01", graph.headers))
    assert refusal(other) == (401, "InvalidAuthenticationTokenAudience")
    assert refusal(graph.ask("GET", "/users", authorization="")) == (401, "InvalidAuthenticationToken")
    local = Directory(sandbox, base="https://localhost:8443")  # where everything is at one endpoint, so is the audience
    assert local.get("/users")["value"] == []


def test_what_graph_does_not_have_here_is_refused(graph: Directory) -> None:
    assert refusal(graph.ask("GET", "/drives")) == (400, "BadRequest")
    assert refusal(graph.ask("GET", "/me")) == (400, "BadRequest")
    assert refusal(graph.ask("GET", "/users?$expand=manager")) == (400, "Request_UnsupportedQuery")
    assert refusal(graph.ask("GET", "/groups/00000000-0000-0000-0000-000000000000")) == (404, "Request_ResourceNotFound")
    assert refusal(graph.ask("POST", "/groups", {"displayName": "x"})) == (400, "Request_BadRequest")


def test_what_was_made_survives_a_dump(sandbox: Sandbox, graph: Directory) -> None:
    group = graph.group("readers", graph.user("ann"))
    other = Sandbox(virtual_clock())
    other.load(sandbox.dump())
    assert [one["displayName"] for one in Directory(other).get(f"/groups/{group}/members")["value"]] == ["ann"]


def test_faults_meet_graph_too(sandbox: Sandbox, graph: Directory) -> None:
    error = {"status": 503, "code": "serviceNotAvailable", "message": "The service is temporarily unavailable."}
    sandbox.faults.add(name="graph is down", match={"type": "Microsoft.Graph/groups"}, effect={"error": error}, count=1)
    assert refusal(graph.ask("GET", "/groups")) == (503, "serviceNotAvailable")
    assert graph.get("/groups")["value"] == []
