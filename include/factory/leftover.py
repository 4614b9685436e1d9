"""What runs left behind, and what of it may be swept: only what carries the factory's own tags, and only after it has expired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from include.factory.tags import EXPIRES, OWNER, RECIPE, RUN
from include.factory.value import Value

# Task id -> step.
STEPS = {"sweep": "leftovers.sweep", "report": "leftovers.report"}

KEEP = "image-factory-keep"
"""A tag, with any value, by which somebody keeps a leftover for a look."""

GROUP = "Microsoft.Resources/resourceGroups"

# The kinds that a run makes, in the order in which they can go: what uses another goes before it.
ORDER = (
    GROUP,
    "Microsoft.Compute/virtualMachines",
    "Microsoft.Network/networkInterfaces",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Compute/images",
    "Microsoft.Compute/snapshots",
    "Microsoft.Compute/disks",
)
_RANK = {kind.lower(): rank for rank, kind in enumerate(ORDER)}


class SweepForm(Value):
    """How a sweep is to go."""

    grace: Annotated[int, Field(ge=0, le=30 * 86400)] = 6 * 3600
    """Seconds since its last change for which an expired resource still counts as in use."""
    hard_cap: Annotated[int, Field(ge=0, le=365 * 86400)] = 14 * 86400
    """Seconds after its expiry at which a resource goes whatever its tag ``image-factory-keep`` says, and however recently it changed."""


class Leftover(Value):
    """A resource, or a resource group with all that is in it, that carries the tags of a run and the time at which it expires."""

    id: str
    type: str
    run: str
    expires: AwareDatetime
    recipe: str = ""
    owner: str = ""
    kept: str = ""
    """Value of its tag ``image-factory-keep``, or nothing."""
    changed: AwareDatetime | None = None
    """When it, or anything in it, was last changed."""
    locks: tuple[str, ...] = ()
    """Management locks on it; they are somebody's word and stay."""

    @property
    def group(self) -> str:
        return self.id.split("/")[4]


class SweepPlan(Value):
    """Ids in the order in which they go; the others with the reason for which they stay."""

    sweep: tuple[Leftover, ...] = ()
    stay: dict[str, str] = Field(default_factory=dict)

    def without(self, obstacles: Mapping[str, str]) -> SweepPlan:
        """The plan in which what cannot be swept stays.

        :param obstacles: id -> what is in the way.
        """
        return SweepPlan(sweep=tuple(one for one in self.sweep if one.id not in obstacles), stay={**self.stay, **obstacles})


def read_leftover(resource: dict[str, Any]) -> Leftover | None:
    """A resource as Azure lists it, when it is a run's own and expires; None for everything else.

    A tag ``image-factory-run`` alone is not enough: versions carry it for ever.
    """
    tags = resource.get("tags") or {}
    if not tags.get(RUN) or not tags.get(EXPIRES):
        return None
    try:
        expires = datetime.fromisoformat(tags[EXPIRES])
    except ValueError:
        return None
    if expires.tzinfo is None:
        return None
    return Leftover(
        id=resource["id"],
        type=resource.get("type") or GROUP,
        run=tags[RUN],
        expires=expires,
        recipe=tags.get(RECIPE, ""),
        owner=tags.get(OWNER, ""),
        kept=tags.get(KEEP, ""),
        changed=resource.get("changedTime"),
    )


def plan_sweep(found: Iterable[Leftover], at: datetime, form: SweepForm) -> SweepPlan:
    """What goes at the time ``at``; pure."""
    sweep: list[Leftover] = []
    stay: dict[str, str] = {}
    for one in sorted(found, key=lambda one: (_RANK.get(one.type.lower(), len(ORDER)), one.id.lower())):
        reason = _reason(one, at, form)
        if reason is None:
            sweep.append(one)
        else:
            stay[one.id] = reason
    return SweepPlan(sweep=tuple(sweep), stay=stay)


def _reason(one: Leftover, at: datetime, form: SweepForm) -> str | None:
    if one.expires > at:
        return f"expires at {one.expires:%Y-%m-%d %H:%M} UTC"
    if one.type.lower() not in _RANK:
        return f"a {one.type} is nothing that a run makes: look who tagged it"
    if one.locks:
        return f"locked by {', '.join(one.locks)}: whoever locked it must unlock it"
    if at >= one.expires + timedelta(seconds=form.hard_cap):
        return None
    if one.kept:
        until = one.expires + timedelta(seconds=form.hard_cap)
        return f"kept by its tag {KEEP} ({one.kept}), until {until:%Y-%m-%d} at most"
    if one.changed is not None and at < one.changed + timedelta(seconds=form.grace):
        return f"in use: changed at {one.changed:%Y-%m-%d %H:%M} UTC"
    return None


def sweep_text(plan: SweepPlan) -> str:
    """The plan for a reader, a line each."""
    lines = [f"  goes   {one.id} (run {one.run}, expired {one.expires:%Y-%m-%d %H:%M} UTC)" for one in plan.sweep]
    lines += [f"  stays  {id}: {reason}" for id, reason in plan.stay.items()]
    return "\n".join(["Leftovers of runs:", *(lines or ["  none"])])


def arguments_of(plan: SweepPlan) -> dict[str, dict[str, Any]]:
    """The arguments of the steps ``leftovers.sweep`` and ``leftovers.report`` under their task ids."""
    leftovers = [{"id": one.id, "type": one.type, "run": one.run, "recipe": one.recipe} for one in plan.sweep]
    return {"sweep": {"leftovers": leftovers}, "report": {"leftovers": leftovers, "stay": plan.stay}}
