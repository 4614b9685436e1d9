"""Resource SKUs with their capabilities and restrictions, and usages against the quota."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..content import DEFINITION, DISK, GALLERY, SNAPSHOT, VERSION
from ..regions import REGIONS, WITHOUT_ZONES, short
from ..registry import route
from ..wire import JSON_TYPE, Json, Response, pretty
from .disk_performance import performance
from .sizes import SIZES, Size, allocated, limit, restricted, used_cores

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

_DISKS = (
    ("Standard_LRS", "Standard"),
    ("StandardSSD_LRS", "Standard"),
    ("Premium_LRS", "Premium"),
    ("PremiumV2_LRS", "Premium"),
    ("UltraSSD_LRS", "Ultra"),
)
_DISK_SIZES = (4, 32, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32767)


@route("GET", "subscriptions/{}/providers/Microsoft.Compute/locations/{}/usages")
def usages(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    location = short(location)
    used = used_cores(arm, subscription, location)

    def count(kind: str) -> int:
        return sum(1 for one in arm.store.of_type(subscription, kind).values() if one.location == location)

    machines = allocated(arm, subscription, location)
    rows: list[tuple[str, str, int, int]] = [
        ("availabilitySets", "Availability Sets", 2_500, count("Microsoft.Compute/availabilitySets")),
        ("cores", "Total Regional vCPUs", limit(arm, location, "cores"), used["cores"]),
        ("virtualMachines", "Virtual Machines", 25_000, len(machines)),
        ("virtualMachineScaleSets", "Virtual Machine Scale Sets", 2_500, 0),
        ("dedicatedVCpus", "Dedicated vCPUs", 3_000, 0),
        ("lowPriorityCores", "Total Regional Low-priority vCPUs", limit(arm, location, "lowPriorityCores"), used["lowPriorityCores"]),
    ]
    rows += [
        (family, f"{family} vCPUs", limit(arm, location, family), used.get(family, 0))
        for family in dict.fromkeys(size.family for size in SIZES.values())
    ]
    disks = [
        one.body["sku"]["name"] for one in arm.store.of_type(subscription, DISK).values() if one.location == location and "sku" in one.body
    ]
    rows += [
        (name, title, 50_000, sum(1 for sku in disks if sku.startswith(prefix)))
        for name, title, prefix in (
            ("StandardDiskCount", "Standard Storage Managed Disks", "Standard_"),
            ("PremiumDiskCount", "Premium Storage Managed Disks", "Premium_"),
            ("StandardSSDDiskCount", "StandardSSDStorageDisks", "StandardSSD_"),
            ("UltraSSDDiskCount", "UltraSSD Storage Managed Disks", "UltraSSD_"),
        )
    ]
    rows += [
        ("StandardSnapshotCount", "Standard Storage Snapshots", 75_000, count(SNAPSHOT)),
        ("Gallery", "Gallery", 100, count(GALLERY)),
        ("GalleryImage", "Gallery Image", 1_000, count(DEFINITION)),
        ("GalleryImageVersion", "Gallery Image Version", 10_000, count(VERSION)),
    ]
    value = [
        {"limit": most, "unit": "Count", "currentValue": current, "name": {"value": name, "localizedValue": title}}
        for name, title, most, current in rows
    ]
    return Response(200, {"content-type": JSON_TYPE}, pretty({"value": value}))


@route("GET", "subscriptions/{}/providers/Microsoft.Compute/skus")
def skus(arm: Sandbox, call: Call, subscription: str) -> Response:
    """`$filter=location eq 'westeurope'`; `includeExtendedLocations` is accepted and changes nothing. Restrictions: sizes.restricted."""
    wanted = ""
    if "location eq" in call.query.get("$filter", "").lower():
        wanted = short(call.query["$filter"].split("eq", 1)[1].strip().strip("'"))
    value = [one for region in ([wanted] if wanted else REGIONS[arm.cloud.name]) for one in _of_region(arm, region)]
    return Response(200, {"content-type": JSON_TYPE}, pretty({"value": value}))


def _of_region(arm: Sandbox, region: str) -> Iterator[Json]:
    zones = [] if region in WITHOUT_ZONES else ["1", "2", "3"]
    out = set(restricted(arm, region))
    for alignment in ("Classic", "Aligned"):
        yield {
            "resourceType": "availabilitySets",
            "name": alignment,
            "locations": [region],
            "locationInfo": [{"location": region, "zones": [], "zoneDetails": []}],
            "capabilities": [{"name": "MaximumPlatformFaultDomainCount", "value": "2" if region in WITHOUT_ZONES else "3"}],
            "restrictions": [],
        }
    for size in SIZES.values():
        restrictions = []
        if size.name in out:
            where = {"locations": [region]}
            restrictions.append(
                {"type": "Location", "values": [region], "restrictionInfo": where, "reasonCode": "NotAvailableForSubscription"}
            )
        yield {
            "resourceType": "virtualMachines",
            "name": size.name,
            "tier": size.name.split("_", 1)[0],
            "size": size.name.split("_", 1)[1],
            "family": size.family,
            "locations": [region],
            "locationInfo": [{"location": region, "zones": zones, "zoneDetails": []}],
            "capabilities": [{"name": key, "value": text} for key, text in _capabilities(size).items()],
            "restrictions": restrictions,
        }
    for sku, tier in _DISKS:
        for most in _DISK_SIZES:
            name, iops, rate = performance(sku, most)
            yield {
                "resourceType": "disks",
                "name": sku,
                "tier": tier,
                **({"size": name} if name else {}),
                "locations": [region],
                "locationInfo": [{"location": region, "zones": zones, "zoneDetails": []}],
                "capabilities": [
                    {"name": "MaxSizeGiB", "value": str(most)},
                    {"name": "MaxIOpsReadWrite", "value": str(iops)},
                    {"name": "MaxBandwidthMBpsReadWrite", "value": str(rate)},
                ],
                "restrictions": [],
            }
    for sku in ("Standard_LRS", "Premium_LRS", *(("Standard_ZRS",) if zones else ())):
        yield {
            "resourceType": "snapshots",
            "name": sku,
            "tier": sku.split("_")[0],
            "locations": [region],
            "locationInfo": [{"location": region, "zones": zones, "zoneDetails": []}],
            "capabilities": [],
            "restrictions": [],
        }


def _capabilities(size: Size) -> dict[str, str]:
    made = {
        "MaxResourceVolumeMB": str(size.local_gb * 1024),
        "OSVhdSizeMB": "1047552",
        "vCPUs": str(size.cores),
        "MemoryPreservingMaintenanceSupported": "True",
        "HyperVGenerations": size.generations,
        "MemoryGB": str(size.memory_gb).removesuffix(".0"),
        "MaxDataDiskCount": str(size.disks),
        "CpuArchitectureType": size.architecture,
        "LowPriorityCapable": str(size.family not in ("standardBSFamily", "basicAFamily")),
        "PremiumIO": str(size.premium),
        "VMDeploymentTypes": "IaaS",
        "vCPUsAvailable": str(size.cores),
        "EphemeralOSDiskSupported": str(size.local_gb >= 30),
        "EncryptionAtHostSupported": str(size.premium),
        "AcceleratedNetworkingEnabled": str(size.accelerated),
        "RdmaEnabled": "False",
        "MaxNetworkInterfaces": str(min(8, max(2, size.cores))),
    }
    if size.confidential:
        made["ConfidentialComputingType"] = "SNP"
    elif "V2" not in size.generations:
        made["TrustedLaunchDisabled"] = "True"
    return made
