"""Bringing back versions that were deleted softly."""

from __future__ import annotations

from include.factory.definition import AskedOfDefinition
from include.factory.write import Write, version_path


class Restoration(AskedOfDefinition):
    """What is asked."""

    versions: str
    """Soft-deleted versions, as ``version_selection`` reads them."""
    pin: bool = False
    """Keep them from being retired again."""

    def writes(self, names: list[str]) -> list[Write]:
        """Two calls for each: Azure takes no other change in the call that restores."""
        return [
            Write(method="PUT", resource=version_path(self.gallery, self.definition, name), what=what)
            for name in names
            for what in ("restore", "out of latest, marked as restored" + " and pinned" * self.pin)
        ]
