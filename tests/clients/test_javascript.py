"""The official JavaScript clients, unconfigured, behind `sandbox exec`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from include.demo.settings import PROJECT

from .behind import behind_sandbox
from .judges import node_packages

pytestmark = [pytest.mark.clients, pytest.mark.slow]


def test_javascript_publishes_an_image_version(tmp_path: Path) -> None:
    packages = node_packages("javascript")
    script = str(Path(__file__).parent / "javascript" / "gallery.mjs")
    words = behind_sandbox(tmp_path, "node", script, f"{packages}/")
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, timeout=600, check=False)
    published, absent, exists = done.stdout.splitlines() or pytest.fail(done.stderr)
    assert json.loads(published) == {"state": "Succeeded", "replication": "Completed", "names": ["1.0.0"]}
    assert (absent, exists) == ("ResourceNotFound", "false")
