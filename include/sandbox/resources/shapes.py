"""How the gallery family's bodies looked in older api-versions: what was not there yet, and what was elsewhere (recorded traffic)."""

from __future__ import annotations

from ..content import APPLICATION, DEFINITION, GALLERY, VERSION
from ..wire import Json

# Property -> the api-version that first shows it.
SINCE: dict[str, dict[str, str]] = {
    GALLERY: {"sharingProfile": "2020-09-30", "softDeletePolicy": "2021-10-01", "sharingStatus": "2022-01-03"},
    APPLICATION: {"customActions": "2022-08-03"},
    DEFINITION: {"hyperVGeneration": "2019-03-01", "features": "2020-09-30", "architecture": "2021-07-01"},
    VERSION: {"safetyProfile": "2022-03-03", "securityProfile": "2023-07-03", "validationsProfile": "2023-07-03"},
}
NEWEST = max(version for known in SINCE.values() for version in known.values())
_TYPE = "2019-03-01"  # the first that shows a resource's type
_STORAGE_SOURCE = "2019-07-01"  # the first with a version's source in its storage profile, and with target regions' storage types


def is_old(api_version: str) -> bool:
    """Whether a body can look different from today's."""
    return api_version < NEWEST


def shown(body: Json, type: str, api_version: str) -> Json:
    """A resource's body as this api-version shows it."""
    if not is_old(api_version):
        return body
    hidden = {name for name, since in SINCE[type].items() if api_version < since}
    properties = {name: value for name, value in body["properties"].items() if name not in hidden}
    if type == VERSION and api_version < _STORAGE_SOURCE:
        properties = _old_version(properties, api_version)
    made = {**body, "properties": properties}
    if api_version < _TYPE:
        made.pop("type")
    return made


def _old_version(properties: Json, api_version: str) -> Json:
    storage = dict(properties["storageProfile"])
    source = storage.pop("source", {})
    profile = {**properties["publishingProfile"], "source": {"managedImage": source}}
    if api_version < _TYPE:
        profile["regions"] = [region["name"] for region in profile.pop("targetRegions")]
        replicas = profile.pop("replicaCount")
        profile["scaleTier"] = "S30" if replicas < 2 else "S100"
        profile.pop("storageAccountType")
    disks = {name: storage[name] for name in ("osDiskImage", "dataDiskImages") if name in storage}
    if "osDiskImage" in disks:
        disks["osDiskImage"] = {name: value for name, value in disks["osDiskImage"].items() if name != "source"}
    rest = {name: value for name, value in properties.items() if name != "storageProfile"}
    return {**rest, "publishingProfile": profile, **({"storageProfile": disks} if disks else {})}
