"""The plan of a build: what it needs to know of Azure, read at once, and the plan made of that."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

from include.factory.version_tags import RETIRED_UP_TO
from include.steps import base_image, gallery_image, preflight, recycle_bin
from include.steps.azure import Azure
from include.steps.errors import StepError, StepSkipped
from include.steps.look import PROMOTED_TAG, RUN_TAG, Found, Resource, look, sort, step

if TYPE_CHECKING:
    from include.factory.facts import Facts
    from include.factory.recipe import Recipe
    from include.factory.run import Run

log = logging.getLogger(__name__)

BASE_TAG = "image-factory-base"
DIGEST_TAG = "image-factory-digest"


@step
async def read(azure: Azure, *, recipe: Recipe) -> Facts:
    """Read the base, the definition and its versions, all at once; what is not there yet is None or empty.

    :raises StepError: ``BaseNotFound`` and the others of :func:`include.steps.base_image.resolve`.
    """
    from include.factory.facts import Facts

    path = (recipe.publish.resource_group, recipe.publish.gallery, recipe.definition)
    base, definition, versions, deleted = await asyncio.gather(
        base_image.resolve(azure, base=recipe.base_argument(), location=recipe.build.region),
        look(azure.compute.gallery_images.get(*path)),
        base_image.read_versions(azure, *path),
        recycle_bin.read(azure, resource_group=path[0], gallery=path[1], definition=path[2]),
    )
    return Facts.model_validate(
        {
            "subscription_id": azure.subscription_id,
            "base": base,
            "newest": newest_good(versions),
            "versions": {version["name"]: (version.get("tags") or {}).get(RUN_TAG) for version in versions},
            "deleted": [one.version for one in deleted],
            "retired_up_to": ((definition or {}).get("tags") or {}).get(RETIRED_UP_TO),
            "definition": gallery_image.facts(definition) if definition else None,
            "there": await _there(azure, recipe, definition),
        }
    )


async def _there(azure: Azure, recipe: Recipe, definition: Resource | None) -> list[str]:
    """ARM ids of the places that are there of those to which the recipe publishes: group, gallery and definition, the latter with all
    that is above it."""
    places = [(recipe.publish.resource_group, recipe.publish.gallery, definition)]
    if recipe.disaster_recovery is not None and recipe.encrypted:
        second = recipe.disaster_recovery
        path = (second.resource_group, second.gallery, recipe.definition)
        places.append((second.resource_group, second.gallery, await look(azure.compute.gallery_images.get(*path))))
    found: list[str] = []
    for group, gallery, there in places:
        ids = (azure.id(group), azure.id(group, "galleries", gallery))
        if there is not None:
            found += [*ids, azure.id(group, "galleries", gallery, "images", recipe.definition)]
            continue
        above = await asyncio.gather(look(azure.resources.resource_groups.get(group)), look(azure.compute.galleries.get(group, gallery)))
        found += [id for id, one in zip(ids, above, strict=True) if one is not None]
    return found


def newest_good(versions: list[Resource]) -> dict[str, Any] | None:
    """The newest version that was promoted and is included in latest: its ``version``, ``digest``, ``base`` and ``run``, or None."""
    good = [
        version
        for version in versions
        if sort(version) is Found.DONE
        and PROMOTED_TAG in (version.get("tags") or {})
        and not version["properties"]["publishingProfile"].get("excludeFromLatest")
    ]
    newest = max(good, key=lambda version: base_image.version_key(version["name"]), default=None)
    if newest is None:
        return None
    tags = newest["tags"]
    return {"version": newest["name"], "digest": tags.get(DIGEST_TAG), "base": tags.get(BASE_TAG), "run": tags.get(RUN_TAG)}


@step
async def make(azure: Azure, *, recipe: str, run: dict[str, Any]) -> dict[str, Any]:
    """Plan a run: every name, the version and each step's arguments, before the first write.

    :param recipe: name of a recipe of the catalogue.
    :param run: ``{"dag_id", "run_id", "at": ISO time, "params": the trigger form's values (an object, or JSON text of one)}``.
    :return: the plan as ``docs/architecture.md`` describes it.
    :raises StepSkipped: a dry run (its result is the plan), or nothing changed since the newest good version.
    :raises StepError: ``RecipeBroken``, ``BadParameter``, ``CannotBePlanned``: everything that is in the way, each with its cure;
        ``QuotaInUse`` (kind ``transient``): only quota that running machines use.
    """
    from include.factory.catalogue import RecipeError, load_recipe
    from include.factory.folder import catalogue_folder
    from include.factory.plan import PlanError, plan, regions_of, skip_reason
    from include.factory.preflight import Needs, Purchase, needs_of_build

    try:
        # The catalogue is files: not on the event loop that a thousand builds share.
        chosen = await asyncio.to_thread(load_recipe, catalogue_folder(), recipe)
    except RecipeError as error:
        raise StepError("permanent", "RecipeBroken", str(error), "Correct the recipe; then clear this task.") from error
    this = _run(run)
    needs = needs_of_build(chosen, regions_of(chosen, this), azure.subscription_id)
    facts, found = await asyncio.gather(read(azure, recipe=chosen), preflight.findings(azure, needs))
    urn = facts.base.id if chosen.base_argument()["kind"] == "marketplace" else None
    if (purchase := Purchase.of(facts.base.plan, azure.subscription_id, urn)) is not None:
        found = found.and_(await preflight.findings(azure, Needs(purchase=purchase)))
    try:
        made = plan(chosen, this, facts)
    except PlanError as error:
        raise preflight.refusal(chosen.name, [*error.problems, *found.problems, *found.waiting]) from error
    document: dict[str, Any] = made.model_dump(mode="json")
    log.info("%s", made.as_text())
    reason = skip_reason(chosen, this, facts, made.digest)
    if reason and not this.dry_run:
        raise StepSkipped(reason)
    return preflight.conclude(chosen.name, found, document, dry_run=this.dry_run)


def _run(run: dict[str, Any]) -> Run:
    """The run with what its trigger form asked for."""
    from pydantic import ValidationError

    from include.factory.run import Run

    params = run.get("params") or {}
    params = json.loads(params) if isinstance(params, str) else params
    asked = {name: value for name, value in params.items() if name in Run.model_fields and value is not None}
    identity = {key: run[key] for key in ("dag_id", "run_id", "at", "started") if run.get(key)}
    try:
        return Run.model_validate({**asked, **identity})
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
        raise StepError(
            "permanent",
            "BadParameter",
            f"The run cannot be as asked: {'; '.join(problems)}",
            "Start a new run with other values.",
            details=problems,
        ) from error
