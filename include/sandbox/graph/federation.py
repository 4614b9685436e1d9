"""Federated identity credentials of applications: which tokens of which other issuers are taken for the application's own assertion.

Shapes and limits: Graph's federatedIdentityCredential reference, and "Important considerations and restrictions for federated identity
credentials" (learn.microsoft.com).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..store import Resource
from ..wire import Json
from . import errors, objects

if TYPE_CHECKING:
    from ..sandbox import Sandbox

LIMIT = 20  # credentials of one application or identity
_MEMBERS = ("name", "issuer", "subject", "audiences", "description")
_LONGEST = 600  # letters of an issuer, a subject or an audience


def of(arm: Sandbox, tenant: str, application: Json) -> list[Json]:
    """As Graph shows them."""
    resource = arm.store.get(objects.key_of(tenant, application["id"]))
    return list(resource.private.get("federated", ())) if resource is not None else []


def find(held: list[Json], name: str) -> Json | None:
    """The one of that id or name."""
    return next((one for one in held if name in (one["id"], one["name"])), None)


def add(arm: Sandbox, application: Resource, given: Json) -> Json:
    """Raises ArmError for what is missing, too much or taken."""
    held = application.private.get("federated", [])
    for name in ("name", "issuer", "subject", "audiences"):
        if not given.get(name):
            raise errors.bad(f"A value is required for property '{name}' of resource 'FederatedIdentityCredential'.")
    if len(held) >= LIMIT:
        raise errors.bad(f"The maximum number of federated identity credentials allowed is {LIMIT}.")
    id = arm.guid("federated", arm.count("directory"))
    made = {"id": id, "description": None, **_checked(given)}
    _check_free(held, made)
    _keep(arm, application, [*held, made])
    return made


def change(arm: Sandbox, application: Resource, one: Json, given: Json) -> None:
    """Raises ArmError; a name stays what it is."""
    if given.get("name", one["name"]) != one["name"]:
        raise errors.bad("Property 'name' is read-only and cannot be set.")
    changed = {**one, **_checked(given)}
    others = [other for other in application.private["federated"] if other["id"] != one["id"]]
    _check_free(others, changed)
    _keep(arm, application, [*others, changed])


def remove(arm: Sandbox, application: Resource, one: Json) -> None:
    _keep(arm, application, [other for other in application.private["federated"] if other["id"] != one["id"]])


def _checked(given: Json) -> Json:
    found = {name: value for name, value in given.items() if not name.startswith("@")}
    for name, value in found.items():
        if name not in _MEMBERS:
            raise errors.bad(f"Invalid property '{name}'.")
        texts = value if name == "audiences" and isinstance(value, list) else [value]
        if name == "audiences" and (not isinstance(value, list) or len(value) != 1):
            raise errors.bad("FederatedIdentityCredential must have exactly one audience.")
        if any(not isinstance(text, str) or len(text) > _LONGEST for text in texts if text is not None):
            raise errors.bad(f"Invalid value specified for property '{name}' of resource 'FederatedIdentityCredential'.")
    return found


def _check_free(others: list[Json], made: Json) -> None:
    for other in others:
        if other["name"] == made["name"]:
            raise errors.refused(
                409, "Request_MultipleObjectsWithSameKeyValue", f"FederatedIdentityCredential with name {made['name']} already exists."
            )
        if (other["issuer"], other["subject"]) == (made["issuer"], made["subject"]):
            raise errors.refused(
                409,
                "Request_MultipleObjectsWithSameKeyValue",
                "FederatedIdentityCredential with a unique combination of issuer and subject already exists.",
            )


def _keep(arm: Sandbox, application: Resource, held: list[Json]) -> None:
    application.private["federated"] = held
    arm.store.touch(application)
