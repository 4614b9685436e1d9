"""An Airflow that signs in with no more than the role that the README gives to a factory."""

from __future__ import annotations

import json
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from include.demo.published import resource_manager
from include.demo.settings import PROJECT
from include.demo.stack import Stack
from include.sandbox.directory import Directory

ROLE: dict[str, Any] = json.loads((PROJECT / "docs" / "custom-role.json").read_text())
# Of "Role Based Access Control Administrator", which the README asks for where recipes share images with principals, what it is asked
# for; not that it reads everything, which would hide what the role above lacks.
ASSIGNER = {
    "Name": "Assigner",
    "Actions": ["Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete"],
}


class CustomRoleStack(Stack):
    """The stack whose Airflow is the sandbox's second application, which may only what :data:`ROLE` says (and :data:`ASSIGNER`)."""

    def sign_in(self) -> dict[str, Any]:
        with resource_manager(self.connection) as owner:
            for subscription in (self.connection["subscription_id"], self.connection["second_subscription_id"]):
                for role in (ROLE, ASSIGNER):
                    self._assign(owner, f"/subscriptions/{subscription}", role)
        return {**self.connection, **{name: self.connection[f"colleague_{name}"] for name in ("client_id", "client_secret")}}

    def _assign(self, owner: Any, scope: str, role: dict[str, Any]) -> None:
        id = uuid5(NAMESPACE_URL, f"{scope}/{role['Name']}")
        definition = f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{id}"
        permissions = [{"actions": role["Actions"], "notActions": role.get("NotActions", [])}]
        properties = {"roleName": f"{role['Name']} {id}", "type": "CustomRole", "permissions": permissions, "assignableScopes": [scope]}
        directory = Directory(**{name: self.connection[name] for name in Directory().settings()})
        assigned = {"roleDefinitionId": definition, "principalId": directory.colleague.object_id, "principalType": "ServicePrincipal"}
        for path, body in ((definition, properties), (f"{scope}/providers/Microsoft.Authorization/roleAssignments/{id}", assigned)):
            answer = owner.put(path, params={"api-version": "2022-04-01"}, json={"properties": body})
            assert answer.is_success, answer.text
