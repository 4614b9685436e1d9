"""What promotion and roll-back do to scale sets that take newer versions by themselves."""

from __future__ import annotations

import asyncio
from typing import Any

from include.steps import promotion, rollback
from tests.sandbox.scale_sets import HEALTH
from tests.steps.build_line import DEFINITION, GALLERIES, GALLERY, HOME, Line
from tests.steps.seeded import PATH, gallery_line, seed

OLD, BAD, GOOD = "2026.1122.20000", "2026.1123.20000", "2026.1124.20000"
ELSEWHERE = "eastus2"
REGIONS = (HOME, ELSEWHERE)
LONG = 3 * 3600  # seconds in which Azure says an upgrade has begun, and more than a small one takes


async def with_sets() -> Line:
    """An old version that people get, a new one that nobody gets yet, and a set of three in each region that follows the definition."""
    line = await gallery_line()
    seed(line, OLD, REGIONS)
    seed(line, BAD, REGIONS, excluded=True, tags={})
    for region in REGIONS:
        await make_set(line, region)
    return line


async def make_set(line: Line, region: str) -> None:
    group = f"apps-{region}"
    await line.run("ensure_resource_group", name=group, location=region)
    await line.run("create_network", resource_group=group, location=region)
    subnet = f"{line.azure.id(group, 'virtualNetworks', 'net', provider='Microsoft.Network')}/subnets/build"
    key = {"path": "/home/builder/.ssh/authorized_keys", "keyData": "ssh-rsa AAAA builder@example.com"}
    address = {"name": "ip", "properties": {"subnet": {"id": subnet}}}
    profile = {
        "osProfile": {"computerNamePrefix": "web", "adminUsername": "builder", "linuxConfiguration": {"ssh": {"publicKeys": [key]}}},
        "storageProfile": {
            "imageReference": {"id": line.azure.id(GALLERIES, "galleries", GALLERY, "images", DEFINITION)},
            "osDisk": {"createOption": "FromImage"},
        },
        "networkProfile": {
            "networkInterfaceConfigurations": [{"name": "nic", "properties": {"primary": True, "ipConfigurations": [address]}}]
        },
        "extensionProfile": {"extensions": [HEALTH]},
    }
    policy = {"mode": "Manual", "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True}}
    properties = {"upgradePolicy": policy, "virtualMachineProfile": profile}
    body = {"location": region, "sku": {"name": "Standard_D2s_v5", "capacity": 3}, "properties": properties}
    await line.azure.finish(line.azure.compute.virtual_machine_scale_sets.begin_create_or_update, group, "web", body, kind="scale sets")


async def change(line: Line, region: str, **body: Any) -> None:
    await line.azure.finish(
        line.azure.compute.virtual_machine_scale_sets.begin_update, f"apps-{region}", "web", body, kind="scale sets PATCH"
    )


async def used(line: Line, region: str) -> list[str]:
    """The versions that the set's instances run, sorted."""
    found = line.azure.compute.virtual_machine_scale_set_vms.list(f"apps-{region}", "web")
    return sorted([one.as_dict()["properties"]["storageProfile"]["imageReference"]["exactVersion"] async for one in found])


async def promote(line: Line, version: str, **fields: Any) -> None:
    plan = await promotion.plan(line.azure, form={**PATH, "version": version, **fields})
    await promotion.promote(line.azure, **plan["steps"]["promote_version"])


async def roll_back(line: Line) -> None:
    plan = await rollback.plan(line.azure, form=dict(PATH))
    await rollback.roll_back(line.azure, **plan["steps"]["roll_back"])


async def test_what_is_published_out_of_sight_reaches_no_set_and_what_is_promoted_reaches_them_all() -> None:
    line = await with_sets()
    await asyncio.sleep(LONG)
    assert [await used(line, region) for region in REGIONS] == [[OLD] * 3, [OLD] * 3]
    await promote(line, BAD)
    await asyncio.sleep(LONG)
    assert [await used(line, region) for region in REGIONS] == [[BAD] * 3, [BAD] * 3]


async def test_a_wave_is_all_that_a_set_sees_of_a_promotion() -> None:
    line = await with_sets()
    promoting = asyncio.ensure_future(promote(line, BAD, waves=[ELSEWHERE], pause=LONG // 60))
    await asyncio.sleep(LONG - 600)
    assert (await used(line, ELSEWHERE), await used(line, HOME)) == ([BAD] * 3, [OLD] * 3)
    await promoting
    await asyncio.sleep(LONG)
    assert await used(line, HOME) == [BAD] * 3


async def test_a_roll_back_leaves_what_runs_the_bad_version_and_gives_new_instances_the_old_one() -> None:
    line = await with_sets()
    await promote(line, BAD)
    await asyncio.sleep(LONG)
    await roll_back(line)
    await asyncio.sleep(LONG)
    assert await used(line, HOME) == [BAD] * 3
    await change(line, HOME, sku={"name": "Standard_D2s_v5", "capacity": 4})
    assert await used(line, HOME) == [OLD, BAD, BAD, BAD]


async def test_a_roll_back_in_time_reaches_the_sets_before_the_bad_version_does() -> None:
    line = await with_sets()
    await promote(line, BAD)
    await roll_back(line)
    await asyncio.sleep(LONG)
    assert await used(line, HOME) == [OLD] * 3


async def test_a_set_comes_off_the_bad_version_by_a_newer_one() -> None:
    """Rolling forward: what is built and promoted next is a version like any other, and the sets take it by themselves."""
    line = await with_sets()
    await promote(line, BAD)
    await asyncio.sleep(LONG)
    await roll_back(line)
    seed(line, GOOD, REGIONS, excluded=True, tags={})
    await promote(line, GOOD)
    await asyncio.sleep(LONG)
    assert [await used(line, region) for region in REGIONS] == [[GOOD] * 3, [GOOD] * 3]


async def test_a_set_comes_off_the_bad_version_by_being_told_to_look_again() -> None:
    """What docs/versions.md has the on-call person do: `az vmss rolling-upgrade start`, after the roll-back."""
    line = await with_sets()
    await promote(line, BAD)
    await asyncio.sleep(LONG)
    await roll_back(line)
    upgrades = line.azure.compute.virtual_machine_scale_set_rolling_upgrades
    await (await upgrades.begin_start_os_upgrade(f"apps-{HOME}", "web")).result()
    assert (await used(line, HOME), await used(line, ELSEWHERE)) == ([OLD] * 3, [BAD] * 3)
    await asyncio.sleep(LONG)
    assert await used(line, HOME) == [OLD] * 3


async def test_a_set_comes_off_the_bad_version_by_naming_the_good_one() -> None:
    """The other way of docs/versions.md: the policy off, the model at the good version, and the instances brought to it."""
    line = await with_sets()
    await promote(line, BAD)
    await asyncio.sleep(LONG)
    await roll_back(line)
    good = f"{line.azure.id(GALLERIES, 'galleries', GALLERY, 'images', DEFINITION)}/versions/{OLD}"
    off = {"mode": "Manual", "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": False}}
    model = {"storageProfile": {"imageReference": {"id": good}}}
    await change(line, HOME, properties={"upgradePolicy": off, "virtualMachineProfile": model})
    sets = line.azure.compute.virtual_machine_scale_sets
    await (await sets.begin_update_instances(f"apps-{HOME}", "web", {"instanceIds": ["*"]})).result()
    assert await used(line, HOME) == [OLD] * 3
