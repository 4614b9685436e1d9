"""What a version was made from."""

from __future__ import annotations

from include.steps.look import Resource


def sources(version: Resource) -> set[str]:
    """The ids of a version's sources (of all its disks), in lower case: ARM ids, or those of a direct share or a community gallery."""
    profile = version["properties"].get("storageProfile") or {}
    holders = [profile, profile.get("osDiskImage") or {}, *(profile.get("dataDiskImages") or ())]
    found = [holder.get("source") or {} for holder in holders]
    return {
        str(source[key]).lower() for source in found for key in ("id", "virtualMachineId", "communityGalleryImageId") if source.get(key)
    }
