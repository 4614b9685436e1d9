"""VM Applications' definitions in a gallery, with the official client."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient

from tests.sandbox.bodies import LOCATION
from tests.sandbox_transport import StaticCredential, SyncSandboxTransport, make_sync_sandbox

BODY: dict[str, Any] = {"location": LOCATION, "properties": {"supportedOSType": "Linux", "description": "An agent."}}


@pytest.fixture
def compute() -> ComputeManagementClient:
    sandbox = make_sync_sandbox()
    transport = SyncSandboxTransport(sandbox)
    resources = ResourceManagementClient(StaticCredential(), sandbox.subscription_id, transport=transport)
    resources.resource_groups.create_or_update("rg", {"location": LOCATION})
    made = ComputeManagementClient(StaticCredential(), sandbox.subscription_id, transport=transport)
    made.galleries.begin_create_or_update("rg", "gallery", {"location": LOCATION}).result()
    return made


def test_an_application_is_made_read_listed_changed_and_deleted(compute: ComputeManagementClient) -> None:
    applications = compute.gallery_applications
    made = applications.begin_create_or_update("rg", "gallery", "agent", BODY).result()
    assert made.properties is not None
    assert (made.properties.supported_os_type, made.properties.description) == ("Linux", "An agent.")
    changed = {"tags": {"owner": "me"}, "properties": {"supportedOSType": "Linux", "description": "Another."}}
    applications.begin_update("rg", "gallery", "agent", changed).result()
    found = applications.get("rg", "gallery", "agent")
    assert found.properties is not None
    assert (found.tags, found.properties.description) == ({"owner": "me"}, "Another.")
    assert [one.name for one in applications.list_by_gallery("rg", "gallery")] == ["agent"]
    applications.begin_delete("rg", "gallery", "agent").result()
    with pytest.raises(ResourceNotFoundError):
        applications.get("rg", "gallery", "agent")


def test_a_gallery_goes_after_its_applications(compute: ComputeManagementClient) -> None:
    compute.gallery_applications.begin_create_or_update("rg", "gallery", "agent", BODY).result()
    with pytest.raises(ResourceExistsError, match="galleries/gallery/applications/agent"):
        compute.galleries.begin_delete("rg", "gallery")


def test_an_applications_system_stays(compute: ComputeManagementClient) -> None:
    compute.gallery_applications.begin_create_or_update("rg", "gallery", "agent", BODY).result()
    with pytest.raises(HttpResponseError, match="supportedOSType"):
        compute.gallery_applications.begin_create_or_update(
            "rg", "gallery", "agent", {"location": LOCATION, "properties": {"supportedOSType": "Windows"}}
        )


def test_an_applications_versions_are_refused(compute: ComputeManagementClient) -> None:
    compute.gallery_applications.begin_create_or_update("rg", "gallery", "agent", BODY).result()
    with pytest.raises(ResourceNotFoundError, match="InvalidResourceType"):
        compute.gallery_application_versions.get("rg", "gallery", "agent", "1.0.0")
