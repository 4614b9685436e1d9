"""What runs left behind: found by their tags, swept when they have expired, told.

A teardown is no guarantee: ``dagrun_timeout`` skips it, and a killed Airflow runs nothing. Never is anything touched that does not carry
the tags of a run, whatever its name; locks are reported and left.
"""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

from include.steps import preflight, resource_group
from include.steps.arm_error import of_exception
from include.steps.azure import Azure
from include.steps.errors import StepError, partly
from include.steps.look import EXPIRES_TAG, RUN_TAG, step

if TYPE_CHECKING:
    from include.factory.leftover import Leftover

log = logging.getLogger(__name__)

Named = dict[str, str]
"""``{"id", "type", "run", "recipe"}``."""

# For deletion by id; any version that knows the type will do.
_API_VERSIONS = {"microsoft.compute/disks": "2024-03-02", "microsoft.compute/snapshots": "2024-03-02", "microsoft.compute": "2024-07-01"}
_NETWORK = "2024-05-01"


@step
async def plan(azure: Azure, *, run: dict[str, Any]) -> dict[str, Any]:
    """Find what carries the tags of a run and has expired.

    :param run: ``{"at": ISO time, "run_type", "params": {"dry_run", "grace_hours", "hard_cap_days"}}``; params may be JSON text. A
        scheduled run is never dry.
    :return: ``{"stay": {id: reason}, "calls": [{"method", "path", "what"}], "steps": {"sweep", "report": arguments}}``.
    :raises StepSkipped: a dry run, or nothing to sweep; its result is the same object.
    :raises StepError: ``BadParameter``.
    """
    from pydantic import ValidationError

    from include.factory.calls import Call, World, planned_calls
    from include.factory.leftover import STEPS, SweepForm, arguments_of, plan_sweep, sweep_text
    from include.factory.preflight import needs_of_calls

    params = run.get("params") or {}
    params = json.loads(params) if isinstance(params, str) else params
    hours, days = float(params.get("grace_hours", 6)), float(params.get("hard_cap_days", 14))
    try:
        form = SweepForm(grace=int(hours * 3600), hard_cap=int(days * 86400))
    except ValidationError as error:
        raise StepError("permanent", "BadParameter", f"The sweep cannot be as asked: {error}", "Start a run with other values.") from error
    made = plan_sweep(await find(azure), datetime.fromisoformat(run["at"]), form)
    left_out, found = await preflight.obstacles(
        {one.id: (azure, needs_of_calls([Call(method="DELETE", path=one.id)])) for one in made.sweep}
    )
    made = made.without(left_out)
    log.info("%s", sweep_text(made))
    steps = arguments_of(made)
    calls = planned_calls(steps, STEPS, World(azure.subscription_id))
    document = {
        "stay": made.stay,
        "about": sorted({one.recipe for one in made.sweep if one.recipe}),
        "calls": [call.model_dump() for call in calls],
        "steps": steps,
    }
    dry_run = bool(params.get("dry_run")) and run.get("run_type") != "scheduled"
    nothing = None if made.sweep else f"Nothing to sweep; {len(made.stay)} stay."
    return preflight.conclude("The sweep", found, document, dry_run=dry_run, nothing=nothing)


async def find(azure: Azure) -> list[Leftover]:
    """Every resource group and every resource outside such groups that carries the tags of a run and expires, with its locks."""
    from include.factory.leftover import read_leftover

    # All resources, as a list by tag shows neither tags nor times.
    groups, resources = await asyncio.gather(
        _all(azure.resources.resource_groups.list(filter=f"tagName eq '{EXPIRES_TAG}'")),
        _all(azure.resources.resources.list(expand="createdTime,changedTime")),
    )
    boxes = [found for group in groups if (found := read_leftover(group))]
    names = {box.group.lower() for box in boxes}
    loose = [found for one in resources if (found := read_leftover(one)) and found.group.lower() not in names]
    changed: dict[str, str] = {}
    for one in resources:
        group = one["id"].split("/")[4].lower()
        changed[group] = max(changed.get(group, ""), one.get("changedTime") or one.get("createdTime") or "")
    boxes = [box.model_copy(update={"changed": _moment(changed.get(box.group.lower()))}) for box in boxes]
    locks = await asyncio.gather(*(_locks(azure, one) for one in [*boxes, *loose]))
    return [one.model_copy(update={"locks": held}) for one, held in zip([*boxes, *loose], locks, strict=True)]


async def _all(pages: Any) -> list[dict[str, Any]]:
    return [one.as_dict() async for one in pages]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


async def _locks(azure: Azure, one: Leftover) -> tuple[str, ...]:
    from azure.core.exceptions import HttpResponseError

    try:
        body = await azure.read(f"{one.id}/providers/Microsoft.Authorization/locks", "2020-05-01")
    except HttpResponseError as error:
        if error.status_code == 404:
            return ()  # it went since it was listed, as each build's group does at its end
        raise
    return tuple(str(lock["name"]) for lock in body["value"])


@step
async def sweep(azure: Azure, *, leftovers: list[Named]) -> dict[str, Any]:
    """Delete what was planned, in order; each is looked at again first, and one that fails delays no other.

    :param leftovers: ``{"id", "type", "run", "recipe"}`` each.
    :return: ``{"swept": [ids]}``; what was gone already is among them.
    :raises StepError: ``PartlySwept``: what is left, each with the reason; kind ``transient`` when waiting is all that is missing.
    """
    swept: list[str] = []
    failures: dict[str, StepError] = {}
    for one in leftovers:
        try:
            await _delete(azure, one)
        except Exception as error:
            failures[one["id"]] = error if isinstance(error, StepError) else of_exception(error)
            log.error("%s stays: %s", one["id"], failures[one["id"]])
        else:
            swept.append(one["id"])
            log.info("%s is gone.", one["id"])
    if failures:
        about = sorted({one["recipe"] for one in leftovers if one["id"] in failures and one.get("recipe")})
        raise partly("PartlySwept", f"{len(swept)} of {len(leftovers)} leftovers are gone.", failures, done=swept, about=about)
    return {"swept": swept}


async def _delete(azure: Azure, one: Named) -> None:
    from azure.core.exceptions import ResourceNotFoundError

    name = one["id"].split("/")[-1]
    if one["type"].endswith("/resourceGroups"):
        await _revoke_access(azure, name)
        await resource_group.delete(azure, name=name, run=one["run"])
        return
    resources = azure.resources.resources
    version = _API_VERSIONS.get(one["type"].lower()) or _API_VERSIONS.get(one["type"].split("/")[0].lower(), _NETWORK)
    try:
        there = (await resources.get_by_id(one["id"], api_version=version)).as_dict()
    except ResourceNotFoundError:
        return
    if (there.get("tags") or {}).get(RUN_TAG) != one["run"]:
        raise StepError("permanent", "NameTaken", f"{one['id']} is not the run's any more", "Nothing of another is ever deleted.")
    if one["type"].lower() in ("microsoft.compute/disks", "microsoft.compute/snapshots"):
        await _revoke_access(azure, one["id"].split("/")[4], name)
    await azure.finish(resources.begin_delete_by_id, one["id"], api_version=version, kind=f"{one['type']} DELETE")


async def _revoke_access(azure: Azure, group: str, only: str | None = None) -> None:
    """Take back what still reads disks and snapshots: as long as it may, Azure does not delete them (failure C03)."""
    from azure.core.exceptions import ResourceNotFoundError

    for operations in (azure.compute.snapshots, azure.compute.disks):
        try:
            open_ones = [one.as_dict() async for one in operations.list_by_resource_group(group)]
        except ResourceNotFoundError:
            return
        for one in open_ones:
            if one["properties"].get("diskState") == "ActiveSAS" and only in (None, one["name"]):
                log.info("Taking back the access to %s.", one["id"])
                await azure.finish(operations.begin_revoke_access, group, one["name"], kind="disks endGetAccess")


@step
async def report(azure: Azure, *, leftovers: list[Named], stay: dict[str, str]) -> dict[str, Any]:
    """Tell what is gone and what is still there, whatever became of the sweep.

    :return: ``{"gone": [ids], "left": {id: reason}, "notices": [...]}``.
    """
    there = {one.id for one in await find(azure)}
    gone = [one["id"] for one in leftovers if one["id"] not in there]
    left = {**{one["id"]: "could not be swept; the task `sweep` says why" for one in leftovers if one["id"] in there}, **stay}
    log.info("Gone: %s", ", ".join(gone) or "nothing")
    for id, reason in left.items():
        log.warning("Left: %s: %s", id, reason)
    return {"gone": gone, "left": left, "notices": _notices(leftovers, there)}


def _notices(leftovers: list[Named], there: set[str]) -> list[dict[str, Any]]:
    """One notice for each recipe whose runs had left something."""
    by_recipe: dict[str, list[str]] = {}
    for one in leftovers:
        if one.get("recipe"):
            by_recipe.setdefault(one["recipe"], []).append(f"{one['id']}: {'could not be swept' if one['id'] in there else 'swept'}")
    return [
        {"event": "leftovers", "recipe": recipe, "title": f"{recipe}: {len(lines)} leftover(s) of runs", "text": "\n".join(lines)}
        for recipe, lines in by_recipe.items()
    ]
