"""The capture of a machine that the factory did not build."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from include.factory.capture import STEPS
from include.sandbox.blobs import account_sas
from include.steps import machine_capture, virtual_machine
from include.steps.errors import StepError, StepSkipped
from include.steps.machine_state import power_state, read_machine
from tests.steps.build_line import HOME, Killed, Line
from tests.steps.planned import promised, run_planned, writes

RUN = {"dag_id": "capture_vm", "run_id": "manual__2026-11-23T07:00:00+00:00", "at": "2026-11-23T07:00:00+00:00"}
PRODUCTION, WEB = "production", "web"
VAULT = {"resource_group": "vault", "gallery": "vault", "definition": "web"}


async def web(security_type: str = "Standard", **changes: Any) -> Line:
    """Somebody's machine with two data disks, running, in a group that carries no tag of ours."""
    line = Line()
    await line.azure.resources.resource_groups.create_or_update(PRODUCTION, {"location": HOME})
    if "plan" in changes:
        await line.accept_terms(changes["plan"])
    await line.run("create_network", resource_group=PRODUCTION, tags={})
    disks = [{"lun": lun, "size_gb": 32, "storage_account_type": "Premium_LRS", "caching": "None", "from_image": False} for lun in (0, 4)]
    arguments = line.machine_arguments(
        resource_group=PRODUCTION,
        name=WEB,
        subnet_id=line.azure.id(PRODUCTION, "virtualNetworks", "net", provider="Microsoft.Network") + "/subnets/build",
        data_disks=disks,
        security_type=security_type,
        tags={"app": "web"},
        **changes,
    )
    await virtual_machine.create(line.azure, **arguments)
    line.calls.clear()
    return line


def form(**fields: Any) -> dict[str, Any]:
    return {"virtual_machine": f"{PRODUCTION}/{WEB}", **VAULT, **fields}


async def planned(line: Line, run: dict[str, Any] = RUN, **fields: Any) -> dict[str, Any]:
    return await machine_capture.plan(line.azure, run=run, form=form(**fields))


async def captured(line: Line, run: dict[str, Any] = RUN, **fields: Any) -> dict[str, Any]:
    """The plan, its steps run, and its promise held to what was written."""
    line.calls.clear()
    plan = await planned(line, run, **fields)
    assert not writes(line)
    await run_planned(line, plan, STEPS)
    assert writes(line) == promised(plan)
    return plan


async def power(line: Line) -> str:
    machine = await read_machine(line.azure, PRODUCTION, WEB)
    assert machine is not None
    return power_state(machine)


def version(line: Line, number: str = "2026.1123.70000") -> Any:
    return line.resource("galleries/images/versions", "vault", "web", number, group="vault")


def leftovers(line: Line) -> list[str]:
    return [key for key in line.sandbox.store.resources if "/image-capture-" in key]


async def test_a_specialized_capture_leaves_the_machine_running_and_takes_every_disk_by_its_lun() -> None:
    line = await web()
    plan = await captured(line, regions=["northeurope"])
    assert plan["route"] == "snapshot"
    assert await power(line) == "running"
    assert [disk["lun"] for disk in version(line).properties["storageProfile"]["dataDiskImages"]] == [0, 4]
    assert {name: one["state"] for name, one in version(line).private["replicas"].items()} == {
        HOME: "Completed",
        "northeurope": "Completed",
    }
    definition = line.resource("galleries/images", "vault", "web", group="vault")
    assert (definition.properties["osState"], definition.properties["hyperVGeneration"]) == ("Specialized", "V2")
    assert not version(line).properties["publishingProfile"]["excludeFromLatest"]
    assert leftovers(line) == []


ROCKY = {"publisher": "resf", "offer": "rockylinux-x86_64", "sku": "9-base", "version": "latest"}
PLAN = {"name": "9-base", "product": "rockylinux-x86_64", "publisher": "resf"}


@pytest.mark.parametrize("state", ["Specialized", "Generalized"])
async def test_a_purchase_plan_goes_with_the_capture_into_the_definition(state: str) -> None:
    line = await web(source={"image_reference": ROCKY}, plan=PLAN)
    await captured(line, state=state)
    assert line.resource("galleries/images", "vault", "web", group="vault").properties["purchasePlan"] == PLAN


async def test_a_definition_without_the_machines_purchase_plan_is_refused() -> None:
    line = await web(source={"image_reference": ROCKY}, plan=PLAN)
    await line.run("ensure_resource_group", name="vault")
    await line.run("ensure_gallery", resource_group="vault", name="vault")
    await line.run("ensure_definition", resource_group="vault", gallery="vault", name="web", os_state="Specialized")
    with pytest.raises(StepError, match=r"plan none and the source has resf:rockylinux-x86_64:9-base.*Publish to a new definition"):
        await planned(line)


async def test_a_stopped_capture_starts_the_machine_again() -> None:
    line = await web()
    plan = await captured(line, stop=True)
    assert [call["path"].rpartition("/")[2] for call in plan["calls"] if call["method"] == "POST"] == ["deallocate", "start"]
    assert await power(line) == "running"


async def test_a_machine_that_did_not_run_is_not_started() -> None:
    line = await web()
    await virtual_machine.deallocate(line.azure, resource_group=PRODUCTION, name=WEB)
    await captured(line, stop=True)
    assert await power(line) == "deallocated"


async def test_a_generalized_capture_comes_from_a_copy_that_reaches_nothing_and_the_machine_is_not_touched() -> None:
    line = await web()
    plan = await captured(line, state="Generalized")
    assert plan["copied"]
    assert (plan["steps"]["copy.create_network"] or {})["outbound"] is False
    assert await power(line) == "running"
    assert not line.resource("virtualMachines", WEB, group=PRODUCTION).private.get("generalized")
    definition = line.resource("galleries/images", "vault", "web", group="vault")
    assert definition.properties["osState"] == "Generalized"
    assert [disk["lun"] for disk in version(line).properties["storageProfile"]["dataDiskImages"]] == [0, 4]
    assert leftovers(line) == []


async def test_the_machine_itself_is_generalized_only_when_its_name_is_typed() -> None:
    line = await web()
    with pytest.raises(StepError, match="Type the machine's name"):
        await planned(line, state="Generalized", generalize_itself="yes")
    plan = await captured(line, state="Generalized", generalize_itself=WEB)
    assert "CAN NEVER START AGAIN" in plan["notes"][0]
    assert line.resource("virtualMachines", WEB, group=PRODUCTION).private["generalized"]
    assert version(line).state == "Succeeded"


@pytest.mark.parametrize("state", ["Specialized", "Generalized"])
async def test_a_trusted_launch_machine_becomes_a_trusted_launch_image(state: str) -> None:
    line = await web("TrustedLaunch")
    await captured(line, state=state)
    definition = line.resource("galleries/images", "vault", "web", group="vault")
    assert definition.properties["features"] == [{"name": "SecurityType", "value": "TrustedLaunch"}]
    assert version(line).state == "Succeeded"


async def test_a_capture_becomes_files_whose_access_is_taken_back(tmp_path: Path) -> None:
    line = await web()
    plan = await captured(line, to="vhd", export_to=str(tmp_path), resource_group=None, gallery=None, definition=None)
    assert plan["version"] is None
    stem = "web-20261123T070000Z"
    assert sorted(each.name for each in os.scandir(tmp_path)) == [f"{stem}-lun0.vhd", f"{stem}-lun4.vhd", f"{stem}-os.vhd"]
    assert leftovers(line) == []


async def test_a_generalized_capture_becomes_blobs_and_its_sas_is_in_no_plan() -> None:
    line = await web()
    plan = await planned(line, state="Generalized", to="vhd", export_to="https://localhost/devstorage/vhds")
    plan["steps"]["export_disks"]["sas_token"] = account_sas(line.sandbox)
    results = await run_planned(line, plan, STEPS)
    assert len(results["export_disks"]["files"]) == 3
    assert writes(line) == promised(plan)
    with pytest.raises(StepError, match="everybody who sees the run"):
        await planned(line, to="vhd", export_to="https://localhost/devstorage/vhds?sig=secret")


async def test_only_so_many_captures_of_a_name_are_kept_and_nothing_else_is_deleted() -> None:
    line = await web()
    for day in range(20, 25):
        run = {**RUN, "run_id": f"backup__{day}", "at": f"2026-11-{day}T07:00:00+00:00"}
        await captured(line, run, name="web-nightly", keep=3)
    await captured(line, {**RUN, "run_id": "other", "at": "2026-11-10T07:00:00+00:00"}, name="by-hand")
    names = sorted(key.rpartition("/")[2] for key in line.sandbox.store.resources if "/versions/" in key)
    assert names == ["2026.1110.70000", "2026.1122.70000", "2026.1123.70000", "2026.1124.70000"]


async def test_nothing_is_retired_when_too_few_would_be_left() -> None:
    line = await web()
    await captured(line, name="n")
    with pytest.raises(StepError, match="would be left"):
        await machine_capture.retire(line.azure, **VAULT, name="n", keep=1, versions=["2026.1123.70000"])
    assert version(line) is not None


async def test_a_dry_run_tells_every_write_and_makes_none(caplog: pytest.LogCaptureFixture) -> None:
    line = await web()
    caplog.set_level("INFO")
    with pytest.raises(StepSkipped, match="dry run") as caught:
        await planned(line, dry_run=True, regions=["northeurope"])
    assert not writes(line)
    assert "snapshots/machine-lun4" in caplog.text
    assert "USD a month" in caplog.text
    assert caught.value.result["version"] == "2026.1123.70000"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"virtual_machine": "production/nobody"}, "no machine nobody"),
        ({"virtual_machine": "web"}, "resource-group/name"),
        ({"gallery": None}, "gallery of the gallery version: missing"),
        ({"to": "vhd"}, "export_to is missing"),
        ({"regions": ["atlantis"]}, "not an Azure region"),
        ({"version": "1.2"}, "is not a version"),
        ({"generalize_itself": "web"}, "the capture is Specialized"),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_is_written(fields: dict[str, Any], said: str) -> None:
    line = await web()
    with pytest.raises(StepError, match=said) as caught:
        await planned(line, **fields)
    assert caught.value.kind == "permanent"
    assert not writes(line)


async def test_a_copy_that_azure_has_no_size_for_is_refused_and_a_capture_without_one_is_not() -> None:
    line = await web()
    line.sandbox.store.set("quota", {f"{HOME}/cores": 2})
    assert (await planned(line))["version"]
    with pytest.raises(StepError, match="cores") as caught:
        await planned(line, state="Generalized")
    assert caught.value.code == "QuotaInUse"
    assert not writes(line)


async def test_a_definition_of_another_kind_is_refused() -> None:
    line = await web()
    await captured(line)
    with pytest.raises(StepError, match=r"OS state Specialized \(the capture is Generalized\)"):
        await planned(line, {**RUN, "run_id": "next"}, state="Generalized", version="9.9.9")


async def test_a_version_of_another_run_is_refused_and_ones_own_is_gone_on_with() -> None:
    line = await web()
    await captured(line)
    with pytest.raises(StepError, match="exists already, made by capture_vm/manual"):
        await planned(line, {**RUN, "run_id": "another"})
    assert (await planned(line))["version"] == "2026.1123.70000"


async def test_the_report_says_how_things_are() -> None:
    line = await web()
    plan = await captured(line)
    told = await machine_capture.report(line.azure, **plan["steps"]["report"])
    assert told == {
        "machine": "running",
        "generalized": False,
        "version": {HOME: "Completed"},
        "captures": ["2026.1123.70000"],
        "leftovers": False,
        "failed_tasks": [],
    }


@pytest.mark.parametrize("mode", ["before", "after"])
@pytest.mark.parametrize("task", ["machine.stop", "machine.start", "publish_version", "export_disks", "retire_captures"])
async def test_a_task_killed_at_any_call_and_run_again_ends_in_the_same_place(task: str, mode: str, tmp_path: Path) -> None:
    before = await web()
    fields: dict[str, Any] = {"stop": True}
    if task == "export_disks":
        fields |= {"to": "vhd", "export_to": str(tmp_path)}
    if task == "retire_captures":
        await captured(before, {**RUN, "run_id": "old", "at": "2026-11-20T07:00:00+00:00"})
        fields |= {"keep": 1}
    plan = await planned(before, **fields)
    arguments = plan["steps"][task]
    for name, planned_arguments in plan["steps"].items():
        if name == task:
            break
        if planned_arguments is not None:
            await run_planned(before, {"steps": {name: planned_arguments}}, STEPS)
    good = before.copy()
    await run_planned(good, {"steps": {task: arguments}}, STEPS)
    expected = good.state()
    for at in range(1, 40):
        world = before.copy()
        world.transport.arm(at, mode)
        try:
            await run_planned(world, {"steps": {task: arguments}}, STEPS)
            break
        except (Killed, BaseExceptionGroup):
            pass
        world.transport.arm(0, mode)
        await run_planned(world, {"steps": {task: arguments}}, STEPS)
        await asyncio.sleep(60)
        assert world.state() == expected, f"killed {mode} call {at}"
    assert at > 1
