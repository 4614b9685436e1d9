"""Machines made of versions that exist."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from include.factory.restore import GAME_DAY_STEPS, RESTORE_STEPS, minutes, of_the_month
from include.steps import restore
from include.steps.errors import StepError, StepSkipped
from tests.factory.test_backup import GOOD, NOON
from tests.steps import test_machine_capture as capturing
from tests.steps.build_line import HOME, Line
from tests.steps.killing import killed_at_each_call
from tests.steps.planned import promised, run_planned, writes

RUN = {"dag_id": "restore_vm", "run_id": "manual__2026-11-24T09:00:00+00:00", "at": "2026-11-24T09:00:00+00:00"}
IMAGE = "vault/vault/web"


async def vault(**fields: Any) -> Line:
    """A capture of production/web, in its home region and one other."""
    line = await capturing.web()
    await capturing.captured(line, **{"regions": ["northeurope"], **fields})
    line.calls.clear()
    return line


def form(**fields: Any) -> dict[str, Any]:
    return {"image": IMAGE, "resource_group": "restored", "name": "web-again", **fields}


async def restored(line: Line, **fields: Any) -> dict[str, Any]:
    plan = await restore.plan(line.azure, run=RUN, form=form(**fields))
    assert not writes(line)
    await run_planned(line, plan, RESTORE_STEPS)
    assert writes(line) == promised(plan)
    return plan


def machine(line: Line, name: str = "web-again", group: str = "restored") -> Any:
    return line.resource("virtualMachines", name, group=group)


async def test_a_specialized_version_becomes_a_machine_without_an_account_and_with_its_disks() -> None:
    line = await vault()
    plan = await restored(line)
    made = machine(line)
    assert "osProfile" not in made.properties
    assert [disk["lun"] for disk in made.properties["storageProfile"]["dataDisks"]] == [0, 4]
    assert made.location == HOME
    assert made.body["tags"]["image-factory-base"].endswith("/versions/2026.1123.70000")
    assert "image-factory-expires" not in made.body["tags"]
    told = await restore.report(line.azure, **plan["steps"]["report"])
    assert (told["power"], told["agent"], told["met"]) == ("running", True, None)


async def test_a_generalized_version_becomes_a_machine_that_one_can_sign_in_to() -> None:
    line = await vault(state="Generalized")
    await restored(line, public_key="ssh-rsa AAAAB3NzaC1yc2E somebody@example.com", check="echo fine")
    keys = machine(line).properties["osProfile"]["linuxConfiguration"]["ssh"]["publicKeys"]
    assert [key["keyData"] for key in keys] == ["ssh-rsa AAAAB3NzaC1yc2E somebody@example.com"]


@pytest.mark.parametrize("state", ["Specialized", "Generalized"])
async def test_a_purchase_plan_is_sent_with_the_machine(state: str) -> None:
    line = await capturing.web(source={"image_reference": capturing.ROCKY}, plan=capturing.PLAN)
    await capturing.captured(line, state=state)
    line.calls.clear()
    await restored(line)
    assert machine(line).body["plan"] == capturing.PLAN


async def test_terms_that_were_cancelled_since_are_said_before_anything_is_written() -> None:
    line = await capturing.web(source={"image_reference": capturing.ROCKY}, plan=capturing.PLAN)
    await capturing.captured(line)
    line.sandbox.store.set("agreements", {})
    line.calls.clear()
    with pytest.raises(StepError, match="az vm image terms accept --publisher resf --offer rockylinux-x86_64 --plan 9-base"):
        await restore.plan(line.azure, run=RUN, form=form())
    assert not writes(line)


async def test_the_network_reaches_nothing_unless_a_subnet_is_named() -> None:
    line = await vault()
    plan = await restored(line)
    assert plan["steps"]["create_network"]["outbound"] is False
    subnet = line.azure.id("production", "virtualNetworks", "net", provider="Microsoft.Network") + "/subnets/build"
    plan = await restore.plan(line.azure, run={**RUN, "run_id": "other"}, form=form(name="web-3", subnet=subnet))
    assert plan["steps"]["create_network"] is None
    assert plan["steps"]["create_virtual_machine"]["subnet_id"] == subnet


async def test_a_machine_is_made_where_the_version_is_and_nowhere_else() -> None:
    line = await vault()
    await restored(line, region="northeurope")
    assert machine(line).location == "northeurope"
    with pytest.raises(StepError, match=r"is not in uksouth. Choose one of westeurope, northeurope"):
        await restore.plan(line.azure, run=RUN, form=form(region="uksouth", version="2026.1123.70000"))


async def test_latest_is_what_azure_takes_and_newest_also_what_it_does_not() -> None:
    line = await vault()
    later = {**capturing.RUN, "run_id": "later", "at": "2026-11-24T07:00:00+00:00"}
    await capturing.captured(line, later, latest=False)
    found: dict[str, str] = {}
    for version in ("latest", "newest", "2026.1123.70000"):
        found[version] = (await restore.plan(line.azure, run=RUN, form=form(version=version)))["version_id"]
    named = {version: id.rsplit("/", 1)[1] for version, id in found.items()}
    assert named == {"latest": "2026.1123.70000", "newest": "2026.1124.70000", "2026.1123.70000": "2026.1123.70000"}
    by_id = await restore.plan(line.azure, run=RUN, form=form(image=found["latest"], version="newest"))
    assert by_id["version_id"] == found["latest"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"image": "nothing"}, "no recipe and no backup 'nothing'"),
        ({"image": "vault/vault/other"}, "no image definition vault/other"),
        ({"version": "9.9.9"}, "no version 9.9.9"),
        ({"version": "first"}, "Or write latest or newest"),
        ({"name": None}, "name of the machine: missing"),
        ({"resource_group": "production", "name": "web"}, "a machine web in production already, not made by the factory"),
        ({"image": "ubuntu-2404-base", "disaster_recovery": True}, "has no second gallery"),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_is_written(fields: dict[str, Any], said: str) -> None:
    line = await vault()
    with pytest.raises(StepError, match=said) as caught:
        await restore.plan(line.azure, run=RUN, form=form(**fields))
    assert caught.value.kind == "permanent"
    assert not writes(line)


async def test_what_azure_does_not_offer_is_refused_before_anything_is_written() -> None:
    line = await vault()
    line.sandbox.store.set("restricted", {HOME: ["Standard_B2s"]})
    with pytest.raises(StepError, match="Standard_B2s") as caught:
        await restore.plan(line.azure, run=RUN, form=form(sizes=["Standard_B2s"]))
    assert caught.value.code == "CannotBePlanned"
    assert not writes(line)


async def test_a_dry_run_writes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    line = await vault()
    caplog.set_level("INFO")
    with pytest.raises(StepSkipped, match="dry run"):
        await restore.plan(line.azure, run=RUN, form=form(dry_run=True))
    assert not writes(line)
    assert "virtualMachines/web-again in restored" in caplog.text
    assert "keep the two apart" in caplog.text


async def test_a_game_day_recovers_in_another_region_measures_and_leaves_nothing() -> None:
    line = await vault()
    plan = await restore.plan_game_day(line.azure, run=RUN, form={"image": IMAGE, "objective_minutes": 60})
    assert plan["region"] == "northeurope"
    results = await run_planned(line, plan, GAME_DAY_STEPS)
    assert writes(line) == promised(plan)
    told = results["report"]
    assert told["met"] is True
    assert 0 < told["seconds"] < 3600
    assert told["check"] == "Succeeded"
    assert told["age_hours"] is not None
    assert results["meet_objective"] == {"seconds": told["seconds"]}
    assert not [key for key in line.sandbox.store.resources if "/image-game-day-" in key]


async def test_a_missed_objective_is_an_error_and_the_report_says_so(caplog: pytest.LogCaptureFixture) -> None:
    line = await vault()
    caplog.set_level("INFO")
    plan = await restore.plan_game_day(
        line.azure, run=RUN, form={"image": IMAGE, "objective_minutes": 1, "check": "# sandbox: sleep 300\ntrue"}
    )
    with pytest.raises(StepError, match=r"Recovery took \d+ min .*and the objective is 1 min") as caught:
        await run_planned(line, plan, GAME_DAY_STEPS)
    assert caught.value.code == "ObjectiveMissed"
    told = await restore.report(line.azure, **plan["steps"]["report"], failed_tasks=["meet_objective"])
    assert told["met"] is False
    assert "MISSED" in caplog.text


async def test_a_machine_that_never_came_is_told() -> None:
    line = await vault()
    plan = await restore.plan_game_day(line.azure, run=RUN, form={"image": IMAGE})
    told = await restore.report(line.azure, **plan["steps"]["report"], failed_tasks=["create_virtual_machine"])
    assert (told["power"], told["seconds"], told["met"]) == ("absent", None, False)
    with pytest.raises(StepError, match="was not checked"):
        await restore.meet_objective(line.azure, **plan["steps"]["meet_objective"])


async def test_a_scheduled_game_day_takes_the_backup_whose_turn_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "backups").mkdir()
    monkeypatch.setenv("IMAGE_FACTORY_RECIPES", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    line = await vault()
    with pytest.raises(StepSkipped, match="nothing to be tried"):
        await restore.plan_game_day(line.azure, run=RUN, form={"image": None})
    (tmp_path / "backups" / "web.yaml").write_text(GOOD.replace("rg-vault", "vault"))
    plan = await restore.plan_game_day(line.azure, run=RUN, form={"image": None})
    assert "/galleries/vault/images/web/" in plan["version_id"]


def test_each_image_has_its_turn() -> None:
    names = ["c", "a", "b"]
    assert {of_the_month(names, NOON.replace(month=month)) for month in (1, 2, 3)} == {"a", "b", "c"}
    assert [minutes(seconds) for seconds in (0, 61, 3600, 90061)] == ["0 s", "1 min 1 s", "1 h", "1 d 1 h 1 min 1 s"]


@pytest.mark.parametrize("mode", ["before", "after"])
async def test_a_restoration_killed_at_any_call_and_run_again_ends_in_the_same_place(mode: str) -> None:
    before = await vault()
    plan = await restore.plan(before.azure, run=RUN, form=form())
    calls = await killed_at_each_call(before, lambda world: run_planned(world, plan, RESTORE_STEPS), mode, Line.state)
    assert calls > 4


async def test_a_restoration_run_twice_at_once_makes_one_machine() -> None:
    line = await vault()
    plan = await restore.plan(line.azure, run=RUN, form=form())
    await asyncio.gather(run_planned(line, plan, RESTORE_STEPS), run_planned(Line(line.sandbox), plan, RESTORE_STEPS))
    assert [key for key in line.sandbox.store.resources if key.endswith("/virtualmachines/web-again")]
    made = [path for method, path, status in line.calls if method == "PUT" and status == 201]
    assert len(made) == len(set(made))
