"""Recipes, runs and facts for tests of the plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from include.factory.facts import Facts
from include.factory.recipe import Recipe
from include.factory.run import Run

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
AT = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
URN = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "24.04.202611180"}
BASE_ID = ":".join(URN.values())
RECIPE: dict[str, Any] = {
    "name": "ubuntu-base",
    "owner": "team@example.com",
    "os": {"type": "Linux", "security_type": "TrustedLaunch"},
    "base": "Canonical:ubuntu-24_04-lts:server:latest",
    "build": {"region": "eastus2"},
    "steps": [{"script": "scripts/one.sh", "reboot_after": True}, {"name": "two", "run": "echo two", "timeout": "5m"}],
    "checks": ["scripts/check-one.sh"],
    "publish": {"gallery": "factory", "resource_group": "rg-factory"},
    "replicate": ["westeurope", "japaneast"],
    "scripts": {"scripts/one.sh": "1" * 64, "scripts/check-one.sh": "2" * 64},
}


def recipe(**changes: Any) -> Recipe:
    """The recipe with top-level fields changed; a change of None takes the field out."""
    fields = {**RECIPE, **changes}
    return Recipe.model_validate({name: value for name, value in fields.items() if value is not None})


def run(**changes: Any) -> Run:
    return Run.model_validate({"dag_id": "build_ubuntu_base", "run_id": "scheduled__2026-11-23T07:00:00+00:00", "at": AT, **changes})


def facts(**changes: Any) -> Facts:
    """A marketplace base, nothing in the gallery; fields of the base are given as base_<field>."""
    base = {"id": BASE_ID, "version": URN["version"], "image_reference": URN, "generation": "V2", "architecture": "x64", "os_type": "Linux"}
    base |= {name.removeprefix("base_"): changes.pop(name) for name in list(changes) if name.startswith("base_")}
    return Facts.model_validate({"subscription_id": SUBSCRIPTION, "base": base, **changes})


def definition(**changes: Any) -> dict[str, Any]:
    """The definition that a run of `recipe()` makes, as it is read back."""
    return {
        "location": "eastus2",
        "os_type": "Linux",
        "os_state": "Generalized",
        "hyper_v_generation": "V2",
        "architecture": "x64",
        "publisher": "factory",
        "offer": "linux",
        "sku": "ubuntu-base",
        "features": {"SecurityType": "TrustedLaunch"},
        **changes,
    }
