"""A recipe's second gallery against its first: what is to be copied, set right and, where asked, deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import Field

from include.factory import cost
from include.factory.arguments import second_destination
from include.factory.calls import Call, World, calls_text, planned_calls
from include.factory.image_version import ImageVersion, newest_first
from include.factory.preflight import Needs, needs_of_calls
from include.factory.publish import TargetRegion
from include.factory.recipe import Recipe
from include.factory.tags import RECIPE
from include.factory.value import Value

# Task id -> step.
STEPS = {"keep": "second_gallery.keep", "report": "second_gallery.report"}


class Keeping(Value):
    """What is asked of a run."""

    recipe: str | None = None
    """One recipe; by default all that have a second gallery."""
    delete_retired: bool = False
    """Delete from second galleries the versions that the first have no more."""
    at_once: Annotated[int, Field(ge=1, le=50)] = 4
    """Versions in work at the same time."""
    timeout: Annotated[int, Field(ge=600, le=7 * 86400)] = 6 * 3600
    """Seconds for each version."""


class Galleries(Value):
    """What was read of one recipe's two galleries."""

    subscription_id: str
    second_subscription_id: str
    first: tuple[ImageVersion, ...] = ()
    second: tuple[ImageVersion, ...] = ()
    there: tuple[str, ...] = ()
    """ARM ids of the second's resource group, gallery and definition, as far as they exist."""
    purchase: dict[str, str] | None = None
    """The first definition's marketplace purchase plan."""
    unreadable: str = ""
    """Why they could not be read; then nothing else is known."""
    differences: tuple[str, ...] = ()
    """What the second's definition has otherwise than the first's, and for ever."""
    sources: dict[str, str] = Field(default_factory=dict)
    """Version -> ARM id, of the first gallery."""


class VersionAction(Value):
    """What happens to one version of the second gallery."""

    version: str
    copy_of: str | None = None
    """ARM id of the version that it is to be a copy of; None where it is there."""
    regions: tuple[str, ...] = ()
    """Regions that it lacks."""
    excluded: bool | None = None
    """The exclude flags that it is to have; None where they are right."""
    delete: bool = False
    tags: dict[str, str] = Field(default_factory=dict)
    """Of a copy: those of the version in the first gallery."""

    @property
    def is_empty(self) -> bool:
        return not (self.copy_of or self.regions or self.excluded is not None or self.delete)


class RecipePlan(Value):
    recipe: str
    actions: tuple[VersionAction, ...] = ()
    right: tuple[str, ...] = ()
    """Versions that are in the second gallery as they are to be."""
    left_out: dict[str, str] = Field(default_factory=dict)
    """Version, or the recipe itself -> why it is not brought to where it is to be."""
    extra: dict[str, str] = Field(default_factory=dict)
    """Version that only the second gallery has -> why it stays."""
    calls: tuple[Call, ...] = ()
    copied_gb: int = 0
    monthly: float = 0
    once: float = 0

    def stopped(self, reason: str) -> RecipePlan:
        """The plan in which nothing is done, as something is in the way of all of it."""
        return RecipePlan(recipe=self.recipe, right=self.right, left_out={**self.left_out, self.recipe: reason}, extra=self.extra)


def plan_second_gallery(recipe: Recipe, asked: Keeping, galleries: Galleries) -> RecipePlan:
    """The plan for one recipe; pure."""
    second = recipe.disaster_recovery
    assert second is not None
    if galleries.unreadable:
        return RecipePlan(recipe=recipe.name, left_out={recipe.name: f"its galleries cannot be read: {galleries.unreadable}"})
    if galleries.differences:
        said = "; ".join(galleries.differences)
        reason = f"the second definition differs for ever: {said}. Delete it with its versions, or name another gallery."
        return RecipePlan(recipe=recipe.name, left_out={recipe.name: reason})
    there = {version.name: version for version in galleries.second}
    first = {version.name: version for version in galleries.first}
    promoted = [one for one in newest_first(galleries.first) if not one.excluded and one.state not in ("Creating", "Deleting")]
    regions = {region.name: region for region in second.target_regions}
    actions: list[VersionAction] = []
    left_out: dict[str, str] = {}
    extra: dict[str, str] = {}
    right: list[str] = []
    for version in promoted[: second.keep]:
        if version.name in there:
            continue
        if obstacle := _cannot_be_copied(version, second.location):
            left_out[version.name] = obstacle
            continue
        actions.append(
            VersionAction(
                version=version.name,
                copy_of=galleries.sources[version.name],
                regions=tuple(name for name in regions if name != second.location),
                excluded=False,
                tags=version.tags,
            )
        )
    for name, copy in sorted(there.items(), reverse=True):
        original = first.get(name)
        if original is None or original.state == "Deleting":
            if stays := _extra(copy, asked.delete_retired, recipe.name):
                extra[name] = stays
            else:
                actions.append(VersionAction(version=name, delete=True))
            continue
        action = _on_copy(original, copy, regions)
        if isinstance(action, str):
            left_out[name] = action
        elif action.is_empty:
            right.append(name)
        else:
            actions.append(action)
    copied = [first[action.version].size_gb for action in actions if action.copy_of]
    gone = [there[action.version] for action in actions if action.delete]
    more = sum(sum(_monthly(region, size) for region in regions.values()) for size in copied)
    less = sum(
        cost.storage(one.size_gb, replica.replica_count, replica.storage_account_type) for one in gone for replica in one.regions.values()
    )
    return RecipePlan(
        recipe=recipe.name,
        actions=tuple(actions),
        right=tuple(right),
        left_out=left_out,
        extra=extra,
        calls=_calls(recipe, galleries, actions),
        copied_gb=sum(copied),
        monthly=round(more - less, 2),
        once=round(sum(cost.transfer(size) for size in copied) * len(regions), 2),
    )


def _cannot_be_copied(version: ImageVersion, location: str) -> str | None:
    if version.encrypted:
        return "it is encrypted with the customer's keys, and Azure copies no such version; builds publish theirs: build it again"
    replica = version.regions.get(location)
    if replica is None:
        return f"it is not in {location}, and a copy is made where it is: bring it there with backfill_regions"
    if replica.state in ("Failed", "Replicating"):
        return f"it is {replica.state} in {location}; the next run looks again"
    return None


def _extra(copy: ImageVersion, delete_retired: bool, recipe: str) -> str | None:
    """Why a version stays that only the second gallery has; None where it is to go."""
    if copy.tags.get(RECIPE) != recipe:
        return "it is in the second gallery only, and not of this recipe: left alone"
    return None if delete_retired else "it is in the second gallery only (retired in the first): `delete_retired` deletes it"


def _on_copy(original: ImageVersion, copy: ImageVersion, regions: dict[str, TargetRegion]) -> VersionAction | str:
    if copy.state in ("Creating", "Deleting"):
        return f"it is {copy.state} in the second gallery; the next run looks again"
    missing = tuple(name for name in regions if name not in copy.regions)
    if copy.encrypted and not all(regions[name].encryption_set for name in missing):
        missing = ()
    failed = tuple(name for name in regions if name in copy.regions and copy.regions[name].state == "Failed")
    # What was rolled back in the first gallery must not be latest in the second either.
    flags = original.excluded if original.excluded != copy.excluded else None
    return VersionAction(version=copy.name, regions=(*missing, *failed), excluded=flags)


def _monthly(region: TargetRegion, size_gb: int) -> float:
    return cost.storage(size_gb, region.replica_count or 1, region.storage_account_type or "Standard_LRS")


def _calls(recipe: Recipe, galleries: Galleries, actions: Sequence[VersionAction]) -> tuple[Call, ...]:
    world = World(galleries.second_subscription_id, frozenset(one.lower() for one in galleries.there))
    return planned_calls({"keep": {"recipes": [arguments_of(recipe, actions)]}}, STEPS, world)


def needs_of_second_gallery(recipe: Recipe, plan: RecipePlan) -> Needs:
    """What keeping it needs, of its own subscription: the writes, and where something is copied, the regions."""
    second = recipe.disaster_recovery
    assert second is not None
    return needs_of_calls(plan.calls, second.target_regions if any(one.copy_of or one.regions for one in plan.actions) else ())


def second_gallery_text(recipe: Recipe, plan: RecipePlan) -> str:
    """The plan of one recipe for a reader."""
    return "\n".join(_lines(recipe, plan))


def _lines(recipe: Recipe, plan: RecipePlan) -> Iterator[str]:
    second = recipe.disaster_recovery
    assert second is not None
    yield f"{recipe.name}: {second.gallery}/{recipe.definition} ({second.resource_group}, {second.location})"
    for action in plan.actions:
        yield f"    {action.version:20} {', '.join(_words(action))}"
    if plan.right:
        yield f"    {len(plan.right)} version(s) are in step: {', '.join(plan.right[:8])}"
    for version, reason in {**plan.left_out, **plan.extra}.items():
        yield f"    left out: {version}: {reason}"
    if plan.actions:
        yield f"    {plan.copied_gb} GB copied as provisioned; at most {plan.monthly:+.2f} USD a month, {plan.once:.2f} USD once"
        yield calls_text(plan.calls)


def _words(action: VersionAction) -> Iterator[str]:
    if action.delete:
        yield "DELETE"
    if action.copy_of:
        yield "copy"
    if action.regions:
        yield f"+{' +'.join(action.regions)}"
    if action.excluded is not None:
        yield "out of latest" if action.excluded else "latest"


def arguments_of(recipe: Recipe, actions: Sequence[VersionAction], purchase: dict[str, str] | None = None) -> dict[str, Any]:
    """One recipe's part of the arguments of ``second_gallery.keep``."""
    second = recipe.disaster_recovery
    assert second is not None
    return {
        "recipe": recipe.name,
        "subscription": second.subscription,
        "connection": second.connection,
        "location": second.location,
        "target_regions": [region.model_dump() for region in second.target_regions],
        "versions": [action.model_dump(mode="json", exclude_defaults=True) for action in actions],
        "destination": second_destination(recipe, purchase),
    }
