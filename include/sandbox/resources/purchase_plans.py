"""Whether a machine's request names the purchase plan that its image is sold with; whether that can be bought: purchases.py.

An image keeps its plan through captures, whatever its definition says. Texts: "Virtual machine error messages" (learn.microsoft.com), the
one for a missing plan as public logs have it (azure-rest-api-specs#22133). It is the machine's operation that fails with them, not its
request (terraform's "waiting for creation", sap-automation#433, machine-controller#788).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..content import Origin
from ..purchases import Plan
from ..wire import Json
from .catalogue import skus

if TYPE_CHECKING:
    from ..sandbox import Sandbox

CODE = "VMMarketplaceInvalidInput"


def plan_of(arm: Sandbox, origin: Origin) -> Plan | None:
    """The plan that machines of an image must name: its definition's, or that of the marketplace image that it descends from."""
    if (own := Plan.of(origin.plan)) is not None:
        return own
    platform = origin.content.get("platform")
    sku = skus(arm).get((platform[0], platform[1], platform[2])) if platform else None
    return Plan(sku.plan[2], sku.plan[1], sku.plan[0]) if sku is not None and sku.plan else None


def problem(arm: Sandbox, origin: Origin, given: Any, id: str, disk: str) -> Json | None:
    """What is wrong with the plan of the request for `id` (a machine or a scale set): {"code", "message"}, or None."""
    wanted, named = plan_of(arm, origin), Plan.of(given)
    if (wanted.key if wanted else None) == (named.key if named else None):
        return None
    if named is None:
        message = (
            "Creating a virtual machine from Marketplace image or a custom image sourced from a Marketplace image requires Plan "
            f"information in the request. VM: '{id}'."
        )
    elif wanted is None:
        message = (
            "Creating a virtual machine from a non Marketplace image does not need Plan information, please remove the Plan information in "
            f"the request. OS disk name is {disk}."
        )
    else:
        message = f"The purchase information does not match. Unable to deploy from the Marketplace image. OS disk name is {disk}."
    return {"code": CODE, "message": message}
