"""Regions added to and removed from many versions at once: what is asked, and the plan that is made of it before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from include.factory import cost
from include.factory.calls import Call, calls_text
from include.factory.definition import AskedOfDefinition
from include.factory.few import few
from include.factory.image_version import ImageVersion, Replica, newest_included
from include.factory.problem import refusal
from include.factory.publish import TargetRegion
from include.factory.region import RegionName
from include.factory.value import Value
from include.factory.version_selection import CURE
from include.factory.version_tags import REMOVED

REGIONS_LIMIT = 100  # replicas of a version: https://learn.microsoft.com/azure/virtual-machines/azure-compute-gallery (limits)

# Task id -> step.
STEPS = {"change_regions": "regions.change", "report_regions": "regions.report"}

Order = Literal["newest first", "oldest first"]


class RegionChange(AskedOfDefinition):
    """What is asked of the versions of one definition."""

    versions: str = Field(min_length=1)
    """A selection as ``version_selection`` reads it."""
    add: tuple[TargetRegion, ...] = ()
    """Regions that each version is to have."""
    remove: tuple[RegionName, ...] = ()
    """Regions that no version is to have; its home region stays."""
    remove_others: bool = False
    """Remove every region that is not among ``add``."""
    set_replica_count: bool = False
    """Give regions that are there already the replica count of ``add``, too."""
    order: Order = "newest first"
    at_once: Annotated[int, Field(ge=1, le=50)] = 10
    """Versions in work at the same time."""
    timeout: Annotated[int, Field(ge=600, le=7 * 86400)] = 6 * 3600
    """Seconds for each version."""

    @field_validator("versions")
    @classmethod
    def _named(cls, written: str) -> str:
        if not written.strip(" ,"):
            raise refusal("no version is named", CURE)
        return written

    @model_validator(mode="after")
    def _sensible(self) -> RegionChange:
        if both := sorted({region.name for region in self.add} & set(self.remove)):
            raise refusal(f"{', '.join(both)} cannot be added and removed", "Name a region under one of the two.")
        if not (self.add or self.remove or self.remove_others):
            raise refusal("no region is named", "Name regions to add, to remove, or both.")
        return self


class VersionChange(Value):
    """What happens to one version."""

    version: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    replica_count: dict[str, int] = Field(default_factory=dict)
    """New replica counts of regions that stay."""
    repair: tuple[str, ...] = ()
    """Regions that are there and ``Failed``."""
    excluded: bool = True
    """The exclude flag of the regions that are added. Only the newest included version's are included: an old version that is
    brought to a region must not become ``latest`` there."""

    forget: dict[str, str] = Field(default_factory=dict)
    """Tags, with their values, that announced the removal of regions that are now added."""

    @property
    def is_empty(self) -> bool:
        return not (self.add or self.remove or self.replica_count or self.repair)


class RegionPlan(Value):
    """The versions to change in order, the ones that are left as they are, and the ones that cannot be changed, with the reason."""

    changes: tuple[VersionChange, ...]
    right: tuple[str, ...]
    """Versions that are as asked already."""
    left_out: dict[str, str]
    """Version -> why nothing, or not everything, is done to it."""
    added_gb: int
    removed_gb: int
    monthly: float
    """Change of the storage bill, US dollars a month at most."""
    once: float
    """Transfer, US dollars at most."""


def plan_regions(asked: RegionChange, chosen: Sequence[ImageVersion], all_versions: Sequence[ImageVersion]) -> RegionPlan:
    """The plan for the chosen versions; pure. ``all_versions`` decide which one is the newest included."""
    front = newest_included(all_versions)
    made = [_change(asked, version, front is not None and version.name == front.name) for version in chosen]
    changes = [change for change, _ in made if not change.is_empty]
    if asked.order == "oldest first":
        changes.reverse()
    sizes = {version.name: version for version in chosen}
    wanted = {region.name: region for region in asked.add}
    return RegionPlan(
        changes=tuple(changes),
        right=tuple(change.version for change, reasons in made if change.is_empty and not reasons),
        left_out={change.version: "; ".join(reasons) for change, reasons in made if reasons},
        added_gb=sum(sizes[change.version].size_gb * (wanted[name].replica_count or 1) for change in changes for name in change.add),
        removed_gb=sum(
            sizes[change.version].size_gb * sizes[change.version].regions[name].replica_count
            for change in changes
            for name in change.remove
        ),
        monthly=round(sum(_monthly(change, sizes[change.version], wanted) for change in changes), 2),
        once=round(sum(cost.transfer(sizes[change.version].size_gb) * len(change.add) for change in changes), 2),
    )


def _change(asked: RegionChange, version: ImageVersion, is_front: bool) -> tuple[VersionChange, list[str]]:
    nothing = VersionChange(version=version.name)
    if version.state in ("Deleting", "Creating"):
        return nothing, [f"it is {version.state}"]
    if version.state == "Failed" and version.regions.get(version.home, Replica()).state != "Completed":
        return nothing, ["it is Failed in its home region"]
    reasons: list[str] = []
    wanted = {region.name: region for region in asked.add}
    missing = [name for name in wanted if name not in version.regions]
    if missing and version.mode == "Shallow":
        reasons.append("it is Shallow, and such a version stays in its home region for ever")
        missing = []
    unlike = [name for name in missing if bool(wanted[name].encryption_set) != version.encrypted]
    if unlike:
        reasons.append(
            f"it is encrypted by the customer, and no encryption set is named for {', '.join(unlike)}"
            if version.encrypted
            else f"it is not encrypted by the customer, and encryption cannot be added later: {', '.join(unlike)}"
        )
        missing = [name for name in missing if name not in unlike]
    unwanted = [name for name in version.regions if name in asked.remove or (asked.remove_others and name not in wanted)]
    if version.home in unwanted:
        if version.home in asked.remove:
            reasons.append(f"its home region {version.home} is never removed")
        unwanted.remove(version.home)
    if len(version.regions) + len(missing) - len(unwanted) > REGIONS_LIMIT:
        reasons.append(f"it would have more than {REGIONS_LIMIT} regions")
        missing = []
    counts = {}
    for name, region in wanted.items():
        there = version.regions.get(name)
        if there is None:
            continue
        if asked.set_replica_count and region.replica_count and region.replica_count != there.replica_count and version.mode != "Shallow":
            counts[name] = region.replica_count
        if asked.set_replica_count and region.storage_account_type and region.storage_account_type != there.storage_account_type:
            reasons.append(f"{name} is {there.storage_account_type} and Azure never changes that: remove the region, then add it again")
    failed = tuple(name for name in wanted if name in version.regions and version.regions[name].state == "Failed")
    change = VersionChange(
        version=version.name,
        add=tuple(missing),
        remove=tuple(unwanted),
        replica_count=counts,
        repair=failed,
        excluded=not (is_front and not version.excluded),
        forget={REMOVED + name: version.tags[REMOVED + name] for name in missing if REMOVED + name in version.tags},
    )
    return change, reasons


def _monthly(change: VersionChange, version: ImageVersion, wanted: dict[str, TargetRegion]) -> float:
    added = sum(
        cost.storage(version.size_gb, wanted[name].replica_count or 1, wanted[name].storage_account_type or "Standard_LRS")
        for name in change.add
    )
    removed = sum(
        cost.storage(version.size_gb, version.regions[name].replica_count, version.regions[name].storage_account_type)
        for name in change.remove
    )
    recounted = sum(
        cost.storage(version.size_gb, count - version.regions[name].replica_count, version.regions[name].storage_account_type)
        for name, count in change.replica_count.items()
    )
    return added - removed + recounted


def region_plan_text(asked: RegionChange, plan: RegionPlan, calls: Sequence[Call]) -> str:
    """The plan for a reader: each call, each region, what is left out and why, gigabytes and rough cost."""
    return "\n".join(_lines(asked, plan, calls))


def _lines(asked: RegionChange, plan: RegionPlan, calls: Sequence[Call]) -> Iterator[str]:
    yield f"Regions of {asked.gallery}/{asked.definition} ({asked.resource_group}), versions {asked.versions}"
    yield ""
    if plan.changes:
        yield f"  {len(plan.changes)} version(s) to change, {asked.at_once} at once, {asked.order}"
        yield calls_text(calls)
    if plan.right:
        yield f"  {len(plan.right)} version(s) are as asked: {few(plan.right, 8)}"
    for version, reason in plan.left_out.items():
        yield f"  left out: {version}: {reason}"
    if plan.changes:
        yield ""
        yield f"  replicas: {plan.added_gb} GB more, {plan.removed_gb} GB less, as provisioned; Azure bills what is occupied"
        yield f"  at most {plan.monthly:+.2f} USD a month for storage, and {plan.once:.2f} USD once for transfer (list prices)"


def arguments_of(asked: RegionChange, plan: RegionPlan) -> dict[str, dict[str, Any]]:
    """The arguments of the steps ``regions.change`` and ``regions.report`` under those names."""
    return {
        "change_regions": {
            **asked.path,
            "target_regions": [region.model_dump() for region in asked.add],
            "versions": [change.model_dump(mode="json", exclude_defaults=True) for change in plan.changes],
            "at_once": asked.at_once,
            "timeout": asked.timeout,
        },
        "report_regions": {
            **asked.path,
            "versions": [change.version for change in plan.changes] + list(plan.right),
            "regions": [region.name for region in asked.add],
        },
    }
