"""What a promotion changes, in which order, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from include.factory.image_version import ImageVersion, Replica
from include.factory.promotion import Promotion, PromotionPlan, plan_promotion, promotion_arguments, promotion_text

PROMOTED = {"image-factory-promoted": "2026-01-01T00:00:00+00:00"}
REGIONS = ("westeurope", "eastus2", "uksouth")


def version(name: str, *regions: str, excluded: bool = False, state: str = "Succeeded", **fields: Any) -> ImageVersion:
    replicas = {region: Replica(excluded=excluded, state="Completed") for region in regions or REGIONS}
    return ImageVersion(**{"name": name, "home": "westeurope", "excluded": excluded, "state": state, "regions": replicas, **fields})


OLD = version("1.0.0", tags=PROMOTED)
NEW = version("2.0.0", excluded=True)


def asked(**fields: Any) -> Promotion:
    return Promotion.model_validate({"resource_group": "rg", "gallery": "g", "definition": "d", **fields})


def planned(one: ImageVersion | None = NEW, others: tuple[ImageVersion, ...] = (OLD,), **fields: Any) -> PromotionPlan:
    return plan_promotion(asked(**fields), one, [*others, *([one] if one else [])])


def test_by_default_all_regions_get_it_at_once() -> None:
    plan = planned()
    assert plan.waves == (REGIONS,)
    assert plan.before == dict.fromkeys(sorted(REGIONS), "1.0.0")
    assert plan.after == dict.fromkeys(sorted(REGIONS), "2.0.0")
    assert (plan.problems, plan.is_empty) == ((), False)


def test_a_region_comes_in_the_first_wave_that_names_it_and_those_that_none_names_come_last() -> None:
    assert planned(waves=["uksouth, eastus2, ", ["uksouth"]]).waves == (("uksouth", "eastus2"), ("westeurope",))
    assert planned(waves=[["uksouth"], ["eastus2", "westeurope"]]).waves == (("uksouth",), ("eastus2", "westeurope"))


@pytest.mark.parametrize(
    ("one", "left"),
    [
        (version("2.0.0", tags=PROMOTED), False),
        (version("2.0.0"), True),
        (version("2.0.0", tags=PROMOTED).model_copy(update={"excluded": True}), True),
        (version("2.0.0", tags=PROMOTED, regions={"westeurope": Replica(state="Completed"), "eastus2": Replica(excluded=True)}), True),
    ],
)
def test_what_is_promoted_and_included_everywhere_needs_no_wave(one: ImageVersion, left: bool) -> None:
    assert bool(planned(one).waves) is left


def test_a_higher_version_stays_latest_where_it_is_included() -> None:
    plan = planned(NEW, (OLD, version("3.0.0", "eastus2", tags=PROMOTED)))
    assert plan.after == {"eastus2": "3.0.0", "uksouth": "2.0.0", "westeurope": "2.0.0"}
    assert f"    {'eastus2':20} stays 3.0.0 (a higher version is included there" in promotion_text(asked(), plan, [])


def test_a_region_that_had_none_gets_it() -> None:
    plan = planned(NEW, ())
    assert (plan.before, plan.after) == ({}, dict.fromkeys(sorted(REGIONS), "2.0.0"))
    assert f"    {'uksouth':20} none -> 2.0.0" in promotion_text(asked(), plan, []).splitlines()


def test_without_latest_only_channels_move_and_only_those_that_are_elsewhere() -> None:
    since = "2026-02-01T00:00:00+00:00"
    new = NEW.model_copy(update={"tags": {"image-factory-channel-test": since}})
    old = OLD.model_copy(update={"tags": {**PROMOTED, "image-factory-channel-prod": since}})
    plan = planned(new, (old,), latest=False, channels=["prod", "test", "dev", "prod"])
    assert (plan.waves, plan.channels, plan.problems) == ((), ("prod", "dev"), ())
    assert plan.heads == {"prod": "1.0.0", "test": "2.0.0"}
    assert plan.after == plan.before == dict.fromkeys(sorted(REGIONS), "1.0.0")
    assert not plan.is_empty
    assert planned(new, (old,), latest=False, channels=["test"]).is_empty
    text = promotion_text(asked(latest=False, channels=["prod", "dev"]), plan, [])
    assert "  channel prod: 1.0.0 -> 2.0.0" in text
    assert "  channel dev: nowhere -> 2.0.0" in text
    assert "latest:" not in text


MARKS = {"image-factory-rolled-back": "2026-02-01 it hangs", "image-factory-retired": "2026-03-01"}


def test_the_marks_that_are_on_it_are_named_to_be_lifted() -> None:
    assert planned(NEW.model_copy(update={"tags": {**PROMOTED, **MARKS}}), rolled_back_too=True).lifts == MARKS


def test_one_that_was_rolled_back_is_promoted_where_that_is_asked_for() -> None:
    assert planned(NEW.model_copy(update={"tags": {**PROMOTED, **MARKS}}), rolled_back_too=True).problems == ()


@pytest.mark.parametrize(
    ("one", "fields", "said"),
    [
        (None, {"version": "7.0.0"}, "There is no version 7.0.0. The newest are: 1.0.0."),
        (NEW.model_copy(update={"state": "Failed"}), {}, "Version 2.0.0 is Failed"),
        (NEW.model_copy(update={"regions": {"eastus2": Replica(state="Failed")}}), {}, "is not Completed in eastus2 (Failed)"),
        (NEW.model_copy(update={"tags": MARKS}), {}, "was rolled back (2026-02-01 it hangs)"),
        (NEW, {"waves": [["eastus2", "japaneast"]]}, "is not in japaneast; it is in westeurope, eastus2, uksouth"),
        (NEW, {"latest": False}, "Neither latest nor a channel is asked for"),
    ],
)
def test_what_is_in_the_way_is_said(one: ImageVersion | None, fields: dict[str, Any], said: str) -> None:
    (problem,) = planned(one, **fields).problems
    assert said in problem


def test_the_three_newest_are_named_where_there_is_no_such_version() -> None:
    others = tuple(version(f"{number}.0.0") for number in (2, 10, 1, 9))
    assert "The newest are: 10.0.0, 9.0.0, 2.0.0." in planned(None, others, version="7.0.0").problems[0]
    assert "The newest are: there is none." in planned(None, (), version="7.0.0").problems[0]


def test_the_plan_says_when_each_wave_comes_and_what_is_booted_between() -> None:
    wanted = asked(waves=["eastus2"], pause=30, boot=True)
    lines = promotion_text(wanted, plan_promotion(wanted, NEW, [OLD, NEW]), []).splitlines()
    assert lines[0] == "Promote g/d 2.0.0 (rg)"
    assert lines[2:5] == [
        "  wave 1 of 2: eastus2",
        "    then a machine of latest is booted in eastus2, tried and deleted",
        "  wave 2 of 2, 30 min after the one before: westeurope, uksouth",
    ]
    assert f"    {'eastus2':20} 1.0.0 -> 2.0.0" in lines
    assert len([line for line in lines if "booted" in line]) == 1
    unbooted = promotion_text(asked(waves=["eastus2"]), plan_promotion(wanted, NEW, [OLD, NEW]), [])
    assert "booted" not in unbooted


def test_the_step_is_told_all_of_it() -> None:
    wanted = asked(waves=["eastus2"], channels=["prod"], pause=30, check=False)
    plan = plan_promotion(wanted, NEW, [OLD, NEW])
    path = {"resource_group": "rg", "gallery": "g", "definition": "d"}
    told = {
        **path,
        "version": "2.0.0",
        "waves": [["eastus2"], ["westeurope", "uksouth"]],
        "channels": ["prod"],
        "since": "then",
        "pause": 1800,
        "check": False,
        "lifts": {},
    }
    assert promotion_arguments(wanted, plan, "then") == {"promote_version": told, "report_promotion": path}
    assert promotion_arguments(wanted, plan, "then", [{"boot": {}}])["promote_version"] == {**told, "boots": [{"boot": {}}]}
