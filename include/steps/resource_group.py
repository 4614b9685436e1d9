"""Resource groups: the box in which one run builds, and with which everything that it built goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Any

from include.steps.azure import Azure
from include.steps.look import EXPIRES_TAG, RUN_TAG, Found, look, pauses, sort, step, taken

log = logging.getLogger(__name__)


@step
async def ensure(azure: Azure, *, name: str, location: str, tags: dict[str, str]) -> str:
    """Create the group when it is missing; return its ARM id.

    With the tag ``image-factory-run`` among ``tags`` the group is this run's alone, and one of another run is refused. Without that tag
    it is shared (the gallery's group), and an existing one is taken as it is.

    :raises StepError: ``NameTaken``.
    """
    groups = azure.resources.resource_groups
    run = tags.get(RUN_TAG)
    group = await look(groups.get(name))
    if sort(group, run) is Found.DELETING:
        await _wait_until_gone(azure, name)
        group = None
    if sort(group, run) is Found.FOREIGN:
        raise taken(group)
    if group is None:
        group = (await groups.create_or_update(name, {"location": location, "tags": tags})).as_dict()
        log.info("Resource group %s is made in %s.", name, location)
    return str(group["id"])


@step
async def delete(azure: Azure, *, name: str, run: str, keep_failed: bool = False, failed_tasks: Collection[str] = ()) -> dict[str, Any]:
    """Delete the run's group with all that is in it, machines by force, and wait until it is gone.

    :param run: the value that the group's tag ``image-factory-run`` must have.
    :param keep_failed: keep the group when one of the run's tasks failed, so that somebody can look into the machine.
    :param failed_tasks: task ids of the run that failed.
    :return: ``{"deleted": bool}``; false when there was nothing, or it was kept.
    :raises StepError: ``NameTaken``: the group is another's.
    """
    groups = azure.resources.resource_groups
    group = await look(groups.get(name))
    found = sort(group, run)
    if group is None:
        return {"deleted": False}
    if found is Found.FOREIGN:
        raise taken(group)
    if keep_failed and failed_tasks and found is not Found.DELETING:
        until = (group.get("tags") or {}).get(EXPIRES_TAG, "somebody deletes it")
        log.warning("%s failed: resource group %s with its machine is kept until %s, as asked.", ", ".join(failed_tasks), name, until)
        return {"deleted": False}
    if found is Found.DELETING:
        await _wait_until_gone(azure, name)
    else:
        force = "Microsoft.Compute/virtualMachines"
        await azure.finish(groups.begin_delete, name, force_deletion_types=force, kind="resourceGroups DELETE", patience=0.3)
    log.info("Resource group %s is gone.", name)
    return {"deleted": True}


async def _wait_until_gone(azure: Azure, name: str) -> None:
    for pause in pauses():
        group = await look(azure.resources.resource_groups.get(name))
        if sort(group) is not Found.DELETING:
            return
        await asyncio.sleep(pause)
