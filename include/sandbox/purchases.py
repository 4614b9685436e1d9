"""Purchases: what a subscription must have agreed to before ARM lets a resource with a `plan` through to its provider.

Terms are accepted once for a subscription and a plan; cancelling them stops new resources and leaves those that are there. The agreements
themselves: resources/agreements.py. Texts: learn.microsoft.com, "Find Azure Marketplace image information"; terraform-azurerm-compute#218
and Azure's own words in public logs of 2023 and later; a template's: packer#6009, cloud-api-adaptor#886 (its validation does not look).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .wire import ArmError, Json

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox


@dataclass(frozen=True)
class Plan:
    """A purchase plan as a resource, an image or a definition names it; empty where one of its words is missing."""

    publisher: str
    product: str
    name: str

    @classmethod
    def of(cls, given: Any) -> Plan | None:
        """The plan of `{"publisher", "product", "name"}`; None for none."""
        if not isinstance(given, dict) or not given:
            return None
        return cls(*(str(given.get(word) or "") for word in ("publisher", "product", "name")))

    @property
    def key(self) -> str:
        """The same for every way to write it."""
        return f"{self.publisher}/{self.product}/{self.name}".lower()


def accepted(arm: Sandbox, subscription: str, plan: Plan) -> bool:
    """Whether the subscription has accepted the plan's terms."""
    kept = arm.store.settings.get("agreements", {}).get(f"{subscription.lower()}/{plan.key}")
    return kept is not None and bool(kept["accepted"])


def known(arm: Sandbox, plan: Plan) -> Plan | None:
    """The plan in its publisher's own casing; None where nobody sells it."""
    from .resources.catalogue import skus

    for one in skus(arm).values():
        if one.plan is not None and (sold := Plan(one.plan[2], one.plan[1], one.plan[0])).key == plan.key:
            return sold
    return None


def objection(arm: Sandbox, subscription: str, plan: Plan) -> str | None:
    """Why the subscription cannot buy the plan now, as Azure says it; None where it can."""
    if known(arm, plan) is None:
        return not_found(arm, plan)
    return None if accepted(arm, subscription, plan) else not_accepted(arm, subscription, plan)


def not_accepted(arm: Sandbox, subscription: str, plan: Plan) -> str:
    """What Azure says of terms that the subscription has not accepted."""
    return (
        f"You have not accepted the legal terms on this subscription: '{subscription}' for this plan. Before the subscription can be "
        "used, you need to accept the legal terms of the image. To read and accept legal terms, use the Azure CLI commands described at "
        "https://go.microsoft.com/fwlink/?linkid=2110637 or the PowerShell commands available at "
        "https://go.microsoft.com/fwlink/?linkid=862451. Alternatively, deploying via the Azure portal provides a UI experience for "
        f"reading and accepting the legal terms. Offer details: publisher='{plan.publisher}' offer = '{plan.product}', "
        f"sku = '{plan.name}', Correlation Id: '{arm.request_guid()}'."
    )


def not_found(arm: Sandbox, plan: Plan) -> str:
    """What Azure says of a plan that nobody sells."""
    return (
        f"The offer with Offer ID '{plan.product}' was not found. Try one of these: 1- Make sure the offer name is written correctly. "
        "2- If this offer was recently created, allow up to 30 minutes for it to be available for purchase. 3- The offer may have been "
        "removed from the marketplace. Look for similar offers from this publisher here: "
        f"'https://azuremarketplace.microsoft.com/en-us/marketplace/apps?page=1%26search={plan.publisher}%20{plan.product}'. "
        f"Publisher ID: '{plan.publisher}', Offer ID: '{plan.product}', Correlation ID '{arm.request_guid()}'."
    )


def check(arm: Sandbox, call: Call) -> None:
    """Raises ArmError 400 ResourcePurchaseValidationFailed for a PUT that makes a resource whose plan the subscription cannot buy.

    What a deployment or a scale set makes was asked for with that.
    """
    if call.internal or call.resource is not None or (plan := Plan.of(call.json().get("plan"))) is None:
        return
    why = objection(arm, call.subscription, plan)
    if why is None and arm.faults.take("terms", call) is not None:
        why = not_accepted(arm, call.subscription, plan)
    if why is not None:
        message = f"User failed validation to purchase resources. Error message: '{why}'"
        raise ArmError(400, "ResourcePurchaseValidationFailed", message, gateway=True)


def check_all(arm: Sandbox, wanted: Iterable[tuple[str, Json]]) -> None:
    """As `check`, for the resources of a template: (id, body) each. Raises ArmError 400 MarketplacePurchaseEligibilityFailed."""
    plans: dict[tuple[str, str], Plan] = {}
    for id, body in wanted:
        if arm.store.get(id) is None and (plan := Plan.of(body.get("plan"))) is not None:
            plans[id.split("/")[2].lower(), plan.key] = plan
    reasons = [why for (subscription, _), plan in plans.items() if (why := objection(arm, subscription, plan)) is not None]
    if reasons:
        raise ArmError(
            400,
            "MarketplacePurchaseEligibilityFailed",
            "Marketplace purchase eligibilty check returned errors. See inner errors for details. ",  # Azure's own spelling
            details=[{"code": "BadRequest", "message": why} for why in reasons],
            gateway=True,
        )
