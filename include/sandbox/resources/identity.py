"""The identity of a resource: the ids that Azure fills in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..authorization import check_linked
from ..registry import arm_not_found, field, invalid, one_of
from ..wire import Json

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

KINDS = ("None", "SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned")
ASSIGNED = "Microsoft.ManagedIdentity/userAssignedIdentities"


def identity(arm: Sandbox, call: Call, given: Json, before: Json | None = None) -> Json:
    """The identity to show. On an update, user assigned identities are added to those before, and those given as null are removed.

    Raises ArmError for one that does not exist.
    """
    kind = one_of({"type": str(given.get("type", "None")).replace(",", ", ").replace("  ", " ")}, "type", KINDS)
    made: Json = {"type": kind}
    if "SystemAssigned" in str(kind):
        made["principalId"] = arm.guid("principal", call.id.lower())
        made["tenantId"] = arm.directory.tenant_of(call.subscription)
    asked = field(given, "userAssignedIdentities", dict, {})
    if "UserAssigned" not in str(kind):
        return made
    assigned: Json = dict((before or {}).get("userAssignedIdentities") or {})
    for id, value in asked.items():
        known = next((one for one in assigned if one.lower() == id.lower()), id)
        if value is None:
            assigned.pop(known, None)
            continue
        found = arm.resource(id, ASSIGNED)
        if found is None:
            raise arm_not_found(id)
        check_linked(arm, call, f"{ASSIGNED}/assign/action", found.id)
        assigned[known] = {"principalId": found.properties["principalId"], "clientId": found.properties["clientId"]}
    if not assigned:
        raise invalid("The identity type 'UserAssigned' requires at least one identity in 'userAssignedIdentities'.", "identity")
    made["userAssignedIdentities"] = assigned
    return made
