"""Versions of VM Applications, and the machines that name them, with the official asynchronous client."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from tests.sandbox.bodies import LOCATION, PACKAGE, UBUNTU, application_version, machine, make_group, make_network, put_package
from tests.sandbox_transport import AzureClients

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

BODY: dict[str, Any] = {"location": LOCATION, "properties": {"supportedOSType": "Linux"}}


async def make_version(clients: AzureClients, *regions: str, name: str = "1.0.0", **profile: Any) -> Any:
    body = application_version(put_package(clients.sandbox), *regions, **profile)
    return await (await clients.compute.gallery_application_versions.begin_create_or_update("rg", "gallery", "agent", name, body)).result()


async def make_application(clients: AzureClients) -> str:
    await make_group(clients)
    await (await clients.compute.galleries.begin_create_or_update("rg", "gallery", {"location": LOCATION})).result()
    made = await (await clients.compute.gallery_applications.begin_create_or_update("rg", "gallery", "agent", BODY)).result()
    return str(made.id)


def with_applications(subnet: str, *ids: str) -> dict[str, Any]:
    return machine(subnet, UBUNTU, applicationProfile={"galleryApplications": [{"packageReferenceId": id} for id in ids]})


async def test_a_version_is_replicated_region_by_region(azure_clients: AzureClients) -> None:
    await make_application(azure_clients)
    versions = azure_clients.compute.gallery_application_versions
    body = application_version(put_package(azure_clients.sandbox), "northeurope")
    poller = await versions.begin_create_or_update("rg", "gallery", "agent", "1.0.0", body)
    begun = await versions.get("rg", "gallery", "agent", "1.0.0", expand="ReplicationStatus")
    assert begun.properties.replication_status.aggregated_state == "InProgress"
    await poller.result()
    found = await versions.get("rg", "gallery", "agent", "1.0.0", expand="ReplicationStatus")
    status = found.properties.replication_status
    assert (status.aggregated_state, {one.region: one.state for one in status.summary}) == (
        "Completed",
        {"westeurope": "Completed", "northeurope": "Completed"},
    )
    assert found.properties.publishing_profile.manage_actions.install == "./install.sh"
    assert [one.name async for one in versions.list_by_gallery_application("rg", "gallery", "agent")] == ["1.0.0"]


async def test_regions_and_flags_of_a_version_change_and_its_package_stays(azure_clients: AzureClients) -> None:
    await make_application(azure_clients)
    await make_version(azure_clients)
    update = azure_clients.compute.gallery_application_versions.begin_update
    both = [{"name": "westeurope"}, {"name": "northeurope"}]
    profile: dict[str, Any] = {"targetRegions": both, "excludeFromLatest": True, "enableHealthCheck": True}
    changed = await (await update("rg", "gallery", "agent", "1.0.0", {"properties": {"publishingProfile": profile}})).result()
    shown = changed.properties.publishing_profile
    assert ([one.name for one in shown.target_regions], shown.exclude_from_latest, shown.enable_health_check) == (
        ["West Europe", "North Europe"],
        True,
        True,
    )
    for refused, why in (
        ({"manageActions": {"install": "./other.sh"}}, "manageActions.install"),
        ({"source": {"mediaLink": f"{PACKAGE}.other"}}, "source.mediaLink"),
        ({"targetRegions": both[:1]}, "Complete set of target locations not specified"),
    ):
        with pytest.raises(HttpResponseError, match=why):
            await update("rg", "gallery", "agent", "1.0.0", {"properties": {"publishingProfile": refused}})


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("1.0", {}, "Major"),
        ("1.0.0", {"replicaCount": 4}, "between 1 and 3"),
        ("1.0.0", {"source": {"mediaLink": f"{PACKAGE}.absent"}}, "does not exist"),
        ("1.0.0", {"source": {"mediaLink": "https://elsewhere.blob.core.windows.net/packages/agent.zip"}}, "does not exist"),
        ("1.0.0", {"targetRegions": [{"name": LOCATION, "encryption": {"osDiskImage": {"diskEncryptionSetId": "x"}}}]}, "encryption"),
    ],
)
async def test_what_azure_refuses_of_a_version_is_refused(
    azure_clients: AzureClients, name: str, change: dict[str, Any], expected: str
) -> None:
    await make_application(azure_clients)
    with pytest.raises(HttpResponseError, match=expected):
        await make_version(azure_clients, name=name, **change)


async def test_a_machine_takes_an_application_that_is_in_its_region(azure_clients: AzureClients) -> None:
    application = await make_application(azure_clients)
    await make_version(azure_clients)
    subnet = await make_network(azure_clients)
    machines = azure_clients.compute.virtual_machines
    made = await (await machines.begin_create_or_update("rg", "vm", with_applications(subnet, f"{application}/versions/latest"))).result()
    assert made.application_profile.gallery_applications[0].package_reference_id == f"{application}/versions/latest"


async def test_a_machine_is_refused_an_application_that_it_cannot_have(azure_clients: AzureClients) -> None:
    application = await make_application(azure_clients)
    await make_version(azure_clients)
    subnet = await make_network(azure_clients)
    machines = azure_clients.compute.virtual_machines
    there, absent = f"{application}/versions/1.0.0", f"{application}/versions/2.0.0"
    for ids, expected in (
        ([absent], f"{absent} is not available in westeurope region"),
        ([there.replace("/agent/", "/other/")], "PlatformImageNotFound"),
        ([there, there], "More than one VM Application"),
        ([application], "not a valid gallery application version id"),
        ([there] * 26, "max=25, current=26"),
    ):
        with pytest.raises(HttpResponseError, match=expected):
            await machines.begin_create_or_update("rg", "vm", with_applications(subnet, *ids))
    windows = {"location": LOCATION, "properties": {"supportedOSType": "Windows"}}
    await azure_clients.compute.gallery_applications.begin_create_or_update("rg", "gallery", "tool", windows)
    body = application_version(PACKAGE)
    await (await azure_clients.compute.gallery_application_versions.begin_create_or_update("rg", "gallery", "tool", "1.0.0", body)).result()
    with pytest.raises(HttpResponseError, match="supports OS Windows, while current OSDisk's OS is Linux"):
        await machines.begin_create_or_update("rg", "vm", with_applications(subnet, there.replace("/agent/", "/tool/")))


async def test_a_machine_elsewhere_waits_for_the_replica(azure_clients: AzureClients) -> None:
    application = await make_application(azure_clients)
    await make_version(azure_clients)
    await make_group(azure_clients, "far", "northeurope")
    subnet = await make_network(azure_clients, "far", "northeurope")
    machines = azure_clients.compute.virtual_machines
    body = {**with_applications(subnet, f"{application}/versions/1.0.0"), "location": "northeurope"}
    with pytest.raises(ResourceNotFoundError, match="is not available in northeurope region"):
        await machines.begin_create_or_update("far", "vm", body)
    both = {"properties": {"publishingProfile": {"targetRegions": [{"name": LOCATION}, {"name": "northeurope"}]}}}
    await (await azure_clients.compute.gallery_application_versions.begin_update("rg", "gallery", "agent", "1.0.0", both)).result()
    made = await (await machines.begin_create_or_update("far", "vm", body)).result()
    assert made.provisioning_state == "Succeeded"
