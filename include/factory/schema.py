"""The JSON Schema of a recipe, by which editors complete and check the YAML while it is written."""

from __future__ import annotations

import json
from typing import Any

from include.factory.field_text import field_texts
from include.factory.recipe import Recipe
from include.factory.reference import MODELS


def recipe_schema() -> str:
    """The schema as text, ending in a newline."""
    generated = Recipe.model_json_schema()
    for name, definition in {**generated["$defs"], "Recipe": generated}.items():
        _describe(definition["properties"], field_texts(MODELS[name]))
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Image recipe",
        **{key: value for key, value in generated.items() if key != "title"},
    }
    return json.dumps(schema, indent=2) + "\n"


def _describe(properties: dict[str, Any], texts: dict[str, str]) -> None:
    for field, schema in properties.items():
        properties[field] = dict(sorted({**schema, "description": texts[field]}.items()))
