"""Versions of an image as they are in a gallery, and what ``latest`` makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from include.factory import version_tags
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
    block_deletion: bool = False
    """``safetyProfile.blockDeletionBeforeEndOfLife``."""
    published: datetime | None = None
    """When it was published."""
    end_of_life: datetime | None = None
    regions: dict[str, Replica] = Field(default_factory=dict)
    """By region name."""
    size_gb: int = 0
    """Of the OS disk and all data disks, as provisioned: Azure bills what is occupied, which is less."""
    tags: dict[str, str] = Field(default_factory=dict)

    @property
    def number(self) -> Number:
        return parse_version(self.name)

    @property
    def is_promoted(self) -> bool:
        """Whether ``latest`` has ever resolved to it."""
        return version_tags.PROMOTED in self.tags

    @property
    def is_rolled_back(self) -> bool:
        return version_tags.ROLLED_BACK in self.tags

    @property
    def rolled_back_at(self) -> datetime | None:
        """When."""
        return version_tags.time_in(self.tags, version_tags.ROLLED_BACK)

    @property
    def is_hidden(self) -> bool:
        """Whether it is excluded from latest as a whole and in every region."""
        return self.excluded and all(replica.excluded for replica in self.regions.values())

    @property
    def encrypted(self) -> bool:
        return any(replica.encrypted for replica in self.regions.values())

    def is_latest_candidate(self, region: str) -> bool:
        """Whether ``latest`` may resolve to it in the region: it is there and usable as far as its state was read, and excluded by
        neither flag (where the regional flag says included, it wins: azure-compute-gallery, "Exclude from latest"). An update that
        runs, or a failure in another region, takes nothing from a region that is Completed."""
        replica = self.regions.get(region)
        return (
            replica is not None
            and not replica.excluded
            and replica.state in ("Completed", "Unknown")
            and self.state not in ("Creating", "Deleting")
        )


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


def latest_everywhere(versions: Iterable[ImageVersion]) -> dict[str, ImageVersion]:
    """What ``latest`` resolves to, for each region where it resolves at all."""
    found: dict[str, ImageVersion] = {}
    for version in newest_first(versions):
        for region in version.regions:
            if version.is_latest_candidate(region):
                found.setdefault(region, version)
    return dict(sorted(found.items()))


def channel_heads(versions: Iterable[ImageVersion]) -> dict[str, ImageVersion]:
    """The version that each channel is at: the one to which it was moved last and that was not rolled back. A roll-back takes the
    channel's tag from a version, so that the channel is where it was before."""
    heads: dict[str, tuple[str, Number, ImageVersion]] = {}
    for version in (one for one in versions if not one.is_rolled_back):
        for channel, since in version_tags.channels_of(version.tags).items():
            if channel not in heads or (since, version.number) > heads[channel][:2]:
                heads[channel] = (since, version.number, version)
    return {channel: version for channel, (_, _, version) in sorted(heads.items())}
