"""Platform images as clients ask for them: publishers, offers, skus, versions; and what an image reference means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..registry import route
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty
from .catalogue import Key, find, named, numbers, skus
from .extension_images import extensions

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox


def resolve(arm: Sandbox, reference: Json) -> tuple[Key, str]:
    """An imageReference's sku and exact version. Raises ArmError 404 PlatformImageNotFound or 400 InvalidParameter."""
    parts = [reference.get(name) for name in ("publisher", "offer", "sku", "version")]
    for name, value in zip(("publisher", "offer", "sku", "version"), parts, strict=True):
        if not isinstance(value, str) or not value:
            raise ArmError(
                400, "InvalidParameter", f"Required parameter 'imageReference.{name}' is missing (null).", target=f"imageReference.{name}"
            )
    publisher, offer, sku, version = (str(part) for part in parts)
    key = find(arm, publisher, offer, sku)
    known = skus(arm)[key].versions if key is not None else ()
    if key is None or not known or (version.lower() != "latest" and version not in known):
        raise ArmError(
            404,
            "PlatformImageNotFound",
            f"The platform image '{publisher}:{offer}:{sku}:{version}' is not available. Verify that all fields in the storage profile "
            "are correct. For more details about storage profile information, please refer to https://aka.ms/storageprofile",
            target="imageReference",
        )
    return key, known[-1] if version.lower() == "latest" else version


def platform_id(subscription: str, location: str, key: Key, version: str) -> str:
    """A platform image's id, as Azure writes it."""
    path = f"Publishers/{key[0]}/ArtifactTypes/VMImage/Offers/{key[1]}/Skus/{key[2]}/Versions/{version}"
    return f"/Subscriptions/{subscription}/Providers/Microsoft.Compute/Locations/{location}/{path}"


def _entry(call: Call, subscription: str, location: str, path: str, properties: Json | None = None) -> Json:
    made: Json = {"properties": properties} if properties is not None else {}
    id = f"/Subscriptions/{subscription}/Providers/Microsoft.Compute/Locations/{location}/Publishers/{path}"
    return {**made, "location": location, "name": path.rsplit("/", 1)[1] if "/" in path else path, "id": id}


def _list(call: Call, found: list[Json]) -> Response:
    order = call.query.get("$orderby", "").lower()
    if order.startswith("name"):
        found.sort(key=lambda one: (numbers(one["name"]), one["name"]))
        if order.endswith("desc"):
            found.reverse()
    top = call.query.get("$top", "")
    if top.isdigit():
        found = found[: int(top)]
    return Response(200, {"content-type": JSON_TYPE}, pretty(found))


_ROOT = "subscriptions/{}/providers/Microsoft.Compute/locations/{}/publishers"


def _missing(what: str, name: str) -> ArmError:
    return ArmError(404, "NotFound", f"{what}: {name} was not found.")


@route("GET", _ROOT)
def list_publishers(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    return _list(call, [_entry(call, subscription, location, name) for name in publishers(arm)])


def publishers(arm: Sandbox) -> list[str]:
    """Those of images and those of extensions, sorted."""
    return sorted({*named(arm), *(publisher for publisher, _ in extensions(arm))})


def _below(arm: Sandbox, what: str, publisher: str, *names: str) -> list[str]:
    """What a publisher, or an offer of his, has. Raises ArmError 404 where there is no such publisher or offer."""
    found = named(arm, publisher, *names)
    above = publishers(arm) if not names else named(arm, publisher)
    wanted = (publisher, *names)[-1]
    if not found and wanted.lower() not in (name.lower() for name in above):
        raise _missing(what, wanted)
    return found


@route("GET", _ROOT + "/{}/artifacttypes/vmimage/offers")
def list_offers(arm: Sandbox, call: Call, subscription: str, location: str, publisher: str) -> Response:
    offers = _below(arm, "Publisher", publisher)
    return _list(call, [_entry(call, subscription, location, f"{publisher}/ArtifactTypes/VMImage/Offers/{one}") for one in offers])


@route("GET", _ROOT + "/{}/artifacttypes/vmimage/offers/{}/skus")
def list_skus(arm: Sandbox, call: Call, subscription: str, location: str, publisher: str, offer: str) -> Response:
    path = f"{publisher}/ArtifactTypes/VMImage/Offers/{offer}/Skus"
    properties = {"automaticOSUpgradeProperties": {"automaticOSUpgradeSupported": False}}
    found = _below(arm, "Offer", publisher, offer)
    return _list(call, [_entry(call, subscription, location, f"{path}/{sku}", properties) for sku in found])


def _key(arm: Sandbox, publisher: str, offer: str, sku: str) -> Key:
    key = find(arm, publisher, offer, sku)
    if key is None:
        raise ArmError(404, "NotFound", "Artifact: VMImage was not found.")
    return key


@route("GET", _ROOT + "/{}/artifacttypes/vmimage/offers/{}/skus/{}/versions")
def list_versions(arm: Sandbox, call: Call, subscription: str, location: str, publisher: str, offer: str, sku: str) -> Response:
    key = _key(arm, publisher, offer, sku)
    platform = skus(arm)[key]
    properties = platform.properties(call.api_version) if call.expands("properties") else None
    path = f"{key[0]}/ArtifactTypes/VMImage/Offers/{key[1]}/Skus/{key[2]}/Versions"
    return _list(call, [_entry(call, subscription, location, f"{path}/{version}", properties) for version in platform.versions])


@route("GET", _ROOT + "/{}/artifacttypes/vmimage/offers/{}/skus/{}/versions/{}")
def show_version(arm: Sandbox, call: Call, *values: Any) -> Response:
    subscription, location, publisher, offer, sku, version = values
    key = _key(arm, publisher, offer, sku)
    platform = skus(arm)[key]
    if version.lower() == "latest" and platform.versions:
        version = platform.versions[-1]
    if version not in platform.versions:
        raise ArmError(404, "NotFound", "Artifact: VMImage was not found.")
    path = f"{key[0]}/ArtifactTypes/VMImage/Offers/{key[1]}/Skus/{key[2]}/Versions/{version}"
    return Response(
        200, {"content-type": JSON_TYPE}, pretty(_entry(call, subscription, location, path, platform.properties(call.api_version)))
    )
