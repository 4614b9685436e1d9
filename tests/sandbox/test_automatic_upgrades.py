"""Automatic OS upgrades: a set takes a newer version of its image by itself, and never an older one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from include.sandbox.resources.automatic_upgrades import EVERY
from include.sandbox.resources.catalogue import publish as publish_platform
from tests.sandbox.bodies import UBUNTU, WINDOWS, group, make_group, make_machine, make_network, publish, run, version
from tests.sandbox_transport import AzureClients

from .scale_sets import HEALTH, patch, published, put, scale_set, source, used
from .test_rolling_upgrades import latest

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

AUTOMATIC = {"enableAutomaticOSUpgrade": True}
SUPPORTED = {"publisher": "Canonical", "offer": "UbuntuServer", "sku": "18.04-LTS", "version": "latest"}
LONG = 2 * EVERY + 3000  # seconds in which a look has come by and an upgrade has ended


def automatic(clients: AzureClients, image: dict[str, Any], capacity: int = 2, mode: str = "Manual", **policy: Any) -> dict[str, Any]:
    body = scale_set(clients, image, capacity)
    body["properties"]["upgradePolicy"] = {"mode": mode, "automaticOSUpgradePolicy": {**AUTOMATIC, **policy}}
    body["properties"]["virtualMachineProfile"]["extensionProfile"] = {"extensions": [HEALTH]}
    return body


async def history(clients: AzureClients) -> list[Any]:
    return [one.properties async for one in clients.compute.virtual_machine_scale_sets.get_os_upgrade_history("rg", "web")]


async def exclude(clients: AzureClients, name: str) -> None:
    """Take a version out of latest."""
    versions = clients.compute.gallery_image_versions
    found = (await versions.get("rg", "gallery", "ubuntu", name)).as_dict()
    regions = [{**one, "excludeFromLatest": True} for one in found["properties"]["publishingProfile"]["targetRegions"]]
    body = {"properties": {"publishingProfile": {"excludeFromLatest": True, "targetRegions": regions}}}
    await (await versions.begin_update("rg", "gallery", "ubuntu", name, body)).result()


@pytest.mark.parametrize("mode", ["Manual", "Automatic", "Rolling"])
async def test_a_newer_version_rolls_through_the_set_by_itself_in_batches_of_a_fifth(azure_clients: AzureClients, mode: str) -> None:
    definition = await published(azure_clients, "1.0.0")
    await put(azure_clients, automatic(azure_clients, {"id": definition}, 10, mode))
    await asyncio.sleep(LONG)
    assert await history(azure_clients) == []
    await publish(azure_clients, "1.1.0", version(source(azure_clients)))
    seen = set()
    for _ in range(int(LONG / 10)):
        await asyncio.sleep(10)
        if (shown := await history(azure_clients)) and shown[0].running_status.code == "RollingForward":
            seen.add(shown[0].progress.in_progress_instance_count)
    assert seen == {2}
    assert set((await used(azure_clients)).values()) == {"1.1.0"}
    assert await latest(azure_clients) == ("Completed", 10, 0, 0)
    (entry,) = await history(azure_clients)
    assert (entry.running_status.code, entry.started_by) == ("Completed", "Platform")
    assert entry.target_image_reference.exact_version == "1.1.0"
    assert entry.running_status.end_time > entry.running_status.start_time


async def test_an_excluded_version_and_one_elsewhere_roll_nowhere(azure_clients: AzureClients) -> None:
    definition = await published(azure_clients, "1.0.0")
    await put(azure_clients, automatic(azure_clients, {"id": f"{definition}/versions/latest"}))
    excluded = version(source(azure_clients))
    excluded["properties"]["publishingProfile"] = {**excluded["properties"].get("publishingProfile", {}), "excludeFromLatest": True}
    await publish(azure_clients, "1.1.0", excluded)
    await asyncio.sleep(LONG)
    assert set((await used(azure_clients)).values()) == {"1.0.0"}
    assert await history(azure_clients) == []


async def test_a_version_that_goes_out_of_latest_takes_no_instance_back(azure_clients: AzureClients) -> None:
    definition = await published(azure_clients, "1.0.0", "1.1.0")
    await put(azure_clients, automatic(azure_clients, {"id": definition}))
    await exclude(azure_clients, "1.1.0")
    await asyncio.sleep(LONG)
    assert await used(azure_clients) == {"0": "1.1.0", "1": "1.1.0"}
    await patch(azure_clients, sku={"capacity": 3})
    assert await used(azure_clients) == {"0": "1.1.0", "1": "1.1.0", "2": "1.0.0"}
    await publish(azure_clients, "1.2.0", version(source(azure_clients)))
    await asyncio.sleep(LONG)
    assert set((await used(azure_clients)).values()) == {"1.2.0"}


async def test_an_upgrade_under_way_goes_on_with_a_version_that_went_out_of_latest_until_it_is_cancelled(
    azure_clients: AzureClients,
) -> None:
    definition = await published(azure_clients, "1.0.0")
    body = automatic(azure_clients, {"id": definition}, 3, useRollingUpgradePolicy=True)
    body["properties"]["upgradePolicy"]["rollingUpgradePolicy"] = {"maxBatchInstancePercent": 34, "pauseTimeBetweenBatches": "PT1H"}
    await put(azure_clients, body)
    await publish(azure_clients, "1.1.0", version(source(azure_clients)))
    await asyncio.sleep(EVERY + 1800)
    await exclude(azure_clients, "1.1.0")
    await asyncio.sleep(3600)
    assert sorted((await used(azure_clients)).values()) == ["1.0.0", "1.1.0", "1.1.0"]
    await (await azure_clients.compute.virtual_machine_scale_set_rolling_upgrades.begin_cancel("rg", "web")).result()
    await asyncio.sleep(2 * LONG)
    assert sorted((await used(azure_clients)).values()) == ["1.0.0", "1.1.0", "1.1.0"]
    (entry,) = await history(azure_clients)
    assert (entry.running_status.code, entry.progress.pending_instance_count) == ("Cancelled", 1)


async def test_a_platform_image_is_followed_where_it_supports_that(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    await make_network(azure_clients)
    with pytest.raises(HttpResponseError, match="configured with a Platform Image"):
        await put(azure_clients, automatic(azure_clients, UBUNTU))
    await put(azure_clients, automatic(azure_clients, SUPPORTED))
    publish_platform(azure_clients.sandbox, {**SUPPORTED, "version": "18.04.202512010"})
    await asyncio.sleep(LONG)
    assert set((await used(azure_clients)).values()) == {"18.04.202512010"}
    assert (await history(azure_clients))[0].target_image_reference.version == "18.04.202512010"


async def test_it_is_switched_on_by_the_patch_of_the_documentation_and_off_again(azure_clients: AzureClients) -> None:
    definition = await published(azure_clients, "1.0.0")
    body = automatic(azure_clients, {"id": definition})
    body["properties"]["upgradePolicy"] = {"mode": "Manual"}
    await put(azure_clients, body)
    await publish(azure_clients, "1.1.0", version(source(azure_clients)))
    await asyncio.sleep(LONG)
    assert set((await used(azure_clients)).values()) == {"1.0.0"}
    made = await patch(azure_clients, properties={"upgradePolicy": {"automaticOSUpgradePolicy": AUTOMATIC}})
    assert (made.upgrade_policy.mode, made.upgrade_policy.automatic_os_upgrade_policy.enable_automatic_os_upgrade) == ("Manual", True)
    await asyncio.sleep(LONG)
    assert set((await used(azure_clients)).values()) == {"1.1.0"}
    await patch(azure_clients, properties={"upgradePolicy": {"automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": False}}})
    await publish(azure_clients, "1.2.0", version(source(azure_clients)))
    await asyncio.sleep(LONG)
    assert set((await used(azure_clients)).values()) == {"1.1.0"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"extensionProfile": None}, "a health probe or health extension was not specified"),
        ({"storageProfile": "1.0.0"}, "must use Platform or Gallery Image with version set to 'latest'"),
        ({"patchMode": "AutomaticByPlatform"}, "patchMode cannot be 'AutomaticByPlatform'"),
    ],
)
async def test_what_a_set_needs_for_it_is_asked_at_once_and_later(azure_clients: AzureClients, change: dict[str, Any], words: str) -> None:
    definition = await published(azure_clients, "1.0.0")
    body = automatic(azure_clients, {"id": definition})
    profile = body["properties"]["virtualMachineProfile"]
    if "extensionProfile" in change:
        del profile["extensionProfile"]
    if "storageProfile" in change:
        profile["storageProfile"]["imageReference"] = {"id": f"{definition}/versions/1.0.0"}
    if "patchMode" in change:
        profile["osProfile"]["linuxConfiguration"]["patchSettings"] = {"patchMode": change["patchMode"]}
    with pytest.raises(HttpResponseError, match=words):
        await put(azure_clients, body)
    body["properties"]["upgradePolicy"] = {"mode": "Manual"}
    await put(azure_clients, body)
    with pytest.raises(HttpResponseError, match=words):
        await patch(azure_clients, properties={"upgradePolicy": {"automaticOSUpgradePolicy": AUTOMATIC}})


async def test_windows_leaves_its_updates_to_it(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    await make_network(azure_clients)
    body = automatic(azure_clients, WINDOWS)
    system = body["properties"]["virtualMachineProfile"]["osProfile"]
    del system["linuxConfiguration"]
    system |= {"adminPassword": "Correct-Horse-9", "windowsConfiguration": {"enableAutomaticUpdates": True}}
    with pytest.raises(HttpResponseError, match="enableAutomaticUpdates cannot be set to true if"):
        await put(azure_clients, body)
    body["properties"]["upgradePolicy"] = {"mode": "Manual"}
    assert (await put(azure_clients, body)).virtual_machine_profile.os_profile.windows_configuration.enable_automatic_updates
    made = await patch(azure_clients, properties={"upgradePolicy": {"automaticOSUpgradePolicy": AUTOMATIC}})
    assert not made.virtual_machine_profile.os_profile.windows_configuration.enable_automatic_updates


async def test_a_set_whose_image_is_nowhere_now_can_still_be_tagged(azure_clients: AzureClients) -> None:
    definition = await published(azure_clients, "1.0.0")
    await put(azure_clients, automatic(azure_clients, {"id": definition}))
    await exclude(azure_clients, "1.0.0")
    assert (await patch(azure_clients, tags={"a": "b"})).tags == {"a": "b"}
    await asyncio.sleep(LONG)
    assert await used(azure_clients) == {"0": "1.0.0", "1": "1.0.0"}


async def test_an_upgrade_that_waits_for_approval_is_refused(azure_clients: AzureClients) -> None:
    definition = await published(azure_clients, "1.0.0")
    with pytest.raises(HttpResponseError, match=r"osRollingUpgradeDeferral' is not supported"):
        await put(azure_clients, automatic(azure_clients, {"id": definition}, osRollingUpgradeDeferral=True))


async def broken(clients: AzureClients) -> dict[str, Any]:
    """The source of a version whose guest scripts changed and nobody deprovisioned, so that machines of it never come up."""
    await make_machine(clients, "bad")
    await run(clients, "echo changed", vm="bad")
    machines = clients.compute.virtual_machines
    await (await machines.begin_deallocate("rg", "bad")).result()
    await machines.generalize("rg", "bad")
    return {"source": {"virtualMachineId": f"{group(clients)}/providers/Microsoft.Compute/virtualMachines/bad"}}


@pytest.mark.parametrize(("rollback", "expected"), [({}, ["1.0.0"] * 5), ({"disableAutomaticRollback": True}, ["1.0.0"] * 4 + ["1.1.0"])])
async def test_an_image_that_does_not_come_up_stops_after_its_first_batch_and_is_not_tried_again(
    azure_clients: AzureClients, rollback: dict[str, Any], expected: list[str]
) -> None:
    definition = await published(azure_clients, "1.0.0")
    await put(azure_clients, automatic(azure_clients, {"id": definition}, 5, **rollback))
    await publish(azure_clients, "1.1.0", version(await broken(azure_clients)))
    await asyncio.sleep(3 * LONG)
    assert sorted((await used(azure_clients)).values()) == expected
    (entry,) = await history(azure_clients)
    assert (entry.running_status.code, entry.progress.failed_instance_count) == ("Faulted", 1)
    assert entry.error.code == "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade"
    assert entry.rollback_info.successfully_rolledback_instance_count == (0 if rollback else 1)
    await publish(azure_clients, "1.2.0", version(source(azure_clients)))
    await asyncio.sleep(LONG)
    assert set((await used(azure_clients)).values()) == {"1.2.0"}


async def test_an_upgrade_of_a_pinned_set_is_refused(azure_clients: AzureClients) -> None:
    definition = await published(azure_clients, "1.0.0")
    body = automatic(azure_clients, {"id": f"{definition}/versions/1.0.0"})
    body["properties"]["upgradePolicy"] = {"mode": "Manual"}
    await put(azure_clients, body)
    with pytest.raises(HttpResponseError, match=r"unprotected instances which have imageReference\.version set to latest"):
        await azure_clients.compute.virtual_machine_scale_set_rolling_upgrades.begin_start_os_upgrade("rg", "web")
