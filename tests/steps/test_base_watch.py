"""Newer bases of many recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.steps import base_watch
from include.steps.errors import StepError, StepSkipped
from tests.steps.build_line import GALLERIES, GALLERY, Line

RECIPE = """\
name: {name}
owner: team@example.com
schedule: {{on_new_base: true}}
os: {{type: Linux}}
base: "{base}"
build: {{region: westeurope}}
publish: {{gallery: {gallery}, resource_group: {group}, definition: {definition}}}
boot_test: false
"""
NEWER = "24.04.202512010"


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A catalogue of one recipe with an image, one without, and one whose base does not exist."""
    monkeypatch.setenv("IMAGE_FACTORY_RECIPES", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ubuntu = "Canonical:ubuntu-24_04-lts:server:latest"
    bases = {"ubuntu": ubuntu, "unbuilt": ubuntu, "lost": "No:such:image:latest"}
    for name, base in bases.items():
        text = RECIPE.format(name=name, base=base, gallery=GALLERY, group=GALLERIES, definition=name)
        (tmp_path / f"{name}.yaml").write_text(text)
    return sorted(bases)


async def built_from(base: str) -> Line:
    """A promoted version whose tags say what it was built from."""
    line = await Line().through("replicate")
    await line.run("promote", tags={"image-factory-base": base})
    return line


async def test_an_image_that_is_built_from_the_newest_needs_nothing(recipes: list[str]) -> None:
    line = await built_from("Canonical:ubuntu-24_04-lts:server:24.04.202511110")
    with pytest.raises(StepSkipped, match="2 recipe"):
        await base_watch.look(line.azure, recipes=recipes)


async def test_a_newer_base_is_named_with_what_the_image_was_built_from(recipes: list[str]) -> None:
    line = await built_from("Canonical:ubuntu-24_04-lts:server:24.04.202508180")
    found = await base_watch.look(line.azure, recipes=recipes)
    assert found["newer"] == {
        "ubuntu": {
            "id": "Canonical:ubuntu-24_04-lts:server:24.04.202511110",
            "version": "24.04.202511110",
            "built_from": "Canonical:ubuntu-24_04-lts:server:24.04.202508180",
        }
    }


async def test_a_base_that_cannot_be_read_is_an_error_only_when_none_can(recipes: list[str]) -> None:
    with pytest.raises(StepError, match="No:such:image") as caught:
        await base_watch.look(Line().azure, recipes=["lost"])
    assert caught.value.code == "BaseUnknown"
    assert recipes
