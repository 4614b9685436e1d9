"""What the gallery holds: the published versions and their regions, read from Resource Manager without the project's own client."""

from __future__ import annotations

import ssl
import time
from collections.abc import Collection, Generator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from include.factory.recipe import Recipe
from include.factory.region import region_name

API_VERSION = "2024-03-03"  # of Microsoft.Compute/galleries


@dataclass(frozen=True)
class Region:
    """One region of a version: ``aggregatedState``'s parts in ReplicationStatus, and percent."""

    state: str
    progress: int

    def __str__(self) -> str:
        return f"{self.progress} %" if self.state == "Replicating" else self.state


@dataclass(frozen=True)
class Published:
    """One gallery image version."""

    recipe: str
    version: str
    regions: dict[str, Region]

    def lacks(self, recipe: Recipe) -> list[str]:
        """The regions of the recipe in which this version cannot be used."""
        names = [target.name for target in recipe.target_regions]
        return [name for name in names if name not in self.regions or self.regions[name].state != "Completed"]


class SignIn(httpx.Auth):
    """A service principal's token, asked for with the first request and again five minutes before it expires."""

    requires_response_body = True

    def __init__(self, connection: dict[str, Any]) -> None:
        self._connection = connection
        self._token, self._renew = "", 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if time.monotonic() >= self._renew:
            answer = yield self._request()
            answer.raise_for_status()
            token = answer.json()
            self._token, self._renew = token["access_token"], time.monotonic() + float(token["expires_in"]) - 300
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request

    def _request(self) -> httpx.Request:
        connection = self._connection
        return httpx.Request(
            "POST",
            f"{connection['authority'].rstrip('/')}/{connection['tenant_id']}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": connection["client_id"],
                "client_secret": connection["client_secret"],
                "scope": f"{connection['endpoint'].rstrip('/')}/.default",
            },
        )


def resource_manager(connection: dict[str, Any]) -> httpx.Client:
    """A plain HTTP client of a Resource Manager, signed in.

    :param connection: endpoint, authority, tenant_id, subscription_id, client_id, client_secret, ca_file.
    """
    trusted = ssl.create_default_context(cafile=connection["ca_file"])
    return httpx.Client(base_url=connection["endpoint"], verify=trusted, auth=SignIn(connection), timeout=30)


class Gallery:
    """Reads versions from a Resource Manager.

    Every method raises ``httpx.HTTPError`` where it cannot be reached or refuses.

    :param connection: as for :func:`resource_manager`.
    """

    def __init__(self, connection: dict[str, Any]) -> None:
        self._subscription = connection["subscription_id"]
        self._client = resource_manager(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def versions(self, recipe: Recipe, without: Collection[tuple[str, str]] = ()) -> list[Published]:
        """The versions of the recipe's definition, the oldest first; those of `without`, (recipe, version), are left out."""
        publish = recipe.publish
        path = (
            f"/subscriptions/{self._subscription}/resourceGroups/{publish.resource_group}"
            f"/providers/Microsoft.Compute/galleries/{publish.gallery}/images/{recipe.definition}/versions"
        )
        found = []
        for version in self._list(path):
            if (recipe.name, version["name"]) in without:
                continue
            # Only a single version's answer can be expanded with its replication.
            status = self._get(f"{path}/{version['name']}", {"$expand": "ReplicationStatus"})["properties"].get("replicationStatus") or {}
            regions = {region_name(row["region"]): Region(row["state"], int(row.get("progress", 0))) for row in status.get("summary", [])}
            found.append(Published(recipe.name, version["name"], regions))
        return sorted(found, key=lambda published: [int(part) for part in published.version.split(".")])

    def _list(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        url: str | None = path
        while url:
            try:
                page = self._get(url)
            except httpx.HTTPStatusError as error:
                if error.response.status_code == httpx.codes.NOT_FOUND:
                    return found
                raise
            found += page["value"]
            url = page.get("nextLink")
        return found

    def _get(self, url: str, parameters: dict[str, str] | None = None) -> dict[str, Any]:
        # A nextLink is complete with its query; a path is not.
        query = parameters if url.startswith("https://") else {"api-version": API_VERSION, **(parameters or {})}
        answer = self._client.get(url, params=query)
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body
