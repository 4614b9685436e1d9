"""Virtual machine sizes: what there is, what fits into the quota, and what a region restricts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..registry import route
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox
    from ..store import Resource

REGIONAL_CORES = 5_000
FAMILY_CORES = 2_500
SPOT_CORES = 2_500


@dataclass(frozen=True)
class Size:
    """One size. `generations` of Hyper-V; `premium`: whether it takes premium disks; `local_gb`: its temporary disk; `cached_gb`: room for
    an ephemeral OS disk in its cache."""

    name: str
    family: str
    cores: int
    memory_gb: float
    disks: int
    generations: str = "V1,V2"
    architecture: str = "x64"
    confidential: bool = False
    local_gb: int = 0

    @property
    def premium(self) -> bool:
        """The s of DS2_v2, D2s_v5 or B2ms."""
        return bool(re.match(r"Standard_(DS|GS|B|[A-Z]+\d+(-\d+)?[a-z]*s)", self.name))

    @property
    def trusted_launch(self) -> bool:
        return "V2" in self.generations and not self.confidential

    @property
    def accelerated(self) -> bool:
        return self.cores > 1


# size with {} for the cores | family | GB of memory for each core | GB of temporary disk for each | cores | generations, architecture, CVM?
_SERIES = """
Standard_D{}s_v3    | standardDSv3Family   | 4 |   8 | 2 4 8 16 32 48 64     | V1,V2 x64 -
Standard_D{}_v3     | standardDv3Family    | 4 |  25 | 2 4 8 16 32 48 64     | V1 x64 -
Standard_E{}s_v3    | standardESv3Family   | 8 |  16 | 2 4 8 16 20 32 48 64  | V1,V2 x64 -
Standard_E{}_v3     | standardEv3Family    | 8 |  25 | 2 4 8 16 20 32 48 64  | V1 x64 -
Standard_D{}a_v4    | standardDAv4Family   | 4 |  25 | 2 4 8 16 32 48 64 96  | V1,V2 x64 -
Standard_D{}as_v4   | standardDASv4Family  | 4 |   8 | 2 4 8 16 32 48 64 96  | V1,V2 x64 -
Standard_E{}a_v4    | standardEAv4Family   | 8 |  25 | 2 4 8 16 20 32 48 64 96 | V1,V2 x64 -
Standard_E{}as_v4   | standardEASv4Family  | 8 |  16 | 2 4 8 16 20 32 48 64 96 | V1,V2 x64 -
Standard_D{}_v4     | standardDv4Family    | 4 |   0 | 2 4 8 16 32 48 64     | V1,V2 x64 -
Standard_D{}s_v4    | standardDSv4Family   | 4 |   0 | 2 4 8 16 32 48 64     | V1,V2 x64 -
Standard_D{}d_v4    | standardDDv4Family   | 4 |  37 | 2 4 8 16 32 48 64     | V1,V2 x64 -
Standard_D{}ds_v4   | standardDDSv4Family  | 4 |  37 | 2 4 8 16 32 48 64     | V1,V2 x64 -
Standard_E{}_v4     | standardEv4Family    | 8 |   0 | 2 4 8 16 20 32 48 64  | V1,V2 x64 -
Standard_E{}s_v4    | standardESv4Family   | 8 |   0 | 2 4 8 16 20 32 48 64  | V1,V2 x64 -
Standard_E{}ds_v4   | standardEDSv4Family  | 8 |  37 | 2 4 8 16 20 32 48 64  | V1,V2 x64 -
Standard_D{}s_v5    | standardDSv5Family   | 4 |   0 | 2 4 8 16 32 48 64 96  | V1,V2 x64 -
Standard_D{}_v5     | standardDv5Family    | 4 |   0 | 2 4 8 16 32 48 64 96  | V1,V2 x64 -
Standard_D{}ds_v5   | standardDDSv5Family  | 4 |  37 | 2 4 8 16 32 48 64 96  | V1,V2 x64 -
Standard_D{}as_v5   | standardDASv5Family  | 4 |   0 | 2 4 8 16 32 48 64 96  | V1,V2 x64 -
Standard_D{}d_v5    | standardDDv5Family   | 4 |  37 | 2 4 8 16 32 48 64 96  | V1,V2 x64 -
Standard_D{}ads_v5  | standardDADSv5Family | 4 |  37 | 2 4 8 16 32 48 64 96  | V1,V2 x64 -
Standard_D{}s_v6    | standardDSv6Family   | 4 |   0 | 2 4 8 16 32 48 64 96  | V2 x64 -
Standard_D{}ds_v6   | standardDDSv6Family  | 4 |  55 | 2 4 8 16 32 48 64 96  | V2 x64 -
Standard_D{}as_v6   | standardDav6Family   | 4 |   0 | 2 4 8 16 32 48 64 96  | V2 x64 -
Standard_D{}ads_v6  | standardDadv6Family  | 4 |  55 | 2 4 8 16 32 48 64 96  | V2 x64 -
Standard_E{}s_v5    | standardESv5Family   | 8 |   0 | 2 4 8 16 20 32 48 64 96 | V1,V2 x64 -
Standard_E{}ds_v5   | standardEDSv5Family  | 8 |  37 | 2 4 8 16 20 32 48 64 96 | V1,V2 x64 -
Standard_E{}as_v5   | standardEASv5Family  | 8 |   0 | 2 4 8 16 20 32 48 64 96 | V1,V2 x64 -
Standard_E{}ads_v5  | standardEADSv5Family | 8 |  37 | 2 4 8 16 20 32 48 64 96 | V1,V2 x64 -
Standard_E{}s_v6    | standardESv6Family   | 8 |   0 | 2 4 8 16 20 32 48 64 96 | V2 x64 -
Standard_A{}_v2     | standardAv2Family    | 2 |  10 | 1 2 4 8               | V1 x64 -
Standard_A{}m_v2    | standardAv2Family    | 8 |  10 | 2 4 8                 | V1 x64 -
Standard_B{}s_v2    | standardBsv2Family   | 4 |   0 | 2 4 8 16 32           | V1,V2 x64 -
Standard_B{}as_v2   | standardBasv2Family  | 4 |   0 | 2 4 8 16 32           | V1,V2 x64 -
Standard_B{}ps_v2   | standardBpsv2Family  | 4 |   0 | 2 4 8 16              | V2 Arm64 -
Standard_F{}s       | standardFSFamily     | 2 |   4 | 1 2 4 8 16            | V1,V2 x64 -
Standard_F{}        | standardFFamily      | 2 |  16 | 1 2 4 8 16            | V1 x64 -
Standard_F{}s_v2    | standardFSv2Family   | 2 |   8 | 2 4 8 16 32 48 64 72  | V1,V2 x64 -
Standard_L{}s_v3    | standardLSv3Family   | 8 |  10 | 8 16 32 48 64 80      | V1,V2 x64 -
Standard_D{}ps_v5   | standardDPSv5Family  | 4 |   0 | 2 4 8 16 32 48 64     | V2 Arm64 -
Standard_D{}pds_v5  | standardDPDSv5Family | 4 |  37 | 2 4 8 16 32 48 64     | V2 Arm64 -
Standard_D{}pls_v5  | standardDPLSv5Family | 2 |   0 | 2 4 8 16 32 48 64     | V2 Arm64 -
Standard_D{}ps_v6   | standardDPSv6Family  | 4 |   0 | 2 4 8 16 32 48 64 96  | V2 Arm64 -
Standard_E{}ps_v5   | standardEPSv5Family  | 8 |   0 | 2 4 8 16 20 32        | V2 Arm64 -
Standard_DC{}as_v5  | standardDCASv5Family | 4 |   0 | 2 4 8 16 32 48 64 96  | V2 x64 CVM
Standard_DC{}ads_v5 | standardDCADSv5Family | 4 | 37 | 2 4 8 16 32 48 64 96  | V2 x64 CVM
Standard_DC{}es_v5  | standardDCESv5Family | 4 |   0 | 2 4 8 16 32 48 64 96  | V2 x64 CVM
Standard_EC{}as_v5  | standardECASv5Family | 8 |   0 | 2 4 8 16 20 32 48 64 96 | V2 x64 CVM
"""
# size | family | cores | GB of memory | data disks | GB of temporary disk
_SINGLE = """
Standard_B1ls     | standardBSFamily     | 1  | 0.5 | 2  | 4
Standard_B1s      | standardBSFamily     | 1  | 1   | 2  | 4
Standard_B1ms     | standardBSFamily     | 1  | 2   | 2  | 4
Standard_B2s      | standardBSFamily     | 2  | 4   | 4  | 8
Standard_B2ms     | standardBSFamily     | 2  | 8   | 4  | 16
Standard_B4ms     | standardBSFamily     | 4  | 16  | 8  | 32
Standard_B8ms     | standardBSFamily     | 8  | 32  | 16 | 64
Standard_B12ms    | standardBSFamily     | 12 | 48  | 16 | 96
Standard_B16ms    | standardBSFamily     | 16 | 64  | 32 | 128
Standard_B20ms    | standardBSFamily     | 20 | 80  | 32 | 160
Standard_DS1      | standardDSFamily     | 1  | 3.5 | 4  | 7
Standard_DS2      | standardDSFamily     | 2  | 7   | 8  | 14
Standard_DS3      | standardDSFamily     | 4  | 14  | 16 | 28
Standard_DS4      | standardDSFamily     | 8  | 28  | 32 | 56
Standard_DS11     | standardDSFamily     | 2  | 14  | 8  | 28
Standard_DS12     | standardDSFamily     | 4  | 28  | 16 | 56
Standard_DS13     | standardDSFamily     | 8  | 56  | 32 | 112
Standard_DS14     | standardDSFamily     | 16 | 112 | 64 | 224
Standard_D1       | standardDFamily      | 1  | 3.5 | 4  | 50
Standard_D2       | standardDFamily      | 2  | 7   | 8  | 100
Standard_D3       | standardDFamily      | 4  | 14  | 16 | 200
Standard_D4       | standardDFamily      | 8  | 28  | 32 | 400
Standard_D11      | standardDFamily      | 2  | 14  | 8  | 100
Standard_D12      | standardDFamily      | 4  | 28  | 16 | 200
Standard_D13      | standardDFamily      | 8  | 56  | 32 | 400
Standard_D14      | standardDFamily      | 16 | 112 | 64 | 800
Standard_DS1_v2   | standardDSv2Family   | 1  | 3.5 | 4  | 7
Standard_DS2_v2   | standardDSv2Family   | 2  | 7   | 8  | 14
Standard_DS3_v2   | standardDSv2Family   | 4  | 14  | 16 | 28
Standard_DS4_v2   | standardDSv2Family   | 8  | 28  | 32 | 56
Standard_DS5_v2   | standardDSv2Family   | 16 | 56  | 64 | 112
Standard_DS11_v2  | standardDSv2Family   | 2  | 14  | 8  | 28
Standard_DS12_v2  | standardDSv2Family   | 4  | 28  | 16 | 56
Standard_DS13_v2  | standardDSv2Family   | 8  | 56  | 32 | 112
Standard_DS14_v2  | standardDSv2Family   | 16 | 112 | 64 | 224
Standard_DS15_v2  | standardDSv2Family   | 20 | 140 | 64 | 280
Standard_D1_v2    | standardDv2Family    | 1  | 3.5 | 4  | 50
Standard_D2_v2    | standardDv2Family    | 2  | 7   | 8  | 100
Standard_D3_v2    | standardDv2Family    | 4  | 14  | 16 | 200
Standard_D4_v2    | standardDv2Family    | 8  | 28  | 32 | 400
Standard_D5_v2    | standardDv2Family    | 16 | 56  | 64 | 800
Standard_D11_v2   | standardDv2Family    | 2  | 14  | 8  | 100
Standard_D12_v2   | standardDv2Family    | 4  | 28  | 16 | 200
Standard_D13_v2   | standardDv2Family    | 8  | 56  | 32 | 400
Standard_D14_v2   | standardDv2Family    | 16 | 112 | 64 | 800
Standard_D15_v2   | standardDv2Family    | 20 | 140 | 64 | 1000
Basic_A0          | basicAFamily         | 1  | 0.75 | 1 | 20
Basic_A1          | basicAFamily         | 1  | 1.75 | 2 | 40
Basic_A2          | basicAFamily         | 2  | 3.5 | 4  | 60
Basic_A3          | basicAFamily         | 4  | 7   | 8  | 120
Basic_A4          | basicAFamily         | 8  | 14  | 16 | 240
Standard_A0       | standardA0_A7Family  | 1  | 0.75 | 1 | 20
Standard_A1       | standardA0_A7Family  | 1  | 1.75 | 2 | 70
Standard_A2       | standardA0_A7Family  | 2  | 3.5 | 4  | 135
Standard_A3       | standardA0_A7Family  | 4  | 7   | 8  | 285
Standard_A4       | standardA0_A7Family  | 8  | 14  | 16 | 605
Standard_A5       | standardA0_A7Family  | 2  | 14  | 4  | 135
Standard_A6       | standardA0_A7Family  | 4  | 28  | 8  | 285
Standard_A7       | standardA0_A7Family  | 8  | 56  | 16 | 605
Standard_A8       | standardA8_A11Family | 8  | 56  | 32 | 382
Standard_A9       | standardA8_A11Family | 16 | 112 | 64 | 382
Standard_A10      | standardA8_A11Family | 8  | 56  | 32 | 382
Standard_A11      | standardA8_A11Family | 16 | 112 | 64 | 382
"""
_FIRST_GENERATION = (
    "basicAFamily",
    "standardA0_A7Family",
    "standardA8_A11Family",
    "standardAv2Family",
    "standardDFamily",
    "standardDSFamily",
    "standardDv2Family",
)


def _read() -> dict[str, Size]:
    made: dict[str, Size] = {}
    for row in _SERIES.strip().splitlines():
        pattern, family, memory, local, counts, traits = (part.strip() for part in row.split("|"))
        generations, architecture, confidential = traits.split()
        for cores in map(int, counts.split()):
            name = pattern.format(cores)
            disks = min(32, cores * 2)
            size = Size(
                name, family, cores, cores * float(memory), disks, generations, architecture, confidential == "CVM", cores * int(local)
            )
            made[name] = size
    for row in _SINGLE.strip().splitlines():
        name, family, cores_, memory, disks_, local = (part.strip() for part in row.split("|"))
        generations = "V1" if family in _FIRST_GENERATION else "V1,V2"
        made[name] = Size(name, family, int(cores_), float(memory), int(disks_), generations, local_gb=int(local))
    return made


SIZES = _read()
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


def restricted(arm: Sandbox, location: str) -> list[str]:
    """The sizes that a region restricts: setting `restricted`, {"westeurope": ["Standard_B2s"]}."""
    return list(arm.store.settings.get("restricted", {}).get(location, []))


def check_available(arm: Sandbox, location: str, name: str) -> None:
    """Raises ArmError 409 SkuNotAvailable for a size that the setting `restricted` keeps from the region."""
    if name in restricted(arm, location):
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


def allocated(arm: Sandbox, subscription: str, location: str) -> list[Resource]:
    """The machines that hold cores."""
    return [
        machine
        for machine in arm.store.of_type(subscription, "Microsoft.Compute/virtualMachines").values()
        if machine.location == location and machine.private.get("power") != "deallocated"
    ]


def used_cores(arm: Sandbox, subscription: str, location: str) -> dict[str, int]:
    """Cores of allocated machines by family; the total under `cores`. Spot machines count under `lowPriorityCores` alone."""
    counts: dict[str, int] = {"cores": 0, "lowPriorityCores": 0}
    held = [
        (machine.properties["hardwareProfile"]["vmSize"], machine.properties.get("priority") in ("Spot", "Low"))
        for machine in allocated(arm, subscription, location)
    ]
    instances = arm.store.of_type(subscription, "Microsoft.Compute/virtualMachineScaleSets/virtualMachines").values()
    held += [
        (instance.body["sku"]["name"], False)
        for instance in instances
        if instance.location == location and instance.private.get("power") != "deallocated"
    ]
    for name, spot in held:
        _, size = find_size(name)
        for kind in ("lowPriorityCores",) if spot else ("cores", size.family):
            counts[kind] = counts.get(kind, 0) + size.cores
    return counts


def limit(arm: Sandbox, location: str, name: str) -> int:
    """The quota of `cores`, `lowPriorityCores` or a family, settable by `sandbox.store.set("quota", {"westeurope/cores": 4})`."""
    quota = arm.store.settings.get("quota", {})
    default = {"cores": REGIONAL_CORES, "lowPriorityCores": SPOT_CORES}.get(name, FAMILY_CORES)
    return int(quota.get(f"{location}/{name}", default))


def check_quota(
    arm: Sandbox, subscription: str, location: str, size: Size, machines: int = 1, *, held: Size | None = None, spot: bool = False
) -> None:
    """Raises ArmError 409 OperationNotAllowed as Azure does where so many machines do not fit. `held`: the size that one gives up."""
    used = used_cores(arm, subscription, location)
    kinds = (("cores", "Total Regional Cores"), (size.family, f"{size.family} Cores"))
    for name, title in (("lowPriorityCores", "LowPriorityCores"),) if spot else kinds:
        most, current = limit(arm, location, name), used.get(name, 0)
        freed = held.cores if held is not None and (name != size.family or held.family == name) else 0
        needed = size.cores * machines - freed
        if needed > 0 and current + needed > most:
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


def size_body(size: Size) -> Json:
    return {
        "name": size.name,
        "numberOfCores": size.cores,
        "osDiskSizeInMB": 1_047_552,
        "resourceDiskSizeInMB": size.local_gb * 1024,
        "memoryInMB": int(size.memory_gb * 1024),
        "maxDataDiskCount": size.disks,
    }


def _listed() -> Response:
    return Response(200, {"content-type": JSON_TYPE}, pretty({"value": [size_body(size) for size in SIZES.values()]}))


@route("GET", "subscriptions/{}/providers/Microsoft.Compute/locations/{}/vmSizes")
def list_sizes(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    return _listed()


def list_sizes_for(arm: Sandbox, call: Call, resource: Resource) -> Response:
    """The sizes that a machine, or one in an availability set, can have."""
    return _listed()
