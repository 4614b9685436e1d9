from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from include.factory.__main__ import DOCUMENTS, main
from include.factory.diagnosis import FILLED_IN
from include.factory.field_text import field_texts
from include.factory.folder import SHIPPED
from include.factory.reference import MODELS, with_tables
from include.factory.schema import recipe_schema
from tests.factory.malformed import GOOD

SCHEMA = DOCUMENTS / "recipe.schema.json"
PAGE = DOCUMENTS / "recipe.md"
RECIPES = sorted(SHIPPED.glob("*.yaml"))


def test_the_schema_in_the_documents_is_the_recipes() -> None:
    assert SCHEMA.read_text() == recipe_schema(), "run `python -m include.factory schema`"


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_shipped_recipe_is_valid_by_the_schema_and_names_it(file: Path) -> None:
    text = file.read_text()

    jsonschema.validate(yaml.safe_load(text), json.loads(recipe_schema()))
    first = text.splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (file.parent / first.partition("=")[2]).resolve() == SCHEMA.resolve()


@pytest.mark.parametrize(
    ("replace", "by"),
    [
        ("type: Linux", "type: Solaris"),
        ("owner: team", "ownr: team"),
        ("keep: 5", "keep: 0"),
        ("timeout: 10m", "timeout: ten"),
        ("lun: 1", "lun: 99"),
    ],
)
def test_an_editor_sees_by_the_schema_what_is_wrong(replace: str, by: str) -> None:
    schema = json.loads(recipe_schema())
    jsonschema.validate(yaml.safe_load(GOOD), schema)

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(GOOD.replace(replace, by)), schema)


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_every_field_says_what_it_is(model: type[BaseModel]) -> None:
    assert model.model_fields.keys() - field_texts(model).keys() == set()


def test_the_page_explains_every_field_as_the_models_do() -> None:
    text = PAGE.read_text()

    assert text == with_tables(text), "run `python -m include.factory schema`"
    assert {name for name in MODELS if f"<!-- {name} -->" in text} == set(MODELS)
    assert {f"| `{field}` |" in text for model in MODELS.values() for field in model.model_fields if field not in FILLED_IN} == {True}


def test_every_model_of_a_recipe_has_its_table() -> None:
    nested = set(json.loads(recipe_schema())["$defs"])

    assert nested - set(MODELS) == set()


def test_every_example_of_the_document_is_valid_yaml_of_the_schema() -> None:
    blocks = [block.partition("```")[0] for block in PAGE.read_text().split("```yaml\n")[1:]]
    schema = json.loads(recipe_schema())
    assert blocks
    for block in blocks:
        jsonschema.validate({**yaml.safe_load(GOOD), **yaml.safe_load(block)}, schema)


def test_check_prints_each_problem_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.yaml").write_text(GOOD.replace("keep: 5", "keep: 0"))

    assert main(["check", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert f"{tmp_path / 'good.yaml'}:35: retention.keep: 0 is under 1. Choose a number of at least 1." in lines
    assert any("steps[0].script" in line for line in lines)


def test_check_passes_the_shipped_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    assert capsys.readouterr().out == ""


def test_check_of_no_folder_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none")]) == 2
    assert "is not a folder" in capsys.readouterr().err


def test_schema_writes_schema_and_tables(tmp_path: Path) -> None:
    (tmp_path / "recipe.md").write_text("# Title\n<!-- Retention -->\nold\n<!-- end -->\n")

    assert main(["schema", str(tmp_path)]) == 0
    assert (tmp_path / "recipe.schema.json").read_text() == recipe_schema()
    assert "| `keep` | `5` |" in (tmp_path / "recipe.md").read_text()
    assert "old\n" not in (tmp_path / "recipe.md").read_text()
