"""What the README shows a newcomer is true."""

from __future__ import annotations

import re
from pathlib import Path

from include.factory.catalogue import load_catalogue
from include.factory.folder import SHIPPED

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()


def test_the_first_recipe_is_a_good_one(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    (tmp_path / "scripts").symlink_to(SHIPPED / "scripts")
    (tmp_path / "web-server.yaml").write_text(block)

    catalogue = load_catalogue(tmp_path)

    assert catalogue.problems == []
    assert list(catalogue.recipes) == ["web-server"]


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (PROJECT / "Makefile").read_text()

    assert {target for target in re.findall(r"(?:^|`)make ([a-z]+)", README, flags=re.MULTILINE) if f"\n{target}:" not in makefile} == set()


def test_every_link_and_picture_leads_somewhere() -> None:
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", README) if not target.startswith("http")]

    assert [target for target in targets if not (PROJECT / target).exists()] == []
