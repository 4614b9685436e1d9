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
        ({"state": "Creating"}, "it is Creating"),
        ({"westeurope": {"encrypted": True}}, "no encryption set is named for uksouth"),
    ],
)
def test_a_version_that_cannot_be_changed_is_left_out_with_the_reason(fields: dict[str, Any], reason: str) -> None:
    plan = planned(version("1.0.1", **fields), version("1.0.0"))
    assert reason in plan.left_out["1.0.1"]
    assert [one.version for one in plan.changes] == ["1.0.0"]


def test_a_shallow_version_of_which_no_region_is_missing_is_as_asked() -> None:
    plan = planned(version("1.0.1", "uksouth", mode="Shallow"), set_replica_count=True)
    assert (plan.right, plan.left_out, plan.changes) == (("1.0.1",), {}, ())


def test_only_the_regions_that_are_like_the_version_are_added() -> None:
    set_id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/diskEncryptionSets/e"
    encrypted = version("1.0.1", westeurope={"encrypted": True})
    plan = planned(encrypted, add=[{"name": "uksouth", "encryption_set": set_id}, {"name": "eastus2"}])
    assert [one.add for one in plan.changes] == [("uksouth",)]
    assert plan.left_out == {"1.0.1": "it is encrypted by the customer, and no encryption set is named for eastus2"}
    assert plan.right == ()


def test_a_version_has_a_hundred_regions_at_the_most() -> None:
    """Azure has fewer: they are made up."""
    regions = {f"region{number}": Replica(state="Completed") for number in range(99)}
    full = version("1.0.1").model_copy(update={"regions": {"westeurope": Replica(state="Completed"), **regions}})
    plan = planned(full)
    assert (plan.left_out, plan.changes) == ({"1.0.1": "it would have more than 100 regions"}, ())
    room = full.model_copy(update={"regions": dict(list(full.regions.items())[:99])})
    assert [one.add for one in planned(room).changes] == [("uksouth",)]
    swapped = full.model_copy(update={"regions": {**room.regions, "eastus2": Replica(state="Completed")}})
    assert [(one.add, one.remove) for one in planned(swapped, remove=["eastus2"]).changes] == [(("uksouth",), ("eastus2",))]


def test_a_region_that_is_added_again_is_no_longer_announced_as_removed() -> None:
    tags = {"image-factory-removed-uksouth": "then", "image-factory-removed-eastus2": "then"}
    (one,) = planned(version("1.0.1", tags=tags)).changes
    assert one.forget == {"image-factory-removed-uksouth": "then"}


def test_encryption_cannot_be_added_later() -> None:
    set_id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/diskEncryptionSets/e"
    plan = planned(version("1.0.1"), add=[{"name": "uksouth", "encryption_set": set_id}])
    assert "cannot be added later" in plan.left_out["1.0.1"]


def test_replica_counts_of_regions_that_are_there_are_set_only_when_asked() -> None:
    there = version("1.0.1", "uksouth")
    assert not planned(there).changes
    plan = planned(there, set_replica_count=True)
    assert plan.changes[0].replica_count == {"uksouth": 2}
    assert (plan.monthly, plan.added_gb, plan.removed_gb) == (1.5, 0, 0)
    assert not planned(version("1.0.1", "uksouth", uksouth={"replica_count": 2}), set_replica_count=True).changes


def test_a_storage_type_is_never_changed_and_that_is_said_where_counts_are_to_be_set() -> None:
    there, add = version("1.0.1", "uksouth"), [{"name": "uksouth", "storage_account_type": "Premium_LRS"}]
    assert planned(there, add=add).right == ("1.0.1",)
    assert planned(there, add=[{"name": "uksouth", "storage_account_type": "Standard_LRS"}], set_replica_count=True).right == ("1.0.1",)
    assert "uksouth is Standard_LRS and Azure never changes that" in planned(there, add=add, set_replica_count=True).left_out["1.0.1"]


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


def test_what_goes_is_taken_off_the_bill() -> None:
    there = version("1.0.1", "eastus2", eastus2={"replica_count": 3, "storage_account_type": "Premium_LRS"})
    plan = planned(there, remove=["eastus2"], set_replica_count=True)
    assert (plan.added_gb, plan.removed_gb) == (60, 90)
    assert (plan.monthly, plan.once) == (round(60 * 0.05 - 90 * 0.12, 2), 0.6)
    assert planned(version("1.0.1"), add=[{"name": "uksouth"}]).added_gb == 30


def test_a_plan_that_changes_nothing_says_what_is_as_asked() -> None:
    versions = [version(f"1.0.{number}", "uksouth") for number in range(9)]
    wanted = change()
    assert region_plan_text(wanted, plan_regions(wanted, versions, versions), []).splitlines() == [
        "Regions of g/d (rg), versions *",
        "",
        "  9 version(s) are as asked: 1.0.0, 1.0.1, 1.0.2, 1.0.3, 1.0.4, 1.0.5, 1.0.6, 1.0.7 and 1 more",
    ]
    eight = region_plan_text(wanted, plan_regions(wanted, versions[:8], versions), [])
    assert eight.endswith("1.0.6, 1.0.7")
    assert "as asked" not in region_plan_text(wanted, planned(version("1.0.1")), [])


def test_the_steps_are_told_what_to_change_and_what_to_look_at() -> None:
    wanted = change(at_once=3, timeout=900)
    versions = [version("1.0.2", "uksouth"), version("1.0.1"), version("1.0.0", state="Deleting")]
    arguments = arguments_of(wanted, plan_regions(wanted, versions, versions))
    path = {"resource_group": "rg", "gallery": "g", "definition": "d"}
    (region,) = arguments["change_regions"].pop("target_regions")
    assert (region["name"], region["replica_count"]) == ("uksouth", 2)
    assert arguments == {
        "change_regions": {**path, "versions": [{"version": "1.0.1", "add": ["uksouth"]}], "at_once": 3, "timeout": 900},
        "report_regions": {**path, "versions": ["1.0.1", "1.0.2"], "regions": ["uksouth"]},
    }


def test_a_version_of_which_another_region_failed_can_be_changed_and_is_still_the_one_that_people_get() -> None:
    regions = {"westeurope": Replica(state="Completed"), "eastus2": Replica(state="Failed")}
    hurt = version("1.0.2").model_copy(update={"state": "Failed", "regions": regions})
    plan = planned(hurt, version("1.0.1"))
    assert {one.version: one.excluded for one in plan.changes} == {"1.0.2": False, "1.0.1": True}


def test_every_region_but_the_home_can_be_asked_to_go_without_one_to_come() -> None:
    assert [one.remove for one in planned(version("1.0.1", "eastus2"), add=[], remove_others=True).changes] == [("eastus2",)]


def test_where_people_get_nothing_what_is_brought_to_a_region_is_excluded_there() -> None:
    assert [one.excluded for one in planned(version("1.0.1", excluded=True)).changes] == [True]


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
