"""The terms of the marketplace's purchase plans: read, accepted and cancelled by a subscription.

Shapes: the MarketplaceOrdering OpenAPI document 2021-01-01 with its examples, and recorded traffic of 2022 (azure-cli,
test_vm_image_terms): every read has another signature and time, an acceptance keeps those that it was sent, and a PUT's answer spells the
id in a way of its own.
"""

from __future__ import annotations

from base64 import b32encode
from hashlib import sha512
from typing import TYPE_CHECKING
from urllib.parse import quote

from .. import authorization
from ..purchases import Plan, known, not_found
from ..registry import field, route
from ..wire import JSON_TYPE, ArmError, Json, Response, compact, stamp, zulu

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

SPACE = "Microsoft.MarketplaceOrdering"
OFFER_TYPE = "VirtualMachine"  # the only one (the document)
_CURRENT = f"subscriptions/{{}}/providers/{SPACE}/offerTypes/{{}}/publishers/{{}}/offers/{{}}/plans/{{}}/agreements/current"
_SIGNED = f"subscriptions/{{}}/providers/{SPACE}/agreements"
_SAME = ("publisher", "product", "plan")
_TEXTS = "https://mpcprodsa.blob.core.windows.net"


def _plan(arm: Sandbox, publisher: str, product: str, name: str) -> Plan:
    """The plan that a path names. Raises ArmError 400 where nobody sells it."""
    asked = Plan(publisher, product, name)
    found = known(arm, asked)
    if found is None:
        raise ArmError(400, "BadRequest", not_found(arm, asked))
    return found


def _key(subscription: str, plan: Plan) -> str:
    return f"{subscription.lower()}/{plan.key}"


def _kept(arm: Sandbox, subscription: str, plan: Plan) -> Json | None:
    """What the subscription said of the plan last: `accepted`, `signature`, `retrieved`; `signed` and `cancelled`, when (epoch seconds)."""
    found: Json | None = arm.store.settings.get("agreements", {}).get(_key(subscription, plan))
    return found


def _keep(arm: Sandbox, subscription: str, plan: Plan, **said: object) -> Json:
    kept = {**(_kept(arm, subscription, plan) or {}), **said}
    kept["signed" if kept["accepted"] else "cancelled"] = arm.now
    arm.store.set("agreements", {**arm.store.settings.get("agreements", {}), _key(subscription, plan): kept})
    return kept


def _letters(*key: object, length: int = 103) -> str:
    return b32encode(sha512(repr(key).encode()).digest()).decode()[:length].rstrip("=").ljust(length, "A")


def _signature(arm: Sandbox, subscription: str, plan: Plan) -> str:
    return _letters(subscription, plan.key, arm.request_guid())


def _terms(arm: Sandbox, call: Call, subscription: str, plan: Plan, kept: Json, offer_type: str = OFFER_TYPE) -> Json:
    words = quote(f"{plan.publisher}$24{plan.product}$24{plan.name}$24".upper().replace("-", "%2D").replace("_", "%5F"), safe="")
    shown: Json = {
        "id": f"/subscriptions/{subscription}/providers/{SPACE}/offerTypes/{offer_type}/publishers/{plan.publisher}/offers/{plan.product}"
        f"/plans/{plan.name}/agreements/current",
        "name": plan.name,
        "type": f"{SPACE}/offertypes",
        "properties": {
            "publisher": plan.publisher,
            "product": plan.product,
            "plan": plan.name,
            "licenseTextLink": f"{_TEXTS}/legalterms/3E5ED_legalterms_{words}{_letters('license', plan.key)}.txt",
            "privacyPolicyLink": f"https://www.{plan.publisher.lower()}.example/privacy",
            "marketplaceTermsLink": f"{_TEXTS}/marketplaceterms/3EDEF_marketplaceterms_VIRTUALMACHINE{_letters('marketplace')}.txt",
            "retrieveDatetime": kept["retrieved"],
            "signature": kept["signature"],
            "accepted": kept["accepted"],
        },
    }
    if call.api_version >= "2021-01-01":
        service = arm.guid("marketplace ordering")
        at = stamp(arm.now)
        shown["systemData"] = {
            "createdBy": service,
            "createdByType": "ManagedIdentity",
            "createdAt": at,
            "lastModifiedBy": service,
            "lastModifiedByType": "ManagedIdentity",
            "lastModifiedAt": at,
        }
    return shown


def _answer(body: object) -> Response:
    return Response(200, {"content-type": JSON_TYPE}, compact(body))


def _check_offer_type(offer_type: str) -> None:
    if offer_type.lower() != OFFER_TYPE.lower():
        raise ArmError(400, "BadRequest", f"The offer type '{offer_type}' is not supported. Only '{OFFER_TYPE.lower()}' is.")


def _check_reader(arm: Sandbox, call: Call, subscription: str, types: str) -> None:
    action, scope = f"{SPACE}/{types}/read", f"/subscriptions/{subscription}"
    if not authorization.allowed(arm, call.principal, action, scope):
        raise authorization.denied(call, action, scope)


@route("GET", _CURRENT)
def show(arm: Sandbox, call: Call, subscription: str, offer_type: str, publisher: str, product: str, name: str) -> Response:
    """The terms as they are now, and whether any version of them has been accepted."""
    _check_offer_type(offer_type)
    _check_reader(arm, call, subscription, "offerTypes/publishers/offers/plans/agreements")
    plan = _plan(arm, publisher, product, name)
    kept = _kept(arm, subscription, plan) or {"accepted": False}
    fresh = {"retrieved": zulu(arm.now), "signature": _signature(arm, subscription, plan), "accepted": kept["accepted"]}
    return _answer(_terms(arm, call, subscription, plan, fresh))


@route("PUT", _CURRENT)
def save(arm: Sandbox, call: Call, subscription: str, offer_type: str, publisher: str, product: str, name: str) -> Response:
    """Accept the terms, or cancel them, as `properties.accepted` says. Raises ArmError 400."""
    _check_offer_type(offer_type)
    plan = _plan(arm, publisher, product, name)
    body = call.json()
    given = field(body, "properties", dict, {})
    for word, own in zip(_SAME, (plan.publisher, plan.product, plan.name), strict=True):
        if str(given.get(word) or own).lower() != own.lower():
            raise ArmError(400, "BadRequest", f"The {word} '{given[word]}' of the terms is not '{own}', which the request names.")
    if not isinstance(accepted := given.get("accepted"), bool):
        raise ArmError(400, "BadRequest", "The terms must say 'accepted', true or false.")
    said = {}
    if accepted or _kept(arm, subscription, plan) is None:  # recorded: what is cancelled keeps the signature that it was accepted with
        said = {
            "signature": field(body, "properties.signature", str) or _signature(arm, subscription, plan),
            "retrieved": field(body, "properties.retrieveDatetime", str) or zulu(arm.now),
        }
    kept = _keep(arm, subscription, plan, accepted=accepted, **said)
    return _answer(_terms(arm, call, subscription, plan, kept, f"{SPACE}/offertypes"))


# The older way: agreements of a subscription, signed and cancelled without reading them.


def _agreement(subscription: str, plan: Plan, kept: Json) -> Json:
    properties: Json = {"publisher": plan.publisher, "offer": plan.product}
    for word, at in (("signDate", "signed"), ("cancelDate", "cancelled")):
        if kept["accepted"] == (at == "signed") and at in kept:
            properties[word] = zulu(kept[at])
    return {
        "id": f"/subscriptions/{subscription}/providers/{SPACE}/agreements/{plan.publisher}/offers/{plan.product}/plans/{plan.name}",
        "name": plan.name,
        "type": f"{SPACE}/agreements",
        "properties": {**properties, "state": "Active" if kept["accepted"] else "Canceled"},
    }


@route("GET", _SIGNED)
def list_agreements(arm: Sandbox, call: Call, subscription: str) -> Response:
    """All that the subscription ever accepted."""
    _check_reader(arm, call, subscription, "agreements")
    found = []
    for key, kept in arm.store.settings.get("agreements", {}).items():
        owner, *words = key.split("/")
        plan = known(arm, Plan(*words))
        if owner == subscription.lower() and plan is not None and "signed" in kept:
            found.append(_agreement(subscription, plan, kept))
    return _answer({"value": found})


@route("GET", _SIGNED + "/{}/offers/{}/plans/{}")
def show_agreement(arm: Sandbox, call: Call, subscription: str, publisher: str, product: str, name: str) -> Response:
    _check_reader(arm, call, subscription, "agreements/offers/plans")
    plan = _plan(arm, publisher, product, name)
    return _answer(_agreement(subscription, plan, _signed(arm, subscription, plan)))


@route("POST", _SIGNED + "/{}/offers/{}/plans/{}/sign")
def sign(arm: Sandbox, call: Call, subscription: str, publisher: str, product: str, name: str) -> Response:
    plan = _plan(arm, publisher, product, name)
    fresh = {"retrieved": zulu(arm.now), "signature": _signature(arm, subscription, plan)}
    return _answer(_agreement(subscription, plan, _keep(arm, subscription, plan, accepted=True, **fresh)))


@route("POST", _SIGNED + "/{}/offers/{}/plans/{}/cancel")
def cancel(arm: Sandbox, call: Call, subscription: str, publisher: str, product: str, name: str) -> Response:
    plan = _plan(arm, publisher, product, name)
    _signed(arm, subscription, plan)
    return _answer(_agreement(subscription, plan, _keep(arm, subscription, plan, accepted=False)))


def _signed(arm: Sandbox, subscription: str, plan: Plan) -> Json:
    """What was kept of an agreement. Raises ArmError 404 where the subscription never signed one."""
    kept = _kept(arm, subscription, plan)
    if kept is None or "signed" not in kept:
        raise ArmError(404, "NotFound", f"The subscription '{subscription}' has no agreement of the plan '{plan.name}'.")
    return kept
