"""Bringing a version to its regions."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from include.steps import image_version
from include.steps.errors import StepError
from include.steps.replication import Replication
from include.steps.version import Version, region_update
from tests.steps.build_line import GALLERIES, GALLERY, HOME, OTHERS, VERSION, Line, region

VERSIONS = {"type": "Microsoft.Compute/galleries/images/versions"}


async def published() -> Line:
    return await Line().up_to("replicate")


def broken(name: str, until: str, count: int | None = 1) -> dict[str, Any]:
    effect = {"replication": {"message": "Failed with internal server error.", "until": until}}
    return {"name": f"{name} {until}", "match": {**VERSIONS, "region": name}, "effect": effect, "count": count}


Update = tuple[set[str] | None, bool | None]


def record_updates(line: Line, monkeypatch: pytest.MonkeyPatch) -> list[Update]:
    """Regions and the word on deletion of each update, in order; None where it says nothing of them."""
    updates: list[Update] = []
    patch = Version.patch

    async def recorded(self: Version, body: dict[str, Any]) -> Any:
        properties = body["properties"]
        listed = properties.get("publishingProfile", {}).get("targetRegions")
        names = None if listed is None else {one["name"].replace(" ", "").lower() for one in listed}
        updates.append((names, properties.get("safetyProfile", {}).get("allowDeletionOfReplicatedLocations")))
        return await patch(self, body)

    monkeypatch.setattr(Version, "patch", recorded)
    return updates


async def test_all_missing_regions_travel_in_one_put() -> None:
    line = await published()
    before = line.count("PATCH", VERSION)
    assert await line.run("replicate") == {"regions": dict.fromkeys((HOME, *OTHERS), "Completed")}
    assert line.count("PATCH", VERSION) == before + 1


async def test_progress_is_logged_once_per_change_and_region(caplog: pytest.LogCaptureFixture) -> None:
    line = await published()
    caplog.set_level(logging.INFO, logger="include.steps.version")
    await line.run("replicate")
    said = [
        message.removeprefix(f"Version {VERSION}: ")
        for message in caplog.messages
        if ": northeurope " in message or ": eastus2 " in message
    ]
    assert "northeurope Completed" in said
    assert any(message.startswith("eastus2 ") and message.endswith(" %") for message in said)
    assert len(said) == len(set(said))


async def test_a_failed_region_is_put_again_before_it_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    line = await published()
    line.sandbox.faults.add(**broken("northeurope", "put"))
    updates = record_updates(line, monkeypatch)
    assert (await line.run("replicate"))["regions"]["northeurope"] == "Completed"
    everywhere = {HOME, *OTHERS}
    assert updates == [(everywhere, False), (everywhere, False)]


async def test_a_region_that_fails_again_is_removed_and_added_again_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    line = await published()
    line.sandbox.faults.add(**broken("northeurope", "readd"))
    updates = record_updates(line, monkeypatch)
    assert await line.run("replicate") == {"regions": dict.fromkeys((HOME, *OTHERS), "Completed")}
    everywhere, others = {HOME, *OTHERS}, {HOME, "eastus2"}
    assert updates == [(everywhere, False), (everywhere, False), (None, True), (others, None), (everywhere, False)]
    assert line.version().properties["safetyProfile"]["allowDeletionOfReplicatedLocations"] is False


async def test_a_region_that_cannot_be_repaired_is_named_and_the_good_ones_are_kept() -> None:
    line = await published()
    line.sandbox.faults.add(**broken("northeurope", "readd", count=None))
    with pytest.raises(StepError, match=r"failed in northeurope .* Completed in westeurope, eastus2") as caught:
        await line.run("replicate")
    assert (caught.value.kind, caught.value.code) == ("permanent", "ReplicationFailed")
    assert caught.value.details == {"failed": ["northeurope"], "completed": [HOME, "eastus2"]}
    assert "internal server error" in caught.value.message
    assert line.replicas()[HOME] == line.replicas()["eastus2"] == "Completed"


async def test_the_home_region_is_never_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    line = await published()
    line.version().private["replicas"][HOME] |= {"state": "Failed", "stuck": True, "fails": {"message": "gone"}}
    updates = record_updates(line, monkeypatch)
    with pytest.raises(StepError, match="failed in westeurope"):
        await line.run("replicate")
    assert updates
    assert all(HOME in names for names, _ in updates if names is not None)


async def test_the_home_region_stays_though_it_is_among_those_to_go() -> None:
    line = await published()
    await line.run("replicate")
    one = Version(line.azure, GALLERIES, GALLERY, "ubuntu", VERSION)
    assert await Replication(one, [], 36_000, remove=["West Europe", "North Europe"]).run() == {"regions": {}, "removed": ["northeurope"]}
    assert set(line.replicas()) == {HOME, "eastus2"}


async def test_a_version_that_is_out_of_latest_as_a_whole_is_out_of_it_in_a_new_region_too() -> None:
    """As it is where it was rolled back after the regions were planned, with the newest version's flag."""
    line = await published()
    one = Version(line.azure, GALLERIES, GALLERY, "ubuntu", VERSION)
    await Replication(one, [region("uksouth")], 36_000, excluded=False).run()
    flags = {item["name"]: item["excludeFromLatest"] for item in line.version().properties["publishingProfile"]["targetRegions"]}
    assert flags == {"West Europe": True, "UK South": True}


async def test_regions_that_are_there_go_back_unchanged() -> None:
    line = await published()
    one = Version(line.azure, GALLERIES, GALLERY, "ubuntu", VERSION)
    resource = await one.read()
    assert resource is not None
    foreign = {"name": "uksouth", "regionalReplicaCount": 7, "storageAccountType": "Premium_LRS", "excludeFromLatest": True}
    regions = [*resource["properties"]["publishingProfile"]["targetRegions"], foreign]
    await one.settle(None, 9999, await one.patch(region_update(regions)))
    await line.run("replicate", target_regions=[region(HOME, 3, "Premium_LRS"), region("northeurope", 2)])
    sent = {item["name"]: item for item in line.version().properties["publishingProfile"]["targetRegions"]}
    assert sent["UK South"] == {**foreign, "name": "UK South"}
    assert (sent["West Europe"]["regionalReplicaCount"], sent["West Europe"]["storageAccountType"]) == (1, "Standard_LRS")
    assert (sent["North Europe"]["regionalReplicaCount"], sent["North Europe"]["excludeFromLatest"]) == (2, True)


async def test_a_new_region_of_a_promoted_version_is_in_latest_too() -> None:
    line = await Line().through("promote")
    await line.run("replicate", target_regions=[region("uksouth")])
    assert not any(item["excludeFromLatest"] for item in line.version().properties["publishingProfile"]["targetRegions"])


async def test_regions_that_another_writer_took_away_are_put_again(monkeypatch: pytest.MonkeyPatch) -> None:
    line = await published()
    stolen: list[bool] = []
    settle = Version.settle

    async def stealing(self: Version, *arguments: Any, **named: Any) -> Any:
        found = await settle(self, *arguments, **named)
        profile = line.version().properties["publishingProfile"]
        if not stolen and len(profile["targetRegions"]) == 3:
            # Another writer's put of the list as it read it before ours came.
            stolen.append(profile["targetRegions"].pop())
            line.version().private["replicas"].pop("eastus2")
            return await settle(self, None, 9999)
        return found

    monkeypatch.setattr(Version, "settle", stealing)
    assert await line.run("replicate") == {"regions": dict.fromkeys((HOME, *OTHERS), "Completed")}
    assert stolen


async def test_a_finished_operation_is_not_taken_for_a_usable_region() -> None:
    line = await published()
    line.sandbox.faults.add(name="late", match={**VERSIONS, "region": "eastus2"}, effect={"late": 600})
    running = asyncio.create_task(line.run("replicate"))
    while line.version().state != "Succeeded" or len(line.replicas()) < 3:
        await asyncio.sleep(5)
        line.sandbox.advance()
    assert not running.done()
    await running
    assert await image_version.wait_until_replicated(line.azure, **line.version_arguments(), regions=list(OTHERS), timeout=0) == {
        "regions": dict.fromkeys(OTHERS, "Completed")
    }


async def test_waiting_ends_with_the_timeout_and_says_where_it_is_not_done() -> None:
    line = await published()
    line.sandbox.faults.add(name="slow", match={**VERSIONS, "region": "eastus2"}, effect={"replication": {"seconds": 50_000}})
    with pytest.raises(StepError) as caught:
        await line.run("replicate", timeout=3600)
    assert caught.value.kind in ("adopt", "transient")
    with pytest.raises(StepError, match=r"eastus2 \(Replicating\)") as caught:
        await image_version.wait_until_replicated(line.azure, **line.version_arguments(), regions=["eastus2"], timeout=600)
    assert caught.value.kind == "transient"


async def test_replicating_what_is_gone_goes_back_to_publishing() -> None:
    line = await Line().up_to("publish")
    with pytest.raises(StepError) as caught:
        await line.run("replicate")
    assert (caught.value.kind, caught.value.stage) == ("redo", "publish_version")


async def test_the_sensor_waits_for_a_version_that_is_not_there_yet() -> None:
    line = await published()
    waiting = asyncio.create_task(
        image_version.wait_until_replicated(line.azure, **line.version_arguments(), regions=["North Europe"], timeout=36_000)
    )
    await asyncio.sleep(120)
    await line.run("replicate")
    assert await waiting == {"regions": {"northeurope": "Completed"}}


async def test_the_sensor_ends_when_a_region_failed_and_nobody_repairs_it() -> None:
    line = await published()
    line.sandbox.faults.add(**broken("northeurope", "readd", count=None))
    with pytest.raises(StepError):
        await line.run("replicate")
    with pytest.raises(StepError, match="failed in northeurope"):
        await image_version.wait_until_replicated(line.azure, **line.version_arguments(), regions=[HOME, "northeurope"], timeout=600)
