"""The steps are tried on virtual time, each test in a process that has seen no operation yet."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.steps import polling


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every coroutine test here runs under looptime; a marked plain function would leave an event loop unclosed."""
    for item in items:
        if Path(__file__).parent in item.path.parents and inspect.iscoroutinefunction(getattr(item, "function", None)):
            item.add_marker(pytest.mark.looptime)


@pytest.fixture(autouse=True)
def no_durations_learnt() -> Iterator[None]:
    polling.DURATIONS._seen.clear()
    yield
    polling.DURATIONS._seen.clear()


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a catalogue of the test's own, empty."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    monkeypatch.setenv("IMAGE_FACTORY_RECIPES", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder
