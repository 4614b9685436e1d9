"""Virtual machine sizes, SKUs with restrictions, usages and quota."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..regions import REGIONS, WITHOUT_ZONES, short
from ..registry import route
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

REGIONAL_CORES = 5_000
FAMILY_CORES = 2_500


class Size:
    """One size. `generations` of Hyper-V, `architecture`, whether Trusted Launch and confidential machines can use it."""

    def __init__(
        self,
        family: str,
        cores: int,
        memory_gb: float,
        disks: int,
        generations: str = "V1,V2",
        architecture: str = "x64",
        confidential: bool = False,
    ) -> None:
        self.family = family
        self.cores = cores
        self.memory_gb = memory_gb
        self.disks = disks
        self.generations = generations
        self.architecture = architecture
        self.confidential = confidential


def _series() -> dict[str, Size]:
    made: dict[str, Size] = {}
    for pattern, family, memory, counts, more in (
        ("Standard_D{}s_v3", "standardDSv3Family", 4, (2, 4, 8, 16, 32, 48, 64), ("V1,V2", "x64", False)),
        ("Standard_D{}s_v4", "standardDSv4Family", 4, (2, 4, 8, 16, 32, 48, 64), ("V1,V2", "x64", False)),
        ("Standard_D{}s_v5", "standardDSv5Family", 4, (2, 4, 8, 16, 32, 48, 64, 96), ("V1,V2", "x64", False)),
        ("Standard_D{}ds_v5", "standardDDSv5Family", 4, (2, 4, 8, 16, 32, 48, 64, 96), ("V1,V2", "x64", False)),
        ("Standard_D{}as_v5", "standardDASv5Family", 4, (2, 4, 8, 16, 32, 48, 64, 96), ("V1,V2", "x64", False)),
        ("Standard_D{}s_v6", "standardDSv6Family", 4, (2, 4, 8, 16, 32, 48, 64, 96), ("V2", "x64", False)),
        ("Standard_D{}ads_v5", "standardDADSv5Family", 4, (2, 4, 8, 16, 32, 48, 64, 96), ("V1,V2", "x64", False)),
        ("Standard_E{}s_v5", "standardESv5Family", 8, (2, 4, 8, 16, 32, 48, 64, 96), ("V1,V2", "x64", False)),
        ("Standard_F{}s_v2", "standardFSv2Family", 2, (2, 4, 8, 16, 32, 48, 64, 72), ("V1,V2", "x64", False)),
        ("Standard_D{}ps_v5", "standardDPSv5Family", 4, (2, 4, 8, 16, 32, 48, 64), ("V2", "Arm64", False)),
        ("Standard_DC{}as_v5", "standardDCASv5Family", 4, (2, 4, 8, 16, 32, 48, 64, 96), ("V2", "x64", True)),
    ):
        for cores in counts:
            made[pattern.format(cores)] = Size(family, cores, cores * memory, min(32, cores * 2), *more)
    for name, family, cores, memory_gb, disks in (
        ("Standard_B1s", "standardBSFamily", 1, 1.0, 2),
        ("Standard_B1ms", "standardBSFamily", 1, 2.0, 2),
        ("Standard_B2s", "standardBSFamily", 2, 4.0, 4),
        ("Standard_B2ms", "standardBSFamily", 2, 8.0, 4),
        ("Standard_B4ms", "standardBSFamily", 4, 16.0, 8),
        ("Standard_B8ms", "standardBSFamily", 8, 32.0, 16),
        ("Standard_B2s_v2", "standardBsv2Family", 2, 8.0, 4),
        ("Standard_B2as_v2", "standardBasv2Family", 2, 8.0, 4),
        ("Standard_B4as_v2", "standardBasv2Family", 4, 16.0, 8),
        ("Standard_DS1_v2", "standardDSv2Family", 1, 3.5, 4),
        ("Standard_DS2_v2", "standardDSv2Family", 2, 7.0, 8),
        ("Standard_DS3_v2", "standardDSv2Family", 4, 14.0, 16),
        ("Standard_A1_v2", "standardAv2Family", 1, 2.0, 2),
        ("Standard_A2_v2", "standardAv2Family", 2, 4.0, 4),
        ("Standard_A4_v2", "standardAv2Family", 4, 8.0, 8),
    ):
        made[name] = Size(family, cores, memory_gb, disks, "V1" if family == "standardAv2Family" else "V1,V2")
    return made


SIZES = _series()
_BY_NAME = {name.lower(): (name, size) for name, size in SIZES.items()}


def find_size(name: str) -> tuple[str, Size]:
    """A size in its own casing. Raises ArmError 400 InvalidParameter."""
    found = _BY_NAME.get(name.lower())
    if found is None:
        raise ArmError(
            400,
            "InvalidParameter",
            f"The value {name} provided for the VM size is not valid. The valid sizes in the current region are: {', '.join(SIZES)}. "
            "Find out more on the valid VM sizes in each region at https://aka.ms/azureregions.",
            target="vmSize",
        )
    return found


def used_cores(arm: Sandbox, subscription: str, location: str) -> dict[str, int]:
    """Cores of allocated machines by family; the total under `cores`."""
    counts: dict[str, int] = {"cores": 0}
    for machine in arm.store.of_type(subscription, "Microsoft.Compute/virtualMachines").values():
        if machine.location != location or machine.private.get("power") == "deallocated":
            continue
        _, size = find_size(machine.properties["hardwareProfile"]["vmSize"])
        counts["cores"] += size.cores
        counts[size.family] = counts.get(size.family, 0) + size.cores
    return counts


def limit(arm: Sandbox, location: str, name: str) -> int:
    """The quota of `cores` or a family, settable by `sandbox.store.set("quota", {"westeurope/cores": 4})`."""
    quota = arm.store.settings.get("quota", {})
    return int(quota.get(f"{location}/{name}", REGIONAL_CORES if name == "cores" else FAMILY_CORES))


def check_quota(arm: Sandbox, subscription: str, location: str, size: Size) -> None:
    """Raises ArmError 409 OperationNotAllowed as Azure does where a machine does not fit."""
    used = used_cores(arm, subscription, location)
    for name, title in (("cores", "Total Regional Cores"), (size.family, f"{size.family} Cores")):
        most, current = limit(arm, location, name), used.get(name, 0)
        if current + size.cores > most:
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Operation could not be completed as it results in exceeding approved {title} quota. Additional details - Deployment "
                f"Model: Resource Manager, "
                f"Location: {location}, Current Limit: {most}, Current Usage: {current}, Additional Required: {size.cores}, "
                f"(Minimum) New Limit Required: {current + size.cores}. Submit a request for Quota increase at https://aka.ms/ProdportalCRP/?#create/Microsoft.Support.",
            )


def size_body(name: str, size: Size) -> Json:
    return {
        "name": name,
        "numberOfCores": size.cores,
        "osDiskSizeInMB": 1_047_552,
        "resourceDiskSizeInMB": 0,
        "memoryInMB": int(size.memory_gb * 1024),
        "maxDataDiskCount": size.disks,
    }


@route("GET", "subscriptions/{}/providers/Microsoft.Compute/locations/{}/vmSizes")
def list_sizes(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    return Response(200, {"content-type": JSON_TYPE}, pretty({"value": [size_body(name, size) for name, size in SIZES.items()]}))


@route("GET", "subscriptions/{}/providers/Microsoft.Compute/locations/{}/usages")
def usages(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    location = short(location)
    used = used_cores(arm, subscription, location)
    names = {"cores": "Total Regional vCPUs", **{size.family: f"{size.family} vCPUs" for size in SIZES.values()}}
    value = [
        {
            "limit": limit(arm, location, name),
            "unit": "Count",
            "currentValue": used.get(name, 0),
            "name": {"value": name, "localizedValue": title},
        }
        for name, title in names.items()
    ]
    return Response(200, {"content-type": JSON_TYPE}, pretty({"value": value}))


@route("GET", "subscriptions/{}/providers/Microsoft.Compute/skus")
def skus(arm: Sandbox, call: Call, subscription: str) -> Response:
    """Resource SKUs; `$filter=location eq 'westeurope'`. Restrictions: setting `restricted`, {"westeurope": ["Standard_B2s"]}."""
    wanted = ""
    if "location eq" in call.query.get("$filter", "").lower():
        wanted = short(call.query["$filter"].split("eq", 1)[1].strip().strip("'"))
    restricted = arm.store.settings.get("restricted", {})
    value = []
    for region in [wanted] if wanted else REGIONS:
        zones = [] if region in WITHOUT_ZONES else ["1", "2", "3"]
        for name, size in SIZES.items():
            capabilities = {
                "vCPUs": str(size.cores),
                "MemoryGB": str(size.memory_gb),
                "MaxDataDiskCount": str(size.disks),
                "HyperVGenerations": size.generations,
                "CpuArchitectureType": size.architecture,
                "PremiumIO": "True",
                "LowPriorityCapable": "True",
            }
            if size.confidential:
                capabilities["ConfidentialComputingType"] = "SNP"
            restrictions = []
            if name in restricted.get(region, []):
                restrictions = [
                    {
                        "type": "Location",
                        "values": [region],
                        "restrictionInfo": {"locations": [region]},
                        "reasonCode": "NotAvailableForSubscription",
                    }
                ]
            value.append(
                {
                    "resourceType": "virtualMachines",
                    "name": name,
                    "tier": "Standard",
                    "size": name.removeprefix("Standard_"),
                    "family": size.family,
                    "locations": [region],
                    "locationInfo": [{"location": region, "zones": zones, "zoneDetails": []}],
                    "capabilities": [{"name": key, "value": text} for key, text in capabilities.items()],
                    "restrictions": restrictions,
                }
            )
        value += [_storage_sku(kind, name, region, zones) for kind in ("disks", "snapshots") for name in _storage(kind, bool(zones))]
    return Response(200, {"content-type": JSON_TYPE}, pretty({"value": value}))


def _storage(kind: str, zoned: bool) -> tuple[str, ...]:
    names = ("Standard_LRS", "Premium_LRS") + (("StandardSSD_LRS",) if kind == "disks" else ())
    return (*names, "Standard_ZRS") if zoned and kind == "snapshots" else names


def _storage_sku(kind: str, name: str, region: str, zones: list[str]) -> Json:
    return {
        "resourceType": kind,
        "name": name,
        "tier": name.split("_", 1)[0],
        "locations": [region],
        "locationInfo": [{"location": region, "zones": zones, "zoneDetails": []}],
        "capabilities": [],
        "restrictions": [],
    }
