"""Fields that the trigger forms of several DAGs share."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from airflow.sdk import DAG, Param
from airflow.sdk.definitions.param import ParamsDict
from attrs import validators

from include.factory.folder import catalogue_folder
from include.factory.outline import Outline, outlines
from include.factory.region import NAMES

REASON = Param("", type="string", title="Reason", description="Is kept with the run, and in tags where there are any.", maxLength=200)

OWNER = Param("operator", type="string", minLength=1, title="Owner", description="Who answers for it; becomes a tag.")
VERSION = Param(
    None,
    type=["null", "string"],
    pattern=r"^\d+\.\d+\.\d+$",
    title="Version",
    description="Instead of the one that the run's time gives: three numbers, each below 2147483648.",
)


def definition_fields(*, without: str = "") -> dict[str, Param]:
    """Which image is meant: a recipe of the catalogue, or any definition by its three names.

    :param without: what it means to fill in none of them; by default that is not possible.
    """
    recipes = outlines(catalogue_folder())
    return {
        "recipe": _known("Recipe", without or "Or the three fields below.", [recipe.name for recipe in recipes]),
        "resource_group": _known("Resource group", "Of the gallery.", {recipe.resource_group for recipe in recipes}),
        "gallery": _known("Gallery", "Its name.", {recipe.gallery for recipe in recipes}),
        "definition": _known("Image definition", "Its name.", {recipe.definition for recipe in recipes}),
    }


def _known(title: str, description: str, examples: Collection[str]) -> Param:
    return Param(None, type=["null", "string"], examples=sorted(examples), title=title, description=description)


def gallery_of(recipes: Iterable[Outline]) -> Param:
    """One of the recipes' galleries, by its name; or all."""
    return _known("Gallery", "One; by default all of the catalogue.", {recipe.gallery for recipe in recipes})


def regions(title: str, description: str) -> Param:
    """Any number of Azure's regions, by their names."""
    names = sorted(NAMES)
    return Param([], type="array", items={"type": "string", "enum": names}, examples=names, title=title, description=description)


def replicas(where: str) -> dict[str, Param]:
    """How an image is kept in each region of its own; ``where`` names these."""
    return {
        "replica_count": Param(1, type="integer", minimum=1, maximum=100, title="Replicas", description=f"{where}."),
        "storage_account_type": Param(
            "Standard_LRS", type="string", enum=["Standard_LRS", "Standard_ZRS", "Premium_LRS"], title="Storage of replicas"
        ),
    }


def put_form(dag: DAG, fields: dict[str, Param]) -> None:
    """Give a DAG its trigger form, when it has all its tasks.

    Last, because every operator made while its DAG has params takes a deep copy of them. And without Airflow's check of each default
    against its schema, which would be most of the time of importing 1,000 recipes: tests/dags hold the forms valid.

    A text without a least length, and a list without a least number of items, may be left empty. Airflow's UI gives null for an empty
    field, and keeps its Trigger button grey while a field that may not be null is empty: such a field's type has null in it.
    """
    for field in fields.values():
        kind, least = field.schema.get("type"), field.schema.get("minLength") or field.schema.get("minItems")
        if not least and (kind == "array" or (kind == "string" and field.value == "")):
            field.schema["type"] = ["null", kind]
    with validators.disabled():
        dag.params = ParamsDict(fields)


def number(title: str, description: str, default: int | None, least: int, most: int) -> Param:
    """A whole number; one without a default may be left out."""
    kind: Any = "integer" if default is not None else ["null", "integer"]
    return Param(default, type=kind, minimum=least, maximum=most, title=title, description=description)


def dry_run(default: bool, description: str = "Print the plan and stop.") -> Param:
    return Param(default, type="boolean", title="Dry run", description=description)
