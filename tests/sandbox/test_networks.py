"""Networks, subnets, security groups, public addresses and interfaces through the official client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceModifiedError, ResourceNotFoundError
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient

from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request
from tests.sandbox.bodies import UBUNTU, machine
from tests.sandbox_transport import make_sync_sandbox, sync_client

HERE = "westeurope"


@pytest.fixture
def sandbox() -> Sandbox:
    sandbox = make_sync_sandbox()
    sync_client(ResourceManagementClient, sandbox).resource_groups.create_or_update("rg", {"location": HERE})
    return sandbox


@pytest.fixture
def network(sandbox: Sandbox) -> Any:
    return sync_client(NetworkManagementClient, sandbox)


@pytest.fixture
def subnet(network: Any) -> str:
    return str(vnet(network).subnets[0].id)


def vnet(network: Any, name: str = "vnet", **properties: Any) -> Any:
    body = {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "a", "properties": {"addressPrefix": "10.0.0.0/28"}}],
        **properties,
    }
    return network.virtual_networks.begin_create_or_update("rg", name, {"location": HERE, "properties": body}).result()


def nic(network: Any, subnet: str, name: str = "nic", group: str = "", **configuration: Any) -> Any:
    properties: dict[str, Any] = {"ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": subnet}, **configuration}}]}
    if group:
        properties["networkSecurityGroup"] = {"id": group}
    return network.network_interfaces.begin_create_or_update("rg", name, {"location": HERE, "properties": properties}).result()


def address(network: Any, name: str = "ip", method: str = "Static", sku: str = "Standard", **properties: Any) -> Any:
    body = {"location": HERE, "sku": {"name": sku}, "properties": {"publicIPAllocationMethod": method, **properties}}
    return network.public_ip_addresses.begin_create_or_update("rg", name, body).result()


def refusal(act: Callable[[], Any]) -> tuple[int | None, str]:
    with pytest.raises(HttpResponseError) as refused:
        act()
    assert refused.value.error is not None
    return refused.value.status_code, str(refused.value.error.code)


def test_a_network_is_made_listed_changed_and_deleted(network: Any) -> None:
    made = vnet(network)
    assert made.provisioning_state == "Succeeded"
    assert made.subnets[0].address_prefix == "10.0.0.0/28"
    networks = network.virtual_networks
    assert [one.name for one in networks.list("rg")] == [one.name for one in networks.list_all()] == ["vnet"]
    assert networks.update_tags("rg", "vnet", {"tags": {"a": "b"}}).tags == {"a": "b"}

    wider = {"addressPrefixes": ["10.0.0.0/16", "10.1.0.0/16"]}
    changed = vnet(network, addressSpace=wider, dhcpOptions={"dnsServers": ["10.0.0.4"]})
    assert (changed.resource_guid, changed.etag != made.etag) == (made.resource_guid, True)
    assert changed.dhcp_options.dns_servers == ["10.0.0.4"]
    assert networks.list_usage("rg", "vnet").next().limit == 11
    networks.begin_delete("rg", "vnet").result()
    assert refusal(lambda: networks.get("rg", "vnet")) == (404, "ResourceNotFound")


def test_a_subnet_is_made_listed_changed_and_deleted(network: Any, subnet: str) -> None:
    subnets = network.subnets
    body = {
        "addressPrefix": "10.0.1.0/24",
        "serviceEndpoints": [{"service": "Microsoft.Storage"}],
        "delegations": [{"name": "d", "properties": {"serviceName": "Microsoft.ContainerInstance/containerGroups"}}],
    }
    made = subnets.begin_create_or_update("rg", "vnet", "b", {"properties": body}).result()
    assert made.service_endpoints[0].locations == ["westeurope", "northeurope"]
    assert made.delegations[0].service_name == "Microsoft.ContainerInstance/containerGroups"
    assert [one.name for one in subnets.list("rg", "vnet")] == ["a", "b"]
    assert len(network.virtual_networks.get("rg", "vnet").subnets) == 2
    changed = subnets.begin_create_or_update("rg", "vnet", "b", {"properties": {"addressPrefix": "10.0.2.0/24"}}).result()
    assert (changed.address_prefix, changed.service_endpoints) == ("10.0.2.0/24", None)
    subnets.begin_delete("rg", "vnet", "b").result()
    assert refusal(lambda: subnets.get("rg", "vnet", "b")) == (404, "NotFound")


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"addressSpace": {"addressPrefixes": ["10.0.0.1/16"]}}, "InvalidCIDRNotation"),
        ({"addressSpace": {"addressPrefixes": ["ten"]}}, "InvalidAddressPrefixFormat"),
        ({"addressSpace": {"addressPrefixes": []}}, "VnetAddressSpaceNotSpecified"),
        ({"addressSpace": {"addressPrefixes": ["10.0.0.0/16", "10.0.1.0/24"]}}, "VnetAddressSpaceOverlapping"),
        ({"subnets": [{"name": "a", "properties": {"addressPrefix": "10.1.0.0/24"}}]}, "NetcfgSubnetRangeOutsideVnet"),
        (
            {"subnets": [{"name": name, "properties": {"addressPrefix": "10.0.0.0/24"}} for name in ("a", "b")]},
            "NetcfgSubnetRangesOverlap",
        ),
        (
            {"subnets": [{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": "/none"}}}]},
            "InvalidResourceReference",
        ),
        ({"virtualNetworkPeerings": [{"name": "p", "properties": {}}]}, "InvalidParameter"),
        (
            {
                "virtualNetworkPeerings": [
                    {
                        "name": "p",
                        "properties": {
                            "remoteVirtualNetwork": {
                                "id": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/none"
                            }
                        },
                    }
                ]
            },
            "InvalidResourceReference",
        ),
    ],
)
def test_an_unfit_network_is_refused_and_leaves_nothing(network: Any, properties: Any, code: str) -> None:
    assert refusal(lambda: vnet(network, **properties)) == (400, code)
    assert list(network.virtual_networks.list("rg")) == []


def peer(network: Any, one: str, other: Any, **properties: Any) -> Any:
    body = {"properties": {"remoteVirtualNetwork": {"id": other.id}, **properties}}
    return network.virtual_network_peerings.begin_create_or_update("rg", one, f"to-{other.name}", body).result()


def test_two_networks_are_connected_once_each_is_peered_with_the_other(network: Any) -> None:
    here, there = vnet(network), vnet(network, "other", addressSpace={"addressPrefixes": ["10.1.0.0/16"]}, subnets=[])
    first = peer(network, "vnet", there, allowForwardedTraffic=True)
    assert (first.peering_state, first.peering_sync_level) == ("Initiated", "RemoteNotInSync")
    assert (first.allow_virtual_network_access, first.allow_forwarded_traffic) == (True, True)
    assert first.remote_address_space.address_prefixes == ["10.1.0.0/16"]
    second = peer(network, "other", here)
    shown = network.virtual_networks.get("rg", "vnet").virtual_network_peerings
    assert [(one.peering_state, one.peering_sync_level) for one in (second, *shown)] == [("Connected", "FullyInSync")] * 2
    assert second.resource_guid == first.resource_guid
    network.virtual_network_peerings.begin_delete("rg", "vnet", "to-other").result()
    assert [one.peering_state for one in network.virtual_network_peerings.list("rg", "other")] == ["Disconnected"]
    network.virtual_networks.begin_delete("rg", "other").result()
    assert network.virtual_networks.get("rg", "vnet").virtual_network_peerings == []


def test_a_peer_uses_new_addresses_only_when_it_is_synchronised(network: Any) -> None:
    here, there = vnet(network), vnet(network, "other", addressSpace={"addressPrefixes": ["10.1.0.0/16"]}, subnets=[])
    peer(network, "vnet", there)
    peer(network, "other", here)
    vnet(network, addressSpace={"addressPrefixes": ["10.0.0.0/16", "10.2.0.0/16"]})
    half = network.virtual_network_peerings.get("rg", "other", "to-vnet")
    assert (half.peering_sync_level, half.remote_address_space.address_prefixes) == ("RemoteNotInSync", ["10.0.0.0/16"])
    assert half.remote_virtual_network_address_space.address_prefixes == ["10.0.0.0/16", "10.2.0.0/16"]
    half = peer(network, "other", here)
    assert (half.peering_sync_level, half.remote_address_space.address_prefixes) == ("FullyInSync", ["10.0.0.0/16", "10.2.0.0/16"])


def test_networks_that_overlap_or_are_peered_already_are_not_peered(network: Any) -> None:
    vnet(network)
    there = vnet(network, "other", addressSpace={"addressPrefixes": ["10.1.0.0/16"]}, subnets=[])
    same = vnet(network, "same")
    assert refusal(lambda: peer(network, "vnet", same)) == (400, "VnetAddressSpacesOverlap")
    peer(network, "vnet", there)
    again = {"properties": {"remoteVirtualNetwork": {"id": there.id}}}
    refused = refusal(lambda: network.virtual_network_peerings.begin_create_or_update("rg", "vnet", "again", again))
    assert refused == (400, "AnotherPeeringAlreadyReferencesRemoteVnet")


def test_no_service_has_put_anything_into_a_subnet(network: Any, subnet: str) -> None:
    assert network.service_association_links.list("rg", "vnet", "a").value == []
    assert network.resource_navigation_links.list("rg", "vnet", "a").value == []


def test_private_addresses_are_handed_out_kept_and_checked(network: Any, subnet: str) -> None:
    first = nic(network, subnet)
    assert first.ip_configurations[0].private_ip_address == "10.0.0.4"
    assert nic(network, subnet, "static", privateIPAllocationMethod="Static", privateIPAddress="10.0.0.9").etag
    networks = network.virtual_networks
    taken = networks.check_ip_address_availability("rg", "vnet", ip_address="10.0.0.9")
    assert (taken.available, taken.available_ip_addresses[:2], taken.is_platform_reserved) == (False, ["10.0.0.5", "10.0.0.6"], False)
    assert networks.check_ip_address_availability("rg", "vnet", ip_address="10.0.0.5").available
    for wanted, code in (
        ("10.0.0.9", "PrivateIPAddressIsAllocated"),
        ("10.0.0.2", "PrivateIPAddressInReservedRange"),
        ("10.9.0.9", "PrivateIPAddressNotInSubnet"),
    ):
        given = {"privateIPAllocationMethod": "Static", "privateIPAddress": wanted}
        assert refusal(lambda given=given: nic(network, subnet, "other", **given)) == (400, code)  # type: ignore[misc]  # mypy infers no lambda with a default
    for number in range(9):
        nic(network, subnet, f"more{number}")
    assert refusal(lambda: nic(network, subnet, "one-too-many")) == (400, "SubnetIsFull")
    assert refusal(lambda: vnet(network, subnets=[])) == (400, "InUseSubnetCannotBeDeleted")
    moved = [{"name": "a", "properties": {"addressPrefix": "10.0.1.0/24"}}]
    assert refusal(lambda: vnet(network, subnets=moved)) == (400, "InUsePrefixCannotBeDeleted")


def test_an_interface_is_made_listed_changed_and_deleted(network: Any, subnet: str) -> None:
    interfaces = network.network_interfaces
    made = nic(network, subnet)
    assert [one.name for one in interfaces.list("rg")] == [one.name for one in interfaces.list_all()] == ["nic"]
    assert [one.name for one in network.network_interface_ip_configurations.list("rg", "nic")] == ["ip"]
    assert interfaces.update_tags("rg", "nic", {"tags": {"a": "b"}}).tags == {"a": "b"}
    two = [{"name": name, "properties": {"subnet": {"id": subnet}, "primary": name == "ip"}} for name in ("ip", "ip2")]
    changed = interfaces.begin_create_or_update("rg", "nic", {"location": HERE, "properties": {"ipConfigurations": two}}).result()
    assert [one.private_ip_address for one in changed.ip_configurations] == ["10.0.0.4", "10.0.0.5"]
    assert changed.dns_settings.internal_domain_name_suffix == made.dns_settings.internal_domain_name_suffix
    interfaces.begin_delete("rg", "nic").result()
    assert network.subnets.get("rg", "vnet", "a").ip_configurations is None


def test_a_public_address_is_given_when_it_is_static_or_used(network: Any, subnet: str) -> None:
    addresses = network.public_ip_addresses
    made = address(network, dnsSettings={"domainNameLabel": "Factory"})
    assert made.ip_address
    assert made.dns_settings.fqdn == "factory.westeurope.cloudapp.azure.com"
    assert not network.check_dns_name_availability(HERE, domain_name_label="factory").available
    assert address(network, "two").ip_address != made.ip_address
    assert address(network, "dynamic", "Dynamic", "Basic").ip_address is None
    nic(network, subnet, publicIPAddress={"id": made.id})
    assert addresses.get("rg", "ip").ip_configuration.id.endswith("/networkInterfaces/nic/ipConfigurations/ip")
    assert refusal(lambda: addresses.begin_delete("rg", "ip")) == (400, "PublicIPAddressCannotBeDeleted")
    assert refusal(lambda: nic(network, subnet, "nic2", publicIPAddress={"id": made.id})) == (400, "PublicIPAddressInUse")
    assert [one.name for one in addresses.list("rg")] == [one.name for one in addresses.list_all()]
    assert addresses.update_tags("rg", "two", {"tags": {"a": "b"}}).tags == {"a": "b"}
    addresses.begin_delete("rg", "two").result()
    assert refusal(lambda: addresses.get("rg", "two")) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"method": "Dynamic"}, "PublicIPAddressStandardSkuMustBeStatic"),
        ({"idleTimeoutInMinutes": 60}, "IdleTimeoutInMinutesOutOfRange"),
        ({"publicIPPrefix": {"id": "/none"}}, "InvalidResourceReference"),
        ({"linkedPublicIPAddress": {"id": "/none"}}, "PropertyNotSupported"),
    ],
)
def test_an_unfit_public_address_is_refused(network: Any, options: Any, code: str) -> None:
    assert refusal(lambda: address(network, **options)) == (400, code)


def test_a_security_group_has_default_rules_and_takes_others(network: Any, subnet: str) -> None:
    groups, rules = network.network_security_groups, network.security_rules

    def rule(priority: int, **more: Any) -> dict[str, Any]:
        properties = {"protocol": "tcp", "access": "Allow", "direction": "Inbound", "priority": priority, **more}
        ends = {"sourcePortRange": "*", "destinationPortRange": "22", "sourceAddressPrefix": "*", "destinationAddressPrefix": "*"}
        return {"properties": {**ends, **properties}}

    made = groups.begin_create_or_update("rg", "nsg", {"location": HERE, "properties": {"securityRules": [{"name": "ssh", **rule(100)}]}})
    group = made.result()
    assert [one.priority for one in group.default_security_rules] == [65000, 65001, 65500] * 2
    assert group.security_rules[0].protocol == "Tcp"
    web = rules.begin_create_or_update("rg", "nsg", "web", rule(200, destinationPortRange="80")).result()
    assert web.provisioning_state == "Succeeded"
    assert [one.name for one in rules.list("rg", "nsg")] == ["ssh", "web"]
    assert network.default_security_rules.get("rg", "nsg", "DenyAllInBound").access == "Deny"
    assert len(list(network.default_security_rules.list("rg", "nsg"))) == 6
    for unfit, code in (
        (rule(100), "SecurityRuleConflict"),
        (rule(5000), "SecurityRuleInvalidPriority"),
        (rule(300, sourcePortRange=None), "SecurityRuleParameterNotSpecified"),
    ):
        assert refusal(lambda unfit=unfit: rules.begin_create_or_update("rg", "nsg", "x", unfit)) == (400, code)  # type: ignore[misc]  # mypy infers no lambda with a default
    rules.begin_delete("rg", "nsg", "web").result()

    nic(network, subnet, group=group.id)
    assert groups.get("rg", "nsg").network_interfaces[0].id.endswith("/nic")
    assert refusal(lambda: groups.begin_delete("rg", "nsg")) == (400, "InUseNetworkSecurityGroupCannotBeDeleted")
    network.network_interfaces.begin_delete("rg", "nic").result()
    assert groups.update_tags("rg", "nsg", {"tags": {"a": "b"}}).tags == {"a": "b"}
    assert [one.name for one in groups.list("rg")] == [one.name for one in groups.list_all()] == ["nsg"]
    groups.begin_delete("rg", "nsg").result()
    with pytest.raises(ResourceNotFoundError):
        rules.get("rg", "nsg", "ssh")


def test_an_etag_guards_a_write(network: Any) -> None:
    first = vnet(network)
    vnet(network, addressSpace={"addressPrefixes": ["10.0.0.0/16", "10.1.0.0/16"]})
    body = {"location": HERE, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}
    write = network.virtual_networks.begin_create_or_update
    with pytest.raises((ResourceModifiedError, HttpResponseError)) as refused:
        write("rg", "vnet", body, etag=first.etag, match_condition=MatchConditions.IfNotModified, headers={"If-Match": first.etag})
    assert refused.value.status_code == 412
    assert write("rg", "vnet", body, headers={"If-Match": network.virtual_networks.get("rg", "vnet").etag}).result()


def test_an_older_api_version_sees_what_it_knew(sandbox: Sandbox, network: Any, subnet: str) -> None:
    def shown(version: str) -> dict[str, Any]:
        url = f"https://management.azure.com{subnet.rsplit('/', 2)[0]}?api-version={version}"
        body: dict[str, Any] = sandbox.handle(Request("GET", url)).json()["properties"]
        return body

    old, new = shown("2016-12-01"), shown("2024-05-01")
    assert set(old["subnets"][0]["properties"]) == {"provisioningState", "addressPrefix"}
    assert "privateEndpointNetworkPolicies" in new["subnets"][0]["properties"]
    assert ("enableDdosProtection" in old, "enableDdosProtection" in new) == (False, True)


def test_the_provider_counts_what_is_used(network: Any, subnet: str) -> None:
    nic(network, subnet)
    used = {one.name.value: one.current_value for one in network.usages.list(HERE)}
    assert (used["VirtualNetworks"], used["NetworkInterfaces"], used["PublicIPAddresses"]) == (1, 1, 0)
    assert {one.name.value: one.current_value for one in network.usages.list("uksouth")}["VirtualNetworks"] == 0


def test_effective_rules_and_routes_are_those_of_a_running_machine(sandbox: Sandbox, network: Any, subnet: str) -> None:
    interfaces = network.network_interfaces
    group = network.network_security_groups.begin_create_or_update("rg", "nsg", {"location": HERE}).result()
    dynamic = address(network, method="Dynamic", sku="Basic")
    made = nic(network, subnet, group=group.id, publicIPAddress={"id": dynamic.id})
    for act in (interfaces.begin_list_effective_network_security_groups, interfaces.begin_get_effective_route_table):
        assert refusal(lambda act=act: act("rg", "nic"))[0] == 400  # type: ignore[misc]  # mypy infers no lambda with a default

    body = machine(subnet, UBUNTU, location=HERE)
    body["properties"]["networkProfile"] = {"networkInterfaces": [{"id": made.id}]}
    machines = sync_client(ComputeManagementClient, sandbox).virtual_machines
    machines.begin_create_or_update("rg", "vm", body).result()
    assert interfaces.get("rg", "nic").mac_address.startswith("00-0D-3A-")
    assert network.public_ip_addresses.get("rg", "ip").ip_address
    effective = interfaces.begin_list_effective_network_security_groups("rg", "nic").result().value[0]
    assert effective.network_security_group.id == group.id
    assert effective.effective_security_rules[0].expanded_source_address_prefix == ["10.0.0.0/16", "168.63.129.16/32"]
    routes = interfaces.begin_get_effective_route_table("rg", "nic").result().value
    assert [(one.address_prefix, one.next_hop_type) for one in routes[:2]] == [(["10.0.0.0/16"], "VnetLocal"), (["0.0.0.0/0"], "Internet")]
    assert refusal(lambda: interfaces.begin_delete("rg", "nic")) == (400, "NicInUse")


def test_public_addresses_come_out_of_a_range_that_was_asked_for() -> None:
    sandbox = make_sync_sandbox(public_addresses=("127.77.0.0/30",))
    sync_client(ResourceManagementClient, sandbox).resource_groups.create_or_update("rg", {"location": HERE})
    network = sync_client(NetworkManagementClient, sandbox)
    assert {address(network, "one").ip_address, address(network, "two").ip_address} == {"127.77.0.1", "127.77.0.2"}
    with pytest.raises(HttpResponseError, match="PublicIPCountLimitReached"):
        address(network, "three")


def test_a_dynamic_address_goes_with_the_allocation_of_its_machine(sandbox: Sandbox, network: Any, subnet: str) -> None:
    dynamic = address(network, method="Dynamic", sku="Basic")
    made = nic(network, subnet, publicIPAddress={"id": dynamic.id})
    machines = sync_client(ComputeManagementClient, sandbox).virtual_machines
    body = machine(subnet, UBUNTU, location=HERE)
    body["properties"]["networkProfile"] = {"networkInterfaces": [{"id": made.id}]}
    machines.begin_create_or_update("rg", "vm", body).result()

    def shown() -> tuple[bool, bool]:
        """Whether there is a public address, and a domain of the interface's own."""
        interface = network.network_interfaces.get("rg", "nic")
        found = network.public_ip_addresses.get("rg", "ip").ip_address
        return found is not None, interface.dns_settings.internal_domain_name_suffix is not None

    assert shown() == (True, True)
    machines.begin_deallocate("rg", "vm").result()
    assert shown() == (False, False)
    machines.begin_start("rg", "vm").result()
    assert shown() == (True, True)
    machines.begin_delete("rg", "vm").result()
    assert shown() == (False, False)
    assert network.network_interfaces.get("rg", "nic").virtual_machine is None


def test_what_a_machine_made_for_itself_goes_with_it_as_asked(sandbox: Sandbox, network: Any, subnet: str) -> None:
    body = machine(subnet, UBUNTU, location=HERE)
    inner = body["properties"]["networkProfile"]["networkInterfaceConfigurations"][0]["properties"]["ipConfigurations"][0]["properties"]
    inner["publicIPAddressConfiguration"] = {"name": "own", "properties": {"deleteOption": "Delete"}}
    machines = sync_client(ComputeManagementClient, sandbox).virtual_machines
    machines.begin_create_or_update("rg", "vm", body).result()
    assert [one.ip_address is not None for one in network.public_ip_addresses.list("rg")] == [True]
    machines.begin_delete("rg", "vm").result()
    assert list(network.public_ip_addresses.list("rg")) == []
    assert list(network.network_interfaces.list("rg")) == []


def test_a_region_tells_which_services_its_networks_serve(network: Any) -> None:
    delegations = {one.service_name: one for one in network.available_delegations.list(HERE)}
    assert delegations["Microsoft.ContainerInstance/containerGroups"].actions == ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    assert [one.name for one in network.available_resource_group_delegations.list(HERE, "rg")] == [one.name for one in delegations.values()]
    assert "Microsoft.Storage" in [one.name for one in network.available_endpoint_services.list(HERE)]
    tags = {one.name: one.properties.region for one in network.service_tags.list(HERE)["values"]}
    assert (tags["Storage"], tags["Storage.westeurope"]) == ("", HERE)
