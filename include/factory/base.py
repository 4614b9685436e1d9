"""What an image is built from."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from include.factory.problem import refusal
from include.factory.value import DefinitionName, GalleryName, Pattern, ResourceGroupName, Shorthand, Slug, Value, resource_id

BaseVersion = Annotated[
    str, Pattern(r"latest|\d+\.\d+\.\d+", "a version", "Write `latest` or three numbers, as in 2026.1123.13000, in quotes.")
]
MarketplaceVersion = Annotated[
    str, Pattern(r"latest|\d+(?:\.\d+)+", "a version", "Write `latest` or a version that `az vm image list --all` prints.")
]
Word = Annotated[str, Pattern(r"[\w.\-]+", "a publisher, offer or SKU", "`az vm image list --all` prints them.")]


class MarketplaceBase(Value):
    """A marketplace image, by its URN `publisher:offer:sku:version`."""

    publisher: Word
    """Publisher of the marketplace image."""
    offer: Word
    """Offer of the publisher."""
    sku: Word
    """SKU of the offer."""
    version: MarketplaceVersion = "latest"
    """A version, or `latest`: what is newest when the run starts."""

    def as_argument(self) -> dict[str, Any]:
        return {"kind": "marketplace", **self.model_dump()}


class GalleryBase(Value):
    """A version of an image definition in a compute gallery."""

    resource_group: ResourceGroupName
    """Resource group of the gallery."""
    gallery: GalleryName
    """Name of the gallery."""
    definition: DefinitionName
    """Name of the image definition."""
    version: BaseVersion = "latest"
    """A version, or `latest`: what Azure would take in the build region when the run starts."""

    def as_argument(self) -> dict[str, Any]:
        return {"kind": "gallery", **self.model_dump()}


class ManagedImageBase(Value):
    """A managed image."""

    managed_image: Annotated[str, resource_id("Microsoft.Compute/images")]
    """ARM id of the managed image; it must be in the build region."""

    def as_argument(self) -> dict[str, Any]:
        return {"kind": "managed_image", "id": self.managed_image}


class SnapshotBase(Value):
    """Snapshots of an OS disk and of data disks."""

    snapshot: Annotated[str, resource_id("Microsoft.Compute/snapshots")]
    """ARM id of the OS disk's snapshot; it must be in the build region."""
    data_snapshots: dict[Annotated[str, Field(pattern=r"^\d{1,2}$")], Annotated[str, resource_id("Microsoft.Compute/snapshots")]] = Field(
        default_factory=dict
    )
    """ARM ids of the data disks' snapshots by LUN."""

    def as_argument(self) -> dict[str, Any]:
        return {"kind": "snapshot", "os": self.snapshot, "data": dict(self.data_snapshots)}


class RecipeBase(Value):
    """The image of another recipe; a new version of it starts a build of this one."""

    recipe: Slug
    """Name of the other recipe."""
    version: BaseVersion = "latest"
    """A version of its image, or `latest`."""


def _parsed(urn: str) -> dict[str, str]:
    words = urn.split(":")
    if len(words) not in (3, 4) or not all(words):
        raise refusal(
            f"{urn!r} is not a marketplace URN",
            "Write publisher:offer:sku:version, or one of recipe, gallery, managed_image, snapshot.",
        )
    return dict(zip(("publisher", "offer", "sku", "version"), words, strict=False))


# The first field that is there tells the kind. Tags begin with ~ so that nobody takes one for a field (`include.factory.diagnosis`).
_KINDS = {
    "recipe": "~RecipeBase",
    "gallery": "~GalleryBase",
    "definition": "~GalleryBase",
    "managed_image": "~ManagedImageBase",
    "snapshot": "~SnapshotBase",
    "publisher": "~MarketplaceBase",
}


def _kind(written: Any) -> str | None:
    names = written if isinstance(written, dict) else type(written).model_fields if isinstance(written, Value) else ()
    return next((kind for field, kind in _KINDS.items() if field in names), None)


Base = Annotated[
    Annotated[MarketplaceBase, Tag("~MarketplaceBase")]
    | Annotated[RecipeBase, Tag("~RecipeBase")]
    | Annotated[GalleryBase, Tag("~GalleryBase")]
    | Annotated[ManagedImageBase, Tag("~ManagedImageBase")]
    | Annotated[SnapshotBase, Tag("~SnapshotBase")],
    Discriminator(
        _kind,
        custom_error_type="refused",
        custom_error_message="not a base image",
        custom_error_context={
            "message": "this names no base image",
            "cure": "Write a URN such as Canonical:ubuntu-24_04-lts:server:latest, or one of recipe, gallery, managed_image, snapshot.",
        },
    ),
    Shorthand(str, _parsed),
]
