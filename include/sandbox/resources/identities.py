"""User-assigned managed identities, and which tokens of which other issuers are taken for their own (federated identity credentials).

Shapes: the ManagedIdentity OpenAPI document (2023-01-31).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .. import vintages
from ..graph.federation import LIMIT
from ..pages import show
from ..registry import ResourceType, field, register
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, compact
from .groups import location_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}")


class Identities(ResourceType):
    name = IDENTITY

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        if not 3 <= len(call.name) <= 128:
            raise ArmError(
                400,
                "BadRequest",
                f"Resource name {call.name} is invalid. The name must be between 3 and 128 characters.",
            )
        location = location_of(call, body, resource)
        made: Json = {
            "location": location,
            "tags": field(body, "tags", dict, {}),
            "id": call.id,
            "name": call.name,
            "type": self.name,
            "properties": self._properties(arm, call, location),
        }
        if resource is not None:
            made["properties"] = resource.properties
        self.in_place(arm, call, resource, made)
        headers = {"content-type": JSON_TYPE}
        if resource is None:
            headers["location"] = call.id  # a path, and no URL (recorded)
        shown = vintages.written(self.name, call.api_version, made, arm.now)
        return Response(201 if resource is None else 200, headers, compact(shown))

    @staticmethod
    def _properties(arm: Sandbox, call: Call, location: str) -> Json:
        tenant, principal = arm.directory.tenant_of(call.subscription), arm.guid("principal", call.id.lower())
        client = arm.guid("client", call.id.lower())
        url = f"https://control-{location}.identity.azure.net{call.id}/credentials?tid={tenant}&oid={principal}&aid={client}"
        return {"tenantId": tenant, "principalId": principal, "clientId": client, "clientSecretUrl": url}

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        tags = field(call.json(), "tags", dict)
        if tags is not None:
            resource.body["tags"] = tags
            arm.store.touch(resource)
        return show(arm, call, self, resource)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        self.remove(arm, resource)
        return Response(200)

    nests = True


class FederatedCredentials(ResourceType):
    """A credential is its name, issuer, subject and audiences; of one identity no two have issuer and subject in common.

    Limits: "Important considerations and restrictions for federated identity credentials" (learn.microsoft.com).
    """

    name = f"{IDENTITY}/federatedIdentityCredentials"
    regional = False
    listed = False

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        if not _NAME.fullmatch(call.name):
            raise _bad(
                f"The federated identity credential name '{call.name}' is invalid: it must begin with a letter or digit, and be of 3 to "
                "120 letters, digits, hyphens and underscores."
            )
        given: Json = {}
        for name, kind in (("issuer", str), ("subject", str), ("audiences", list)):
            given[name] = field(body, f"properties.{name}", kind)
            if not given[name]:
                raise _bad(f"The required property '{name}' of the federated identity credential is missing or empty.")
        if len(given["audiences"]) != 1:
            raise _bad("A federated identity credential must have exactly one audience.")
        others = [one for one in arm.store.collection(call.id.rsplit("/", 1)[0].lower()).values() if one.name.lower() != call.name.lower()]
        if len(others) >= LIMIT:
            raise _bad(f"Too many federated identity credentials: an identity may have {LIMIT}.")
        if any((one.properties["issuer"], one.properties["subject"]) == (given["issuer"], given["subject"]) for one in others):
            message = "Issuer and subject combination already exists for this Managed Identity."
            raise ArmError(409, "Conflict", message)
        made: Json = {"id": call.id, "name": call.name, "type": self.name, "properties": given}
        self.in_place(arm, call, resource, made)
        return Response(201 if resource is None else 200, {"content-type": JSON_TYPE}, compact(made))

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        arm.store.drop(resource)
        return Response(200)


def _bad(message: str) -> ArmError:
    return ArmError(400, "BadRequest", message)


register(Identities())
register(FederatedCredentials())
