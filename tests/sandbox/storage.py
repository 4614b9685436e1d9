"""Storage accounts for what is imported, made through the sandbox's own front door."""

from __future__ import annotations

from include.sandbox.sandbox import Sandbox

from .bodies import LOCATION
from .vaults import send


def make_account(sandbox: Sandbox, id: str, location: str = LOCATION) -> str:
    """A storage account of that id; `devstorage` is then the account that the sandbox keeps blobs in anyway."""
    body = {"location": location, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
    answer = send(sandbox, "PUT", id, body, "2023-05-01")
    assert answer.status == 202, answer.body
    return id
