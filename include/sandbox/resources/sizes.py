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


# pattern | quota family | GB of memory per core | cores | Hyper-V generations, architecture, confidential
_SERIES = """
Standard_D{}_v3 | standardDv3Family | 4 | 2 4 8 16 32 48 64 | V1
Standard_D{}s_v3 | standardDSv3Family | 4 | 2 4 8 16 32 48 64 | V1,V2
Standard_D{}_v4 | standardDv4Family | 4 | 2 4 8 16 32 48 64 | V1,V2
Standard_D{}s_v4 | standardDSv4Family | 4 | 2 4 8 16 32 48 64 | V1,V2
Standard_D{}d_v4 | standardDDv4Family | 4 | 2 4 8 16 32 48 64 | V1,V2
Standard_D{}ds_v4 | standardDDSv4Family | 4 | 2 4 8 16 32 48 64 | V1,V2
Standard_D{}a_v4 | standardDAv4Family | 4 | 2 4 8 16 32 48 64 96 | V1,V2
Standard_D{}as_v4 | standardDASv4Family | 4 | 2 4 8 16 32 48 64 96 | V1,V2
Standard_D{}_v5 | standardDv5Family | 4 | 2 4 8 16 32 48 64 96 | V1,V2
Standard_D{}s_v5 | standardDSv5Family | 4 | 2 4 8 16 32 48 64 96 | V1,V2
Standard_D{}d_v5 | standardDDv5Family | 4 | 2 4 8 16 32 48 64 96 | V1,V2
Standard_D{}ds_v5 | standardDDSv5Family | 4 | 2 4 8 16 32 48 64 96 | V1,V2
Standard_D{}as_v5 | standardDASv5Family | 4 | 2 4 8 16 32 48 64 96 | V1,V2
Standard_D{}ads_v5 | standardDADSv5Family | 4 | 2 4 8 16 32 48 64 96 | V1,V2
Standard_D{}s_v6 | standardDSv6Family | 4 | 2 4 8 16 32 48 64 96 | V2
Standard_D{}ds_v6 | standardDDSv6Family | 4 | 2 4 8 16 32 48 64 96 | V2
Standard_D{}as_v6 | standardDav6Family | 4 | 2 4 8 16 32 48 64 96 | V2
Standard_D{}ads_v6 | standardDadv6Family | 4 | 2 4 8 16 32 48 64 96 | V2
Standard_E{}_v3 | standardEv3Family | 8 | 2 4 8 16 20 32 48 64 | V1
Standard_E{}s_v3 | standardESv3Family | 8 | 2 4 8 16 20 32 48 64 | V1,V2
Standard_E{}_v4 | standardEv4Family | 8 | 2 4 8 16 20 32 48 64 | V1,V2
Standard_E{}s_v4 | standardESv4Family | 8 | 2 4 8 16 20 32 48 64 | V1,V2
Standard_E{}ds_v4 | standardEDSv4Family | 8 | 2 4 8 16 20 32 48 64 | V1,V2
Standard_E{}a_v4 | standardEAv4Family | 8 | 2 4 8 16 20 32 48 64 96 | V1,V2
Standard_E{}as_v4 | standardEASv4Family | 8 | 2 4 8 16 20 32 48 64 96 | V1,V2
Standard_E{}s_v5 | standardESv5Family | 8 | 2 4 8 16 20 32 48 64 96 | V1,V2
Standard_E{}ds_v5 | standardEDSv5Family | 8 | 2 4 8 16 20 32 48 64 96 | V1,V2
Standard_E{}as_v5 | standardEASv5Family | 8 | 2 4 8 16 20 32 48 64 96 | V1,V2
Standard_E{}ads_v5 | standardEADSv5Family | 8 | 2 4 8 16 20 32 48 64 96 | V1,V2
Standard_E{}s_v6 | standardESv6Family | 8 | 2 4 8 16 20 32 48 64 96 | V2
Standard_F{} | standardFFamily | 2 | 1 2 4 8 16 | V1
Standard_F{}s | standardFSFamily | 2 | 1 2 4 8 16 | V1,V2
Standard_F{}s_v2 | standardFSv2Family | 2 | 2 4 8 16 32 48 64 72 | V1,V2
Standard_A{}_v2 | standardAv2Family | 2 | 1 2 4 8 | V1
Standard_A{}m_v2 | standardAv2Family | 8 | 2 4 8 | V1
Standard_B{}s_v2 | standardBsv2Family | 4 | 2 4 8 16 32 | V1,V2
Standard_B{}as_v2 | standardBasv2Family | 4 | 2 4 8 16 32 | V1,V2
Standard_L{}s_v3 | standardLSv3Family | 8 | 8 16 32 48 64 80 | V1,V2
Standard_D{}ps_v5 | standardDPSv5Family | 4 | 2 4 8 16 32 48 64 | V2 Arm64
Standard_D{}pds_v5 | standardDPDSv5Family | 4 | 2 4 8 16 32 48 64 | V2 Arm64
Standard_D{}pls_v5 | standardDPLSv5Family | 2 | 2 4 8 16 32 48 64 | V2 Arm64
Standard_B{}ps_v2 | standardBpsv2Family | 4 | 2 4 8 16 | V2 Arm64
Standard_DC{}as_v5 | standardDCASv5Family | 4 | 2 4 8 16 32 48 64 96 | V2 x64 confidential
Standard_DC{}ads_v5 | standardDCADSv5Family | 4 | 2 4 8 16 32 48 64 96 | V2 x64 confidential
Standard_EC{}as_v5 | standardECASv5Family | 8 | 2 4 8 16 20 32 48 64 96 | V2 x64 confidential
"""

# quota family | Hyper-V generations | name, cores, GB of memory, data disks
_SINGLE = """
basicAFamily | V1 | Basic_A0 1 0.75 1, Basic_A1 1 1.75 2, Basic_A2 2 3.5 4, Basic_A3 4 7 8, Basic_A4 8 14 16
standardA0_A7Family | V1 | Standard_A0 1 0.75 1, Standard_A1 1 1.75 2, Standard_A2 2 3.5 4, Standard_A3 4 7 8, Standard_A4 8 14 16
standardA0_A7Family | V1 | Standard_A5 2 14 4, Standard_A6 4 28 8, Standard_A7 8 56 16
standardA8_A11Family | V1 | Standard_A8 8 56 32, Standard_A9 16 112 64, Standard_A10 8 56 32, Standard_A11 16 112 64
standardDFamily | V1 | Standard_D1 1 3.5 4, Standard_D2 2 7 8, Standard_D3 4 14 16, Standard_D4 8 28 32
standardDFamily | V1 | Standard_D11 2 14 8, Standard_D12 4 28 16, Standard_D13 8 56 32, Standard_D14 16 112 64
standardDSFamily | V1 | Standard_DS1 1 3.5 4, Standard_DS2 2 7 8, Standard_DS3 4 14 16, Standard_DS4 8 28 32
standardDSFamily | V1 | Standard_DS11 2 14 8, Standard_DS12 4 28 16, Standard_DS13 8 56 32, Standard_DS14 16 112 64
standardDv2Family | V1 | Standard_D1_v2 1 3.5 4, Standard_D2_v2 2 7 8, Standard_D3_v2 4 14 16, Standard_D4_v2 8 28 32
standardDv2Family | V1 | Standard_D11_v2 2 14 8, Standard_D12_v2 4 28 16, Standard_D13_v2 8 56 32, Standard_D14_v2 16 112 64
standardDv2Family | V1 | Standard_D5_v2 16 56 64, Standard_D15_v2 20 140 64
standardDSv2Family | V1,V2 | Standard_DS1_v2 1 3.5 4, Standard_DS2_v2 2 7 8, Standard_DS3_v2 4 14 16, Standard_DS4_v2 8 28 32
standardDSv2Family | V1,V2 | Standard_DS5_v2 16 56 64, Standard_DS11_v2 2 14 8, Standard_DS12_v2 4 28 16, Standard_DS13_v2 8 56 32
standardDSv2Family | V1,V2 | Standard_DS14_v2 16 112 64, Standard_DS15_v2 20 140 64
standardBSFamily | V1,V2 | Standard_B1ls 1 0.5 2, Standard_B1s 1 1 2, Standard_B1ms 1 2 2
standardBSFamily | V1,V2 | Standard_B2s 2 4 4, Standard_B2ms 2 8 4
standardBSFamily | V1,V2 | Standard_B4ms 4 16 8, Standard_B8ms 8 32 16, Standard_B12ms 12 48 16
standardBSFamily | V1,V2 | Standard_B16ms 16 64 32, Standard_B20ms 20 80 32
"""


def _series() -> dict[str, Size]:
    made: dict[str, Size] = {}
    for row in _SERIES.strip().splitlines():
        pattern, family, memory, counts, traits = (part.strip() for part in row.split("|"))
        generations, *more = traits.split()
        for cores in map(int, counts.split()):
            architecture = more[0] if more else "x64"
            size = Size(family, cores, cores * int(memory), min(32, cores * 2), generations, architecture, "confidential" in more)
            made[pattern.format(cores)] = size
    for row in _SINGLE.strip().splitlines():
        family, generations, sizes = (part.strip() for part in row.split("|"))
        for one in sizes.split(","):
            name, core_count, memory, disks = one.split()
            made[name] = Size(family, int(core_count), float(memory), int(disks), generations)
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
        _count(counts, machine.properties["hardwareProfile"]["vmSize"])
    for instance in arm.store.of_type(subscription, "Microsoft.Compute/virtualMachineScaleSets/virtualMachines").values():
        if instance.location == location:
            _count(counts, instance.body["sku"]["name"])
    return counts


def _count(counts: dict[str, int], name: str) -> None:
    _, size = find_size(name)
    counts["cores"] += size.cores
    counts[size.family] = counts.get(size.family, 0) + size.cores


def limit(arm: Sandbox, location: str, name: str) -> int:
    """The quota of `cores` or a family, settable by `sandbox.store.set("quota", {"westeurope/cores": 4})`."""
    quota = arm.store.settings.get("quota", {})
    return int(quota.get(f"{location}/{name}", REGIONAL_CORES if name == "cores" else FAMILY_CORES))


def check_quota(arm: Sandbox, subscription: str, location: str, size: Size, machines: int = 1) -> None:
    """Raises ArmError 409 OperationNotAllowed as Azure does where so many machines do not fit."""
    used, needed = used_cores(arm, subscription, location), size.cores * machines
    for name, title in (("cores", "Total Regional Cores"), (size.family, f"{size.family} Cores")):
        most, current = limit(arm, location, name), used.get(name, 0)
        if current + needed > most:
            raise over_quota(title, location, most, current, needed)


def over_quota(title: str, location: str, most: int, current: int, more: int) -> ArmError:
    """409 for `more` cores than a quota, such as Total Regional Cores, leaves."""
    return ArmError(
        409,
        "OperationNotAllowed",
        f"Operation could not be completed as it results in exceeding approved {title} quota. Additional details - Deployment "
        f"Model: Resource Manager, "
        f"Location: {location}, Current Limit: {most}, Current Usage: {current}, Additional Required: {more}, "
        f"(Minimum) New Limit Required: {current + more}. Submit a request for Quota increase at https://aka.ms/ProdportalCRP/?#create/Microsoft.Support.",
    )


def check_available(arm: Sandbox, location: str, name: str) -> None:
    """Raises ArmError 409 SkuNotAvailable for a size that the setting `restricted` keeps from the region."""
    if name in arm.store.settings.get("restricted", {}).get(location, ()):
        raise unavailable(name, location)


def unavailable(name: str, location: str) -> ArmError:
    """409 for a size that is not to be had (Azure-Samples/azuresandbox#70)."""
    return ArmError(
        409,
        "SkuNotAvailable",
        f"The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: {name}' is currently not available in "
        f"location '{location}'. Please try another size or deploy to a different location or different zone. "
        "See https://aka.ms/azureskunotavailable for details.",
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
                    "tier": name.split("_", 1)[0],
                    "size": name.split("_", 1)[1],
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
