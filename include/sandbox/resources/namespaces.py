"""Resource provider namespaces as data: what they have besides the sandbox's own types, and which others exist.

From recorded provider documents, condensed.
"""

from __future__ import annotations

from ..wire import Json

# Types below the namespaces that the sandbox serves: clients look their api-versions up.
EXTRA: dict[str, tuple[str, ...]] = {
    "Microsoft.Compute": (
        "locations",
        "locations/operations",
        "locations/diskOperations",
        "locations/capsOperations",
        "locations/vmSizes",
        "locations/usages",
        "locations/publishers",
        "locations/runCommands",
        "operations",
        "virtualMachines/extensions",
    ),
    "Microsoft.Network": (
        "locations",
        "locations/operations",
        "locations/operationResults",
        "locations/usages",
        "locations/CheckDnsNameAvailability",
        "operations",
    ),
    "Microsoft.Resources": (
        "tenants",
        "locations",
        "notifyResourceJobs",
        "checkPolicyCompliance",
        "providers",
        "operations",
        "subscriptions",
        "subscriptions/resources",
        "subscriptions/providers",
        "subscriptions/operationresults",
        "subscriptions/resourceGroups",
        "subscriptions/resourceGroups/resources",
        "subscriptions/locations",
        "subscriptions/tagnames",
        "deployments/operations",
    ),
    "Microsoft.ManagedIdentity": ("Identities", "operations"),
    "Microsoft.Authorization": ("operations",),
    "Microsoft.KeyVault": (
        "vaults/secrets",
        "operations",
        "checkNameAvailability",
        "deletedVaults",
        "locations",
        "locations/deletedVaults",
        "locations/operationResults",
    ),
}

_COMMON = ("2023-05-01", "2022-09-01", "2021-04-01")

# Other providers: that they are there, with their best-known types. Requests for their types are refused.
OTHERS: dict[str, dict[str, tuple[str, ...]]] = {
    "Microsoft.Storage": {
        "locations": (  # recorded
            "2024-01-01",
            "2023-05-01",
            "2023-04-01",
            "2023-01-01",
            "2022-09-01",
            "2022-05-01",
            "2021-09-01",
            "2021-08-01",
            "2021-06-01",
            "2021-05-01",
            "2021-04-01",
            "2021-02-01",
            "2021-01-01",
            "2020-08-01-preview",
            "2019-06-01",
            "2019-04-01",
            "2018-11-01",
            "2018-07-01",
            "2018-03-01-preview",
            "2018-02-01",
            "2017-10-01",
            "2017-06-01",
            "2016-12-01",
            "2016-07-01",
            "2016-01-01",
        ),
        "operations": ("2023-05-01", "2022-09-01", "2019-06-01", "2015-06-15"),
    },
    "Microsoft.VirtualMachineImages": {"imageTemplates": ("2024-02-01", "2023-07-01", "2022-07-01", "2020-02-14"), "locations": _COMMON},
    "Microsoft.ContainerRegistry": {
        "registries": ("2023-07-01", "2022-12-01", "2019-05-01", "2017-10-01"),
        "locations": ("2019-05-01", "2017-10-01"),
    },
    "Microsoft.ContainerService": {"managedClusters": ("2024-09-01", "2023-08-01", "2020-09-01"), "locations": ("2017-08-31",)},
    "Microsoft.ContainerInstance": {"containerGroups": ("2023-05-01", "2021-10-01"), "locations": ("2023-05-01",)},
    "Microsoft.RecoveryServices": {"vaults": ("2024-04-01", "2023-06-01", "2016-06-01"), "operations": ("2023-06-01", "2016-06-01")},
    "Microsoft.ClassicInfrastructureMigrate": {"classicInfrastructureResources": ("2015-06-15",)},
    "Microsoft.Confluent": {"organizations": ("2023-08-22", "2021-12-01", "2020-03-01"), "operations": ("2021-12-01", "2020-03-01")},
    "Microsoft.Insights": {
        "components": ("2020-02-02", "2015-05-01"),
        "diagnosticSettings": ("2021-05-01-preview",),
        "activityLogAlerts": ("2020-10-01",),
    },
    "Microsoft.OperationalInsights": {"workspaces": ("2023-09-01", "2021-06-01", "2015-03-20"), "operations": _COMMON},
    "Microsoft.Web": {"sites": ("2023-12-01", "2022-03-01", "2016-08-01"), "serverFarms": ("2023-12-01", "2022-03-01")},
    "Microsoft.Sql": {"servers": ("2021-11-01", "2014-04-01"), "servers/databases": ("2021-11-01", "2014-04-01")},
    "Microsoft.DocumentDB": {"databaseAccounts": ("2024-05-15", "2021-04-15")},
    "Microsoft.Cache": {"Redis": ("2023-08-01", "2020-06-01")},
    "Microsoft.Batch": {"batchAccounts": ("2024-02-01", "2021-06-01")},
    "Microsoft.EventHub": {"namespaces": ("2024-01-01", "2021-11-01")},
    "Microsoft.ServiceBus": {"namespaces": ("2022-10-01-preview", "2021-11-01")},
    "Microsoft.EventGrid": {"topics": ("2022-06-15", "2020-06-01")},
    "Microsoft.Automation": {"automationAccounts": ("2023-11-01", "2020-01-13-preview")},
    "Microsoft.Logic": {"workflows": ("2019-05-01", "2016-06-01")},
    "Microsoft.PolicyInsights": {"policyStates": ("2019-10-01",)},
    "Microsoft.Security": {"pricings": ("2024-01-01", "2018-06-01")},
    "Microsoft.Advisor": {"recommendations": ("2023-01-01", "2020-01-01")},
    "Microsoft.ResourceHealth": {"availabilityStatuses": ("2022-10-01", "2018-07-01")},
    "Microsoft.Features": {"features": ("2021-07-01", "2015-12-01"), "providers": ("2021-07-01", "2015-12-01")},
    "Microsoft.Portal": {"dashboards": ("2020-09-01-preview",)},
    "Microsoft.ManagedServices": {"registrationDefinitions": ("2022-10-01", "2020-02-01-preview")},
    "Microsoft.MarketplaceOrdering": {"agreements": ("2021-01-01", "2015-06-01"), "offertypes": ("2021-01-01", "2015-06-01")},
    "Microsoft.DevTestLab": {"labs": ("2018-09-15", "2016-05-15"), "schedules": ("2018-09-15", "2016-05-15")},
    "Microsoft.Databricks": {"workspaces": ("2024-05-01", "2018-04-01")},
    "Microsoft.MachineLearningServices": {"workspaces": ("2024-04-01", "2021-07-01")},
    "Microsoft.CognitiveServices": {"accounts": ("2023-05-01", "2017-04-18")},
    "Microsoft.Search": {"searchServices": ("2023-11-01", "2020-08-01")},
    "Microsoft.Cdn": {"profiles": ("2024-02-01", "2020-09-01")},
    "Microsoft.DBforPostgreSQL": {"flexibleServers": ("2022-12-01",), "servers": ("2017-12-01",)},
    "Microsoft.DBforMySQL": {"flexibleServers": ("2023-12-30",), "servers": ("2017-12-01",)},
}

# The first-party applications that act for a provider, as every provider document lists them.
_APPLICATIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "Microsoft.Compute": (
        ("60e6cd67-9c8c-4951-9b3c-23c25a2169af", "e4770acb-272e-4dc8-87f3-12f44a612224"),
        ("a303894e-f1d8-4a37-bf10-67aa654a0596", "903ac751-8ad5-4e5a-bfc2-5e49f450a241"),
    ),
    "Microsoft.Network": (("2cf9eb86-36b5-49dc-86ae-9a63135dfa8c", "13ba9ab4-19f0-4804-adc4-14ece36cc7a1"),),
    "Microsoft.Storage": (("a6aa9161-5291-40bb-8c5c-923b567bee3b", "070ab87f-0efc-4423-b18b-756f3bdb0236"),),
    "Microsoft.ContainerRegistry": (("6a0ec4d3-30cb-4a83-91c0-ae56bc0e3d26", "78e18383-93eb-418a-9887-bc9271046576"),),
    "Microsoft.RecoveryServices": (("262044b1-e2ce-469f-a196-69ab7ada62d3", "21cec436-f7d0-4ade-8ad8-fec5668484cc"),),
    "Microsoft.Confluent": (("1448fa24-3fa7-4a8f-8d2a-8b1f9e2b4b5c", "c9f1b8a5-6ab3-4a3e-9d4d-2f7ff9d1d5ac"),),
}

# Providers that have a single application, and say so in the singular.
_APPLICATION = {
    "Microsoft.ClassicInfrastructureMigrate": ("5e5abe2b-83cd-4786-826a-a05653ebb103", "766c4d9b-ef83-4f73-8352-1450a506a69b"),
    "Microsoft.Search": ("408992c7-2af6-4ff1-92e3-65b73d2b5092", "20FA3191-87CF-4C3D-9510-74CCB594A310"),
    "Microsoft.Web": ("abfa0a7c-a6b6-4736-8310-5855508787cd", "f47ed98b-b063-4a5b-9e10-4b9b44fa7735"),
}


def applications(space: str) -> Json:
    """`authorizations` of a provider document, where it has any."""
    if space in _APPLICATION:
        application, role = _APPLICATION[space]
        return {"authorization": {"applicationId": application, "roleDefinitionId": role}}
    found = _APPLICATIONS.get(space)
    if found is None:
        return {}
    return {"authorizations": [{"applicationId": application, "roleDefinitionId": role} for application, role in found]}
