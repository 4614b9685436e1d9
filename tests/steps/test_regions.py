"""Regions of many versions at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from include.factory.image_version import latest_in
from include.steps import gallery_versions, regions
from include.steps.errors import StepError, StepSkipped
from include.steps.target_region import to_arm
from include.steps.version import Version, region_update
from tests.steps.build_line import DEFINITION, GALLERIES, GALLERY, HOME, Killed, Line, region
from tests.steps.planned import promised, writes
from tests.steps.seeded import PATH, gallery_line, seed, tags_of
from tests.steps.test_replication import broken

NUMBERS = ("2026.1121.20000", "2026.1122.20000", "2026.1123.20000")


async def three_versions() -> Line:
    """Published in the home region and promoted, one after the other."""
    line = await Line().up_to("publish")
    for number in NUMBERS:
        await line.run("publish", version=number)
        await line.run("promote", version=number)
    return line


def form(**fields: Any) -> dict[str, Any]:
    return {**PATH, "versions": "*", "add": ["northeurope", "uksouth"], "replica_count": 2, "dry_run": False, **fields}


async def changed(line: Line, **fields: Any) -> dict[str, Any]:
    plan = await regions.plan(line.azure, form=form(**fields))
    result: dict[str, Any] = await regions.change(line.azure, **plan["steps"]["change_regions"])
    return result


def version_of(line: Line, number: str) -> Any:
    return line.resource("galleries/images/versions", GALLERY, DEFINITION, number, group=GALLERIES)


def regions_of(line: Line, number: str) -> dict[str, dict[str, Any]]:
    items = version_of(line, number).properties["publishingProfile"]["targetRegions"]
    return {item["name"].replace(" ", "").lower(): item for item in items}


async def test_every_version_gets_its_regions_and_no_old_one_becomes_latest_there() -> None:
    line = await three_versions()
    done = await changed(line)
    assert done["versions"] == {number: {"northeurope": "Completed", "uksouth": "Completed"} for number in NUMBERS}
    versions = await gallery_versions.read(line.azure, **PATH)
    newest = latest_in(versions, "uksouth")
    assert newest is not None
    assert newest.name == NUMBERS[-1]
    assert [regions_of(line, number)["uksouth"]["excludeFromLatest"] for number in NUMBERS] == [True, True, False]
    assert [regions_of(line, number)[HOME]["excludeFromLatest"] for number in NUMBERS] == [False, False, False]
    assert regions_of(line, NUMBERS[0])["uksouth"]["regionalReplicaCount"] == 2


async def test_a_dry_run_tells_the_plan_and_writes_nothing() -> None:
    line = await three_versions()
    before = line.count("PATCH")
    with pytest.raises(StepSkipped, match="dry run") as caught:
        await regions.plan(line.azure, form=form(dry_run=True))
    assert caught.value.result["versions"] == list(reversed(NUMBERS))
    assert line.count("PATCH") == before


async def test_a_second_run_has_nothing_to_do() -> None:
    line = await three_versions()
    await changed(line)
    with pytest.raises(StepSkipped, match="have their regions already"):
        await regions.plan(line.azure, form=form())


async def test_a_version_that_fails_delays_no_other_and_the_next_run_does_only_what_is_left() -> None:
    line = await three_versions()
    line.sandbox.faults.add(**broken("uksouth", "readd", count=1))
    line.sandbox.faults.rules[-1].match["name"] = NUMBERS[1]
    line.sandbox.faults.add(name="for ever", match={**line.sandbox.faults.rules[-1].match}, effect=broken("uksouth", "readd")["effect"])
    plan = await regions.plan(line.azure, form=form())
    with pytest.raises(StepError, match=rf"2 of 3 versions are done, 1 are not. {NUMBERS[1]}: failed in uksouth") as caught:
        await regions.change(line.azure, **plan["steps"]["change_regions"])
    assert (caught.value.kind, caught.value.code) == ("permanent", "PartlyReplicated")
    told = await regions.report(line.azure, **plan["steps"]["report_regions"])
    assert told["complete"] == 2
    assert told["incomplete"] == {NUMBERS[1]: {"northeurope": "Completed", "uksouth": "Failed"}}
    assert "| Failed" in told["table"]

    line.sandbox.faults.clear()
    updates = line.count("PATCH")
    await regions.change(line.azure, **plan["steps"]["change_regions"])
    assert 1 <= line.count("PATCH") - updates <= 4
    assert (await regions.report(line.azure, **plan["steps"]["report_regions"]))["complete"] == 3


async def test_regions_are_removed_and_the_safety_flag_is_as_before() -> None:
    line = await three_versions()
    await changed(line)
    await changed(line, add=[], remove=["uksouth"], versions=f"..{NUMBERS[1]}")
    assert [sorted(regions_of(line, number)) for number in NUMBERS] == [
        ["northeurope", HOME],
        ["northeurope", HOME],
        ["northeurope", "uksouth", HOME],
    ]
    for number in NUMBERS:
        assert version_of(line, number).properties["safetyProfile"]["allowDeletionOfReplicatedLocations"] is False


async def test_what_others_set_in_a_region_goes_back_unchanged() -> None:
    line = await three_versions()
    one = Version(line.azure, GALLERIES, GALLERY, DEFINITION, NUMBERS[0])
    resource = await one.read()
    assert resource is not None
    foreign = {**to_arm(region("eastus2", 7, "Premium_LRS"), excluded=True)}
    regions = [*resource["properties"]["publishingProfile"]["targetRegions"], foreign]
    await one.settle(None, 9999, await one.patch(region_update(regions)))
    await changed(line)
    assert regions_of(line, NUMBERS[0])["eastus2"] == {**foreign, "name": "East US 2"}


async def test_two_runs_at_once_lose_nothing() -> None:
    line = await three_versions()
    first = await regions.plan(line.azure, form=form(add=["northeurope"]))
    second = await regions.plan(line.azure, form=form(add=["uksouth"]))
    await asyncio.gather(*(regions.change(line.azure, **plan["steps"]["change_regions"]) for plan in (first, second)))
    assert all(sorted(regions_of(line, number)) == ["northeurope", "uksouth", HOME] for number in NUMBERS)


async def test_only_so_many_versions_are_in_work_at_the_same_time() -> None:
    line = await three_versions()
    plan = await regions.plan(line.azure, form=form(at_once=1))
    line.transport.calls.clear()
    await regions.change(line.azure, **plan["steps"]["change_regions"])
    touched = [path.rsplit("/", 1)[1] for method, path, _ in line.calls if "/versions/" in path]
    assert [name for index, name in enumerate(touched) if index == 0 or touched[index - 1] != name] == list(reversed(NUMBERS))


@pytest.mark.parametrize("mode", ["before", "after"])
async def test_a_killed_change_is_finished_by_the_next_and_puts_nothing_twice(mode: str) -> None:
    line = await three_versions()
    plan = (await regions.plan(line.azure, form=form(versions="last:1")))["steps"]["change_regions"]
    for at in range(1, 9):
        world = line.copy()
        world.transport.arm(at, mode)
        try:
            await regions.change(world.azure, **plan)
        except (Killed, BaseExceptionGroup):
            pass
        world.transport.arm(0, mode)
        await regions.change(world.azure, **plan)
        assert regions_of(world, NUMBERS[-1]).keys() == {HOME, "northeurope", "uksouth"}
        assert world.count("PATCH", NUMBERS[-1]) <= 2


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"add": ["atlantis"]}, "not an Azure region"),
        ({"versions": "9.9.9"}, "There is no version 9.9.9"),
        ({"add": []}, "no region is named"),
        ({"gallery": "nowhere"}, "no image definition"),
        ({"replica_count": 0}, "greater than or equal to 1"),
    ],
)
async def test_a_bad_form_is_refused_before_anything_is_written(fields: dict[str, Any], said: str) -> None:
    line = await three_versions()
    before = line.count("PATCH")
    with pytest.raises(StepError, match=said) as caught:
        await regions.plan(line.azure, form=form(**fields))
    assert caught.value.kind == "permanent"
    assert line.count("PATCH") == before


async def test_a_region_that_was_removed_is_added_again_without_the_word_that_it_goes() -> None:
    line = await gallery_line()
    seed(line, NUMBERS[0], (HOME, "northeurope"))
    for fields in ({"remove": ["northeurope"]}, {"add": ["northeurope"]}):
        plan = await regions.plan(line.azure, form={**PATH, "versions": NUMBERS[0], **fields})
        line.transport.calls.clear()
        await regions.change(line.azure, **plan["steps"]["change_regions"])
        assert writes(line) == promised(plan)
        assert ("image-factory-removed-northeurope" in tags_of(line, NUMBERS[0])) == ("remove" in fields)


async def test_what_a_failed_try_had_to_mend_is_told_by_the_one_that_succeeds() -> None:
    """A person reads the result of the task, and not the logs of all its tries."""
    line = await gallery_line()
    for name in ("2.0.0", "1.0.0"):
        seed(line, name, (HOME, "eastus2"))
    plan = await regions.plan(line.azure, form=form(add=[], remove=["eastus2"]))
    patch = {"method": "PATCH", "type": "Microsoft.Compute/galleries/images/versions"}
    line.sandbox.faults.add(name="slow", match={**patch, "name": "2.0.0"}, effect={"latency": 200})
    denial = {"status": 409, "code": "ScopeLocked", "message": "The scope is locked."}
    line.sandbox.faults.add(name="locked", match={**patch, "name": "1.0.0"}, effect={"error": denial})
    with pytest.raises(StepError, match="1 of 2 versions are done") as caught:
        await regions.change(line.azure, **plan["steps"]["change_regions"])
    line.sandbox.faults.clear()
    result = await regions.change(line.azure, **plan["steps"]["change_regions"], earlier=caught.value.details)
    assert result["versions"] == {name: {"eastus2": "Removed"} for name in ("2.0.0", "1.0.0")}
    (note,) = result["notes"]["2.0.0"]
    assert "was under way for" in note
    assert list(result["notes"]) == ["2.0.0"]


async def test_a_version_that_was_deleted_since_the_plan_fails_nothing_and_is_named() -> None:
    """The nightly retirement and a backfill of hundreds of versions meet."""
    line = await gallery_line()
    for name in ("2.0.0", "1.0.0"):
        seed(line, name)
    plan = await regions.plan(line.azure, form=form())
    line.sandbox.store.drop(version_of(line, "1.0.0"))
    result = await regions.change(line.azure, **plan["steps"]["change_regions"])
    assert result["versions"] == {"2.0.0": {"northeurope": "Completed", "uksouth": "Completed"}, "1.0.0": {}}
    assert result["notes"] == {"1.0.0": ["It was deleted since the plan was made."]}
