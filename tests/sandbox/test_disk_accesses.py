"""Disk accesses, and the disks and snapshots that name one. Held against the official SDK."""

from __future__ import annotations

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from .bodies import LOCATION
from .sync_machines import Azure


def private(azure: Azure, name: str = "access", location: str = LOCATION) -> dict[str, object]:
    """An empty disk's body that names a disk access."""
    root = azure.resources.resource_groups.get("rg").id
    access = f"{root}/providers/Microsoft.Compute/diskAccesses/{name}"
    return {
        "location": location,
        "properties": {
            "creationData": {"createOption": "Empty"},
            "diskSizeGB": 4,
            "networkAccessPolicy": "AllowPrivate",
            "diskAccessId": access,
        },
    }


def test_a_disk_access_is_made_and_tagged_and_has_its_link() -> None:
    accesses = Azure().compute.disk_accesses
    made = accesses.begin_create_or_update("rg", "access", {"location": LOCATION}).result()
    assert (made.provisioning_state, made.private_endpoint_connections, made.tags) == ("Succeeded", None, None)
    assert accesses.begin_update("rg", "access", {"tags": {"a": "b"}}).result().tags == {"a": "b"}
    assert [one.name for one in accesses.list_by_resource_group("rg")] == ["access"]
    link = accesses.get_private_link_resources("rg", "access").value[0]
    assert (link.group_id, link.required_zone_names) == ("disks", ["privatelink.blob.core.windows.net"])
    assert list(accesses.list_private_endpoint_connections("rg", "access")) == []
    state = {"properties": {"privateLinkServiceConnectionState": {"status": "Approved"}}}
    with pytest.raises(ResourceNotFoundError):
        accesses.begin_update_a_private_endpoint_connection("rg", "access", "endpoint", state)


@pytest.mark.parametrize("kind", ["disks", "snapshots"])
def test_what_is_private_names_an_access_that_is_there_and_keeps_it(kind: str) -> None:
    azure = Azure()
    operations = getattr(azure.compute, kind)
    with pytest.raises(ResourceNotFoundError):
        operations.begin_create_or_update("rg", "one", private(azure))
    azure.compute.disk_accesses.begin_create_or_update("rg", "access", {"location": LOCATION}).result()
    made = operations.begin_create_or_update("rg", "one", private(azure)).result()
    assert made.network_access_policy == "AllowPrivate"
    with pytest.raises(HttpResponseError) as refused:
        azure.compute.disk_accesses.begin_delete("rg", "access")
    assert refused.value.error.code == "OperationNotAllowed"
    operations.begin_delete("rg", "one").result()
    azure.compute.disk_accesses.begin_delete("rg", "access").result()
    with pytest.raises(ResourceNotFoundError):
        azure.compute.disk_accesses.get("rg", "access")


def test_a_disk_and_its_access_are_in_one_region() -> None:
    azure = Azure()
    azure.compute.disk_accesses.begin_create_or_update("rg", "access", {"location": LOCATION}).result()
    with pytest.raises(HttpResponseError) as refused:
        azure.compute.disks.begin_create_or_update("rg", "far", private(azure, location="northeurope"))
    assert (refused.value.error.code, refused.value.error.target) == ("BadRequest", "diskAccessId")
