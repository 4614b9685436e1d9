"""What recipes declare about sharing against what is: the plan that makes the one the other, and the audit that tells the difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from pydantic import Field

from include.factory.calls import Call, World, calls_text, planned_calls
from include.factory.image_version import ImageVersion
from include.factory.recipe import Recipe
from include.factory.value import Value

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
"""The built-in role Reader, the same in every tenant (built-in-roles)."""

GROUPS = {"Subscriptions": "subscriptions", "AADTenants": "tenants"}


# Task id -> step.
STEPS = {"apply": "sharing.apply"}


class Asked(Value):
    """The trigger form."""

    gallery: str | None = None
    """One gallery by name; by default all of the catalogue."""
    revoke: bool = False
    """Take away what no recipe says: direct shares, and role assignments that this factory made."""


class Assignment(Value):
    """One role assignment that is in force on a definition or its gallery."""

    id: str
    principal: str
    principal_type: str = ""
    role: str
    """GUID of the role definition."""
    role_name: str = ""
    scope: str
    """Where it was made; what is below inherits it."""

    @property
    def is_ours(self) -> bool:
        """Whether the factory made it: its name follows from scope, principal and role."""
        return self.id.rpartition("/")[2].lower() == assignment_name(self.scope, self.principal, self.role)


class Deleted(Value):
    """A version in a gallery's bin."""

    version: str
    since: str
    """ISO time of its deletion."""
    gone: str | None = None
    """ISO time from which it cannot be restored, where Azure says so."""


class GalleryState(Value):
    """What was read of one gallery."""

    id: str
    exists: bool = False
    unread: str = ""
    """Why it could not be read, and the cure."""
    location: str = ""
    permissions: str = "Private"
    community_enabled: bool = False
    public_name: str = ""
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Ids by type, Subscriptions and AADTenants."""
    assignments: dict[str, tuple[Assignment, ...]] = Field(default_factory=dict)
    """Those that allow to read, in force on each definition, by its name, inherited ones included; for definitions that are there."""
    denials: dict[str, tuple[Assignment, ...]] = Field(default_factory=dict)
    """Deny assignments that forbid to read, as assignments of the role "denied"."""
    versions: dict[str, tuple[ImageVersion, ...]] = Field(default_factory=dict)
    """By definition."""
    deleted: dict[str, tuple[Deleted, ...]] = Field(default_factory=dict)
    """By definition."""


class SharingPlan(Value):
    """What happens to one gallery."""

    gallery: str
    """ARM id."""
    add: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Ids by type that it is to be shared with."""
    remove: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    enable_community: bool = False
    grant: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Role assignment's ARM id -> ``{"principal", "type", "role"}``."""
    revoke: tuple[str, ...] = ()
    """ARM ids of role assignments."""
    undeclared: tuple[str, ...] = ()
    """In words: what is in force and no recipe says; it stays."""
    left_out: tuple[str, ...] = ()
    """In words: what cannot be done, and the cure."""

    def stopped(self, reason: str) -> SharingPlan:
        """The plan in which nothing is done, as something is in the way of all of it."""
        return SharingPlan(gallery=self.gallery, undeclared=self.undeclared, left_out=(*self.left_out, reason))

    @property
    def calls(self) -> tuple[Call, ...]:
        return planned_calls({"apply": {"galleries": [arguments_of(self)]}}, STEPS, World(self.gallery.split("/")[2]))


def assignment_name(scope: str, principal: str, role: str) -> str:
    """The GUID of the factory's own assignment: a second run finds what the first one made."""
    return str(uuid5(NAMESPACE_URL, f"image-factory {scope} {principal} {role}".lower()))


def plan_sharing(recipes: Sequence[Recipe], state: GalleryState, asked: Asked) -> SharingPlan:
    """The plan for one gallery, of all recipes that publish to it; pure."""
    if state.unread:
        return SharingPlan(gallery=state.id, left_out=(f"it cannot be read: {state.unread}",))
    if not state.exists:
        return SharingPlan(gallery=state.id, left_out=("the gallery is not there yet: its first build makes it",))
    share = recipes[0].share
    wanted = {kind: {id.lower() for id in getattr(share, field)} for kind, field in GROUPS.items()} if share else {}
    held = {kind: {id.lower() for id in ids} for kind, ids in state.groups.items()}
    kind = share.kind if share else "Private"
    left_out, undeclared = [], []
    add: dict[str, tuple[str, ...]] = {}
    remove: dict[str, tuple[str, ...]] = {}
    if kind not in (state.permissions, "Private"):
        left_out.append(
            f"it was made {state.permissions} and the recipes say {kind}: that is fixed when a gallery is made. Publish to a new gallery."
        )
    else:
        add = {group: tuple(sorted(ids - held.get(group, set()))) for group, ids in wanted.items() if ids - held.get(group, set())}
    for group, ids in held.items():
        if more := tuple(sorted(ids - wanted.get(group, set()))):
            if asked.revoke:
                remove[group] = more
            undeclared += [f"{WORDS[group]} {id} (direct)" for id in more]
    if state.community_enabled and kind != "Community":
        undeclared.append(f"everybody: it is a community gallery, {state.public_name}. Only a reset in Azure makes it private")
    grants, revokes, more_words = _assignments(recipes, state, asked.revoke)
    return SharingPlan(
        gallery=state.id,
        add=add,
        remove=remove,
        enable_community=kind == "Community" == state.permissions and not state.community_enabled,
        grant=grants,
        revoke=tuple(revokes),
        undeclared=(*undeclared, *more_words),
        left_out=tuple(left_out),
    )


WORDS = {"Subscriptions": "subscription", "AADTenants": "tenant"}


def _assignments(recipes: Sequence[Recipe], state: GalleryState, revoke: bool) -> tuple[dict[str, dict[str, str]], list[str], list[str]]:
    grants: dict[str, dict[str, str]] = {}
    revokes: list[str] = []
    undeclared: dict[str, None] = {}
    by_definition = {recipe.definition.lower(): recipe for recipe in recipes}
    for definition, found in state.assignments.items():
        scope = f"{state.id}/images/{definition}"
        recipe = by_definition.get(definition.lower())
        wanted = {reader.id.lower(): reader for reader in recipe.share.readers} if recipe and recipe.share else {}
        own = [one for one in found if one.scope.lower() == scope.lower()]
        have = {one.principal.lower() for one in own if one.role == READER}
        for principal, reader in wanted.items():
            if principal not in have:
                id = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{assignment_name(scope, principal, READER)}"
                grants[id] = {"principal": principal, "type": reader.type, "role": READER}
        for one in found:
            if one.role == READER and one.scope.lower() == scope.lower() and one.principal.lower() in wanted:
                continue
            if one.is_ours and revoke and one in own:
                revokes.append(one.id)
            undeclared[assignment_words(one, state)] = None
    return grants, revokes, list(undeclared)


def assignment_words(one: Assignment, state: GalleryState) -> str:
    """One assignment in words: who, as what, and from where."""
    who = f"{(one.principal_type or 'principal').lower()} {one.principal}"
    if one.scope.lower().startswith(state.id.lower()):
        where = f"on {one.scope[len(state.id) :].removeprefix('/images/') or 'the gallery'}"
    else:
        where = f"inherited from {one.scope or '/'}"
    return f"{who} is {one.role_name or one.role} {where}"


def sharing_text(plan: SharingPlan) -> str:
    """The plan for a reader."""
    return "\n".join(_lines(plan))


def _lines(plan: SharingPlan) -> Iterator[str]:
    yield f"{plan.gallery.rpartition('/')[2]} ({plan.gallery})"
    for group, ids in plan.add.items():
        yield from (f"    + share with {WORDS[group]} {id}" for id in ids)
    for group, ids in plan.remove.items():
        yield from (f"    - no longer share with {WORDS[group]} {id}" for id in ids)
    if plan.enable_community:
        yield "    + show to the community"
    for id, grant in plan.grant.items():
        yield f"    + Reader for {grant['type'].lower()} {grant['principal']} on {id.split('/')[10]}"
    yield from (f"    - role assignment {id}" for id in plan.revoke)
    yield from (f"    left out: {reason}" for reason in plan.left_out)
    if plan.calls:
        yield calls_text(plan.calls)
    for words in plan.undeclared:
        yield f"    no recipe says: {words}"


def arguments_of(plan: SharingPlan) -> dict[str, Any]:
    """One gallery's part of the arguments of ``sharing.apply``."""
    return plan.model_dump(mode="json", include={"gallery", "add", "remove", "enable_community", "grant", "revoke"})
