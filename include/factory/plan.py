"""The plan of a build: every name, the version, the tags and each step's arguments, fixed before the first write."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from include.factory.arguments import Build, described
from include.factory.calls import Call, World, planned_calls
from include.factory.capture_route import Route
from include.factory.digest import digest
from include.factory.facts import BaseFacts, DefinitionFacts, Facts
from include.factory.names import Names, tag_value
from include.factory.publish import TargetRegion
from include.factory.recipe import Recipe
from include.factory.run import Run
from include.factory.steps import steps_of
from include.factory.value import Value
from include.factory.version import parse_version, version_of

__all__ = ["Facts", "Plan", "PlanError", "Run", "plan", "skip_reason"]

VERSIONS_LIMIT = 10_000  # per subscription and region: https://learn.microsoft.com/azure/virtual-machines/azure-compute-gallery (limits)


class PlanError(ValueError):
    """The run cannot be planned; `problems` says everything that is in the way, each with its cure."""

    def __init__(self, recipe: str, problems: list[str]) -> None:
        super().__init__(f"{recipe} cannot be built: " + " ".join(problems))
        self.problems = tuple(problems)


class Plan(Value):
    """The document that goes through XCom; ``docs/architecture.md`` describes it."""

    recipe: str
    run: str
    version: str
    version_id: str
    digest: str
    base: dict[str, str | None]
    route: Route
    regions: tuple[TargetRegion, ...]
    steps: dict[str, dict[str, Any]]
    calls: tuple[Call, ...]
    """Every write, in order; see :mod:`include.factory.calls`."""

    def as_text(self) -> str:
        """The plan for a reader: what a dry run prints."""
        from include.factory.plan_text import plan_text

        return plan_text(self)


def plan(recipe: Recipe, run: Run, facts: Facts) -> Plan:
    """The plan; a pure function, so that a repeated run has the same.

    :raises PlanError: something is in the way; all of it at once.
    """
    version = run.version or version_of(recipe.publish.version, run.at)
    problems = [
        *_base_problems(recipe, facts.base),
        *_version_problems(run, facts, version),
        *_region_problems(recipe, run),
        *_end_of_life_problems(recipe, run),
        *(_definition_problems(recipe, facts.definition, facts.base.plan) if facts.definition else ()),
    ]
    if problems:
        raise PlanError(recipe.name, problems)
    names = Names.of(recipe, run, facts.subscription_id)
    fixed = Build(recipe, run, facts, names, version, digest(recipe), regions_of(recipe, run))
    arguments, names_of_steps = fixed.arguments(), steps_of(recipe)
    steps = {task: arguments[task] for task in names_of_steps}
    world = World(facts.subscription_id, frozenset(one.lower() for one in facts.there), luns=fixed.luns)
    return Plan(
        recipe=recipe.name,
        run=tag_value(run.id),
        version=version,
        version_id=names.version_id(version),
        digest=fixed.digest,
        base={"id": facts.base.id, "version": facts.base.version},
        route=recipe.route,
        regions=fixed.regions,
        steps=steps,
        calls=planned_calls(steps, names_of_steps, world),
    )


def skip_reason(recipe: Recipe, run: Run, facts: Facts, digest: str) -> str | None:
    """Why there is nothing to build, or None: the newest good version has the same base and the same recipe.

    A run whose own version is there already is being repeated: it goes on with that, whatever is newer.
    """
    newest = facts.newest
    if run.force or newest is None or tag_value(run.id) in (newest.run, *facts.versions.values()):
        return None
    if newest.digest != digest or newest.base != tag_value(facts.base.id):
        return None
    return (
        f"Version {newest.version} of {recipe.definition} was built from the same base ({facts.base.id}) by the same recipe "
        f"({digest[:19]}…): there is nothing new. Start the run with `force` to build all the same."
    )


def regions_of(recipe: Recipe, run: Run) -> tuple[TargetRegion, ...]:
    """The regions of this run's version, the home region first."""
    home, *others = recipe.target_regions
    if run.skip_replicate:
        return (home,)
    return (home, *(region for region in others if run.regions is None or region.name in run.regions))


def _base_problems(recipe: Recipe, base: BaseFacts) -> Iterator[str]:
    if base.image_reference is None and base.snapshot is None:
        yield f"The base {base.id} is neither an image nor a snapshot. Choose another base."
    for word, found, wanted in (
        ("type", base.os_type, recipe.os.type),
        ("generation", base.generation, recipe.os.generation),
        ("architecture", base.architecture, recipe.os.architecture),
    ):
        if found is not None and found != wanted:
            yield f"os.{word} is {wanted}, and the base {base.id} is {found}. Correct os.{word} or choose another base."
    machine = recipe.machine_security
    # Marketplace images say which machines they can make as well; a gallery's definition says which it must.
    from_gallery = base.image_reference is not None and "id" in base.image_reference
    makes = {"TrustedLaunch": ("TrustedLaunch",), "ConfidentialVM": ("ConfidentialVM",), "Standard": ("Standard",)}.get(
        base.security_type or ""
    )
    if from_gallery and makes and machine not in makes:
        yield (
            f"The image needs a {machine} build machine, and the base {base.id} makes {makes[0]} machines only. "
            f"Correct os.security_type or choose another base."
        )


def _version_problems(run: Run, facts: Facts, version: str) -> Iterator[str]:
    try:
        parse_version(version)
    except ValueError as error:
        yield f"The run's version: {error}."
        return
    if version in facts.versions and facts.versions[version] != tag_value(run.id):
        owner = facts.versions[version]
        whose = f"made by the run {owner}" if owner else "not made by the factory"
        cure = (
            "Leave the version to the recipe, or choose another"
            if run.version
            else "Start another run, or let the version scheme name seconds"
        )
        yield f"Version {version} exists already, {whose}. {cure}."
    elif version in facts.deleted:
        yield f"Version {version} was deleted and can still be restored: its number is never used again. Start another run."
    elif facts.retired_up_to and version not in facts.versions and parse_version(version) <= parse_version(facts.retired_up_to):
        yield (
            f"Version {version} is not above {facts.retired_up_to}, up to which versions were retired: machines may know another image by "
            f"that number. Start a run of a later time, or choose a higher version."
        )
    if len(facts.versions) >= VERSIONS_LIMIT and version not in facts.versions:
        yield f"The definition has {len(facts.versions)} versions; Azure keeps {VERSIONS_LIMIT} in a region. Retire old ones."


def _region_problems(recipe: Recipe, run: Run) -> Iterator[str]:
    known = [region.name for region in recipe.target_regions]
    for name in run.regions or ():
        if name not in known:
            nearest = get_close_matches(name, known, n=1)
            hint = f"Did you mean {nearest[0]}?" if nearest else f"It has {', '.join(known)}; add the region to replicate.regions."
            yield f"The region {name} is not one of the recipe's. {hint}"


def _end_of_life_problems(recipe: Recipe, run: Run) -> Iterator[str]:
    lifetime = recipe.publish.end_of_life
    if lifetime and run.at + timedelta(seconds=lifetime) <= run.began:
        yield "The version's end of life would be in the past, which Azure refuses. Lengthen publish.end_of_life, or start a run of today."


def _definition_problems(recipe: Recipe, definition: DefinitionFacts, purchase: dict[str, str] | None) -> Iterator[str]:
    if different := definition.differences(described(recipe)):
        yield (
            f"The definition {recipe.definition} exists with {', '.join(different)}, and Azure never changes these. "
            f"Publish to a new definition (publish.definition), or make the recipe say what the definition is."
        )
    if problem := definition.plan_problem(recipe.definition, purchase):
        yield problem
