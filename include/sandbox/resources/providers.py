"""Resource providers: GET of one and of all, register and unregister.

Documents: recorded provider answers. The types are those the sandbox has, with every api-version that is public, and the sub-types that
clients look up; of other providers it knows that they exist and what they are called, no more (namespaces.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import registration
from ..api_versions import known_versions
from ..pages import page_of
from ..regions import REGIONS, WITHOUT_ZONES
from ..registry import TYPES, route
from ..wire import JSON_TYPE, ArmError, Json, Response, compact
from .namespaces import EXTRA, OTHERS, applications

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

MOVES = "CrossResourceGroupResourceMove, CrossSubscriptionResourceMove"
ZONED = frozenset({"virtualmachines", "disks", "publicipaddresses"})
EDGED = frozenset({"virtualmachines", "disks", "snapshots", "images", "virtualnetworks", "publicipaddresses", "networkinterfaces"})
PROFILED = frozenset({"microsoft.compute", "microsoft.network", "microsoft.storage", "microsoft.recoveryservices", "microsoft.keyvault"})


def _json(value: object) -> Response:
    return Response(200, {"content-type": JSON_TYPE}, compact(value))


def _spaces() -> dict[str, str]:
    """Every namespace, by its lower-case name."""
    own = {name.split("/", 1)[0] for name in (kind.name for kind in TYPES.values())}
    return {space.lower(): space for space in (*sorted(own), *EXTRA, *OTHERS)}


def document(arm: Sandbox, subscription: str, namespace: str) -> Json:
    """A provider as GET shows it. Raises ArmError 404 InvalidResourceNamespace."""
    space = _spaces().get(namespace.lower())
    if space is None:
        raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.", gateway=True)
    regions = REGIONS[arm.cloud.name]
    kinds = [
        _type(space, kind.short, regions if kind.regional else {}, known_versions(kind.name), nested="/" in kind.short)
        for kind in TYPES.values()
        if kind.name.startswith(space + "/")
    ]
    shown = {one["resourceType"].lower() for one in kinds}
    extra = (name for name in EXTRA.get(space, ()) if name.lower() not in shown)
    kinds += [_type(space, name, {}, known_versions(f"{space}/{name}"), nested=True) for name in extra]
    kinds += [_type(space, name, regions, list(versions), nested="/" in name) for name, versions in OTHERS.get(space, {}).items()]
    body: Json = {"id": f"/subscriptions/{subscription}/providers/{space}", "namespace": space}
    body.update(applications(space))
    body["resourceTypes"] = kinds
    body["registrationState"] = registration.state(arm, subscription, space)
    body["registrationPolicy"] = "RegistrationFree" if space.lower() in registration.FREE else "RegistrationRequired"
    return body


def _type(space: str, name: str, regions: dict[str, str], versions: list[str], *, nested: bool) -> Json:
    locations = list(regions.values())
    kind: Json = {"resourceType": name, "locations": locations}
    if name.lower() in EDGED:
        kind["locationMappings"] = [{"location": "West US", "type": "EdgeZone", "extendedLocations": ["losangeles"]}]
    if name.lower() in ZONED:
        kind["zoneMappings"] = [{"location": shown, "zones": ["1", "2", "3"]} for key, shown in regions.items() if key not in WITHOUT_ZONES]
    kind["apiVersions"] = versions
    stable = next((version for version in versions if not version.endswith("-preview")), None)
    if stable is not None and locations and (space not in OTHERS or space == "Microsoft.Storage"):
        kind["defaultApiVersion"] = stable
    old = [version for version in versions if version <= "2017-12-01" and not version.endswith("-preview")]
    if old and space.lower() in PROFILED and not (space == "Microsoft.Compute" and name == "locations"):
        kind["apiProfiles"] = [{"profileVersion": "2018-03-01-hybrid", "apiVersion": old[0]}]
    kind["capabilities"] = capabilities(f"{space}/{name}") if locations or not nested else "None"
    return kind


def capabilities(type: str) -> str:
    """What a type's resources can do, as its provider's document says it."""
    key = type.lower()
    if key.startswith("microsoft.compute/galleries") or key == "microsoft.managedidentity/userassignedidentities":
        return "SupportsTags, SupportsLocation"
    kind = TYPES.get(key)
    if type.count("/") > 1 or (kind is not None and not kind.regional):
        return "None"
    identity = "SystemAssignedResourceIdentity, " if key.startswith("microsoft.compute/virtualmachine") else ""
    return f"{MOVES}, {identity}SupportsTags, SupportsLocation"


@route("GET", "subscriptions/{}/providers")
def providers(arm: Sandbox, call: Call, subscription: str) -> Response:
    found = [document(arm, subscription, name) for name in _spaces().values()]
    return page_of(arm, call, found, lambda one: one, render=compact)


@route("GET", "providers")
def tenant_providers(arm: Sandbox, call: Call) -> Response:
    value = []
    for name in _spaces().values():
        one = document(arm, arm.subscription_id, name)
        value.append({"namespace": one["namespace"], "resourceTypes": one["resourceTypes"]})
    return _json({"value": value})


@route("GET", "providers/{}")
def tenant_provider(arm: Sandbox, call: Call, namespace: str) -> Response:
    one = document(arm, arm.subscription_id, namespace)
    return _json({"namespace": one["namespace"], "resourceTypes": one["resourceTypes"]})


@route("GET", "subscriptions/{}/providers/{}")
def provider(arm: Sandbox, call: Call, subscription: str, namespace: str) -> Response:
    return _json(document(arm, subscription, namespace))


@route("GET", "subscriptions/{}/providers/{}/resourcetypes")
def provider_types(arm: Sandbox, call: Call, subscription: str, namespace: str) -> Response:
    return _json({"value": document(arm, subscription, namespace)["resourceTypes"]})


@route("POST", "subscriptions/{}/providers/{}/register")
def register_provider(arm: Sandbox, call: Call, subscription: str, namespace: str) -> Response:
    return _change(arm, subscription, namespace, "Registered")


@route("POST", "subscriptions/{}/providers/{}/unregister")
def unregister_provider(arm: Sandbox, call: Call, subscription: str, namespace: str) -> Response:
    space = str(document(arm, subscription, namespace)["namespace"])
    used = next(
        (one for key, kind in TYPES.items() if key.startswith(space.lower() + "/") for one in arm.store.of_type(subscription, kind.name)),
        None,
    )
    if used is not None and space.lower() not in registration.FREE:
        raise ArmError(
            409,
            "CannotUnregisterResourceNamespace",
            f"The subscription cannot be unregistered from resource namespace '{space}'. The subscription has active resources that "
            "belong to this namespace.",
            gateway=True,
        )
    return _change(arm, subscription, space, "Unregistered")


def _change(arm: Sandbox, subscription: str, namespace: str, wanted: str) -> Response:
    space = str(document(arm, subscription, namespace)["namespace"])
    registration.change(arm, subscription, space, wanted)
    return _json(document(arm, subscription, space))
