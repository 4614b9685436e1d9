"""Where an image goes: gallery, definition, version, regions, and what follows."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from include.factory.region import RegionName
from include.factory.value import (
    DefinitionName,
    Duration,
    GalleryName,
    IdentifierWord,
    ReplicaType,
    ResourceGroupName,
    Shorthand,
    Value,
    resource_id,
)  # fmt: skip
from include.factory.version import VersionScheme

DAY = 86400
Lifetime = Annotated[int, Duration(DAY, 3650 * DAY)]


class Range(Value):
    min: int | None = Field(default=None, ge=1, le=4096)
    """Least recommended."""
    max: int | None = Field(default=None, ge=1, le=65536)
    """Most recommended."""


class Recommended(Value):
    vcpus: Range | None = None
    """Recommended number of vCPUs."""
    memory_gb: Range | None = None
    """Recommended memory in GB."""


class Safety(Value):
    allow_deletion_of_replicated_locations: bool = False
    """Whether an update may drop a region; false lets Azure refuse a stale update instead of losing replicas."""
    block_deletion_before_end_of_life: bool = False
    """Whether Azure refuses to delete a version before its end of life."""


def _feature(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


class Publish(Value):
    gallery: GalleryName
    """Compute gallery; made when missing."""
    resource_group: ResourceGroupName
    """Resource group of the gallery; made when missing."""
    location: RegionName | None = None
    """Region of the gallery and the definition themselves, where they are made; by default the build region."""
    definition: DefinitionName | None = None
    """Image definition; made when missing. By default the recipe's name."""
    publisher: IdentifierWord | None = None
    """Publisher of the definition; by default the gallery's name."""
    offer: IdentifierWord | None = None
    """Offer of the definition; by default `linux` or `windows`."""
    sku: IdentifierWord | None = None
    """SKU of the definition; by default the definition's name. Publisher, offer and SKU together are one definition's of a gallery."""
    features: dict[str, Annotated[str, BeforeValidator(_feature, json_schema_input_type=str | bool)]] = Field(default_factory=dict)
    """Features beside SecurityType, such as `IsAcceleratedNetworkSupported: true` or `DiskControllerTypes: SCSI, NVMe`."""
    recommended: Recommended = Recommended()
    """Recommended size of machines made from the image."""
    version: VersionScheme = "date"
    """How the run's time (UTC) becomes a version: `date` is `{yyyy}.{mmdd}.{hhmmss}`; a part may be fixed: `1.{yyyymmdd}.{hhmmss}`."""
    end_of_life: Lifetime | None = None
    """How long after the run a version's end of life is, such as `180d`; by default it has none."""
    safety: Safety = Safety()
    """Safety profile of each version."""


class TargetRegion(Value):
    name: RegionName
    """The region."""
    replica_count: int | None = Field(default=None, ge=1, le=100)
    """Replicas in the region; by default `replicate.replica_count`."""
    storage_account_type: ReplicaType | None = None
    """Storage of the replicas; by default `replicate.storage_account_type`. Azure never changes it on an existing version."""
    encryption_set: Annotated[str, resource_id("Microsoft.Compute/diskEncryptionSets")] | None = None
    """ARM id of the region's disk encryption set; with one in a region, every region needs one."""


class Replicate(Value):
    regions: tuple[Annotated[TargetRegion, Shorthand(str, lambda name: {"name": name})], ...] = ()
    """Regions of the image; the build region is always one of them."""
    replica_count: int = Field(default=1, ge=1, le=100)
    """Replicas per region. Azure advises one per 20 machines made at once, and 3 in production."""
    storage_account_type: ReplicaType = "Standard_LRS"
    """Storage of the replicas."""
    timeout: Annotated[int, Duration(600, 24 * 3600)] = 6 * 3600
    """How long replication may take; Azure advises to wait up to six hours."""


class Approval(Value):
    approvers: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Airflow users who may approve; by default anyone who may answer for the DAG."""
    timeout: Annotated[int, Duration(60, 30 * DAY)] = DAY
    """How long to wait; without an answer the version is not promoted."""


class Retention(Value):
    keep: int = Field(default=5, ge=1, le=1000)
    """Newest promoted versions that are always kept."""
    older_than: Annotated[int, Duration(0, 3650 * DAY)] | None = 90 * DAY
    """Age from which other versions may be retired; with `0d` at once, with `null` only those past their end of life are."""
    rollback: int = Field(default=1, ge=0, le=100)
    """Versions to which `latest` could go back in each region, kept beside the one that it resolves to."""
    wait: Annotated[int, Duration(0, 365 * DAY)] = 7 * DAY
    """How long a retired version is excluded from `latest` before it is deleted."""
    shared_too: bool = False
    """Delete retired versions of a gallery that is shared directly or with the community, too, although nobody can see who uses them
    there."""


ReplicateOrList = Annotated[Replicate, Shorthand(list, lambda regions: {"regions": regions})]
ApprovalOrNot = Annotated[Approval | None, Shorthand(bool, lambda wanted: {} if wanted else None)]
