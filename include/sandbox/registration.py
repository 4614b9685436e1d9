"""Which resource provider namespaces a subscription has registered.

A change takes a while: `Registering` and `Unregistering` in between (recorded: register and unregister answer with these, a GET some polls
later with the end state).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .wire import ArmError

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox

SECONDS = 40.0  # that a change takes; no figure is published
FREE = frozenset({"microsoft.resources", "microsoft.authorization", "microsoft.features"})  # registration policy RegistrationFree
AT_FIRST = frozenset({"microsoft.compute", "microsoft.network", "microsoft.storage", "microsoft.managedidentity", *FREE})


def state(arm: Sandbox, subscription: str, namespace: str) -> str:
    """Registered, Registering, NotRegistered, Unregistering or Unregistered."""
    key = namespace.lower()
    changed = arm.store.settings.get("registrations", {}).get(f"{subscription.lower()}/{key}")
    if changed is None:
        return "Registered" if key in AT_FIRST else "NotRegistered"
    wanted, at = changed
    if arm.now >= at:
        return str(wanted)
    return "Registering" if wanted == "Registered" else "Unregistering"


def change(arm: Sandbox, subscription: str, namespace: str, wanted: str) -> None:
    """Begin to register (`Registered`) or unregister (`Unregistered`)."""
    if state(arm, subscription, namespace) == wanted:
        return
    known = dict(arm.store.settings.get("registrations", {}))
    known[f"{subscription.lower()}/{namespace.lower()}"] = [wanted, arm.now + SECONDS / arm.speed]
    arm.store.set("registrations", known)


def require(arm: Sandbox, call: Call) -> None:
    """Raises ArmError 409 MissingSubscriptionRegistration for a write to a namespace that is not registered."""
    if "registrations" not in arm.store.settings:
        return
    namespace = call.type.split("/", 1)[0]
    found = state(arm, call.subscription, namespace)
    if namespace.lower() in FREE or found in ("Registered", "Registering"):
        return
    if found == "NotRegistered":
        message = f"The subscription is not registered to use namespace '{namespace}'."
    else:
        message = (
            f"The subscription registration is in '{found}' state. The subscription must be registered to use namespace '{namespace}'."
        )
    message += " See https://aka.ms/rps-not-found for how to register subscriptions."
    code = "MissingSubscriptionRegistration"
    raise ArmError(409, code, message, details=[{"code": code, "target": namespace, "message": message}], gateway=True)
