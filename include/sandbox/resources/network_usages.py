"""How much of the Network provider's limits is used.

Limits: recorded answer of 2025; of what the sandbox does not have, nothing is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..registry import route
from ..wire import JSON_TYPE, Json, Response, pretty
from .network import ADDRESS

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

# The first api-version that tells whether a limit can be raised (recorded: between 2021-02-01 and 2023-09-01).
ADJUSTABLE_SINCE = "2021-03-01"

# name -> shown name, limit
LIMITS: dict[str, tuple[str, int]] = {
    "VirtualNetworks": ("Virtual Networks", 1000),
    "CustomIpPrefixes": ("Custom Ip Prefixes", 5),
    "PublicIpPrefixes": ("Public Ip Prefixes", 2147483647),
    "PublicIPAddresses": ("Public IP Addresses", 1000),
    "StaticPublicIPAddresses": ("Static Public IP Addresses", 1000),
    "StandardSkuPublicIpAddresses": ("Public IP Addresses - Standard", 1000),
    "NetworkSecurityGroups": ("Network Security Groups", 5000),
    "NatGateways": ("Nat Gateways", 1000),
    "NetworkInterfaces": ("Network Interfaces", 65536),
    "PrivateEndpoints": ("Private Endpoints", 65536),
    "LoadBalancers": ("Load Balancers", 1000),
    "PrivateLinkServices": ("Private Link Services", 1800),
    "ApplicationGateways": ("Application Gateways", 1000),
    "RouteTables": ("Route Tables", 200),
    "RouteFilters": ("Route Filters", 1000),
    "NetworkWatchers": ("Network Watchers", 1),
    "PacketCaptures": ("Packet Captures", 10000),
    "ApplicationSecurityGroups": ("Application Security Groups.", 3000),
    "DdosProtectionPlans": ("DDoS Protection Plans.", 1),
    "ServiceEndpointPolicies": ("Service Endpoint Policies", 500),
    "StandardSkuLoadBalancers": ("Standard Sku Load Balancers", 1000),
    "DnsServersPerVirtualNetwork": ("DNS servers per Virtual Network", 20),
    "SubnetsPerVirtualNetwork": ("Subnets per Virtual Network", 3000),
    "IPConfigurationsPerVirtualNetwork": ("IP Configurations per Virtual Network", 65536),
    "PeeringsPerVirtualNetwork": ("Peerings per Virtual Network", 500),
    "PrefixesPerSubnet": ("Prefixes per Subnet", 500),
    "SecurityRulesPerNetworkSecurityGroup": ("Security rules per Network Security Group", 1000),
    "SecurityRuleAddressesOrPortsPerNetworkSecurityGroup": ("Security rules addresses or ports per Network Security Group", 4000),
    "RoutesPerRouteTable": ("Routes per Route Table", 400),
    "SecondaryIPConfigurationsPerNetworkInterface": ("Secondary IP Configurations per Network Interface", 256),
    "MinPublicIpInterNetworkPrefixLength": ("Public IPv4 Prefix Length", 28),
}


@route("GET", "subscriptions/{}/providers/Microsoft.Network/locations/{}/usages")
def usages(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    place = location.replace(" ", "").lower()

    def there(kind: str) -> list[Json]:
        found = arm.store.of_type(subscription, f"Microsoft.Network/{kind}").values()
        return [one.body for one in found if one.location == place]

    addresses = [one.body for one in arm.store.of_type(subscription, ADDRESS).values() if one.location == place]
    used = {
        "VirtualNetworks": len(there("virtualNetworks")),
        "NetworkInterfaces": len(there("networkInterfaces")),
        "NetworkSecurityGroups": len(there("networkSecurityGroups")),
        "PublicIPAddresses": len(addresses),
        "StaticPublicIPAddresses": sum(one["properties"].get("publicIPAllocationMethod") == "Static" for one in addresses),
        "StandardSkuPublicIpAddresses": sum((one.get("sku") or {}).get("name") == "Standard" for one in addresses),
        "PublicIpPrefixes": len(there("publicIPPrefixes")),
        "NetworkWatchers": 1,
    }
    root = f"/subscriptions/{subscription}/providers/Microsoft.Network/locations/{place}/usages"
    value = [
        {
            "currentValue": used.get(name, 0),
            "id": f"{root}/{name}",
            "limit": limit,
            "name": {"localizedValue": shown, "value": name},
            "unit": "Count",
            **({"isAdjustable": True} if call.api_version >= ADJUSTABLE_SINCE else {}),
        }
        for name, (shown, limit) in LIMITS.items()
    ]
    return Response(200, {"content-type": JSON_TYPE}, pretty({"value": value}))
