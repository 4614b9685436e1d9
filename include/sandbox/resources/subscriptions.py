"""Tenants, subscriptions, locations, providers, cloud metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..operations import status
from ..regions import REGIONS, WITHOUT_ZONES
from ..registry import TYPES, route
from ..wire import JSON_TYPE, ArmError, Json, Response, compact

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

NAMESPACES = ("Microsoft.Compute", "Microsoft.Network", "Microsoft.Resources", "Microsoft.Storage")


def _json(value: object) -> Response:
    return Response(200, {"content-type": JSON_TYPE}, compact(value))


@route("GET", "metadata/endpoints")
def metadata(arm: Sandbox, call: Call) -> Response:
    """What `az cloud register` asks: an array before api-version 2022-09-01, one object since, and the short form of 2015-01-01."""
    base = call.base
    audiences = ["https://management.core.windows.net/", "https://management.azure.com/", base]
    if call.api_version.startswith("2015") or not call.api_version:
        return _json(
            {
                "galleryEndpoint": "https://gallery.azure.com/",
                "graphEndpoint": base,
                "portalEndpoint": base,
                "authentication": {"loginEndpoint": f"{base}/", "audiences": audiences},
            }
        )
    cloud: Json = {
        "portal": base,
        "authentication": {"loginEndpoint": f"{base}/", "audiences": audiences, "tenant": "common", "identityProvider": "AAD"},
        "graphAudience": f"{base}/",
        "graph": f"{base}/",
        "name": "Sandbox",
        "suffixes": {"storage": "core.windows.net", "keyVaultDns": "vault.azure.net", "acrLoginServer": "azurecr.io"},
        "batch": "https://batch.core.windows.net/",
        "resourceManager": f"{base}/",
        "vmImageAliasDoc": "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/main/arm-compute/quickstart-templates/aliases.json",
        "activeDirectoryDataLake": "https://datalake.azure.net/",
        "sqlManagement": "https://management.core.windows.net:8443/",
        "microsoftGraphResourceId": f"{base}/",
        "gallery": "https://gallery.azure.com/",
    }
    return _json(cloud if call.api_version >= "2022-09-01" else [cloud])


@route("GET", "tenants")
def tenants(arm: Sandbox, call: Call) -> Response:
    one = {"id": f"/tenants/{arm.tenant_id}", "tenantId": arm.tenant_id, "tenantCategory": "Home", "displayName": "Sandbox"}
    return _json({"value": [one]})


def _subscription(arm: Sandbox, id: str) -> Json:
    return {
        "id": f"/subscriptions/{id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": id,
        "tenantId": arm.tenant_id,
        "displayName": "Sandbox",
        "state": "Enabled",
        "subscriptionPolicies": {"locationPlacementId": "Internal_2014-09-01", "quotaId": "Internal_2014-09-01", "spendingLimit": "Off"},
    }


@route("GET", "subscriptions")
def subscriptions(arm: Sandbox, call: Call) -> Response:
    found = [_subscription(arm, id) for id in arm.subscriptions]
    return _json({"value": found, "count": {"type": "Total", "value": len(found)}})


@route("GET", "subscriptions/{}")
def subscription(arm: Sandbox, call: Call, id: str) -> Response:
    return _json(_subscription(arm, id))


@route("GET", "subscriptions/{}/locations")
def locations(arm: Sandbox, call: Call, id: str) -> Response:
    value = []
    for name, shown in REGIONS.items():
        one: Json = {
            "id": f"/subscriptions/{id}/locations/{name}",
            "name": name,
            "type": "Region",
            "displayName": shown,
            "regionalDisplayName": shown,
            "metadata": {"regionType": "Physical", "regionCategory": "Recommended" if name not in WITHOUT_ZONES else "Other"},
        }
        if name not in WITHOUT_ZONES:
            one["availabilityZoneMappings"] = [{"logicalZone": zone, "physicalZone": f"{name}-az{zone}"} for zone in "123"]
        value.append(one)
    return _json({"value": value})


def _provider(arm: Sandbox, call: Call, subscription: str, namespace: str) -> Json:
    known = next((name for name in NAMESPACES if name.lower() == namespace.lower()), None)
    if known is None:
        raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.", gateway=True)
    displays = list(REGIONS.values())
    state = arm.store.settings.get(f"provider.{known}", "Registered")
    kinds = [
        {
            "resourceType": kind.short,
            "locations": displays,
            "apiVersions": ["2026-03-03", "2026-04-01", "2025-04-01", "2024-11-01", "2024-07-01"],
        }
        for kind in TYPES.values()
        if kind.name.startswith(known + "/")
    ]
    return {
        "id": f"/subscriptions/{subscription}/providers/{known}",
        "namespace": known,
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": kinds,
        "registrationState": state,
    }


@route("GET", "subscriptions/{}/providers")
def providers(arm: Sandbox, call: Call, subscription: str) -> Response:
    return _json({"value": [_provider(arm, call, subscription, name) for name in NAMESPACES]})


@route("GET", "subscriptions/{}/providers/{}")
def provider(arm: Sandbox, call: Call, subscription: str, namespace: str) -> Response:
    return _json(_provider(arm, call, subscription, namespace))


@route("POST", "subscriptions/{}/providers/{}/register")
def register_provider(arm: Sandbox, call: Call, subscription: str, namespace: str) -> Response:
    arm.store.set(f"provider.{_provider(arm, call, subscription, namespace)['namespace']}", "Registered")
    return _json(_provider(arm, call, subscription, namespace))


@route("POST", "subscriptions/{}/providers/{}/unregister")
def unregister_provider(arm: Sandbox, call: Call, subscription: str, namespace: str) -> Response:
    arm.store.set(f"provider.{_provider(arm, call, subscription, namespace)['namespace']}", "Unregistered")
    return _json(_provider(arm, call, subscription, namespace))


@route("GET", "subscriptions/{}/operationresults/{}")
def group_operation(arm: Sandbox, call: Call, subscription: str, id: str) -> Response:
    return status(arm, call, "arm", id)


@route("GET", "subscriptions/{}/providers/Microsoft.Compute/locations/{}/{}/{}")
def compute_operation(arm: Sandbox, call: Call, subscription: str, location: str, family: str, id: str) -> Response:
    if family.lower() not in ("operations", "diskoperations", "capsoperations"):
        raise ArmError(
            404,
            "InvalidResourceType",
            f"The resource type 'locations/{family}' could not be found in the namespace 'Microsoft.Compute'.",
            gateway=True,
        )
    return status(arm, call, family, id)


@route("GET", "subscriptions/{}/providers/Microsoft.Network/locations/{}/operations/{}")
def network_operation(arm: Sandbox, call: Call, subscription: str, location: str, id: str) -> Response:
    return status(arm, call, "network", id)


@route("GET", "subscriptions/{}/providers/Microsoft.Network/locations/{}/operationResults/{}")
def network_operation_result(arm: Sandbox, call: Call, subscription: str, location: str, id: str) -> Response:
    return status(arm, call, "network", id)
