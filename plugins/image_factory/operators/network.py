"""Virtual networks for build machines."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class CreateNetworkOperator(StepOperator):
    """Create a virtual network with the subnet ``build``; XCom: ``{"subnet_id"}``.

    Fields and result: :func:`include.steps.network.ensure`.
    """

    step = "network.ensure"
    required = ("resource_group", "name", "location", "address_prefix", "tags")
    optional = ("outbound",)
