"""Which versions may go: the rules one by one, and all of them against a model of their own."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.factory.image_version import ImageVersion, Replica
from include.factory.retirement import Retired, Uses, retirement_text, verdicts

NOW = datetime(2026, 11, 24, 7, tzinfo=UTC)
OWN = {"image-factory-run": "build_x/1", "image-factory-promoted": "2026-01-01T00:00:00+00:00"}


def asked(**rules: Any) -> Retired:
    rules = {"keep": 1, "older_than": "30d", "rollback": 0, "wait": "7d", **rules}
    return Retired.model_validate({"resource_group": "rg", "gallery": "g", "definition": "d", "rules": rules})


def version(name: str, age: float = 100, tags: dict[str, str] | None = None, **fields: Any) -> ImageVersion:
    regions = fields.pop("regions", {"westeurope": Replica(excluded=fields.get("excluded", False), state="Completed")})
    published = NOW - timedelta(days=age)
    return ImageVersion(
        **{"name": name, "home": "westeurope", "published": published, "tags": {**OWN, **(tags or {})}, "regions": regions, **fields}
    )


def retired(name: str, days: float, **fields: Any) -> ImageVersion:
    since = (NOW - timedelta(days=days)).isoformat(timespec="seconds")
    return version(name, excluded=True, tags={"image-factory-retired": since, **fields.pop("tags", {})}, **fields)


def judged(*versions: ImageVersion, uses: Uses | None = None, **rules: Any) -> dict[str, tuple[str, str]]:
    found = verdicts(asked(**rules), versions, uses or Uses(), NOW)
    return {one.version: (one.action, one.reason) for one in found}


TOP = version("9.0.0")


def test_an_old_version_goes_out_of_latest_first_then_waits_then_is_deleted() -> None:
    found = judged(TOP, version("1.0.3"), retired("1.0.2", 6.9), retired("1.0.1", 7.1))
    assert {name: action for name, (action, _) in found.items()} == {
        "9.0.0": "keep",
        "1.0.3": "exclude",
        "1.0.2": "wait",
        "1.0.1": "delete",
    }


def test_on_its_day_a_version_is_old_enough_and_has_waited_long_enough() -> None:
    found = judged(TOP, version("1.0.2", age=30), retired("1.0.1", 7))
    assert (found["1.0.2"][0], found["1.0.1"][0]) == ("exclude", "delete")


@pytest.mark.parametrize(("whole", "regions"), [(True, (False,)), (True, (True, False)), (False, (True, True))])
def test_one_that_somebody_included_again_is_excluded_again_and_waits_anew(whole: bool, regions: tuple[bool, ...]) -> None:
    replicas = {name: Replica(excluded=out, state="Completed") for name, out in zip(("westeurope", "eastus2"), regions, strict=False)}
    again = retired("1.0.1", 99, regions=replicas).model_copy(update={"excluded": whole})
    top = version("9.0.0", regions={name: Replica(state="Completed") for name in ("westeurope", "eastus2")})
    assert judged(top, again)["1.0.1"][0] == "exclude"


def test_a_version_that_was_rolled_back_takes_the_place_of_none_that_is_kept() -> None:
    bad = version("2.0.0", excluded=True, tags={"image-factory-rolled-back": "2026-02-01 it hangs"})
    found = judged(bad, version("1.0.1", excluded=True))
    assert (found["2.0.0"][0], found["1.0.1"]) == ("exclude", ("keep", "one of the 1 newest"))


def test_a_version_of_which_a_region_failed_goes_like_any_other() -> None:
    assert judged(TOP, version("1.0.1", state="Failed"))["1.0.1"][0] == "exclude"


def test_azure_lets_a_version_go_whose_blocked_life_is_over_and_none_whose_life_has_no_end() -> None:
    assert judged(TOP, retired("1.0.1", 99, block_deletion=True, end_of_life=NOW))["1.0.1"][0] == "delete"
    assert "until its end of life" in judged(TOP, retired("1.0.1", 99, block_deletion=True))["1.0.1"][1]


@pytest.mark.parametrize(
    ("kept", "because"),
    [
        (version("1.0.1", age=29), "young enough"),
        (version("1.0.1", tags={"image-factory-pinned": "audit 2026"}), r"pinned \(audit 2026\)"),
        (version("1.0.1", tags={"image-factory-channel-prod": "2026-11-01T00:00:00+00:00"}), "the head of channel prod"),
        (version("1.0.1", tags={"image-factory-restored": "2026-11-20T00:00:00+00:00"}), "young enough"),
        (version("1.0.1", state="Updating"), "it is Updating"),
        (ImageVersion(name="1.0.1", home="westeurope", published=NOW - timedelta(days=999)), "not made by the factory"),
        (retired("1.0.1", 99, block_deletion=True, end_of_life=NOW + timedelta(days=1)), "until its end of life"),
    ],
)
def test_what_is_kept_is_kept_for_a_reason_that_is_said(kept: ImageVersion, because: str) -> None:
    action, reason = judged(TOP, kept)["1.0.1"]
    assert action == "keep"
    assert re.search(because, reason)


def test_a_pin_that_says_false_is_none() -> None:
    assert judged(TOP, version("1.0.1", tags={"image-factory-pinned": "False"}))["1.0.1"][0] == "exclude"


def test_what_is_in_use_is_kept_and_its_users_are_named() -> None:
    uses = Uses(users={"1.0.1": ("machine a", "machine b", "machine c", "machine d")})
    assert judged(TOP, retired("1.0.1", 99), uses=uses)["1.0.1"] == ("keep", "in use by machine a, machine b, machine c and 1 more")


def test_three_users_are_named_and_none_counted() -> None:
    uses = Uses(users={"1.0.1": ("machine c", "machine b", "machine a")})
    assert judged(TOP, retired("1.0.1", 99), uses=uses)["1.0.1"] == ("keep", "in use by machine a, machine b, machine c")


def test_the_plan_says_what_becomes_of_each_version_and_what_that_saves() -> None:
    replicas = {"westeurope": Replica(replica_count=2, excluded=True), "eastus2": Replica(replica_count=1, excluded=True)}
    versions = [TOP, version("1.0.3"), retired("1.0.2", 1), retired("1.0.1", 9, regions=replicas, size_gb=30)]
    lines = retirement_text(asked(), verdicts(asked(), versions, Uses(), NOW), {one.name: one for one in versions}, []).splitlines()
    assert lines[0] == "Retire g/d (rg): older than 30 days, beyond the newest 1"
    said = [re.sub(": .*", "", line) for line in lines[1:5]]
    assert said == [
        f"    {'1.0.3':20} to go out of latest now",
        f"    {'1.0.2':20} out of latest, and waiting",
        f"    {'1.0.1':20} to be deleted now",
        f"    {'9.0.0':20} kept",
    ]
    assert lines[5].startswith("  replicas: 90 GB less, as provisioned; at most 4.50 USD a month less")
    nothing = retirement_text(asked(older_than=None), verdicts(asked(older_than=None), [TOP], Uses(), NOW), {"9.0.0": TOP}, [])
    assert nothing.startswith("Retire g/d (rg): past their end of life, beyond")
    assert "replicas" not in nothing


def test_a_parent_with_living_children_goes_only_by_a_word() -> None:
    uses = Uses(children={"1.0.1": ("app/1.0.0",)})
    assert judged(TOP, version("1.0.1"), uses=uses)["1.0.1"] == ("keep", "the parent of app/1.0.0")
    by_word = verdicts(asked().model_copy(update={"parents_too": True}), [TOP, version("1.0.1")], uses, NOW)
    assert by_word[1].action == "exclude"


def test_latest_and_what_it_can_go_back_to_are_kept_region_by_region() -> None:
    """The regional flag wins, a version that failed in a region does not hold it, and one that is not there neither."""
    here = Replica(state="Completed")
    third = version("1.0.3", regions={"westeurope": here, "uksouth": Replica(state="Failed")}, state="Failed")
    second = version("1.0.2", regions={"westeurope": here, "uksouth": Replica(excluded=True, state="Completed")})
    first = version("1.0.1", regions={"westeurope": here, "uksouth": here})
    found = judged(third, second, first, version("1.0.0"), rollback=0)
    assert found["1.0.3"][0] == "keep"
    assert found["1.0.2"] == ("keep", "the last good version")
    assert found["1.0.1"] == ("keep", "latest in uksouth")
    assert judged(third, second, first, version("1.0.0"), rollback=3)["1.0.0"] == ("keep", "a version to go back to in westeurope")


def test_an_ended_life_makes_a_young_version_due_and_without_an_age_it_alone_does() -> None:
    ended = version("1.0.1", age=1, end_of_life=NOW - timedelta(hours=1))
    assert judged(TOP, ended)["1.0.1"][0] == "exclude"
    assert judged(TOP, ended, version("1.0.0", age=999), older_than=None)["1.0.1"][0] == "exclude"
    assert judged(TOP, ended, version("1.0.0", age=999), older_than=None)["1.0.0"] == ("keep", "young enough")


def test_a_version_that_was_never_promoted_counts_for_nothing_and_goes_by_age() -> None:
    unpromoted = ImageVersion(
        name="9.9.9", home="westeurope", published=NOW - timedelta(days=99), excluded=True, tags={"image-factory-run": "build_x/2"}
    )
    assert judged(unpromoted, TOP)["9.9.9"][0] == "exclude"


# Everything at once, against rules that are written down a second time, in another shape: a set of names is taken away for each rule.

DAYS = st.integers(0, 120)
REGIONS = ("westeurope", "eastus2", "uksouth")


@st.composite
def one_version(draw: st.DrawFn, number: int) -> ImageVersion:
    excluded = draw(st.booleans())
    regions = {
        name: Replica(
            excluded=draw(st.booleans()) if draw(st.integers(0, 3)) == 0 else excluded,
            state=draw(st.sampled_from(["Completed"] * 5 + ["Failed", "Replicating"])),
        )
        for name in REGIONS
        if name == "westeurope" or draw(st.booleans())
    }
    tags: dict[str, str] = {}
    for name, value, one_in in (
        ("image-factory-run", "build/1", 0),
        ("image-factory-promoted", "2026-01-01T00:00:00+00:00", 0),
    ):
        tags |= {name: value} if draw(st.integers(0, 7)) > one_in else {}
    for name in ("image-factory-pinned", "image-factory-rolled-back"):
        tags |= {name: "yes"} if draw(st.integers(0, 15)) == 0 else {}
    for channel in ("dev", "prod"):
        since = NOW - timedelta(days=draw(DAYS))
        tags |= {f"image-factory-channel-{channel}": since.isoformat()} if draw(st.integers(0, 15)) == 0 else {}
    if draw(st.booleans()):
        tags["image-factory-retired"] = (NOW - timedelta(days=draw(st.integers(0, 14)))).isoformat()
    return ImageVersion(
        name=f"1.0.{number}",
        home="westeurope",
        published=NOW - timedelta(days=draw(DAYS)),
        state=draw(st.sampled_from(["Succeeded"] * 8 + ["Failed", "Updating"])),
        excluded=excluded,
        block_deletion=draw(st.integers(0, 9)) == 0,
        end_of_life=draw(st.sampled_from([None, NOW - timedelta(days=1), NOW + timedelta(days=9)])),
        regions=regions,
        tags=tags,
    )


@st.composite
def galleries(draw: st.DrawFn) -> tuple[list[ImageVersion], Uses, Retired]:
    count = draw(st.integers(1, 12))
    versions = [draw(one_version(number)) for number in range(count)]
    names = [version.name for version in versions]
    uses = Uses(
        users=dict.fromkeys(draw(st.sets(st.sampled_from(names), max_size=3)), ("machine m",)),
        children=dict.fromkeys(draw(st.sets(st.sampled_from(names), max_size=2)), ("child/1",)),
    )
    rules = {
        "keep": draw(st.integers(1, 4)),
        "older_than": draw(st.sampled_from([None, "30d", "60d", "0d"])),
        "rollback": draw(st.integers(0, 2)),
        "wait": draw(st.sampled_from(["0d", "7d"])),
    }
    return versions, uses, asked(**rules).model_copy(update={"parents_too": draw(st.booleans())})


def model_of_deletion(versions: list[ImageVersion], uses: Uses, asked: Retired) -> set[str]:
    """The names that may be deleted now."""
    rules = asked.rules
    by_number = sorted(versions, key=lambda version: [int(part) for part in version.name.split(".")])
    may = {v.name for v in versions if "image-factory-run" in v.tags and v.state in ("Succeeded", "Failed")}
    worthy = [v.name for v in by_number if "image-factory-promoted" in v.tags and "image-factory-rolled-back" not in v.tags]
    may -= set(worthy[-rules.keep :])
    may -= set([name for name in worthy if next(v for v in versions if v.name == name).state == "Succeeded"][-1:])
    for region in REGIONS:
        seen = [
            v.name for v in by_number if region in v.regions and not v.regions[region].excluded and v.regions[region].state == "Completed"
        ]
        may -= set(seen[-(rules.rollback + 1) :])
    for channel in ("image-factory-channel-dev", "image-factory-channel-prod"):
        holders = [v for v in by_number if channel in v.tags and "image-factory-rolled-back" not in v.tags]
        may -= {max(reversed(holders), key=lambda v: v.tags[channel]).name} if holders else set()
    may -= {v.name for v in versions if "image-factory-pinned" in v.tags}
    may -= set(uses.users)
    may -= set() if asked.parents_too else set(uses.children)
    may -= {v.name for v in versions if v.block_deletion and not (v.end_of_life and v.end_of_life <= NOW)}
    for v in versions:
        assert v.published is not None
        old = rules.older_than is not None and NOW - v.published >= timedelta(seconds=rules.older_than)
        ended = v.end_of_life is not None and v.end_of_life <= NOW
        hidden = v.excluded and all(replica.excluded for replica in v.regions.values())
        out = hidden and "image-factory-retired" in v.tags
        waited = out and NOW - datetime.fromisoformat(v.tags["image-factory-retired"]) >= timedelta(seconds=rules.wait)
        if not ((old or ended) and waited):
            may.discard(v.name)
    return may


@settings(max_examples=600, deadline=None)
@given(galleries())
def test_exactly_those_are_deleted_that_the_model_deletes(case: tuple[list[ImageVersion], Uses, Retired]) -> None:
    versions, uses, asked_for = case
    found = verdicts(asked_for, versions, uses, NOW)
    assert {one.version for one in found if one.action == "delete"} == model_of_deletion(versions, uses, asked_for)
    assert {one.version for one in found} == {version.name for version in versions}
