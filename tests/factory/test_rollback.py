"""Which versions go out of latest, and what each region gets instead."""

from __future__ import annotations

from typing import Any

import pytest

from include.factory.image_version import ImageVersion, Replica
from include.factory.rollback import Rollback, RollbackPlan, meant, plan_rollback, rollback_arguments, rollback_text

PROMOTED = {"image-factory-promoted": "2026-01-01T00:00:00+00:00"}
OUT = {**PROMOTED, "image-factory-rolled-back": "2026-02-01T00:00:00+00:00"}


def version(
    name: str, *regions: str, tags: dict[str, str] = PROMOTED, excluded: bool = False, replica: str = "Completed", **fields: Any
) -> ImageVersion:
    """In the regions named, or in westeurope; `-uksouth` is one in which it is excluded."""
    replicas = {
        region.removeprefix("-"): Replica(excluded=excluded or region.startswith("-"), state=replica)
        for region in regions or ("westeurope",)
    }
    return ImageVersion(**{"name": name, "home": "westeurope", "excluded": excluded, "regions": replicas, "tags": tags, **fields})


def asked(**fields: Any) -> Rollback:
    return Rollback.model_validate({"resource_group": "rg", "gallery": "g", "definition": "d", **fields})


def planned(*versions: ImageVersion, **fields: Any) -> RollbackPlan:
    return plan_rollback(asked(**fields), meant(asked(**fields), versions), versions)


def test_latest_is_what_was_promoted_last_if_only_to_a_first_wave() -> None:
    first_wave = version("3.0.0", "-westeurope", "eastus2")
    found = meant(asked(), [version("1.0.0"), first_wave, version("4.0.0", excluded=True), version("2.0.0", "westeurope", "eastus2")])
    assert [one.name for one in found] == ["3.0.0"]


def test_bad_versions_are_named_as_everywhere() -> None:
    versions = [version("1.0.0"), version("2.0.0"), version("3.0.0")]
    assert [one.name for one in meant(asked(versions="2.0.0,3.*"), versions)] == ["3.0.0", "2.0.0"]


def test_each_region_gets_the_newest_of_the_others_that_is_included_there() -> None:
    plan = planned(version("3.0.0", "westeurope", "eastus2"), version("2.0.0"), version("1.0.0", "westeurope", "eastus2"))
    assert plan.before == {"westeurope": "3.0.0", "eastus2": "3.0.0"}
    assert plan.after == {"westeurope": "2.0.0", "eastus2": "1.0.0"}
    assert (plan.bad, plan.done, plan.include, plan.problems) == (("3.0.0",), (), {}, ())


def test_a_region_of_which_nothing_bad_is_latest_keeps_what_it_has() -> None:
    plan = planned(version("3.0.0", "westeurope"), version("2.0.0", "westeurope", "eastus2"))
    assert plan.after == {"westeurope": "2.0.0", "eastus2": "2.0.0"}


def test_channels_go_back_to_where_they_were() -> None:
    channel = "image-factory-channel-"
    tags = {**PROMOTED, f"{channel}prod": "2026-03-01T00:00:00+00:00", f"{channel}dev": "2026-03-01T00:00:00+00:00"}
    before = {**PROMOTED, f"{channel}prod": "2026-02-01T00:00:00+00:00", f"{channel}test": "2026-02-01T00:00:00+00:00"}
    plan = planned(version("2.0.0", tags=tags), version("1.0.0", tags=before))
    assert plan.channels == {"prod": ("2.0.0", "1.0.0"), "dev": ("2.0.0", None)}


@pytest.mark.parametrize(
    ("bad", "done"),
    [
        (version("2.0.0", tags=OUT, excluded=True), True),
        (version("2.0.0", tags=PROMOTED, excluded=True), False),
        (version("2.0.0", "westeurope", "-eastus2", tags=OUT).model_copy(update={"excluded": True}), False),
        (version("2.0.0", "-westeurope", "-eastus2", tags=OUT), False),
        (version("2.0.0", tags={**OUT, "image-factory-channel-prod": "2026-03-01T00:00:00+00:00"}, excluded=True), False),
    ],
)
def test_a_version_is_out_when_every_flag_says_so_the_mark_is_on_it_and_no_channel(bad: ImageVersion, done: bool) -> None:
    plan = planned(bad, version("1.0.0", "westeurope", "eastus2"), versions="2.0.0")
    assert (plan.done, plan.bad) == ((("2.0.0",), ()) if done else ((), ("2.0.0",)))


EXCLUDED = version("1.0.0", excluded=True)


def test_where_nothing_else_is_left_it_is_refused_with_the_way_out() -> None:
    plan = planned(version("2.0.0"), EXCLUDED)
    (problem,) = plan.problems
    assert "In westeurope latest would find no other version. Version 1.0.0 is there and excluded" in problem
    assert (plan.include, plan.after) == ({}, {})


def test_the_newest_promoted_one_is_included_again_in_each_region_that_has_no_other_where_that_is_asked_for() -> None:
    versions = [
        version("4.0.0", "westeurope", "eastus2", "uksouth"),
        version("3.0.0", "uksouth", excluded=True),
        version("2.0.0", "westeurope", "eastus2", excluded=True),
        version("1.0.0", "westeurope", "eastus2", "uksouth", excluded=True),
    ]
    plan = planned(*versions, include_excluded=True)
    assert plan.include == {"2.0.0": ("eastus2", "westeurope"), "3.0.0": ("uksouth",)}
    assert plan.after == {"westeurope": "2.0.0", "eastus2": "2.0.0", "uksouth": "3.0.0"}
    assert plan.problems == ()


@pytest.mark.parametrize(
    "unfit",
    [
        EXCLUDED.model_copy(update={"tags": {}}),
        EXCLUDED.model_copy(update={"tags": OUT}),
        EXCLUDED.model_copy(update={"tags": {**PROMOTED, "image-factory-retired": "2026-02-01T00:00:00+00:00"}}),
        EXCLUDED.model_copy(update={"state": "Creating"}),
        EXCLUDED.model_copy(update={"state": "Deleting"}),
        version("1.0.0", excluded=True, replica="Failed"),
        version("1.0.0", excluded=True, replica="Unknown"),
        version("1.0.0", "eastus2", excluded=True),
    ],
)
def test_what_was_never_latest_or_is_not_usable_there_takes_no_ones_place(unfit: ImageVersion) -> None:
    (problem,) = planned(version("2.0.0"), unfit, include_excluded=True).problems
    assert "Bring an older version there first (backfill_regions), or promote a good one (promote_version)." in problem


def test_the_plan_says_what_each_region_and_channel_gets() -> None:
    tags = {**PROMOTED, "image-factory-channel-prod": "2026-03-01T00:00:00+00:00"}
    versions = [version("3.0.0", tags=tags), version("2.0.0", "eastus2", "uksouth"), version("4.0.0", tags=OUT, excluded=True)]
    wanted = asked(versions="3.0.0,4.0.0")
    lines = rollback_text(wanted, plan_rollback(wanted, meant(wanted, versions), versions), []).splitlines()
    assert lines[0] == "Roll back g/d (rg): 3.0.0"
    assert "  out of latest already: 4.0.0" in lines
    assert f"    {'eastus2':20} stays 2.0.0" in lines
    assert f"    {'westeurope':20} 3.0.0 -> NOTHING" in lines
    assert "  channel prod: 3.0.0 -> nowhere" in lines
    assert lines[-1].startswith("  refused: In westeurope")
    assert "already" not in rollback_text(asked(), planned(*versions), [])


def test_the_step_is_told_what_to_take_out_what_to_include_and_where_latest_must_resolve() -> None:
    wanted = asked(include_excluded=True, reason="it does not boot")
    versions = [version("2.0.0"), EXCLUDED]
    arguments = rollback_arguments(wanted, plan_rollback(wanted, meant(wanted, versions), versions), "2026-04-01T00:00:00+00:00")
    path = {"resource_group": "rg", "gallery": "g", "definition": "d"}
    assert arguments == {
        "roll_back": {
            **path,
            "versions": ["2.0.0"],
            "include": {"1.0.0": ["westeurope"]},
            "regions": ["westeurope"],
            "reason": "it does not boot",
            "since": "2026-04-01T00:00:00+00:00",
        },
        "report_versions": {**path, "rolled_back": ["2.0.0"]},
    }
