"""Role definitions, built-in and custom, and role assignments. What they allow: authorization.py.

Shapes: the Authorization OpenAPI document (2022-04-01), and the flat ones of 2015-07-01 and before are the same. Texts: public bug threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from ..authorization import ASSIGNMENT, DEFINITION, assignments, is_owner, scope_of
from ..filters import Filter
from ..graph import membership, objects
from ..pages import show
from ..registry import ExtensionType, field, register
from ..roles import BUILT_IN, BY_ID, OWNER, Role
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, compact, zulu

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

KINDS = ("User", "Group", "ServicePrincipal", "ForeignGroup", "Device")
_SINCE = "2015-12-14T22:18:31.2454963Z"


def _is_guid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _refuse(status: int, code: str, message: str) -> ArmError:
    return ArmError(status, code, message, gateway=True)


class RoleDefinitions(ExtensionType):
    name = DEFINITION
    tenant = True

    def find(self, arm: Sandbox, call: Call) -> Resource | None:
        """A built-in role is there at every scope, a custom one at those it may be assigned at."""
        built_in = BY_ID.get(call.name.lower())
        if built_in is not None:
            return _shown(built_in, call.subscription)
        own = arm.store.get(call.id)
        if own is not None or not call.subscription:
            return own
        scope = scope_of(Resource(call.id, self.name, {}))
        return next((one for one in _custom(arm, call, scope) if one.name.lower() == call.name.lower()), None)

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        if call.name.lower() in BY_ID:
            raise _refuse(403, "RoleDefinitionIsBuiltIn", f"The built-in role definition '{call.name}' cannot be changed.")
        if not _is_guid(call.name):
            raise _refuse(
                400, "InvalidRoleDefinitionId", f"The role definition ID '{call.name}' is not valid. The role definition ID must be a GUID."
            )
        body = call.json()
        name = field(body, "properties.roleName")
        scopes = field(body, "properties.assignableScopes", list, [])
        permissions = field(body, "properties.permissions", list, [])
        if not name or not permissions:
            raise _refuse(400, "BadRequestFormat", "The request was incorrectly formatted.")
        if not scopes:
            raise _refuse(400, "RoleDefinitionHasNoAssignableScopes", f"The role definition '{name}' has no assignable scopes.")
        for other in arm.store.of_type(call.subscription, self.name).values():
            if other.properties["roleName"].lower() == name.lower() and other.name.lower() != call.name.lower():
                raise _refuse(
                    409, "RoleDefinitionWithSameNameExists", f"A custom role with the same name '{name}' already exists in this directory."
                )
        kinds = ("actions", "notActions", "dataActions", "notDataActions")
        made: Json = {
            "properties": {
                "roleName": name,
                "type": "CustomRole",
                "description": field(body, "properties.description", str, ""),
                "assignableScopes": scopes,
                "permissions": [{kind: field(one, kind, list, []) for kind in kinds} for one in permissions],
                "createdOn": resource.properties["createdOn"] if resource is not None else zulu(arm.now),
                "updatedOn": zulu(arm.now),
                "createdBy": call.principal or arm.object_id,
                "updatedBy": call.principal or arm.object_id,
            },
            "id": f"/subscriptions/{call.subscription}/providers/{self.name}/{call.name}",
            "type": self.name,
            "name": call.name,
        }
        if resource is None:
            resource = arm.store.add(Resource(made["id"], self.name, made))
        else:
            resource.body = made
            arm.store.touch(resource)
        return show(arm, call, self, resource, 201)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        if call.name.lower() in BY_ID:
            raise _refuse(403, "RoleDefinitionIsBuiltIn", f"The built-in role definition '{call.name}' cannot be deleted.")
        if any(
            one.properties["roleDefinitionId"].lower() == resource.key for one in arm.store.of_type(call.subscription, ASSIGNMENT).values()
        ):
            raise _refuse(
                400,
                "RoleDefinitionHasAssignments",
                "There are existing role assignments referencing role (code: RoleDefinitionHasAssignments).",
            )
        arm.store.drop(resource)
        return Response(200, {"content-type": JSON_TYPE}, compact(resource.body))

    def missing(self, call: Call) -> ArmError:
        return _refuse(404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{call.name}' does not exist.")

    def of_scope(self, arm: Sandbox, call: Call, scope: str) -> list[Resource]:
        found = [_shown(role, call.subscription) for role in BUILT_IN]
        if call.subscription:
            found += _custom(arm, call, scope)
        wanted = Filter(call.query.get("$filter", ""), frozenset({"rolename", "type"}), frozenset({"atscopeandbelow", "atscope"}))
        return [
            one for one in found if wanted.accepts({"rolename": one.properties["roleName"], "type": one.properties["type"]}.__getitem__)
        ]


def _custom(arm: Sandbox, call: Call, scope: str) -> list[Resource]:
    """The custom roles that may be assigned at the scope."""
    out = []
    for one in arm.store.of_type(call.subscription, DEFINITION).values():
        at = [str(place).lower().rstrip("/") for place in one.properties["assignableScopes"]]
        if any(scope == place or scope.startswith(place + "/") or place.startswith(scope + "/") for place in at):
            out.append(one)
    return out


def _shown(role: Role, subscription: str) -> Resource:
    root = f"/subscriptions/{subscription}" if subscription else ""
    id = f"{root}/providers/{DEFINITION}/{role.id}"
    permission = {
        "actions": list(role.actions),
        "notActions": list(role.not_actions),
        "dataActions": list(role.data_actions),
        "notDataActions": [],
    }
    properties: Json = {
        "roleName": role.name,
        "type": "BuiltInRole",
        "description": role.description,
        "assignableScopes": ["/"],
        "permissions": [permission],
        "createdOn": _SINCE,
        "updatedOn": _SINCE,
        "createdBy": None,
        "updatedBy": None,
    }
    return Resource(id, DEFINITION, {"properties": properties, "id": id, "type": DEFINITION, "name": role.id})


class RoleAssignments(ExtensionType):
    name = ASSIGNMENT

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        if not _is_guid(call.name):
            raise _refuse(
                400, "InvalidRoleAssignmentId", f"The role assignment ID '{call.name}' is not valid. The role assignment ID must be a GUID."
            )
        body = call.json()
        definition = field(body, "properties.roleDefinitionId")
        principal = field(body, "properties.principalId")
        if not definition or not principal or not _is_guid(principal):
            raise _refuse(400, "BadRequestFormat", "The request was incorrectly formatted.")
        role = self._role(arm, call, definition)
        kind = self._kind(arm, call, principal, field(body, "properties.principalType"))
        scope = call.id.rsplit("/providers/Microsoft.Authorization/", 1)[0]
        if resource is not None:
            old = resource.properties
            if old["principalId"].lower() != principal.lower() or old["roleDefinitionId"].lower() != role.lower():
                raise _refuse(
                    409,
                    "RoleAssignmentUpdateNotPermitted",
                    "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
                )
        for other in arm.store.collection(call.id.lower().rsplit("/", 1)[0]).values():
            same = (
                other.properties["principalId"].lower() == principal.lower()
                and other.properties["roleDefinitionId"].lower() == role.lower()
            )
            if same and other is not resource:
                raise _refuse(
                    409,
                    "RoleAssignmentExists",
                    f"The role assignment already exists. The ID of the existing role assignment is {other.name.replace('-', '')}.",
                )
        made: Json = {
            "properties": {
                "roleDefinitionId": role,
                "principalId": principal,
                "principalType": kind,
                "scope": scope,
                "condition": field(body, "properties.condition"),
                "conditionVersion": field(body, "properties.conditionVersion"),
                "createdOn": resource.properties["createdOn"] if resource is not None else zulu(arm.now),
                "updatedOn": zulu(arm.now),
                "createdBy": call.principal or arm.object_id,
                "updatedBy": call.principal or arm.object_id,
                "delegatedManagedIdentityResourceId": field(body, "properties.delegatedManagedIdentityResourceId"),
                "description": field(body, "properties.description"),
            },
            "id": call.id,
            "type": self.name,
            "name": call.name,
        }
        status = 201 if resource is None else 200
        resource = self.in_place(arm, call, resource, made)
        return show(arm, call, self, resource, status)

    def _role(self, arm: Sandbox, call: Call, definition: str) -> str:
        """The role definition's id, as assignments show it. Raises ArmError 400 or 404."""
        id = definition.rsplit("/", 1)[1] if "/" in definition else definition
        if not _is_guid(id):
            raise _refuse(400, "InvalidRoleDefinitionId", f"The role definition ID '{definition}' is not valid.")
        shown = f"/subscriptions/{call.subscription}/providers/{DEFINITION}/{id}"
        if id.lower() not in BY_ID and arm.resource(shown, DEFINITION) is None:
            raise _refuse(404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{id}' does not exist.")
        return shown

    def _kind(self, arm: Sandbox, call: Call, principal: str, given: str | None) -> str:
        """The principal's type. Who gives it vouches for a principal that the directory does not know (as documented for new ones)."""
        if given is not None and given not in KINDS:
            raise _refuse(400, "BadRequestFormat", "The request was incorrectly formatted.")
        tenant = arm.directory.tenant_of(call.subscription) or arm.tenant_id
        known = objects.principal_type(arm, tenant, principal)
        if known is None and given is None:
            raise _refuse(
                400,
                "PrincipalNotFound",
                f"Principal {principal.replace('-', '')} does not exist in the directory {tenant}. Check that you have the correct "
                "principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a "
                "replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, "
                "User, or Group.  See https://aka.ms/docs-principaltype",
            )
        if known is not None and given is not None and given != known:
            raise _refuse(
                400,
                "UnmatchedPrincipalType",
                f"The PrincipalId '{principal.replace('-', '')}' has type '{known}' , which is different from specified PrinciaplType "
                f"'{given}'.",
            )
        return given or str(known)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        arm.store.drop(resource)
        return Response(200, {"content-type": JSON_TYPE}, compact(resource.body))

    def missing(self, call: Call) -> ArmError:
        return _refuse(404, "RoleAssignmentNotFound", f"The role assignment '{call.name}' is not found.")

    def of_scope(self, arm: Sandbox, call: Call, scope: str) -> list[Resource]:
        """The assignments at the scope, above it, and (without `atScope()`) below it."""
        wanted = Filter(call.query.get("$filter", ""), frozenset({"principalid", "roledefinitionid"}), frozenset({"atscope", "assignedto"}))
        person = next(iter(wanted.calls.get("assignedto", [])), "").lower()
        groups = membership.groups_of(arm, arm.directory.tenant_of(call.subscription), person) if person else []
        whose = {person, *(one["id"] for one in groups)}
        out = []
        for one in arm.store.of_type(call.subscription, ASSIGNMENT).values():
            at = scope_of(one)
            below = at.startswith(scope + "/") and "atscope" not in wanted.calls
            if not (at == scope or scope.startswith(at + "/") or below):
                continue
            values = {"principalid": one.properties["principalId"], "roledefinitionid": one.properties["roleDefinitionId"]}
            if (not person or values["principalid"].lower() in whose) and wanted.accepts(values.__getitem__):
                out.append(one)
        return out


class DenyAssignments(ExtensionType):
    """Deny assignments: Azure makes them itself (deployment stacks, managed applications), and people only read them."""

    name = "Microsoft.Authorization/denyAssignments"

    def of_scope(self, arm: Sandbox, call: Call, scope: str) -> list[Resource]:
        """Those at the scope and above it."""
        found = arm.store.of_type(call.subscription, self.name).values()
        return [one for one in found if scope == (at := scope_of(one)) or scope.startswith(at + "/")]


class Permissions(ExtensionType):
    """What the caller may do at a scope: a list, and nothing else."""

    name = "Microsoft.Authorization/permissions"

    def of_scope(self, arm: Sandbox, call: Call, scope: str) -> list[Resource]:
        if is_owner(arm, call.principal, call.subscription):
            roles = [_shown(BY_ID[OWNER], call.subscription)]
        else:
            found = [(one.properties["roleDefinitionId"], scope_of(one)) for one in assignments(arm, call.principal, call.subscription)]
            named = dict.fromkeys(role for role, at in found if scope == at or scope.startswith(at + "/"))
            roles = [role for id in named if (role := _definition(arm, call.subscription, id)) is not None]
        return [Resource("", self.name, {**one, "condition": None}) for role in roles for one in role.properties["permissions"]]


def _definition(arm: Sandbox, subscription: str, id: str) -> Resource | None:
    built_in = BY_ID.get(id.rsplit("/", 1)[1].lower())
    return _shown(built_in, subscription) if built_in is not None else arm.resource(id, DEFINITION)


register(DenyAssignments())
register(Permissions())
register(RoleDefinitions())
register(RoleAssignments())
