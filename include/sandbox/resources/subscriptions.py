"""Tenants, subscriptions, locations, cloud metadata, and the operations' own addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import authorization, vintages
from ..clouds import Cloud
from ..operations import status
from ..regions import REGIONS, WITHOUT_ZONES
from ..registry import route
from ..wire import JSON_TYPE, Json, Response, compact
from .geography import PLACES

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox


_ALIASES = "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/main/arm-compute/quickstart-templates/aliases.json"
_NAMES = ("Sandbox", "Sandbox 2", "Partner")  # of the directory's subscriptions


def _json(value: object) -> Response:
    return Response(200, {"content-type": JSON_TYPE}, compact(value))


def cloud(whose: Cloud, base: str) -> Json:
    """The cloud's endpoints, for a client that reaches it at `base`: where that is no address of the cloud's own, everything is there."""
    own = whose.owns(base)
    login, graph, old, portal = (whose.login, whose.graph, whose.directory_graph, whose.portal) if own else (base, base, base, base)
    audiences = [*(f"{one}/" for one in whose.audiences), *([] if own else [base])]
    return {
        "portal": portal,
        "authentication": {"loginEndpoint": f"{login}/", "audiences": audiences, "tenant": "common", "identityProvider": "AAD"},
        "media": "https://rest.media.azure.net",
        "graphAudience": f"{old}/",
        "graph": f"{old}/",
        "name": whose.name if own else "Sandbox",
        "suffixes": dict(whose.suffixes),
        "batch": whose.batch,
        "resourceManager": f"{base}/",
        "vmImageAliasDoc": _ALIASES if own else f"{base}/azcliprod/cli/vm/aliases.json",
        "activeDirectoryDataLake": "https://datalake.azure.net/",
        "sqlManagement": f"{whose.management}:8443/",
        "microsoftGraphResourceId": f"{graph}/",
        "appInsightsResourceId": "https://api.applicationinsights.io",
        "appInsightsTelemetryChannelResourceId": "https://dc.applicationinsights.azure.com/v2/track",
        "attestationResourceId": "https://attest.azure.net",
        "synapseAnalyticsResourceId": "https://dev.azuresynapse.net",
        "logAnalyticsResourceId": "https://api.loganalytics.io",
        "ossrDbmsResourceId": "https://ossrdbms-aad.database.windows.net",
        "gallery": whose.gallery,
    }


@route("GET", "metadata/endpoints")
def metadata(arm: Sandbox, call: Call) -> Response:
    """What `az cloud register` asks: an array before api-version 2022-09-01, one object since, and the short form of 2015-01-01."""
    found = cloud(arm.cloud, call.base)
    if call.api_version.startswith("2015") or not call.api_version:
        authentication = {key: found["authentication"][key] for key in ("loginEndpoint", "audiences")}
        return _json(
            {
                "galleryEndpoint": found["gallery"],
                "graphEndpoint": found["graph"],
                "portalEndpoint": f"{found['portal']}/",
                "authentication": authentication,
            }
        )
    return _json(found if call.api_version >= "2022-09-01" else [found])


@route("GET", "tenants")
def tenants(arm: Sandbox, call: Call) -> Response:
    """Names since api-version 2020-01-01 are those of the caller's directory; a service principal sees none (recorded)."""
    return _json({"value": [vintages.shown("Microsoft.Resources/tenants", call.api_version, tenant(call.tenant))]})


def tenant(id: str) -> Json:
    return {"id": f"/tenants/{id}", "tenantId": id, "tenantCategory": "Home"}


def describe(arm: Sandbox, id: str) -> Json:
    """A subscription as GET shows it."""
    return {
        "id": f"/subscriptions/{id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": id,
        "tenantId": arm.directory.tenant_of(id),
        "displayName": _NAMES[list(arm.directory.subscriptions).index(id)],
        "state": "Enabled",
        "subscriptionPolicies": {"locationPlacementId": "Internal_2014-09-01", "quotaId": "Internal_2014-09-01", "spendingLimit": "Off"},
    }


def _shown(call: Call, subscription: Json) -> Json:
    return vintages.shown("Microsoft.Resources/subscriptions", call.api_version, subscription)


@route("GET", "subscriptions")
def subscriptions(arm: Sandbox, call: Call) -> Response:
    """Those in which the caller may do something."""
    found = [_shown(call, describe(arm, id)) for id in arm.directory.subscriptions if authorization.sees(arm, call.principal, id)]
    return _json({"value": found, "count": {"type": "Total", "value": len(found)}})


@route("GET", "subscriptions/{}")
def subscription(arm: Sandbox, call: Call, id: str) -> Response:
    return _json(_shown(call, describe(arm, id.lower())))


@route("GET", "subscriptions/{}/locations")
def locations(arm: Sandbox, call: Call, id: str) -> Response:
    value = []
    for name, shown in REGIONS[arm.cloud.name].items():
        prefix, geography, group, longitude, latitude, place, paired = PLACES[name]
        pairs = [{"name": paired, "id": f"/subscriptions/{id}/locations/{paired}"}] if paired else []
        one: Json = {
            "id": f"/subscriptions/{id}/locations/{name}",
            "name": name,
            "type": "Region",
            "displayName": shown,
            "regionalDisplayName": f"({prefix}) {shown}",
            "metadata": {
                "regionType": "Physical",
                "regionCategory": "Recommended" if name not in WITHOUT_ZONES else "Other",
                "geography": geography,
                "geographyGroup": group,
                "longitude": longitude,
                "latitude": latitude,
                "physicalLocation": place,
                "pairedRegion": pairs,
            },
        }
        if name not in WITHOUT_ZONES:
            one["availabilityZoneMappings"] = [{"logicalZone": zone, "physicalZone": f"{name}-az{zone}"} for zone in "123"]
        if call.api_version < "2019-11-01":  # recorded
            one |= {"longitude": longitude, "latitude": latitude}
        value.append(vintages.shown("Microsoft.Resources/subscriptions/locations", call.api_version, one))
    return _json({"value": value})


@route("GET", "subscriptions/{}/operationresults/{}")
def group_operation(arm: Sandbox, call: Call, subscription: str, id: str) -> Response:
    return status(arm, call, "arm", id)


@route("GET", "subscriptions/{}/providers/Microsoft.Compute/locations/{}/operations/{}")
def compute_operation(arm: Sandbox, call: Call, subscription: str, location: str, id: str) -> Response:
    return status(arm, call, "operations", id)


@route("GET", "subscriptions/{}/providers/Microsoft.Compute/locations/{}/DiskOperations/{}")
def disk_operation(arm: Sandbox, call: Call, subscription: str, location: str, id: str) -> Response:
    return status(arm, call, "DiskOperations", id)


@route("GET", "subscriptions/{}/providers/Microsoft.Storage/locations/{}/asyncoperations/{}")
def storage_operation(arm: Sandbox, call: Call, subscription: str, location: str, id: str) -> Response:
    return status(arm, call, "storage", id)


@route("GET", "subscriptions/{}/providers/Microsoft.Compute/locations/{}/capsOperations/{}")
def gallery_operation(arm: Sandbox, call: Call, subscription: str, location: str, id: str) -> Response:
    return status(arm, call, "capsOperations", id)


@route("GET", "subscriptions/{}/providers/Microsoft.Network/locations/{}/operations/{}")
def network_operation(arm: Sandbox, call: Call, subscription: str, location: str, id: str) -> Response:
    return status(arm, call, "network", id)


@route("GET", "subscriptions/{}/providers/Microsoft.Network/locations/{}/operationResults/{}")
def network_operation_result(arm: Sandbox, call: Call, subscription: str, location: str, id: str) -> Response:
    return status(arm, call, "network", id)
