"""The plan of regions for many versions."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from include.factory.calls import World, planned_calls
from include.factory.image_version import ImageVersion, Replica, latest_in
from include.factory.region_change import STEPS, RegionChange, RegionPlan, arguments_of, plan_regions, region_plan_text


def version(name: str, *regions: str, **fields: Any) -> ImageVersion:
    states = {region: Replica(**{"state": "Completed", **fields.pop(region, {})}) for region in ("westeurope", *regions)}
    return ImageVersion(**{"name": name, "home": "westeurope", "size_gb": 30, "regions": states, **fields})


def change(**fields: Any) -> RegionChange:
    return RegionChange.model_validate(
        {
            "resource_group": "rg",
            "gallery": "g",
            "definition": "d",
            "versions": "*",
            "add": [{"name": "uksouth", "replica_count": 2}],
            **fields,
        }
    )


def planned(*versions: ImageVersion, **fields: Any) -> RegionPlan:
    return plan_regions(change(**fields), versions, versions)


def test_only_versions_that_lack_the_region_are_changed() -> None:
    plan = planned(version("1.0.2", "uksouth"), version("1.0.1"))
    assert [one.version for one in plan.changes] == ["1.0.1"]
    assert plan.right == ("1.0.2",)


def test_an_old_version_is_excluded_from_latest_in_its_new_region_and_the_newest_is_not() -> None:
    newest, old, unpromoted = version("1.0.2"), version("1.0.1"), version("1.0.3", excluded=True)
    plan = planned(unpromoted, newest, old)
    assert {one.version: one.excluded for one in plan.changes} == {"1.0.3": True, "1.0.2": False, "1.0.1": True}


def test_the_home_region_is_never_removed() -> None:
    plan = planned(version("1.0.1", "eastus2"), add=[], remove=["westeurope", "eastus2"])
    assert [one.remove for one in plan.changes] == [("eastus2",)]
    assert "home region westeurope is never removed" in plan.left_out["1.0.1"]


def test_everything_else_may_be_removed_but_the_home_region() -> None:
    plan = planned(version("1.0.1", "eastus2", "uksouth"), remove_others=True)
    assert [one.remove for one in plan.changes] == [("eastus2",)]
    assert not plan.left_out


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"mode": "Shallow"}, "Shallow"),
        ({"state": "Failed", "westeurope": {"state": "Failed"}}, "it is Failed in its home region"),
        ({"state": "Deleting"}, "it is Deleting"),
        ({"westeurope": {"encrypted": True}}, "no encryption set is named for uksouth"),
    ],
)
def test_a_version_that_cannot_be_changed_is_left_out_with_the_reason(fields: dict[str, Any], reason: str) -> None:
    plan = planned(version("1.0.1", **fields), version("1.0.0"))
    assert reason in plan.left_out["1.0.1"]
    assert [one.version for one in plan.changes] == ["1.0.0"]


def test_encryption_cannot_be_added_later() -> None:
    set_id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/diskEncryptionSets/e"
    plan = planned(version("1.0.1"), add=[{"name": "uksouth", "encryption_set": set_id}])
    assert "cannot be added later" in plan.left_out["1.0.1"]


def test_replica_counts_of_regions_that_are_there_are_set_only_when_asked() -> None:
    there = version("1.0.1", "uksouth")
    assert not planned(there).changes
    assert planned(there, set_replica_count=True).changes[0].replica_count == {"uksouth": 2}


def test_a_failed_region_is_repaired() -> None:
    broken = version("1.0.1").model_copy(update={"regions": {"westeurope": Replica(), "uksouth": Replica(state="Failed")}})
    assert planned(broken).changes[0].repair == ("uksouth",)


def test_the_bill_is_told_before() -> None:
    plan = planned(version("1.0.1"), version("1.0.0"))
    assert (plan.added_gb, plan.removed_gb) == (120, 0)
    assert (plan.monthly, plan.once) == (6.0, 1.2)
    calls = planned_calls(arguments_of(change(), plan), STEPS, World("s"))
    text = region_plan_text(change(), plan, calls)
    assert "1.0.1" in text
    assert "+uksouth" in text
    assert "120 GB more" in text


def test_a_version_of_which_another_region_failed_can_be_changed_and_is_still_the_one_that_people_get() -> None:
    regions = {"westeurope": Replica(state="Completed"), "eastus2": Replica(state="Failed")}
    hurt = version("1.0.2").model_copy(update={"state": "Failed", "regions": regions})
    plan = planned(hurt, version("1.0.1"))
    assert {one.version: one.excluded for one in plan.changes} == {"1.0.2": False, "1.0.1": True}


def test_the_oldest_come_first_when_asked() -> None:
    plan = planned(version("1.0.1"), version("1.0.0"), order="oldest first")
    assert [one.version for one in plan.changes] == ["1.0.0", "1.0.1"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"add": []}, "no region is named"),
        ({"remove": ["uksouth"]}, "cannot be added and removed"),
        ({"add": [{"name": "uksuoth"}]}, "Did you mean uksouth"),
        ({"at_once": 0}, "at_once"),
        ({"versions": " "}, "no version is named"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_cure(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        change(**fields)


def test_the_regional_flag_decides_what_latest_is() -> None:
    hidden = version("1.0.2", westeurope={"excluded": True})
    assert latest_in([hidden, version("1.0.1")], "westeurope") == version("1.0.1")
