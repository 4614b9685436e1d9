"""VM Applications in a gallery, with the official synchronous client."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient

from include.sandbox.sandbox import Sandbox
from tests.sandbox.bodies import LOCATION, application_version, put_package
from tests.sandbox_transport import StaticCredential, SyncSandboxTransport, make_sync_sandbox

BODY: dict[str, Any] = {"location": LOCATION, "properties": {"supportedOSType": "Linux", "description": "An agent."}}


@pytest.fixture
def sandbox() -> Sandbox:
    return make_sync_sandbox()


@pytest.fixture
def compute(sandbox: Sandbox) -> ComputeManagementClient:
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


def test_the_synchronous_client_makes_and_deletes_a_version(compute: ComputeManagementClient, sandbox: Sandbox) -> None:
    compute.gallery_applications.begin_create_or_update("rg", "gallery", "agent", BODY).result()
    versions = compute.gallery_application_versions
    made = versions.begin_create_or_update("rg", "gallery", "agent", "1.0.0", application_version(put_package(sandbox))).result()
    assert (made.name, made.properties.provisioning_state) == ("1.0.0", "Succeeded")
    with pytest.raises(ResourceExistsError, match=r"applications/agent/versions/1\.0\.0"):
        compute.gallery_applications.begin_delete("rg", "gallery", "agent")
    versions.begin_delete("rg", "gallery", "agent", "1.0.0").result()
    compute.gallery_applications.begin_delete("rg", "gallery", "agent").result()
    with pytest.raises(ResourceNotFoundError):
        versions.get("rg", "gallery", "agent", "1.0.0")
