"""Virtual networks for build machines, put by id: the whole network client is not needed for one body."""

from __future__ import annotations

import logging
from typing import Any

from include.steps.azure import Azure
from include.steps.look import RUN_TAG, Found, look, settle, step, taken

log = logging.getLogger(__name__)

API_VERSION = "2024-05-01"
SUBNET = "build"


@step
async def ensure(
    azure: Azure, *, resource_group: str, name: str, location: str, address_prefix: str, tags: dict[str, str], outbound: bool = True
) -> dict[str, Any]:
    """Create a virtual network with one subnet ``build`` over the whole ``address_prefix`` (CIDR). Machines reach out of it, and nothing
    reaches in.

    :param outbound: false for copies of machines that live: the subnet is private, and what starts in it reaches nothing either
        (default-outbound-access). The machine's agent works all the same, as it speaks to the host only.
    :return: ``{"subnet_id": ARM id}``.
    :raises StepError: ``NameTaken``.
    """
    network_id = azure.id(resource_group, "virtualNetworks", name, provider="Microsoft.Network")
    resources = azure.resources.resources

    async def read() -> dict[str, Any] | None:
        return await look(resources.get_by_id(network_id, api_version=API_VERSION))

    found, network = await settle(read, tags.get(RUN_TAG))
    if found is Found.FOREIGN:
        raise taken(network)
    if found is not Found.DONE:
        subnet = {"name": SUBNET, "properties": {"addressPrefix": address_prefix, "defaultOutboundAccess": outbound}}
        properties = {"addressSpace": {"addressPrefixes": [address_prefix]}, "subnets": [subnet]}
        body = {"location": location, "tags": tags, "properties": properties}
        await azure.finish(resources.begin_create_or_update_by_id, network_id, body, api_version=API_VERSION, kind="virtualNetworks PUT")
        log.info("Virtual network %s is made: %s.", name, address_prefix)
    return {"subnet_id": f"{network_id}/subnets/{SUBNET}"}
