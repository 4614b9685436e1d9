"""Promoting versions that exist."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.factory.image_version import latest_everywhere
from include.steps import gallery_versions, image_version, promotion, rollback
from include.steps.azure import Azure
from include.steps.errors import StepError, StepSkipped
from tests.sandbox_transport import AsyncStaticCredential, SandboxTransport
from tests.steps.build_line import HOME, Killed, Line
from tests.steps.planned import promised, writes
from tests.steps.seeded import PATH, gallery_line, seed, tags_of, version_of

OLD, NEW = "2026.1122.20000", "2026.1123.20000"
REGIONS = (HOME, "eastus2", "westus2", "uksouth")


async def two_versions() -> Line:
    """An old one that is latest, and a new one that nobody gets yet."""
    line = await gallery_line()
    seed(line, OLD, REGIONS)
    seed(line, NEW, REGIONS, excluded=True, tags={})
    return line


async def latest(line: Line) -> dict[str, str]:
    versions = await gallery_versions.read(line.azure, **PATH)
    return {region: version.name for region, version in latest_everywhere(versions).items()}


async def plan_of(line: Line, **fields: Any) -> dict[str, Any]:
    document: dict[str, Any] = await promotion.plan(line.azure, form={**PATH, **fields})
    return document


async def promoted(line: Line, **fields: Any) -> dict[str, Any]:
    document = await plan_of(line, **fields)
    line.transport.calls.clear()
    await promotion.promote(line.azure, **document["steps"]["promote_version"])
    return document


async def test_all_regions_at_once_is_one_update_of_global_and_regional_flags() -> None:
    line = await two_versions()
    document = await promoted(line, channels=["test", "prod"])
    assert await latest(line) == dict.fromkeys(sorted(REGIONS), NEW)
    assert writes(line) == promised(document)
    # One update, and one merge of tags.
    assert writes(line).total() == 2
    told = await promotion.report(line.azure, **document["steps"]["report_promotion"])
    assert told["channels"] == {"prod": NEW, "test": NEW}
    assert "| channel prod" in told["table"]


async def test_waves_come_one_after_the_other_with_a_pause_and_the_rest_comes_last() -> None:
    line = await two_versions()
    document = await plan_of(line, waves=["westus2", "East US 2, uksouth"], pause=90)
    assert document["steps"]["promote_version"]["waves"] == [["westus2"], ["eastus2", "uksouth"], [HOME]]
    seen: dict[int, dict[str, str]] = {}

    async def watch() -> None:
        for minute in range(0, 300, 30):
            await asyncio.sleep(0 if minute == 0 else 1800)
            seen[minute] = await latest(line)

    line.transport.calls.clear()
    task = asyncio.create_task(watch())
    await promotion.promote(line.azure, **document["steps"]["promote_version"])
    task.cancel()
    assert seen[30] == {HOME: OLD, "eastus2": OLD, "uksouth": OLD, "westus2": NEW}
    assert seen[120] == {HOME: OLD, "eastus2": NEW, "uksouth": NEW, "westus2": NEW}
    assert await latest(line) == dict.fromkeys(sorted(REGIONS), NEW)
    assert writes(line) == promised(document)
    assert tags_of(line, NEW)["image-factory-wave"].startswith("3 of 3 at ")


async def test_a_killed_promotion_goes_on_with_the_wave_that_is_next() -> None:
    origin = await two_versions()
    arguments = (await plan_of(origin, waves=["westus2", "eastus2"], pause=10))["steps"]["promote_version"]
    for at in range(1, 14, 2):
        line = origin.copy()
        line.transport.arm(at, "after")
        try:
            await promotion.promote(line.azure, **arguments)
        except Killed:
            pass
        line.transport.arm(0, "after")
        await promotion.promote(line.azure, **arguments)
        assert await latest(line) == dict.fromkeys(sorted(REGIONS), NEW)
        assert line.count("PATCH", NEW) == 3


@pytest.mark.parametrize(("minutes", "least", "most"), [(50, 600, 1800), (120, 0, 1200)])
async def test_a_promotion_that_goes_on_waits_for_what_is_left_of_the_pause(minutes: float, least: float, most: float) -> None:
    """So many minutes ago an earlier self, which died since, had the first of two waves out; there is an hour between them."""
    line = await two_versions()
    arguments = (await plan_of(line, waves=["westus2"], pause=60))["steps"]["promote_version"]
    first = asyncio.create_task(promotion.promote(line.azure, **arguments))
    await asyncio.sleep(1800)
    first.cancel()
    began = datetime.now(UTC) - timedelta(minutes=minutes)
    tags_of(line, NEW)["image-factory-wave"] = f"1 of 2 at {began.isoformat(timespec='seconds')}"
    line.sandbox.store.touch(version_of(line, NEW))
    since = (began - timedelta(hours=1)).isoformat(timespec="seconds")
    clock = asyncio.get_running_loop().time
    start = clock()
    await promotion.promote(line.azure, **{**arguments, "since": since})
    assert least <= clock() - start < most
    assert await latest(line) == dict.fromkeys(sorted(REGIONS), NEW)


@pytest.mark.parametrize("named_by", ["id", "sharedGalleryImageId"])
async def test_a_failed_machine_stops_the_next_wave(named_by: str) -> None:
    line = await two_versions()
    document = await plan_of(line, waves=["westus2"], pause=10)
    machine = line.resource("virtualMachines", "ubuntu-build")
    shared = f"/SharedGalleries/{line.azure.subscription_id}-IMAGES/Images/{PATH['definition']}/Versions/{NEW}"
    image = version_of(line, NEW).id if named_by == "id" else shared
    machine.properties["storageProfile"]["imageReference"] = {named_by: image, "exactVersion": NEW}
    machine.properties["provisioningState"] = "Failed"
    with pytest.raises(StepError, match=r"1 of 1 users of version .* are Failed: machine ubuntu-build") as caught:
        await promotion.promote(line.azure, **document["steps"]["promote_version"])
    assert caught.value.code == "PromotionStopped"
    assert (await latest(line))["westus2"] == NEW
    assert (await latest(line))[HOME] == OLD


async def test_a_region_that_does_not_resolve_to_the_version_after_its_wave_stops_the_next() -> None:
    """Its replica is lost while the flags change."""
    line = await two_versions()
    document = await plan_of(line, waves=["westus2"], pause=10)
    promoting = asyncio.create_task(promotion.promote(line.azure, **document["steps"]["promote_version"]))
    await asyncio.sleep(30)
    assert version_of(line, NEW).state == "Updating"
    version_of(line, NEW).private["replicas"]["westus2"] |= {"state": "Failed", "fails": {"message": "gone"}}
    with pytest.raises(StepError, match="was promoted in westus2, and latest does not resolve to it there") as caught:
        await promoting
    assert (caught.value.kind, caught.value.code, caught.value.details) == ("permanent", "NotLatest", ["westus2"])
    assert (await latest(line))[HOME] == OLD


RUN = {"dag_id": "promote_version", "run_id": "manual__1", "at": "2026-11-24T09:00:00+00:00"}


async def boot_plan(line: Line, **fields: Any) -> dict[str, Any]:
    form = {**PATH, "waves": ["westus2", "eastus2"], "pause": 1, "boot": True, **fields}
    document: dict[str, Any] = await promotion.plan(line.azure, form=form, run=RUN)
    return document


async def test_a_machine_of_latest_is_booted_where_a_wave_is_out_and_goes() -> None:
    line = await two_versions()
    document = await boot_plan(line)
    line.transport.calls.clear()
    done = await promotion.promote(line.azure, **document["steps"]["promote_version"])
    assert done["latest"] == dict.fromkeys(REGIONS, NEW)
    assert writes(line) == promised(document)
    machines = [path for method, path, _ in line.calls if method == "PUT" and path.endswith("/virtualMachines/latest")]
    assert len(machines) == 2
    assert not [key for key in line.sandbox.store.resources if "image-promotion" in key]
    assert document["text"].count("then a machine of latest is booted in") == 2


async def test_a_machine_of_latest_that_does_not_pass_its_check_stops_the_promotion_and_goes() -> None:
    line = await two_versions()
    document = await boot_plan(line, boot_check="echo the disk is full >&2\nexit 3")
    with pytest.raises(StepError, match=r"A machine of latest in westus2 did not do: .*3") as caught:
        await promotion.promote(line.azure, **document["steps"]["promote_version"])
    assert (caught.value.kind, caught.value.code) == ("permanent", "PromotionStopped")
    assert f"Version {NEW} is out in westus2, and not in {', '.join(sorted({*REGIONS} - {'westus2'}))}." in str(caught.value)
    assert "roll_back" in caught.value.cure
    assert not [key for key in line.sandbox.store.resources if "image-promotion" in key]
    found = await latest(line)
    assert (found["westus2"], found["eastus2"], found[HOME]) == (NEW, OLD, OLD)


async def test_a_roll_back_between_waves_stops_the_promotion() -> None:
    line = await two_versions()
    document = await plan_of(line, waves=["westus2"], pause=60)
    task = asyncio.create_task(promotion.promote(line.azure, **document["steps"]["promote_version"]))
    await asyncio.sleep(1800)
    made = await rollback.plan(line.azure, form={**PATH, "versions": NEW})
    await rollback.roll_back(line.azure, **made["steps"]["roll_back"])
    with pytest.raises(StepError, match="was rolled back"):
        await task
    assert await latest(line) == dict.fromkeys(sorted(REGIONS), OLD)


async def test_a_channel_goes_back_to_where_it_was_before() -> None:
    line = await two_versions()
    await promoted(line, version=OLD, channels=["prod"], latest=False)
    assert list(writes(line)) == [f"PATCH {version_of(line, OLD).id}/providers/microsoft.resources/tags/default".lower()]
    await asyncio.sleep(1)
    await promoted(line, channels=["prod"])
    tags_of(line, OLD)["image-factory-channel-prod"] = "2026-01-01T00:00:00+00:00"
    made = await rollback.plan(line.azure, form=dict(PATH))
    assert f"channel prod: {NEW} -> {OLD}" in made["text"]
    await rollback.roll_back(line.azure, **made["steps"]["roll_back"])
    assert (await promotion.report(line.azure, **PATH))["channels"] == {"prod": OLD}


async def test_who_approved_and_why_is_on_the_version() -> None:
    line = await two_versions()
    document = await plan_of(line, approvers=["ann"])
    assert document["approval"] == {"approvers": ["ann"], "timeout": 86400}
    answer = '{"responded_at": "2026-11-23T09:00:00Z", "responded_by_user": {"id": "ann", "name": "ann"}, "params_input": {"reason": "ok"}}'
    await promotion.promote(line.azure, **document["steps"]["promote_version"], approval=answer)
    assert tags_of(line, NEW)["image-factory-approved"] == "2026-11-23T09:00:00Z by ann: ok"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"version": "9.9.9"}, "There is no version 9.9.9. The newest are: 2026.1123.20000"),
        ({"waves": ["japaneast"]}, "is not in japaneast"),
        ({"waves": ["atlantis"]}, "not an Azure region"),
        ({"latest": False}, "Neither latest nor a channel"),
        ({"definition": "nothing"}, "no image definition"),
        ({"channels": ["Prod!"]}, "channels.0: String should match"),
    ],
)
async def test_what_cannot_be_promoted_is_refused_with_a_cure(fields: dict[str, Any], said: str) -> None:
    line = await two_versions()
    with pytest.raises(StepError, match=said):
        await plan_of(line, **fields)
    assert not writes(line)


async def test_a_version_that_is_not_completed_everywhere_is_refused() -> None:
    line = await two_versions()
    version_of(line, NEW).private["replicas"]["uksouth"].update(state="Failed", fails={"message": "no"})
    with pytest.raises(StepError, match=r"not Completed in uksouth \(Failed\)"):
        await plan_of(line)


async def test_a_dry_run_says_what_latest_will_be_and_writes_nothing() -> None:
    line = await two_versions()
    with pytest.raises(StepSkipped, match="dry run") as caught:
        await plan_of(line, dry_run=True)
    assert f"{OLD} -> {NEW}" in caught.value.result["text"]
    assert not writes(line)


async def test_a_second_run_has_nothing_to_do() -> None:
    line = await two_versions()
    await promoted(line)
    with pytest.raises(StepSkipped, match="nothing to do"):
        await plan_of(line)


async def test_what_was_rolled_back_is_promoted_again_only_by_a_word() -> None:
    line = await two_versions()
    await promoted(line)
    made = await rollback.plan(line.azure, form={**PATH, "reason": "it does not boot"})
    await rollback.roll_back(line.azure, **made["steps"]["roll_back"])
    with pytest.raises(StepError, match=r"was rolled back .*it does not boot"):
        await plan_of(line, version=NEW)
    with pytest.raises(StepError, match="it does not boot"):
        await image_version.promote(line.azure, **PATH, version=NEW)
    tags_of(line, NEW)["image-factory-rolled-back"] = "2026-01-01T00:00:00+00:00 it does not boot"
    await promoted(line, version=NEW, rolled_back_too=True)
    assert set((await latest(line)).values()) == {NEW}


class Late(SandboxTransport):
    """A way to Azure on which one write, counted from 1, is under way for an hour: longer than a whole roll-back."""

    def __init__(self, line: Line, late: int) -> None:
        super().__init__(line.sandbox)
        self.late = late

    async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        if request.method != "GET":
            self.late -= 1
            if self.late == 0:
                await asyncio.sleep(3600)
        return await super().send(request, stream=stream, **options)


def by(way: SandboxTransport, line: Line) -> Azure:
    return Azure(AsyncStaticCredential(), line.sandbox.subscription_id, transport=way)


async def promoting(azure: Azure, line: Line, who: str) -> None:
    if who == "build":
        await image_version.promote(azure, **PATH, version=NEW)
    else:
        waves: dict[str, Any] = {"waves": ["westus2"], "pause": 1} if who == "waves" else {}
        document = await plan_of(line, version=NEW, channels=["prod"], **waves)
        await promotion.promote(azure, **document["steps"]["promote_version"])


@pytest.mark.parametrize("who", ["build", "person", "waves"])
@pytest.mark.parametrize("late", [1, 2])
async def test_no_write_of_a_promotion_outlasts_a_roll_back(who: str, late: int) -> None:
    """The flags, or the tags, were sent before the roll-back was planned, and reach Azure when it is long over."""
    line = await two_versions()
    task = asyncio.create_task(promoting(by(Late(line, late), line), line, who))
    await asyncio.sleep(1200)
    made = await rollback.plan(line.azure, form={**PATH, "versions": NEW, "reason": "it does not boot"})
    await rollback.roll_back(line.azure, **made["steps"]["roll_back"])
    with pytest.raises(StepError, match=r"was rolled back .*it does not boot") as caught:
        await task
    assert "promote_version" in caught.value.cure
    assert await latest(line) == dict.fromkeys(sorted(REGIONS), OLD)
    assert tags_of(line, NEW)["image-factory-rolled-back"].endswith("it does not boot")
    assert (await promotion.report(line.azure, **PATH))["channels"] == {}


class Delayed(SandboxTransport):
    """Every request and every answer is under way for a while: mostly moments, sometimes longer than all that another does."""

    def __init__(self, line: Line, chance: random.Random) -> None:
        super().__init__(line.sandbox)
        self.chance = chance

    async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        await asyncio.sleep(self.chance.choice([0.0, 1.0, 30.0, 3000.0]) * self.chance.random())
        response = await super().send(request, stream=stream, **options)
        await asyncio.sleep(self.chance.choice([0.0, 1.0, 30.0, 3000.0]) * self.chance.random())
        return response


@pytest.mark.parametrize("who", ["build", "person"])
async def test_whoever_comes_first_a_version_that_was_rolled_back_is_nobodys_latest(who: str) -> None:
    """Forty seeded interleavings each; the roll-back's own request may be the one that is late."""
    origin = await two_versions()
    ended: list[str] = []
    for number in range(40):
        line, chance = origin.copy(), random.Random(number)

        async def back(line: Line = line, chance: random.Random = chance) -> None:
            await asyncio.sleep(chance.random() * 1500)
            azure = by(Delayed(line, chance), line)
            made = await rollback.plan(azure, form={**PATH, "versions": NEW})
            await rollback.roll_back(azure, **made["steps"]["roll_back"])

        async def forth(line: Line = line, chance: random.Random = chance) -> str:
            try:
                await promoting(by(Delayed(line, chance), line), line, who)
            except StepError as error:
                return error.code
            return "promoted"

        _, end = await asyncio.gather(back(), forth())
        ended.append(end)
        assert set((await latest(line)).values()) == {OLD}, f"seed {number}"
        assert "image-factory-rolled-back" in tags_of(line, NEW), f"seed {number}"
        assert (await promotion.report(line.azure, **PATH))["channels"] == {}, f"seed {number}"
    # The test would show nothing if they never met.
    assert set(ended) >= {"promoted", "RolledBack"}, ended


async def test_a_version_that_was_retired_since_the_plan_is_not_promoted() -> None:
    line = await two_versions()
    document = await plan_of(line)
    tags_of(line, NEW)["image-factory-retired"] = "2026-11-24T00:00:00+00:00"
    with pytest.raises(StepError, match="was retired") as caught:
        await promotion.promote(line.azure, **document["steps"]["promote_version"])
    assert (caught.value.code, "pin it" in caught.value.cure) == ("Retired", True)
    assert set((await latest(line)).values()) == {OLD}


async def test_a_roll_back_that_came_after_the_word_wins_over_it() -> None:
    line = await two_versions()
    tags_of(line, NEW)["image-factory-rolled-back"] = "2026-01-01T00:00:00+00:00 it does not boot"
    document = await plan_of(line, version=NEW, rolled_back_too=True)
    tags_of(line, NEW)["image-factory-rolled-back"] = "2026-11-24T00:00:00+00:00 nor does it stop"
    with pytest.raises(StepError, match="nor does it stop"):
        await promotion.promote(line.azure, **document["steps"]["promote_version"])
    assert set((await latest(line)).values()) == {OLD}
    assert tags_of(line, NEW)["image-factory-rolled-back"].endswith("nor does it stop")


async def test_an_old_roll_back_that_is_cleared_does_not_take_out_what_was_promoted_again_since() -> None:
    line = await two_versions()
    await promoted(line)
    old = await rollback.plan(line.azure, form=PATH)
    await rollback.roll_back(line.azure, **old["steps"]["roll_back"])
    await asyncio.sleep(1)
    again = await plan_of(line, version=NEW, rolled_back_too=True)
    again["steps"]["promote_version"]["since"] = "2999-01-01T00:00:00+00:00"
    line.transport.calls.clear()
    await promotion.promote(line.azure, **again["steps"]["promote_version"])
    assert writes(line) == promised(again)
    with pytest.raises(StepError, match="was promoted again") as caught:
        await rollback.roll_back(line.azure, **old["steps"]["roll_back"])
    assert (caught.value.code, caught.value.kind) == ("PromotedAgain", "permanent")
    assert "start a new run of roll_back" in caught.value.cure
    assert set((await latest(line)).values()) == {NEW}


async def test_the_plan_and_the_report_name_as_latest_what_can_be_used() -> None:
    """A list does not say that a version failed in a region."""
    line = await two_versions()
    await promoted(line)
    version_of(line, NEW).private["replicas"]["uksouth"].update(state="Failed", fails={"message": "no"})
    assert (await promotion.report(line.azure, **PATH))["latest"]["uksouth"] == OLD
    with pytest.raises(StepError, match="not Completed in uksouth"):
        await plan_of(line, version=NEW, channels=["prod"])
