"""Microsoft's own live tests of azure-mgmt-compute 30.0.0, as they are in its source distribution, against the sandbox.

They are fetched when this first runs and are no part of the project. `live/devtools_testutils.py` stands in for the test tools they import.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

from include.demo.settings import PROJECT

from .behind import behind_sandbox
from .judges import JUDGES, installed, one_at_a_time, python_environment

pytestmark = [pytest.mark.clients, pytest.mark.slow]

RELEASE = "azure-mgmt-compute==30.0.0"
FILES = ("test_mgmt_compute_galleries.py", "test_mgmt_compute_vm.py", "test_mgmt_compute_disks.py")
WITHIN = 900  # seconds for all of them, on a machine that others use, too


def sources() -> Path:
    """The folder of the release's own tests, fetched."""
    folder = JUDGES / "live-tests"
    with one_at_a_time("live-tests"):
        if not folder.exists():
            fetched = JUDGES / "live-tests.fetched"
            shutil.rmtree(fetched, ignore_errors=True)
            installed(
                [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(fetched), RELEASE],
                RELEASE,
            )
            with zipfile.ZipFile(next(fetched.glob("*.zip"))) as archive:
                archive.extractall(fetched)
            next(fetched.glob("*/tests")).rename(folder)
            shutil.rmtree(fetched)
    return folder


@cache
def outcomes(state: Path) -> dict[str, str]:
    """What became of each test: "passed", or why not."""
    python = python_environment("live") / "bin" / "python"
    tests = sources()
    report = state / "report.xml"
    words = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tests), f"--junitxml={report}"]
    told = subprocess.run(
        behind_sandbox(state, *words, *(str(tests / file) for file in FILES)),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).with_name("live")), "AZURE_TEST_RUN_LIVE": "true"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert report.exists(), told.stdout + told.stderr
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        problem = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
        found[case.attrib["name"]] = "passed" if problem is None else f"{problem.tag}: {problem.attrib['message']}\n{problem.text}"
    return found


@pytest.mark.parametrize(
    "name",
    [
        "test_compute_galleries",
        "test_compute_vm",
        "test_compute_vm_image",
        "test_compute_vm_extension_image",
        "test_compute_disks",
        "test_compute_disks_multi",
        "test_compute_shot",
    ],
)
def test_microsofts_live_test_passes(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    state = tmp_path_factory.getbasetemp() / "live-tests"
    state.mkdir(exist_ok=True)
    assert outcomes(state)[name] == "passed"


def test_what_microsoft_skips_itself_is_all_that_is_left(tmp_path_factory: pytest.TempPathFactory) -> None:
    state = tmp_path_factory.getbasetemp() / "live-tests"
    state.mkdir(exist_ok=True)
    skipped = {name for name, outcome in outcomes(state).items() if outcome.startswith("skipped")}
    assert skipped == {"test_compute_vm_2", "test_compute_disk_encryption"}
