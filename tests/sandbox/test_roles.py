"""Role assignments and definitions through the official client, and what they let other principals do."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient

from include.sandbox.directory import Principal
from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request
from tests.sandbox_transport import make_sync_sandbox, sync_client

ELSE = "e15e0000-0000-4000-8000-000000000001"  # somebody else
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
VM_CONTRIBUTOR = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"
IMAGE_READER = "cf7c76d2-98a3-4358-a134-615aa78bf44d"
NAMES = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(10)]


@pytest.fixture
def sandbox() -> Sandbox:
    return make_sync_sandbox(authenticate=True)


def client(kind: Any, sandbox: Sandbox, principal: str = "") -> Any:
    return sync_client(kind, sandbox, token=sandbox.token(Principal(sandbox.tenant_id, "", principal, "")))


@pytest.fixture
def rbac(sandbox: Sandbox) -> Any:
    return client(AuthorizationManagementClient, sandbox)


@pytest.fixture
def group(sandbox: Sandbox) -> str:
    resources = client(ResourceManagementClient, sandbox)
    return str(resources.resource_groups.create_or_update("rg", {"location": "westeurope"}).id)


def assignment(sandbox: Sandbox, role: str = READER, principal: str = ELSE, **more: Any) -> Any:
    id = f"/subscriptions/{sandbox.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    more.setdefault("principalType", "ServicePrincipal")
    return {"properties": {"roleDefinitionId": id, "principalId": principal, **more}}


def test_an_assignment_is_made_read_listed_and_deleted_at_every_scope(sandbox: Sandbox, rbac: Any, group: str) -> None:
    subscription = f"/subscriptions/{sandbox.subscription_id}"
    galleries = client(ComputeManagementClient, sandbox).galleries
    gallery = galleries.begin_create_or_update("rg", "gallery", {"location": "westeurope"}).result().id
    for scope, name in zip((subscription, group, gallery), NAMES, strict=False):
        made = rbac.role_assignments.create(scope, name, assignment(sandbox))
        assert (made.scope, made.principal_id, made.principal_type) == (scope, ELSE, "ServicePrincipal")
        assert rbac.role_assignments.get(scope, name).role_definition_id.endswith(READER)

    def names(scope: str, text: str | None = None) -> list[str]:
        return [one.name[-1] for one in rbac.role_assignments.list_for_scope(scope, filter=text)]

    assert names(group) == ["0", "1", "2"], "above, at and below"
    assert names(group, "atScope()") == ["0", "1"]
    assert names(gallery, f"principalId eq '{ELSE}'") == ["0", "1", "2"]
    assert names(gallery, f"assignedTo('{NAMES[9]}')") == []
    assert len(list(rbac.role_assignments.list_for_subscription())) == 3
    assert len(list(rbac.role_assignments.list_for_resource_group("rg"))) == 3
    rbac.role_assignments.delete_by_id(f"{gallery}/providers/Microsoft.Authorization/roleAssignments/{NAMES[2]}".lstrip("/"))
    assert names(gallery) == ["0", "1"]
    rbac.role_assignments.create(gallery, NAMES[2], assignment(sandbox))
    galleries.begin_delete("rg", "gallery").result()
    assert names(subscription) == ["0", "1"], "an assignment goes with its resource"


def test_built_in_roles_are_found_by_name_and_a_custom_one_is_made_used_and_deleted(sandbox: Sandbox, rbac: Any, group: str) -> None:
    found = list(rbac.role_definitions.list(group, filter="roleName eq 'Compute Gallery Image Reader'"))
    assert [one.name for one in found] == [IMAGE_READER]
    assert found[0].permissions[0].actions == [
        "Microsoft.Compute/galleries/images/read",
        "Microsoft.Compute/galleries/images/versions/read",
    ]
    assert rbac.role_definitions.get(group, READER).role_type == "BuiltInRole"

    body = {
        "roleName": "Image starter",
        "description": "d",
        "permissions": [{"actions": ["Microsoft.Compute/virtualMachines/start/action"], "notActions": []}],
        "assignableScopes": [group],
    }
    made = rbac.role_definitions.create_or_update(group, NAMES[5], {"properties": body})
    assert made.role_type == "CustomRole"
    assert [one.role_name for one in rbac.role_definitions.list(group, filter="type eq 'CustomRole'")] == ["Image starter"]
    rbac.role_assignments.create(group, NAMES[0], assignment(sandbox, NAMES[5]))
    with pytest.raises(HttpResponseError) as refused:
        rbac.role_definitions.delete(group, NAMES[5])
    assert refused.value.error.code == "RoleDefinitionHasAssignments"
    rbac.role_assignments.delete(group, NAMES[0])
    rbac.role_definitions.delete(group, NAMES[5])
    assert list(rbac.role_definitions.list(group, filter="type eq 'CustomRole'")) == []


@pytest.mark.parametrize(
    ("name", "more", "status", "code"),
    [
        (NAMES[1], {}, 409, "RoleAssignmentExists"),
        (NAMES[0], {"role": CONTRIBUTOR}, 409, "RoleAssignmentUpdateNotPermitted"),
        ("mine", {}, 400, "InvalidRoleAssignmentId"),
        (NAMES[1], {"role": NAMES[9]}, 404, "RoleDefinitionDoesNotExist"),
        (NAMES[1], {"principal": NAMES[8], "principalType": None}, 400, "PrincipalNotFound"),
        (NAMES[1], {"principal": "0b1ec700-0000-4000-8000-5a4db0c0ffee", "principalType": "User"}, 400, "UnmatchedPrincipalType"),
    ],
)
def test_a_wrong_assignment_is_refused(sandbox: Sandbox, rbac: Any, group: str, name: str, more: Any, status: int, code: str) -> None:
    rbac.role_assignments.create(group, NAMES[0], assignment(sandbox))
    with pytest.raises(HttpResponseError) as refused:
        rbac.role_assignments.create(group, name, assignment(sandbox, **more))
    assert (refused.value.status_code, refused.value.error.code) == (status, code)


def test_another_principal_does_what_its_roles_allow_and_no_more(sandbox: Sandbox, rbac: Any, group: str) -> None:
    network = client(NetworkManagementClient, sandbox, ELSE)
    groups = client(ResourceManagementClient, sandbox, ELSE).resource_groups
    body = {"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}

    def refused(act: Any, action: str) -> None:
        with pytest.raises(HttpResponseError) as problem:
            act()
        assert (problem.value.status_code, problem.value.error.code) == (403, "AuthorizationFailed")
        assert f"with object id '{ELSE}' does not have authorization to perform action '{action}' over scope" in problem.value.message

    refused(lambda: groups.get("rg"), "Microsoft.Resources/subscriptions/resourceGroups/read")
    rbac.role_assignments.create(group, NAMES[0], assignment(sandbox))
    assert groups.get("rg").name == "rg"
    assert list(network.virtual_networks.list("rg")) == []
    refused(lambda: network.virtual_networks.begin_create_or_update("rg", "v", body), "Microsoft.Network/virtualNetworks/write")
    refused(lambda: groups.begin_delete("rg"), "Microsoft.Resources/subscriptions/resourceGroups/delete")
    rbac.role_assignments.create(group, NAMES[1], assignment(sandbox, CONTRIBUTOR))
    network.virtual_networks.begin_create_or_update("rg", "v", body).result()
    own = client(AuthorizationManagementClient, sandbox, ELSE).role_assignments
    refused(lambda: own.create(group, NAMES[2], assignment(sandbox)), "Microsoft.Authorization/roleAssignments/write")
    refused(lambda: groups.create_or_update("mine", {"location": "westeurope"}), "Microsoft.Resources/subscriptions/resourceGroups/write")


def test_a_machine_joins_only_what_its_maker_may_join(sandbox: Sandbox, rbac: Any, group: str) -> None:
    body = {
        "location": "westeurope",
        "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}],
        },
    }
    networks = client(NetworkManagementClient, sandbox).virtual_networks
    vnet = networks.begin_create_or_update("rg", "vnet", body).result()
    client(ResourceManagementClient, sandbox).resource_groups.create_or_update("theirs", {"location": "westeurope"})
    other = sandbox.directory.colleague.object_id
    rbac.role_assignments.create(f"{group[:-2]}theirs", NAMES[0], assignment(sandbox, CONTRIBUTOR, other))
    interfaces = client(NetworkManagementClient, sandbox, other).network_interfaces
    configuration = {"name": "ip", "properties": {"subnet": {"id": vnet.subnets[0].id}}}
    nic = {"location": "westeurope", "properties": {"ipConfigurations": [configuration]}}
    with pytest.raises(HttpResponseError) as refused:
        interfaces.begin_create_or_update("theirs", "nic", nic)
    assert (refused.value.status_code, refused.value.error.code) == (403, "LinkedAuthorizationFailed")
    assert "'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked scope(s)" in refused.value.message
    rbac.role_assignments.create(vnet.id, NAMES[1], assignment(sandbox, VM_CONTRIBUTOR, other))
    assert interfaces.begin_create_or_update("theirs", "nic", nic).result().name == "nic"


def test_a_caller_is_told_what_it_may_do(sandbox: Sandbox, rbac: Any, group: str) -> None:
    colleague = client(AuthorizationManagementClient, sandbox, sandbox.directory.colleague.object_id)

    def held(of: Any) -> list[list[str]]:
        return [one.actions for one in of.permissions.list_for_resource_group("rg")]

    assert held(rbac) == [["*"]]
    rbac.role_assignments.create(group, NAMES[0], assignment(sandbox, principal=sandbox.directory.colleague.object_id))
    assert held(colleague) == [["*/read"]]


def test_a_new_identity_tells_where_it_is(sandbox: Sandbox, group: str) -> None:
    """A path and no URL, and only of a new one: recorded traffic of Azure/azure-service-operator
    (Test_Authorization_RoleAssignment_OnResourceGroup_CRUD, 2025)."""
    path = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/builder"
    url = f"https://management.azure.com{path}?api-version=2018-11-30"
    headers = {"authorization": f"Bearer {sandbox.token()}"}
    made, again = (sandbox.handle(Request("PUT", url, headers, b'{"location": "westeurope"}')) for _ in range(2))
    assert (made.status, made.headers["location"].lower()) == (201, path.lower())
    assert (again.status, "location" in again.headers) == (200, False)


def test_an_identity_is_made_tagged_listed_deleted_and_may_get_roles(sandbox: Sandbox, rbac: Any, group: str) -> None:
    identities = client(ManagedServiceIdentityClient, sandbox).user_assigned_identities
    made = identities.create_or_update("rg", "builder", {"location": "westeurope"})
    assert made.tenant_id == sandbox.tenant_id
    assert {len(made.principal_id), len(made.client_id)} == {36}
    assert rbac.role_assignments.create(group, NAMES[0], assignment(sandbox, principal=made.principal_id, principalType=None))
    assert identities.update("rg", "builder", {"tags": {"a": "b"}}).tags == {"a": "b"}
    assert identities.get("rg", "builder").principal_id == made.principal_id
    assert [one.name for one in identities.list_by_subscription()] == [one.name for one in identities.list_by_resource_group("rg")]
    identities.delete("rg", "builder")
    assert list(identities.list_by_resource_group("rg")) == []
