"""The clients of one connection, and how a call to them is made and followed."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core import AsyncPipelineClient
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.mgmt.compute.aio import ComputeManagementClient
    from azure.mgmt.resource.resources.aio import ResourceManagementClient

    from include.steps.arm_error import ArmError

Begin = Callable[..., Awaitable[Any]]
"""A ``begin_...`` method of an SDK client."""

REMEMBERED = 900.0  # seconds

# Where the token's audience is not the endpoint itself (azure.mgmt.core.tools.get_arm_endpoints).
_SCOPES = {"https://management.usgovcloudapi.net": "https://management.core.usgovcloudapi.net/.default"}

# `az cloud list`; all services of a custom endpoint share it.
_GRAPHS = {
    "https://management.azure.com": "https://graph.microsoft.com",
    "https://management.usgovcloudapi.net": "https://graph.microsoft.us",
    "https://management.chinacloudapi.cn": "https://microsoftgraph.chinacloudapi.cn",
}


@dataclass(frozen=True)
class Started:
    """A long operation that Azure accepted: the resource as echoed, where to read the operation, and the pause asked for (s)."""

    resource: dict[str, Any]
    operation_url: str | None
    retry_after: float


class Azure:
    """One subscription at one endpoint. Share it among all coroutines of one event loop, and close it.

    :param credential: an async token credential of azure-identity; closed with the clients.
    :param endpoint: Azure Resource Manager, ``https://host``.
    :param graph: Microsoft Graph, ``https://host``; by default that of the endpoint's cloud, or a custom endpoint itself.
    :param credential_scopes: default: ``<endpoint>/.default``.
    :param auxiliary_credentials: of the same application in other tenants: their tokens go with each request, so that one call may read
        there what it writes here (https://learn.microsoft.com/azure/azure-resource-manager/management/authenticate-multi-tenant).
    :param client_options: go to both clients (``transport``, ``connection_verify``, ...).
    """

    def __init__(
        self,
        credential: AsyncTokenCredential,
        subscription_id: str,
        endpoint: str = "https://management.azure.com",
        *,
        graph: str | None = None,
        credential_scopes: list[str] | None = None,
        auxiliary_credentials: Sequence[AsyncTokenCredential] = (),
        **client_options: Any,
    ) -> None:
        self.subscription_id = subscription_id
        self.endpoint = endpoint.rstrip("/")
        self.graph = (graph or _GRAPHS.get(self.endpoint, self.endpoint)).rstrip("/")
        self._credential = credential
        self._scopes = credential_scopes or [_SCOPES.get(self.endpoint, f"{self.endpoint}/.default")]
        self._auxiliary = auxiliary_credentials
        self._options = client_options
        self._known: dict[str, tuple[float, asyncio.Future[Any]]] = {}
        self._others: dict[str, Azure] = {}
        # Every request with its headers at INFO would bury what the steps say in the log of a task.
        logging.getLogger("azure").setLevel(logging.WARNING)

    def in_subscription(self, subscription_id: str | None) -> Azure:
        """The clients of the same identity in another subscription of its tenant; None is this one. They are closed with these."""
        if subscription_id is None or subscription_id.lower() == self.subscription_id.lower():
            return self
        key = subscription_id.lower()
        if key not in self._others:
            self._others[key] = Azure(
                self._credential,
                subscription_id,
                self.endpoint,
                graph=self.graph,
                credential_scopes=self._scopes,
                auxiliary_credentials=self._auxiliary,
                **self._options,
            )
        return self._others[key]

    @cached_property
    def compute(self) -> ComputeManagementClient:
        from azure.mgmt.compute.aio import ComputeManagementClient

        return ComputeManagementClient(self._credential, self.subscription_id, self.endpoint, **self._client_options())

    @cached_property
    def resources(self) -> ResourceManagementClient:
        """Resource groups, and virtual networks by id."""
        from azure.mgmt.resource.resources.aio import ResourceManagementClient

        return ResourceManagementClient(self._credential, self.subscription_id, self.endpoint, **self._client_options())

    @property
    def blob_options(self) -> dict[str, Any]:
        """For storage clients, which carry their right in the address: the connection's transport and CA."""
        return {name: self._options[name] for name in ("transport", "connection_verify", "proxies") if name in self._options}

    def _client_options(self) -> dict[str, Any]:
        from include.steps.retry import PatientRetryPolicy

        options = {"credential_scopes": self._scopes, "retry_policy": PatientRetryPolicy(), **self._options}
        if self._auxiliary:
            from azure.mgmt.core.policies import AsyncAuxiliaryAuthenticationPolicy

            options["per_retry_policies"] = [AsyncAuxiliaryAuthenticationPolicy(self._auxiliary, *self._scopes)]
        return options

    def id(self, resource_group: str, *segments: str, provider: str = "Microsoft.Compute") -> str:
        """The ARM id of a resource: ``azure.id("rg", "virtualMachines", "vm")``; of the group itself when no segments are given."""
        group = f"/subscriptions/{self.subscription_id}/resourceGroups/{resource_group}"
        return "/".join((group, "providers", provider, *segments)) if segments else group

    async def object_id(self) -> str:
        """The object id of the identity that is signed in, from its token's claim ``oid``; empty where the token does not say.

        Claims: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference.
        """
        payload = (await self._credential.get_token(*self._scopes)).token.split(".")[1:2]
        try:
            return str(json.loads(base64.urlsafe_b64decode(f"{payload[0]}==")).get("oid", ""))
        except (IndexError, ValueError, AttributeError):
            return ""

    async def read(self, path: str, api_version: str) -> dict[str, Any]:
        """GET what no client of ours has a method for; the body.

        :raises azure.core.exceptions.HttpResponseError: refused.
        """
        return await _sent(self.resources._client, "GET", f"{self.endpoint}{path}?api-version={api_version}")

    async def read_all(self, path: str, api_version: str) -> list[dict[str, Any]]:
        """GET a list that no client of ours has a method for: the items of all its pages.

        :raises azure.core.exceptions.HttpResponseError: refused.
        """
        first = f"{self.endpoint}{path}{'&' if '?' in path else '?'}api-version={api_version}"
        return await _all_pages(self.resources._client, first, "nextLink")

    async def ask_directory(self, path: str, content: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """GET a list of Microsoft Graph's, or POST where there is ``content``: the items of all its pages.

        :param path: below the version: ``/groups/{id}/transitiveMembers``.
        :raises azure.core.exceptions.HttpResponseError: refused.
        :raises azure.core.exceptions.ClientAuthenticationError: there is no token for it.
        """
        return await _all_pages(self._directory, f"{self.graph}/v1.0{path}", "@odata.nextLink", content)

    @cached_property
    def _directory(self) -> AsyncPipelineClient[Any, Any]:
        from azure.core import AsyncPipelineClient
        from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy

        from include.steps.retry import PatientRetryPolicy

        policies = [PatientRetryPolicy(), AsyncBearerTokenCredentialPolicy(self._credential, f"{self.graph}/.default")]
        return AsyncPipelineClient(self.graph, policies=policies, **self._options)

    async def remembered(self, name: str, read: Callable[[], Awaitable[Any]]) -> Any:
        """What ``read`` returns, asked at most every quarter of an hour: for what changes by the week and all builds ask for at once."""
        now = asyncio.get_running_loop().time()
        until, answer = self._known.get(name, (0.0, None))
        if answer is None or until < now or (answer.done() and (answer.cancelled() or answer.exception() is not None)):
            answer = asyncio.ensure_future(read())
            self._known[name] = (now + REMEMBERED, answer)
        # One that is cancelled does not take the answer from the others.
        return await asyncio.shield(answer)

    async def finish(
        self,
        begin: Begin,
        *arguments: Any,
        kind: str,
        timeout: float | None = None,
        final: bool = False,
        patience: float = 0.0,
        **named: Any,
    ) -> dict[str, Any]:
        """Start a long operation and wait for its end.

        :param kind: the operation's kind, ``"virtualMachines PUT"``: under it this process remembers how long such operations take.
        :param timeout: seconds after which to stop waiting (the operation goes on), or None.
        :param final: read the result from where Azure says it is, when the operation's own record does not hold it (one more call).
        :param patience: pause at least for this part of the time that it has taken already: for what nobody waits for.
        :return: the operation's output; without one the resource as Azure echoed it; ``{}`` where there is neither.
        :raises azure.core.exceptions.HttpResponseError: refused, or ended Failed or Canceled.
        :raises StepError: kind ``adopt``: still running after ``timeout``, or its record is gone.
        """
        from azure.core.exceptions import HttpResponseError

        from include.steps.polling import Polling

        polling = Polling(kind, timeout=timeout, final=final, patience=patience)
        poller = await begin(*arguments, polling=polling, **named)
        try:
            result: dict[str, Any] = await poller.result()
        except HttpResponseError as error:
            # What failed is this call, and not the look at its operation.
            error.started_by = polling.started_by  # type: ignore[attr-defined]
            raise
        return result

    async def start(self, begin: Begin, *arguments: Any, **named: Any) -> Started:
        """Start a long operation without following it: for resources whose own state tells more than the operation does."""

        def answer(response: Any, resource: Any, _: Any) -> Started:
            headers = response.http_response.headers
            pause = headers.get("Retry-After")
            return Started(resource.as_dict(), headers.get("Azure-AsyncOperation"), float(pause) if pause else 0.0)

        poller = await begin(*arguments, polling=False, cls=answer, **named)
        started: Started = await poller.result()
        return started

    async def operation_error(self, started: Started | None) -> ArmError | None:
        """Why an operation failed; None when its record is gone or was never known."""
        from azure.core.rest import HttpRequest

        from include.steps.arm_error import read_arm_error

        if started is None or started.operation_url is None:
            return None
        response = await self.compute._client.send_request(HttpRequest("GET", started.operation_url))
        if response.status_code != 200:
            return None
        body = response.json()
        return read_arm_error(body) if body.get("error") else None

    async def close(self) -> None:
        """Close the clients that were made, and the credentials."""
        for each in (self, *self._others.values()):
            for name in ("compute", "resources", "_directory"):
                client = each.__dict__.pop(name, None)
                if client is not None:
                    await client.close()
        for credential in (self._credential, *self._auxiliary):
            close = getattr(credential, "close", None)
            if close is not None:
                await close()

    async def __aenter__(self) -> Azure:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _all_pages(client: Any, url: str | None, following: str, content: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The items of a list, page after page; ``following`` is what the service calls the address of the next one."""
    found: list[dict[str, Any]] = []
    while url:
        body = await _sent(client, "POST" if content else "GET", url, content)
        found += body.get("value") or []
        url = body.get(following)
    return found


async def _sent(client: Any, method: str, url: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
    """The body of an answer that is good.

    :raises azure.core.exceptions.HttpResponseError: refused.
    """
    from azure.core.exceptions import HttpResponseError, map_error
    from azure.core.rest import HttpRequest

    response = await client.send_request(HttpRequest(method, url, json=content) if content else HttpRequest(method, url))
    if response.status_code != 200:
        map_error(response.status_code, response, {})
        raise HttpResponseError(response=response)
    body: dict[str, Any] = response.json()
    return body
