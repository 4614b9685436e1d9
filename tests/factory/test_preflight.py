"""What stands in the way of a run, compared with what Azure offers; nothing is asked of Azure here."""

from __future__ import annotations

from typing import Any

import pytest

from include.factory.calls import Call
from include.factory.preflight import MachineNeeds, Needs, Offer, Permission, Purchase, find, needs_of_build, needs_of_calls
from include.factory.publish import TargetRegion
from tests.factory.builds import SUBSCRIPTION, recipe

FIRST = {"family": "standardDSv5Family", "vcpus": 2, "generations": ("V1", "V2"), "zones": ("1", "2", "3")}
SECOND = {"family": "standardDASv5Family", "vcpus": 2, "generations": ("V1", "V2"), "zones": ("1", "2", "3")}


def needs(**changes: Any) -> Needs:
    machine = {
        "region": "eastus2",
        "sizes": ("Standard_D2s_v5", "Standard_D2as_v5"),
        "generation": "V2",
        "security_type": "Standard",
        "architecture": "x64",
        **changes.pop("machine", {}),
    }
    return Needs(machine=MachineNeeds(**machine), **changes)


def offer(**changes: Any) -> Offer:
    sizes = {"standard_d2s_v5": {**FIRST, **changes.pop("first", {})}, "standard_d2as_v5": {**SECOND, **changes.pop("second", {})}}
    return Offer.model_validate({"locations": ["eastus2", "westeurope"], "sizes": sizes, **changes})


def problems(needs: Needs, offer: Offer) -> str:
    return "\n".join(find(needs, offer).problems)


def test_nothing_is_in_the_way_of_what_azure_offers() -> None:
    found = find(needs(regions=(TargetRegion(name="westeurope"),)), offer())
    assert (found.problems, found.waiting) == ((), ())


def test_one_size_that_can_be_used_is_enough() -> None:
    assert find(needs(), offer(first={"closed": True})).problems == ()


@pytest.mark.parametrize(
    ("machine", "size", "words"),
    [
        ({}, {"closed": True}, "is not open to the subscription there"),
        ({"zone": "3"}, {"zones": ("1", "2")}, "is not offered in zone 3"),
        ({"zone": "3"}, {"closed_zones": ("3",)}, "is not open to the subscription in zone 3"),
        ({}, {"generations": ("V1",)}, "makes machines of generation V1, not V2"),
        ({"architecture": "Arm64"}, {}, "is x64, not Arm64"),
        ({"security_type": "TrustedLaunch"}, {"trusted_launch": False}, "makes no TrustedLaunch machines"),
        ({"security_type": "ConfidentialVM"}, {}, "makes no confidential machines"),
        ({"spot": True}, {"spot": False}, "is not sold as spot"),
    ],
)
def test_a_size_that_does_not_fit_is_named_with_the_reason(machine: dict[str, Any], size: dict[str, Any], words: str) -> None:
    said = problems(needs(machine=machine), offer(first=size, second=size))
    assert f"Standard_D2s_v5 {words}" in said
    assert f"Standard_D2as_v5 {words}" in said
    assert "az vm list-skus" in said


def test_a_size_that_the_region_does_not_have_is_named() -> None:
    assert "Standard_Q1 is not offered there" in problems(needs(machine={"sizes": ("Standard_Q1",)}), offer())


def test_quota_that_running_machines_use_is_waited_for() -> None:
    found = find(needs(), offer(usages={"cores": {"used": 99, "limit": 100}}))
    assert found.problems == ()
    assert "99 of 100 cores used" in found.waiting[0]


def test_quota_that_is_too_small_for_any_machine_is_a_problem() -> None:
    small = {"standardDSv5Family": {"used": 0, "limit": 0}, "standardDASv5Family": {"used": 0, "limit": 1}}
    assert "2 vCPUs needed, 0 of 1 standardDASv5Family used" in problems(needs(), offer(usages=small))


def test_a_spot_machine_needs_spot_quota_only() -> None:
    usages = {"cores": {"used": 100, "limit": 100}, "lowPriorityCores": {"used": 0, "limit": 10}}
    assert find(needs(machine={"spot": True}), offer(usages=usages)).waiting == ()


@pytest.mark.parametrize(
    ("urn", "which"),
    [("resf:rocky:9-base:9.4.1", "--urn resf:rocky:9-base:9.4.1"), (None, "--publisher resf --offer rocky --plan 9-base")],
)
def test_terms_that_are_not_accepted_are_named_with_the_command_that_accepts_them(urn: str | None, which: str) -> None:
    purchase = Purchase.of({"publisher": "resf", "product": "rocky", "name": "9-base"}, "1234", urn)
    said = problems(needs(purchase=purchase), offer(accepted=False))
    assert "purchase plan resf:rocky:9-base, whose terms the subscription has not accepted" in said
    assert f"`az vm image terms accept {which} --subscription 1234`" in said
    assert problems(needs(purchase=purchase), offer(accepted=True)) == ""
    assert problems(needs(purchase=purchase), offer(accepted=None)) == ""


def test_what_has_no_plan_is_not_sold() -> None:
    assert Purchase.of(None, "1234") is None


def test_a_region_that_the_subscription_may_not_use_is_named_with_the_nearest_that_it_may() -> None:
    said = problems(needs(regions=(TargetRegion(name="westeurope"), TargetRegion(name="eastus"))), offer())
    assert "may not use the region eastus." in said
    assert "eastus2" in said
    assert "westeurope" not in said


def test_storage_that_a_region_does_not_have_is_named_with_what_it_has() -> None:
    region = TargetRegion(name="westeurope", storage_account_type="Standard_ZRS")
    said = problems(needs(regions=(region,)), offer(storage={"westeurope": ["Standard_LRS", "Premium_LRS"]}))
    assert said == "westeurope has no Standard_ZRS storage for replicas, only Premium_LRS, Standard_LRS. Choose one of these."


@pytest.mark.parametrize(("where", "words"), [(None, "does not exist"), ("eastus2", "is in eastus2, and westeurope needs one of its own")])
def test_an_encryption_set_that_is_missing_or_elsewhere_is_named(where: str | None, words: str) -> None:
    set_id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/diskEncryptionSets/west"
    region = TargetRegion(name="westeurope", encryption_set=set_id)
    assert words in problems(needs(regions=(region,)), offer(encryption_sets={set_id: where}))


def test_rights_are_those_of_all_roles_together_without_what_each_takes_out() -> None:
    held = (
        Permission(actions=("Microsoft.Compute/*",), not_actions=("Microsoft.Compute/galleries/*",)),
        Permission(actions=("*/read",)),
    )
    wanted = {
        "/subscriptions/s": ("Microsoft.Compute/virtualMachines/write", "Microsoft.Compute/galleries/write", "Microsoft.Network/x/read")
    }
    said = problems(needs(rights=wanted), offer(permissions={"/subscriptions/s": held}))
    assert "may not do Microsoft.Compute/galleries/write at /subscriptions/s" in said


def test_rights_that_nobody_tells_are_found_out_on_the_way() -> None:
    assert (
        problems(needs(rights={"/subscriptions/s": ("Microsoft.Compute/disks/write",)}), offer(permissions={"/subscriptions/s": None}))
        == ""
    )


def test_a_build_into_an_existing_subnet_needs_to_join_it_and_not_to_make_networks() -> None:
    subnet = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
    build = needs_of_build(recipe(build={"region": "eastus2", "subnet": subnet}), (), SUBSCRIPTION)
    assert build.rights[subnet] == ("Microsoft.Network/virtualNetworks/subnets/join/action",)
    assert "Microsoft.Network/virtualNetworks/write" not in build.rights[f"/subscriptions/{SUBSCRIPTION}"]


def test_the_rights_to_writes_are_asked_for_at_what_stands_by_itself_in_a_group() -> None:
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
    gallery = f"{group}/providers/Microsoft.Compute/galleries/g"
    calls = [
        f"PUT {group}",
        f"PUT {gallery}",
        f"POST {gallery}/share",
        f"PATCH {gallery}/images/d",
        f"DELETE {gallery}/images/d/versions/1.0.0",
        f"DELETE {gallery}/images/d/versions/2.0.0",
        f"PUT {gallery}/images/d/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001",
    ]
    made = [Call.model_validate({"method": method, "path": path}) for method, path in map(str.split, calls)]
    assert needs_of_calls(made).rights == {
        group: ("Microsoft.Resources/subscriptions/resourceGroups/write",),
        gallery: (
            "Microsoft.Compute/galleries/write",
            "Microsoft.Compute/galleries/share/action",
            "Microsoft.Compute/galleries/images/write",
            "Microsoft.Compute/galleries/images/versions/delete",
            "Microsoft.Authorization/roleAssignments/write",
        ),
    }
