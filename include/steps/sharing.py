"""Who may read images: what the recipes say is granted, and what nobody says is found."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from include.factory.notice import Event, news
from include.steps import gallery_access, preflight
from include.steps.arm_error import of_exception
from include.steps.azure import Azure
from include.steps.errors import StepError, partly
from include.steps.form import checked, fields_of
from include.steps.gallery_access import API_VERSION
from include.steps.look import Resource, gone, look, settle, step

if TYPE_CHECKING:
    from include.factory.recipe import Recipe
    from include.factory.sharing import GalleryState

log = logging.getLogger(__name__)


@step
async def plan(azure: Azure, *, form: dict[str, Any] | str) -> dict[str, Any]:
    """Plan what makes the galleries' sharing what the recipes declare, before the first write.

    :param form: the fields of :class:`include.factory.sharing.Asked` (an object, or JSON text of one), ``reason``, ``dry_run``.
    :return: ``{"galleries": [names], "calls": [every write], "undeclared": {gallery: [words]}, "left_out": {gallery: [words]},
        "steps": {"apply"}, "notices"}``.
    :raises StepSkipped: a dry run, or nothing to do; its result is the same object.
    :raises StepError: ``BadParameter``; ``UnknownGallery``.
    """
    from include.factory.preflight import needs_of_calls
    from include.factory.sharing import Asked, arguments_of, plan_sharing, sharing_text

    fields, dry_run = fields_of(form)
    fields.pop("reason", None)
    asked = checked(Asked, fields)
    galleries = await asyncio.to_thread(_galleries, asked.gallery)
    states = await _states(azure, galleries)
    plans = [plan_sharing(recipes, state, asked) for recipes, state in zip(galleries, states, strict=True)]
    needs = {made.gallery: (azure, needs_of_calls(made.calls)) for made in plans if made.calls}
    obstacles, found = await preflight.obstacles(needs)
    plans = [made.stopped(obstacles[made.gallery]) if made.gallery in obstacles else made for made in plans]
    log.info("%s", "\n".join(map(sharing_text, plans)))
    names = [recipes[0].publish.gallery for recipes in galleries]
    document = {
        "galleries": names,
        "about": [recipe.name for recipes, made in zip(galleries, plans, strict=True) if made.calls for recipe in recipes],
        "calls": [call.model_dump() for made in plans for call in made.calls],
        "undeclared": {name: list(made.undeclared) for name, made in zip(names, plans, strict=True) if made.undeclared},
        "left_out": {name: list(made.left_out) for name, made in zip(names, plans, strict=True) if made.left_out},
        "steps": {
            "apply": {"galleries": [arguments_of(made) for made in plans if made.calls]},
        },
        "notices": [
            _notice("behind", recipe, "is not shared as its recipe says", made.left_out)
            for recipes, state, made in zip(galleries, states, plans, strict=True)
            if (state.exists or state.unread) and made.left_out
            for recipe in recipes
            if recipe.share
        ],
    }
    return preflight.conclude("Sharing", found, document, dry_run=dry_run)


async def _states(azure: Azure, galleries: Sequence[Sequence[Recipe]]) -> list[GalleryState]:
    """How each gallery is shared; one that cannot be read says so, and delays no other."""
    from include.factory.sharing import GalleryState

    places = [(recipes[0].publish.resource_group, recipes[0].publish.gallery) for recipes in galleries]
    read = await asyncio.gather(*(gallery_access.read(azure, *place) for place in places), return_exceptions=True)
    states: list[GalleryState] = []
    for place, found in zip(places, read, strict=True):
        if isinstance(found, GalleryState):
            states.append(found)
            continue
        if not isinstance(found, Exception):
            raise found
        failure = of_exception(found)
        if failure.kind != "permanent" or len(places) == 1:
            raise failure from found
        states.append(GalleryState(id=azure.id(place[0], "galleries", place[1]), unread=f"{failure.message.rstrip('.')}. {failure.cure}"))
    return states


def _notice(event: Event, recipe: Recipe, title: str, lines: Sequence[str]) -> dict[str, Any]:
    return news(event, recipe.publish.resource_group, recipe.publish.gallery, recipe.definition, title, "\n".join(lines))


def _galleries(name: str | None) -> list[list[Recipe]]:
    """The recipes of the catalogue, by the gallery that they publish to."""
    from include.factory.catalogue import load_catalogue
    from include.factory.folder import catalogue_folder

    def place(recipe: Recipe) -> tuple[str, str]:
        return recipe.publish.resource_group.lower(), recipe.publish.gallery.lower()

    recipes = sorted(load_catalogue(catalogue_folder()).recipes.values(), key=place)
    found = [list(group) for _, group in groupby(recipes, place)]
    if name is None:
        return found
    chosen = [group for group in found if group[0].publish.gallery.lower() == name.lower()]
    if not chosen:
        known = ", ".join(group[0].publish.gallery for group in found) or "none"
        raise StepError("permanent", "UnknownGallery", f"No recipe publishes to a gallery {name!r}", f"The catalogue's are {known}.")
    return chosen


async def apply(azure: Azure, *, galleries: list[dict[str, Any]]) -> dict[str, Any]:
    """Do what was planned for each gallery; what fails in one stops no other. Run again, it does what is left.

    :param galleries: ``{"gallery": ARM id, "add", "remove", "enable_community", "grant", "revoke"}`` each, the fields of
        :class:`include.factory.sharing.SharingPlan`.
    :return: ``{"galleries": {name: number of changes}}``: of those that were planned, the ones that are in force, whichever try made them.
    :raises StepError: ``PartlyShared``: what failed is named; kind ``transient`` when waiting is all that is missing.
    """
    done: dict[str, int] = {}
    failures: dict[str, StepError] = {}

    async def one(asked: dict[str, Any]) -> None:
        name = asked["gallery"].rpartition("/")[2]
        done[name] = 0
        changes = [
            ("share", _share(azure, asked)),
            *((f"grant {grant['principal']}", _grant(azure, id, grant)) for id, grant in asked.get("grant", {}).items()),
            *((f"revoke {id.rpartition('/')[2]}", _revoke(azure, id)) for id in asked.get("revoke", ())),
        ]
        outcomes = await asyncio.gather(*(change for _, change in changes), return_exceptions=True)
        for (what, _), outcome in zip(changes, outcomes, strict=True):
            if isinstance(outcome, Exception):
                failures[f"{name}: {what}"] = outcome if isinstance(outcome, StepError) else of_exception(outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                done[name] += outcome

    await asyncio.gather(*map(one, galleries))
    if failures:
        said = f"{sum(done.values())} change(s) are done, {len(failures)} are not."
        failed = {what.partition(":")[0] for what in failures}
        about = [
            recipe.name
            for recipes in await asyncio.to_thread(_galleries, None)
            if recipes[0].publish.gallery in failed
            for recipe in recipes
        ]
        raise partly("PartlyShared", said, failures, done=done, about=about)
    return {"galleries": done}


@step
async def _share(azure: Azure, asked: dict[str, Any]) -> int:
    """Bring the gallery's direct shares and its community flag to where they are to be; how many of the changes were asked for."""
    segments = asked["gallery"].split("/")
    group, name = segments[4], segments[8]
    wanted = [(operation, ids) for operation, ids in (("Add", asked.get("add")), ("Remove", asked.get("remove"))) if ids]

    async def read() -> Resource | None:
        return await look(azure.compute.galleries.get(group, name, expand="SharingProfile/Groups"))

    for operation, ids in wanted:
        profile = await _profile(read, name)
        held = {one["type"]: {id.lower() for id in one["ids"]} for one in profile.get("groups") or ()}
        left = {
            kind: [id for id in some if (id.lower() not in held.get(kind, set())) == (operation == "Add")] for kind, some in ids.items()
        }
        if any(left.values()):
            groups = [{"type": kind, "ids": some} for kind, some in left.items() if some]
            await _update(azure, group, name, {"operationType": operation, "groups": groups})
            log.info("Gallery %s: %s %s.", name, operation, groups)
    if asked.get("enable_community"):
        info = (await _profile(read, name)).get("communityGalleryInfo") or {}
        if not info.get("communityGalleryEnabled"):
            await _update(azure, group, name, {"operationType": "EnableCommunity"})
            log.info("Gallery %s is shown to the community.", name)
    return len(wanted) + bool(asked.get("enable_community"))


async def _profile(read: Any, name: str) -> dict[str, Any]:
    """The sharing profile, when no sharing is under way any more."""
    while True:
        _, gallery = await settle(read)
        if gallery is None:
            raise gone(f"Gallery {name}", "plan")
        properties: dict[str, Any] = gallery["properties"]
        if (properties.get("sharingStatus") or {}).get("aggregatedState") != "InProgress":
            return properties.get("sharingProfile") or {}
        await asyncio.sleep(5)


async def _update(azure: Azure, group: str, name: str, body: dict[str, Any]) -> None:
    await azure.finish(azure.compute.gallery_sharing_profile.begin_update, group, name, body, kind="galleries share")


@step
async def _grant(azure: Azure, id: str, grant: dict[str, str]) -> int:
    """Assign the role, where it is not yet; 1 change that is in force then."""
    resources = azure.resources.resources
    if await look(resources.get_by_id(id, api_version=API_VERSION)) is not None:
        return 1
    role = f"/subscriptions/{azure.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/{grant['role']}"
    properties = {"roleDefinitionId": role, "principalId": grant["principal"], "principalType": grant["type"]}
    try:
        await azure.finish(
            resources.begin_create_or_update_by_id,
            id,
            {"properties": properties},
            api_version=API_VERSION,
            kind="roleAssignments PUT",
        )
    except Exception as error:
        failure = of_exception(error)
        if failure.code in ("RoleAssignmentExists", "RoleAssignmentUpdateNotPermitted"):
            return 1  # somebody came first: it is in force
        raise failure from error
    log.info("%s %s may read %s.", grant["type"], grant["principal"], id.split("/")[10])
    return 1


@step
async def _revoke(azure: Azure, id: str) -> int:
    """Delete a role assignment, where there is one; 1 change that is in force then."""
    resources = azure.resources.resources
    if await look(resources.get_by_id(id, api_version=API_VERSION)) is None:
        return 1
    await azure.finish(resources.begin_delete_by_id, id, api_version=API_VERSION, kind="roleAssignments DELETE")
    log.info("The role assignment %s is taken away.", id)
    return 1
