"""Key vaults and their keys as Resource Manager has them, and the disk encryption sets that name them."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from include.sandbox.sandbox import Sandbox
from tests.sandbox.bodies import LOCATION
from tests.sandbox.sync_machines import Azure
from tests.sandbox.vaults import KEY_BODY, USES, grant, make_key, send, vault_body

DAY = 86_400


@pytest.fixture
def azure() -> Azure:
    return Azure()


def root(sandbox: Sandbox) -> str:
    return f"/subscriptions/{sandbox.subscription_id}"


def vault_id(sandbox: Sandbox, name: str = "keys-of-ours", group: str = "rg") -> str:
    return f"{root(sandbox)}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{name}"


def made(sandbox: Sandbox, name: str = "keys-of-ours", **properties: Any) -> str:
    answer = send(sandbox, "PUT", vault_id(sandbox, name), vault_body(sandbox, LOCATION, **properties))
    assert answer.status == 200, answer.body
    return vault_id(sandbox, name)


def code(answer: Any) -> str:
    return f"{answer.status} {answer.json()['error']['code']}"


def test_a_vault_registers_its_name_and_is_shown_as_it_was_put(azure: Azure) -> None:
    sandbox = azure.sandbox
    id = made(sandbox, enabledForDeployment=True)
    assert send(sandbox, "GET", id).json()["properties"]["provisioningState"] == "RegisteringDns"
    sandbox.skip(100)
    shown = send(sandbox, "GET", id).json()["properties"]
    assert (shown["provisioningState"], shown["vaultUri"]) == ("Succeeded", "https://keys-of-ours.vault.azure.net/")
    assert (shown["enableSoftDelete"], shown["softDeleteRetentionInDays"], shown["enabledForDeployment"]) == (True, 90, True)
    listed = send(sandbox, "GET", f"{root(sandbox)}/providers/Microsoft.KeyVault/vaults").json()["value"]
    assert [one["id"] for one in listed] == [id]
    assert [one.type for one in azure.resources.resources.list_by_resource_group("rg")] == ["Microsoft.KeyVault/vaults"]
    provider = azure.resources.providers.get("Microsoft.KeyVault")
    assert {"vaults", "vaults/keys", "vaults/accessPolicies"} <= {one.resource_type for one in provider.resource_types}


def test_access_is_by_roles_since_the_api_version_that_made_it_the_default(azure: Azure) -> None:
    body = vault_body(azure.sandbox, LOCATION)
    del body["properties"]["enableRbacAuthorization"]
    for version, expected in (("2024-11-01", False), ("2026-02-01", True)):
        id = vault_id(azure.sandbox, f"made-{version[:4]}")
        assert send(azure.sandbox, "PUT", id, body, version).json()["properties"]["enableRbacAuthorization"] is expected


def test_names_are_valid_and_nobody_elses(azure: Azure) -> None:
    made(azure.sandbox)
    azure.resources.resource_groups.create_or_update("other", {"location": LOCATION})
    again = send(azure.sandbox, "PUT", vault_id(azure.sandbox, group="other"), vault_body(azure.sandbox, LOCATION))
    assert code(again) == "409 VaultAlreadyExists"
    assert code(send(azure.sandbox, "PUT", vault_id(azure.sandbox, "1st"), vault_body(azure.sandbox, LOCATION))) == "400 VaultNameNotValid"
    check = f"{root(azure.sandbox)}/providers/Microsoft.KeyVault/checkNameAvailability"
    for name, expected in (("free-name", None), ("keys-of-ours", "AlreadyExists"), ("a--b", "AccountNameInvalid")):
        told = send(azure.sandbox, "POST", check, {"name": name, "type": "Microsoft.KeyVault/vaults"}).json()
        assert (told["nameAvailable"], told.get("reason")) == (expected is None, expected)


def test_protection_is_never_taken_back(azure: Azure) -> None:
    id = made(azure.sandbox)
    for change in ({"enablePurgeProtection": False}, {"enableSoftDelete": False}, {"softDeleteRetentionInDays": 7}):
        assert code(send(azure.sandbox, "PATCH", id, {"properties": change})) == "400 BadRequest"
    changed = send(azure.sandbox, "PATCH", id, {"tags": {"a": "b"}, "properties": {"enabledForTemplateDeployment": True}}).json()
    assert (changed["tags"], changed["properties"]["enabledForTemplateDeployment"]) == ({"a": "b"}, True)
    assert changed["properties"]["enablePurgeProtection"] is True


def test_access_policies_are_added_replaced_and_removed(azure: Azure) -> None:
    id = made(azure.sandbox)

    def held() -> dict[str, list[str]]:
        policies = send(azure.sandbox, "GET", id).json()["properties"]["accessPolicies"]
        return {one["objectId"]: one["permissions"]["keys"] for one in policies}

    grant(azure.sandbox, id, "one", ["get"])
    grant(azure.sandbox, id, "one", ["list"])
    grant(azure.sandbox, id, "two", ["get"])
    assert held() == {"one": ["get", "list"], "two": ["get"]}
    grant(azure.sandbox, id, "one", ["sign"], "replace")
    grant(azure.sandbox, id, "two", ["get"], "remove")
    assert held() == {"one": ["sign"]}
    assert code(send(azure.sandbox, "GET", f"{id}/accessPolicies")) == "404 InvalidResourceType"


@pytest.mark.parametrize("how", ["vault", "group"])
def test_a_deleted_vault_is_kept_recovered_with_its_keys_and_purged(azure: Azure, how: str) -> None:
    sandbox = azure.sandbox
    key = make_key(sandbox, vault_id(sandbox), LOCATION, enablePurgeProtection=None)
    if how == "vault":
        assert send(sandbox, "DELETE", vault_id(sandbox)).status == 200
    else:
        azure.resources.resource_groups.begin_delete("rg").result()
        azure.resources.resource_groups.create_or_update("rg", {"location": LOCATION})
    kept = f"{root(sandbox)}/providers/Microsoft.KeyVault/locations/{LOCATION}/deletedVaults/keys-of-ours"
    assert send(sandbox, "GET", kept).json()["properties"]["vaultId"] == vault_id(sandbox)
    listed = send(sandbox, "GET", f"{root(sandbox)}/providers/Microsoft.KeyVault/deletedVaults").json()["value"]
    assert [one["name"] for one in listed] == ["keys-of-ours"]
    assert code(send(sandbox, "PUT", vault_id(sandbox), vault_body(sandbox, LOCATION))) == "409 ConflictError"
    never = send(sandbox, "PUT", vault_id(sandbox, "never-made"), vault_body(sandbox, LOCATION, createMode="recover"))
    assert code(never) == "400 SoftDeletedVaultDoesNotExist"
    assert send(sandbox, "PUT", vault_id(sandbox), vault_body(sandbox, LOCATION, createMode="recover")).status == 200
    again = send(sandbox, "GET", f"{vault_id(sandbox)}/keys/key0").json()
    assert again["properties"]["keyUriWithVersion"] == key["keyUrl"]
    send(sandbox, "DELETE", vault_id(sandbox))
    assert send(sandbox, "POST", f"{kept}/purge").status == 200
    assert code(send(sandbox, "GET", kept)) == "404 DeletedVaultNotFound"
    made(sandbox)


def test_a_protected_vault_goes_when_its_days_are_over(azure: Azure) -> None:
    sandbox = azure.sandbox
    send(sandbox, "DELETE", made(sandbox, softDeleteRetentionInDays=7))
    kept = f"{root(sandbox)}/providers/Microsoft.KeyVault/locations/{LOCATION}/deletedVaults/keys-of-ours"
    assert code(send(sandbox, "POST", f"{kept}/purge")) == "405 MethodNotAllowed"
    sandbox.skip(8 * DAY)
    assert send(sandbox, "GET", kept).status == 404


def test_a_key_is_made_once_and_has_versions(azure: Azure) -> None:
    id = f"{made(azure.sandbox)}/keys/one"
    first = send(azure.sandbox, "PUT", id, KEY_BODY).json()["properties"]
    assert (first["kty"], first["keySize"], first["keyUri"]) == ("RSA", 3072, "https://keys-of-ours.vault.azure.net/keys/one")
    other = {"properties": {"kty": "EC", "curveName": "P-256"}}
    assert send(azure.sandbox, "PUT", id, other).json()["properties"] == first  # no write, by the operation's description
    (version,) = send(azure.sandbox, "GET", f"{id}/versions").json()["value"]
    assert version["properties"]["keyUriWithVersion"] == first["keyUriWithVersion"]
    assert send(azure.sandbox, "GET", version["id"]).status == 200
    assert [one["name"] for one in send(azure.sandbox, "GET", id.rpartition("/")[0]).json()["value"]] == ["one"]
    assert code(send(azure.sandbox, "PUT", f"{made(azure.sandbox)}/keys/hsm", {"properties": {"kty": "RSA-HSM"}})) == "400 BadRequest"


def encryption_set(azure: Azure, key: dict[str, Any], name: str = "set", **more: Any) -> Any:
    properties = {"activeKey": key, **more.pop("properties", {})}
    body = {"location": LOCATION, "identity": {"type": "SystemAssigned"}, "properties": properties, **more}
    return azure.compute.disk_encryption_sets.begin_create_or_update("rg", name, body).result()


def refusal(act: Any) -> tuple[str, str]:
    with pytest.raises(HttpResponseError) as refused:
        act()
    error = refused.value.error
    assert error is not None
    return str(error.code), str(error.message)


def test_a_set_names_a_key_that_is_there_and_encrypts_where_its_vault_is_protected_and_of_its_region(azure: Azure) -> None:
    sandbox = azure.sandbox
    key = make_key(sandbox, vault_id(sandbox), LOCATION)
    assert refusal(lambda: encryption_set(azure, {"keyUrl": "https://nobodys.vault.azure.net/keys/k/1"}))[0] == "KeyVaultNotFound"
    assert refusal(lambda: encryption_set(azure, {**key, "keyUrl": key["keyUrl"] + "0"}))[0] == "KeyNotFound"
    open_key = make_key(sandbox, vault_id(sandbox, "unprotected"), LOCATION, enablePurgeProtection=None)
    far_key = make_key(sandbox, vault_id(sandbox, "far-away"), "northeurope")
    refused = {"open": (open_key, "KeyVaultNotPurgeProtectionEnabled"), "far": (far_key, "KeyVaultAndDiskInDifferentRegions")}
    for name, (own_key, expected) in refused.items():
        own = encryption_set(azure, own_key, name)
        assert own.provisioning_state == "Succeeded"
        encryption = {"type": "EncryptionAtRestWithCustomerKey", "diskEncryptionSetId": own.id}
        assert refusal(lambda encryption=encryption: azure.disk(encryption=encryption))[0] == expected
    assert encryption_set(azure, key).active_key.key_url == key["keyUrl"]
    assert encryption_set(azure, {"keyUrl": key["keyUrl"]}, "without-vault").provisioning_state == "Succeeded"


def test_a_set_encrypts_what_is_in_its_region(azure: Azure) -> None:
    key = make_key(azure.sandbox, vault_id(azure.sandbox), "northeurope")
    own = encryption_set(azure, key, location="northeurope")
    what, why = refusal(lambda: azure.disk(encryption={"type": "EncryptionAtRestWithCustomerKey", "diskEncryptionSetId": own.id}))
    assert what == "BadRequest"
    assert f"disk encryption set 'set' is in region 'northeurope'; what names it is in '{LOCATION}'" in why


def test_nothing_is_encrypted_before_the_sets_identity_may_use_the_key(azure: Azure) -> None:
    vault = vault_id(azure.sandbox)
    own = encryption_set(azure, make_key(azure.sandbox, vault, LOCATION))

    def disk() -> Any:
        return azure.disk(encryption={"type": "EncryptionAtRestWithCustomerKey", "diskEncryptionSetId": own.id})

    what, why = refusal(disk)
    assert what == "KeyVaultAccessForbidden"
    assert "disk encryption set 'set'" in why
    grant(azure.sandbox, vault, own.identity.principal_id, USES[:2])
    assert refusal(disk)[0] == "KeyVaultAccessForbidden"
    grant(azure.sandbox, vault, own.identity.principal_id, USES[2:])
    assert disk().encryption.disk_encryption_set_id == own.id


def test_a_user_assigned_identity_needs_its_rights_first(azure: Azure) -> None:
    vault = vault_id(azure.sandbox)
    key = make_key(azure.sandbox, vault, LOCATION)
    person = f"{root(azure.sandbox)}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader"
    principal = send(azure.sandbox, "PUT", person, {"location": LOCATION}, "2023-01-31").json()["properties"]["principalId"]
    identity = {"type": "UserAssigned", "userAssignedIdentities": {person: {}}}
    what, why = refusal(lambda: encryption_set(azure, key, identity=identity))
    assert what == "KeyVaultAccessForbidden"
    assert f"user-assigned identity '{person}'" in why
    grant(azure.sandbox, vault, principal)
    assert encryption_set(azure, key, identity=identity).provisioning_state == "Succeeded"


def test_a_vault_that_asks_roles_takes_no_access_policy(azure: Azure) -> None:
    vault = vault_id(azure.sandbox)
    own = encryption_set(azure, make_key(azure.sandbox, vault, LOCATION, enableRbacAuthorization=True))
    grant(azure.sandbox, vault, own.identity.principal_id)

    def disk() -> Any:
        return azure.disk(encryption={"type": "EncryptionAtRestWithCustomerKey", "diskEncryptionSetId": own.id})

    assert refusal(disk)[0] == "KeyVaultAccessForbidden"
    role = f"{root(azure.sandbox)}/providers/Microsoft.Authorization/roleDefinitions/e147488a-f6f5-4113-8e2d-b22465e65bf6"
    assigned = {"roleDefinitionId": role, "principalId": own.identity.principal_id, "principalType": "ServicePrincipal"}
    id = f"{vault}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-0000-0000-000000000001"
    assert send(azure.sandbox, "PUT", id, {"properties": assigned}, "2022-04-01").status == 201
    assert disk().encryption.disk_encryption_set_id == own.id


def test_a_set_follows_the_rotation_of_its_key_where_it_is_told_to(azure: Azure) -> None:
    made(azure.sandbox)
    action = {"trigger": {"timeAfterCreate": "P30D"}, "action": {"type": "rotate"}}
    rotated = {"properties": {"kty": "RSA", "rotationPolicy": {"lifetimeActions": [action]}}}
    first = send(azure.sandbox, "PUT", f"{vault_id(azure.sandbox)}/keys/turning", rotated).json()["properties"]
    following = encryption_set(azure, {"keyUrl": first["keyUri"]}, "following", properties={"rotationToLatestKeyVersionEnabled": True})
    assert following.active_key.key_url == first["keyUriWithVersion"]
    staying = encryption_set(azure, {"keyUrl": first["keyUriWithVersion"]}, "staying")
    assert refusal(lambda: encryption_set(azure, {"keyUrl": first["keyUri"]}, "neither"))[0] == "InvalidParameter"
    azure.sandbox.skip(31 * DAY)
    second = send(azure.sandbox, "GET", f"{vault_id(azure.sandbox)}/keys/turning").json()["properties"]["keyUriWithVersion"]
    assert second != first["keyUriWithVersion"]
    following = azure.compute.disk_encryption_sets.get("rg", "following")
    assert following.active_key.key_url == second
    assert following.last_key_rotation_timestamp is not None
    assert azure.compute.disk_encryption_sets.get("rg", "staying").active_key.key_url == staying.active_key.key_url
