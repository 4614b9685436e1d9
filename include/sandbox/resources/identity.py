"""The identity of a resource: the ids that Azure fills in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import Json

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox


def identity(arm: Sandbox, call: Call, given: Json) -> Json:
    """A machine's identity with the ids that Azure fills in."""
    made = dict(given)
    if "systemassigned" in str(given.get("type", "")).lower().replace(" ", ""):
        made["principalId"] = arm.guid("principal", call.id.lower())
        made["tenantId"] = arm.tenant_id
    if isinstance(given.get("userAssignedIdentities"), dict):
        made["userAssignedIdentities"] = {
            id: {"principalId": arm.guid("principal", id.lower()), "clientId": arm.guid("client", id.lower())}
            for id, value in given["userAssignedIdentities"].items()
            if value is not None
        }
    return made
