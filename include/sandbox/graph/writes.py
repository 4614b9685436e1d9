"""What is made, changed and deleted in the directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..registry import field
from ..store import Resource
from ..wire import Json
from . import credentials, errors, membership, objects

if TYPE_CHECKING:
    from ..sandbox import Sandbox

_BIND = "@odata.bind"
_ROLES = ("members", "owners")
_NEEDED = {
    objects.USER: ("displayName", "userPrincipalName", "mailNickname", "accountEnabled", "passwordProfile"),
    objects.GROUP: ("displayName", "mailNickname", "mailEnabled", "securityEnabled"),
    objects.APPLICATION: ("displayName",),
    objects.SERVICE_PRINCIPAL: ("appId",),
}
_FIXED = frozenset({"id", "appId", "createdDateTime", "passwordCredentials", objects.TYPE})
_BOUND = 20  # references in one request


def create(arm: Sandbox, tenant: str, kind: str, body: Json) -> Resource:
    """Raises ArmError for what is missing, taken, or refers to nothing."""
    given = _checked(kind, body)
    for name in _NEEDED[kind]:
        if given.get(name) is None:
            raise errors.bad(f"A value is required for property '{name}' of resource '{_short(kind)}'.")
    id, created = arm.guid("directory", kind, number := arm.count("directory")), objects.when(arm.now)
    if kind == objects.USER:
        made = objects.user(id, created, _user(arm, tenant, None, given))
    elif kind == objects.GROUP:
        made = objects.group(id, created, _group(given))
    elif kind == objects.APPLICATION:
        made = objects.application(id, arm.guid("appId", number), objects.domain(arm, tenant), created, _application(arm, tenant, given))
    else:
        made = _service_principal(arm, tenant, id, created, given)
    keys = made.get("keyCredentials") or []
    resource = objects.keep(arm, tenant, {**made, "keyCredentials": []} if keys else made)
    if keys:
        credentials.keep_keys(arm, resource, keys)
    _bind(arm, tenant, resource, body)
    return resource


def update(arm: Sandbox, tenant: str, found: Json, body: Json) -> None:
    """Raises ArmError for what cannot be changed."""
    kind = objects.kind_of(found)
    given = _checked(kind, body)
    for name in given:
        if name in _FIXED or (name not in found and name != "passwordProfile"):
            raise errors.bad(f"Property '{name}' is read-only and cannot be set.")
    resource = own(arm, tenant, found)
    if kind == objects.USER:
        given = _user(arm, tenant, found["id"], given)
    keys = given.pop("keyCredentials", None)
    if keys is not None:
        credentials.keep_keys(arm, resource, keys)
    resource.properties.update(given)
    arm.store.touch(resource)
    _bind(arm, tenant, resource, body)


def delete(arm: Sandbox, tenant: str, found: Json) -> None:
    """An application takes its service principal with it. What role assignments say of a principal stays, as in Azure."""
    resource = arm.store.get(objects.key_of(tenant, found["id"]))
    if resource is None or _is_given(arm, found):
        raise errors.not_allowed()
    if objects.kind_of(found) == objects.APPLICATION:
        for one in objects.kept(arm, tenant, objects.SERVICE_PRINCIPAL):
            if one.properties["appId"] == found["appId"]:
                delete(arm, tenant, one.properties)
    arm.store.drop(resource)
    membership.forget(arm, tenant, found["id"])


def own(arm: Sandbox, tenant: str, found: Json) -> Resource:
    """The object's resource in the store. Raises ArmError 403 for a managed identity, which only its resource changes."""
    if found.get("servicePrincipalType") == "ManagedIdentity":
        raise errors.not_allowed()
    return objects.keep(arm, tenant, found)


def reference(body: Json) -> str:
    """The id that `{"@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/{id}"}` names. Raises ArmError 400."""
    path = urlsplit(str(body.get("@odata.id") or "")).path.rstrip("/")
    if path.count("/") < 3:
        raise errors.bad("Invalid URL format specified in payload.")
    return path.rsplit("/", 1)[1].lower()


def _is_given(arm: Sandbox, found: Json) -> bool:
    """Whether it is one of the applications of directory.py: the sandbox would not be what it is without them."""
    return any(found.get("appId") == one.client_id for one in arm.directory.principals)


def _short(kind: str) -> str:
    name = kind.rsplit(".", 1)[1]
    return name[0].upper() + name[1:]


def _checked(kind: str, body: Json) -> Json:
    """The properties of a body, of their types. Raises ArmError 400."""
    blank = "00000000-0000-0000-0000-000000000000"
    shapes = {
        objects.USER: objects.user(blank, "", {}),
        objects.GROUP: objects.group(blank, "", {}),
        objects.APPLICATION: objects.application(blank, "", "", "", {}),
        objects.SERVICE_PRINCIPAL: objects.service_principal(blank, "", "", "", {}),
    }
    shape: Json = {**shapes[kind], **({"passwordProfile": {}} if kind == objects.USER else {})}
    given = {name: value for name, value in body.items() if not name.endswith(_BIND) and not name.startswith("@")}
    for name, value in given.items():
        if name not in shape:
            raise errors.bad(f"Invalid property '{name}'.")
        usual: Any = shape[name]
        if value is not None and usual is not None and not isinstance(value, type(usual)):
            raise errors.unreadable(f"A value of '{name}' cannot be converted to the expected type.")
    return given


def _user(arm: Sandbox, tenant: str, id: str | None, given: Json) -> Json:
    name = given.get("userPrincipalName")
    if name is not None:
        if not str(name).lower().endswith(f"@{objects.domain(arm, tenant)}"):
            raise errors.bad(
                "The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your "
                "organization."
            )
        for one in objects.kept(arm, tenant, objects.USER):
            if str(one.properties["userPrincipalName"]).lower() == str(name).lower() and one.properties["id"] != id:
                raise errors.bad("Another object with the same value for property userPrincipalName already exists.")
    return {key: value for key, value in given.items() if key != "passwordProfile"}


def _group(given: Json) -> Json:
    if given["mailEnabled"] and "Unified" not in (given.get("groupTypes") or []):
        raise errors.bad(
            "The service does not currently support writes of mail-enabled groups. Please ensure that the mail-enablement property is "
            "unset and the security-enablement property is set."
        )
    return given


def _application(arm: Sandbox, tenant: str, given: Json) -> Json:
    for uri in field(given, "identifierUris", list, []):
        if any(uri in one["identifierUris"] for one in objects.all_of(arm, tenant, objects.APPLICATION)):
            raise errors.bad("Another object with the same value for property identifierUris already exists.")
    return given


def _service_principal(arm: Sandbox, tenant: str, id: str, created: str, given: Json) -> Json:
    app_id = str(given["appId"]).lower()
    if any(one["appId"] == app_id for one in objects.all_of(arm, tenant, objects.SERVICE_PRINCIPAL)):
        raise errors.refused(
            409,
            "Request_MultipleObjectsWithSameKeyValue",
            f"The service principal cannot be created, updated, or restored because the service principal name {app_id} is already in use.",
        )
    for home in dict.fromkeys((tenant, *arm.directory.subscriptions.values())):
        for one in objects.all_of(arm, home, objects.APPLICATION):
            if one["appId"] == app_id and (home == tenant or one["signInAudience"] != "AzureADMyOrg"):
                named = {"displayName": one["displayName"], "appDisplayName": one["displayName"], "signInAudience": one["signInAudience"]}
                names = {"servicePrincipalNames": [app_id, *one["identifierUris"]]}
                return objects.service_principal(id, app_id, home, created, {**named, **names, **given, "appId": app_id})
    raise errors.bad(f"The appId '{app_id}' of the service principal does not reference a valid application object.")


def _bind(arm: Sandbox, tenant: str, resource: Resource, body: Json) -> None:
    for role in _ROLES:
        found = body.get(f"{role}{_BIND}")
        if found is None:
            continue
        if not isinstance(found, list) or len(found) > _BOUND:
            raise errors.bad(f"The number of references in '{role}{_BIND}' exceeds the limit of {_BOUND}.")
        membership.add(arm, tenant, resource, role, [reference({"@odata.id": url}) for url in found])
