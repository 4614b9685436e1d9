"""What runs left behind, swept on the sandbox."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from include.steps import leftovers
from include.steps.errors import StepError, StepSkipped
from tests.steps.build_line import GROUP, HOME, RUN, TAGS, Line, let_pass
from tests.steps.planned import promised, writes

DAYS = 86_400.0


async def planned(line: Line, *, run_type: str = "scheduled", **params: Any) -> dict[str, Any]:
    line.sandbox.advance()
    run = {"at": datetime.fromtimestamp(line.sandbox.now, UTC).isoformat(), "run_type": run_type, "params": json.dumps(params)}
    document: dict[str, Any] = await leftovers.plan(line.azure, run=run)
    return document


def in_days(line: Line, days: float) -> dict[str, str]:
    """The tags of a run whose things expire in so many days."""
    moment = datetime.fromtimestamp(line.sandbox.now + days * DAYS, UTC)
    return {**TAGS, "image-factory-expires": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}


async def left_behind() -> Line:
    """A build that died with its machine running, and has expired since."""
    line = Line()
    for step in ("create_resource_group", "create_network", "create_virtual_machine"):
        await line.run(step, tags=in_days(line, 2))
    await let_pass(5 * DAYS)
    return line


async def test_the_group_of_a_run_that_died_goes_with_all_that_is_in_it() -> None:
    line = await left_behind()
    line.calls.clear()
    plan = await planned(line, dry_run=True)  # as the form has it, which a scheduled run does not heed
    swept = await leftovers.sweep(line.azure, **plan["steps"]["sweep"])
    assert [id.rsplit("/", 1)[1] for id in swept["swept"]] == [GROUP]
    assert writes(line) == promised(plan)
    assert not line.state()
    told = await leftovers.report(line.azure, **plan["steps"]["report"])
    assert (len(told["gone"]), told["left"]) == (1, {})


async def test_a_group_that_goes_while_the_sweep_looks_hides_no_leftover() -> None:
    """As each build's own group does at its end."""
    line = await left_behind()
    await line.run("create_resource_group", name="image-going", tags=in_days(line, 20))
    error = {"status": 404, "code": "ResourceGroupNotFound", "message": "It is gone."}
    match = {"method": "GET", "type": "Microsoft.Authorization/locks", "group": "image-going"}
    line.sandbox.faults.add(name="gone", match=match, effect={"error": error})
    plan = await planned(line)
    assert [one["id"].rsplit("/", 1)[1] for one in plan["steps"]["sweep"]["leftovers"]] == [GROUP]


async def test_a_build_that_is_still_within_its_time_is_left_alone() -> None:
    line = Line()
    await line.run("create_resource_group", tags=in_days(line, 2))
    with pytest.raises(StepSkipped) as caught:
        await planned(line)
    assert "expires at" in "".join(caught.value.result["stay"].values())


async def test_nothing_without_the_factorys_tags_is_touched() -> None:
    line = Line()
    groups = line.azure.resources.resource_groups
    await groups.create_or_update("image-build-mine", {"location": HOME})
    await groups.create_or_update("image-build-tagged", {"location": HOME, "tags": {"image-factory-expires": "2020-01-01T00:00:00Z"}})
    with pytest.raises(StepSkipped):
        await planned(line)
    assert len(line.state()) == 2


async def test_a_run_by_hand_is_dry_unless_it_says_otherwise() -> None:
    line = await left_behind()
    before = line.state()
    with pytest.raises(StepSkipped, match="dry run") as caught:
        await planned(line, run_type="manual", dry_run=True)
    assert len(caught.value.result["steps"]["sweep"]["leftovers"]) == 1
    assert line.state() == before
    assert (await planned(line, run_type="manual", dry_run=False))["steps"]["sweep"]["leftovers"]


async def test_a_disk_that_is_still_being_read_does_not_hold_up_its_group() -> None:
    line = await left_behind()
    creation = {"createOption": "Empty"}
    body = {"location": HOME, "properties": {"creationData": creation, "diskSizeGB": 4}}
    await (await line.azure.compute.disks.begin_create_or_update(GROUP, "read", body)).result()
    await line.azure.compute.disks.begin_grant_access(GROUP, "read", {"access": "Read", "durationInSeconds": 30 * 86_400})
    await let_pass(1 * DAYS)
    plan = await planned(line)
    await leftovers.sweep(line.azure, **plan["steps"]["sweep"])
    assert not line.state()


async def test_a_locked_group_is_reported_and_not_unlocked() -> None:
    line = await left_behind()
    await line.lock(GROUP, "audit")
    with pytest.raises(StepSkipped) as caught:
        await planned(line)
    assert "locked by audit" in "".join(caught.value.result["stay"].values())


async def test_a_lock_that_comes_after_the_plan_is_a_failure_that_names_it_and_delays_no_other() -> None:
    line = await left_behind()
    await line.run("create_resource_group", name="image-build-other", tags=in_days(line, -1))
    plan = await planned(line)
    await line.lock(GROUP, "audit")
    with pytest.raises(StepError, match="locked") as caught:
        await leftovers.sweep(line.azure, **plan["steps"]["sweep"])
    assert caught.value.code == "PartlySwept"
    assert [id.rsplit("/", 1)[1] for id in caught.value.details["done"]] == ["image-build-other"]
    told = await leftovers.report(line.azure, **plan["steps"]["report"])
    assert [id.rsplit("/", 1)[1] for id in told["left"]] == [GROUP]


async def in_somebodys_group(**tags: str) -> Line:
    """A disk of a run, as a capture leaves it that ran in the group of the machine that it captured, and one of that group's own."""
    line = Line()
    await line.azure.resources.resource_groups.create_or_update(GROUP, {"location": HOME})
    for name, own in (("ours", {**in_days(line, 2), **tags}), ("theirs", {})):
        await put_disk(line, name, own)
    await let_pass(5 * DAYS)
    return line


async def put_disk(line: Line, name: str, tags: dict[str, str]) -> None:
    body = {"location": HOME, "tags": tags, "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
    await (await line.azure.compute.disks.begin_create_or_update(GROUP, name, body)).result()


async def disks(line: Line) -> list[str]:
    return [str(one.name) async for one in line.azure.compute.disks.list_by_resource_group(GROUP)]


async def test_what_lies_in_somebodys_group_goes_alone() -> None:
    line = await in_somebodys_group()
    plan = await planned(line)
    await leftovers.sweep(line.azure, **plan["steps"]["sweep"])
    assert await disks(line) == ["theirs"]


async def test_what_lies_in_somebodys_group_and_is_still_being_read_goes_too() -> None:
    line = await in_somebodys_group()
    plan = await planned(line)
    for name in ("ours", "theirs"):
        await line.azure.compute.disks.begin_grant_access(GROUP, name, {"access": "Read", "durationInSeconds": 30 * 86_400})
    await let_pass(60)
    await leftovers.sweep(line.azure, **plan["steps"]["sweep"])
    assert await disks(line) == ["theirs"]
    assert line.resource("disks", "theirs").properties["diskState"] == "ActiveSAS"


async def test_what_another_run_took_over_since_the_plan_stays() -> None:
    line = await in_somebodys_group()
    plan = await planned(line)
    await put_disk(line, "ours", {**in_days(line, 2), "image-factory-run": "capture_vm/another"})
    with pytest.raises(StepError, match="is not the run's any more") as caught:
        await leftovers.sweep(line.azure, **plan["steps"]["sweep"])
    assert (caught.value.code, caught.value.kind) == ("PartlySwept", "permanent")
    assert await disks(line) == ["ours", "theirs"]


async def test_what_somebody_keeps_stays_until_the_hard_cap_of_the_form() -> None:
    line = await in_somebodys_group(**{"image-factory-keep": "a look"})
    with pytest.raises(StepSkipped) as caught:
        await planned(line)
    assert "kept by its tag" in "".join(caught.value.result["stay"].values())
    assert (await planned(line, hard_cap_days=2))["steps"]["sweep"]["leftovers"]


async def test_what_lies_in_somebodys_group_is_in_use_as_long_as_the_form_says() -> None:
    line = await in_somebodys_group()
    await put_disk(line, "ours", in_days(line, -1))
    with pytest.raises(StepSkipped) as caught:
        await planned(line)
    assert "in use" in "".join(caught.value.result["stay"].values())
    assert (await planned(line, grace_hours=0))["steps"]["sweep"]["leftovers"]


async def test_a_form_that_cannot_be_is_refused() -> None:
    with pytest.raises(StepError, match="hard_cap") as caught:
        await planned(Line(), hard_cap_days=-1)
    assert (caught.value.kind, caught.value.code) == ("permanent", "BadParameter")


async def test_whom_a_leftover_concerns_is_told_what_became_of_it() -> None:
    line = await in_somebodys_group(**{"image-factory-recipe": "ubuntu"})
    plan = await planned(line)
    (id,) = [one["id"] for one in plan["steps"]["sweep"]["leftovers"]]
    assert plan["about"] == ["ubuntu"]
    told = await leftovers.report(line.azure, **plan["steps"]["report"])
    assert (told["gone"], list(told["left"])) == ([], [id])
    assert told["notices"][0]["text"] == f"{id}: could not be swept"
    await leftovers.sweep(line.azure, **plan["steps"]["sweep"])
    (notice,) = (await leftovers.report(line.azure, **plan["steps"]["report"]))["notices"]
    assert (notice["event"], notice["recipe"], notice["text"]) == ("leftovers", "ubuntu", f"{id}: swept")


async def test_swept_twice_it_ends_in_the_same_place() -> None:
    line = await left_behind()
    plan = await planned(line)
    first = await leftovers.sweep(line.azure, **plan["steps"]["sweep"])
    assert await leftovers.sweep(line.azure, **plan["steps"]["sweep"]) == first


async def test_what_changed_after_it_expired_is_in_use_for_some_hours() -> None:
    line = await left_behind()
    await line.run("deallocate")
    with pytest.raises(StepSkipped) as caught:
        await planned(line)
    assert "in use" in "".join(caught.value.result["stay"].values())
    await let_pass(1 * DAYS)
    assert (await planned(line))["steps"]["sweep"]["leftovers"][0]["run"] == RUN
