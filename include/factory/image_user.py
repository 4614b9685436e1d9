"""Who uses a version."""

from __future__ import annotations

from include.factory.value import Value


class ImageUser(Value):
    """A machine, a scale set or one of its instances, or a version made from a version."""

    id: str
    kind: str
    """``machine``, ``scale set``, ``instance`` or ``version``."""
    definition: str
    """Id of the image definition, in lower case, as the user names it: an ARM id, or that of a direct share or a community gallery."""
    version: str | None
    """The version number; None for a scale set that follows ``latest``, which needs no more than that ``latest`` resolves."""
    state: str = "Succeeded"
    """provisioningState."""

    def __str__(self) -> str:
        parts = self.id.split("/")
        name = {"instance": "/".join(parts[-3::2]), "version": "/".join(parts[-5::2])}.get(self.kind, parts[-1])
        return f"{self.kind} {name}"
