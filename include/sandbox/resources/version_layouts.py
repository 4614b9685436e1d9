"""Where an image version's source and regions stood before api-version 2019-07-01 (recorded traffic)."""

from __future__ import annotations

from ..wire import Json

SOURCE_IN_STORAGE = "2019-07-01"  # the first with a version's source in its storage profile, and with target regions' storage types
TARGET_REGIONS = "2019-03-01"  # the first with a count of replicas by region


def is_old(api_version: str) -> bool:
    """Whether a version's body is arranged in another way than today."""
    return api_version < SOURCE_IN_STORAGE


def shown(body: Json, api_version: str) -> Json:
    """A version's body as this api-version arranges it."""
    return {**body, "properties": _properties(body["properties"], api_version)} if is_old(api_version) else body


def _properties(properties: Json, api_version: str) -> Json:
    storage = dict(properties["storageProfile"])
    source = storage.pop("source", {})
    profile = {**properties["publishingProfile"], "source": {"managedImage": source}}
    if api_version < TARGET_REGIONS:
        profile["regions"] = [region["name"] for region in profile.pop("targetRegions")]
        replicas = profile.pop("replicaCount")
        profile["scaleTier"] = "S30" if replicas < 2 else "S100"
        profile.pop("storageAccountType")
    disks = {name: storage[name] for name in ("osDiskImage", "dataDiskImages") if name in storage}
    if "osDiskImage" in disks:
        disks["osDiskImage"] = {name: value for name, value in disks["osDiskImage"].items() if name != "source"}
    rest = {name: value for name, value in properties.items() if name != "storageProfile"}
    return {**rest, "publishingProfile": profile, **({"storageProfile": disks} if disks else {})}
