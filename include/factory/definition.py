"""Which image definition a person means."""

from __future__ import annotations

from pydantic import Field

from include.factory.value import Value


class AskedOfDefinition(Value):
    """What every form about the versions of one definition has."""

    resource_group: str = Field(min_length=1)
    """Of the gallery."""
    gallery: str = Field(min_length=1)
    definition: str = Field(min_length=1)
    reason: str = ""
    """Why the run was asked for."""

    @property
    def path(self) -> dict[str, str]:
        return {"resource_group": self.resource_group, "gallery": self.gallery, "definition": self.definition}
