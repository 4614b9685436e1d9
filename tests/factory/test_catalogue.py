from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from include.factory.catalogue import RecipeError, load_catalogue, load_recipe
from include.factory.folder import catalogue_folder
from include.factory.recipe import Recipe
from tests.factory.conftest import Load
from tests.factory.malformed import GOOD

BASE = "base: Canonical:ubuntu-24_04-lts:server:latest"


def recipe(name: str, parent: str | None = None, text: str = GOOD) -> str:
    text = text.replace("name: good", f"name: {name}")
    return text.replace(BASE, f"base: {{recipe: {parent}}}") if parent else text


def settle(folder: Path) -> None:
    """Let the files be old enough to be remembered."""
    past = time.time() - 60
    for file in folder.rglob("*"):
        os.utime(file, (past, past))
    time.sleep(0.15)


def cache_file(tmp_path: Path) -> Path:
    (file,) = (tmp_path / "cache" / "image-factory").iterdir()
    return file


def test_the_shipped_recipes_have_no_problems() -> None:
    catalogue = load_catalogue(catalogue_folder())

    assert catalogue.problems == []
    assert set(catalogue.recipes) == {"ubuntu-2404-base", "windows-2022-base", "ubuntu-2404-data", "ubuntu-2404-appliance"}
    assert {recipe.route for recipe in catalogue.recipes.values()} == {"virtual_machine", "managed_image", "snapshot"}


def test_a_recipe_of_fifteen_lines_is_enough(load: Load) -> None:
    text = """\
name: small
owner: team@example.com
os: {type: Linux}
base: Canonical:ubuntu-24_04-lts:server:latest
build: {region: westeurope}
steps: [scripts/one.sh]
publish: {gallery: factory, resource_group: rg-factory}
"""
    small = load(small=text).recipes["small"]

    assert [region.name for region in small.target_regions] == ["westeurope"]
    assert small.definition == "small"
    assert small.boot_test is not None
    assert small.sizes


def test_a_child_knows_where_its_parent_publishes(load: Load) -> None:
    child = load(good=recipe("good"), child=recipe("child", "good")).recipes["child"]

    assert child.parent == "good"
    assert child.base_argument() == {
        "kind": "gallery",
        "resource_group": "rg-factory",
        "gallery": "factory",
        "definition": "good",
        "version": "latest",
    }


def test_a_broken_parent_takes_no_child_away(load: Load) -> None:
    catalogue = load(good=recipe("good").replace("keep: 5", "keep: none"), child=recipe("child", "good"))

    assert list(catalogue.recipes) == ["child"]
    assert catalogue.recipes["child"].base_argument()["definition"] == "good"


def test_an_unknown_parent_is_a_problem_with_the_nearest_name(load: Load) -> None:
    (problem,) = load(good=recipe("good"), child=recipe("child", "goods")).problems

    assert (problem.field, problem.cure) == ("base.recipe", "Did you mean good?")


def test_recipes_that_are_built_on_each_other_are_refused(load: Load) -> None:
    catalogue = load(first=recipe("first", "second"), second=recipe("second", "third"), third=recipe("third", "first"), good=GOOD)

    assert list(catalogue.recipes) == ["good"]
    assert [problem.field for problem in catalogue.problems] == ["base.recipe"] * 3
    assert "first -> second -> third -> first" in catalogue.problems[0].message


@pytest.mark.parametrize(
    ("change", "to", "field"),
    [
        ("type: Linux", "type: Windows", "os.type"),
        ("security_type: TrustedLaunch", "security_type: Standard", "os.security_type"),
        ("  state: Generalized", "  state: Generalized\n  architecture: Arm64", "os.architecture"),
        ("region: eastus2\n", "region: japaneast\n", "build.region"),
    ],
)
def test_a_child_that_its_parent_cannot_make_is_refused(load: Load, change: str, to: str, field: str) -> None:
    child = recipe("child", "good").replace(change, to)
    if "Windows" in to:
        child = child.replace("scripts/one.sh", "scripts/other.ps1")

    problems = load(good=GOOD, child=child).problems

    assert [problem.field for problem in problems] == [field]
    assert problems[0].file.endswith("child.yaml")


def test_two_recipes_never_publish_to_one_definition(load: Load) -> None:
    shared = "gallery: Factory\n  definition: good"
    catalogue = load(good=GOOD, second=recipe("second").replace("gallery: factory", shared), third=recipe("third"))

    assert list(catalogue.recipes) == ["third"]
    assert {(Path(problem.file).stem, problem.field) for problem in catalogue.problems} == {
        ("good", "publish.definition"),
        ("second", "publish.definition"),
    }


def test_two_definitions_never_share_publisher_offer_and_sku(load: Load) -> None:
    catalogue = load(good=GOOD, second=recipe("second").replace("gallery: factory", "gallery: factory\n  sku: good"))

    assert [problem.field for problem in catalogue.problems] == ["publish.sku", "publish.sku"]


def test_one_recipe_is_loaded_with_its_parents_and_without_the_others(load: Load, folder: Path) -> None:
    load(good=GOOD, child=recipe("child", "good"), broken="name: [")

    assert load_recipe(folder, "child") == load_catalogue(folder).recipes["child"]


def test_a_recipe_that_is_not_there_is_said_to_be_missing(folder: Path) -> None:
    with pytest.raises(RecipeError, match="there is no recipe 'none'"):
        load_recipe(folder, "none")


@pytest.mark.parametrize("name", ["../good", "/etc/passwd", "", "."])
def test_a_name_that_leads_out_of_the_catalogue_is_no_recipe(load: Load, folder: Path, name: str) -> None:
    load(good=GOOD)

    with pytest.raises(RecipeError):
        load_recipe(folder / "scripts", name)


def test_a_broken_recipe_raises_all_its_problems(load: Load, folder: Path) -> None:
    load(good=GOOD.replace("keep: 5", "keep: 0").replace("type: Linux", "type: Solaris"))

    with pytest.raises(RecipeError) as error:
        load_recipe(folder, "good")
    assert {problem.field for problem in error.value.problems} == {"retention.keep", "os.type"}


def test_a_recipe_survives_json(load: Load) -> None:
    for one in [*load_catalogue(catalogue_folder()).recipes.values(), load(good=GOOD).recipes["good"]]:
        assert Recipe.model_validate_json(one.model_dump_json()) == one


def test_the_cache_answers_what_reading_did(load: Load, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(good=GOOD, child=recipe("child", "good"), broken="name: [")
    settle(folder)
    fresh = load_catalogue(folder)
    # From here on the YAML cannot be read for a file that was good.
    monkeypatch.setattr("include.factory.yaml_file._Loader", None)
    (folder / "broken.yaml").unlink()

    assert cache_file(tmp_path).stat().st_size > 0
    assert load_catalogue(folder).recipes == fresh.recipes


def test_a_changed_file_is_read_again(load: Load, folder: Path) -> None:
    load(good=GOOD)
    settle(folder)
    before = load_catalogue(folder).recipes["good"]
    (folder / "good.yaml").write_text(GOOD.replace("keep: 5", "keep: 6"))
    (folder / "scripts" / "one.sh").write_text("#!/bin/bash\necho two\n")

    after = load_catalogue(folder).recipes["good"]

    assert (before.retention.keep, after.retention.keep) == (5, 6)
    assert before.scripts["scripts/one.sh"] != after.scripts["scripts/one.sh"]


def test_a_script_that_went_away_is_missed_although_it_was_remembered(load: Load, folder: Path) -> None:
    load(good=GOOD)
    settle(folder)
    load_catalogue(folder)
    (folder / "scripts" / "one.sh").unlink()

    assert {problem.field for problem in load_catalogue(folder).problems} == {"checks[0].script", "steps[0].script"}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 1, "files": 3}', b"\xff", b'{"format": 1, "files": {"good.yaml": 5}}']
)
def test_a_corrupt_cache_is_an_empty_one(load: Load, folder: Path, tmp_path: Path, content: bytes) -> None:
    load(good=GOOD)
    settle(folder)
    fresh = load_catalogue(folder)
    cache_file(tmp_path).write_bytes(content)

    assert load_catalogue(folder).recipes == fresh.recipes
    assert json.loads(cache_file(tmp_path).read_bytes())["files"].keys() >= {"good.yaml"}


def test_a_forged_cache_cannot_bring_in_a_recipe_that_is_refused(load: Load, folder: Path, tmp_path: Path) -> None:
    load(good=GOOD)
    settle(folder)
    load_catalogue(folder)
    content = json.loads(cache_file(tmp_path).read_bytes())
    content["files"]["good.yaml"][1]["retention"]["keep"] = 0
    cache_file(tmp_path).write_text(json.dumps(content))

    # The file itself is good: what is wrong is the cache, and then the file is read.
    assert load_catalogue(folder).recipes["good"].retention.keep == 5


def test_a_cache_folder_that_cannot_be_made_stops_nothing(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    assert list(load(good=GOOD).recipes) == ["good"]


def test_a_relative_cache_folder_is_ignored(load: Load, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    load(good=GOOD)
    settle(folder)
    load_catalogue(folder)

    assert not (tmp_path / "relative").exists()
    assert list((tmp_path / "home" / ".cache" / "image-factory").iterdir())


def test_writers_at_the_same_time_leave_a_whole_cache(load: Load, folder: Path, tmp_path: Path) -> None:
    load(good=GOOD, child=recipe("child", "good"))
    settle(folder)
    code = f"from pathlib import Path; from include.factory.catalogue import load_catalogue; load_catalogue(Path({str(folder)!r}))"
    writers = [subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2]) for _ in range(4)]

    assert [writer.wait(60) for writer in writers] == [0] * 4
    assert json.loads(cache_file(tmp_path).read_bytes())["files"].keys() == {"good.yaml", "child.yaml", "scripts/one.sh"}


def test_loading_the_catalogue_imports_neither_airflow_nor_azure() -> None:
    code = (
        "import sys; from include.factory.catalogue import load_catalogue; from include.factory.folder import catalogue_folder; "
        "from include.factory.plan import plan; load_catalogue(catalogue_folder()); "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'airflow', 'azure', 'aiohttp', 'sqlalchemy'}))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


def test_a_process_checks_a_catalogue_once_until_a_file_changes(load: Load, folder: Path) -> None:
    load(one=recipe("one").replace('run: "echo one"', "script: scripts/one.sh"), two=recipe("two"))
    settle(folder)
    load_catalogue(folder)  # remembered from here on: the files are old enough

    catalogue = load_catalogue(folder)
    assert load_catalogue(folder) is catalogue

    (folder / "three.yaml").write_text(recipe("three"))
    settle(folder)
    assert set(load_catalogue(folder).recipes) == {"one", "two", "three"}

    (folder / "two.yaml").unlink()
    assert set(load_catalogue(folder).recipes) == {"one", "three"}

    (folder / "four.yml").write_text(recipe("four"))
    assert [Path(problem.file).name for problem in load_catalogue(folder).problems] == ["four.yml"]
