"""Template deployments through the official client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.locks import ManagementLockClient
from azure.mgmt.resource.resources import ResourceManagementClient

from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request
from tests.sandbox.bodies import UBUNTU, machine
from tests.sandbox_transport import make_sync_sandbox, sync_client

HERE = "westeurope"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


@pytest.fixture
def sandbox() -> Sandbox:
    return make_sync_sandbox()


@pytest.fixture
def groups(sandbox: Sandbox) -> Any:
    groups = sync_client(ResourceManagementClient, sandbox).resource_groups
    groups.create_or_update("rg", {"location": HERE})
    return groups


@pytest.fixture
def client(sandbox: Sandbox, groups: Any) -> Any:
    return sync_client(DeploymentsMgmtClient, sandbox)


def template(*resources: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": list(resources),
        **sections,
    }


def body(
    *resources: dict[str, Any], parameters: dict[str, Any] | None = None, mode: str = "Incremental", **sections: Any
) -> dict[str, Any]:
    given = {name: {"value": value} for name, value in (parameters or {}).items()}
    return {"properties": {"mode": mode, "template": template(*resources, **sections), "parameters": given}}


def network(name: str = "vnet", **more: Any) -> dict[str, Any]:
    properties = {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "build", "properties": {"addressPrefix": "10.0.0.0/24"}}],
    }
    common = {"type": "Microsoft.Network/virtualNetworks", "apiVersion": "2024-05-01", "location": "[resourceGroup().location]"}
    return {**common, "name": name, "properties": properties, **more}


def group(name: str = "nsg", **more: Any) -> dict[str, Any]:
    return {
        "type": "Microsoft.Network/networkSecurityGroups",
        "apiVersion": "2024-05-01",
        "name": name,
        "location": "[resourceGroup().location]",
        **more,
    }


def virtual_machine(size: str = "Standard_D2s_v5", **more: Any) -> dict[str, Any]:
    made = machine("[resourceId('Microsoft.Network/virtualNetworks/subnets', 'vnet', 'build')]", UBUNTU, location=HERE)
    made["properties"]["hardwareProfile"]["vmSize"] = size
    return {"type": "Microsoft.Compute/virtualMachines", "apiVersion": "2024-07-01", "name": "vm", "dependsOn": ["vnet"], **made, **more}


def nested(name: str, inner: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2022-09-01",
        "name": name,
        "properties": {"mode": "Incremental", "template": inner},
        **more,
    }


def refusal(act: Any) -> tuple[int | None, str, str]:
    with pytest.raises(HttpResponseError) as refused:
        act()
    assert refused.value.error is not None
    return refused.value.status_code, str(refused.value.error.code), str(refused.value.error.message)


def test_a_deployment_is_validated_made_read_listed_exported_and_deleted(client: Any, groups: Any) -> None:
    deployments = client.deployments
    loop = {"name": "nets", "count": "[parameters('count')]"}
    asked = body(
        network("[concat(variables('prefix'), copyIndex(1))]", copy=loop, tags={"by": "[deployment().name]"}),
        network("never", condition="[greater(parameters('count'), 5)]"),
        parameters={"count": 2, "secret": "hidden"},
    )
    asked["properties"]["template"] |= {
        "parameters": {"count": {"type": "int", "maxValue": 9}, "secret": {"type": "secureString"}},
        "variables": {"prefix": "net-"},
        "outputs": {
            "guid": {"type": "string", "value": "[reference('net-1').resourceGuid]"},
            "names": {"type": "array", "copy": {"count": 2, "input": "[concat('net-', copyIndex(1))]"}},
        },
    }
    checked = deployments.begin_validate("rg", "made", asked).result()
    assert checked.error is None
    assert len(checked.properties.validated_resources) == 2
    assert not deployments.check_existence("rg", "made")

    made = deployments.begin_create_or_update("rg", "made", asked).result()
    assert made.properties.provisioning_state == "Succeeded"
    assert made.properties.parameters["count"] == {"type": "Int", "value": 2}
    assert "hidden" not in json.dumps(made.as_dict())
    assert made.properties.outputs["names"]["value"] == ["net-1", "net-2"]
    assert len(made.properties.outputs["guid"]["value"]) == 36
    assert [one.id.rsplit("/", 1)[1] for one in made.properties.output_resources] == ["net-1", "net-2"]
    assert made.properties.providers[0].namespace == "Microsoft.Network"
    assert made.properties.duration > made.properties.duration.__class__(0)

    assert deployments.check_existence("rg", "made")
    assert [one.name for one in deployments.list_by_resource_group("rg")] == ["made"]
    assert deployments.export_template("rg", "made").template == asked["properties"]["template"]
    steps = list(client.deployment_operations.list("rg", "made"))
    kinds = [one.properties.provisioning_operation for one in steps]
    assert sorted(kinds) == ["Create", "Create", "EvaluateDeploymentOutput"]
    assert client.deployment_operations.get("rg", "made", steps[0].operation_id).properties.status_code == "Created"
    deployments.begin_delete("rg", "made").result()
    assert refusal(lambda: deployments.get("rg", "made"))[:2] == (404, "DeploymentNotFound")


def test_a_failed_resource_fails_the_deployment_with_what_its_provider_said(client: Any) -> None:
    bad = network("bad", properties={"addressSpace": {"addressPrefixes": ["10.0.0.0/33"]}})
    asked = body(network("good"), bad, group("after", dependsOn=["bad"]))
    code = ""
    with pytest.raises(HttpResponseError) as refused:
        client.deployments.begin_create_or_update("rg", "d", asked).result()
    code = str(refused.value.error.code) if refused.value.error else ""
    assert code == "DeploymentFailed"
    found = client.deployments.get("rg", "d").properties
    assert (found.provisioning_state, found.error.code) == ("Failed", "DeploymentFailed")
    assert found.error.details[0].code in ("InvalidCIDRNotation", "InvalidAddressPrefixFormat")
    states = {
        one.properties.target_resource.resource_name: one.properties.provisioning_state
        for one in client.deployment_operations.list("rg", "d")
    }
    assert states == {"good": "Succeeded", "bad": "Failed"}, "what waits for a failed resource is left out"


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        (body(network(dependsOn=["none"])), "InvalidTemplate", "The resource 'none' is not defined in the template."),
        (body(network(name="[variables('x')]")), "InvalidTemplate", "The template variable 'x' is not found."),
        (body(parameters={"x": 1}), "InvalidTemplate", "The template parameters 'x' in the parameters file are not valid"),
        (body(network(apiVersion="2024-13-01")), "NoRegisteredProviderFound", "2024-13-01"),
        (body({**network(), "type": "Microsoft.Network/nothings"}), "InvalidResourceType", "nothings"),
        (body({**network(), "type": "Microsoft.Nothing/things"}), "InvalidResourceNamespace", "Microsoft.Nothing"),
        (body(mode="Sometimes"), "InvalidRequestContent", "Sometimes"),
        (
            {"properties": {"mode": "Incremental", "templateLink": {"uri": "https://x.io/t.json"}}},
            "InvalidContentLink",
            "https://x.io/t.json",
        ),
        (body(network(), virtual_machine("Standard_Nothing")), "InvalidTemplateDeployment", "See inner errors for details."),
    ],
)
def test_what_cannot_be_deployed_is_refused_before_anything_is_made(client: Any, asked: Any, code: str, said: str) -> None:
    for act in (client.deployments.begin_validate, client.deployments.begin_create_or_update):
        status, found, message = refusal(lambda act=act: act("rg", "d", asked))
        assert (status in (400, 404), found) == (True, code)
        assert said in message
    assert list(client.deployments.list_by_resource_group("rg")) == []


def test_what_exceeds_the_quota_is_told_with_its_inner_error(sandbox: Sandbox, client: Any) -> None:
    sandbox.store.set("quota", {f"{HERE}/cores": 1})
    with pytest.raises(HttpResponseError) as refused:
        client.deployments.begin_create_or_update("rg", "d", body(network(), virtual_machine()))
    assert refused.value.error is not None
    assert [one.code for one in refused.value.error.details] == ["QuotaExceeded"]


def test_a_machine_is_deployed_with_its_network(client: Any) -> None:
    outputs = {"id": {"type": "string", "value": "[reference('vm', '2024-07-01', 'Full').properties.vmId]"}}
    made = client.deployments.begin_create_or_update("rg", "d", body(network(), virtual_machine(), outputs=outputs)).result()
    assert len(made.properties.outputs["id"]["value"]) == 36
    assert [one.depends_on[0].resource_name for one in made.properties.dependencies] == ["vnet"]


def test_a_running_deployment_is_not_replaced_and_can_be_cancelled(client: Any) -> None:
    deployments = client.deployments
    deployments.begin_create_or_update("rg", "d", body(network(), virtual_machine()), polling=False)
    assert refusal(lambda: deployments.begin_create_or_update("rg", "d", body(), polling=False))[:2] == (409, "DeploymentActive")
    deployments.cancel("rg", "d")
    assert deployments.get("rg", "d").properties.provisioning_state == "Canceled"
    assert refusal(lambda: deployments.cancel("rg", "d"))[:2] == (409, "DeploymentCannotBeCancelled")
    assert deployments.begin_create_or_update("rg", "d", body()).result().properties.provisioning_state == "Succeeded"


def test_complete_mode_removes_what_the_template_does_not_have(client: Any, sandbox: Sandbox) -> None:
    deployments = client.deployments
    deployments.begin_create_or_update("rg", "d", body(network("old"), group("kept"))).result()
    deployments.begin_create_or_update("rg", "d", body(group("kept"), mode="Complete")).result()
    networks = sync_client(NetworkManagementClient, sandbox)
    assert [one.name for one in networks.virtual_networks.list("rg")] == []
    assert [one.name for one in networks.network_security_groups.list("rg")] == ["kept"]


def test_a_subscription_gets_a_group_with_resources_in_it(client: Any, groups: Any) -> None:
    new = {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2022-09-01", "name": "made", "location": HERE}
    inner = nested("inside", template(network(location=HERE)), resourceGroup="made", dependsOn=["made"])
    asked = {"location": HERE, **body(new, inner)}
    deployments = client.deployments
    assert deployments.begin_validate_at_subscription_scope("d", asked).result().error is None
    made = deployments.begin_create_or_update_at_subscription_scope("d", asked).result()
    assert (made.location, made.properties.provisioning_state) == (HERE, "Succeeded")
    assert groups.get("made").location == HERE
    assert [one.name for one in deployments.list_by_resource_group("made")] == ["inside"]
    assert [one.name for one in deployments.list_at_subscription_scope()] == ["d"]
    assert len(list(client.deployment_operations.list_at_subscription_scope("d"))) == 2
    assert refusal(lambda: deployments.begin_create_or_update_at_subscription_scope("e", body()))[1] == "LocationRequired"
    deployments.begin_delete_at_subscription_scope("d").result()
    assert not deployments.check_existence_at_subscription_scope("d")


def test_a_deployment_is_reached_by_its_scope(client: Any, sandbox: Sandbox) -> None:
    scope = f"/subscriptions/{sandbox.subscription_id}/resourceGroups/rg"
    client.deployments.begin_create_or_update_at_scope(scope, "d", body(group())).result()
    assert client.deployments.get_at_scope(scope, "d").name == "d"
    assert [one.name for one in client.deployments.list_at_scope(scope)] == ["d"]
    client.deployments.begin_delete_at_scope(scope, "d").result()


def test_locks_and_role_assignments_are_deployed_on_what_they_are_about(client: Any, sandbox: Sandbox) -> None:
    lock = {
        "type": "Microsoft.Authorization/locks",
        "apiVersion": "2020-05-01",
        "name": "keep",
        "scope": "Microsoft.Network/virtualNetworks/vnet",
        "dependsOn": ["vnet"],
        "properties": {"level": "CanNotDelete"},
    }
    role = {
        "type": "Microsoft.Authorization/roleAssignments",
        "apiVersion": "2022-04-01",
        "name": "[guid(resourceGroup().id, 'reader')]",
        "properties": {
            "roleDefinitionId": f"[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{READER}')]",
            "principalId": "e15e0000-0000-4000-8000-000000000001",
            "principalType": "ServicePrincipal",
        },
    }
    for _ in range(2):  # the second time nothing is new
        client.deployments.begin_create_or_update("rg", "d", body(network(), lock, role)).result()
    locks = sync_client(ManagementLockClient, sandbox).management_locks
    assert [one.name for one in locks.list_at_resource_group_level("rg")] == ["keep"]


def test_a_principal_deploys_only_what_its_roles_let_it_write(groups: Any, sandbox: Sandbox) -> None:
    sandbox.authenticate = True
    colleague = sandbox.directory.colleague
    own = sync_client(DeploymentsMgmtClient, sandbox, token=sandbox.token(colleague))
    main = sandbox.token()
    root = f"https://management.azure.com/subscriptions/{sandbox.subscription_id}/resourceGroups/rg/providers/Microsoft.Authorization"

    def assign(role: str, number: int) -> None:
        properties = {"roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role}", "principalId": colleague.object_id}
        url = f"{root}/roleAssignments/00000000-0000-4000-8000-00000000000{number}?api-version=2022-04-01"
        content = json.dumps({"properties": properties}).encode()
        assert sandbox.handle(Request("PUT", url, {"authorization": f"Bearer {main}"}, content)).status == 201

    assert refusal(lambda: own.deployments.begin_create_or_update("rg", "d", body(network())))[:2] == (403, "AuthorizationFailed")
    assign("9980e02c-c2be-4d73-94e8-173b1dc7cf3c", 1)  # Virtual Machine Contributor: deployments, but no networks
    status, code, message = refusal(lambda: own.deployments.begin_create_or_update("rg", "d", body(network())))
    assert (status, code) == (403, "InvalidTemplateDeployment")
    assert "does not have permission to perform action 'Microsoft.Network/virtualNetworks/write'" in message
    assign("4d97b98b-1d4f-4787-a291-c67834d212e7", 2)  # Network Contributor
    assert own.deployments.begin_create_or_update("rg", "d", body(network())).result().properties.provisioning_state == "Succeeded"


def test_what_if_tells_what_would_change_and_changes_nothing(client: Any, sandbox: Sandbox) -> None:
    deployments = client.deployments

    def changes(asked: dict[str, Any]) -> dict[str, str]:
        found = deployments.begin_what_if("rg", "d", asked).result()
        assert found.status == "Succeeded"
        return {one.resource_id.rsplit("/", 1)[1]: str(one.change_type.value) for one in found.properties.changes}

    assert changes(body(network(), group())) == {"vnet": "Create", "nsg": "Create"}
    deployments.begin_create_or_update("rg", "d", body(network(), group())).result()
    assert changes(body(network(), group())) == {"vnet": "NoChange", "nsg": "NoChange"}
    assert changes(body(network(tags={"a": "b"}))) == {"vnet": "Modify", "nsg": "Ignore"}
    assert changes(body(network(), mode="Complete")) == {"vnet": "NoChange", "nsg": "Delete"}
    brief = body(network())
    brief["properties"]["whatIfSettings"] = {"resultFormat": "ResourceIdOnly"}
    assert changes(brief) == {"vnet": "Deploy", "nsg": "Ignore"}
    wider = network()
    wider["properties"] = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16", "10.1.0.0/16"]}}
    told = deployments.begin_what_if("rg", "d", body(wider)).result().properties.changes
    modified = next(one for one in told if one.change_type == "Modify")
    assert modified.delta[0].path == "properties.addressSpace.addressPrefixes"
    assert sync_client(NetworkManagementClient, sandbox).virtual_networks.get("rg", "vnet").tags is None


def test_what_if_tells_at_its_end_what_is_wrong_with_a_template(client: Any) -> None:
    asked = body()
    asked["properties"]["parameters"] = {"nobody": {"value": 1}}
    found = client.deployments.begin_what_if("rg", "d", asked).result()
    assert (found.status, found.error.code) == ("Failed", "InvalidTemplate")


def test_a_deployment_without_a_template_is_refused(client: Any) -> None:
    refused = refusal(lambda: client.deployments.begin_validate("rg", "d", {"properties": {"mode": "Incremental"}}))
    assert refused[:2] == (400, "InvalidDeployment")


def test_a_reference_to_what_was_made_at_once_shows_what_the_request_answered(client: Any) -> None:
    made = {
        "type": "Microsoft.Compute/availabilitySets",
        "apiVersion": "2024-07-01",
        "name": "set",
        "location": "westeurope",
        "properties": {},
    }
    asked = body(made)
    asked["properties"]["template"]["outputs"] = {"set": {"type": "object", "value": "[reference('set')]"}}
    shown = client.deployments.begin_create_or_update("rg", "d", asked).result().properties.outputs
    assert shown["set"]["value"] == {"platformUpdateDomainCount": 5, "platformFaultDomainCount": 3}


def test_what_the_sandbox_cannot_do_is_refused(client: Any) -> None:
    asked = body()
    asked["properties"]["onErrorDeployment"] = {"type": "LastSuccessful"}
    assert refusal(lambda: client.deployments.begin_create_or_update("rg", "d", asked))[:2] == (400, "InvalidOnErrorDeployment")


def test_a_deployments_members_are_read_without_regard_to_case_and_none_is_dropped(sandbox: Sandbox, groups: Any) -> None:
    """Recorded traffic of Azure/azure-service-operator (Test_Compute_Disk_CRUD, 2021); text: ansible-collections/azure#1134."""
    scope = f"/subscriptions/{sandbox.subscription_id}/resourceGroups/rg/providers/Microsoft.Resources/deployments/d"
    headers = {"authorization": f"Bearer {sandbox.token()}"}

    def ask(method: str, body: Any = None, path: str = "") -> Any:
        text = b"" if body is None else json.dumps(body).encode()
        url = f"https://management.azure.com{scope}{path}?api-version=2019-10-01"
        return sandbox.handle(Request(method, url, headers, text))

    asked = {"Mode": "Incremental", "Error": None, "debugSetting": {"detailLevel": "requestContent,responseContent"}}
    made = ask("PUT", {"Properties": {**asked, "template": template(network())}})
    assert made.status == 201
    assert made.json()["properties"]["debugSetting"] == {"detailLevel": "RequestContent, ResponseContent"}
    assert "parameters" not in made.json()["properties"]
    told = ask("PUT", {"Properties": {**asked, "template": template(network()), "parameters": {}}}, "2")  # azure-cli test_vm_os_disk_swap
    assert told.json()["properties"]["parameters"] == {}
    assert ask("GET").headers["retry-after"] == "5"
    sandbox.clock.advance(120)
    assert (ask("GET").json()["properties"]["provisioningState"], "retry-after" in ask("GET").headers) == ("Succeeded", False)
    [step] = ask("GET", path="/operations").json()["value"]
    assert step["properties"]["request"]["content"]["properties"] == network()["properties"]
    assert step["properties"]["response"]["content"]["name"] == "vnet"

    refused = ask("PUT", template()).json()["error"]
    assert refused["code"] == "InvalidRequestContent"
    assert "Could not find member '$schema' on object of type 'DeploymentContent'. Path '$schema', line 1, position" in refused["message"]
    wrong: dict[str, Any]
    for wrong in ({"templat": {}}, {"debugSetting": {"detailLevel": "everything"}}):
        answer = ask("PUT", {"properties": {"mode": "Incremental", "template": template(), **wrong}})
        assert (answer.status, answer.json()["error"]["code"]) == (400, "InvalidRequestContent")


def test_a_templates_hash_is_told(client: Any) -> None:
    found = client.deployments.calculate_template_hash(template())
    assert found.template_hash.isdigit()
    made = client.deployments.begin_create_or_update("rg", "d", body()).result()
    assert made.properties.template_hash == found.template_hash
