"""What a request names has to be in the region of what names it.

The text is the sandbox's; status and code are those of a disk from a blob elsewhere (recorded: azure-mgmt-compute 12.1.0
test_md_from_storage_blob)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..registry import arm_not_found
from ..wire import ArmError

if TYPE_CHECKING:
    from ..sandbox import Sandbox
    from ..store import Resource


def in_region(arm: Sandbox, id: str, kind: str, location: str, what: str, target: str | None = None) -> Resource:
    """The resource of that id and kind. Raises ArmError 404 where there is none, 400 where it is in another region.

    :param location: of what names it.
    :param what: how the refusal calls it.
    """
    found = arm.resource(id, kind)
    if found is None:
        raise arm_not_found(id)
    if found.location != location:
        said = f"The {what} '{found.name}' is in region '{found.location}'; what names it is in '{location}'."
        raise ArmError(400, "BadRequest", said, target=target)
    return found
