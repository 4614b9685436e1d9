"""A gallery's soft-deleted versions: what can be restored, and which numbers are not free."""

from __future__ import annotations

from dataclasses import dataclass

from include.steps.azure import Azure


@dataclass(frozen=True)
class Deleted:
    """A version in the bin."""

    version: str
    location: str
    """Its home region, which a restore must name."""
    since: str
    """ISO time of its deletion."""
    gone: str | None
    """ISO time from which it cannot be restored, where Azure says so."""


async def read(azure: Azure, *, resource_group: str, gallery: str, definition: str) -> list[Deleted]:
    """The soft-deleted versions of a definition; none where there is no such definition, or no such thing as soft delete."""
    from azure.core.exceptions import HttpResponseError

    pages = azure.compute.soft_deleted_resource.list_by_artifact_name(resource_group, gallery, "Images", definition)
    try:
        items = [item.as_dict() async for item in pages]
    except HttpResponseError as error:
        # 400 where the preview feature is not registered for the subscription.
        if error.status_code in (400, 404):
            return []
        raise
    return [
        Deleted(
            item["name"],
            item["location"],
            item["properties"]["softDeletedTime"],
            item["properties"].get("hardDeletionTargetTime"),
        )
        for item in items
    ]
