"""A group's resources as a template."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..api_versions import known_versions
from ..registry import TYPES, field
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, compact

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

# What only Azure sets: no template may say it.
READ_ONLY = frozenset(
    {
        "etag",
        "id",
        "provisioningState",
        "resourceGuid",
        "timeCreated",
        "vmId",
        "uniqueId",
        "diskState",
        "diskSizeBytes",
        "instanceView",
        "exactVersion",
        "macAddress",
        "internalDomainNameSuffix",
        "appliedDnsServers",
        "virtualMachine",
        "networkInterfaces",
        "ipConfiguration",
        "hostedWorkloads",
        "tapConfigurations",
        "allowPort25Out",
        "vnetEncryptionSupported",
        "publishedDate",
        "uniqueName",
        "managedBy",
        "managedByExtended",
        "fqdn",
        "ipamPoolPrefixAllocations",
    }
)
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


def export(arm: Sandbox, call: Call, group: Resource) -> Response:
    """POST exportTemplate. Names become parameters, ids of what is exported become `resourceId`, and what names another waits for it."""
    asked = [str(id) for id in field(call.json(), "resources", list, [])]
    options = str(field(call.json(), "options", str, "")).lower()
    if not asked:
        raise ArmError(400, "ExportTemplateMissingResources", "The resources to be exported are not specified.", gateway=True)
    members = [one for one in arm.store.in_group(group.key).values() if _exported(one)]
    if asked != ["*"]:
        wanted = {id.lower() for id in asked}
        missing = wanted - {one.key for one in members}
        if missing:
            raise ArmError(404, "ResourceNotFound", f"The resource '{min(missing)}' was not found.", gateway=True)
        members = [one for one in members if one.key in wanted]
    named = "skipallparameterization" not in options and "skipresourcenameparameterization" not in options
    template: Json = {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "parameters": {}, "variables": {}, "resources": []}
    roots = {one.key: one for one in members if one.id.count("/") == 8}
    for one in roots.values() if named else ():
        template["parameters"][_parameter(one)] = {"defaultValue": one.name, "type": "String"}
    for one in members:
        template["resources"].append(_resource(arm, call, one, roots, named))
    return Response(200, {"content-type": JSON_TYPE}, compact({"template": template}))


def _exported(one: Resource) -> bool:
    kind = TYPES.get(one.type.lower())
    return kind is not None and not one.type.startswith(("Microsoft.Resources/", "Microsoft.Authorization/")) and "/default" not in one.type


def _parameter(root: Resource) -> str:
    return re.sub(r"\W", "_", f"{root.type.split('/', 1)[1]}_{root.name}_name")


def _name(one: Resource, roots: dict[str, Resource], named: bool) -> str:
    parts = one.id.split("/")
    root, below = roots.get("/".join(parts[:9]).lower()), parts[10::2]
    if root is None or not named:
        return "/".join((parts[8], *below))
    first = f"parameters('{_parameter(root)}')"
    return f"[concat({first}, '/{'/'.join(below)}')]" if below else f"[{first}]"


def _reference(one: Resource, roots: dict[str, Resource], named: bool) -> str:
    parts = one.id.split("/")
    root = roots.get("/".join(parts[:9]).lower())
    first = f"parameters('{_parameter(root)}')" if root is not None and named else f"'{parts[8]}'"
    names = ", ".join((first, *(f"'{name}'" for name in parts[10::2])))
    return f"[resourceId('{one.type}', {names})]"


def _resource(arm: Sandbox, call: Call, one: Resource, roots: dict[str, Resource], named: bool) -> Json:
    stable = next((version for version in known_versions(one.type) if not version.endswith("-preview")), "2024-01-01")
    made: Json = {"type": one.type, "apiVersion": stable, "name": _name(one, roots, named)}
    body = TYPES[one.type.lower()].view(arm, call, one)
    waits: list[str] = []
    for key in ("location", "tags", "sku", "zones", "kind", "plan", "identity"):
        if key in body:
            made[key] = body[key]
    made["properties"] = _clean(arm, body.get("properties", {}), one, roots, named, waits)
    parent = arm.store.get(one.id.rsplit("/", 2)[0])
    if parent is not None and one.id.count("/") > 8:
        waits.append(_reference(parent, roots, named))
    if waits:
        made["dependsOn"] = sorted(dict.fromkeys(waits))
    return made


def _clean(arm: Sandbox, value: Any, own: Resource, roots: dict[str, Resource], named: bool, waits: list[str]) -> Any:
    if isinstance(value, list):
        return [_clean(arm, one, own, roots, named, waits) for one in value]
    if not isinstance(value, dict):
        return value
    made: Json = {}
    for key, inner in value.items():
        if key == "id" and isinstance(inner, str) and "name" not in value:
            target = arm.store.get(inner)
            root = "/".join(inner.lower().split("/")[:9])
            if target is None or root not in roots:
                made[key] = inner
                continue
            made[key] = _reference(target, roots, named)
            if root != "/".join(own.key.split("/")[:9]):
                waits.append(made[key])
        elif key not in READ_ONLY and not (key == "subnets" and own.type.endswith("/networkSecurityGroups")):
            made[key] = _clean(arm, inner, own, roots, named, waits)
    return made
