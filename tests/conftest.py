"""Fixtures for the whole suite: a sandbox in this process, and the official clients on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from include.sandbox.sandbox import Sandbox
from tests.sandbox_transport import AzureClients, azure_clients_on, make_sandbox


@pytest.fixture
def sandbox() -> Sandbox:
    """A sandbox whose clock is the event loop's (virtual under `@pytest.mark.looptime`)."""
    return make_sandbox()


@pytest_asyncio.fixture
async def azure_clients(sandbox: Sandbox) -> AsyncIterator[AzureClients]:
    """The official async clients of compute, resources and network on the `sandbox` fixture."""
    clients = azure_clients_on(sandbox)
    yield clients
    await clients.close()
