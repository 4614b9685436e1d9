"""Management locks through the official client: what they are, and what they stop."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource.locks import ManagementLockClient
from azure.mgmt.resource.resources import ResourceManagementClient

from include.sandbox.sandbox import Sandbox
from tests.sandbox_transport import make_sync_sandbox, sync_client

DELETE = {"level": "CanNotDelete", "notes": "keep"}


@pytest.fixture
def sandbox() -> Sandbox:
    return make_sync_sandbox()


@pytest.fixture
def locks(sandbox: Sandbox) -> Any:
    return sync_client(ManagementLockClient, sandbox).management_locks


@pytest.fixture
def groups(sandbox: Sandbox) -> Any:
    groups = sync_client(ResourceManagementClient, sandbox).resource_groups
    groups.create_or_update("rg", {"location": "westeurope"})
    return groups


@pytest.fixture
def networks(sandbox: Sandbox, groups: Any) -> Any:
    networks = sync_client(NetworkManagementClient, sandbox).virtual_networks
    body = {"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}
    networks.begin_create_or_update("rg", "vnet", body).result()
    return networks


def test_a_lock_is_made_changed_listed_and_deleted_at_every_level(locks: Any, networks: Any) -> None:
    locks.create_or_update_at_subscription_level("all", DELETE)
    locks.create_or_update_at_resource_group_level("rg", "group", DELETE)
    target = ("rg", "Microsoft.Network", "", "virtualNetworks", "vnet")
    made = locks.create_or_update_at_resource_level(*target, "one", DELETE)
    assert (made.level, made.notes, made.type) == ("CanNotDelete", "keep", "Microsoft.Authorization/locks")
    assert made.id.endswith("/providers/Microsoft.Network/virtualNetworks/vnet/providers/Microsoft.Authorization/locks/one")

    assert locks.create_or_update_at_resource_level(*target, "one", {"level": "ReadOnly"}).level == "ReadOnly"
    assert locks.get_at_resource_level(*target, "one").level == "ReadOnly"
    assert [one.name for one in locks.list_at_resource_level(*target)] == ["one"]
    assert [one.name for one in locks.list_at_resource_level(*target, filter="atScope()")] == ["all", "group", "one"]
    assert [one.name for one in locks.list_at_resource_group_level("rg")] == ["group", "one"]
    assert [one.name for one in locks.list_at_subscription_level()] == ["all", "group", "one"]

    locks.delete_at_resource_level(*target, "one")
    locks.delete_at_resource_group_level("rg", "group")
    locks.delete_at_subscription_level("all")
    assert list(locks.list_at_subscription_level()) == []


def test_a_lock_on_a_resource_stops_the_deletion_of_its_group(locks: Any, networks: Any, groups: Any) -> None:
    lock = locks.create_or_update_at_resource_level("rg", "Microsoft.Network", "", "virtualNetworks", "vnet", "keep", DELETE)
    for delete in (lambda: groups.begin_delete("rg"), lambda: networks.begin_delete("rg", "vnet")):
        with pytest.raises(ResourceExistsError) as refused:
            delete()
        assert refused.value.error.code == "ScopeLocked"
        assert "cannot perform delete operation because following scope(s) are locked" in str(refused.value)
    networks.update_tags("rg", "vnet", {"tags": {"a": "b"}})  # CanNotDelete lets writes pass
    locks.delete_by_scope(lock.id.split("/providers/Microsoft.Authorization/")[0].lstrip("/"), "keep")
    groups.begin_delete("rg").result()


def test_a_read_only_lock_stops_writes_below_it(locks: Any, networks: Any) -> None:
    locks.create_or_update_at_resource_group_level("rg", "frozen", {"level": "ReadOnly"})
    with pytest.raises(ResourceExistsError) as refused:
        networks.update_tags("rg", "vnet", {"tags": {"a": "b"}})
    assert refused.value.error.code == "ScopeLocked"
    assert "write" in str(refused.value)
    assert networks.get("rg", "vnet").name == "vnet"


def test_locks_go_with_what_they_were_on(locks: Any, networks: Any, groups: Any, sandbox: Sandbox) -> None:
    locks.create_or_update_at_resource_group_level("rg", "group", {"level": "ReadOnly"})
    locks.delete_at_resource_group_level("rg", "group")
    groups.begin_delete("rg").result()
    assert sandbox.store.resources == {}


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda locks: locks.create_or_update_at_resource_group_level("rg", "x", {"level": "Sometimes"}), "InvalidLockLevel"),
        (lambda locks: locks.get_at_resource_group_level("rg", "none"), "LockNotFound"),
        (lambda locks: locks.create_or_update_at_resource_group_level("none", "x", DELETE), "ResourceGroupNotFound"),
        (
            lambda locks: locks.create_or_update_at_resource_level("rg", "Microsoft.Network", "", "virtualNetworks", "no", "x", DELETE),
            "ResourceNotFound",
        ),
    ],
)
def test_a_wrong_lock_is_refused(locks: Any, groups: Any, act: Any, code: str) -> None:
    with pytest.raises((HttpResponseError, ResourceNotFoundError)) as refused:
        act(locks)
    assert refused.value.error.code == code
