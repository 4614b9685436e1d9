"""The second gallery of a recipe: where its versions are when the first one's region is lost.

A gallery is a regional resource: without its region nothing in it can be made or changed, though replicas elsewhere still make machines
(azure-compute-gallery, "What happens when a region is down").
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from include.factory.publish import TargetRegion
from include.factory.region import RegionName
from include.factory.value import GalleryName, Pattern, ResourceGroupName, Shorthand, Value

SubscriptionId = Annotated[
    str,
    Pattern(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "a subscription id", "`az account list --query [].id` prints them."),
]


class DisasterRecovery(Value):
    gallery: GalleryName
    """Second gallery; made when missing."""
    resource_group: ResourceGroupName
    """Its resource group; made when missing."""
    location: RegionName
    """Its region: another than the build region, and one that the image is replicated to."""
    subscription: SubscriptionId | None = None
    """Its subscription; by default that of the connection."""
    connection: Annotated[str, Field(min_length=1, max_length=250)] | None = None
    """Airflow connection for it, where it needs another: one of the other tenant."""
    regions: tuple[Annotated[TargetRegion, Shorthand(str, lambda name: {"name": name})], ...] = ()
    """Regions of its versions; `location` is always one. An encrypted image needs an encryption set in each, the build region too."""
    keep: int = Field(default=3, ge=1, le=1000)
    """Newest promoted versions that are kept in it."""

    @property
    def target_regions(self) -> tuple[TargetRegion, ...]:
        """Its regions with nothing left to default, its own first."""
        written = {region.name: region for region in self.regions}
        own = written.pop(self.location, None) or TargetRegion(name=self.location)
        return tuple(
            region.model_copy(
                update={"replica_count": region.replica_count or 1, "storage_account_type": region.storage_account_type or "Standard_LRS"}
            )
            for region in (own, *written.values())
        )
