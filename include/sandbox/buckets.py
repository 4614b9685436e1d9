"""Compute's rate limits as data: what a request counts against, and how many calls fit.

`Resource` and `SubscriptionMaximum` are token buckets, filled up again within three minutes (compute-throttling-limits.md); `3Min` and
`30Min` count calls in windows of that length. Names and numbers: headers of recorded traffic, 2024 to 2026.
"""

from __future__ import annotations

# method and path below Microsoft.Compute/, `*` for any action | group | what it has
_TABLE = """
GET    virtualMachines | HighCostGet | SubscriptionMaximum 900
GET    virtualMachines/{} | LowCostGet | SubscriptionMaximum 24000, Resource 36
GET    virtualMachines/{}/* | LowCostGet | SubscriptionMaximum 24000, Resource 36
GET    virtualMachines/{}/extensions/{} | LowCostGet | SubscriptionMaximum 24000, Resource 36
GET    virtualMachines/{}/runCommands/{} | LowCostGet | SubscriptionMaximum 24000, Resource 36
PUT    virtualMachines/{} | PutVM | SubscriptionMaximum 1500, Resource 12
PATCH  virtualMachines/{} | UpdateVM | SubscriptionMaximum 1500, Resource 12
DELETE virtualMachines/{} | DeleteVM | SubscriptionMaximum 1500, Resource 12
POST   virtualMachines/{}/deallocate | DeleteVM | SubscriptionMaximum 1500, Resource 12
POST   virtualMachines/{}/simulateEviction | DeleteVM | SubscriptionMaximum 1500, Resource 12
POST   virtualMachines/{}/* | UpdateVM | SubscriptionMaximum 1500, Resource 12
PUT    virtualMachines/{}/extensions/{} | UpdateVM | SubscriptionMaximum 1500, Resource 12
PATCH  virtualMachines/{}/extensions/{} | UpdateVM | SubscriptionMaximum 1500, Resource 12
DELETE virtualMachines/{}/extensions/{} | UpdateVM | SubscriptionMaximum 1500, Resource 12
PUT    virtualMachines/{}/runCommands/{} | UpdateVM | SubscriptionMaximum 1500, Resource 12
PATCH  virtualMachines/{}/runCommands/{} | UpdateVM | SubscriptionMaximum 1500, Resource 12
DELETE virtualMachines/{}/runCommands/{} | UpdateVM | SubscriptionMaximum 1500, Resource 12
GET    locations/{}/operations/{} | GetOperation | SubscriptionMaximum 15000, Resource 45
GET    locations/{}/DiskOperations/{} | GetOperation | 3Min 50000, 30Min 400000
GET    locations/{}/capsOperations/{} | GetOperationStatus | 3Min 5000, 30Min 15000
GET    locations/{}/usages | GetSubscriptionInfo | SubscriptionMaximum 360
GET    locations/{}/vmSizes | GetSubscriptionInfo | SubscriptionMaximum 360
GET    locations/{}/publishers/{}/artifactTypes/{}/offers | ListVMImageOffersFromLocation | 3Min 200, 30Min 1000
GET    locations/{}/publishers/{}/artifactTypes/{}/offers/{}/skus | ListVMImageSkusFromLocation | 3Min 10000, 30Min 30000
GET    locations/{}/publishers/{}/artifactTypes/{}/offers/{}/skus/{}/versions | ListVMImagesVersionsFromLocation | 3Min 16000, 30Min 44000
GET    locations/{}/publishers/{}/artifactTypes/{}/offers/{}/skus/{}/versions/{} | GetVMImageFromLocation | 3Min 13000, 30Min 74000
GET    disks | HighCostGet | 3Min 240, 30Min 1920
GET    disks/{} | LowCostGet | 3Min 15000, 30Min 120000
PUT    disks/{} | CreateUpdateDisks | 3Min 3000, 30Min 25000
PATCH  disks/{} | CreateUpdateDisks | 3Min 3000, 30Min 25000
DELETE disks/{} | DeleteDisks | 3Min 3000, 30Min 24000
POST   disks/{}/* | HighCostDiskHydrate | 3Min 1000, 30Min 8000
GET    snapshots | HighCostGet | 3Min 240, 30Min 1920
GET    snapshots/{} | LowCostGet | 3Min 15000, 30Min 120000
PUT    snapshots/{} | HighCostSnapshotCreateHydrate | 3Min 1000, 30Min 8000
PATCH  snapshots/{} | HighCostSnapshotCreateHydrate | 3Min 1000, 30Min 8000
DELETE snapshots/{} | DeleteDisks | 3Min 3000, 30Min 24000
POST   snapshots/{}/* | HighCostSnapshotCreateHydrate | 3Min 1000, 30Min 8000
GET    restorePointCollections/{} | LowCostGetRestorePoint | SubscriptionMaximum 600
GET    restorePointCollections/{}/restorePoints/{} | LowCostGetRestorePoint | SubscriptionMaximum 600
PUT    restorePointCollections/{} | PutRestorePointCollection | Resource 15, SubscriptionMaximum 150
PUT    restorePointCollections/{}/restorePoints/{} | PutRestorePoint | Resource 6, SubscriptionMaximum 150
GET    diskAccesses | HighCostGet | 3Min 240, 30Min 1920
GET    diskAccesses/{} | LowCostDiskAccessGet | 3Min 1000, 30Min 5000
PUT    diskAccesses/{} | HighCostDiskAccess | 3Min 100, 30Min 300
GET    images | HighCostGetImages | SubscriptionMaximum 90
GET    images/{} | GetImages | SubscriptionMaximum 360
PUT    images/{} | CreateImages | SubscriptionMaximum 60
PATCH  images/{} | CreateImages | SubscriptionMaximum 60
DELETE images/{} | DeleteImages | SubscriptionMaximum 120
GET    galleries | ListGalleryInResourceGroup | 3Min 100, 30Min 1000
GET    galleries/{} | GetGallery | 3Min 350, 30Min 2500
PUT    galleries/{} | CreateUpdateGallery | 3Min 50, 30Min 300
PATCH  galleries/{} | CreateUpdateGallery | 3Min 50, 30Min 300
DELETE galleries/{} | DeleteGallery | 3Min 50, 30Min 300
POST   galleries/{}/share | PostShareGallery | 3Min 10, 30Min 60
GET    galleries/{}/images | ListGalleryImagesInGallery | 3Min 1500, 30Min 10000
GET    galleries/{}/images/{} | GetGalleryImage | 3Min 600, 30Min 3000
PUT    galleries/{}/images/{} | CreateUpdateGalleryImage | 3Min 150, 30Min 750
PATCH  galleries/{}/images/{} | CreateUpdateGalleryImage | 3Min 150, 30Min 750
DELETE galleries/{}/images/{} | DeleteGalleryImage | 3Min 50, 30Min 300
GET    galleries/{}/images/{}/versions | ListGalleryImageVersionsInGalleryImage | 3Min 1500, 30Min 10000
GET    galleries/{}/images/{}/versions/{} | GetGalleryImageVersion | 3Min 2000, 30Min 10000
PUT    galleries/{}/images/{}/versions/{} | CreateUpdateGalleryImageVersion | 3Min 375, 30Min 1200
PATCH  galleries/{}/images/{}/versions/{} | CreateUpdateGalleryImageVersion | 3Min 375, 30Min 1200
DELETE galleries/{}/images/{}/versions/{} | DeleteGalleryImageVersion | 3Min 150, 30Min 1000
"""

Limits = tuple[tuple[str, str, int], ...]  # (name in headers, what it has, how many)


def _read() -> dict[tuple[str, str], Limits]:
    found: dict[tuple[str, str], Limits] = {}
    for row in _TABLE.strip().splitlines():
        request, group, limits = (part.strip() for part in row.split("|"))
        method, path = request.split()
        pairs = [one.split() for one in limits.split(",")]
        found[method, path.lower()] = tuple((f"Microsoft.Compute/{group}{kind}", kind, int(most)) for kind, most in pairs)
    return found


_LIMITS = _read()


def limits_of(method: str, segments: list[str]) -> tuple[Limits, str]:
    """What a request counts against, and the path of the resource (or operation) that a `Resource` bucket belongs to.

    `segments`: those of the whole path. Nothing for another provider's request.
    """
    for start, segment in enumerate(segments):
        if segment.lower() == "microsoft.compute" and segments[start - 1].lower() == "providers":
            break
    else:
        return (), ""
    rest = segments[start + 1 :]
    if not rest:
        return (), ""
    parts = [part.lower() if number % 2 == 0 else "{}" for number, part in enumerate(rest)]
    known = _LIMITS.get((method, "/".join(parts)))
    if known is None and len(parts) % 2 and len(parts) > 1:
        known = _LIMITS.get((method, "/".join([*parts[:-1], "*"])))
    own = rest[:4] if parts[0] == "locations" else rest[:2]
    return known or (), "/".join(own).lower()
