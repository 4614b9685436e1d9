"""Managed disks' tiers and what they perform: the tables of disks-types.md."""

from __future__ import annotations

SKUS = ("Standard_LRS", "Premium_LRS", "StandardSSD_LRS", "UltraSSD_LRS", "Premium_ZRS", "StandardSSD_ZRS", "PremiumV2_LRS", "Standard_ZRS")
PROVISIONED = ("UltraSSD_LRS", "PremiumV2_LRS")  # whose IOPS and throughput a client chooses

_PREMIUM = (  # at most GB, tier, IOPS, MB/s
    (4, "P1", 120, 25),
    (8, "P2", 120, 25),
    (16, "P3", 120, 25),
    (32, "P4", 120, 25),
    (64, "P6", 240, 50),
    (128, "P10", 500, 100),
    (256, "P15", 1100, 125),
    (512, "P20", 2300, 150),
    (1024, "P30", 5000, 200),
    (2048, "P40", 7500, 250),
    (4096, "P50", 7500, 250),
    (8192, "P60", 16000, 500),
    (16384, "P70", 18000, 750),
    (32767, "P80", 20000, 900),
)
_STANDARD = ((32, 4), (64, 6), (128, 10), (256, 15), (512, 20), (1024, 30), (2048, 40), (4096, 50), (8192, 60), (16384, 70), (32767, 80))
_LARGE = {60: (1300, 300), 70: (2000, 500), 80: (2000, 500)}  # standard tiers beyond 500 IOPS
_LARGE_SSD = {60: (2000, 400), 70: (4000, 600), 80: (6000, 750)}
TIERS = tuple(tier for _, tier, _, _ in _PREMIUM)


def performance(sku: str, size_gb: int) -> tuple[str | None, int, int]:
    """Tier, IOPS and MB/s of a disk; no tier where a client chooses the performance."""
    if sku in PROVISIONED:
        return None, 3000 if sku == "PremiumV2_LRS" else max(100, min(size_gb * 300, 160_000)), 125 if sku == "PremiumV2_LRS" else 25
    if sku.startswith("Premium"):
        return next(((tier, iops, rate) for most, tier, iops, rate in _PREMIUM if size_gb <= most), ("P80", 20000, 900))
    number = next((number for most, number in _STANDARD if size_gb <= most), 80)
    if sku.startswith("StandardSSD"):
        iops, rate = _LARGE_SSD.get(number, (500, 100))
        small = next((small for most, small in ((4, 1), (8, 2), (16, 3)) if size_gb <= most), number)
        return f"E{small}", iops, rate
    iops, rate = _LARGE.get(number, (500, 60))
    return f"S{number}", iops, rate


def of_tier(tier: str) -> tuple[int, int] | None:
    """IOPS and MB/s of a premium tier; None for an unknown one."""
    return next(((iops, rate) for _, name, iops, rate in _PREMIUM if name == tier), None)
