"""What a demo builds and says, before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.demo.builds import dag_of, recipe_of
from include.demo.settings import DemoError
from include.demo.show import read_recipes
from tests.smallest_recipe import SMALLEST


def test_a_broken_recipe_is_told_and_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "ubuntu.yaml").write_text(SMALLEST)
    (tmp_path / "broken.yaml").write_text(SMALLEST.replace("name: ubuntu", "name: broken").replace("westeurope", "westeurop"))

    recipes, broken = read_recipes(tmp_path)

    assert list(recipes) == ["ubuntu"]
    assert [sentence.split(": ")[1] for sentence in broken] == ["build.region"]


def test_nothing_to_build_is_said_with_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("name: [")
    with pytest.raises(DemoError, match=r"There is no recipe in .* that can be built.\n.*broken.yaml:2: this is not YAML"):
        read_recipes(tmp_path)


def test_a_build_is_shown_by_the_name_of_its_recipe() -> None:
    assert recipe_of(dag_of("ubuntu-2404-base")) == "ubuntu-2404-base"
