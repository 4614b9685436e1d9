"""What cannot be changed once it is there."""

from __future__ import annotations

from ..wire import ArmError


def changed(what: str, path: str) -> ArmError:
    """409 for another value of an immutable property; `what` is the body's name in Azure's texts: galleryImageVersion."""
    target = f"{what}.properties.{path}"
    return ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{target}' is not allowed.", target=target)
