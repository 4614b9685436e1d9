"""Rolling upgrades of scale sets: batches of instances take another version of an image."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.sandbox.bodies import publish, version
from tests.sandbox_transport import AzureClients

from .scale_sets import HEALTH, patch, published, put, scale_set, source, used

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def watched(clients: AzureClients, image: str, capacity: int, mode: str = "Manual", **policy: Any) -> None:
    """A set whose instances tell how they are."""
    body = scale_set(clients, {"id": image}, capacity)
    body["properties"]["upgradePolicy"] = {"mode": mode, "rollingUpgradePolicy": policy}
    body["properties"]["virtualMachineProfile"]["extensionProfile"] = {"extensions": [HEALTH]}
    await put(clients, body)


async def latest(clients: AzureClients) -> tuple[str, int, int, int]:
    """The status, and how many instances are upgraded, under way and waiting."""
    found = await clients.compute.virtual_machine_scale_set_rolling_upgrades.get_latest("rg", "web")
    progress = found.properties.progress
    return (
        found.properties.running_status.code,
        progress.successful_instance_count,
        progress.in_progress_instance_count,
        progress.pending_instance_count,
    )


async def test_an_upgrade_moves_batches_to_what_the_image_means_now(azure_clients: AzureClients) -> None:
    definition = await published(azure_clients, "1.0.0")
    await watched(azure_clients, definition, 4, maxBatchInstancePercent=50)
    await publish(azure_clients, "1.1.0", version(source(azure_clients)))
    upgrades = azure_clients.compute.virtual_machine_scale_set_rolling_upgrades
    with pytest.raises(ResourceNotFoundError):
        await upgrades.get_latest("rg", "web")
    poller = await upgrades.begin_start_os_upgrade("rg", "web")
    assert await latest(azure_clients) == ("RollingForward", 0, 2, 2)
    with pytest.raises(ResourceExistsError):
        await upgrades.begin_start_os_upgrade("rg", "web")
    await poller.result()
    assert await latest(azure_clients) == ("Completed", 4, 0, 0)
    assert set((await used(azure_clients)).values()) == {"1.1.0"}


async def test_a_cancelled_upgrade_ends_with_its_batch(azure_clients: AzureClients) -> None:
    definition = await published(azure_clients, "1.0.0")
    await watched(azure_clients, definition, 4, maxBatchInstancePercent=25)
    await publish(azure_clients, "1.1.0", version(source(azure_clients)))
    upgrades = azure_clients.compute.virtual_machine_scale_set_rolling_upgrades
    poller = await upgrades.begin_start_os_upgrade("rg", "web")
    await (await upgrades.begin_cancel("rg", "web")).result()
    with pytest.raises(HttpResponseError):
        await poller.result()
    await asyncio.sleep(600)
    assert await latest(azure_clients) == ("Cancelled", 1, 0, 3)
    assert sorted((await used(azure_clients)).values()) == ["1.0.0", "1.0.0", "1.0.0", "1.1.0"]
    with pytest.raises(ResourceExistsError, match="no ongoing Rolling Upgrade"):
        await upgrades.begin_cancel("rg", "web")


async def test_another_image_rolls_through_a_set_of_the_mode_rolling(azure_clients: AzureClients) -> None:
    definition = await published(azure_clients, "1.0.0", "1.1.0")
    await watched(azure_clients, f"{definition}/versions/1.0.0", 2, "Rolling", pauseTimeBetweenBatches="PT10M")
    image = {"storageProfile": {"imageReference": {"id": f"{definition}/versions/1.1.0"}}}
    await patch(azure_clients, properties={"virtualMachineProfile": image})
    await asyncio.sleep(300)
    assert await latest(azure_clients) == ("RollingForward", 1, 0, 1)
    assert sorted((await used(azure_clients)).values()) == ["1.0.0", "1.1.0"]
    await asyncio.sleep(900)
    assert await latest(azure_clients) == ("Completed", 2, 0, 0)
    assert set((await used(azure_clients)).values()) == {"1.1.0"}


async def test_a_set_that_nothing_watches_cannot_be_rolled(azure_clients: AzureClients) -> None:
    definition = await published(azure_clients, "1.0.0")
    await put(azure_clients, scale_set(azure_clients, {"id": definition}))
    with pytest.raises(HttpResponseError, match="a health probe or health extension was not provided"):
        await azure_clients.compute.virtual_machine_scale_set_rolling_upgrades.begin_start_os_upgrade("rg", "web")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [({"maxBatchInstancePercent": 4}, "between 5 and 100"), ({"pauseTimeBetweenBatches": "soon"}, "no duration of ISO 8601")],
)
async def test_a_policy_that_cannot_be_followed_is_refused(azure_clients: AzureClients, policy: dict[str, Any], expected: str) -> None:
    definition = await published(azure_clients, "1.0.0")
    with pytest.raises(HttpResponseError, match=expected):
        await watched(azure_clients, definition, 1, "Rolling", **policy)
