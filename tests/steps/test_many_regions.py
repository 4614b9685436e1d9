"""Backfill as people do it: hundreds of versions to ten regions in one request; and two writers on one version, in every order."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from include.factory.image_version import latest_everywhere
from include.steps import gallery_versions, regions, rollback
from include.steps.azure import Azure
from include.steps.replication import Replication
from include.steps.version import Version
from tests.sandbox_transport import AsyncStaticCredential, SandboxTransport
from tests.steps.build_line import DEFINITION, GALLERIES, GALLERY, HOME, Line, region
from tests.steps.planned import promised, writes
from tests.steps.seeded import PATH, gallery_line, seed, tags_of, version_of

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
    assert writes(line) == promised(plan)
    assert writes(line).total() == 200
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


async def factory(azure: Azure, add: list[str], remove: list[str]) -> list[str]:
    """The factory's own writer, a process of its own; what it noted."""
    version = Version(azure, GALLERIES, GALLERY, DEFINITION, "1.0.0")
    notes: list[str] = (await Replication(version, [region(name) for name in add], 86400, remove=remove).run()).get("notes", [])
    return notes


async def by_hand(azure: Azure, name: str, chance: random.Random) -> list[str]:
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
        return []
    raise AssertionError("the person gave up")


# Which regions each of the factory's two processes takes away, in turn.
REMOVALS: tuple[tuple[list[str], list[str]], ...] = (([], []), ([], ["francecentral"]), (["swedencentral"], ["francecentral"]))


def names_there(line: Line) -> set[str]:
    line.sandbox.advance()
    return {item["name"].replace(" ", "").lower() for item in version_of(line, "1.0.0").properties["publishingProfile"]["targetRegions"]}


@pytest.mark.parametrize("block", range(10))
async def test_two_writers_and_a_person_on_one_version_lose_no_region(block: int) -> None:
    """Two hundred and forty seeded interleavings, in which any request and any answer may be under way for most of an hour, longer than
    it takes another writer to do all of its work. No region of the factory's is ever lost. What a person adds is lost only to a removal
    that was under way for longer than an update takes, and then the removal says so. What was removed may come back with an update that
    was on its way since before; asked again, it goes."""
    origin = await gallery_line()
    seed(origin, "1.0.0", (HOME, "francecentral", "swedencentral"))
    conflicts = 0
    for number in range(block * 24, block * 24 + 24):
        chance = random.Random(number)
        line = origin.copy()
        first, second = REMOVALS[number % 3]
        ways = [Delayed(line, chance, 3000.0) for _ in range(3)]
        one, two, person = (Azure(AsyncStaticCredential(), line.sandbox.subscription_id, transport=way) for way in ways)
        notes = await asyncio.gather(
            factory(one, ["eastus2", "northeurope"], first),
            factory(two, ["uksouth", "westus2"], second),
            by_hand(person, "japaneast", chance),
        )
        expected = {HOME, "francecentral", "swedencentral", "eastus2", "northeurope", "uksouth", "westus2", "japaneast"} - {*first, *second}
        if expected - names_there(line) == {"japaneast"}:
            assert any("activity log" in note for noted in notes for note in noted), f"seed {number}"
            expected.remove("japaneast")
        assert expected <= names_there(line), f"seed {number}"
        if expected != names_there(line):
            await factory(line.azure, [], [*first, *second])
        assert expected == names_there(line), f"seed {number}"
        conflicts += sum(1 for way in ways for method, _, status in way.calls if method != "GET" and status == 409)
    # The test would show nothing if the writers never met.
    assert conflicts > 10


@pytest.mark.parametrize("block", range(5))
async def test_two_removals_at_once_lose_nothing_of_each_other_and_both_are_done(block: int) -> None:
    """A hundred seeded interleavings of two processes that each add and remove; neither knows of the other but by the version."""
    origin = await gallery_line()
    seed(origin, "1.0.0", (HOME, "francecentral", "swedencentral", "centralus"))
    met = 0
    for number in range(block * 20, block * 20 + 20):
        chance = random.Random(number)
        line = origin.copy()
        ways = [Delayed(line, chance, 3000.0) for _ in range(2)]
        one, two = (Azure(AsyncStaticCredential(), line.sandbox.subscription_id, transport=way) for way in ways)
        noted = await asyncio.gather(
            factory(one, ["eastus2"][: number % 2], ["francecentral"]),
            factory(two, ["uksouth"], ["swedencentral"]),
        )
        assert names_there(line) == {HOME, "centralus", "uksouth", *["eastus2"][: number % 2]}, f"seed {number}: {noted}"
        assert version_of(line, "1.0.0").properties["safetyProfile"]["allowDeletionOfReplicatedLocations"] is False, f"seed {number}"
        met += sum(1 for way in ways for method, _, status in way.calls if method != "GET" and status == 409)
    assert met > 0


class Late(SandboxTransport):
    """A way to Azure on which the first update of a version is under way for an hour."""

    async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        if request.method == "PATCH" and not any(method == "PATCH" for method, _, _ in self.calls):
            await asyncio.sleep(3600)
        return await super().send(request, stream=stream, **options)


async def test_a_roll_back_is_not_undone_by_a_list_of_regions_that_was_on_its_way() -> None:
    line = await gallery_line()
    for name in ("1.0.0", "1.0.1"):
        seed(line, name, (HOME, "eastus2"))
    late = Azure(AsyncStaticCredential(), line.sandbox.subscription_id, transport=Late(line.sandbox))
    replicated = asyncio.create_task(Replication(Version(late, GALLERIES, GALLERY, DEFINITION, "1.0.1"), [region("uksouth")], 86400).run())
    await asyncio.sleep(60)
    plan = await rollback.plan(line.azure, form=PATH)
    await rollback.roll_back(line.azure, **plan["steps"]["roll_back"])
    assert plan["versions"] == ["1.0.1"]
    noted = await replicated
    assert noted["regions"] == {"uksouth": "Completed"}
    assert noted["notes"] == ["It was taken out of latest while its regions were changed, and is taken out again."]
    latest = latest_everywhere(await gallery_versions.read(line.azure, **PATH))
    assert {name: version.name for name, version in latest.items()} == {HOME: "1.0.0", "eastus2": "1.0.0"}
    assert "image-factory-rolled-back" in tags_of(line, "1.0.1")


async def test_a_removal_says_that_deletion_is_allowed_where_azure_wants_it_said_in_the_same_update() -> None:
    line = await gallery_line()
    seed(line, "1.0.0", (HOME, "eastus2"))
    refusal = {"status": 400, "code": "BadRequest", "message": "Complete set of target locations not specified"}
    versions = {"method": "PATCH", "type": "Microsoft.Compute/galleries/images/versions"}
    line.sandbox.faults.add(name="silence forbids", match=versions, skip=1, count=3, effect={"error": refusal})
    await factory(line.azure, [], ["eastus2"])
    assert names_there(line) == {HOME}
    assert version_of(line, "1.0.0").properties["safetyProfile"]["allowDeletionOfReplicatedLocations"] is False


async def test_what_vanishes_while_deletion_is_allowed_is_put_again_as_it_was() -> None:
    """A list that somebody had read before uksouth came, and that Azure obeys in that moment."""
    line = await gallery_line()
    seed(line, "1.0.0", (HOME, "eastus2", "uksouth"))
    body = (await line.azure.compute.gallery_image_versions.get(GALLERIES, GALLERY, DEFINITION, "1.0.0")).as_dict()
    profile = body["properties"]["publishingProfile"]
    profile.pop("publishedDate")
    uksouth = profile["targetRegions"].pop()
    stale = {"location": HOME, "tags": body["tags"], "properties": {"publishingProfile": profile, "storageProfile": {}}}

    async def obeyed() -> None:
        versions = line.azure.compute.gallery_image_versions
        while True:
            with suppress(HttpResponseError):
                await versions.begin_create_or_update(GALLERIES, GALLERY, DEFINITION, "1.0.0", stale, polling=False)
                return
            await asyncio.sleep(1)

    removal, _ = await asyncio.gather(factory(line.azure, [], ["eastus2"]), obeyed())
    assert any("uksouth went with another writer's update" in note for note in removal)
    assert names_there(line) == {HOME, "uksouth"}
    assert version_of(line, "1.0.0").properties["publishingProfile"]["targetRegions"][-1] == uksouth
