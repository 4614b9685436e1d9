"""The report on all images: which versions are where, from which base, who may read them, and what is out of date."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.factory.notice import news
from include.steps import base_image, gallery_access
from include.steps.arm_error import of_exception
from include.steps.azure import Azure
from include.steps.connection import Connect, connected
from include.steps.errors import StepError
from include.steps.look import step

if TYPE_CHECKING:
    from include.factory.audit import Base, ImageAudit
    from include.factory.recipe import Recipe

log = logging.getLogger(__name__)


@dataclass
class _Place:
    """A gallery of the catalogue, and what in it is whose."""

    azure: Azure
    resource_group: str
    gallery: str
    role: str
    recipes: dict[str, Recipe] = field(default_factory=dict)
    """By definition, in lower case: Azure's names have no case of their own."""
    backups: dict[str, str] = field(default_factory=dict)
    """Name of the backup by definition, in lower case."""


@step
async def report(
    azure: Azure, *, gallery: str | None = None, max_age_days: int | str = 90, connect: Connect | None = None
) -> dict[str, Any]:
    """Print, for each image definition of the catalogue's galleries (those of recipes, second galleries, and those of backups): who may
    read it and who says so; its versions with their regions, the base, what people get, and what is out of date.

    :param gallery: one gallery by name; by default all.
    :param max_age_days: from this age on what people get is out of date.
    :param connect: gives the clients of a second gallery's own connection.
    :return: ``{"text": the report, "images": the fields of :class:`include.factory.audit.ImageAudit` each, "undeclared":
        {place: [who]}, "out_of_date": {"place version": why}, "absent": {gallery: why}, "notices"}``.
    :raises StepError: ``UnknownGallery``.
    """
    from include.factory.audit import audit_text

    places, absent = await _places(azure, gallery or None, connect)
    parts = await asyncio.gather(*(_of_place(place, int(max_age_days)) for place in places), return_exceptions=True)
    found: list[ImageAudit] = []
    for place, part in zip(places, parts, strict=True):
        name = f"{place.resource_group}/{place.gallery}"
        if isinstance(part, Exception):
            # One gallery that cannot be read must not hide all the others.
            absent[name] = f"cannot be read: {part.message if isinstance(part, StepError) else of_exception(part).message}"
        elif isinstance(part, BaseException):
            raise part
        elif part is None:
            absent[name] = "is not there yet: its first build makes it"
        else:
            found += part
    text = audit_text(found, absent)
    log.info("%s", text)
    undeclared = {one.place: one.undeclared for one in found if one.undeclared}
    if undeclared:
        log.warning("No recipe says that these may read: %s", "; ".join(f"{what}: {', '.join(who)}" for what, who in undeclared.items()))
    return {
        "text": text,
        "images": [one.model_dump(mode="json") for one in found],
        "undeclared": undeclared,
        "out_of_date": {f"{one.place} {version}": why for one in found for version, why in one.late.items()},
        "absent": absent,
        "notices": [_notice(place, who) for place, who in undeclared.items()],
    }


def _notice(place: str, who: list[str]) -> dict[str, Any]:
    group, gallery, definition = place.split("/")
    return news("undeclared", group, gallery, definition, "somebody may read it, and no recipe says so", "\n".join(who))


async def _places(azure: Azure, only: str | None, connect: Connect | None) -> tuple[list[_Place], dict[str, str]]:
    """The galleries of the catalogue; and those whose connection cannot be used, with the reason."""
    from include.factory.backup import load_backups
    from include.factory.catalogue import load_catalogue
    from include.factory.folder import catalogue_folder

    catalogue = await asyncio.to_thread(load_catalogue, catalogue_folder())
    backups = await asyncio.to_thread(load_backups, catalogue_folder(), catalogue)
    places: dict[tuple[str, str, str], _Place] = {}
    absent: dict[str, str] = {}

    def place(there: Azure, group: str, name: str, role: str) -> _Place:
        key = (there.subscription_id, group.lower(), name.lower())
        return places.setdefault(key, _Place(there, group, name, role))

    for recipe in catalogue.recipes.values():
        place(azure, recipe.publish.resource_group, recipe.publish.gallery, "gallery").recipes[recipe.definition.lower()] = recipe
        if second := recipe.disaster_recovery:
            try:
                there = await connected(azure, second.subscription, second.connection, connect)
            except Exception as error:
                absent[f"{second.resource_group}/{second.gallery}"] = f"its connection {second.connection} cannot be used: {error}"
                continue
            place(there, second.resource_group, second.gallery, "second gallery").recipes[recipe.definition.lower()] = recipe
    for backup in backups.backups.values():
        place(azure, backup.resource_group, backup.gallery, "backups").backups[backup.image.lower()] = backup.name
    chosen = [one for one in places.values() if only is None or one.gallery.lower() == only.lower()]
    if only is not None and not chosen:
        known = ", ".join(sorted({one.gallery for one in places.values()})) or "none"
        raise StepError("permanent", "UnknownGallery", f"The catalogue has no gallery {only!r}", f"It has {known}.")
    return sorted(chosen, key=lambda one: (one.resource_group, one.gallery)), absent


async def _of_place(place: _Place, max_age_days: int) -> list[ImageAudit] | None:
    from include.factory.audit import audit

    state = await gallery_access.read(place.azure, place.resource_group, place.gallery, versions=True)
    if not state.exists:
        return None
    in_force = [one for each in (*state.assignments.values(), *state.denials.values()) for one in each]
    # What a second gallery's copies were built from is looked at where the first gallery is.
    there = {name.lower() for name in state.assignments}
    own = {name: recipe for name, recipe in place.recipes.items() if name in there and place.role == "gallery"}
    people, bases = await asyncio.gather(
        gallery_access.people(place.azure, in_force), asyncio.gather(*(_base(place.azure, one) for one in own.values()))
    )
    known = dict(zip(own, bases, strict=True))
    return [
        audit(
            definition,
            state,
            recipe=place.recipes.get(definition.lower()),
            of=_of(place, definition.lower()),
            role=_role(place, definition.lower()),
            people=people,
            base=known.get(definition.lower()),
            now=datetime.now(UTC),
            max_age_days=max_age_days,
        )
        for definition in state.assignments
    ]


def _of(place: _Place, definition: str) -> str:
    return place.recipes[definition].name if definition in place.recipes else place.backups.get(definition, "")


def _role(place: _Place, definition: str) -> str:
    if definition in place.recipes:
        recipe = place.recipes[definition]
        return f"{'second gallery of the' if place.role == 'second gallery' else 'the'} recipe {recipe.name}, owner {recipe.owner}"
    if definition in place.backups:
        return f"captures of the backup {place.backups[definition]}"
    return "no recipe and no backup publishes to it"


async def _base(azure: Azure, recipe: Recipe) -> Base:
    from include.factory.audit import Base

    try:
        found: Any = await base_image.resolve(azure, base=recipe.base_argument(), location=recipe.build.region)
    except StepError as error:
        return Base(problem=error.message)
    return Base(id=found["id"])
