"""What networks are offered in a region: services that a subnet can be delegated to or reached from, and service tags.

The names are a selection of Azure's; shapes: recorded answers (service tags) and the Network OpenAPI document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..regions import short
from ..registry import route
from ..routing import require_group
from ..wire import JSON_TYPE, Json, Response, pretty

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

_ROOT = "subscriptions/{}/providers/Microsoft.Network/locations/{}"
_DELEGATIONS = (
    "Microsoft.Web/serverFarms",
    "Microsoft.ContainerInstance/containerGroups",
    "Microsoft.Netapp/volumes",
    "Microsoft.HardwareSecurityModules/dedicatedHSMs",
    "Microsoft.Logic/integrationServiceEnvironments",
    "Microsoft.Batch/batchAccounts",
    "Microsoft.MachineLearningServices/workspaces",
    "Microsoft.DBforPostgreSQL/flexibleServers",
    "Microsoft.DBforMySQL/flexibleServers",
    "Microsoft.Sql/managedInstances",
    "Microsoft.Databricks/workspaces",
    "Microsoft.App/environments",
    "Microsoft.Network/dnsResolvers",
)
_ENDPOINTS = (
    "Microsoft.Storage",
    "Microsoft.Storage.Global",
    "Microsoft.Sql",
    "Microsoft.AzureActiveDirectory",
    "Microsoft.AzureCosmosDB",
    "Microsoft.Web",
    "Microsoft.KeyVault",
    "Microsoft.EventHub",
    "Microsoft.ServiceBus",
    "Microsoft.ContainerRegistry",
    "Microsoft.CognitiveServices",
)
# name -> (the service behind it, what may use it); the regional ones have the region behind a dot. Their addresses are those for
# documentation (RFC 5737): whoever opens a firewall by them opens nothing.
_TAGS = {
    "ActionGroup": ("ActionGroup", ("API", "NSG", "UDR", "FW"), False),
    "ApiManagement": ("AzureApiManagement", ("API", "NSG", "UDR", "FW"), True),
    "AppService": ("AzureAppService", ("API", "NSG", "UDR", "FW"), True),
    "AzureActiveDirectory": ("AzureAD", ("API", "NSG", "UDR", "FW", "VSE"), False),
    "AzureCloud": ("", ("API", "NSG"), True),
    "AzureKeyVault": ("AzureKeyVault", ("API", "NSG", "UDR", "FW", "VSE"), True),
    "AzureResourceManager": ("AzureResourceManager", ("API", "NSG", "UDR", "FW"), False),
    "Sql": ("AzureSQL", ("API", "NSG", "UDR", "FW", "VSE"), True),
    "Storage": ("AzureStorage", ("API", "NSG", "UDR", "FW", "VSE"), True),
}
_CHANGE = "114"


def _shown(body: Json) -> Response:
    return Response(200, {"content-type": JSON_TYPE}, pretty(body))


@route("GET", _ROOT + "/availableDelegations")
def delegations(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    root = f"/subscriptions/{subscription}/providers/Microsoft.Network/availableDelegations"
    value = []
    for service in _DELEGATIONS:
        name = service.replace("/", ".")
        actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
        one = {"name": name, "id": f"{root}/{name}", "type": "Microsoft.Network/availableDelegations"}
        value.append({**one, "serviceName": service, "actions": actions})
    return _shown({"value": value})


@route("GET", "subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/locations/{}/availableDelegations")
def delegations_of_group(arm: Sandbox, call: Call, subscription: str, group: str, location: str) -> Response:
    call.group = group
    require_group(arm, call)
    return delegations(arm, call, subscription, location)


@route("GET", _ROOT + "/virtualNetworkAvailableEndpointServices")
def endpoint_services(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    root = f"/subscriptions/{subscription}/providers/Microsoft.Network/virtualNetworkEndpointServices"
    return _shown(
        {
            "value": [
                {"name": name, "id": f"{root}/{name}", "type": "Microsoft.Network/virtualNetworkEndpointServices"} for name in _ENDPOINTS
            ]
        }
    )


@route("GET", _ROOT + "/serviceTags")
def service_tags(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    """Every tag, and the regional ones of the region that was asked."""
    values = []
    for name, (service, features, regional) in _TAGS.items():
        for region in ("", short(location)) if regional else ("",):
            tag = f"{name}.{region}" if region else name
            properties = {
                "changeNumber": _CHANGE,
                "region": region,
                "state": "GA",
                "networkFeatures": list(features),
                "systemService": service,
                "addressPrefixes": ["198.51.100.0/24", "203.0.113.0/24"],
            }
            values.append({"name": tag, "id": tag, "serviceTagChangeNumber": _CHANGE, "properties": properties})
    return _shown(
        {
            "name": "Public",
            "id": f"/subscriptions/{subscription}/providers/Microsoft.Network/serviceTags/Public",
            "type": "Microsoft.Network/serviceTags",
            "changeNumber": _CHANGE,
            "cloud": "Public",
            "values": values,
            "nextLink": "",
        }
    )
