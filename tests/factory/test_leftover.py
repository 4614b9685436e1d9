"""What of a run's leftovers may go, and what stays and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.factory.leftover import KEEP, Leftover, SweepForm, plan_sweep, read_leftover, sweep_text

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
RG = "/subscriptions/s/resourceGroups/image-build-ubuntu-1"
TAGS = {"image-factory-run": "build_ubuntu/1", "image-factory-expires": "2026-11-22T12:00:00Z"}


def listed(**changes: Any) -> dict[str, Any]:
    return {"id": RG, "tags": TAGS, **changes}


def leftover(**changes: Any) -> Leftover:
    found = read_leftover(listed())
    assert found is not None
    return found.model_copy(update=changes)


def reason(one: Leftover, at: datetime = AT) -> str | None:
    return plan_sweep([one], at, SweepForm()).stay.get(one.id)


@pytest.mark.parametrize("missing", ["image-factory-run", "image-factory-expires"])
def test_what_lacks_one_of_the_two_tags_is_nobodys_leftover(missing: str) -> None:
    assert read_leftover(listed(tags={name: value for name, value in TAGS.items() if name != missing})) is None


@pytest.mark.parametrize("expires", ["", "soon", "2026-11-22T12:00:00"])
def test_an_expiry_that_is_no_time_is_never_acted_on(expires: str) -> None:
    assert read_leftover(listed(tags={**TAGS, "image-factory-expires": expires})) is None


def test_what_azure_lists_says_whose_it_is_who_keeps_it_and_when_it_changed() -> None:
    tags = {**TAGS, "image-factory-recipe": "ubuntu", "image-factory-owner": "platform", KEEP: "a look"}
    found = read_leftover(listed(tags=tags, changedTime="2026-11-22T11:00:00Z"))
    assert found is not None
    assert (found.recipe, found.owner, found.kept, found.changed) == ("ubuntu", "platform", "a look", AT - timedelta(hours=25))


def test_what_has_expired_goes() -> None:
    assert [one.id for one in plan_sweep([leftover()], AT, SweepForm()).sweep] == [RG]


def test_what_has_not_expired_stays_and_says_until_when() -> None:
    assert reason(leftover(), AT - timedelta(days=2)) == "expires at 2026-11-22 12:00 UTC"


def test_what_changed_lately_is_in_use() -> None:
    assert "in use" in str(reason(leftover(changed=AT - timedelta(hours=1))))
    assert reason(leftover(changed=AT - timedelta(hours=7))) is None


def test_the_keep_tag_holds_until_the_hard_cap_and_no_longer() -> None:
    kept = leftover(kept="looking at sysprep")
    assert reason(kept) == f"kept by its tag {KEEP} (looking at sysprep), until 2026-12-06 at most"
    assert reason(kept, AT + timedelta(days=13)) is None


def test_a_lock_holds_for_ever() -> None:
    assert "locked by audit" in str(reason(leftover(locks=("audit",)), AT + timedelta(days=400)))


def test_a_kind_that_no_run_makes_stays() -> None:
    assert "nothing that a run makes" in str(reason(leftover(type="Microsoft.Sql/servers")))


def test_what_cannot_be_swept_stays_with_the_reason_and_delays_no_other() -> None:
    found = [leftover(id=f"{RG}0"), leftover(id=f"{RG}1"), leftover(id=f"{RG}2", kept="a look")]
    made = plan_sweep(found, AT, SweepForm()).without({f"{RG}0": "no right to delete it"})
    assert [one.id for one in made.sweep] == [f"{RG}1"]
    assert (list(made.stay), made.stay[f"{RG}0"]) == ([f"{RG}2", f"{RG}0"], "no right to delete it")


def test_the_plan_says_of_each_whether_it_goes_or_why_it_stays() -> None:
    found = [leftover(), leftover(id=f"{RG}2", kept="a look")]
    assert sweep_text(plan_sweep(found, AT, SweepForm())).splitlines() == [
        "Leftovers of runs:",
        f"  goes   {RG} (run build_ubuntu/1, expired 2026-11-22 12:00 UTC)",
        f"  stays  {RG}2: kept by its tag {KEEP} (a look), until 2026-12-06 at most",
    ]
    assert sweep_text(plan_sweep([], AT, SweepForm())) == "Leftovers of runs:\n  none"


def test_what_uses_another_goes_before_it() -> None:
    kinds = ["Microsoft.Compute/disks", "Microsoft.Network/networkInterfaces", "Microsoft.Compute/virtualMachines"]
    made = plan_sweep([leftover(id=f"{RG}/providers/{kind}/x", type=kind) for kind in kinds], AT, SweepForm())
    assert [one.type for one in made.sweep] == [kinds[2], kinds[1], kinds[0]]
