"""The regions of a gallery version: what is wanted, what is there, and the list that is put.

``publishingProfile.targetRegions`` is replaced whole by every PUT, and leaving a region out deletes its replicas; so what is there goes
back unchanged, SKU, replica count, encryption and flags, with only the missing regions added (Azure/azure-powershell#9911).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Region = dict[str, Any]
"""Wanted: ``{"name", "replica_count", "storage_account_type", "encryption_set"|None}``."""


def normal(name: str) -> str:
    """``West Europe`` is ``westeurope``: a PUT takes both, and a GET answers with the first."""
    return name.replace(" ", "").lower()


def to_arm(region: Region, *, excluded: bool, luns: Iterable[int] = ()) -> dict[str, Any]:
    """One wanted region as an item of ``targetRegions``. ``luns``: the data disks, which need the encryption set each by itself."""
    item: dict[str, Any] = {
        "name": normal(region["name"]),
        "regionalReplicaCount": int(region.get("replica_count") or 1),
        "storageAccountType": region.get("storage_account_type") or "Standard_LRS",
        "excludeFromLatest": excluded,
    }
    if region.get("encryption_set"):
        disk = {"diskEncryptionSetId": region["encryption_set"]}
        item["encryption"] = {"osDiskImage": disk}
        if data := [{"lun": lun, **disk} for lun in luns]:
            item["encryption"]["dataDiskImages"] = data
    return item


def present(version: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The version's ``targetRegions`` by normal name."""
    return {normal(item["name"]): dict(item) for item in version["properties"]["publishingProfile"].get("targetRegions") or ()}


def states(version: Mapping[str, Any]) -> dict[str, str]:
    """``Replicating``, ``Completed``, ``Failed`` or ``Unknown`` by normal name, for every target region; read with
    ``$expand=ReplicationStatus``."""
    reported = {normal(item["region"]): str(item.get("state") or "Unknown") for item in _summary(version)}
    return {name: reported.get(name, "Unknown") for name in present(version)}


def progress(version: Mapping[str, Any]) -> dict[str, int]:
    """Per cent by normal name."""
    return {normal(item["region"]): int(item.get("progress") or 0) for item in _summary(version)}


def details(version: Mapping[str, Any]) -> dict[str, str]:
    """What Azure says about a region that is not well, by normal name."""
    return {normal(item["region"]): str(item["details"]) for item in _summary(version) if item.get("details")}


def _summary(version: Mapping[str, Any]) -> list[dict[str, Any]]:
    return (version["properties"].get("replicationStatus") or {}).get("summary") or []


def luns(version: Mapping[str, Any]) -> list[int]:
    """The LUNs of the version's data disks."""
    return [disk["lun"] for disk in version["properties"].get("storageProfile", {}).get("dataDiskImages") or ()]
