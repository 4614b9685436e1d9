from __future__ import annotations

from pathlib import Path

import pytest

from include.factory.catalogue import load_catalogue
from include.factory.folder import SHIPPED
from include.factory.outline import Outline, outlines
from tests.end_to_end.catalogue import SECOND_GALLERY, small, write_catalogue
from tests.factory.malformed import GOOD


def test_an_outline_says_what_the_checked_recipe_says(tmp_path: Path) -> None:
    folder = write_catalogue(tmp_path / "recipes")
    (folder / "awake.yaml").write_text(small("awake") + 'schedule: {on_new_base: "yes"}\n')

    recipes = load_catalogue(folder).recipes.values()

    assert outlines(folder) == [
        Outline(
            name=recipe.name,
            resource_group=recipe.publish.resource_group,
            gallery=recipe.publish.gallery,
            definition=recipe.definition,
            is_shared=recipe.share is not None,
            has_second_gallery=recipe.disaster_recovery is not None,
            builds_on_new_base=recipe.schedule is not None and recipe.schedule.on_new_base,
        )
        for recipe in recipes
    ]
    assert [outline.name for outline in outlines(folder) if outline.builds_on_new_base] == ["awake", "watched"]


def test_outlines_are_the_same_from_the_cache_and_leave_it_to_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fresh = outlines(SHIPPED)
    assert not (tmp_path / "cache").exists()

    load_catalogue(SHIPPED)
    (cache,) = (tmp_path / "cache").rglob("*.json")
    remembered = cache.read_bytes()

    assert outlines(SHIPPED) == fresh
    assert cache.read_bytes() == remembered


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\tname: x",
        "- a list",
        "name: broken",
        "publish: [no, mapping]",
        "publish: {gallery: [], resource_group: rg}",
        "publish: {gallery: größe, resource_group: rg}",
    ],
)
def test_a_file_that_names_no_image_has_no_outline_and_takes_none_away(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    (tmp_path / "good.yaml").write_text(GOOD.replace("name: image", "name: good") + SECOND_GALLERY)

    assert [outline.name for outline in outlines(tmp_path)] == ["good"]


def test_a_recipe_that_is_broken_elsewhere_stays_in_forms_and_schedules(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(small("broken").replace("owner:", "ownr:") + SECOND_GALLERY)

    assert load_catalogue(tmp_path).recipes == {}
    assert [(outline.name, outline.is_shared, outline.has_second_gallery) for outline in outlines(tmp_path)] == [("broken", True, True)]
