"""Who is in a tenant's directory: what was made by way of Graph, the applications of directory.py, and the managed identities of resources.

An object is what Graph shows of it, as a dict, with `@odata.type`. Those made by way of Graph are in the store, under
`/tenants/{tenant}/directoryObjects/{id}`; the others follow from what there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

from ..store import Resource
from ..wire import Json

if TYPE_CHECKING:
    from ..sandbox import Sandbox

USER, GROUP, APPLICATION, SERVICE_PRINCIPAL = (f"microsoft.graph.{name}" for name in ("user", "group", "application", "servicePrincipal"))
PRINCIPALS = {USER: "User", GROUP: "Group", SERVICE_PRINCIPAL: "ServicePrincipal"}  # as role assignments call them
TYPE = "@odata.type"

_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
_SINCE = "2024-01-01T00:00:00Z"
_URLS: Json = dict.fromkeys(("logoUrl", "marketingUrl", "privacyStatementUrl", "supportUrl", "termsOfServiceUrl"))
_PUBLISHER: Json = dict.fromkeys(("displayName", "verifiedPublisherId", "addedDateTime"))


def when(seconds: float) -> str:
    """Epoch seconds as Graph prints times."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def domain(arm: Sandbox, tenant: str) -> str:
    """The tenant's first domain, which every user's name ends with."""
    return f"{'sandbox' if tenant == arm.tenant_id else 'partner'}.onmicrosoft.com"


# what each kind shows


def user(id: str, created: str, given: Json) -> Json:
    return {
        TYPE: f"#{USER}",
        "id": id,
        **dict.fromkeys(("displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage", "surname")),
        "businessPhones": [],
        "userPrincipalName": None,
        "accountEnabled": True,
        "createdDateTime": created,
        "deletedDateTime": None,
        "mailNickname": None,
        "userType": "Member",
        **given,
    }


def group(id: str, created: str, given: Json) -> Json:
    numbers = UUID(id).bytes_le
    return {
        TYPE: f"#{GROUP}",
        "id": id,
        "deletedDateTime": None,
        "classification": None,
        "createdDateTime": created,
        "creationOptions": [],
        "description": None,
        "displayName": None,
        "expirationDateTime": None,
        "groupTypes": [],
        "isAssignableToRole": None,
        "mail": None,
        "mailEnabled": False,
        "mailNickname": None,
        **dict.fromkeys(("membershipRule", "membershipRuleProcessingState", "onPremisesDomainName", "onPremisesLastSyncDateTime")),
        **dict.fromkeys(("onPremisesNetBiosName", "onPremisesSamAccountName", "onPremisesSecurityIdentifier", "onPremisesSyncEnabled")),
        **dict.fromkeys(("preferredDataLocation", "preferredLanguage")),
        "proxyAddresses": [],
        "renewedDateTime": created,
        "resourceBehaviorOptions": [],
        "resourceProvisioningOptions": [],
        "securityEnabled": True,
        "securityIdentifier": "-".join(["S-1-12-1", *(str(int.from_bytes(numbers[at : at + 4], "little")) for at in (0, 4, 8, 12))]),
        "theme": None,
        "visibility": None,
        "onPremisesProvisioningErrors": [],
        "serviceProvisioningErrors": [],
        **given,
    }


def application(id: str, app_id: str, publisher: str, created: str, given: Json) -> Json:
    return {
        TYPE: f"#{APPLICATION}",
        "id": id,
        "deletedDateTime": None,
        "appId": app_id,
        "applicationTemplateId": None,
        "disabledByMicrosoftStatus": None,
        "createdDateTime": created,
        "displayName": None,
        "description": None,
        "groupMembershipClaims": None,
        "identifierUris": [],
        "isDeviceOnlyAuthSupported": None,
        "isFallbackPublicClient": None,
        "notes": None,
        "publisherDomain": publisher,
        "serviceManagementReference": None,
        "signInAudience": "AzureADMyOrg",
        "tags": [],
        "tokenEncryptionKeyId": None,
        "defaultRedirectUri": None,
        "certification": None,
        "optionalClaims": None,
        "addIns": [],
        "api": {
            "acceptMappedClaims": None,
            "knownClientApplications": [],
            "requestedAccessTokenVersion": None,
            "oauth2PermissionScopes": [],
            "preAuthorizedApplications": [],
        },
        "appRoles": [],
        "info": dict(_URLS),
        "keyCredentials": [],
        "parentalControlSettings": {"countriesBlockedForMinors": [], "legalAgeGroupRule": "Allow"},
        "passwordCredentials": [],
        "publicClient": {"redirectUris": []},
        "requiredResourceAccess": [],
        "verifiedPublisher": dict(_PUBLISHER),
        "web": {
            "homePageUrl": None,
            "logoutUrl": None,
            "redirectUris": [],
            "implicitGrantSettings": {"enableAccessTokenIssuance": False, "enableIdTokenIssuance": False},
        },
        "spa": {"redirectUris": []},
        **given,
    }


def service_principal(id: str, app_id: str, owner: str | None, created: str, given: Json) -> Json:
    return {
        TYPE: f"#{SERVICE_PRINCIPAL}",
        "id": id,
        "deletedDateTime": None,
        "accountEnabled": True,
        "alternativeNames": [],
        "appDisplayName": None,
        "appDescription": None,
        "appId": app_id,
        "applicationTemplateId": None,
        "appOwnerOrganizationId": owner,
        "appRoleAssignmentRequired": False,
        "createdDateTime": created,
        **dict.fromkeys(("description", "disabledByMicrosoftStatus", "displayName", "homepage", "loginUrl", "logoutUrl", "notes")),
        "notificationEmailAddresses": [],
        "preferredSingleSignOnMode": None,
        "preferredTokenSigningKeyThumbprint": None,
        "replyUrls": [],
        "servicePrincipalNames": [app_id],
        "servicePrincipalType": "Application",
        "signInAudience": "AzureADMyOrg",
        "tags": [],
        "tokenEncryptionKeyId": None,
        "samlSingleSignOnSettings": None,
        "verifiedPublisher": dict(_PUBLISHER),
        "addIns": [],
        "appRoles": [],
        "info": dict(_URLS),
        "keyCredentials": [],
        "oauth2PermissionScopes": [],
        "passwordCredentials": [],
        "resourceSpecificApplicationPermissions": [],
        **given,
    }


# what there is


def kind_of(found: Json) -> str:
    """`microsoft.graph.group`."""
    return str(found[TYPE])[1:]


def key_of(tenant: str, id: str) -> str:
    return f"/tenants/{tenant}/directoryObjects/{id}".lower()


def kept(arm: Sandbox, tenant: str, kind: str) -> list[Resource]:
    """What was made by way of Graph, of one kind."""
    return list(arm.store.of_type(tenant, kind).values())


def keep(arm: Sandbox, tenant: str, made: Json) -> Resource:
    """Put an object into the store, or take over one that was not there."""
    found = arm.store.get(key_of(tenant, made["id"]))
    if found is not None:
        return found
    return arm.store.add(Resource(f"/tenants/{tenant}/directoryObjects/{made['id']}", kind_of(made), {"properties": made}))


def all_of(arm: Sandbox, tenant: str, kind: str) -> list[Json]:
    """Every object of a kind."""
    found = [one.properties for one in kept(arm, tenant, kind)]
    known = {one["id"] for one in found}
    return [one for one in _given(arm, tenant, kind) if one["id"] not in known] + found


def find(arm: Sandbox, tenant: str, id: str) -> Json | None:
    """The object of that id, of any kind."""
    own = arm.store.get(key_of(tenant, id))
    if own is not None:
        return own.properties
    return next((one for kind in (SERVICE_PRINCIPAL, APPLICATION) for one in _given(arm, tenant, kind) if one["id"] == id.lower()), None)


def principal_type(arm: Sandbox, tenant: str, id: str) -> str | None:
    """What kind of principal has that object id: User, Group or ServicePrincipal; None where the directory knows none."""
    found = find(arm, tenant, id)
    return PRINCIPALS.get(kind_of(found)) if found is not None else None


def _given(arm: Sandbox, tenant: str, kind: str) -> Iterator[Json]:
    """The objects that nobody made by way of Graph."""
    if kind not in (APPLICATION, SERVICE_PRINCIPAL):
        return
    own = arm.directory
    homes = {own.client_id: own.tenant_id, own.colleague_client_id: own.tenant_id, own.partner_client_id: own.partner_tenant_id}
    names = {own.client_id: "Sandbox", own.colleague_client_id: "Colleague", own.partner_client_id: "Partner"}
    for one in own.principals:
        client, home = one.client_id, homes[one.client_id]
        if one.tenant_id != tenant:
            continue
        named: Json = {
            "displayName": names[client],
            "signInAudience": "AzureADMyOrg" if client == own.colleague_client_id else "AzureADMultipleOrgs",
        }
        if kind == SERVICE_PRINCIPAL:
            yield service_principal(one.object_id, client, home, _SINCE, {**named, "appDisplayName": names[client]})
        elif home == tenant:
            yield application(str(uuid5(NAMESPACE_URL, f"application {client}")), client, domain(arm, tenant), _SINCE, named)
    if kind == SERVICE_PRINCIPAL:
        yield from _managed(arm, tenant)


def identities(arm: Sandbox, tenant: str) -> Iterator[Resource]:
    """The user-assigned managed identities of a tenant's subscriptions."""
    for subscription, its in arm.directory.subscriptions.items():
        if its == tenant:
            yield from arm.store.of_type(subscription, _IDENTITY).values()


def _managed(arm: Sandbox, tenant: str) -> Iterator[Json]:
    for resource in arm.store.resources.values():
        found: Any = resource.properties if resource.type == _IDENTITY else resource.body.get("identity")
        if not isinstance(found, dict) or not found.get("principalId") or arm.directory.tenant_of(resource.subscription) != tenant:
            continue
        id = str(found["principalId"])
        app_id = str(found.get("clientId") or arm.guid("client", id))
        names = [f"isExplicit={resource.type == _IDENTITY}", resource.id]
        given = {"displayName": resource.name, "alternativeNames": names, "servicePrincipalType": "ManagedIdentity"}
        yield service_principal(id, app_id, None, _SINCE, {**given, "signInAudience": None})
