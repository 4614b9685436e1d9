"""Azure's clouds as data: the public one, and the sovereign ones, which share nothing with it.

Endpoints: `az cloud list` (azure-cli 2.91.0); regions: regions.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Cloud:
    """The hosts of one cloud, as addresses without a slash at their end; `storage` is the suffix of its storage accounts, and `disks` that
    of the hosts where disks are read."""

    name: str
    resource_manager: str
    management: str  # the classic service's, whose name Resource Manager's tokens may still bear
    login: str
    logins: tuple[str, ...]  # further hosts that sign in
    tokens: str  # whose tokens they are: the `iss` of version 1
    graph: str
    directory_graph: str  # Azure AD Graph, which Graph took the place of
    portal: str
    gallery: str
    batch: str
    storage: str
    disks: str
    suffixes: tuple[tuple[str, str], ...]

    @cached_property
    def audiences(self) -> tuple[str, ...]:
        """Of Resource Manager."""
        return (self.management, self.resource_manager)

    @cached_property
    def services(self) -> frozenset[str]:
        """The audiences of the services that the sandbox has, in lower case."""
        return frozenset((*self.audiences, self.graph))

    def owns(self, base: str) -> bool:
        """Whether `https://host` is an address of the cloud's own (of Resource Manager, Graph or the login service)."""
        return base in (self.resource_manager, self.graph, self.login, *(f"https://{host}" for host in self.logins))

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """The names of its hosts, wildcards among them."""
        named = (self.resource_manager, self.login, self.graph)
        return (
            *(str(urlsplit(one).hostname) for one in named),
            *self.logins,
            f"*.blob.{self.storage}",
            f"*{self.disks}",
            *(f"*.z{zone}{self.disks}" for zone in range(51)),
        )


PUBLIC = Cloud(
    name="AzureCloud",
    resource_manager="https://management.azure.com",
    management="https://management.core.windows.net",
    login="https://login.microsoftonline.com",
    logins=("login.windows.net", "graph.windows.net"),
    tokens="https://sts.windows.net",
    graph="https://graph.microsoft.com",
    directory_graph="https://graph.windows.net",
    portal="https://portal.azure.com",
    gallery="https://gallery.azure.com/",
    batch="https://batch.core.windows.net/",
    storage="core.windows.net",
    disks=".blob.storage.azure.net",
    suffixes=(
        ("azureDataLakeStoreFileSystem", "azuredatalakestore.net"),
        ("acrLoginServer", "azurecr.io"),
        ("sqlServerHostname", "database.windows.net"),
        ("azureDataLakeAnalyticsCatalogAndJob", "azuredatalakeanalytics.net"),
        ("keyVaultDns", "vault.azure.net"),
        ("storage", "core.windows.net"),
        ("azureFrontDoorEndpointSuffix", "azurefd.net"),
    ),
)
US_GOVERNMENT = Cloud(
    name="AzureUSGovernment",
    resource_manager="https://management.usgovcloudapi.net",
    management="https://management.core.usgovcloudapi.net",
    login="https://login.microsoftonline.us",
    logins=(),
    tokens="https://sts.windows.net",
    graph="https://graph.microsoft.us",
    directory_graph="https://graph.microsoftazure.us",
    portal="https://portal.azure.us",
    gallery="https://gallery.usgovcloudapi.net/",
    batch="https://batch.core.usgovcloudapi.net/",
    storage="core.usgovcloudapi.net",
    disks=".blob.core.usgovcloudapi.net",
    suffixes=(
        ("acrLoginServer", "azurecr.us"),
        ("sqlServerHostname", "database.usgovcloudapi.net"),
        ("keyVaultDns", "vault.usgovcloudapi.net"),
        ("storage", "core.usgovcloudapi.net"),
    ),
)
CHINA = Cloud(
    name="AzureChinaCloud",
    resource_manager="https://management.chinacloudapi.cn",
    management="https://management.core.chinacloudapi.cn",
    login="https://login.chinacloudapi.cn",
    logins=("login.partner.microsoftonline.cn",),
    tokens="https://sts.chinacloudapi.cn",
    graph="https://microsoftgraph.chinacloudapi.cn",
    directory_graph="https://graph.chinacloudapi.cn",
    portal="https://portal.azure.cn",
    gallery="https://gallery.chinacloudapi.cn/",
    batch="https://batch.chinacloudapi.cn/",
    storage="core.chinacloudapi.cn",
    disks=".blob.core.chinacloudapi.cn",
    suffixes=(
        ("acrLoginServer", "azurecr.cn"),
        ("sqlServerHostname", "database.chinacloudapi.cn"),
        ("keyVaultDns", "vault.azure.cn"),
        ("storage", "core.chinacloudapi.cn"),
    ),
)

CLOUDS = {one.name: one for one in (PUBLIC, US_GOVERNMENT, CHINA)}


def is_elsewhere(audience: str, cloud: Cloud) -> bool:
    """Whether an audience is a service's of another cloud, which this one does not know."""
    name = audience.rstrip("/").lower()
    return name not in cloud.services and any(name in other.services for other in CLOUDS.values())
