"""Azure Compute Galleries."""

from __future__ import annotations

import logging
from typing import Any

from include.steps.azure import Azure
from include.steps.look import Found, look, settle, step

log = logging.getLogger(__name__)


@step
async def ensure(
    azure: Azure,
    *,
    resource_group: str,
    name: str,
    location: str,
    description: str | None = None,
    sharing: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
) -> str:
    """Create the gallery when it is missing; return its ARM id. An existing one is used by many runs and left as it is.

    :param sharing: ARM's ``sharingProfile``; by default the gallery is private, for ever.
    """
    galleries = azure.compute.galleries

    async def read() -> dict[str, Any] | None:
        return await look(galleries.get(resource_group, name))

    found, gallery = await settle(read)
    if found is not Found.DONE or gallery is None:
        properties = {field: value for field, value in (("description", description), ("sharingProfile", sharing)) if value}
        body = {"location": location, "tags": tags or {}, "properties": properties}
        gallery = await azure.finish(galleries.begin_create_or_update, resource_group, name, body, kind="galleries PUT")
        log.info("Gallery %s is made in %s.", name, location)
    return str(gallery["id"])
