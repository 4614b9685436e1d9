"""Which machines of a scale set a request means: `instanceIds`, or all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import ArmError

if TYPE_CHECKING:
    from ..store import Resource


def chosen(own: dict[str, Resource], ids: list[str], *, numbers: bool) -> list[Resource]:
    """Those of `own` (by instance id, in lower case) that `ids` names; `*` is all. `numbers`: a Uniform set's ids, which are whole numbers.

    Raises ArmError 400 for one that is not there (texts: azure-cli#9926, onefuzz#2547).
    """
    for id in ids:
        if id == "*" or id.lower() in own:
            continue
        if numbers and not id.isdigit():
            told = f'The provided instanceId {id} is invalid. It must be a non-negative integer or the character "*".'
        else:
            told = f"The provided instanceId {id} is not an active Virtual Machine Scale Set VM instanceId."
        raise ArmError(400, "InvalidParameter", told, target="instanceIds")
    return list(own.values()) if "*" in ids else [own[id.lower()] for id in dict.fromkeys(ids)]
