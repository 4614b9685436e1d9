"""What Azure offers, read before anything is paid for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from azure.core.rest import HttpRequest

from include.factory.calls import Call
from include.factory.catalogue import load_recipe
from include.factory.folder import catalogue_folder
from include.factory.preflight import needs_of_build, needs_of_calls
from include.factory.publish import TargetRegion
from include.sandbox.directory import Principal
from include.steps import (
    build_plan,
    leftovers,
    preflight,
    promotion,
    regions,
    restoration,
    retirement,
    rollback,
    second_gallery,
    sharing,
)
from include.steps.azure import Azure
from include.steps.errors import StepError
from include.steps.version import Version
from tests.sandbox_transport import DirectoryCredential
from tests.smallest_recipe import SMALLEST
from tests.steps.build_line import GALLERIES, GALLERY, GROUP, HOME, Line
from tests.steps.planned import writes
from tests.steps.seeded import PATH, gallery_line, seed

BASE = load_recipe(catalogue_folder(), "ubuntu-2404-base")


async def make(line: Line, **params: Any) -> dict[str, Any]:
    run = {"dag_id": "build_ubuntu_2404_base", "run_id": "manual__1", "at": "2026-11-23T02:00:00+00:00", "params": json.dumps(params)}
    document: dict[str, Any] = await build_plan.make(line.azure, recipe=BASE.name, run=run)
    return document


async def test_a_build_is_planned_where_everything_is_offered() -> None:
    assert (await make(Line()))["version"]


async def test_everything_that_is_in_the_way_is_said_at_once_and_nothing_is_written() -> None:
    line = Line()
    line.sandbox.store.set("restricted", {"eastus2": list(BASE.sizes)})
    with pytest.raises(StepError) as caught:
        await make(line, regions=["eastus2", "japaneast"])
    error = caught.value
    assert (error.kind, error.code) == ("permanent", "CannotBePlanned")
    said = "\n".join(error.details)
    assert "The region japaneast is not one of the recipe's" in said
    assert "Standard_D2s_v5 is not open to the subscription there" in said
    assert {method for method, *_ in line.calls} == {"GET"}


async def test_quota_in_use_is_waited_for() -> None:
    line = await Line().through("create_virtual_machine")
    here = BASE.model_copy(update={"build": BASE.build.model_copy(update={"region": HOME})})
    line.sandbox.store.set("quota", {f"{HOME}/cores": 3})
    found = await preflight.findings(line.azure, needs_of_build(here, (), line.azure.subscription_id))
    assert found.problems == ()
    with pytest.raises(StepError) as caught:
        preflight.refuse(here.name, found)
    assert (caught.value.kind, caught.value.code) == ("transient", "QuotaInUse")
    assert caught.value.retry_after == preflight.QUOTA_PAUSE


async def test_zone_redundant_storage_is_looked_up_in_the_regions_that_ask_for_it() -> None:
    line = Line()
    regions = [TargetRegion(name=name, storage_account_type="Standard_ZRS") for name in ("westeurope", "westus")]
    found = await preflight.findings(line.azure, needs_of_build(BASE, regions, line.azure.subscription_id))
    assert [problem.split(" ", 1)[0] for problem in found.problems] == ["westus"]


async def test_an_encryption_set_that_is_not_there_is_named() -> None:
    line = Line()
    set_id = f"/subscriptions/{line.azure.subscription_id}/resourceGroups/rg/providers/Microsoft.Compute/diskEncryptionSets/none"
    region = TargetRegion(name="westeurope", encryption_set=set_id)
    found = await preflight.findings(line.azure, needs_of_build(BASE, [region], line.azure.subscription_id))
    assert "does not exist" in found.problems[0]


async def test_a_subnet_and_an_identity_that_are_not_there_are_named() -> None:
    line = Line()
    group = f"/subscriptions/{line.azure.subscription_id}/resourceGroups/rg/providers"
    given = {
        "subnet": f"{group}/Microsoft.Network/virtualNetworks/hub/subnets/builds",
        "identities": (f"{group}/Microsoft.ManagedIdentity/userAssignedIdentities/builder",),
    }
    needs = needs_of_build(BASE.model_copy(update={"build": BASE.build.model_copy(update=given)}), (), line.azure.subscription_id)
    said = (await preflight.findings(line.azure, needs)).problems
    assert [problem.split(" does not exist")[0] for problem in said] == [
        f"The subnet {given['subnet']}",
        f"The managed identity {given['identities'][0]}",
    ]


async def test_a_subnet_of_another_region_and_one_that_its_network_lacks_are_named() -> None:
    line = await Line().through("create_network")
    network = f"/subscriptions/{line.azure.subscription_id}/resourceGroups/{GROUP}/providers/Microsoft.Network/virtualNetworks/net"
    for subnet, said in (("build", f"is in {HOME}, and the machine in eastus2"), ("builds", "does not exist")):
        build = BASE.build.model_copy(update={"subnet": f"{network}/subnets/{subnet}"})
        needs = needs_of_build(BASE.model_copy(update={"build": build}), (), line.azure.subscription_id)
        (problem,) = (await preflight.findings(line.azure, needs)).problems
        assert said in problem
    here = BASE.build.model_copy(update={"subnet": f"{network}/subnets/build", "region": HOME})
    needs = needs_of_build(BASE.model_copy(update={"build": here}), (), line.azure.subscription_id)
    assert (await preflight.findings(line.azure, needs)).problems == ()


ROCKY_RECIPE = SMALLEST.replace("Canonical:ubuntu-24_04-lts:server:latest", "resf:rockylinux-x86_64:9-base:latest")
ROCKY_PLAN = {"name": "9-base", "product": "rockylinux-x86_64", "publisher": "resf"}


async def make_rocky(line: Line, azure: Azure | None = None) -> dict[str, Any]:
    run = {"dag_id": "build_ubuntu", "run_id": "manual__1", "at": "2026-11-23T02:00:00+00:00"}
    document: dict[str, Any] = await build_plan.make(azure or line.azure, recipe="ubuntu", run=run)
    return document


async def test_terms_that_nobody_accepted_are_said_with_the_command_that_accepts_them(recipes: Path) -> None:
    (recipes / "ubuntu.yaml").write_text(ROCKY_RECIPE)
    line = Line()
    with pytest.raises(StepError) as caught:
        await make_rocky(line)
    assert caught.value.code == "CannotBePlanned"
    command = f"az vm image terms accept --urn resf:rockylinux-x86_64:9-base:9.4.20240509 --subscription {line.azure.subscription_id}"
    assert f"`{command}`" in caught.value.message
    assert not writes(line)
    await line.accept_terms(ROCKY_PLAN)
    assert (await make_rocky(line))["version"]


async def test_terms_that_cannot_be_read_are_in_nobodys_way(recipes: Path) -> None:
    """The identity may all that a build does; whether the terms are accepted, the machine's making will tell."""
    line = Line(authenticate=True)
    azure = await as_role(line, {"actions": ["*"], "notActions": ["Microsoft.MarketplaceOrdering/*"]})
    (recipes / "ubuntu.yaml").write_text(ROCKY_RECIPE)
    assert (await make_rocky(line, azure))["version"]
    assert any("Microsoft.MarketplaceOrdering" in path and status == 403 for _, path, status in line.calls)


async def test_a_refusal_for_terms_names_the_same_command() -> None:
    """Somebody took the acceptance back after the plan was made."""
    line = await Line().up_to("create_virtual_machine")
    source = {"image_reference": {"publisher": "resf", "offer": "rockylinux-x86_64", "sku": "9-base", "version": "latest"}}
    with pytest.raises(StepError) as caught:
        await line.run("create_virtual_machine", source=source, plan=ROCKY_PLAN)
    assert (caught.value.kind, caught.value.code) == ("permanent", "ResourcePurchaseValidationFailed")
    command = "az vm image terms accept --publisher resf --offer rockylinux-x86_64 --plan 9-base"
    assert f"{command} --subscription {line.azure.subscription_id}" in caught.value.cure


async def test_what_changes_by_the_week_is_asked_once_for_many_builds() -> None:
    line = Line()
    needs = needs_of_build(BASE, BASE.target_regions, line.azure.subscription_id)
    await preflight.findings(line.azure, needs)
    first = len(line.calls)
    await preflight.findings(line.azure, needs)
    assert len(line.calls) - first == 1  # the quota in use


async def as_role(line: Line, permissions: dict[str, Any]) -> Azure:
    """As :func:`as_reader`, of a custom role with these permissions."""
    somebody = await as_reader(line)
    owner = Azure(DirectoryCredential(line.sandbox), line.sandbox.subscription_id, transport=line.transport)
    subscription = f"/subscriptions/{owner.subscription_id}"
    definition = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/00000000-0000-4000-8000-000000000002"
    properties = {"roleName": "builder", "type": "CustomRole", "permissions": [permissions], "assignableScopes": [subscription]}
    assignment = f"{subscription}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001"
    old = HttpRequest("GET", f"{owner.endpoint}{assignment}", params={"api-version": "2022-04-01"})
    principal = (await owner.resources._client.send_request(old)).json()["properties"]["principalId"]
    for method, path, body in (
        ("PUT", definition, {"properties": properties}),
        ("DELETE", assignment, None),
        (
            "PUT",
            assignment,
            {"properties": {"roleDefinitionId": definition, "principalId": principal, "principalType": "ServicePrincipal"}},
        ),
    ):
        request = HttpRequest(method, f"{owner.endpoint}{path}", params={"api-version": "2022-04-01"}, json=body)
        (await owner.resources._client.send_request(request)).raise_for_status()
    return somebody


async def as_reader(line: Line) -> Azure:
    """The clients of an identity that is Reader of the subscription, on a line that asks for tokens."""
    reader = Principal(line.sandbox.tenant_id, "", "e15e0000-0000-4000-8000-000000000001", "")
    owner = Azure(DirectoryCredential(line.sandbox), line.sandbox.subscription_id, transport=line.transport)
    subscription = f"/subscriptions/{owner.subscription_id}"
    role = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
    request = HttpRequest(
        "PUT",
        f"{owner.endpoint}{subscription}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001",
        params={"api-version": "2022-04-01"},
        json={"properties": {"roleDefinitionId": role, "principalId": reader.object_id, "principalType": "ServicePrincipal"}},
    )
    (await owner.resources._client.send_request(request)).raise_for_status()
    return Azure(DirectoryCredential(line.sandbox, reader), line.sandbox.subscription_id, transport=line.transport)


async def test_a_reader_is_told_which_rights_it_lacks_and_where() -> None:
    azure = await as_reader(Line(authenticate=True))
    subscription = f"/subscriptions/{azure.subscription_id}"

    found = await preflight.findings(azure, needs_of_build(BASE, (), azure.subscription_id))

    at_subscription, at_gallery = found.problems
    assert "may not do Microsoft.Resources/subscriptions/resourceGroups/write" in at_subscription
    assert "Microsoft.Compute/galleries/images/versions/write" in at_gallery
    assert f"{subscription}/resourceGroups/{BASE.publish.resource_group}" in at_gallery


VERSIONS = "Microsoft.Compute/galleries/images/versions"
PLANS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "promotion": (promotion.plan, {"form": {**PATH, "version": "1.0.0"}}, f"{VERSIONS}/write"),
    "rollback": (rollback.plan, {"form": {**PATH, "versions": "2.0.0"}}, f"{VERSIONS}/write"),
    "retirement": (
        retirement.plan,
        {"form": {**PATH, "keep": 1, "older_than": 1, "rollback": 0, "dry_run": False}},
        f"{VERSIONS}/write",
    ),
    "restoration": (restoration.plan, {"form": {**PATH, "versions": "*"}}, f"{VERSIONS}/write"),
    "regions": (regions.plan, {"form": {**PATH, "versions": "2.0.0", "add": ["uksouth"]}}, f"{VERSIONS}/write"),
    "leftovers": (
        leftovers.plan,
        {"run": {"at": "2030-01-01T00:00:00+00:00", "run_type": "scheduled"}},
        "Microsoft.Resources/subscriptions/resourceGroups/delete",
    ),
    "sharing": (sharing.plan, {"form": {}}, "Microsoft.Authorization/roleAssignments/write"),
    "second_gallery": (second_gallery.plan, {"form": {}}, "Microsoft.Compute/galleries/write"),
}
RECIPE = (
    SMALLEST
    + """\
share: {readers: [11111111-0000-4000-8000-000000000001]}
replicate: [northeurope]
disaster_recovery: {gallery: images2, resource_group: galleries2, location: northeurope}
"""
)


@pytest.mark.parametrize("name", PLANS)
async def test_every_plan_is_held_against_the_rights_to_its_writes(name: str, recipes: Path) -> None:
    (recipes / "ubuntu.yaml").write_text(RECIPE)
    line = await gallery_line()
    for version, age in (("1.0.0", 30), ("2.0.0", 20), ("3.0.0", 1)):
        seed(line, version, (HOME, "northeurope"), age=age, excluded=version == "1.0.0", tags={} if version == "1.0.0" else None)
    line.resource("galleries", GALLERY, group=GALLERIES).properties["softDeletePolicy"] = {"isSoftDeleteEnabled": True}
    if name == "restoration":
        await Version(line.azure, **PATH, version="2.0.0").delete()
    line.sandbox.authenticate = True
    azure = await as_reader(line)
    line.calls.clear()
    plan, arguments, action = PLANS[name]

    with pytest.raises(StepError) as caught:
        await plan(azure, **arguments)

    assert (caught.value.kind, caught.value.code) == ("permanent", "CannotBePlanned")
    assert action in ", ".join(re.findall(r"may not do (.*?) at /", caught.value.message)).split(", ")
    assert not writes(line)


async def test_what_cannot_be_done_delays_nothing_that_can() -> None:
    line = Line(authenticate=True)
    reader = await as_reader(line)
    owner = Azure(DirectoryCredential(line.sandbox), line.sandbox.subscription_id, transport=line.transport)
    needs = needs_of_calls([Call(method="PUT", path=owner.id("rg", "galleries", "g"))])

    left_out, found = await preflight.obstacles({"one": (reader, needs), "other": (owner, needs)})

    assert list(left_out) == ["one"]
    assert "may not do Microsoft.Compute/galleries/write" in left_out["one"]
    assert found.problems == ()
