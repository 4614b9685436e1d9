"""Where a version's replicas are to be: regions, counts, storage types and encryption, as Azure keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..regions import WITHOUT_ZONES, display, is_known, short
from ..registry import field, one_of, required
from ..wire import ArmError, Json
from .changes import changed

if TYPE_CHECKING:
    from ..call import Call
    from .artifact_versions import ArtifactVersions

STORAGE = ("Standard_LRS", "Standard_ZRS", "Premium_LRS", "PremiumV2_LRS")
STRATEGIES = ("PreferStandard_ZRS", "DefaultStandard_LRS")
_PROFILE = "publishingProfile"
_REGIONS = "publishingProfile.targetRegions"
_INCOMPLETE = (
    "Complete set of target locations not specified while updating gallery artifact '{version}' and type '{type}'. Deletion of previously "
    "replicated locations is not allowed, and you need to specify a complete set of target locations in the update request or specify null "
    "or empty set for target regions in the update request or set allow deletion of replicated locations under safety profile property. To "
    "figure out complete set of target locations, you can perform a get first on gallery artifact"
)


def invalid(kind: ArtifactVersions, message: str, path: str = _REGIONS) -> ArmError:
    return ArmError(400, "InvalidParameter", message, target=f"{kind.parameter}.properties.{path}")


def strategy_of(kind: ArtifactVersions, call: Call, body: Json, old: Json | None) -> str | None:
    """How a region's storage type is chosen where nothing names one; None where the version's own type says it. Since api-version
    2025-03-03 that is zone-redundant storage where the region has it (azure-mgmt-compute, StorageAccountStrategy)."""
    given = one_of(body, f"properties.{_PROFILE}.storageAccountType", STORAGE)
    strategy = field(body, f"properties.{_PROFILE}.storageAccountStrategy")
    if given is not None and strategy is not None:
        raise invalid(
            kind,
            "The properties 'storageAccountType' and 'storageAccountStrategy' cannot be specified together.",
            f"{_PROFILE}.storageAccountStrategy",
        )
    if given is not None:
        return None
    return strategy or (old or {}).get("storageAccountStrategy") or (STRATEGIES[0] if call.api_version >= "2025-03-03" else STRATEGIES[1])


def storage_type(kind: ArtifactVersions, call: Call, body: Json, region: str, old: Json | None) -> str:
    """The storage account type of a region that names none."""
    strategy = strategy_of(kind, call, body, old)
    return _preferred(strategy, region) if strategy is not None else str(one_of(body, f"properties.{_PROFILE}.storageAccountType", STORAGE))


def _preferred(strategy: str, region: str) -> str:
    return "Standard_ZRS" if strategy == STRATEGIES[0] and short(region) not in WITHOUT_ZONES else "Standard_LRS"


def read(kind: ArtifactVersions, call: Call, body: Json, location: str, old: Json | None) -> list[Json]:
    """The target regions of a request: display names, defaults filled in. `old` is the version's publishing profile, if there is one.

    Raises ArmError for duplicates, unknown regions, a list without the home region, counts, storage and encryption that cannot be.
    """
    if field(body, f"properties.{_PROFILE}.targetExtendedLocations", list):
        raise invalid(kind, "Replication to extended locations is not supported by the sandbox.", f"{_PROFILE}.targetExtendedLocations")
    given = field(body, f"properties.{_REGIONS}", list) or [
        {"name": name} for name in field(body, f"properties.{_PROFILE}.regions", list, [])
    ]
    count = field(body, f"properties.{_PROFILE}.replicaCount", int, (old or {}).get("replicaCount", 1))
    _check_count(kind, count, f"{_PROFILE}.replicaCount")
    before = {short(one["name"]): one for one in (old or {}).get("targetRegions", [])}
    found: list[Json] = []
    for one in given or [{"name": location}]:
        name = required(one, "name", target=f"{kind.parameter}.properties.{_REGIONS}.name")
        if not is_known(name, call.cloud.name):
            raise invalid(kind, f"The target region '{name}' is not a known Azure region.")
        if any(short(other["name"]) == short(name) for other in found):
            raise invalid(kind, "Duplicate regions are not allowed in target publishing regions.")
        kept = before.get(short(name), {}).get("storageAccountType")
        found.append(_region(kind, one, name, count, kept or storage_type(kind, call, body, name, old)))
    if not any(short(region["name"]) == short(location) for region in found):
        names = ", ".join(region["name"] for region in found)
        raise invalid(
            kind, f"Gallery image version publishing profile regions '{names}' must contain the location of image version '{location}'."
        )
    kind.check_encryption(call, found)
    return found


def _region(kind: ArtifactVersions, one: Json, name: str, count: int, storage: str) -> Json:
    replicas = field(one, "regionalReplicaCount", int, count)
    _check_count(kind, replicas, f"{_REGIONS}.regionalReplicaCount")
    region: Json = {
        "name": display(name),
        "regionalReplicaCount": replicas,
        "storageAccountType": one_of(one, "storageAccountType", STORAGE) or storage,
    }
    if region["storageAccountType"] == "Standard_ZRS" and short(name) in WITHOUT_ZONES:
        raise invalid(
            kind, f"ZRS storage account type is not supported in this region '{display(name)}'.", f"{_REGIONS}.storageAccountType"
        )
    if one.get("encryption"):
        region["encryption"] = one["encryption"]
    if (excluded := field(one, "excludeFromLatest", bool)) is not None:
        region["excludeFromLatest"] = excluded
    sets = field(one, "additionalReplicaSets", list, [])
    for more in sets:
        _check_count(kind, field(more, "regionalReplicaCount", int, 1), f"{_REGIONS}.additionalReplicaSets.regionalReplicaCount")
    if sets:
        region["additionalReplicaSets"] = [
            {
                "storageAccountType": one_of(more, "storageAccountType", STORAGE) or "PremiumV2_LRS",
                "regionalReplicaCount": field(more, "regionalReplicaCount", int, 1),
            }
            for more in sets
        ]
    return region


def _check_count(kind: ArtifactVersions, count: int, path: str) -> None:
    if not 1 <= count <= kind.most_replicas:
        raise invalid(kind, f"The regional replica count {count} is not valid: it must lie between 1 and {kind.most_replicas}.", path)


def check_encryption(kind: ArtifactVersions, call: Call, regions: list[Json]) -> None:
    """One disk encryption set per region, of the gallery's subscription, for the same disks in every region
    (image-version-encryption.md)."""
    disks = []
    for region in regions:
        named = encryption_sets(region)
        for id in named.values():
            if id.lower().split("/")[2:3] != [call.subscription.lower()]:
                raise invalid(
                    kind,
                    f"The disk encryption set '{id}' must be in the subscription '{call.subscription}' of the gallery.",
                    f"{_REGIONS}.encryption",
                )
        disks.append(set(named))
    if any(one != disks[0] for one in disks):
        raise invalid(
            kind,
            "If a disk is encrypted with a disk encryption set in one target region, it must be encrypted with one in every target region.",
            f"{_REGIONS}.encryption",
        )


def encryption_sets(region: Json) -> dict[str, str]:
    """The region's disk encryption sets by disk: `os`, or a data disk's lun. (A confidential guest state that the platform's key encrypts
    has none.)"""
    encryption = region.get("encryption", {})
    wanted = {"os": field(encryption, "osDiskImage.diskEncryptionSetId")}
    wanted |= {str(one.get("lun")): one.get("diskEncryptionSetId") for one in field(encryption, "dataDiskImages", list, [])}
    return {disk: id for disk, id in wanted.items() if id}


def check_shallow(kind: ArtifactVersions, regions: list[Json]) -> None:
    if len(regions) != 1 or regions[0]["regionalReplicaCount"] != 1:
        raise invalid(kind, "A gallery image version with the replication mode 'Shallow' can have its source region with one replica only.")


def check_change(kind: ArtifactVersions, version: str, old: list[Json], new: list[Json], failed: set[str], *, deletion: bool) -> None:
    """Full desired state: a region that is left out loses its replicas, unless the safety profile refuses that (its answer is told in
    hashicorp/terraform-provider-azurerm#21999). A failed region (short names) has none to lose."""
    kept = {short(region["name"]): region for region in new}
    for region in old:
        name = short(region["name"])
        if name not in kept:
            if not deletion and name not in failed:
                type = f"{kind.parameter[:1].upper()}{kind.parameter[1:]}"
                raise ArmError(400, "BadRequest", _INCOMPLETE.format(version=version, type=type))
            continue
        for path in ("storageAccountType", "encryption"):
            if kept[name].get(path) != region.get(path):
                raise changed(kind.parameter, f"{_REGIONS}.{path}")
