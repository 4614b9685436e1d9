"""Machine extensions looked up with the official client."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.mgmt.compute import ComputeManagementClient

from tests.sandbox.bodies import LOCATION
from tests.sandbox_transport import make_sync_sandbox, sync_client


@pytest.fixture
def images() -> Any:
    return sync_client(ComputeManagementClient, make_sync_sandbox()).virtual_machine_extension_images


def test_types_versions_and_one_version(images: Any) -> None:
    assert "VMAccessAgent" in [one.name for one in images.list_types(LOCATION, "Microsoft.Compute")]
    versions = [one.name for one in images.list_versions(LOCATION, "Microsoft.Azure.Extensions", "CustomScript")]
    found = images.get(LOCATION, "microsoft.azure.extensions", "customscript", versions[-1])
    assert (found.name, found.operating_system, found.compute_role) == (versions[-1], "Linux", "IaaS")


@pytest.mark.parametrize(
    "asked",
    [
        lambda images: list(images.list_types(LOCATION, "Nobody")),
        lambda images: list(images.list_versions(LOCATION, "Microsoft.Compute", "Nothing")),
        lambda images: images.get(LOCATION, "Microsoft.Compute", "VMAccessAgent", "0.0.0"),
    ],
)
def test_what_is_not_there_is_not_found(images: Any, asked: Any) -> None:
    with pytest.raises(ResourceNotFoundError, match="Artifact: VMExtension was not found"):
        asked(images)
