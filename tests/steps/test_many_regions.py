"""Backfill as people do it: hundreds of versions to ten regions in one request; and two writers on one version, in every order."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from include.factory.image_version import latest_everywhere
from include.steps import gallery_versions, regions
from include.steps.azure import Azure
from include.steps.replication import Replication
from include.steps.version import Version
from tests.sandbox_transport import AsyncStaticCredential, SandboxTransport
from tests.steps.build_line import DEFINITION, GALLERIES, GALLERY, HOME, Line, region
from tests.steps.seeded import PATH, gallery_line, planned, seed, version_of, writes

TEN = (
    *("eastus2", "westus2", "northeurope", "uksouth", "japaneast"),
    *("francecentral", "swedencentral", "centralus", "australiaeast", "koreacentral"),
)


async def test_two_hundred_versions_reach_ten_regions_in_one_request() -> None:
    line = await gallery_line()
    for number in range(200):
        seed(line, f"1.0.{number}")
    began = asyncio.get_running_loop().time()
    plan = await regions.plan(line.azure, form={**PATH, "versions": "*", "add": list(TEN), "replica_count": 2, "at_once": 20})
    line.transport.calls.clear()
    done = await regions.change(line.azure, **plan["steps"]["change_regions"])
    hours = (asyncio.get_running_loop().time() - began) / 3600

    assert set(done["versions"]) == {f"1.0.{number}" for number in range(200)}
    assert all(set(states.values()) == {"Completed"} for states in done["versions"].values())
    # As planned: one update for each version, and nobody had to be told to slow down.
    assert planned(plan) == writes(line)
    assert len(writes(line)) == 200
    assert [status for _, _, status in line.calls if status >= 400] == []
    assert len(line.calls) < 200 * 30
    assert hours < 12
    told = await regions.report(line.azure, **plan["steps"]["report_regions"])
    assert told["complete"] == 200
    latest = latest_everywhere(await gallery_versions.read(line.azure, **PATH))
    assert {version.name for version in latest.values()} == {"1.0.199"}
    assert set(latest) == {HOME, *TEN}


class Delayed(SandboxTransport):
    """A way to Azure of its own for each writer: every request and every answer is under way for a while."""

    def __init__(self, line: Line, chance: random.Random, longest: float) -> None:
        super().__init__(line.sandbox)
        self.chance, self.longest = chance, longest

    def delay(self) -> float:
        """Mostly moments; sometimes longer than it takes another writer to do all of its work."""
        return self.chance.choice([0.0, 0.1, 1.0, 3.0, self.longest]) * self.chance.random()

    async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        await asyncio.sleep(self.delay())
        response = await super().send(request, stream=stream, **options)
        await asyncio.sleep(self.delay())
        return response


async def factory(azure: Azure, add: list[str], remove: list[str]) -> None:
    """The factory's own writer, a process of its own."""
    version = Version(azure, GALLERIES, GALLERY, DEFINITION, "1.0.0")
    await Replication(version, [region(name) for name in add], 86400, remove=remove).run()


async def by_hand(azure: Azure, name: str, chance: random.Random) -> None:
    """A person with a script: read the version, add a region to the list, put it all back; on a refusal, the same again."""
    versions = azure.compute.gallery_image_versions
    for _ in range(50):
        await asyncio.sleep(chance.random() * 600)
        body = (await versions.get(GALLERIES, GALLERY, DEFINITION, "1.0.0")).as_dict()
        profile = body["properties"]["publishingProfile"]
        if name not in {item["name"].replace(" ", "").lower() for item in profile["targetRegions"]}:
            profile["targetRegions"].append({"name": name})
        # Read-only, and no right to the source is needed.
        profile.pop("publishedDate")
        sent = {"location": body["location"], "tags": body["tags"], "properties": {"publishingProfile": profile, "storageProfile": {}}}
        try:
            await versions.begin_create_or_update(GALLERIES, GALLERY, DEFINITION, "1.0.0", sent, polling=False)
        except HttpResponseError:
            continue
        return
    raise AssertionError("the person gave up")


@pytest.mark.parametrize("block", range(10))
async def test_two_writers_and_a_person_on_one_version_lose_no_region(block: int) -> None:
    """Two hundred seeded interleavings, twenty a block. In every second one a writer removes a region; then no request is under way for
    longer than an update takes: the one put that removes must say that removing is allowed, and Azure obeys whatever list it has then."""
    origin = await gallery_line()
    seed(origin, "1.0.0", (HOME, "francecentral"))
    conflicts = 0
    for number in range(block * 20, block * 20 + 20):
        chance = random.Random(number)
        line = origin.copy()
        removes = number % 2 == 1
        ways = [Delayed(line, chance, 30.0 if removes else 3000.0) for _ in range(3)]
        one, two, person = (Azure(AsyncStaticCredential(), line.sandbox.subscription_id, transport=way) for way in ways)
        await asyncio.gather(
            factory(one, ["eastus2", "northeurope"], []),
            factory(two, ["uksouth", "westus2"], ["francecentral"] if removes else []),
            by_hand(person, "japaneast", chance),
        )
        line.sandbox.advance()
        found = {
            item["name"].replace(" ", "").lower() for item in version_of(line, "1.0.0").properties["publishingProfile"]["targetRegions"]
        }
        expected = {HOME, "eastus2", "northeurope", "uksouth", "westus2", "japaneast"} | (set() if removes else {"francecentral"})
        assert found == expected, f"seed {number}"
        conflicts += sum(1 for way in ways for method, _, status in way.calls if method == "PUT" and status == 409)
    # The test would show nothing if the writers never met.
    assert conflicts > 10
