"""Snapshots of a machine's disks: a capture after which the machine can start again."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from include.steps.azure import Azure
from include.steps.look import RUN_TAG, Found, Resource, gone, look, settle, step, taken

log = logging.getLogger(__name__)


@step
async def capture(
    azure: Azure, *, resource_group: str, name: str, location: str, source_virtual_machine: str, tags: dict[str, str]
) -> dict[str, Any]:
    """Snapshot the OS disk (``<name>-os``) and every data disk (``<name>-lun<n>``) of a machine, all at once.

    :param source_virtual_machine: ARM id, or the name of a machine in ``resource_group``.
    :return: ``{"source": {"kind": "snapshot", "os": ARM id, "data": {"<lun>": ARM id}}}``.
    :raises StepError: ``NameTaken``; kind ``redo`` when the machine is gone.
    """
    segments = source_virtual_machine.split("/")
    group = segments[4] if len(segments) > 4 else resource_group
    machine = await look(azure.compute.virtual_machines.get(group, segments[-1]))
    if machine is None:
        raise gone(f"Virtual machine {source_virtual_machine}", "create_virtual_machine")
    profile = machine["properties"]["storageProfile"]
    disks = {"os": profile["osDisk"]["managedDisk"]["id"]}
    disks |= {str(disk["lun"]): disk["managedDisk"]["id"] for disk in profile.get("dataDisks") or ()}
    names = {disk: f"{name}-os" if disk == "os" else f"{name}-lun{disk}" for disk in disks}
    ids = await asyncio.gather(
        *(
            _ensure(azure, resource_group=resource_group, name=names[disk], location=location, source=source, tags=tags)
            for disk, source in disks.items()
        )
    )
    snapshots = dict(zip(disks, ids, strict=True))
    log.info("%d disks of %s are captured.", len(snapshots), segments[-1])
    return {"source": {"kind": "snapshot", "os": snapshots.pop("os"), "data": snapshots}}


async def _ensure(azure: Azure, *, resource_group: str, name: str, location: str, source: str, tags: dict[str, str]) -> str:
    snapshots = azure.compute.snapshots

    async def read() -> Resource | None:
        return await look(snapshots.get(resource_group, name))

    found, snapshot = await settle(read, tags.get(RUN_TAG))
    creation = ((snapshot or {}).get("properties") or {}).get("creationData") or {}
    if found is Found.FOREIGN or (found is Found.DONE and str(creation.get("sourceResourceId", source)).lower() != source.lower()):
        raise taken(snapshot)
    if found is not Found.DONE:
        properties = {"creationData": {"createOption": "Copy", "sourceResourceId": source}, "incremental": True}
        body = {"location": location, "tags": tags, "sku": {"name": "Standard_LRS"}, "properties": properties}
        await azure.finish(snapshots.begin_create_or_update, resource_group, name, body, kind="snapshots PUT")
    return azure.id(resource_group, "snapshots", name)
