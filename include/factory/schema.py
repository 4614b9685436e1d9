"""The JSON Schema of a recipe, by which editors complete and check the YAML while it is written."""

from __future__ import annotations

import json

from include.factory.recipe import Recipe


def recipe_schema() -> str:
    """The schema as text, ending in a newline."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Image recipe",
        **{key: value for key, value in Recipe.model_json_schema().items() if key != "title"},
    }
    return json.dumps(schema, indent=2) + "\n"
