"""The writes that planned steps make, worked out from their arguments."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import include.factory
from include.factory import calls
from include.factory.calls import World, calls_text, planned_calls
from include.factory.image_version import ImageVersion

PATH = {"resource_group": "g", "gallery": "images", "definition": "ubuntu"}
TAGS = "/versions/1.0.0/providers/Microsoft.Resources/tags/default"
DEFINITION = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/images/images/ubuntu"


def said(step: str, arguments: dict[str, Any], world: World | None = None) -> list[tuple[str, str, str]]:
    made = planned_calls({"task": arguments}, {"task": step}, world or World("s"))
    return [(call.method, call.path.removeprefix(DEFINITION), call.what) for call in made]


def retired(known: str | None) -> list[tuple[str, str, str]]:
    asked = {**PATH, "soft": True}
    world = World("s", retired_up_to={DEFINITION.lower(): known} if known else {})
    return said("retirement.retire", {"definitions": [{"asked": asked, "exclude": ["1.0.11"], "delete": ["1.0.2", "1.0.10"]}]}, world)


def test_the_definition_remembers_the_highest_number_before_it_is_deleted() -> None:
    tags = "/providers/Microsoft.Resources/tags/default"
    assert retired("1.0.9")[0] == ("PATCH", tags, "numbers up to 1.0.10 are never used again")
    assert retired(None)[0][:2] == ("PATCH", tags)
    assert [method for method, _, _ in retired("1.0.10")] == ["PATCH", "PATCH", "DELETE", "DELETE"]


def test_what_is_so_already_is_not_written_again() -> None:
    """A version that was never promoted is only marked; one that is in a channel leaves it first; one that is marked only goes out."""
    hidden = ImageVersion(name="1.0.11", home="westeurope", excluded=True)
    asked = {"definitions": [{"asked": {**PATH, "soft": True}, "exclude": ["1.0.11"], "delete": []}]}
    assert said("retirement.retire", asked, World("s").with_versions(PATH, [hidden])) == [
        ("PATCH", "/versions/1.0.11/providers/Microsoft.Resources/tags/default", "marked as retired")
    ]
    there = [
        ImageVersion(name="1.0.0", home="westeurope", tags={"image-factory-channel-prod": "2026-01-01T00:00:00+00:00"}),
        ImageVersion(name="2.0.0", home="westeurope", tags={"image-factory-rolled-back": "2026-01-01T00:00:00+00:00"}),
    ]
    back = {**PATH, "versions": ["1.0.0", "2.0.0"], "include": {}}
    assert said("rollback.roll_back", back, World("s").with_versions(PATH, there)) == [
        ("PATCH", TAGS, "out of its channels"),
        ("PATCH", TAGS, "marked as rolled back"),
        ("PATCH", "/versions/1.0.0", "out of latest everywhere"),
        ("PATCH", "/versions/2.0.0", "out of latest everywhere"),
    ]


def test_regions_are_added_in_one_update_and_removed_in_three_after_it() -> None:
    change = {"version": "1.0.0", "add": ["uksouth"], "remove": ["eastus2"], "replica_count": {"westeurope": 2}}
    assert said("regions.change", {**PATH, "versions": [change]}) == [
        ("PATCH", "/versions/1.0.0", "+uksouth (excluded from latest there) westeurope: 2 replicas"),
        ("PATCH", TAGS, "eastus2: the removal announced"),
        ("PATCH", "/versions/1.0.0", "deletion of regions allowed"),
        ("PATCH", "/versions/1.0.0", "-eastus2"),
        ("PATCH", "/versions/1.0.0", "deletion of regions forbidden"),
    ]


def test_a_promotion_is_an_update_for_each_wave_and_moves_channels_with_the_last() -> None:
    waves = {**PATH, "version": "1.0.0", "waves": [["a"], ["b", "c"]], "channels": ["prod"]}
    assert said("promotion.promote", {**waves, "lifts": {"image-factory-rolled-back": "then"}}) == [
        ("PATCH", TAGS, "the mark of the roll-back or retirement is taken off"),
        ("PATCH", "/versions/1.0.0", "latest in a"),
        ("PATCH", TAGS, ""),
        ("PATCH", "/versions/1.0.0", "latest in b, c; channel prod"),
        ("PATCH", TAGS, ""),
    ]
    assert [what for _, _, what in said("promotion.promote", {**waves, "waves": []})] == ["channel prod"]
    assert said("promotion.promote", {**waves, "waves": [], "channels": []}) == []


def test_calls_are_told_once_each_with_their_number() -> None:
    made = planned_calls({"a": {**PATH, "version": "1.0.0"}, "b": {**PATH, "version": "1.0.0"}, "c": None}, _PUBLISH, World("s"))
    assert calls_text(made) == (
        "  calls (2 PUT; more only where Azure fails one):\n    PUT    galleries/images/images/ubuntu/versions/1.0.0 in g (2 times)"
    )
    assert calls_text([]) == "  no call is made"


_PUBLISH = {"a": "image_version.publish", "b": "image_version.publish", "c": "image_version.publish"}


def test_every_step_of_every_plan_is_known() -> None:
    """Those that the modules of the domain name under their tasks."""
    named = set()
    for file in Path(include.factory.__path__[0]).glob("*.py"):
        named |= set(re.findall(r'": "([a-z_]+\.[a-z_]+)"', file.read_text()))
    assert len(named) > 20
    assert named <= set(calls._WRITES), named - set(calls._WRITES)
