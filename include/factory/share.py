"""With whom a recipe's image is shared.

By role assignments on the image definition; or the whole gallery, directly with subscriptions and tenants, or with the community. How a
gallery may be shared is fixed when it is made, and holds for everything in it (https://learn.microsoft.com/azure/virtual-machines/share-gallery
and its pages on direct shared and community galleries).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from include.factory.value import Pattern, Shorthand, Value, spelled

Guid = Annotated[
    str,
    Pattern(
        r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        "an id",
        "Ids are like 72f988bf-0000-4000-8000-5a4db0c0ffee; `az ad group show` and `az account show` print them.",
    ),
]
WebAddress = Annotated[str, Pattern(r"https?://\S+", "a web address", "Write https://…")]


class Reader(Value):
    id: Guid
    """Object id of the group, user or application."""
    type: Annotated[Literal["Group", "User", "ServicePrincipal"], spelled("Group", "User", "ServicePrincipal")] = "Group"
    """What it is."""


class Community(Value):
    prefix: Annotated[
        str,
        Pattern(
            r"[A-Za-z0-9]{5,16}", "a prefix", "5 to 16 letters and digits; Azure appends an id and makes the gallery's public name of it."
        ),
    ]
    """Beginning of the gallery's public name."""
    publisher_uri: WebAddress
    """The publisher's web page."""
    contact: Annotated[str, Field(min_length=3, max_length=256)]
    """The publisher's mail address."""
    eula: WebAddress
    """The licence terms' web page."""


class Share(Value):
    """Everyone who may use the image, beside those who have rights on its gallery anyway."""

    readers: tuple[Annotated[Reader, Shorthand(str, lambda id: {"id": id})], ...] = ()
    """Who gets the role Reader on the image definition; an id alone is a group's."""
    subscriptions: tuple[Guid, ...] = ()
    """Subscriptions that the whole gallery is directly shared with, at most 30."""
    tenants: tuple[Guid, ...] = ()
    """Tenants that the whole gallery is directly shared with, at most 5."""
    community: Community | None = None
    """The whole gallery is public: anybody with a subscription may use its images."""

    @property
    def kind(self) -> Literal["Private", "Groups", "Community"]:
        """Azure's word for how the gallery is shared."""
        return "Community" if self.community else "Groups" if self.subscriptions or self.tenants else "Private"

    def profile(self) -> dict[str, Any] | None:
        """``sharingProfile`` of the PUT that makes the gallery; None for a private one."""
        if self.community is not None:
            info = {
                "publicNamePrefix": self.community.prefix,
                "publisherUri": self.community.publisher_uri,
                "publisherContact": self.community.contact,
                "eula": self.community.eula,
            }
            return {"permissions": "Community", "communityGalleryInfo": info}
        return None if self.kind == "Private" else {"permissions": self.kind}

    def gallery_wide(self) -> tuple[Any, ...]:
        """What holds for the whole gallery, to be compared between recipes."""
        return (frozenset(one.lower() for one in self.subscriptions), frozenset(one.lower() for one in self.tenants), self.community)
