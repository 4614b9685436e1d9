"""Key vaults by the official SDK that comes with az: declared.py says what its models say, and its client is content."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from include.demo.settings import PROJECT
from include.sandbox.declared import VAULTS, members_of

from .behind import behind_sandbox
from .judges import python_environment

pytestmark = [pytest.mark.clients, pytest.mark.slow]

# Prints the settable members of the SDK's models, by model: [name, required] each.
READ = """
import json, sys, typing
from azure.mgmt.keyvault import models
found = {}
for title in sys.argv[1:]:
    members = {}
    for owner in reversed(getattr(models, title).__mro__):
        for attribute, declared in vars(owner).items():
            if hasattr(declared, "_rest_name_input") and declared._visibility != ["read"]:
                optional = type(None) in typing.get_args(owner.__annotations__.get(attribute))
                members[declared._rest_name_input or attribute] = not optional
    found[title] = members
print(json.dumps(found))
"""

# Makes a vault and a key, deletes the vault, recovers and shows it.
USE = """
import os
import msal
from azure.core.credentials import AccessToken
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
subscription, tenant = os.environ["AZURE_SUBSCRIPTION_ID"], os.environ["AZURE_TENANT_ID"]


class Application:
    def get_token(self, *scopes, **options):
        authority = f"https://login.microsoftonline.com/{tenant}"
        secret = os.environ["AZURE_CLIENT_SECRET"]
        app = msal.ConfidentialClientApplication(os.environ["AZURE_CLIENT_ID"], client_credential=secret, authority=authority)
        token = app.acquire_token_for_client(list(scopes))
        return AccessToken(token["access_token"], 2**33)


credential = Application()
ResourceManagementClient(credential, subscription).resource_groups.create_or_update("vaults", {"location": "westeurope"})
client = KeyVaultManagementClient(credential, subscription)
properties = {"tenantId": tenant, "sku": {"family": "A", "name": "standard"}, "accessPolicies": [], "enablePurgeProtection": True}
body = {"location": "westeurope", "properties": properties}
made = client.vaults.begin_create_or_update("vaults", "made-by-sdk", body).result()
print(made.properties["provisioningState"], made.properties.vault_uri)
key = client.keys.create_if_not_exist("vaults", "made-by-sdk", "images", {"properties": {"kty": "RSA"}})
print(key.name, [one.name for one in client.keys.list("vaults", "made-by-sdk")])
client.vaults.delete("vaults", "made-by-sdk")
print([one.name for one in client.vaults.list_deleted()], client.vaults.get_deleted("made-by-sdk", "westeurope").properties.location)
recovered = client.vaults.begin_create_or_update("vaults", "made-by-sdk", {**body, "properties": {**properties, "createMode": "recover"}})
print(recovered.result().name, client.keys.get("vaults", "made-by-sdk", "images").properties["kty"])
print(client.vaults.check_name_availability({"name": "made-by-sdk", "type": "Microsoft.KeyVault/vaults"})["reason"])
"""


def test_what_is_written_down_is_what_the_sdks_models_say() -> None:
    python = python_environment("az") / "bin" / "python"
    models = members_of(VAULTS)
    done = subprocess.run([str(python), "-c", READ, *models], capture_output=True, text=True, timeout=300, check=True)
    told = json.loads(done.stdout)
    ours = {title: {name: required for name, required, _ in members} for title, members in models.items()}
    assert ours == told


def test_the_official_client_makes_deletes_and_recovers_a_vault(tmp_path: Path) -> None:
    python = python_environment("az") / "bin" / "python"
    words = behind_sandbox(tmp_path, str(python), "-c", USE)
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.splitlines() == [
        "Succeeded https://made-by-sdk.vault.azure.net/",
        "images ['images']",
        "['made-by-sdk'] westeurope",
        "made-by-sdk RSA",
        "AlreadyExists",
    ], done.stderr
