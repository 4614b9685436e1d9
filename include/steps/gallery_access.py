"""A gallery with how it is shared, and the role assignments in force on what is in it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from include.steps import gallery_versions, recycle_bin
from include.steps.azure import Azure
from include.steps.look import look

if TYPE_CHECKING:
    from include.factory.audit import People
    from include.factory.sharing import Assignment, GalleryState

log = logging.getLogger(__name__)

AUTHORIZATION = "providers/Microsoft.Authorization"
API_VERSION = "2022-04-01"
READ = "Microsoft.Compute/galleries/images/versions/read"
EVERYBODY = "00000000-0000-0000-0000-000000000000"
"""The principal of deny assignments that means all (https://learn.microsoft.com/azure/role-based-access-control/deny-assignments)."""


async def read(azure: Azure, resource_group: str, name: str, *, versions: bool = False) -> GalleryState:
    """A gallery with its sharing, and who may read each of its definitions by role.

    :param versions: read the versions, with the states of their regions, and those in the bin, too.
    """
    from include.factory.sharing import Deleted, GalleryState
    from include.factory.version import parse_version

    id = azure.id(resource_group, "galleries", name)
    gallery = await look(azure.compute.galleries.get(resource_group, name, expand="SharingProfile/Groups"))
    if gallery is None:
        return GalleryState(id=id)
    profile = gallery["properties"].get("sharingProfile") or {}
    community = profile.get("communityGalleryInfo") or {}
    definitions = [one.as_dict()["name"] async for one in azure.compute.gallery_images.list_by_gallery(resource_group, name)]
    roles: dict[str, asyncio.Future[tuple[str, bool]]] = {}
    assignments, denials = await asyncio.gather(
        asyncio.gather(*(_assignments(azure, f"{id}/images/{definition}", roles) for definition in definitions)),
        asyncio.gather(*(_denials(azure, f"{id}/images/{definition}") for definition in definitions)),
    )
    read_versions: list[Any] = []
    bins: list[list[Deleted]] = []
    if versions:
        paths = [{"resource_group": resource_group, "gallery": name, "definition": one} for one in definitions]
        read_versions = list(await asyncio.gather(*(_versions(azure, path) for path in paths)))
        if (gallery["properties"].get("softDeletePolicy") or {}).get("isSoftDeleteEnabled"):
            found = await asyncio.gather(*(recycle_bin.read(azure, **path) for path in paths))
            bins = [
                [
                    Deleted(version=one.version, since=one.since, gone=one.gone)
                    for one in sorted(each, key=lambda one: parse_version(one.version), reverse=True)
                ]
                for each in found
            ]
    return GalleryState.model_validate(
        {
            "id": id,
            "exists": True,
            "location": gallery["location"],
            "permissions": profile.get("permissions") or "Private",
            "community_enabled": bool(community.get("communityGalleryEnabled")),
            "public_name": next(iter(community.get("publicNames") or ()), ""),
            "groups": {group["type"]: tuple(group["ids"]) for group in profile.get("groups") or ()},
            "assignments": dict(zip(definitions, map(tuple, assignments), strict=True)),
            "denials": dict(zip(definitions, map(tuple, denials), strict=True)),
            "versions": dict(zip(definitions, map(tuple, read_versions), strict=False)),
            "deleted": dict(zip(definitions, map(tuple, bins), strict=False)),
        }
    )


async def _versions(azure: Azure, path: dict[str, str]) -> list[Any]:
    names = [one.name for one in await gallery_versions.read(azure, **path)]
    return await gallery_versions.with_states(azure, names, **path)


async def _assignments(azure: Azure, scope: str, roles: dict[str, asyncio.Future[tuple[str, bool]]]) -> list[Assignment]:
    """The role assignments that allow to read at a scope: made there or above, in a resource group, subscription or management group."""
    from include.factory.sharing import Assignment

    found = await azure.read_all(f"{scope}/{AUTHORIZATION}/roleAssignments?$filter=atScope()", API_VERSION)

    async def one(item: dict[str, Any]) -> Assignment | None:
        properties = item["properties"]
        definition = properties["roleDefinitionId"]
        if definition not in roles:
            roles[definition] = asyncio.ensure_future(_role(azure, definition))
        name, reads = await roles[definition]
        if not reads:
            return None
        return Assignment(
            id=item["id"],
            principal=properties["principalId"],
            principal_type=properties.get("principalType") or "",
            role=definition.rpartition("/")[2],
            role_name=name,
            scope=properties["scope"],
        )

    return [each for each in await asyncio.gather(*map(one, found)) if each is not None]


async def _role(azure: Azure, definition: str) -> tuple[str, bool]:
    """A role's name, and whether it allows to read versions; one that is not shown is taken to."""
    from azure.core.exceptions import HttpResponseError

    try:
        properties = (await azure.read(definition, API_VERSION))["properties"]
    except HttpResponseError as error:
        log.warning("The role %s cannot be read (HTTP %s).", definition, error.status_code)
        return "", True
    return properties.get("roleName") or "", _names_reading(properties)


def _names_reading(properties: dict[str, Any]) -> bool:
    """Whether the permissions of a role, or of a deny assignment, have the reading of versions among them."""
    from include.factory.preflight import Permission

    held = (
        Permission(actions=tuple(one.get("actions") or ()), not_actions=tuple(one.get("notActions") or ()))
        for one in properties.get("permissions") or ()
    )
    return any(one.allows(READ) for one in held)


async def _denials(azure: Azure, scope: str) -> list[Assignment]:
    """The deny assignments, made there or above, that forbid to read; none where Azure does not show them to this identity."""
    from azure.core.exceptions import HttpResponseError

    from include.factory.sharing import Assignment

    try:
        found = await azure.read_all(f"{scope}/{AUTHORIZATION}/denyAssignments?$filter=atScope()", API_VERSION)
    except HttpResponseError as error:
        log.warning("The deny assignments at %s cannot be read (HTTP %s).", scope, error.status_code)
        return []
    denials = []
    for item in found:
        properties = item["properties"]
        if _names_reading(properties):
            but = ", ".join(one["id"] for one in properties.get("excludePrincipals") or ())
            denials += [
                Assignment(
                    id=item["id"],
                    principal="everybody" if one["id"] == EVERYBODY else one["id"],
                    principal_type=one.get("type") or "",
                    role="denied",
                    role_name=f"denied by {properties.get('denyAssignmentName') or item['id']}{f', but for {but},' if but else ''}",
                    scope=properties["scope"],
                )
                for one in properties.get("principals") or ()
            ]
    return denials


async def people(azure: Azure, assignments: list[Assignment]) -> People:
    """The names of principals, and who is in groups, as far as the identity may ask the directory (Microsoft Graph, with the permission
    Directory.Read.All, or GroupMember.Read.All with User.ReadBasic.All and Application.Read.All).

    Rules: https://learn.microsoft.com/graph/api/group-list-transitivemembers, /graph/api/directoryobject-getbyids.
    """
    from azure.core.exceptions import AzureError

    from include.factory.audit import People

    kinds = {one.principal.lower(): one.principal_type for one in assignments if one.principal != "everybody"}
    names: dict[str, str] = {}
    members: dict[str, tuple[str, ...]] = {}
    unresolved: dict[str, str] = {}
    ids = sorted(kinds)
    try:
        for start in range(0, len(ids), 1000):
            for found in await azure.ask_directory("/directoryObjects/getByIds", {"ids": ids[start : start + 1000]}):
                names[found["id"].lower()] = _name(found)
    except AzureError as error:
        log.warning("The directory tells no names: %s", _reason(error))

    async def one(group: str) -> None:
        try:
            found = await azure.ask_directory(f"/groups/{group}/transitiveMembers?$select=id,displayName,userPrincipalName")
        except AzureError as error:
            unresolved[group] = _reason(error)
        else:
            members[group] = tuple(sorted(_name(each) for each in found if not each.get("@odata.type", "").endswith(".group")))

    await asyncio.gather(*(one(id) for id, kind in kinds.items() if kind == "Group"))
    return People(names=names, members=members, unresolved=unresolved, factory=(await azure.object_id()).lower())


def _name(found: dict[str, Any]) -> str:
    return str(found.get("userPrincipalName") or found.get("displayName") or found["id"])


def _reason(error: Any) -> str:
    status = getattr(error, "status_code", None)
    code = getattr(getattr(error, "error", None), "code", None) or type(error).__name__
    return f"Microsoft Graph: {f'HTTP {status} ' if status else ''}{code}"
