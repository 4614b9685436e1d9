"""Preview features of a subscription: asked about, registered and unregistered. They change nothing else here.

Shapes: the Features OpenAPI document (2021-07-01); `az feature register` of the how-tos on encryption at host and Trusted Launch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..registry import route
from ..wire import JSON_TYPE, ArmError, Json, Response, compact

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

SECONDS = 120.0  # that a registration takes; no figure is published
# What images are about, and what a subscription has of it at first.
FEATURES: dict[str, dict[str, str]] = {
    "Microsoft.Compute": {
        "EncryptionAtHost": "Registered",
        "UseStandardSecurityType": "NotRegistered",
        "ImplicitTrustedLaunch": "NotRegistered",
        "AutomaticZoneRebalancing": "NotRegistered",
        "SharedGalleryImageVersionPreview": "NotRegistered",
        "CommunityGalleries": "NotRegistered",
        "SIGSharing": "NotRegistered",
    },
    "Microsoft.Network": {"AllowBringYourOwnPublicIpAddress": "NotRegistered", "EnablePrivateSubnet": "NotRegistered"},
    "Microsoft.VirtualMachineImages": {"VirtualMachineTemplatePreview": "NotRegistered"},
}
_STATE = {"Registered": "Registering", "NotRegistered": "Unregistering"}


def _find(namespace: str, name: str) -> tuple[str, str]:
    for space, names in FEATURES.items():
        for known in names:
            if (space.lower(), known.lower()) == (namespace.lower(), name.lower()):
                return space, known
    raise ArmError(404, "FeatureNotFound", f"The feature '{name}' could not be found.", gateway=True)


def state(arm: Sandbox, subscription: str, namespace: str, name: str) -> str:
    """NotRegistered, Registering, Registered or Unregistering."""
    changed = arm.store.settings.get("features", {}).get(f"{subscription}/{namespace}/{name}".lower())
    if changed is None:
        return FEATURES[namespace][name]
    wanted, at = changed
    return str(wanted) if arm.now >= at else _STATE[wanted]


def _shown(arm: Sandbox, subscription: str, namespace: str, name: str) -> Json:
    return {
        "properties": {"state": state(arm, subscription, namespace, name)},
        "id": f"/subscriptions/{subscription}/providers/Microsoft.Features/providers/{namespace}/features/{name}",
        "type": "Microsoft.Features/providers/features",
        "name": f"{namespace}/{name}",
    }


def _json(value: Json) -> Response:
    return Response(200, {"content-type": JSON_TYPE}, compact(value))


@route("GET", "subscriptions/{}/providers/Microsoft.Features/features")
def all_features(arm: Sandbox, call: Call, subscription: str) -> Response:
    return _json({"value": [_shown(arm, subscription, space, name) for space, names in FEATURES.items() for name in names]})


@route("GET", "subscriptions/{}/providers/Microsoft.Features/providers/{}/features")
def features(arm: Sandbox, call: Call, subscription: str, namespace: str) -> Response:
    found = [(space, name) for space, names in FEATURES.items() for name in names if space.lower() == namespace.lower()]
    return _json({"value": [_shown(arm, subscription, space, name) for space, name in found]})


@route("GET", "subscriptions/{}/providers/Microsoft.Features/providers/{}/features/{}")
def feature(arm: Sandbox, call: Call, subscription: str, namespace: str, name: str) -> Response:
    return _json(_shown(arm, subscription, *_find(namespace, name)))


def _change(arm: Sandbox, subscription: str, namespace: str, name: str, wanted: str) -> Response:
    space, known = _find(namespace, name)
    if state(arm, subscription, space, known) != wanted:
        kept = dict(arm.store.settings.get("features", {}))
        kept[f"{subscription}/{space}/{known}".lower()] = [wanted, arm.now + SECONDS / arm.speed]
        arm.store.set("features", kept)
    return _json(_shown(arm, subscription, space, known))


@route("POST", "subscriptions/{}/providers/Microsoft.Features/providers/{}/features/{}/register")
def register(arm: Sandbox, call: Call, subscription: str, namespace: str, name: str) -> Response:
    return _change(arm, subscription, namespace, name, "Registered")


@route("POST", "subscriptions/{}/providers/Microsoft.Features/providers/{}/features/{}/unregister")
def unregister(arm: Sandbox, call: Call, subscription: str, namespace: str, name: str) -> Response:
    return _change(arm, subscription, namespace, name, "NotRegistered")
