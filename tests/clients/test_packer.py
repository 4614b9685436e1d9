"""Packer's azure-arm builder behind `sandbox exec`: a managed image, and from it a version of a gallery in two regions.

Packer logs in to the machine it made. So the sandbox hands out a loopback address, and an SSH server listens there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from include.demo.settings import PROJECT
from include.sandbox.content import IMAGE, VERSION
from include.sandbox.server import open_sandbox

from .behind import behind_sandbox
from .guest_ssh import guest_at
from .judges import debian_package

pytestmark = [pytest.mark.clients, pytest.mark.slow]

PACKER = "1.6.6"
ADDRESS = "127.77.0.1"
# What Packer wants to be there: the group that gets the image, and the gallery with the image definition.
PREPARE = """
from azure.identity import EnvironmentCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
import os
credential, subscription = EnvironmentCredential(), os.environ["AZURE_SUBSCRIPTION_ID"]
here = {"location": "westus2"}
identifier = {"publisher": "contoso", "offer": "linux", "sku": "base"}
definition = {"osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V1", "identifier": identifier}
with ResourceManagementClient(credential, subscription) as resources, ComputeManagementClient(credential, subscription) as compute:
    resources.resource_groups.create_or_update("images", here)
    compute.galleries.begin_create_or_update("images", "factory", here).result()
    compute.gallery_images.begin_create_or_update("images", "factory", "ubuntu", {**here, "properties": definition}).result()
"""
VARIABLES = {name: f"{{{{env `AZURE_{name.upper()}`}}}}" for name in ("client_id", "client_secret", "subscription_id", "tenant_id")}
BUILDER = {
    "type": "azure-arm",
    "client_id": "{{user `client_id`}}",
    "client_secret": "{{user `client_secret`}}",
    "subscription_id": "{{user `subscription_id`}}",
    "tenant_id": "{{user `tenant_id`}}",
    "location": "westus2",
    "vm_size": "Standard_DS2_v2",
    "os_type": "Linux",
    "image_publisher": "Canonical",
    "image_offer": "0001-com-ubuntu-server-jammy",
    "image_sku": "22_04-lts",
    "communicator": "ssh",
    "ssh_username": "packer",
    "ssh_timeout": "2m",
    "managed_image_resource_group_name": "images",
    "managed_image_name": "base",
}
GALLERY = {
    "resource_group": "images",
    "gallery_name": "factory",
    "image_name": "ubuntu",
    "image_version": "1.0.0",
    "replication_regions": ["westus2", "eastus"],
}


def behind(state: Path, *command: str) -> subprocess.CompletedProcess[str]:
    words = behind_sandbox(state, *command)
    words[words.index("--") : words.index("--")] = ["--public-addresses", f"{ADDRESS}/32"]
    return subprocess.run(
        words, cwd=PROJECT, env={**os.environ, "HOME": str(state)}, capture_output=True, text=True, timeout=600, check=False
    )


def build(state: Path, builder: dict[str, Any]) -> str:
    """Build with Packer; returns what it says."""
    packer = debian_package("packer", PACKER) / "usr" / "bin" / "packer"
    prepared = behind(state, sys.executable, "-c", PREPARE)
    assert prepared.returncode == 0, prepared.stderr
    template = state / "template.json"
    script = {"type": "shell", "inline": ["echo prepared"]}
    template.write_text(json.dumps({"variables": VARIABLES, "builders": [builder], "provisioners": [script]}))
    try:
        with guest_at(ADDRESS, state / "guest") as commands:
            done = behind(state, str(packer), "build", "-color=false", str(template))
    except PermissionError:
        pytest.skip(f"the SSH server needs port 22 of {ADDRESS}, which is not for this user")
    assert done.returncode == 0, done.stdout + done.stderr
    assert any("script_" in command for command in commands), "Packer ran no script on the machine"
    return done.stdout


def kept(state: Path, type: str) -> list[Any]:
    sandbox = open_sandbox(state)
    try:
        return [one for one in sandbox.store.resources.values() if one.type == type]
    finally:
        sandbox.store.close()


def test_packer_builds_an_image_and_its_version_and_leaves_nothing_else(tmp_path: Path) -> None:
    told = build(tmp_path, {**BUILDER, "shared_image_gallery_destination": {"subscription": "{{user `subscription_id`}}", **GALLERY}})
    assert "ManagedImageName: base" in told
    assert [one.name for one in kept(tmp_path, IMAGE)] == ["base"]
    (version,) = kept(tmp_path, VERSION)
    assert [one["name"] for one in version.properties["publishingProfile"]["targetRegions"]] == ["West US 2", "East US"]
    assert kept(tmp_path, "Microsoft.Compute/virtualMachines") == []
