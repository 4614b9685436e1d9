"""Ansible's azure.azcollection behind `sandbox exec`: group, network, machine, generalize, image, gallery, definition, version."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from include.demo.settings import PROJECT
from include.sandbox.content import IMAGE, VERSION
from include.sandbox.server import open_sandbox

from .behind import behind_sandbox
from .judges import python_environment

pytestmark = [pytest.mark.clients, pytest.mark.slow]

WITHIN = 900  # seconds for the play, on a machine that others use, too


@pytest.mark.skipif(
    not os.environ.get("ANSIBLE"),
    reason="each of its ten tasks imports forty of Azure's SDKs, for ten seconds or more: ANSIBLE=1 runs the play",
)
def test_ansible_publishes_an_image_of_a_machine(tmp_path: Path) -> None:
    ansible = python_environment("ansible")
    play = Path(__file__).parent / "ansible" / "image.yml"
    python = f"ansible_python_interpreter={ansible / 'bin' / 'python'}"
    done = subprocess.run(
        behind_sandbox(tmp_path / "state", str(ansible / "bin" / "ansible-playbook"), "--extra-vars", python, str(play)),
        cwd=PROJECT,
        env={**os.environ, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "ANSIBLE_LOCALHOST_WARNING": "False"},
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "published ['1.0.0'] Succeeded" in done.stdout
    sandbox = open_sandbox(tmp_path / "state")
    try:
        kept = list(sandbox.store.resources.values())
    finally:
        sandbox.store.close()
    assert [one.name for one in kept if one.type == IMAGE] == ["base"]
    (version,) = [one for one in kept if one.type == VERSION]
    regions = [(one["name"], one["regionalReplicaCount"]) for one in version.properties["publishingProfile"]["targetRegions"]]
    assert regions == [("West Europe", 1), ("North Europe", 2)]
