"""Retiring versions of one definition or of all recipes: judged, excluded, deleted after a wait, and told."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from include.factory import version_tags
from include.factory.notice import news, subject
from include.steps import form as form_of
from include.steps import gallery_versions, image_users, preflight
from include.steps.arm_error import of_exception
from include.steps.azure import Azure
from include.steps.errors import StepError, partly, told_of
from include.steps.latest import hiding
from include.steps.look import Found, Resource, is_hidden, look, now, sort, step
from include.steps.merge import Patch, Tag, merge
from include.steps.sources import sources
from include.steps.table import table
from include.steps.version import Version, tag

if TYPE_CHECKING:
    from include.factory.calls import Call
    from include.factory.image_user import ImageUser
    from include.factory.image_version import ImageVersion
    from include.factory.retirement import Retired, Verdict

log = logging.getLogger(__name__)

DAY = 86400


@dataclass
class _Judged:
    """One definition with what becomes of its versions."""

    asked: Retired
    versions: dict[str, ImageVersion]
    verdicts: list[Verdict]
    retired_up_to: str | None

    @property
    def name(self) -> str:
        return f"{self.asked.gallery}/{self.asked.definition}"

    def names(self, action: str) -> list[str]:
        return [one.version for one in self.verdicts if one.action == action]

    def arguments(self) -> dict[str, Any]:
        """This definition's part of what :func:`retire` is given."""
        return {"asked": self.asked.model_dump(mode="json"), "exclude": self.names("exclude"), "delete": self.names("delete")}

    def calls(self, azure: Azure) -> tuple[Call, ...]:
        from include.factory.calls import World, planned_calls
        from include.factory.retirement import STEPS

        known = {} if self.retired_up_to is None else {_key(azure, self.asked.path): self.retired_up_to}
        world = World(azure.subscription_id, retired_up_to=known).with_versions(self.asked.path, self.versions.values())
        return planned_calls({"retire_versions": {"definitions": [self.arguments()]}}, STEPS, world)


@step
async def plan(azure: Azure, *, form: dict[str, Any] | str, switch: str = "") -> dict[str, Any]:
    """Judge every version of the definitions that are meant, before the first write.

    :param form: ``recipe``, or ``resource_group``, ``gallery`` and ``definition``, or none of them: then all recipes of the catalogue are
        meant, each by its own ``retention``. ``keep``, ``older_than`` (days), ``rollback`` and ``wait`` (days) win over the recipe's.
        ``parents_too``, ``shared_too``; ``dry_run``: print and stop. An object, or JSON text of one.
    :param switch: ``on`` makes a run that says nothing of ``dry_run`` a real one; anything else leaves it dry.
    :return: ``{"text", "calls", "left_out": {definition: what is in the way}, "subscriptions": {"read":
        [names], "unread": {name: why}}, "steps": {"retire_versions", "report_versions"}}``.
    :raises StepSkipped: a dry run, or nothing to do; its result is the same object.
    :raises StepError: ``BadParameter``; ``RecipeBroken``; ``DefinitionNotFound``.
    """
    from include.factory.preflight import needs_of_calls
    from include.factory.retirement import retirement_text

    given = dict(json.loads(form) if isinstance(form, str) else form)
    if given.get("dry_run") in (None, ""):
        given["dry_run"] = switch.strip().lower() != "on"
    fields, dry_run = form_of.fields_of(given)
    wanted = await _wanted(fields)
    judged, subscriptions = await _judge(azure, wanted, alone=not _names_all(fields))
    calls = [one.calls(azure) for one in judged]
    text = "\n\n".join(retirement_text(one.asked, one.verdicts, one.versions, made) for one, made in zip(judged, calls, strict=True))
    text = "\n\n".join(filter(None, (text, _looked(subscriptions))))
    log.info("%s", text)
    needed = {one.name: needs_of_calls(made) for one, made in zip(judged, calls, strict=True)}
    left_out, found = await preflight.obstacles({name: (azure, needs) for name, needs in needed.items() if needs.rights})
    for name, reason in left_out.items():
        log.warning("%s is left out: %s", name, reason)
    due = {one.name: (one, made) for one, made in zip(judged, calls, strict=True) if made and one.name not in left_out}
    document = {
        "about": [subject(**one.asked.path) for one, _ in due.values()],
        "left_out": left_out,
        "subscriptions": subscriptions,
        "text": text,
        "calls": [call.model_dump() for _, made in due.values() for call in made],
        "steps": {
            "retire_versions": {"definitions": [one.arguments() for one, _ in due.values()]},
            "report_versions": {"definitions": [one.asked.path for one in judged]},
        },
    }
    counted = ", ".join(f"{count} {action}" for action, count in Counter(v.action for one in judged for v in one.verdicts).items())
    nothing = None if due else f"No version is due ({counted or 'there is none'}): nothing to do."
    return preflight.conclude("Retiring", found, document, dry_run=dry_run, nothing=nothing)


def _looked(subscriptions: dict[str, Any]) -> str:
    lines = [f"Users were looked for in {len(subscriptions['read'])} subscription(s): {', '.join(subscriptions['read'])}"]
    lines += [f"NOT looked for in {name}: {why}" for name, why in subscriptions["unread"].items()]
    if subscriptions["unread"]:
        lines.append("Give the connection's identity the role Reader there, or pin what is used from there.")
    return "\n".join(lines)


def _names_all(fields: dict[str, Any]) -> bool:
    return not any(fields.get(name) for name in ("recipe", "resource_group", "gallery", "definition"))


async def _wanted(fields: dict[str, Any]) -> list[Retired]:
    from include.factory.catalogue import load_catalogue
    from include.factory.folder import catalogue_folder
    from include.factory.publish import Retention
    from include.factory.retirement import Retired

    own: dict[str, Any] = {name: fields[name] for name in ("keep", "rollback", "shared_too") if name in fields}
    own |= {name: int(fields[name]) * DAY for name in ("older_than", "wait") if name in fields}
    rest: dict[str, Any] = {name: fields[name] for name in ("parents_too", "reason") if name in fields}
    if _names_all(fields):
        recipes = list((await asyncio.to_thread(load_catalogue, catalogue_folder())).recipes.values())
    elif fields.get("recipe"):
        recipes = [await form_of.recipe_of(fields["recipe"])]
    else:
        path = {name: fields.get(name) for name in ("resource_group", "gallery", "definition")}
        return [form_of.checked(Retired, {**path, **rest, "rules": {**Retention().model_dump(), **own}})]
    return [
        form_of.checked(
            Retired,
            {
                "resource_group": recipe.publish.resource_group,
                "gallery": recipe.publish.gallery,
                "definition": recipe.definition,
                "rules": {**recipe.retention.model_dump(), **own},
                **rest,
            },
        )
        for recipe in recipes
    ]


async def _judge(azure: Azure, wanted: list[Retired], *, alone: bool) -> tuple[list[_Judged], dict[str, Any]]:
    """Read everything at once and judge; and say in which subscriptions users were looked for, and in which they could not be.

    Where all recipes are meant (``alone`` is false), one that has no definition yet is left out.
    """
    from include.factory.image_user import ImageUser
    from include.factory.retirement import Uses, deciding, verdicts

    looked = await image_users.everywhere(azure, _uses)
    users = [user for made, _ in looked.found for user in made]
    everything = [version for _, versions in looked.found for version in versions]
    bases: dict[tuple[str, str], set[str]] = {}
    for resource in everything:
        if version_tags.COPIED_FROM in (resource.get("tags") or {}):
            continue  # the same version in a second gallery, which stands by itself and goes after the first
        mine = resource["id"].lower().rpartition("/versions/")[0]
        for source in sources(resource):
            source_definition, _, version = source.partition("/versions/")
            if version and source_definition != mine:
                users.append(ImageUser(id=resource["id"], kind="version", definition=source_definition, version=version))
        base, _, version = (resource.get("tags") or {}).get(version_tags.BASE, "").lower().partition("/versions/")
        bases.setdefault((base, version), set()).add("/".join(resource["id"].split("/")[-3::2]))
    settings = await asyncio.gather(*(_settings(azure, one) for one in wanted))
    judged = []
    for asked, found in zip(wanted, settings, strict=True):
        if found is None and alone:
            raise gallery_versions.not_found(**asked.path)
        if found is None:
            continue
        definition, gallery = found
        ids = image_users.ids_of(gallery, asked.definition)
        key = _key(azure, asked.path)
        listed = [gallery_versions.of_resource(item) for item in everything if item["id"].lower().startswith(f"{key}/versions/")]
        front = partial(deciding, asked.rules)
        versions = await gallery_versions.with_deciding_states(azure, listed, front, **asked.path)
        in_use: dict[str, set[str]] = {}
        for user in users:
            if user.definition in ids and user.version:
                in_use.setdefault(user.version, set()).add(str(user))
        children: dict[str, set[str]] = {}
        for (base, version), names in bases.items():
            if base in ids:
                children.setdefault(version, set()).update(names)
        uses = Uses.model_validate({"users": in_use, "children": children})
        policy = gallery["properties"].get("softDeletePolicy") or {}
        facts = {"soft": bool(policy.get("isSoftDeleteEnabled")), "unseen": tuple(_unseen(gallery, looked.ids))}
        there = asked.model_copy(update=facts)
        verdict = verdicts(there, versions, uses, datetime.now(UTC))
        retired_up_to = (definition.get("tags") or {}).get(version_tags.RETIRED_UP_TO)
        judged.append(_Judged(there, {one.name: one for one in versions}, verdict, retired_up_to))
    return judged, {"read": looked.subscriptions, "unread": looked.unread}


def _unseen(gallery: Resource, read: set[str]) -> Iterator[str]:
    """Who may use the gallery's images where nobody here can look, in words.

    :param read: ids of the subscriptions in which users were looked for.
    """
    profile = gallery["properties"].get("sharingProfile") or {}
    for group in profile.get("groups") or ():
        # Not even of a tenant that is known does the identity see all subscriptions.
        word = "subscription" if group["type"] == "Subscriptions" else "tenant"
        yield from (f"{word} {id}" for id in group.get("ids") or () if id.lower() not in read)
    community = profile.get("communityGalleryInfo") or {}
    if community.get("communityGalleryEnabled"):
        yield f"everybody, as {', '.join(community.get('publicNames') or ())}"


async def _uses(azure: Azure) -> list[tuple[list[ImageUser], list[Resource]]]:
    """The users in one subscription, and the versions of all its galleries."""
    return [await asyncio.gather(image_users.machines(azure), image_users.galleries(azure))]


def _key(azure: Azure, path: dict[str, str]) -> str:
    return azure.id(path["resource_group"], "galleries", path["gallery"], "images", path["definition"]).lower()


async def _settings(azure: Azure, asked: Retired) -> tuple[Resource, Resource] | None:
    """The definition and its gallery; None when there is none."""
    definition = await look(azure.compute.gallery_images.get(asked.resource_group, asked.gallery, asked.definition))
    gallery = None
    if definition:
        gallery = await look(azure.compute.galleries.get(asked.resource_group, asked.gallery, expand="SharingProfile/Groups"))
    return (definition, gallery) if definition and gallery else None


@dataclass
class _Outcome:
    excluded: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    spared: dict[str, str] = field(default_factory=dict)
    failed: dict[str, StepError] = field(default_factory=dict)

    def sort(self, label: str, action: str, verdict: Verdict | None) -> None:
        """A version that was planned and is not due: done already, or spared."""
        if verdict is None and action == "delete":
            self.deleted.append(label)
        elif verdict is None:
            self.spared[label] = "it is gone already"
        elif action == "exclude" and verdict.action in ("wait", "delete"):
            self.excluded.append(label)
        else:
            self.spared[label] = verdict.reason if verdict.action == "keep" else f"it was changed since the plan ({verdict.reason})"

    def fails(self, label: str, error: Exception) -> None:
        self.failed[label] = error if isinstance(error, StepError) else of_exception(error)
        log.error("%s", told_of(label, str(self.failed[label])))


@step
async def retire(azure: Azure, *, definitions: list[dict[str, Any]], at_once: int = 10) -> dict[str, Any]:
    """Exclude and delete what was planned and is due still: everything is read and judged again first.

    :param definitions: ``{"asked": fields of :class:`include.factory.retirement.Retired`, "exclude": [versions], "delete": [versions]}``.
    :return: ``{"excluded": ["gallery/definition/version"], "deleted": […], "spared": {"gallery/definition/version": why}, "notices"}``:
        what of the plan is done, by this try or an earlier one.
    :raises StepError: ``PartlyRetired``: some are done, and the others are named, each with its reason.
    """
    from include.factory.retirement import Retired

    planned = {_key(azure, one["asked"]): one for one in definitions}
    outcome = _Outcome()
    gate = asyncio.Semaphore(at_once)

    async def each(one: _Judged, action: str, name: str) -> None:
        label = f"{one.asked.gallery}/{one.asked.definition}/{name}"
        version = Version(azure, one.asked.resource_group, one.asked.gallery, one.asked.definition, name)
        async with gate:
            try:
                spared = await (_exclude(version, one.versions[name]) if action == "exclude" else _delete(version))
                if spared:
                    outcome.spared[label] = spared
                else:
                    (outcome.excluded if action == "exclude" else outcome.deleted).append(label)
            except Exception as error:
                outcome.fails(label, error)

    async def all_of(one: _Judged, due: dict[str, list[str]]) -> None:
        try:
            await _burn(azure, one, due["delete"])
        except Exception as error:
            for name in due["delete"]:
                outcome.fails(f"{one.name}/{name}", error)
            due = {**due, "delete": []}
        await asyncio.gather(*(each(one, action, name) for action in _ACTIONS for name in due[action]))

    work = []
    judged, subscriptions = await _judge(azure, [Retired.model_validate(one["asked"]) for one in definitions], alone=False)
    log.info("%s", _looked(subscriptions))
    for one in judged:
        wanted = planned[_key(azure, one.asked.path)]
        verdict = {judged.version: judged for judged in one.verdicts}
        # An earlier self may have begun to delete one: then the end of that is waited for.
        going = {name for name, version in one.versions.items() if version.state == "Deleting"}
        due = {
            action: [name for name in wanted[action] if name in verdict and (verdict[name].action == action or name in going)]
            for action in _ACTIONS
        }
        # What is so already, an earlier try of this task did: the result and the notices are about the run.
        for action in _ACTIONS:
            for name in set(wanted[action]) - set(due[action]):
                outcome.sort(f"{one.name}/{name}", action, verdict.get(name))
        work.append(all_of(one, due))
    await asyncio.gather(*work)
    there = {_key(azure, one.asked.path) for one in judged}
    for gone in (one for key, one in planned.items() if key not in there):
        for name in (name for action in _ACTIONS for name in gone[action]):
            outcome.spared[f"{gone['asked']['gallery']}/{gone['asked']['definition']}/{name}"] = "its image definition is gone"
    for label, reason in outcome.spared.items():
        log.warning("%s is spared: %s.", label, reason)
    done = {"excluded": sorted(outcome.excluded), "deleted": sorted(outcome.deleted)}
    notices = [_notice(one["asked"], done) for one in definitions if _touched(one["asked"], done)]
    if outcome.failed:
        count = len(outcome.excluded) + len(outcome.deleted)
        said = f"{count} of {count + len(outcome.failed)} versions are done, {len(outcome.failed)} are not."
        failed = [one["asked"] for one in definitions if _touched(one["asked"], {"failed": list(outcome.failed)})]
        about = [subject(asked["resource_group"], asked["gallery"], asked["definition"]) for asked in failed]
        raise partly("PartlyRetired", said, outcome.failed, done=done, about=about, notices=notices)
    return {**done, "spared": outcome.spared, "notices": notices}


def _touched(asked: dict[str, Any], done: dict[str, list[str]]) -> list[str]:
    prefix = f"{asked['gallery']}/{asked['definition']}/"
    return [f"{label.removeprefix(prefix)}: {what}" for what, labels in done.items() for label in labels if label.startswith(prefix)]


def _notice(asked: dict[str, Any], done: dict[str, list[str]]) -> dict[str, Any]:
    lines = _touched(asked, done)
    title = f"{len(lines)} version(s) retired"
    return news("retired", asked["resource_group"], asked["gallery"], asked["definition"], title, "\n".join(lines))


_ACTIONS = ("exclude", "delete")


async def _exclude(version: Version, judged: ImageVersion) -> str | None:
    """Mark a version as retired and take it out of latest; or say why not, where somebody came to need it since it was judged."""
    change = _Retired(judged)
    await merge(version, change)
    return change.spared


class _Retired:
    """Marked as retired, and out of latest; the wait counts from the mark, so one that was left in latest is marked anew."""

    def __init__(self, judged: ImageVersion) -> None:
        self.judged = judged
        self.time = now()
        self.spared: str | None = None

    def __call__(self, resource: Resource) -> Patch | Tag | None:
        tags = resource.get("tags") or {}
        hidden = is_hidden(resource)
        if tags.get(version_tags.RETIRED) == self.time or (hidden and version_tags.time_in(tags, version_tags.RETIRED)):
            return None if hidden else hiding(resource)
        if version_tags.is_pinned(tags):
            self.spared = "somebody pinned it"
        elif not version_tags.of_promotion(tags).items() <= version_tags.of_promotion(self.judged.tags).items():
            self.spared = "somebody promoted it"
        return Tag({version_tags.RETIRED: self.time}) if self.spared is None else None


async def _delete(version: Version) -> str | None:
    """Delete a version that is marked and out of latest still; else say why not. One that is gone is fine."""
    resource = await version.read()
    if resource is None:
        return None
    tags = resource.get("tags") or {}
    if sort(resource) is Found.DELETING:
        await version.delete()
        return None
    if not is_hidden(resource) or version_tags.RETIRED not in tags:
        return "somebody let latest resolve to it again"
    if version_tags.is_pinned(tags):
        return "somebody pinned it"
    await version.delete()
    log.info("Version %s is deleted.", version.version)
    return None


async def _burn(azure: Azure, one: _Judged, names: list[str]) -> None:
    """Let the definition remember the highest number that is deleted, before it is."""
    from include.factory.version import highest, parse_version

    top = highest(names)
    if top is None:
        return
    found = await _settings(azure, one.asked)
    tags = (found[0].get("tags") or {}) if found else {}
    there = tags.get(version_tags.RETIRED_UP_TO)
    if there is not None and parse_version(there) >= parse_version(top):
        return
    await tag(
        azure,
        azure.id(one.asked.resource_group, "galleries", one.asked.gallery, "images", one.asked.definition),
        {version_tags.RETIRED_UP_TO: top},
    )


@step
async def report(azure: Azure, *, definitions: list[dict[str, str]]) -> dict[str, Any]:
    """Read the versions of each definition as they are now, and print a table.

    :return: ``{"table": Markdown, "versions": {"gallery/definition": how many}}``.
    """
    from include.factory.image_version import channel_heads, latest_everywhere, newest_first

    rows: list[list[str]] = []
    counts: dict[str, int] = {}
    for path in definitions:
        try:
            versions = await gallery_versions.read(azure, **path)
        except StepError as error:
            if error.code != "DefinitionNotFound":
                raise
            log.warning("%s", error.message)
            versions = []
        name = f"{path['gallery']}/{path['definition']}"
        counts[name] = len(versions)
        latest = {version.name for version in latest_everywhere(versions).values()}
        heads = {channel: version.name for channel, version in channel_heads(versions).items()}
        for version in newest_first(versions):
            marks = ["latest"] * (version.name in latest) + [channel for channel, head in heads.items() if head == version.name]
            retired = version.tags.get(version_tags.RETIRED)
            marks += [f"retired {retired}"] * (retired is not None) + ["rolled back"] * version.is_rolled_back
            rows.append([name, version.name, f"{version.published:%Y-%m-%d}" if version.published else "-", ", ".join(marks) or "-"])
    shown = table(["definition", "version", "published", "is"], rows)
    log.info("As it is now:\n%s", shown)
    return {"table": shown, "versions": counts}
