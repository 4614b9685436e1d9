"""What a person filled in: the fields of a trigger form, checked all at once, with a cure for each that is wrong."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from include.steps.errors import StepError

if TYPE_CHECKING:
    from include.factory.recipe import Recipe
    from include.factory.run import Run
    from include.factory.value import Value

    V = TypeVar("V", bound=Value)

log = logging.getLogger(__name__)


def fields_of(form: dict[str, Any] | str) -> tuple[dict[str, Any], bool]:
    """The fields that were filled in (an object, or JSON text of one), and whether it is a dry run; the reason is logged and stays."""
    given = dict(json.loads(form) if isinstance(form, str) else form)
    dry_run = bool(given.pop("dry_run", False))
    fields = {name: value for name, value in given.items() if value is not None and value != ""}
    reason = f" because {fields['reason']}" if fields.get("reason") else ""
    log.info("Asked for%s: %s", reason, {name: value for name, value in fields.items() if name != "reason"})
    return fields, dry_run


def checked(model: type[V], fields: dict[str, Any]) -> V:
    """The fields as a value of ``model``.

    :raises StepError: ``BadParameter``: every field that is wrong.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise bad([f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ") for one in error.errors()]) from error


def run_of(run: dict[str, Any], reason: str = "") -> Run:
    """The run that a plan is of.

    :param run: ``{"dag_id", "run_id", "at": ISO time, "started"}``; more is passed over.
    :raises StepError: ``BadParameter``.
    """
    from include.factory.run import Run

    return checked(Run, {**{key: run[key] for key in ("dag_id", "run_id", "at", "started") if run.get(key)}, "reason": reason})


def bad(problems: list[str]) -> StepError:
    text = f"The run cannot be as asked: {'; '.join(problems)}"
    return StepError("permanent", "BadParameter", text, "Start a new run with other values.", details=problems)


async def recipe_of(name: str) -> Recipe:
    """A recipe of the catalogue.

    :raises StepError: ``RecipeBroken``.
    """
    from include.factory.catalogue import RecipeError, load_recipe
    from include.factory.folder import catalogue_folder

    try:
        # The catalogue is files: not on the event loop that a thousand builds share.
        return await asyncio.to_thread(load_recipe, catalogue_folder(), name)
    except RecipeError as error:
        raise StepError("permanent", "RecipeBroken", str(error), "Correct the recipe; then clear this task.") from error


async def located(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with ``recipe`` replaced by where that recipe publishes: ``resource_group``, ``gallery`` and ``definition``. What the
    form says itself wins."""
    name = fields.get("recipe")
    if not name:
        return fields
    recipe = await recipe_of(name)
    path = {"resource_group": recipe.publish.resource_group, "gallery": recipe.publish.gallery, "definition": recipe.definition}
    return {**path, **{key: value for key, value in fields.items() if key != "recipe"}}
