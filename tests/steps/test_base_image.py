"""Base images of every kind, found and pinned."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from include.steps import base_image
from include.steps.errors import StepError
from tests.steps.build_line import DEFINITION, GALLERIES, GALLERY, HOME, VERSION, Line

UBUNTU = {"kind": "marketplace", "publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
PARENT = {"kind": "gallery", "resource_group": GALLERIES, "gallery": GALLERY, "definition": DEFINITION, "version": "latest"}


async def resolve(line: Line, base: dict[str, Any], location: str = HOME) -> dict[str, Any]:
    result: dict[str, Any] = await base_image.resolve(line.azure, base=base, location=location)
    return result


@pytest.mark.parametrize(("older", "newer"), [("22.04.9", "22.04.10"), ("9.0.0", "10.0.0"), ("2026.1123.130000", "2026.1124.0")])
def test_versions_are_compared_by_number_and_not_as_text(older: str, newer: str) -> None:
    assert base_image.version_key(older) < base_image.version_key(newer)


async def test_a_marketplace_image_is_pinned_to_its_newest_version_and_described() -> None:
    found = await resolve(Line(), UBUNTU, "West Europe")
    assert found == {
        "id": "Canonical:ubuntu-24_04-lts:server:24.04.202511110",
        "version": "24.04.202511110",
        "image_reference": {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "24.04.202511110"},
        "os_type": "Linux",
        "os_state": "Generalized",
        "generation": "V2",
        "architecture": "x64",
        "security_type": "TrustedLaunchSupported",
        "data_luns": [],
        "plan": None,
    }


async def test_a_pinned_marketplace_version_costs_one_call() -> None:
    line = Line()
    assert (await resolve(line, {**UBUNTU, "version": "24.04.202508180"}))["version"] == "24.04.202508180"
    assert len(line.calls) == 1


@pytest.mark.parametrize("change", [{"version": "1.2.3"}, {"sku": "nonsense"}, {"publisher": "Nobody"}])
async def test_a_marketplace_image_that_is_not_there_says_how_to_find_one(change: dict[str, str]) -> None:
    with pytest.raises(StepError, match="az vm image list") as caught:
        await resolve(Line(), {**UBUNTU, **change})
    assert (caught.value.kind, caught.value.code) == ("permanent", "BaseNotFound")


async def test_latest_of_a_definition_is_what_azure_would_take_in_that_region() -> None:
    line = await Line().through("promote")
    found = await resolve(line, PARENT)
    assert (found["id"], found["version"]) == (line.version().id, VERSION)
    assert found["image_reference"] == {"id": line.version().id}
    assert (found["os_type"], found["os_state"], found["security_type"], found["data_luns"]) == ("Linux", "Generalized", "Standard", [1])
    with pytest.raises(StepError, match="latest sees in uksouth"):
        await resolve(line, PARENT, "uksouth")


async def test_a_version_that_is_not_promoted_is_not_latest_but_can_be_named() -> None:
    line = await Line().through("publish")
    with pytest.raises(StepError, match="BaseNotFound"):
        await resolve(line, PARENT)
    assert (await resolve(line, {**PARENT, "version": VERSION}))["version"] == VERSION
    with pytest.raises(StepError, match="northeurope"):
        await resolve(line, {**PARENT, "version": VERSION}, "northeurope")


async def test_a_regional_flag_takes_precedence_over_the_global_one() -> None:
    line = await Line().through("promote")
    line.version().properties["publishingProfile"]["targetRegions"][0]["excludeFromLatest"] = True
    with pytest.raises(StepError, match="BaseNotFound"):
        await resolve(line, PARENT)
    assert (await resolve(line, PARENT, "northeurope"))["version"] == VERSION


async def test_a_managed_image_and_snapshots_are_described_and_must_be_in_the_build_region() -> None:
    line = await Line().through("image")
    image = (await line.run("image"))["source"]
    found = await resolve(line, {"kind": "managed_image", "id": image["id"]})
    assert (found["image_reference"], found["os_type"], found["data_luns"]) == ({"id": image["id"]}, "Linux", [1])
    snapshots = (await line.run("snapshot"))["source"]
    found = await resolve(line, {"kind": "snapshot", "os": snapshots["os"], "data": snapshots["data"]})
    assert found["snapshot"] == {"os": snapshots["os"], "data": snapshots["data"]}
    assert (found["os_state"], found["data_luns"]) == ("Specialized", [1])
    for base in ({"kind": "managed_image", "id": image["id"]}, {"kind": "snapshot", "os": snapshots["os"], "data": {}}):
        with pytest.raises(StepError, match="BaseElsewhere"):
            await resolve(line, base, "northeurope")
        missing = {
            key: value.replace("/image", "/nothing").replace("snap-os", "nothing") if isinstance(value, str) and "/" in value else value
            for key, value in base.items()
        }
        with pytest.raises(StepError, match="BaseNotFound"):
            await resolve(line, missing)


async def test_the_sensor_ends_when_a_newer_version_is_there() -> None:
    line = await Line().up_to("promote")
    waiting = asyncio.create_task(base_image.wait_for_newer(line.azure, base={**UBUNTU}, location=HOME, than="24.04.202510140"))
    assert await waiting == {"id": "Canonical:ubuntu-24_04-lts:server:24.04.202511110", "version": "24.04.202511110"}
    with pytest.raises(StepError, match="NothingNewer") as caught:
        await base_image.wait_for_newer(line.azure, base=UBUNTU, location=HOME, than="24.04.202511110", timeout=3600)
    assert caught.value.kind == "transient"
