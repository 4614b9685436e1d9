"""Versions of an image as they are in a gallery, and what ``latest`` makes of them."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from include.factory.value import Value
from include.factory.version import Number, parse_version


class Replica(Value):
    """A target region of a version."""

    replica_count: int = 1
    storage_account_type: str = "Standard_LRS"
    excluded: bool = False
    """The region's own ``excludeFromLatest``; it wins over the version's."""
    encrypted: bool = False
    """Whether an encryption set of the customer's is named."""
    state: str = "Unknown"
    """``Replicating``, ``Completed``, ``Failed`` or ``Unknown``: known only where the replication status was read."""


class ImageVersion(Value):
    """One version, without what no plan needs."""

    name: str
    """The version number, ``2026.1123.13000``."""
    home: str
    """The region it was published in."""
    state: str = "Succeeded"
    """provisioningState."""
    mode: str = "Full"
    """``Full`` or ``Shallow``; a shallow version stays in its home region for ever."""
    excluded: bool = False
    """The version's ``excludeFromLatest``."""
    allow_deletion: bool = False
    """``safetyProfile.allowDeletionOfReplicatedLocations``."""
    regions: dict[str, Replica] = Field(default_factory=dict)
    """By region name."""
    size_gb: int = 0
    """Of the OS disk and all data disks, as provisioned: Azure bills what is occupied, which is less."""
    tags: dict[str, str] = Field(default_factory=dict)

    @property
    def number(self) -> Number:
        return parse_version(self.name)

    @property
    def encrypted(self) -> bool:
        return any(replica.encrypted for replica in self.regions.values())

    def is_latest_candidate(self, region: str) -> bool:
        """Whether ``latest`` may resolve to it in the region: it is there, good, and excluded by neither flag (where the regional flag
        says included, it wins: azure-compute-gallery, "Exclude from latest")."""
        replica = self.regions.get(region)
        return replica is not None and self.state == "Succeeded" and not replica.excluded


def newest_first(versions: Iterable[ImageVersion]) -> list[ImageVersion]:
    """By number, as Azure compares them."""
    return sorted(versions, key=lambda version: version.number, reverse=True)


def latest_in(versions: Iterable[ImageVersion], region: str) -> ImageVersion | None:
    """What ``latest`` resolves to in the region."""
    return max((one for one in versions if one.is_latest_candidate(region)), key=lambda one: one.number, default=None)


def newest_included(versions: Iterable[ImageVersion]) -> ImageVersion | None:
    """The newest version that is not excluded from latest: the one that people get. One of which a region failed is ``Failed`` as a
    whole and is it all the same."""
    there = (one for one in versions if one.state not in ("Creating", "Deleting") and not one.excluded)
    return max(there, key=lambda one: one.number, default=None)
