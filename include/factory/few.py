"""Some of many names, for a reader."""

from __future__ import annotations

from collections.abc import Collection


def few(names: Collection[str], most: int) -> str:
    """The first ``most`` names in their order, and how many there are beside them."""
    shown = ", ".join(list(names)[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
