"""Managed images: the older road from a machine to a gallery version, and the only one for some security types."""

from __future__ import annotations

import logging
from typing import Any

from include.steps.azure import Azure
from include.steps.look import RUN_TAG, Found, Resource, look, settle, step, taken

log = logging.getLogger(__name__)


@step
async def create(
    azure: Azure,
    *,
    resource_group: str,
    name: str,
    location: str,
    source_virtual_machine: str,
    hyper_v_generation: str,
    tags: dict[str, str],
) -> dict[str, Any]:
    """Create a managed image of a generalized machine with all its disks.

    :param source_virtual_machine: ARM id, or the name of a machine in ``resource_group``.
    :return: ``{"source": {"kind": "managed_image", "id": ARM id}}``.
    :raises StepError: ``NameTaken``; kind ``redo`` when the machine is not generalized.
    """
    images = azure.compute.images
    machine = (
        source_virtual_machine if "/" in source_virtual_machine else azure.id(resource_group, "virtualMachines", source_virtual_machine)
    )

    async def read() -> Resource | None:
        return await look(images.get(resource_group, name))

    found, image = await settle(read, tags.get(RUN_TAG))
    source = ((image or {}).get("properties") or {}).get("sourceVirtualMachine") or {}
    if found is Found.FOREIGN or (found is Found.DONE and str(source.get("id", machine)).lower() != machine.lower()):
        raise taken(image)
    if found is Found.FAILED:
        await azure.finish(images.begin_delete, resource_group, name, kind="images DELETE")
    if found is not Found.DONE:
        properties = {"sourceVirtualMachine": {"id": machine}, "hyperVGeneration": hyper_v_generation}
        body = {"location": location, "tags": tags, "properties": properties}
        await azure.finish(images.begin_create_or_update, resource_group, name, body, kind="images PUT")
        log.info("Managed image %s is made of %s.", name, machine.rpartition("/")[2])
    return {"source": {"kind": "managed_image", "id": azure.id(resource_group, "images", name)}}
