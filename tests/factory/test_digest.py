from __future__ import annotations

from typing import Any

import pytest

from include.factory.digest import IMAGE_FIELDS, OTHER_FIELDS, digest
from include.factory.machine import BuildMachine
from include.factory.recipe import Recipe
from tests.factory.builds import RECIPE, recipe

SETTINGS = {"gallery": "factory", "resource_group": "rg-factory"}


def test_every_field_of_a_recipe_is_the_images_or_is_not() -> None:
    assert set(IMAGE_FIELDS) | OTHER_FIELDS == set(Recipe.model_fields)
    assert not set(IMAGE_FIELDS) & OTHER_FIELDS
    assert IMAGE_FIELDS["build"] <= set(BuildMachine.model_fields)


def test_the_order_of_the_fields_is_nothing() -> None:
    assert digest(Recipe.model_validate(dict(reversed(RECIPE.items())))) == digest(recipe())


def test_short_forms_and_long_ones_are_the_same() -> None:
    long = recipe(checks=[{"script": "scripts/check-one.sh", "name": "one", "timeout": "30m"}], boot_test=True)

    assert digest(long) == digest(recipe())


@pytest.mark.parametrize(
    "change",
    [
        {"schedule": "0 2 * * *"},
        {"description": "other"},
        {"owner": "other"},
        {"retention": {"keep": 9}},
        {"replicate": ["westus2"]},
        {"approval": True},
        {"tags": {"team": "other"}},
        {"build": {"region": "westus2", "sizes": ["Standard_D8s_v5"], "spot": True}},
        {"publish": {**SETTINGS, "end_of_life": "90d", "version": "1.{yyyymmdd}.{hhmmss}"}},
    ],
)
def test_what_does_not_change_the_image_does_not_change_the_digest(change: dict[str, Any]) -> None:
    assert digest(recipe(**change)) == digest(recipe())


@pytest.mark.parametrize(
    "change",
    [
        {"steps": [{"name": "two", "run": "echo two"}]},
        {"steps": list(reversed(RECIPE["steps"]))},
        {"checks": []},
        {"boot_test": False},
        {"scripts": {**RECIPE["scripts"], "scripts/one.sh": "3" * 64}},
        {"base": "Canonical:ubuntu-22_04-lts:server:latest"},
        {"os": {"type": "Linux"}},
        {"capture": "snapshot"},
        {"build": {"region": "eastus2", "os_disk": {"size_gb": 64}}},
        {"build": {"region": "eastus2", "data_disks": [{"lun": 0, "size_gb": 4}]}},
        {"publish": {**SETTINGS, "features": {"IsHibernateSupported": True}}},
    ],
)
def test_what_changes_the_image_changes_the_digest(change: dict[str, Any]) -> None:
    assert digest(recipe(**change)) != digest(recipe())
    assert digest(recipe(**change)).startswith("sha256:")
