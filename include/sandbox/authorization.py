"""Azure RBAC: who may do what. The roles and their assignments are resources (resources/roles.py).

Who owns a subscription (directory.py) is never asked; any other principal may do what its role assignments at the scope or above it
allow. Rules: "How Azure RBAC determines if a user has access to a resource" (learn.microsoft.com); texts: recorded traffic and
public bug threads.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .api_versions import type_of
from .graph.membership import groups_of
from .roles import BY_ID
from .wire import ArmError

if TYPE_CHECKING:
    from .call import Call
    from .sandbox import Sandbox
    from .store import Resource

ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
DEFINITION = "Microsoft.Authorization/roleDefinitions"
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


def check(arm: Sandbox, call: Call) -> None:
    """Raises ArmError 403 AuthorizationFailed where the caller has no role that allows the request."""
    if is_owner(arm, call.principal, call.subscription):
        return
    action = action_of(call)
    scope = call.id or "/" + "/".join(call.segments[: 4 if call.group else 2])
    if not allowed(arm, call.principal, action, scope):
        raise denied(call, action, scope)


def check_route(arm: Sandbox, call: Call) -> None:
    """As `check`, for requests that name no resource: reading needs some role in the subscription, the rest one that holds there."""
    if not call.subscription or is_owner(arm, call.principal, call.subscription):
        return
    scope = f"/subscriptions/{call.subscription}"
    if call.method in ("GET", "HEAD"):
        if not sees(arm, call.principal, call.subscription):
            raise denied(call, "Microsoft.Resources/subscriptions/read", scope)
        return
    kind = type_of(call.segments)
    if kind.startswith("Microsoft.Resources/"):  # it names no type: an act on the subscription, such as Microsoft.Compute/register
        kind = "/".join(segment for segment in call.segments[2:] if segment.lower() != "providers")
    action = f"{kind}/{'action' if call.method == 'POST' else _VERBS[call.method]}"
    if not allowed(arm, call.principal, action, scope):
        raise denied(call, action, scope)


def is_owner(arm: Sandbox, principal: str, subscription: str) -> bool:
    """Whether the principal owns the subscription (or is the sandbox itself). Outside of subscriptions nobody is asked."""
    return not principal or not subscription or arm.directory.owns(principal, subscription)


def action_of(call: Call) -> str:
    """`Microsoft.Compute/virtualMachines/deallocate/action` of a request."""
    kind = call.type.replace("Microsoft.Resources/resourceGroups", "Microsoft.Resources/subscriptions/resourceGroups")
    if call.action:
        return f"{kind}/{call.action}/{'action' if call.method == 'POST' else 'read'}"
    return f"{kind}/{_VERBS.get(call.method, 'read')}"


def allowed(arm: Sandbox, principal: str, action: str, scope: str) -> bool:
    """Whether a role assignment at `scope` (a resource's, group's or subscription's id) or above it allows the action."""
    key = scope.lower().rstrip("/")
    if is_owner(arm, principal, key.split("/")[2]):
        return True
    return any(
        grants(arm, assignment, action)
        for assignment in assignments(arm, principal, key.split("/")[2])
        if key == (at := scope_of(assignment)) or key.startswith(at + "/")
    )


def allowed_data(arm: Sandbox, principal: str, action: str, scope: str) -> bool:
    """Whether a role assignment at `scope` or above it allows the data action. Who owns a subscription has no more than its roles here."""
    key = scope.lower().rstrip("/")
    return any(
        grants(arm, assignment, action, data=True)
        for assignment in assignments(arm, principal, key.split("/")[2])
        if key == (at := scope_of(assignment)) or key.startswith(at + "/")
    )


def sees(arm: Sandbox, principal: str, subscription: str) -> bool:
    """Whether the principal has any role in the subscription."""
    return is_owner(arm, principal, subscription) or bool(assignments(arm, principal, subscription))


def assignments(arm: Sandbox, principal: str, subscription: str) -> list[Resource]:
    """The role assignments to a principal, and to the groups that it is in."""
    found = arm.store.of_type(subscription, ASSIGNMENT).values()
    if not found:
        return []
    whose = {principal.lower(), *(one["id"] for one in groups_of(arm, arm.directory.tenant_of(subscription), principal))}
    return [one for one in found if one.properties["principalId"].lower() in whose]


def scope_of(assignment: Resource) -> str:
    """The scope's id, in lower case."""
    return assignment.key.rsplit("/providers/microsoft.authorization/", 1)[0]


def grants(arm: Sandbox, assignment: Resource, action: str, *, data: bool = False) -> bool:
    """Whether the assignment's role has the action, or the data action."""
    definition = assignment.properties["roleDefinitionId"]
    built_in = BY_ID.get(definition.rsplit("/", 1)[1].lower())
    if built_in is not None:
        if data:
            return _match(built_in.data_actions, action)
        return _match(built_in.actions, action) and not _match(built_in.not_actions, action)
    custom = arm.resource(definition, DEFINITION)
    permissions: list[Any] = custom.properties["permissions"] if custom is not None else []
    has, lacks = ("dataActions", "notDataActions") if data else ("actions", "notActions")
    return any(_match(tuple(one.get(has) or ()), action) and not _match(tuple(one.get(lacks) or ()), action) for one in permissions)


@lru_cache(maxsize=256)
def _pattern(actions: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(one).replace(r"\*", ".*") for one in actions), re.IGNORECASE)


def _match(actions: tuple[str, ...], action: str) -> bool:
    return bool(actions) and _pattern(actions).fullmatch(action) is not None


def denied(call: Call, action: str, scope: str) -> ArmError:
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{call.client or call.principal}' with object id '{call.principal}' does not have authorization to perform action "
        f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
        gateway=True,
    )


def check_linked(arm: Sandbox, call: Call, linked: str, linked_scope: str) -> None:
    """Raises ArmError 403 LinkedAuthorizationFailed where a write uses something (an image, a subnet) on which the caller may not do
    `linked`. In another tenant the caller is the principal of its auxiliary token."""
    subscription = linked_scope.split("/")[2] if linked_scope.count("/") > 1 else ""
    tenant = arm.directory.tenant_of(subscription)
    principal = call.principal if tenant == call.tenant else call.auxiliary.get(tenant or "")
    action, scope = action_of(call), call.id
    if tenant is None:
        why = f"on scope '{scope}'; however, the linked subscription '{subscription}' was not found."
    elif principal is None:
        why = (
            f"on scope '{scope}', however the current tenant '{call.tenant}' is not authorized to access linked subscription "
            f"'{subscription}'."
        )
    elif not allowed(arm, principal, linked, linked_scope):
        why = (
            f"on scope '{scope}'; however, it does not have permission to perform action(s) '{linked}' on the linked scope(s) "
            f"'{linked_scope}' (respectively) or the linked scope(s) are invalid."
        )
    else:
        return
    raise ArmError(
        403,
        "LinkedAuthorizationFailed",
        f"The client '{call.client or call.principal}' with object id '{call.principal}' has permission to perform action '{action}' {why}",
        gateway=True,
    )
