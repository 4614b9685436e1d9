"""From an Airflow connection to the clients that the steps work with."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from image_factory.provider import CLOUDS, IDENTITIES, get_provider_info

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from azure.core.credentials_async import AsyncTokenCredential

    from include.steps.azure import Azure
    from include.steps.errors import StepError

log = logging.getLogger(__name__)

DEFAULT_CONNECTION = "azure_image_factory"

# https://learn.microsoft.com/azure/azure-resource-manager/management/authenticate-multi-tenant
AUXILIARY_LIMIT = 3

# azure-core waits 300 s for a host that does not answer at all, and several times.
_CONNECT_SECONDS = 30

# A test waits less than a build does: somebody looks at the button.
_TEST_SECONDS = 10

# Authority and Resource Manager of each cloud: azure.identity.AzureAuthorityHosts and `az cloud list`.
_CLOUD_ENDPOINTS = {
    "AzureCloud": ("https://login.microsoftonline.com", "https://management.azure.com"),
    "AzureUSGovernment": ("https://login.microsoftonline.us", "https://management.usgovcloudapi.net"),
    "AzureChinaCloud": ("https://login.chinacloudapi.cn", "https://management.chinacloudapi.cn"),
}


@dataclass(frozen=True)
class AzureSettings:
    """The fields of one connection, checked.

    :raises StepError: ``InvalidConnection``, from :meth:`of` and :meth:`connect`: every field that is missing or wrong and what to write
        there; ``ConnectionNotFound``, from :meth:`named` and :meth:`aread`.
    """

    conn_id: str

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
    def named(cls, conn_id: str) -> AzureSettings:
        """The settings of a connection of Airflow's."""
        from airflow.sdk.exceptions import AirflowNotFoundException

        try:
            return cls.of(BaseHook.get_connection(conn_id))
        except AirflowNotFoundException:
            raise _not_found(conn_id) from None

    @classmethod
    async def aread(cls, conn_id: str) -> AzureSettings:
        """The same in an event loop."""
        from airflow.sdk.exceptions import AirflowNotFoundException

        try:
            return cls.of(await BaseHook.aget_connection(conn_id))
        except AirflowNotFoundException:
            raise _not_found(conn_id) from None

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

        problems = [_unknown(name) for name in extra if name not in _fields()]
        if auxiliary and identity != "service_principal":
            problems.append(f"auxiliaryTenantIds: a {identity} has one tenant only; use a service principal of a multi-tenant application")
        if len(auxiliary) > AUXILIARY_LIMIT:
            problems.append(f"auxiliaryTenantIds: {len(auxiliary)} tenants, and Azure takes {AUXILIARY_LIMIT} beside the first")
        if cloud not in CLOUDS:
            problems.append(f"cloud: {cloud!r} is not known; choose one of {', '.join(CLOUDS)}, or give endpoint and authority")
        if identity not in IDENTITIES:
            problems.append(f"identity: {identity!r} is not known; choose one of {', '.join(IDENTITIES)}")
        if tenant_id and not re.fullmatch(r"[\w.-]+", str(tenant_id)):
            problems.append(f"tenantId: {tenant_id!r} is neither an id nor a domain; `az account show --query tenantId` prints it")
        if identity == "workload_identity" and not os.environ.get("AZURE_FEDERATED_TOKEN_FILE"):
            problems.append("identity: a workload_identity needs AZURE_FEDERATED_TOKEN_FILE in the environment: the file of its token")
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
        if ca_file and Path(ca_file).is_file() and not _holds_certificate(ca_file):
            problems.append(f"ca_file: {ca_file} holds no certificate; give the PEM file of the authority, BEGIN CERTIFICATE and all")
        if problems:
            raise _invalid(connection.conn_id, problems)
        return cls(
            conn_id=connection.conn_id,
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

    def connect(self, **client_options: Any) -> Azure:
        """Make the clients. Nothing is sent until a step calls them."""
        from include.steps.azure import Azure

        options: dict[str, Any] = {"connection_timeout": _CONNECT_SECONDS, **client_options}
        if self.ca_file:
            options["connection_verify"] = self.ca_file
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

        from include.steps.retry import PatientRetryPolicy

        # A custom authority is not in Microsoft's instance list: asking that list would send the client to the public cloud.
        known = {authority for authority, _ in _CLOUD_ENDPOINTS.values()}
        options = {**options, "authority": self.authority, "disable_instance_discovery": self.authority not in known}
        # The request that needs the token is tried again itself; a failed connection of both would be tried sixteen times.
        patient = {**options, "retry_policy_class": PatientRetryPolicy, "retry_connect": 0}
        if self.certificate_file:
            try:
                return CertificateCredential(
                    str(tenant_id), str(self.client_id), self.certificate_file, password=self.client_secret, **patient
                )
            except ValueError as error:
                wanted = "give a PEM or PKCS12 file with certificate and key, and its password as client secret where it has one"
                raise _invalid(self.conn_id, [f"certificate_file: {error}; {wanted}"]) from None
        if self.identity == "service_principal":
            return ClientSecretCredential(str(tenant_id), str(self.client_id), str(self.client_secret), **patient)
        if self.identity == "managed_identity":
            return ManagedIdentityCredential(client_id=self.client_id, **options)
        if self.identity == "workload_identity":
            return WorkloadIdentityCredential(tenant_id=tenant_id, client_id=self.client_id, **patient)
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
        return AzureSettings.named(self.azure_conn_id).connect()

    def test_connection(self) -> tuple[bool, str]:
        """Sign in at the authority and read the subscription's resource groups at the endpoint that the connection names."""
        try:
            settings = AzureSettings.named(self.azure_conn_id)
            groups = asyncio.run(_count_resource_groups(settings))
        except Exception as error:  # whatever went wrong is the answer to the person who pressed the button
            return False, _told(error)
        return True, f"Signed in at {settings.authority}; {settings.endpoint} shows {groups} resource groups of {settings.subscription_id}."


async def _count_resource_groups(settings: AzureSettings) -> int:
    async with settings.connect(connection_timeout=_TEST_SECONDS, read_timeout=_TEST_SECONDS) as azure:
        return len([group async for group in azure.resources.resource_groups.list(retry_connect=0)])


def _told(error: Exception) -> str:
    """An error of the test, with its cure where it is one that the steps know."""
    from include.steps.arm_error import of_exception

    try:
        return str(of_exception(error))
    except Exception:
        return f"{type(error).__name__}: {error}"


def _fields() -> set[str]:
    """What ``extra`` may hold."""
    (connection_type,) = get_provider_info()["connection-types"]
    return set(connection_type["conn-fields"])


def _unknown(name: str) -> str:
    known = _fields()
    plain = {field.lower().replace("_", ""): field for field in known}
    nearest = get_close_matches(name.lower().replace("_", ""), plain, n=1)
    cure = f"write {plain[nearest[0]]}" if nearest else f"extra holds {', '.join(sorted(known))}"
    return f"{name}: the field is unknown; {cure}"


def _holds_certificate(ca_file: str) -> bool:
    import ssl

    try:
        ssl.create_default_context(cafile=ca_file)
    except (ssl.SSLError, OSError):
        return False
    return True


def _invalid(conn_id: str, problems: list[str]) -> StepError:
    from include.steps.errors import StepError

    where = (
        f"Correct the connection {conn_id}: in the UI under Admin, Connections, or where your secrets backend or environment defines it."
    )
    return StepError("permanent", "InvalidConnection", f"Connection {conn_id!r}: {'; '.join(problems)}", where)


def _not_found(conn_id: str) -> StepError:
    from include.steps.errors import StepError

    cure = (
        f"Create it in the UI under Admin, Connections (type Azure Image Factory), or as AIRFLOW_CONN_{conn_id.upper()}; "
        "README.md, Point it at your subscription, names its fields."
    )
    return StepError("permanent", "ConnectionNotFound", f"There is no Airflow connection {conn_id!r}", cure)


_shared: dict[tuple[int, str], Azure] = {}


async def shared_clients(azure_conn_id: str) -> Azure:
    """The clients of a connection that all triggers of this process share: one token, one connection pool.

    The connection is read anew each time, so that a rotated secret is used from the next task on.

    :raises StepError: there is no such connection, or a field of it is missing or wrong.
    """
    settings = await AzureSettings.aread(azure_conn_id)
    key = (id(asyncio.get_running_loop()), settings.key())
    if key not in _shared:
        await asyncio.to_thread(_import_sdk)
    if key not in _shared:  # another trigger may have been faster meanwhile, and clients that nobody closes complain in a task's log
        _shared[key] = settings.connect()
    return _shared[key]


def _import_sdk() -> None:
    """The SDK takes a second or two to import; the triggerer's event loop must not stand still for it."""
    import azure.identity.aio
    import azure.mgmt.compute.aio
    import azure.mgmt.resource.resources.aio  # noqa: F401 -- loaded before the loop runs
