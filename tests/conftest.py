"""The order of the suite, and fixtures for all of it: a sandbox in this process, the official clients on it, and what was answered."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from include.sandbox.sandbox import Sandbox
from tests.recording import Recording, record_into
from tests.sandbox_transport import AzureClients, azure_clients_on, make_sandbox
from tests.workers import ByAirflow, place


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=place)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByAirflow:
    config.option.loadscopereorder = False  # the order above holds
    return ByAirflow(config, log)


@pytest.fixture(scope="session", autouse=True)
def recording(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording | None]:
    """All that any sandbox answers in this session, where one of its tests judges it."""
    if not any(item.get_closest_marker("validates_traffic") for item in request.session.items):
        yield None
        return
    folder = tmp_path_factory.getbasetemp()
    with record_into(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) as recording:
        yield recording


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
