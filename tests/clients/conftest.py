"""All that the sandbox answers is recorded where a test of this session validates it; that test comes last."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

RECORDED = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    validating = [item for item in items if item.get_closest_marker("validates_traffic")]
    if validating and "SANDBOX_RECORD" not in os.environ:
        folder = tempfile.TemporaryDirectory()
        config.stash[RECORDED] = folder
        os.environ["SANDBOX_RECORD"] = str(Path(folder.name) / "traffic.jsonl")
    items[:] = [item for item in items if item not in validating] + validating
