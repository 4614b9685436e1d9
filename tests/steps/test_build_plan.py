"""The plan: read from Azure, and carried out by the very steps that it plans."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from include.factory.catalogue import load_catalogue, load_recipe
from include.factory.folder import catalogue_folder
from include.factory.steps import steps_of
from include.steps import build_plan
from include.steps.errors import StepError, StepSkipped
from tests.steps.build_line import Line
from tests.steps.planned import promised, writes

BASE = "ubuntu-2404-base"
SHIPPED = load_catalogue(catalogue_folder()).recipes


def run_of(day: int = 23, **params: Any) -> dict[str, Any]:
    return {
        "dag_id": "build_ubuntu_2404_base",
        "run_id": f"scheduled__2026-11-{day}",
        "at": f"2026-11-{day}T02:00:00+00:00",
        "params": json.dumps(params),
    }


async def make(line: Line, recipe: str = BASE, day: int = 23, **params: Any) -> dict[str, Any]:
    document: dict[str, Any] = await build_plan.make(line.azure, recipe=recipe, run=run_of(day, **params))
    return document


async def carry_out(line: Line, plan: dict[str, Any]) -> dict[str, Any]:
    """Every planned step in order, as the DAG would run them when nothing fails; their results."""
    results = {}
    for task, step in steps_of(load_recipe(catalogue_folder(), plan["recipe"])).items():
        module, function = step.rsplit(".", 1)
        if task == "discard_version":
            continue
        results[task] = await getattr(importlib.import_module(f"include.steps.{module}"), function)(line.azure, **plan["steps"][task])
    return results


async def test_the_facts_of_an_empty_subscription_cost_seven_calls() -> None:
    line = Line()
    facts = await build_plan.read(line.azure, recipe=SHIPPED[BASE])
    assert (facts.definition, facts.newest, facts.versions) == (None, None, {})
    assert facts.base.version == "24.04.202511110"
    assert facts.base.os_type == "Linux"
    assert facts.there == ()
    # Two of them look whether the group and the gallery are there, where the definition is not.
    assert len(line.calls) == 7


@pytest.mark.parametrize("name", sorted(SHIPPED))
async def test_every_shipped_recipe_is_planned_built_replicated_and_promoted(name: str) -> None:
    line = Line()
    parent = SHIPPED[name].parent
    if parent is not None:
        await carry_out(line, await make(line, parent))
    plan = await make(line, name)
    line.calls.clear()
    results = await carry_out(line, json.loads(json.dumps(plan)))
    assert writes(line) == promised(plan)
    version = line.sandbox.resource(plan["version_id"])
    assert version is not None
    assert set(results["replicate_version"]["regions"].values()) == {"Completed"}
    assert list(results["replicate_version"]["regions"]) == [region["name"] for region in plan["regions"]]
    assert version.properties["publishingProfile"]["excludeFromLatest"] is False
    groups = [key for key in line.sandbox.store.resources if "image-build-" in key]
    assert groups == []


async def test_a_run_with_nothing_new_is_skipped_with_the_reason_unless_it_is_forced() -> None:
    line = Line()
    first = await make(line)
    await carry_out(line, first)
    again = await make(line)
    assert {**again, "calls": first["calls"]} == first, "the same run has the same plan"
    # The group, the gallery and the definition are there now.
    assert len(again["calls"]) == len(first["calls"]) - 3
    with pytest.raises(StepSkipped, match=first["version"]):
        await make(line, day=24)
    second = await make(line, day=24, force=True)
    assert second["version"] > first["version"]


async def test_what_was_published_comes_back_as_facts() -> None:
    line = Line()
    plan = await make(line)
    await carry_out(line, plan)
    facts = await build_plan.read(line.azure, recipe=SHIPPED[BASE])
    assert facts.newest is not None
    assert (facts.newest.version, facts.newest.digest, facts.newest.base) == (plan["version"], plan["digest"], plan["base"]["id"])
    assert facts.versions == {plan["version"]: plan["run"]}
    assert facts.definition is not None
    assert facts.definition.features["SecurityType"] == "TrustedLaunch"


async def test_a_dry_run_prints_the_plan_and_writes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    line = Line()
    with pytest.raises(StepSkipped, match="dry run") as caught:
        await make(line, dry_run=True)
    assert caught.value.result["steps"]["publish_version"]["version"] in caplog.text
    assert {method for method, _, _ in line.calls} == {"GET"}


async def test_what_is_in_the_way_is_all_said_at_once_and_permanent() -> None:
    with pytest.raises(StepError, match="CannotBePlanned") as caught:
        await make(Line(), version="1.2.99999999999", regions=["uksouth"])
    assert caught.value.kind == "permanent"
    assert len(caught.value.details) == 2


async def test_a_value_of_the_trigger_form_that_cannot_be_is_named() -> None:
    with pytest.raises(StepError, match=r"regions\.0: 'northpole' is not an Azure region") as caught:
        await make(Line(), regions=["northpole"])
    assert (caught.value.kind, caught.value.code) == ("permanent", "BadParameter")


async def test_a_broken_recipe_is_named_with_its_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "recipes"
    shutil.copytree(catalogue_folder(), folder)
    (folder / f"{BASE}.yaml").write_text("name: nothing\n")
    monkeypatch.setenv("IMAGE_FACTORY_RECIPES", str(folder))
    with pytest.raises(StepError, match=BASE) as caught:
        await make(Line())
    assert (caught.value.kind, caught.value.code) == ("permanent", "RecipeBroken")


async def test_a_base_that_is_gone_ends_the_plan_before_anything_is_paid_for() -> None:
    line = Line()
    with pytest.raises(StepError, match="BaseNotFound"):
        await make(line, "ubuntu-2404-data")
    assert {method for method, _, _ in line.calls} == {"GET"}
