"""Watching the bases of many recipes: which have a version that the recipe's newest image was not built from."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from include.steps import base_image, build_plan
from include.steps.arm_error import of_exception
from include.steps.azure import Azure
from include.steps.errors import StepError, StepSkipped
from include.steps.look import step

if TYPE_CHECKING:
    from include.factory.recipe import Recipe

log = logging.getLogger(__name__)


@step
async def look(azure: Azure, *, recipes: list[str]) -> dict[str, Any]:
    """Compare each recipe's base, as it is now, with the one its newest good version was built from.

    A recipe without a version yet is left to its own schedule. One whose base cannot be read delays no other.

    :param recipes: names of recipes of the catalogue.
    :return: ``{"newer": {recipe: {"id", "version", "built_from"}}}``.
    :raises StepSkipped: every image is built from the newest of its base.
    :raises StepError: ``BaseUnknown``: no base at all could be read.
    """
    from include.factory.catalogue import load_catalogue
    from include.factory.folder import catalogue_folder

    catalogue = await asyncio.to_thread(load_catalogue, catalogue_folder())
    chosen = [catalogue.recipes[name] for name in recipes if name in catalogue.recipes]
    answers = await asyncio.gather(*(_compare(azure, recipe) for recipe in chosen), return_exceptions=True)
    newer: dict[str, Any] = {}
    unread: dict[str, StepError] = {}
    for recipe, answer in zip(chosen, answers, strict=True):
        if isinstance(answer, Exception):
            unread[recipe.name] = answer if isinstance(answer, StepError) else of_exception(answer)
            log.error("%s: its base cannot be read: %s", recipe.name, unread[recipe.name])
        elif isinstance(answer, BaseException):
            raise answer
        elif answer:
            newer[recipe.name] = answer
            log.info("%s was built from %s; there is %s.", recipe.name, answer["built_from"], answer["id"])
    if unread and len(unread) == len(chosen):
        first = next(iter(unread.values()))
        raise StepError(first.kind, "BaseUnknown", f"No base can be read: {first.message}", first.cure, first.status, first.retry_after)
    if not newer:
        raise StepSkipped(f"{len(chosen) - len(unread)} recipe(s) are built from the newest of their bases.")
    return {"newer": newer}


async def _compare(azure: Azure, recipe: Recipe) -> dict[str, Any] | None:
    from include.factory.names import tag_value

    path = (recipe.publish.resource_group, recipe.publish.gallery, recipe.definition)
    base, versions = await asyncio.gather(
        base_image.resolve(azure, base=recipe.base_argument(), location=recipe.build.region), base_image.read_versions(azure, *path)
    )
    newest = build_plan.newest_good(versions)
    if newest is None or newest["base"] == tag_value(base["id"]):
        return None
    return {"id": base["id"], "version": base["version"], "built_from": newest["base"]}
