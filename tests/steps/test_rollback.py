"""Taking bad versions out of latest."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.factory.image_version import latest_everywhere
from include.steps import gallery_versions, image_version, promotion, regions, rollback
from include.steps.azure import Azure
from include.steps.errors import StepError, StepSkipped
from include.steps.look import RUN_TAG
from tests.sandbox_transport import AsyncStaticCredential, SandboxTransport
from tests.steps.build_line import HOME, RUN, Killed, Line
from tests.steps.planned import promised, writes
from tests.steps.seeded import PATH, gallery_line, seed, tags_of, version_of
from tests.steps.test_retirement import machine, scale_set

FIRST, SECOND, THIRD = "2026.1121.20000", "2026.1122.20000", "2026.1123.20000"
REGIONS = (HOME, "eastus2")


async def three_versions() -> Line:
    """All promoted; the newest alone is in uksouth, and the second is there, too, excluded, as a backfill left it."""
    line = await gallery_line()
    seed(line, FIRST, REGIONS)
    seed(line, SECOND, (*REGIONS, "uksouth"), excluded_in=["uksouth"])
    seed(line, THIRD, (*REGIONS, "uksouth"))
    return line


async def latest(line: Line) -> dict[str, str]:
    versions = await gallery_versions.read(line.azure, **PATH)
    return {region: version.name for region, version in latest_everywhere(versions).items()}


async def plan_of(line: Line, **fields: Any) -> dict[str, Any]:
    document: dict[str, Any] = await rollback.plan(line.azure, form={**PATH, **fields})
    return document


async def rolled_back(line: Line, **fields: Any) -> dict[str, Any]:
    document = await plan_of(line, **fields)
    line.transport.calls.clear()
    result: dict[str, Any] = await rollback.roll_back(line.azure, **document["steps"]["roll_back"])
    assert writes(line) == promised(document)
    return result


async def test_one_click_takes_out_what_people_get_and_says_what_they_get_instead() -> None:
    line = await three_versions()
    for name in (SECOND, THIRD):
        version_of(line, name).properties["publishingProfile"]["targetRegions"].pop()
        version_of(line, name).private["replicas"].pop("uksouth")
    result = await rolled_back(line, reason="it does not boot")
    (notice,) = result.pop("notices")
    assert result == {"latest": {"eastus2": SECOND, HOME: SECOND}, "versions": [THIRD]}
    assert (notice["event"], notice["title"]) == ("rolled_back", f"ubuntu: {THIRD} rolled back")
    assert notice["text"].splitlines() == ["Why: it does not boot", f"latest in eastus2: {SECOND}", f"latest in {HOME}: {SECOND}"]
    assert tags_of(line, THIRD)["image-factory-rolled-back"].endswith("it does not boot")


async def test_a_region_is_never_left_without() -> None:
    line = await three_versions()
    with pytest.raises(StepError, match=r"In uksouth latest would find no other version. Version 2026.1122.20000 is there and excluded"):
        await plan_of(line)
    assert not writes(line)


async def test_an_excluded_version_takes_its_place_where_that_is_asked_for_before_anything_is_taken_out() -> None:
    line = await three_versions()
    result = await rolled_back(line, include_excluded=True)
    assert result["latest"] == {"eastus2": SECOND, "uksouth": SECOND, HOME: SECOND}
    assert [path.rsplit("/", 1)[1] for method, path, _ in line.calls if method == "PATCH"] == [SECOND, "default", THIRD]


async def test_a_version_that_is_not_usable_in_a_region_does_not_count_there() -> None:
    line = await three_versions()
    for name in (FIRST, SECOND):
        version_of(line, name).private["replicas"]["eastus2"].update(state="Failed", fails={"message": "no"})
    with pytest.raises(StepError, match=r"In eastus2 latest would find no other version. Bring an older version there first"):
        await plan_of(line, include_excluded=True)


async def test_several_bad_versions_go_at_once() -> None:
    line = await three_versions()
    version_of(line, FIRST).properties["publishingProfile"]["targetRegions"] = version_of(line, SECOND).properties["publishingProfile"][
        "targetRegions"
    ]
    version_of(line, FIRST).private["replicas"]["uksouth"] = dict(version_of(line, FIRST).private["replicas"][HOME])
    result = await rolled_back(line, versions="last:2", include_excluded=True)
    assert set(result["latest"].values()) == {FIRST}


async def test_a_version_that_went_since_the_plan_stops_the_roll_back() -> None:
    line = await three_versions()
    document = await plan_of(line, include_excluded=True)
    for name in (FIRST, SECOND):
        line.sandbox.store.drop(version_of(line, name))
    line.transport.calls.clear()
    with pytest.raises(StepError, match="Nothing was changed"):
        await rollback.roll_back(line.azure, **document["steps"]["roll_back"])
    assert not writes(line)


async def test_a_second_run_has_nothing_to_do() -> None:
    line = await three_versions()
    await rolled_back(line, include_excluded=True)
    with pytest.raises(StepSkipped, match="nothing to do"):
        await plan_of(line, versions=THIRD)


@pytest.mark.parametrize("mode", ["before", "after"])
async def test_a_killed_roll_back_is_finished_by_the_next(mode: str) -> None:
    origin = await three_versions()
    arguments = (await plan_of(origin, include_excluded=True))["steps"]["roll_back"]
    for at in range(4, 16, 2):
        line = origin.copy()
        line.transport.arm(at, mode)
        try:
            await rollback.roll_back(line.azure, **arguments)
        except (Killed, BaseExceptionGroup):
            pass
        assert set(await latest_of(line)) == {"eastus2", "uksouth", HOME}
        line.transport.arm(0, mode)
        await rollback.roll_back(line.azure, **arguments)
        assert set((await latest(line)).values()) == {SECOND}
        assert line.count("PATCH") == 3


async def latest_of(line: Line) -> dict[str, str]:
    line.transport.arm(0, "before")
    return await latest(line)


@pytest.mark.parametrize("delay", range(0, 1500, 100))
async def test_a_build_that_promotes_meanwhile_is_not_disturbed(delay: int) -> None:
    """Version four is published, replicated and promoted by its build while version three is taken out, at any moment of it."""
    line = await three_versions()
    await line.run("publish", version="2026.1124.20000")
    document = await plan_of(line, include_excluded=True)

    async def build() -> None:
        await line.run("replicate", version="2026.1124.20000")
        await line.run("promote", version="2026.1124.20000")

    async def back() -> None:
        await asyncio.sleep(delay)
        await rollback.roll_back(line.azure, **document["steps"]["roll_back"])

    await asyncio.gather(build(), back())
    assert await latest(line) == {
        "eastus2": "2026.1124.20000",
        "northeurope": "2026.1124.20000",
        "uksouth": SECOND,
        HOME: "2026.1124.20000",
    }


@pytest.mark.parametrize("delay", range(0, 400, 25))
async def test_a_build_that_promotes_the_bad_version_itself_loses_against_the_roll_back(delay: int) -> None:
    """Whoever comes first: the version ends out of latest, and the build's own retries do not bring it back."""
    line = await three_versions()
    fourth = "2026.1124.20000"
    seed(line, fourth, (*REGIONS, "uksouth"), excluded=True, tags={RUN_TAG: RUN})

    ended: list[str] = []

    async def build() -> None:
        for _ in range(4):
            try:
                await image_version.promote(line.azure, **PATH, version=fourth, tags={RUN_TAG: RUN})
            except StepError as error:
                ended.append(error.code)
            await asyncio.sleep(60)

    async def back() -> None:
        await asyncio.sleep(delay)
        document = await rollback.plan(line.azure, form={**PATH, "versions": fourth})
        await rollback.roll_back(line.azure, **document["steps"]["roll_back"])

    await asyncio.gather(build(), back())
    assert set((await latest(line)).values()) == {THIRD}
    assert "image-factory-rolled-back" in tags_of(line, fourth)
    assert ended[-1] == "RolledBack"


async def test_a_region_that_is_added_meanwhile_does_not_bring_it_back() -> None:
    line = await three_versions()
    change = await regions.plan(line.azure, form={**PATH, "versions": THIRD, "add": ["japaneast"]})
    await rolled_back(line, include_excluded=True)
    await regions.change(line.azure, **change["steps"]["change_regions"])
    assert "japaneast" not in await latest(line)


@pytest.mark.parametrize(
    ("fields", "said"), [({"versions": "9.9.9"}, "There is no version 9.9.9"), ({"gallery": "no"}, "no image definition")]
)
async def test_a_bad_form_is_refused(fields: dict[str, Any], said: str) -> None:
    line = await three_versions()
    with pytest.raises(StepError, match=said):
        await plan_of(line, **fields)


async def test_a_version_that_is_out_in_a_first_wave_only_is_what_one_click_means() -> None:
    line = await three_versions()
    seed(line, "2026.1124.20000", (*REGIONS, "uksouth"), excluded_in=[HOME, "uksouth"])
    version_of(line, "2026.1124.20000").properties["publishingProfile"]["excludeFromLatest"] = True
    assert (await rolled_back(line))["versions"] == ["2026.1124.20000"]
    assert set((await latest(line)).values()) == {THIRD}


async def test_latest_is_what_people_got_when_the_roll_back_was_asked_for() -> None:
    """A run that is planned again, or a second one that was triggered before the first was done, takes out no good version."""
    line = await gallery_line()
    for name in (FIRST, SECOND, THIRD):
        seed(line, name, REGIONS)
    asked_at = datetime.now(UTC).isoformat()
    first = await rollback.plan(line.azure, form=dict(PATH), asked_at=asked_at)
    await rollback.roll_back(line.azure, **first["steps"]["roll_back"])
    with pytest.raises(StepSkipped, match="nothing to do") as caught:
        await rollback.plan(line.azure, form=dict(PATH), asked_at=asked_at)
    assert f"out of latest already: {THIRD}" in caught.value.result["text"]
    later = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    assert (await rollback.plan(line.azure, form=dict(PATH), asked_at=later))["versions"] == [SECOND]


async def test_what_others_write_into_the_tags_meanwhile_stays() -> None:
    line = await three_versions()
    document = await plan_of(line, include_excluded=True)

    class Slow(SandboxTransport):
        async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
            if request.method in ("PUT", "PATCH"):
                await asyncio.sleep(3600)
            return await super().send(request, stream=stream, **options)

    azure = Azure(AsyncStaticCredential(), line.sandbox.subscription_id, transport=Slow(line.sandbox))
    task = asyncio.create_task(rollback.roll_back(azure, **document["steps"]["roll_back"]))
    for hour in range(4):
        await asyncio.sleep(3600)
        for name in (SECOND, THIRD):
            tags_of(line, name)[f"cost-centre-{hour}"] = "7"
    await task
    for name in (SECOND, THIRD):
        assert {f"cost-centre-{hour}" for hour in range(3)} <= tags_of(line, name).keys()


async def test_of_a_thousand_versions_a_few_are_read_one_by_one() -> None:
    line = await gallery_line()
    for number in range(1000):
        seed(line, f"1.0.{number}", REGIONS)
    for name in ("1.0.998", "1.0.997"):
        version_of(line, name).private["replicas"]["eastus2"].update(state="Failed", fails={"message": "no"})
    line.calls.clear()
    result = await rolled_back(line)
    assert result["latest"] == {"eastus2": "1.0.996", HOME: "1.0.998"}
    alone = [path for method, path, _ in line.calls if method == "GET" and re.search(r"/versions/[0-9.]+$", path)]
    assert len(alone) < 40
    assert not [status for _, _, status in line.calls if status == 429]


async def test_the_report_names_who_still_runs_what_was_rolled_back(caplog: pytest.LogCaptureFixture) -> None:
    """A machine and a set that name it, and an instance of a set and a machine elsewhere that got it from latest."""
    line = await three_versions()
    bad = version_of(line, THIRD).id
    definition = bad.rpartition("/versions/")[0]
    await scale_set(line, "follows", definition)
    await scale_set(line, "pinned", bad)
    machine(line, "names", bad)
    machine(line, "elsewhere", definition, THIRD, line.azure.in_subscription(line.sandbox.directory.second_subscription_id))
    machine(line, "older", definition, SECOND)
    document = await plan_of(line, include_excluded=True)
    await rollback.roll_back(line.azure, **document["steps"]["roll_back"])
    result = await promotion.report(line.azure, **document["steps"]["report_versions"])
    who = ["instance follows/0", "instance pinned/0", "machine elsewhere", "machine names", "scale set pinned"]
    assert (result["running"], result["unread"]) == ({THIRD: who}, {})
    assert f"5 still run version {THIRD}, or would be made from it: {', '.join(who)}" in caplog.text
    assert result["latest"] == dict.fromkeys((HOME, "eastus2", "uksouth"), SECOND)


async def test_the_report_is_made_where_nobody_may_be_looked_for() -> None:
    line = await three_versions()
    document = await plan_of(line, include_excluded=True)
    error = {"status": 403, "code": "AuthorizationFailed", "message": "no right to read machines"}
    line.sandbox.faults.add(
        name="f", match={"method": "GET", "type": "Microsoft.Compute/virtualMachines"}, count=None, effect={"error": error}
    )
    result = await promotion.report(line.azure, **document["steps"]["report_versions"])
    assert result["running"] == {}
    assert "no right to read machines" in result["unread"][line.azure.subscription_id]
    assert result["latest"][HOME] == THIRD
