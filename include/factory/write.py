"""The writes that a plan will make, as a person reads them and as a test counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from include.factory.value import Value


class Write(Value):
    """One call that changes something in Azure."""

    method: Literal["PUT", "PATCH", "DELETE"]
    resource: str
    """The path below the resource group's ``Microsoft.Compute``: ``galleries/g/images/d/versions/1.0.0``."""
    what: str
    """In a few words."""

    def __str__(self) -> str:
        return f"{self.method:6} {self.resource}  {self.what}"


def calls_of(writes: Iterable[Write], subscription_id: str, resource_group: str) -> list[str]:
    """``METHOD /subscriptions/…`` each, as :mod:`include.factory.calls` says them."""
    base = f"/subscriptions/{subscription_id}/resourceGroups/{resource_group}/providers/Microsoft.Compute"
    return [f"{write.method} {base}/{write.resource}" for write in writes]


def version_path(gallery: str, definition: str, version: str) -> str:
    return f"galleries/{gallery}/images/{definition}/versions/{version}"


def writes_text(writes: Sequence[Write]) -> str:
    """One line each, and how many there are of each method."""
    if not writes:
        return "  no call is made"
    counts = Counter(write.method for write in writes)
    total = ", ".join(f"{count} {method}" for method, count in sorted(counts.items()))
    return "\n".join([f"  calls ({total}; more only where Azure fails one):", *(f"    {write}" for write in writes)])
