"""Second galleries, kept in step with the first: versions copied, flags and regions set right, and what is retired deleted where asked."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from include.factory.version_tags import COPIED_FROM
from include.steps import destination as destinations
from include.steps import gallery_image, gallery_versions, image_version, preflight
from include.steps.arm_error import of_exception
from include.steps.azure import Azure
from include.steps.connection import Connect, connected
from include.steps.errors import StepError, partly, told_of
from include.steps.form import checked, fields_of
from include.steps.look import PROMOTED_TAG, RUN_TAG, Found, gone, look, step
from include.steps.replication import Replication
from include.steps.table import table
from include.steps.target_region import present
from include.steps.version import Version, region_update

if TYPE_CHECKING:
    from include.factory.recipe import Recipe
    from include.factory.second_gallery import Galleries, RecipePlan

log = logging.getLogger(__name__)

UPDATE_TIMEOUT = 2 * 3600.0


@step
async def plan(azure: Azure, *, form: dict[str, Any] | str, connect: Connect | None = None) -> dict[str, Any]:
    """Plan what the second galleries lack, before the first write.

    :param form: the fields of :class:`include.factory.second_gallery.Keeping` (an object, or JSON text of one), ``reason``, ``dry_run``.
    :param connect: gives the clients of a recipe's own connection.
    :return: ``{"recipes": [names], "calls": [every write], "left_out": {recipe: {version: reason}}, "extra",
        "steps": {"keep", "report"}}``.
    :raises StepSkipped: a dry run, or nothing to do; its result is the same object.
    :raises StepError: ``BadParameter``; ``UnknownRecipe``.
    """
    from include.factory.second_gallery import (
        Keeping,
        arguments_of,
        needs_of_second_gallery,
        plan_second_gallery,
        second_gallery_text,
    )

    fields, dry_run = fields_of(form)
    fields.pop("reason", None)
    asked = checked(Keeping, fields)
    recipes = await asyncio.to_thread(_recipes, asked.recipe)
    read = await _read_all(azure, recipes, connect)
    plans = [plan_second_gallery(recipe, asked, galleries) for recipe, (_, galleries) in zip(recipes, read, strict=True)]
    needs = {
        recipe.name: (second, needs_of_second_gallery(recipe, made))
        for recipe, made, (second, _) in zip(recipes, plans, read, strict=True)
        if made.calls
    }
    obstacles, found = await preflight.obstacles(needs)
    plans = [made.stopped(obstacles[made.recipe]) if made.recipe in obstacles else made for made in plans]
    log.info("%s", "\n".join(second_gallery_text(recipe, made) for recipe, made in zip(recipes, plans, strict=True)))
    all_of_them = [
        arguments_of(recipe, made.actions, galleries.purchase) for recipe, made, (_, galleries) in zip(recipes, plans, read, strict=True)
    ]
    document = {
        "recipes": [recipe.name for recipe in recipes],
        "about": [made.recipe for made in plans if made.calls or made.left_out],
        "calls": [call.model_dump() for made in plans for call in made.calls],
        "left_out": {made.recipe: made.left_out for made in plans if made.left_out},
        "extra": {made.recipe: made.extra for made in plans if made.extra},
        "steps": {
            "keep": {
                "recipes": [each for each in all_of_them if each["versions"]],
                "at_once": asked.at_once,
                "timeout": asked.timeout,
            },
            "report": {"recipes": [recipe.name for recipe in recipes]},
        },
    }
    # Where something is missing and nothing can be done about it, the run goes on to its report, which tells whom it concerns.
    nothing = None if any(made.calls or made.left_out for made in plans) else _nothing(plans)
    return preflight.conclude("Keeping second galleries", found, document, dry_run=dry_run, nothing=nothing)


def _recipes(name: str | None) -> list[Recipe]:
    from include.factory.catalogue import load_catalogue
    from include.factory.folder import catalogue_folder

    all_of_them = load_catalogue(catalogue_folder()).recipes
    with_second = [recipe for recipe in all_of_them.values() if recipe.disaster_recovery]
    if name is None:
        return with_second
    chosen = [recipe for recipe in with_second if recipe.name == name]
    if not chosen:
        known = ", ".join(recipe.name for recipe in with_second) or "none"
        why = "has no second gallery" if name in all_of_them else "is not in the catalogue"
        raise StepError("permanent", "UnknownRecipe", f"The recipe {name!r} {why}", f"With a second gallery: {known}.")
    return chosen


def _nothing(plans: list[RecipePlan]) -> str:
    if not plans:
        return "No recipe has a second gallery: nothing to do."
    out = "; ".join(f"{made.recipe} {version}: {reason}" for made in plans for version, reason in made.extra.items())
    return f"The second galleries of {len(plans)} recipe(s) are in step: nothing to do.{f' Left: {out}.' if out else ''}"


async def _read_all(azure: Azure, recipes: list[Recipe], connect: Connect | None) -> list[tuple[Azure, Galleries]]:
    """Of each recipe, the second gallery's clients and what both galleries hold. One that cannot be read hides no other.

    :raises StepError: none can.
    """
    from include.factory.second_gallery import Galleries

    answers = await asyncio.gather(*(_read(azure, recipe, connect) for recipe in recipes), return_exceptions=True)
    found: list[tuple[Azure, Galleries]] = []
    failures: list[StepError] = []
    for recipe, answer in zip(recipes, answers, strict=True):
        if isinstance(answer, Exception):
            failures.append(answer if isinstance(answer, StepError) else of_exception(answer))
            log.error("%s: its galleries cannot be read: %s", recipe.name, failures[-1])
            unread = Galleries(subscription_id="", second_subscription_id="", unreadable=failures[-1].message)
            found.append((azure, unread))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found.append(answer)
    if failures and len(failures) == len(recipes):
        raise failures[0]
    return found


async def _read(azure: Azure, recipe: Recipe, connect: Connect | None) -> tuple[Azure, Galleries]:
    """The second gallery's clients, and what both galleries hold."""
    from include.factory.arguments import described
    from include.factory.second_gallery import Galleries

    settings, publish = recipe.disaster_recovery, recipe.publish
    assert settings is not None
    second = await connected(azure, settings.subscription, settings.connection, connect)
    path = (settings.resource_group, settings.gallery, recipe.definition)
    group, gallery, definition, original, first = await asyncio.gather(
        look(second.resources.resource_groups.get(path[0])),
        look(second.compute.galleries.get(*path[:2])),
        look(second.compute.gallery_images.get(*path)),
        look(azure.compute.gallery_images.get(publish.resource_group, publish.gallery, recipe.definition)),
        _versions(azure, publish.resource_group, publish.gallery, recipe.definition),
    )
    copies = await _versions(second, *path) if definition else []
    purchase = ((original or definition or {}).get("properties") or {}).get("purchasePlan")
    return second, Galleries(
        subscription_id=azure.subscription_id,
        second_subscription_id=second.subscription_id,
        first=tuple(first),
        second=tuple(copies),
        there=tuple(one["id"] for one in (group, gallery, definition) if one is not None),
        purchase=purchase,
        differences=tuple(gallery_image.differences(definition, {**described(recipe), "plan": purchase})) if definition else (),
        sources={
            version.name: Version(azure, publish.resource_group, publish.gallery, recipe.definition, version.name).id for version in first
        },
    )


async def _versions(azure: Azure, resource_group: str, gallery: str, definition: str) -> list[Any]:
    """All versions with the states of their regions; none where there is no definition."""
    path = {"resource_group": resource_group, "gallery": gallery, "definition": definition}
    try:
        names = [version.name for version in await gallery_versions.read(azure, **path)]
    except StepError as error:
        if error.code == "DefinitionNotFound":
            return []
        raise
    return await gallery_versions.with_states(azure, names, **path)


async def keep(
    azure: Azure,
    *,
    recipes: list[dict[str, Any]],
    at_once: int = 4,
    timeout: float = 21600,
    connect: Connect | None = None,
    earlier: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Do what was planned for each version, ``at_once`` at a time; one that fails delays no other. Run again, it does what is left.

    :param recipes: ``{"recipe", "subscription", "connection", "location", "target_regions", "versions", "destination"}`` each, where
        ``versions`` are the fields of :class:`include.factory.second_gallery.VersionAction` and ``destination`` the arguments of
        :func:`include.steps.destination.ensure`.
    :param timeout: seconds for each version.
    :param earlier: the details of the error of this task's last try, whose notes are told with those of this one.
    :return: ``{"recipes": {recipe: [versions]}}``, and ``"notes"``, ``{"recipe version": [sentences]}``, where other writers' updates had
        to be mended.
    :raises StepError: ``PartlyKept``: some are done, and the others are named; kind ``transient`` when waiting is all that is missing.
    """
    gate = asyncio.Semaphore(at_once)
    done: dict[str, list[str]] = {}
    notes: dict[str, list[str]] = {name: list(said) for name, said in ((earlier or {}).get("notes") or {}).items()}
    failures: dict[str, StepError] = {}

    async def one(second: Azure, kept: dict[str, Any], action: dict[str, Any]) -> None:
        name = f"{kept['recipe']} {action['version']}"
        async with gate:
            try:
                await _act(second, kept, action, timeout, notes.setdefault(name, []))
                done.setdefault(kept["recipe"], []).append(action["version"])
            except Exception as error:
                failures[name] = error if isinstance(error, StepError) else of_exception(error)
                log.error("%s", told_of(name, str(failures[name])))

    async def one_recipe(kept: dict[str, Any]) -> None:
        try:
            second = await connected(azure, kept["subscription"], kept["connection"], connect)
            if any(action.get("copy_of") for action in kept["versions"]):
                await destinations.ensure(second, **kept["destination"])
        except Exception as error:
            failures[kept["recipe"]] = error if isinstance(error, StepError) else of_exception(error)
            log.error("%s: %s", kept["recipe"], failures[kept["recipe"]])
            return
        await asyncio.gather(*(one(second, kept, action) for action in kept["versions"]))

    await asyncio.gather(*map(one_recipe, recipes))
    notes = {name: list(dict.fromkeys(told)) for name, told in notes.items() if told}
    if failures:
        count = sum(map(len, done.values()))
        said = f"{count} version(s) are done, {len(failures)} are not."
        about = sorted({what.partition(" ")[0] for what in failures})
        raise partly("PartlyKept", said, failures, done=done, about=about, notes=notes)
    kept_now = {recipe: sorted(versions) for recipe, versions in sorted(done.items())}
    return {"recipes": kept_now, **({"notes": notes} if notes else {})}


async def _act(azure: Azure, kept: dict[str, Any], action: dict[str, Any], timeout: float, notes: list[str]) -> None:
    definition = kept["destination"]["definition"]
    path = {"resource_group": definition["resource_group"], "gallery": definition["gallery"], "definition": definition["name"]}
    version = Version(azure, **path, version=action["version"])
    if action.get("delete"):
        found, resource = await version.settle(None, timeout)
        if resource is not None and found is not Found.ABSENT:
            await version.delete()
            log.info("Version %s is deleted from %s.", action["version"], path["gallery"])
        return
    settings = {region["name"]: region for region in kept["target_regions"]}
    if source := action.get("copy_of"):
        tags = {**{name: value for name, value in action["tags"].items() if name != PROMOTED_TAG}, COPIED_FROM: source[-256:]}
        # The run that built the version is the copy's, too: so whoever copies it next takes up what this one began.
        tags.setdefault(RUN_TAG, source[-256:])
        await image_version.publish(
            azure,
            **path,
            version=action["version"],
            location=kept["location"],
            source={"kind": "version", "id": source},
            target_regions=[settings[kept["location"]]],
            tags=tags,
        )
        log.info("%s %s is copied to %s.", kept["recipe"], action["version"], path["gallery"])
    if regions := action.get("regions"):
        await Replication(version, [settings[name] for name in regions], timeout, notes=notes).run()
    if action.get("excluded") is not None:
        await _set_flags(version, bool(action["excluded"]))


async def _set_flags(version: Version, excluded: bool) -> None:
    """Set the global and all regional exclude flags, and read them back."""
    started = None
    while True:
        found, resource = await version.settle(None, UPDATE_TIMEOUT, started)
        if resource is None or found is Found.ABSENT:
            raise gone(str(version), "plan")
        profile = resource["properties"]["publishingProfile"]
        flags = [profile.get("excludeFromLatest"), *(item.get("excludeFromLatest") for item in present(resource).values())]
        if all(bool(flag) is excluded for flag in flags):
            return
        if started is not None:
            raise StepError(
                "transient",
                "FlagsUnchanged",
                f"The update of version {version.version} succeeded, but its flags read back unchanged",
                "Nothing: it is put again. If it lasts, find out who else updates this version.",
            )
        items = [{**item, "excludeFromLatest": excluded} for item in present(resource).values()]
        started = await version.patch(region_update(items, excluded=excluded, allow_deletion=False))


@step
async def report(azure: Azure, *, recipes: list[str], connect: Connect | None = None) -> dict[str, Any]:
    """Print, for each recipe, how its two galleries compare now, whatever became of the run.

    :return: ``{"table": Markdown, "behind": {recipe: {version: what is missing}}, "notices"}``.
    """
    from include.factory.second_gallery import Keeping, plan_second_gallery

    chosen = [recipe for recipe in await asyncio.to_thread(_recipes, None) if recipe.name in recipes]
    read = await _read_all(azure, chosen, connect)
    rows, behind, notices = [], {}, []
    for recipe, (_, galleries) in zip(chosen, read, strict=True):
        made = plan_second_gallery(recipe, Keeping(), galleries)
        copies = {version.name: version for version in galleries.second}
        todo = {action.version: "to be copied" if action.copy_of else "out of step" for action in made.actions}
        missing = {**todo, **made.left_out}
        if missing:
            behind[recipe.name] = missing
            notices.append(_notice(recipe, missing))
        for name in dict.fromkeys([*todo, *copies, *made.left_out]):
            copy = copies.get(name)
            where = ", ".join(f"{region} {replica.state}" for region, replica in copy.regions.items()) if copy else "-"
            state = {**missing, **made.extra}.get(name, "in step")
            rows.append([recipe.name, name, where, "-" if copy is None else "no" if copy.excluded else "yes", state])
    shown = table(["recipe", "version", "second gallery", "latest", "state"], rows)
    log.info("Second galleries, as they are now:\n%s", shown)
    if behind:
        log.warning("Not in step: %s", ", ".join(behind))
    return {"table": shown, "behind": behind, "notices": notices}


def _notice(recipe: Recipe, missing: dict[str, str]) -> dict[str, Any]:
    assert recipe.disaster_recovery is not None
    title = f"{recipe.name}: the second gallery {recipe.disaster_recovery.gallery} lacks something"
    text = "\n".join(f"{version}: {reason}" for version, reason in missing.items())
    return {"event": "behind", "recipe": recipe.name, "title": title, "text": text}
