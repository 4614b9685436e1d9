"""Load balancers, NAT gateways, route tables and application security groups, with the official client."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from .bodies import LOCATION
from .sync_machines import Azure

HERE = {"location": LOCATION}


@pytest.fixture
def azure() -> Azure:
    return Azure()


def balancer(azure: Azure, **properties: Any) -> Any:
    id = f"/subscriptions/{azure.sandbox.subscription_id}/resourceGroups/rg/providers/Microsoft.Network/loadBalancers/lb"
    front, pool, probe = f"{id}/frontendIPConfigurations/front", f"{id}/backendAddressPools/pool", f"{id}/probes/ssh"
    rule = {"protocol": "Tcp", "frontendPort": 80, "backendPort": 8080, "frontendIPConfiguration": {"id": front}}
    rule |= {"backendAddressPool": {"id": pool}, "probe": {"id": probe}}
    body = {
        **HERE,
        "sku": {"name": "Standard"},
        "properties": {
            "frontendIPConfigurations": [{"name": "front", "properties": {"publicIPAddress": {"id": address(azure)}}}],
            "backendAddressPools": [{"name": "pool"}],
            "probes": [{"name": "ssh", "properties": {"protocol": "Tcp", "port": 22}}],
            "loadBalancingRules": [{"name": "http", "properties": rule}],
            **properties,
        },
    }
    return azure.network.load_balancers.begin_create_or_update("rg", "lb", body).result()


def address(azure: Azure, name: str = "ip", sku: str = "Standard") -> str:
    body = {**HERE, "sku": {"name": sku}, "properties": {"publicIPAllocationMethod": "Static"}}
    return str(azure.network.public_ip_addresses.begin_create_or_update("rg", name, body).result().id)


def interface(azure: Azure, name: str = "nic", **membership: Any) -> Any:
    properties = {"subnet": {"id": azure.subnet()}, **membership}
    body = {**HERE, "properties": {"ipConfigurations": [{"name": "ip", "properties": properties}]}}
    return azure.network.network_interfaces.begin_create_or_update("rg", name, body).result()


def test_a_load_balancers_parts_know_each_other(azure: Azure) -> None:
    made = balancer(azure)
    rule = made.load_balancing_rules[0]
    assert (rule.load_distribution, rule.idle_timeout_in_minutes, rule.enable_floating_ip) == ("Default", 4, False)
    assert [one.id for one in made.frontend_ip_configurations[0].load_balancing_rules] == [rule.id]
    assert [one.id for one in made.probes[0].load_balancing_rules] == [rule.id]
    pool = azure.network.load_balancer_backend_address_pools.get("rg", "lb", "pool")
    assert [one.id for one in pool.load_balancing_rules] == [rule.id]
    shown = azure.network.public_ip_addresses.get("rg", "ip")
    assert shown.ip_configuration.id == made.frontend_ip_configurations[0].id
    assert [one.name for one in azure.network.load_balancers.list("rg")] == ["lb"]
    azure.network.load_balancers.update_tags("rg", "lb", {"tags": {"a": "b"}})
    assert azure.network.load_balancers.get("rg", "lb").tags == {"a": "b"}
    azure.network.load_balancers.begin_delete("rg", "lb").result()
    assert azure.network.public_ip_addresses.get("rg", "ip").ip_configuration is None
    with pytest.raises(ResourceNotFoundError):
        azure.network.load_balancer_backend_address_pools.get("rg", "lb", "pool")


def test_a_rule_names_parts_that_are_there(azure: Azure) -> None:
    with pytest.raises(HttpResponseError, match="probes/ssh referenced by resource"):
        balancer(azure, probes=[])
    with pytest.raises(HttpResponseError, match="either a subnet or a public IP address"):
        balancer(azure, frontendIPConfigurations=[{"name": "front", "properties": {}}])


def test_interfaces_join_pools_and_leave_them_with_the_load_balancer(azure: Azure) -> None:
    made = balancer(azure)
    pool = made.backend_address_pools[0].id
    nic = interface(azure, loadBalancerBackendAddressPools=[{"id": pool}])
    shown = azure.network.load_balancer_backend_address_pools.get("rg", "lb", "pool")
    assert [one.id for one in shown.backend_ip_configurations] == [nic.ip_configurations[0].id]
    with pytest.raises(HttpResponseError, match="was not found"):
        interface(azure, "other", loadBalancerBackendAddressPools=[{"id": f"{pool}x"}])
    azure.network.load_balancers.begin_delete("rg", "lb").result()
    assert not azure.network.network_interfaces.get("rg", "nic").ip_configurations[0].load_balancer_backend_address_pools


def test_a_pool_is_added_by_itself_and_goes_when_no_rule_names_it(azure: Azure) -> None:
    balancer(azure)
    pools = azure.network.load_balancer_backend_address_pools
    assert pools.begin_create_or_update("rg", "lb", "second", {}).result().provisioning_state == "Succeeded"
    assert [one.name for one in azure.network.load_balancers.get("rg", "lb").backend_address_pools] == ["pool", "second"]
    pools.begin_delete("rg", "lb", "second").result()
    with pytest.raises(HttpResponseError, match="loadBalancingRules/http was not found"):
        pools.begin_delete("rg", "lb", "pool").result()


def test_a_subnet_goes_out_through_its_nat_gateway(azure: Azure) -> None:
    gateways = azure.network.nat_gateways
    body: dict[str, Any] = {**HERE, "sku": {"name": "Standard"}, "properties": {"publicIpAddresses": [{"id": address(azure)}]}}
    made = gateways.begin_create_or_update("rg", "nat", body).result()
    assert (made.idle_timeout_in_minutes, made.public_ip_addresses[0].id) == (4, address(azure))
    assert azure.network.public_ip_addresses.get("rg", "ip").nat_gateway.id == made.id
    subnet = {"properties": {"addressPrefix": "10.0.0.0/24", "natGateway": {"id": made.id}}}
    azure.subnet()
    azure.network.subnets.begin_create_or_update("rg", "vnet", "build", subnet).result()
    assert gateways.get("rg", "nat").subnets[0].id.endswith("/subnets/build")
    with pytest.raises(HttpResponseError) as used:
        gateways.begin_delete("rg", "nat").result()
    assert "InUseNatGatewayCannotBeDeleted" in str(used.value)
    with pytest.raises(HttpResponseError, match="still allocated to resource"):
        azure.network.public_ip_addresses.begin_delete("rg", "ip").result()
    azure.network.subnets.begin_create_or_update("rg", "vnet", "build", {"properties": {"addressPrefix": "10.0.0.0/24"}}).result()
    gateways.begin_delete("rg", "nat").result()
    azure.network.public_ip_addresses.begin_delete("rg", "ip").result()


def test_addresses_are_made_out_of_a_prefix_until_it_is_used_up(azure: Azure) -> None:
    """Shapes: the recorded test of addresses of azure-mgmt-network 19.0.0; codes: kube-egress-gateway#1223 and AKS' troubleshooting."""
    prefixes, addresses = azure.network.public_ip_prefixes, azure.network.public_ip_addresses
    with pytest.raises(HttpResponseError, match="must lie between 28 and 31"):
        prefixes.begin_create_or_update("rg", "block", {**HERE, "sku": {"name": "Standard"}, "properties": {"prefixLength": 24}}).result()
    made = prefixes.begin_create_or_update(
        "rg", "block", {**HERE, "sku": {"name": "Standard"}, "properties": {"prefixLength": 31}}
    ).result()
    block = ipaddress.ip_network(made.ip_prefix)
    assert (block.prefixlen, made.public_ip_address_version, made.ip_tags) == (31, "IPv4", [])
    static = {"publicIPAllocationMethod": "Static", "publicIPPrefix": {"id": made.id}}
    body: dict[str, Any] = {**HERE, "sku": {"name": "Standard"}, "properties": static}
    got = [addresses.begin_create_or_update("rg", name, body).result() for name in ("first", "second")]
    assert {one.ip_address for one in got} == {str(one) for one in block}
    assert addresses.begin_create_or_update("rg", "first", body).result().ip_address == got[0].ip_address
    with pytest.raises(HttpResponseError) as full:
        addresses.begin_create_or_update("rg", "third", body).result()
    assert "PublicIpPrefixOutOfIpAddresses" in str(full.value)
    assert [one.id for one in prefixes.get("rg", "block").public_ip_addresses] == [one.id for one in got]
    with pytest.raises(HttpResponseError) as used:
        prefixes.begin_delete("rg", "block").result()
    assert "InUsePublicIpPrefixCannotBeDeleted" in str(used.value)
    other = addresses.begin_create_or_update("rg", "other", {**body, "properties": {"publicIPAllocationMethod": "Static"}}).result()
    assert ipaddress.ip_address(other.ip_address) not in block
    for name in ("first", "second"):
        addresses.begin_delete("rg", name).result()
    prefixes.begin_delete("rg", "block").result()


def test_a_nat_gateway_goes_out_through_a_prefix(azure: Azure) -> None:
    """Shapes: the recorded test of NAT gateways of azure-mgmt-network 19.0.0."""
    prefixes, gateways = azure.network.public_ip_prefixes, azure.network.nat_gateways
    block = prefixes.begin_create_or_update(
        "rg", "block", {**HERE, "sku": {"name": "Standard"}, "properties": {"prefixLength": 30}}
    ).result()
    body: dict[str, Any] = {**HERE, "sku": {"name": "Standard"}, "properties": {"publicIpPrefixes": [{"id": block.id}]}}
    made = gateways.begin_create_or_update("rg", "nat", body).result()
    assert (made.public_ip_addresses, [one.id for one in made.public_ip_prefixes]) == (None, [block.id])
    assert prefixes.get("rg", "block").nat_gateway.id == made.id
    with pytest.raises(HttpResponseError, match="already allocated"):
        gateways.begin_create_or_update("rg", "another", body).result()
    with pytest.raises(HttpResponseError, match="in use"):
        prefixes.begin_delete("rg", "block").result()
    gateways.begin_delete("rg", "nat").result()
    prefixes.begin_delete("rg", "block").result()


def test_a_route_table_has_routes_and_subnets(azure: Azure) -> None:
    tables = azure.network.route_tables
    route = {"name": "out", "properties": {"addressPrefix": "0.0.0.0/0", "nextHopType": "Internet"}}
    made = tables.begin_create_or_update("rg", "table", {**HERE, "properties": {"routes": [route]}}).result()
    assert [(one.name, one.has_bgp_override) for one in made.routes] == [("out", False)]
    appliance = {"addressPrefix": "10.9.0.0/16", "nextHopType": "VirtualAppliance"}
    with pytest.raises(HttpResponseError, match="must be specified"):
        azure.network.routes.begin_create_or_update("rg", "table", "firewall", {"properties": appliance}).result()
    azure.network.routes.begin_create_or_update(
        "rg", "table", "firewall", {"properties": {**appliance, "nextHopIpAddress": "10.0.0.9"}}
    ).result()
    assert [one.name for one in azure.network.routes.list("rg", "table")] == ["out", "firewall"]
    azure.subnet()
    subnet = {"properties": {"addressPrefix": "10.0.0.0/24", "routeTable": {"id": made.id}}}
    azure.network.subnets.begin_create_or_update("rg", "vnet", "build", subnet).result()
    with pytest.raises(HttpResponseError, match="in use by the following resources"):
        tables.begin_delete("rg", "table").result()


def test_an_application_security_group_goes_after_its_interfaces(azure: Azure) -> None:
    groups = azure.network.application_security_groups
    made = groups.begin_create_or_update("rg", "web", HERE).result()
    interface(azure, applicationSecurityGroups=[{"id": made.id}])
    rule = {"priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "Tcp", "destinationPortRange": "80"}
    rule |= {"sourcePortRange": "*", "sourceAddressPrefix": "*", "destinationApplicationSecurityGroups": [{"id": made.id}]}
    azure.network.network_security_groups.begin_create_or_update("rg", "nsg", HERE).result()
    azure.network.security_rules.begin_create_or_update("rg", "nsg", "web", {"properties": rule}).result()
    with pytest.raises(HttpResponseError, match=r"nic/ipConfigurations/ip, .*securityRules/web"):
        groups.begin_delete("rg", "web").result()
    azure.network.security_rules.begin_delete("rg", "nsg", "web").result()
    azure.network.network_interfaces.begin_delete("rg", "nic").result()
    groups.begin_delete("rg", "web").result()
    assert list(groups.list("rg")) == []
