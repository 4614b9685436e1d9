"""From an Airflow connection to the clients that the steps work with."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from image_factory.provider import CLOUDS, IDENTITIES

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from azure.core.credentials_async import AsyncTokenCredential

    from include.steps.azure import Azure

log = logging.getLogger(__name__)

DEFAULT_CONNECTION = "azure_image_factory"

# https://learn.microsoft.com/azure/azure-resource-manager/management/authenticate-multi-tenant
AUXILIARY_LIMIT = 3

# Authority and Resource Manager of each cloud: azure.identity.AzureAuthorityHosts and `az cloud list`.
_CLOUD_ENDPOINTS = {
    "AzureCloud": ("https://login.microsoftonline.com", "https://management.azure.com"),
    "AzureUSGovernment": ("https://login.microsoftonline.us", "https://management.usgovcloudapi.net"),
    "AzureChinaCloud": ("https://login.chinacloudapi.cn", "https://management.chinacloudapi.cn"),
}


@dataclass(frozen=True)
class AzureSettings:
    """The fields of one connection, checked.

    :raises ValueError: from :meth:`of`, naming every field that is missing or wrong and what to write there.
    """

    subscription_id: str
    tenant_id: str | None
    identity: str
    client_id: str | None
    client_secret: str | None = field(repr=False)
    authority: str
    endpoint: str
    ca_file: str | None
    auxiliary_tenant_ids: tuple[str, ...] = ()
    certificate_file: str | None = None

    @classmethod
    def of(cls, connection: Connection) -> AzureSettings:
        extra: dict[str, Any] = {name: value for name, value in (connection.extra_dejson or {}).items() if value not in (None, "")}
        client_id, client_secret = connection.login or None, connection.password or None
        certificate_file = extra.get("certificate_file")
        identity = extra.get("identity") or ("service_principal" if client_secret or certificate_file else "default")
        cloud = extra.get("cloud") or "AzureCloud"
        tenant_id, subscription_id = extra.get("tenantId"), extra.get("subscriptionId")
        authority = extra.get("authority") or _CLOUD_ENDPOINTS.get(cloud, ("", ""))[0]
        endpoint = extra.get("endpoint") or _CLOUD_ENDPOINTS.get(cloud, ("", ""))[1]
        ca_file = extra.get("ca_file")
        auxiliary = tuple(tenant.strip() for tenant in str(extra.get("auxiliaryTenantIds") or "").split(",") if tenant.strip())

        problems = []
        if auxiliary and identity != "service_principal":
            problems.append(f"auxiliaryTenantIds: a {identity} has one tenant only; use a service principal of a multi-tenant application")
        if len(auxiliary) > AUXILIARY_LIMIT:
            problems.append(f"auxiliaryTenantIds: {len(auxiliary)} tenants, and Azure takes {AUXILIARY_LIMIT} beside the first")
        if cloud not in CLOUDS:
            problems.append(f"cloud: {cloud!r} is not known; choose one of {', '.join(CLOUDS)}, or give endpoint and authority")
        if identity not in IDENTITIES:
            problems.append(f"identity: {identity!r} is not known; choose one of {', '.join(IDENTITIES)}")
        if not subscription_id:
            problems.append("subscriptionId: missing; `az account show --query id` prints it")
        if identity == "service_principal":
            problems += [
                f"{name}: missing; a service principal needs it"
                for name, value in (
                    ("tenantId", tenant_id),
                    ("login (client id)", client_id),
                    ("password (client secret) or certificate_file", client_secret or certificate_file),
                )
                if not value
            ]
        elif certificate_file:
            problems.append(f"certificate_file: a {identity} has no certificate; it is a service principal's")
        for name, url in (("endpoint", endpoint), ("authority", authority)):
            if url and not url.startswith("https://"):
                problems.append(f"{name}: {url!r} must begin with https://, as tokens are only sent over TLS")
        for name, path in (("ca_file", ca_file), ("certificate_file", certificate_file)):
            if path and not Path(path).is_file():
                problems.append(f"{name}: {path} does not exist on this machine")
        if problems:
            raise ValueError(f"Connection {connection.conn_id!r}: " + "; ".join(problems))
        return cls(
            subscription_id=str(subscription_id),
            tenant_id=tenant_id,
            identity=identity,
            client_id=client_id,
            client_secret=client_secret,
            authority=authority.rstrip("/"),
            endpoint=endpoint.rstrip("/"),
            ca_file=ca_file,
            auxiliary_tenant_ids=auxiliary,
            certificate_file=certificate_file,
        )

    def key(self) -> str:
        """A digest that changes with any field, the secret's value and the certificate included: the key under which clients are shared."""
        certificate = hashlib.sha256(Path(self.certificate_file).read_bytes()).hexdigest() if self.certificate_file else None
        fields = [self.subscription_id, self.tenant_id, self.identity, self.client_id, self.client_secret, self.authority, self.endpoint]
        return hashlib.sha256(json.dumps([*fields, self.ca_file, certificate, *self.auxiliary_tenant_ids]).encode()).hexdigest()

    def connect(self) -> Azure:
        """Make the clients. Nothing is sent until a step calls them."""
        from include.steps.azure import Azure

        options: dict[str, Any] = {"connection_verify": self.ca_file} if self.ca_file else {}
        auxiliary = [self._credential(options, tenant) for tenant in self.auxiliary_tenant_ids]
        return Azure(
            self._credential(options, self.tenant_id), self.subscription_id, self.endpoint, auxiliary_credentials=auxiliary, **options
        )

    def _credential(self, options: dict[str, Any], tenant_id: str | None) -> AsyncTokenCredential:
        from azure.identity.aio import (
            CertificateCredential,
            ClientSecretCredential,
            DefaultAzureCredential,
            ManagedIdentityCredential,
            WorkloadIdentityCredential,
        )

        # A custom authority is not in Microsoft's instance list: asking that list would send the client to the public cloud.
        known = {authority for authority, _ in _CLOUD_ENDPOINTS.values()}
        options = {**options, "authority": self.authority, "disable_instance_discovery": self.authority not in known}
        if self.certificate_file:
            return CertificateCredential(str(tenant_id), str(self.client_id), self.certificate_file, password=self.client_secret, **options)
        if self.identity == "service_principal":
            return ClientSecretCredential(str(tenant_id), str(self.client_id), str(self.client_secret), **options)
        if self.identity == "managed_identity":
            return ManagedIdentityCredential(client_id=self.client_id, **options)
        if self.identity == "workload_identity":
            return WorkloadIdentityCredential(tenant_id=tenant_id, client_id=self.client_id, **options)
        return DefaultAzureCredential(managed_identity_client_id=self.client_id, **options)


class AzureImageFactoryHook(BaseHook):
    """The connection ``azure_image_factory``: one subscription, one identity, one cloud (or the sandbox)."""

    conn_name_attr = "azure_conn_id"
    default_conn_name = DEFAULT_CONNECTION
    conn_type = "azure_image_factory"
    hook_name = "Azure Image Factory"

    def __init__(self, azure_conn_id: str = DEFAULT_CONNECTION) -> None:
        super().__init__()
        self.azure_conn_id = azure_conn_id

    def get_conn(self) -> Azure:
        """Clients of this connection. The caller closes them (``async with``)."""
        return AzureSettings.of(self.get_connection(self.azure_conn_id)).connect()

    def test_connection(self) -> tuple[bool, str]:
        """Sign in at the authority and read the subscription's resource groups at the endpoint that the connection names."""
        try:
            settings = AzureSettings.of(self.get_connection(self.azure_conn_id))
            groups = asyncio.run(_count_resource_groups(settings))
        except Exception as error:  # whatever went wrong is the answer to the person who pressed the button
            return False, f"{type(error).__name__}: {error}"
        return True, f"Signed in at {settings.authority}; {settings.endpoint} shows {groups} resource groups of {settings.subscription_id}."


async def _count_resource_groups(settings: AzureSettings) -> int:
    async with settings.connect() as azure:
        return len([group async for group in azure.resources.resource_groups.list()])


_shared: dict[tuple[int, str], Azure] = {}


async def shared_clients(azure_conn_id: str) -> Azure:
    """The clients of a connection that all triggers of this process share: one token, one connection pool.

    The connection is read anew each time, so that a rotated secret is used from the next task on.

    :raises ValueError: a field of the connection is missing or wrong.
    """
    settings = AzureSettings.of(await BaseHook.aget_connection(azure_conn_id))
    key = (id(asyncio.get_running_loop()), settings.key())
    if key not in _shared:
        await asyncio.to_thread(_import_sdk)
        _shared[key] = settings.connect()
    return _shared[key]


def _import_sdk() -> None:
    """The SDK takes a second or two to import; the triggerer's event loop must not stand still for it."""
    import azure.identity.aio
    import azure.mgmt.compute.aio
    import azure.mgmt.resource.resources.aio  # noqa: F401 -- loaded before the loop runs
