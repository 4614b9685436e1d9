"""Which versions of an image are where, from which base, who may read them, and what is out of date: one read for whoever audits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from pydantic import Field

from include.factory import version_tags
from include.factory.digest import digest
from include.factory.image_version import ImageVersion, Replica, channel_heads, latest_everywhere, newest_first
from include.factory.names import tag_value
from include.factory.recipe import Recipe
from include.factory.sharing import GROUPS, READER, WORDS, Assignment, Deleted, GalleryState, assignment_words
from include.factory.tags import BASE, DIGEST
from include.factory.value import Value
from include.factory.version_tags import COPIED_FROM

SHOWN = 20
"""Members of a group that are named; the others are counted."""


class People(Value):
    """What the directory says of principals."""

    names: dict[str, str] = Field(default_factory=dict)
    """Object id -> display name."""
    members: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Group -> names of all who are in it, by way of other groups too."""
    unresolved: dict[str, str] = Field(default_factory=dict)
    """Group -> why its members could not be read."""
    factory: str = ""
    """Object id of the identity that asks, in lower case: the factory itself."""


class Base(Value):
    """A recipe's base as it is now."""

    id: str = ""
    problem: str = ""
    """Why it could not be read."""


class Reading(Value):
    """One way in which somebody may read the image."""

    by: str
    """`role`, `direct`, `community` or `denied`."""
    who: str
    said_by: str = ""
    """The recipe that says so; empty where none does."""
    factory: bool = False
    """It is the factory itself, which must read what it makes: no recipe needs to say so."""
    unresolved: str = ""
    """Of a group: why it could not be read who is in it."""


class VersionState(Value):
    """One version, as an auditor asks about it."""

    version: str
    regions: tuple[str, ...]
    base: str
    """What it was built from, or is a copy of."""
    gets: tuple[str, ...]
    """`latest` with the regions that resolve to it, and channels that are at it; empty where people must ask for it by its number."""
    end_of_life: str = ""
    recipe: str = ""
    """`as now`, `older`, or empty where the factory does not know."""
    life: tuple[str, ...] = ()
    """What it has been through, and what keeps it: rolled back, retired, pinned, not made by the factory, not whole."""
    late: tuple[str, ...] = ()
    """What is out of date."""


class ImageAudit(Value):
    """One image definition of one gallery."""

    place: str
    """``resource_group/gallery/definition``."""
    title: str
    recipe: str = ""
    """Recipe or backup that it is of; empty where the catalogue does not name it."""
    readings: tuple[Reading, ...] = ()
    versions: tuple[VersionState, ...] = ()
    deleted: tuple[Deleted, ...] = ()
    """Versions in the gallery's bin."""

    @property
    def undeclared(self) -> list[str]:
        return [one.who for one in self.readings if not one.said_by and not one.factory and one.by != "denied"]

    @property
    def late(self) -> dict[str, str]:
        return {one.version: "; ".join(one.late) for one in self.versions if one.late}


def audit(
    definition: str,
    state: GalleryState,
    *,
    recipe: Recipe | None,
    of: str,
    role: str,
    people: People,
    base: Base | None,
    now: datetime,
    max_age_days: int,
) -> ImageAudit:
    """The audit of one definition; pure.

    :param recipe: the one that publishes or copies to it, or None.
    :param of: name of the recipe or backup, or empty.
    :param role: what the gallery is, in a few words.
    :param base: the recipe's base as it is now, or None where it is not asked for.
    :param max_age_days: from this age on what people get is out of date.
    """
    parts = state.id.split("/")
    return ImageAudit(
        place=f"{parts[4]}/{parts[8]}/{definition}",
        title=f"{parts[8]}/{definition} ({parts[4]}, {state.location}): {role}",
        recipe=of,
        readings=tuple(readings(recipe, definition, state, people)),
        versions=tuple(_versions(state.versions.get(definition, ()), recipe, base, now, max_age_days)),
        deleted=state.deleted.get(definition, ()),
    )


def readings(recipe: Recipe | None, definition: str, state: GalleryState, people: People) -> Iterator[Reading]:
    """Everybody who may read one definition, and which recipe says so."""
    share = recipe.share if recipe else None
    declared = {reader.id.lower() for reader in share.readers} if share else set()
    said_by = recipe.name if recipe else ""
    scope = f"{state.id}/images/{definition}".lower()
    for one in state.assignments.get(definition, ()):
        said = one.principal.lower() in declared and one.role == READER and one.scope.lower() == scope
        unresolved = people.unresolved.get(one.principal.lower(), "")
        factory = one.principal.lower() == people.factory
        yield Reading(by="role", who=_who(one, state, people), said_by=said_by if said else "", factory=factory, unresolved=unresolved)
    for one in state.denials.get(definition, ()):
        yield Reading(by="denied", who=_who(one, state, people), unresolved=people.unresolved.get(one.principal.lower(), ""))
    for group, field in GROUPS.items():
        wanted = {id.lower() for id in getattr(share, field)} if share else set()
        for id in state.groups.get(group, ()):
            yield Reading(by="direct", who=f"{WORDS[group]} {id}", said_by=said_by if id.lower() in wanted else "")
    if state.community_enabled:
        yield Reading(by="community", who=f"everybody, as {state.public_name}", said_by=said_by if share and share.community else "")


def _who(one: Assignment, state: GalleryState, people: People) -> str:
    name = people.names.get(one.principal.lower())
    words = assignment_words(one, state)
    known = words.replace(one.principal, f"{name} ({one.principal})", 1) if name else words
    if one.principal_type != "Group":
        return known
    if one.principal.lower() in people.unresolved:
        return known
    members = people.members.get(one.principal.lower(), ())
    more = f" and {len(members) - SHOWN} more" if len(members) > SHOWN else ""
    return f"{known}; {len(members)} member(s){': ' if members else ''}{', '.join(members[:SHOWN])}{more}"


def _versions(
    versions: Sequence[ImageVersion], recipe: Recipe | None, base: Base | None, now: datetime, max_age_days: int
) -> Iterator[VersionState]:
    latest = latest_everywhere(versions)
    heads = channel_heads(versions)
    for version in newest_first(versions):
        where = [region for region, one in latest.items() if one.name == version.name]
        gets = [f"latest in {', '.join(where)}" if len(where) < len(latest) else "latest"] if where else []
        gets += [channel for channel, one in heads.items() if one.name == version.name]
        current = _is_current(version, recipe)
        yield VersionState(
            version=version.name,
            regions=tuple(_region(name, one) for name, one in version.regions.items()),
            base=version.tags.get(BASE) or version.tags.get(COPIED_FROM) or "unknown",
            gets=tuple(gets),
            end_of_life=f"{version.end_of_life:%Y-%m-%d}" if version.end_of_life else "",
            recipe="" if current is None else "as now" if current else "older",
            life=tuple(_life(version)),
            late=tuple(_late(version, bool(gets), current, base, now, max_age_days)),
        )


def _life(version: ImageVersion) -> Iterator[str]:
    if version_tags.OWN not in version.tags:
        yield "not made by the factory"
    if version.state != "Succeeded":
        yield f"it is {version.state}"
    for tag, said in ((version_tags.ROLLED_BACK, "rolled back"), (version_tags.RETIRED, "retired")):
        if tag in version.tags:
            yield f"{said} {version.tags[tag]}"
    if version_tags.is_pinned(version.tags):
        yield f"pinned ({version.tags[version_tags.PINNED]})"


def _region(name: str, replica: Replica) -> str:
    return name if replica.state in ("Completed", "Unknown") else f"{name} ({replica.state})"


def _is_current(version: ImageVersion, recipe: Recipe | None) -> bool | None:
    """Whether it was built by the recipe as it is now; None where that cannot be told."""
    built_by = version.tags.get(DIGEST)
    return built_by == digest(recipe) if recipe is not None and built_by else None


def _late(version: ImageVersion, is_got: bool, current: bool | None, base: Base | None, now: datetime, max_age_days: int) -> Iterator[str]:
    if version.end_of_life and version.end_of_life <= now:
        yield f"its end of life was {version.end_of_life:%Y-%m-%d}"
    if not is_got:
        return
    age = (now - version.published).days if version.published else None
    if age is not None and age >= max_age_days:
        yield f"{age} days old"
    if current is False:
        yield "the recipe has changed since"
    if base is not None and base.problem:
        yield f"its base cannot be read: {base.problem}"
    elif base is not None and version.tags.get(BASE) and version.tags[BASE] != tag_value(base.id):
        yield f"its base has a newer version, {base.id}"


def _unsaid(reading: Reading) -> str:
    return "the factory itself" if reading.factory else "NO RECIPE SAYS SO"


def audit_text(found: Sequence[ImageAudit], absent: Mapping[str, str]) -> str:
    """The report for a reader: a summary, and a section for each image.

    :param absent: gallery -> why it is not in the report.
    """
    return "\n".join(_lines(found, absent))


def _lines(found: Sequence[ImageAudit], absent: Mapping[str, str]) -> Iterator[str]:
    late = [one for one in found if one.late]
    open_to = [one for one in found if one.undeclared]
    unread = sum(bool(each.unresolved) for one in found for each in one.readings)
    yield f"{len(found)} images, {sum(len(one.versions) for one in found)} versions"
    yield f"  out of date: {', '.join(one.place for one in late) or 'none'}"
    yield f"  may be read by somebody whom no recipe names: {', '.join(one.place for one in open_to) or 'none'}"
    if unread:
        yield f"  {unread} time(s) a group may read whose members could not be read: who is in it is not in this report"
    for gallery, reason in absent.items():
        yield f"  {gallery}: {reason}"
    for one in found:
        yield ""
        yield one.title
        yield "  who may read it"
        for each in one.readings:
            said = f"recipe {each.said_by}" if each.said_by else "-" if each.by == "denied" else _unsaid(each)
            yield f"    {each.by:9} {each.who}  [{said}]"
            if each.unresolved:
                yield f"    {'':9} WHO IS IN IT COULD NOT BE READ: {each.unresolved}"
        if not one.readings:
            yield "    nobody: no role on it or above it gives that, and it is not shared"
        yield "  versions" if one.versions else "  no versions"
        for version in one.versions:
            gets = " + ".join(version.gets) or "by number only"
            yield f"    {version.version:18} {gets}; in {', '.join(version.regions)}"
            ends = f", end of life {version.end_of_life}" if version.end_of_life else ""
            recipe = f", recipe {version.recipe}" if version.recipe else ""
            yield f"    {'':18} from {version.base}{recipe}{ends}"
            if version.life:
                yield f"    {'':18} {'; '.join(version.life)}"
            for reason in version.late:
                yield f"    {'':18} OUT OF DATE: {reason}"
        for deleted in one.deleted:
            gone = f"gone for good {deleted.gone}" if deleted.gone else "until the gallery's bin is emptied"
            yield f"    {deleted.version:18} DELETED {deleted.since}, and in the bin, {gone}"
