"""Resource Graph: one query over everything that the caller may read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.sandbox.directory import Principal
from include.sandbox.kusto import Query, QueryError
from include.sandbox.wire import Request, Response
from tests.sandbox.sync_machines import Azure
from tests.sandbox_transport import BASE

INFO = {"publisherUri": "https://x", "publisherContact": "a@x", "eula": "https://x", "publicNamePrefix": "contoso"}


@pytest.fixture
def azure() -> Azure:
    return Azure()


def ask(azure: Azure, query: str, version: str = "2022-10-01", principal: Principal | None = None, **body: Any) -> Response:
    headers = {"authorization": f"Bearer {azure.sandbox.token(principal)}", "content-type": "application/json"}
    url = f"{BASE}/providers/Microsoft.ResourceGraph/resources?api-version={version}"
    return azure.sandbox.handle(Request("POST", url, headers, json.dumps({"query": query, **body}).encode()))


def rows(azure: Azure, query: str, **body: Any) -> Any:
    answer = ask(azure, query, **body)
    assert answer.status == 200, answer.body
    return answer.json()["data"]


def test_resources_are_filtered_projected_and_ordered(azure: Azure) -> None:
    for name, size in (("a", 4), ("b", 64), ("c", 8)):
        azure.disk(name, size)
    disks = "Resources | where type =~ 'Microsoft.Compute/disks'"
    assert rows(
        azure, f"{disks} and properties.diskSizeGB >= 8 | project name, sku.name, size = properties.diskSizeGB | order by name"
    ) == [
        {"name": "c", "sku_name": "Premium_LRS", "size": 8},
        {"name": "b", "sku_name": "Premium_LRS", "size": 64},
    ]
    assert rows(azure, f"{disks} | where name !in ('a', 'b') or tolower(name) contains 'A' | sort by name asc | project name") == [
        {"name": "a"},
        {"name": "c"},
    ]
    assert rows(azure, f"{disks} | where not(isempty(location)) | distinct resourceGroup") == [{"resourceGroup": "rg"}]
    assert rows(azure, f"{disks} | where name startswith 'z' | count") == [{"Count": 0}]
    assert [one["name"] for one in rows(azure, "resourcecontainers | where type has 'resourcegroups'")] == ["rg"]


def test_rows_come_in_pages_and_as_a_table(azure: Azure) -> None:
    for name in "abc":
        azure.disk(name)
    query = "Resources | order by name asc | project name"
    first = ask(azure, query, options={"$top": 2}).json()
    assert (first["totalRecords"], first["count"], [one["name"] for one in first["data"]]) == (3, 2, ["a", "b"])
    rest = ask(azure, query, options={"$top": 2, "$skipToken": first["$skipToken"]}).json()
    assert ([one["name"] for one in rest["data"]], "$skipToken" in rest) == (["c"], False)
    table = ask(azure, query, "2019-04-01").json()["data"]
    assert table == {"columns": [{"name": "name", "type": "string"}], "rows": [["a"], ["b"], ["c"]]}


def test_community_galleries_are_there_for_everybody(azure: Azure) -> None:
    profile = {"permissions": "Community", "communityGalleryInfo": INFO}
    azure.compute.galleries.begin_create_or_update(
        "rg", "g", {"location": "westeurope", "properties": {"sharingProfile": profile}}
    ).result()
    query = "communitygalleryresources | where type == 'microsoft.compute/locations/communitygalleries' | where location == 'westeurope'"
    assert rows(azure, query) == []
    azure.compute.gallery_sharing_profile.begin_update("rg", "g", {"operationType": "EnableCommunity"}).result()
    (found,) = rows(azure, query, principal=azure.sandbox.directory.partner)
    assert found["name"].startswith("contoso-")
    assert found["properties"]["identifier"]["uniqueId"] == f"/CommunityGalleries/{found['name']}"
    assert found["properties"]["communityMetadata"]["publisherContact"] == "a@x"


def test_nobody_sees_what_they_may_not_read(azure: Azure) -> None:
    azure.disk("a")
    own = azure.sandbox.directory
    assert rows(azure, "Resources", principal=own.colleague) == []
    assert rows(azure, "Resources", principal=own.partner, subscriptions=[own.subscription_id]) == []


@pytest.mark.parametrize("query", ["", "Resources | summarize count() by type", "Resources | where", "Nothing | take 1", "Resources |"])
def test_what_is_no_query_here_is_refused(azure: Azure, query: str) -> None:
    refused = ask(azure, query)
    assert (refused.status, refused.json()["error"]["code"]) == (400, "BadRequest")
    assert refused.json()["error"]["details"]


def test_a_query_says_where_it_cannot_be_read() -> None:
    with pytest.raises(QueryError) as problem:
        Query("Resources | where name == | take 1")
    assert (problem.value.token, problem.value.position) == ("|", 26)
