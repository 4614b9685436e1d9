"""Each way in which a recipe can be wrong gives one clear problem: the file, the line, the field, what it is and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.factory.conftest import Load
from tests.factory.malformed import GOOD, MALFORMED, Malformed


def test_the_recipe_that_they_are_changes_of_is_good(load: Load) -> None:
    catalogue = load(good=GOOD)

    assert catalogue.problems == []
    assert list(catalogue.recipes) == ["good"]


@pytest.mark.parametrize("malformed", MALFORMED, ids=lambda malformed: malformed.name)
def test_a_malformed_recipe_gives_one_problem_at_its_line_and_field(load: Load, folder: Path, malformed: Malformed) -> None:
    if malformed.field == "name":
        catalogue = load(good=malformed.text)
    else:
        catalogue = load(good=malformed.text, good_parent=GOOD.replace("name: good", "name: good-parent"))

    problems = [problem for problem in catalogue.problems if problem.file.endswith("good.yaml")]
    assert [(problem.line, problem.field) for problem in problems] == [(malformed.line, malformed.field)], problems
    assert malformed.says in problems[0].message
    assert malformed.cure in problems[0].cure
    assert problems[0].cure
    assert "good" not in catalogue.recipes


def test_there_are_enough_of_them() -> None:
    assert len({malformed.name for malformed in MALFORMED}) >= 30


def test_all_problems_of_a_file_are_reported_at_once(load: Load) -> None:
    text = (
        GOOD.replace('"0 2 * * *"', '"0 25 * * *"')
        .replace("owner: team@example.com", "owner: team@example.com\nowned_by: me")
        .replace("    - eastus2\n", "    - mars\n    - eastus2\n    - East US 2\n")
        .replace("steps:\n  - scripts/one.sh", "steps:\n  - scripts/none.sh")
        .replace("MODE: fast", "API_TOKEN: abc")
        .replace("build:", "capture: managed_image\nbuild:")
    )

    problems = load(good=text).problems

    lines = text.splitlines()
    assert {(problem.field, lines[problem.line - 1].strip()) for problem in problems} == {
        ("owned_by", "owned_by: me"),
        ("schedule.cron", 'cron: "0 25 * * *"'),
        ("replicate.regions[0]", "- mars"),
        ("replicate.regions[2]", "- East US 2"),
        ("steps[0].script", "- scripts/none.sh"),
        ("steps[1].environment.API_TOKEN", "API_TOKEN: abc"),
        ("capture", "capture: managed_image"),
    }


def test_a_broken_recipe_hides_no_other(load: Load) -> None:
    catalogue = load(broken="name: [", good=GOOD, other=GOOD.replace("name: good", "name: other"))

    assert list(catalogue.recipes) == ["good", "other"]
    assert len(catalogue.problems) == 1


def test_a_problem_prints_as_a_compiler_does(load: Load, folder: Path) -> None:
    (problem,) = load(good=GOOD.replace("owner: team@example.com", "ownr: team@example.com\nowner: x")).problems

    assert str(problem) == f"{folder / 'good.yaml'}:2: ownr: the field is unknown. Did you mean owner?"


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "- a\n- list\n", "word\n", "name: a\n---\nname: b\n", "\x00", "a: !!python/object:os.system {}\n"]
)
def test_what_is_no_recipe_at_all_is_a_problem_and_not_a_crash(load: Load, text: str) -> None:
    catalogue = load(good=text)

    assert catalogue.recipes == {}
    assert len(catalogue.problems) >= 1
    assert all(problem.cure for problem in catalogue.problems)


def test_a_file_in_another_encoding_is_a_problem(load: Load, folder: Path) -> None:
    (folder / "latin.yaml").write_bytes("description: Stück\n".encode("latin-1"))

    (problem,) = load().problems

    assert "UTF-8" in problem.message


def test_a_recipe_with_the_other_suffix_is_not_passed_over(load: Load, folder: Path) -> None:
    (folder / "good.yml").write_text(GOOD)

    (problem,) = load().problems

    assert problem.cure == "Rename it to good.yaml."


def test_a_file_that_is_not_named_after_its_recipe_is_a_problem(load: Load) -> None:
    (problem,) = load(other=GOOD).problems

    assert (problem.line, problem.field) == (1, "name")
    assert "good.yaml" in problem.cure
