"""Resource groups, generic lists, tags, moves, exports, subscriptions and providers through the official clients."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.subscriptions import SubscriptionClient

from include.sandbox.sandbox import Sandbox
from tests.sandbox_transport import StaticCredential, SyncSandboxTransport, make_sync_sandbox, sync_client

HERE = "westeurope"


@pytest.fixture
def sandbox() -> Sandbox:
    return make_sync_sandbox()


@pytest.fixture
def resources(sandbox: Sandbox) -> Any:
    client = sync_client(ResourceManagementClient, sandbox)
    client.resource_groups.create_or_update("rg", {"location": HERE, "tags": {"team": "images"}})
    return client


@pytest.fixture
def network(sandbox: Sandbox, resources: Any) -> Any:
    return sync_client(NetworkManagementClient, sandbox)


def id_of(sandbox: Sandbox, path: str = "", group: str = "rg") -> str:
    return f"/subscriptions/{sandbox.subscription_id}/resourceGroups/{group}{path}"


def make_network(network: Any, group: str = "rg", name: str = "vnet", tags: dict[str, str] | None = None) -> Any:
    subnet = {"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}
    properties = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [subnet]}
    body = {"location": HERE, "tags": tags or {}, "properties": properties}
    return network.virtual_networks.begin_create_or_update(group, name, body).result()


def make_interface(network: Any, subnet: str, group: str = "rg") -> Any:
    configuration = {"name": "ip", "properties": {"subnet": {"id": subnet}}}
    body = {"location": HERE, "properties": {"ipConfigurations": [configuration]}}
    return network.network_interfaces.begin_create_or_update(group, "nic", body).result()


def refusal(act: Any) -> tuple[int | None, str]:
    with pytest.raises(HttpResponseError) as refused:
        act()
    assert refused.value.error is not None
    return refused.value.status_code, str(refused.value.error.code)


def test_a_group_is_found_by_tag_updated_and_deleted(resources: Any) -> None:
    groups = resources.resource_groups
    groups.create_or_update("other", {"location": "uksouth"})
    assert [one.name for one in groups.list(filter="tagName eq 'team' and tagValue eq 'images'")] == ["rg"]
    assert [one.name for one in groups.list()] == ["rg", "other"]
    assert len(list(groups.list(top=1))) == 2, "pages follow each other"
    assert groups.update("rg", {"tags": {"a": "b"}, "managedBy": "me"}).managed_by == "me"
    assert groups.check_existence("other")
    groups.begin_delete("other", force_deletion_types="Microsoft.Compute/virtualMachines").result()
    assert not groups.check_existence("other")


def test_resources_are_listed_filtered_and_expanded(sandbox: Sandbox, resources: Any, network: Any) -> None:
    make_network(network, tags={"run": "1"})
    make_network(network, name="second")
    every = resources.resources

    def names(text: str) -> list[str]:
        return [one.name for one in every.list(filter=text)]

    assert names("resourceType eq 'Microsoft.Network/virtualNetworks'") == ["vnet", "second"]
    assert names("resourceType eq 'Microsoft.Network/virtualNetworks' and name ne 'vnet'") == ["second"]
    assert names("substringof('eco', name) or name eq 'vnet'") == ["vnet", "second"]
    assert names("location eq 'uksouth'") == []
    assert names("tagName eq 'run' and tagValue eq '1'") == ["vnet"]
    assert names("startswith(tagName, 'ru')") == ["vnet"]
    assert refusal(lambda: names("colour eq 'red'")) == (400, "InvalidFilterInQueryString")
    shown = next(iter(every.list_by_resource_group("rg", expand="createdTime,changedTime,provisioningState")))
    assert (shown.tags, shown.provisioning_state, shown.created_time is None) == ({"run": "1"}, "Succeeded", False)
    assert len(list(every.list(top=1))) == 2


def test_a_resource_is_made_read_changed_and_deleted_by_its_id(sandbox: Sandbox, resources: Any) -> None:
    id, version = id_of(sandbox, "/providers/Microsoft.Network/networkSecurityGroups/nsg"), "2024-05-01"
    every = resources.resources
    assert not every.check_existence_by_id(id, api_version=version)
    assert every.begin_create_or_update_by_id(id, {"location": HERE}, api_version=version).result().name == "nsg"
    assert every.check_existence_by_id(id, api_version=version)
    assert every.begin_update_by_id(id, {"tags": {"a": "b"}}, api_version=version).result().tags == {"a": "b"}
    assert every.get("rg", "Microsoft.Network", "", "networkSecurityGroups", "nsg", api_version=version).location == HERE
    every.begin_delete_by_id(id, api_version=version).result()
    assert refusal(lambda: every.get_by_id(id, api_version=version)) == (404, "ResourceNotFound")


def test_tags_are_replaced_merged_and_deleted_as_a_whole(sandbox: Sandbox, resources: Any, network: Any) -> None:
    scope, tags = make_network(network).id, resources.tags

    def patch(operation: str, given: dict[str, str]) -> Any:
        return tags.begin_update_at_scope(scope, {"operation": operation, "properties": {"tags": given}}).result().properties.tags

    tags.begin_create_or_update_at_scope(scope, {"properties": {"tags": {"a": "1"}}}).result()
    assert patch("Merge", {"b": "2"}) == {"a": "1", "b": "2"}
    assert patch("Delete", {"a": "1"}) == {"b": "2"}
    assert patch("Replace", {"c": "3"}) == {"c": "3"}
    assert network.virtual_networks.get("rg", "vnet").tags == {"c": "3"}
    tags.begin_delete_at_scope(scope).result()
    assert tags.get_at_scope(scope).properties.tags == {}
    subscription = f"/subscriptions/{sandbox.subscription_id}"
    tags.begin_create_or_update_at_scope(subscription, {"properties": {"tags": {"cost": "low"}}}).result()
    assert tags.get_at_scope(subscription).properties.tags == {"cost": "low"}


def test_tag_names_are_made_counted_and_deleted(resources: Any) -> None:
    tags = resources.tags
    assert {one.tag_name: one.count.value for one in tags.list()} == {"team": 1}
    tags.create_or_update("env")
    tags.create_or_update_value("env", "test")
    assert [one.tag_value for one in next(one for one in tags.list() if one.tag_name == "env").values_property] == ["test"]
    tags.delete_value("env", "test")
    tags.delete("env")
    assert [one.tag_name for one in tags.list()] == ["team"]


def test_what_moves_keeps_its_ties(sandbox: Sandbox, resources: Any, network: Any) -> None:
    resources.resource_groups.create_or_update("there", {"location": HERE})
    made = make_network(network)
    nic = make_interface(network, made.subnets[0].id)
    move = {"resources": [made.id], "targetResourceGroup": id_of(sandbox, group="there")}
    assert refusal(lambda: resources.resources.begin_move_resources("rg", move)) == (409, "ResourceMoveProviderValidationFailed")
    move["resources"] = [made.id, nic.id]
    resources.resources.begin_validate_move_resources("rg", move).result()
    resources.resources.begin_move_resources("rg", move).result()
    assert [one.name for one in resources.resources.list_by_resource_group("rg")] == []
    moved = network.network_interfaces.get("there", "nic")
    assert moved.ip_configurations[0].subnet.id == made.subnets[0].id.replace("/rg/", "/there/")
    shown = network.subnets.get("there", "vnet", "a")
    assert shown.ip_configurations[0].id == moved.ip_configurations[0].id
    assert refusal(lambda: network.subnets.begin_delete("there", "vnet", "a")) == (400, "InUseSubnetCannotBeDeleted")
    network.network_interfaces.begin_delete("there", "nic").result()
    network.virtual_networks.begin_delete("there", "vnet").result()


def test_a_gallery_does_not_move(sandbox: Sandbox, resources: Any) -> None:
    resources.resource_groups.create_or_update("there", {"location": HERE})
    galleries = sync_client(ComputeManagementClient, sandbox).galleries
    gallery = galleries.begin_create_or_update("rg", "gallery", {"location": HERE}).result()
    move = {"resources": [gallery.id], "targetResourceGroup": id_of(sandbox, group="there")}
    assert refusal(lambda: resources.resources.begin_move_resources("rg", move)) == (400, "ResourceMoveNotSupported")


def test_an_exported_group_can_be_deployed_elsewhere(sandbox: Sandbox, resources: Any, network: Any) -> None:
    make_interface(network, make_network(network, tags={"a": "b"}).subnets[0].id)
    exported = resources.resource_groups.begin_export_template("rg", {"resources": ["*"]}).result().template
    assert exported["parameters"]["virtualNetworks_vnet_name"] == {"defaultValue": "vnet", "type": "String"}
    resources.resource_groups.create_or_update("copy", {"location": HERE})
    deployments = sync_client(DeploymentsMgmtClient, sandbox).deployments
    body = {"properties": {"mode": "Incremental", "template": exported}}
    deployments.begin_create_or_update("copy", "again", body).result()
    copied = network.network_interfaces.get("copy", "nic")
    assert copied.ip_configurations[0].subnet.id.startswith(id_of(sandbox, group="copy"))


def test_a_group_stays_while_something_outside_uses_what_is_in_it(resources: Any, network: Any) -> None:
    resources.resource_groups.create_or_update("users", {"location": HERE})
    make_interface(network, make_network(network).subnets[0].id, "users")
    with pytest.raises(HttpResponseError) as refused:
        resources.resource_groups.begin_delete("rg").result()
    assert "ResourceGroupDeletionBlocked" in str(refused.value)
    assert resources.resource_groups.get("rg").properties.provisioning_state == "Succeeded"
    resources.resource_groups.begin_delete("users").result()
    resources.resource_groups.begin_delete("rg").result()


def test_providers_are_read_registered_and_unregistered(resources: Any) -> None:
    providers = resources.providers
    assert providers.get("Microsoft.Compute").registration_state == "Registered"
    kinds = {one.resource_type for one in providers.get("Microsoft.Authorization").resource_types}
    assert {"locks", "roleAssignments", "roleDefinitions"} <= kinds
    assert "Microsoft.Network" in [one.namespace for one in providers.list()]
    assert providers.register("Microsoft.KeyVault").registration_state == "Registering"
    assert providers.get("Microsoft.KeyVault").registration_state == "Registering"
    assert providers.unregister("Microsoft.KeyVault").registration_state in ("Unregistering", "Unregistered")
    assert refusal(lambda: providers.get("Microsoft.Nothing")) == (404, "InvalidResourceNamespace")
    assert providers.get_at_tenant_scope("Microsoft.Compute").resource_types
    assert list(providers.list_at_tenant_scope())
    assert resources.provider_resource_types.list("Microsoft.Compute").value


def test_a_namespace_that_is_not_registered_takes_no_writes(resources: Any, network: Any, sandbox: Sandbox) -> None:
    resources.providers.unregister("Microsoft.Network")
    sandbox.clock.advance(600)
    assert refusal(lambda: make_network(network)) == (409, "MissingSubscriptionRegistration")


def test_subscriptions_tenants_and_locations_are_told(sandbox: Sandbox) -> None:
    client: Any = SubscriptionClient(StaticCredential(), transport=SyncSandboxTransport(sandbox))
    assert sandbox.subscription_id in [one.subscription_id for one in client.subscriptions.list()]
    assert client.subscriptions.get(sandbox.subscription_id).state == "Enabled"
    assert client.tenants.list().next().tenant_id == sandbox.tenant_id
    places = {one.name: one for one in client.subscriptions.list_locations(sandbox.subscription_id)}
    assert places[HERE].metadata.paired_region[0].name == "northeurope"
