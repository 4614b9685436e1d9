"""Deployments by the official SDK that comes with az: what its models send, declared.py knows."""

from __future__ import annotations

import json
import subprocess

import pytest

from include.sandbox.declared import DEPLOYMENTS, members_of

from .judges import python_environment

pytestmark = [pytest.mark.clients, pytest.mark.slow]

# Prints the members of the SDK's models, by model.
READ = """
import json, sys
from azure.mgmt.resource.deployments import models
print(json.dumps({title: [one["key"] for one in getattr(models, title)._attribute_map.values()] for title in sys.argv[1:]}))
"""
# What the OpenAPI document of 2025-04-01 calls DeploymentContent was Deployment; what is shown may be sent back.
MODELS = {
    "Deployment": "DeploymentContent",
    "DeploymentProperties": "DeploymentProperties",
    "DeploymentPropertiesExtended": "DeploymentProperties",
    "DebugSetting": "DebugSetting",
}


def test_what_the_sdks_models_send_or_show_is_known() -> None:
    python = python_environment("az") / "bin" / "python"
    done = subprocess.run([str(python), "-c", READ, *MODELS], capture_output=True, text=True, timeout=300, check=True)
    told: dict[str, list[str]] = json.loads(done.stdout)
    ours = {title: {name for name, _, _ in members} for title, members in members_of(DEPLOYMENTS).items()}
    assert all(told.values())
    assert {title: set(names) - ours[MODELS[title]] for title, names in told.items()} == {title: set() for title in MODELS}
