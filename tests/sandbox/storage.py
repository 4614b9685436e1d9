"""Storage accounts for what is imported, made through the sandbox's own front door."""

from __future__ import annotations

from azure.storage.blob import BlobServiceClient

from include.sandbox.sandbox import Sandbox
from tests.sandbox_transport import SyncSandboxTransport

from .bodies import LOCATION
from .vaults import send

VERSION = "2023-05-01"


def make_account(sandbox: Sandbox, id: str, location: str = LOCATION) -> str:
    """A storage account of that id."""
    body = {"location": location, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
    answer = send(sandbox, "PUT", id, body, VERSION)
    assert answer.status == 202, answer.body
    return id


def blobs_of(sandbox: Sandbox, account: str) -> BlobServiceClient:
    """The blobs of the account of that id, by its first key."""
    key = send(sandbox, "POST", f"{account}/listKeys", version=VERSION).json()["keys"][0]["value"]
    url = f"https://{account.rsplit('/', 1)[1]}.blob.core.windows.net"
    return BlobServiceClient(url, key, transport=SyncSandboxTransport(sandbox), retry_total=0)
