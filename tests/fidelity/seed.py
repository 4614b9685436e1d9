"""What was there before a recording began, or came to be by requests that were left out of it: made with the sandbox's own API, from the
first answer that shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .recording import Exchange, Recording
from .scope import references

# What only Azure sets. A body that was read can be written back without these; ARM itself ignores most of them.
READ_ONLY = frozenset(
    {
        "etag",
        "provisioningState",
        "timeCreated",
        "vmId",
        "uniqueId",
        "resourceGuid",
        "diskState",
        "instanceView",
        "exactVersion",
        "isArmResource",
        "faultDomain",
    }
)

# What points back at those who use a resource, where its entries have nothing but an id.
BACK_REFERENCES = frozenset({"ipConfigurations", "ipConfiguration", "subnets", "virtualMachine", "managedBy", "managedByExtended"})

# Sub-resources that their parent's request makes.
PARTS = frozenset({"subnets", "ipconfigurations", "securityrules", "defaultsecurityrules"})

# What has nothing to tell but its name, with the api-version to make it with: it need not be shown.
BARE = {
    "microsoft.managedidentity/userassignedidentities": "2023-01-31",
    "microsoft.network/applicationsecuritygroups": "2022-01-01",
    "microsoft.compute/diskaccesses": "2020-05-01",
}

PASSWORD = "REDACTED-Passw0rd!"


def shown(recording: Recording, id: str, start: int = 0) -> tuple[Any, str]:
    """The first body that shows the resource, from the exchange number `start` on, and its api-version; None where none does."""
    for exchange in recording.exchanges[start:]:
        body = exchange.answer
        if not exchange.succeeded or not isinstance(body, dict):
            continue
        for one in (body, *(body["value"] if isinstance(body.get("value"), list) else ())):
            if isinstance(one, dict) and str(one.get("id", "")).lower() == id.lower() and ("properties" in one or "location" in one):
                return one, exchange.query.get("api-version", "")
    return None, ""


def marketplace(recording: Recording) -> list[dict[str, Any]]:
    """Every platform image of the recording, as the sandbox's control API publishes it: where an answer shows its properties, with these;
    where only references name it, as what the machines made from it are. A reference to the latest stands for version 1.0.0 where no other
    version is named."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for exchange in recording.exchanges:
        parts = exchange.path.split("/")
        if exchange.kind.endswith("/skus/{}/versions/{}") and isinstance(exchange.answer, dict) and exchange.succeeded:
            _found(found, (parts[8], parts[12], parts[14], parts[16]), exchange.answer.get("properties"))
        elif exchange.kind.endswith("/skus/{}/versions") and isinstance(exchange.answer, list):
            for one in filter(lambda one: isinstance(one, dict), exchange.answer):
                _found(found, (parts[8], parts[12], parts[14], one["name"]), one.get("properties"))
        for body in (exchange.request, exchange.answer):
            for profile in _storage_profiles(body):
                one = profile["imageReference"]
                exact = one.get("exactVersion") or one.get("version")
                disk = profile.get("osDisk") if isinstance(profile.get("osDisk"), dict) else {}
                windows = disk.get("osType") == "Windows" or "windows" in str(one["offer"]).lower()
                properties = {"osDiskImage": {"operatingSystem": "Windows" if windows else "Linux", "sizeInGb": 127 if windows else 30}}
                _found(found, (one["publisher"], one["offer"], one["sku"], exact), None, properties)
    newest = {tuple(part.lower() for part in key[:3]) for key in found if key[3].lower() != "latest"}
    made = []
    for (publisher, offer, sku, version), properties in found.items():
        if version.lower() == "latest":
            if (publisher.lower(), offer.lower(), sku.lower()) in newest:
                continue
            version = "1.0.0"
        made.append({"publisher": publisher, "offer": offer, "sku": sku, "version": version, "properties": properties})
    return sorted(made, key=lambda image: "features" not in image["properties"] and "hyperVGeneration" not in image["properties"])


_SHELVES = re.compile(
    r"/publishers(?:/(?P<publisher>[^/]+)/artifacttypes/(?:vmimage/offers(?:/(?P<offer>[^/]+)/skus(?:/(?P<sku>[^/]+)/versions)?)?"
    r"|vmextension/types(?:/(?P<type>[^/]+)/versions(?:/(?P<version>[^/]+))?)?))?$",
    re.IGNORECASE,
)


def shelves(recording: Recording) -> list[dict[str, Any]]:
    """Every publisher, offer and sku that the recording lists, and every extension, as the sandbox's control API publishes them."""
    made: dict[tuple[str, ...], dict[str, Any]] = {}
    for exchange in recording.exchanges:
        path = _SHELVES.search(exchange.path)
        if path is None or not exchange.succeeded:
            continue
        above = {key: name for key, name in path.groupdict().items() if name}
        entries = exchange.answer if isinstance(exchange.answer, list) else []
        names = [one["name"] for one in entries if isinstance(one, dict) and isinstance(one.get("name"), str)]
        level = "version" if "type" in above else "type" if "vmextension" in exchange.path.lower() else ""
        level = level or ("publisher", "offer", "sku", "")[len(above)]
        found = [above, *({**above, level: name} for name in names if level and "version" not in above)] if above else []
        found += [{level: name} for name in names if not above]
        for one in found:
            made.setdefault(tuple(name.lower() for name in (*one, *one.values())), dict(one))
        if "version" in above and isinstance(exchange.answer, dict):
            made[tuple(name.lower() for name in (*above, *above.values()))] = {**above, "properties": exchange.answer.get("properties")}
    return list(made.values())


def _found(found: dict[tuple[str, ...], dict[str, Any]], key: tuple[str, ...], shown: Any, guessed: dict[str, Any] | None = None) -> None:
    known = next((other for other in found if [part.lower() for part in other] == [str(part).lower() for part in key]), key)
    if isinstance(shown, dict):
        found[known] = shown
    else:
        found.setdefault(known, guessed or {})


def _storage_profiles(value: Any) -> Iterator[dict[str, Any]]:
    """Every object with an `imageReference` to the marketplace."""
    if isinstance(value, dict):
        reference = value.get("imageReference")
        if isinstance(reference, dict) and all(isinstance(reference.get(key), str) for key in ("publisher", "offer", "sku", "version")):
            yield value
        for below in value.values():
            yield from _storage_profiles(below)
    elif isinstance(value, list):
        for below in value:
            yield from _storage_profiles(below)


def as_request(body: dict[str, Any]) -> dict[str, Any]:
    """A resource's body as a client would send it to make one like it."""
    kept = _writable({key: value for key, value in body.items() if key not in ("id", "name", "type")})
    profile = kept.get("properties", {}).get("osProfile") if isinstance(kept.get("properties"), dict) else None
    if isinstance(profile, dict) and "adminUsername" in profile:
        profile.setdefault("adminPassword", PASSWORD)  # no answer shows it
    return kept


def _writable(value: Any) -> Any:
    if isinstance(value, dict):
        made = {key: _writable(below) for key, below in value.items() if key not in READ_ONLY and not _points_back(key, below)}
        if "securityRules" in made:
            made.pop("networkInterfaces", None)  # of a security group; a machine's are its own
        if made.get("createOption") == "FromImage" and isinstance(made.get("managedDisk"), dict):
            made["managedDisk"].pop("id", None)  # the disk that is made, not one to attach
        return made
    return [_writable(below) for below in value] if isinstance(value, list) else value


def makes(exchange: Exchange) -> list[str]:
    """The ids, lower case, of what a recorded request makes."""
    if exchange.method != "PUT" and not exchange.kind.lower().startswith("microsoft.resources/deployments"):
        return []
    made = [exchange.id]
    body = exchange.answer if isinstance(exchange.answer, dict) and exchange.succeeded else {}
    properties = body.get("properties")
    if not isinstance(properties, dict):
        properties = {}
    if exchange.kind.lower().startswith("microsoft.resources/deployments"):
        made += [id for key in ("outputResources", "dependencies") for id in references(properties.get(key))]
        root = exchange.path.split("/providers/")[0]
        for one in _template_resources(exchange.request):
            space, *kinds = one["type"].split("/")
            made.append(
                f"{root}/providers/{space}/" + "/".join("/".join(pair) for pair in zip(kinds, one["name"].split("/"), strict=False))
            )
    profile = properties.get("storageProfile")
    if isinstance(profile, dict) and exchange.kind.lower().startswith("microsoft.compute/virtualmachines"):
        for disk in (profile.get("osDisk"), *(profile.get("dataDisks") or ())):
            if isinstance(disk, dict) and disk.get("createOption") != "Attach" and isinstance(disk.get("managedDisk"), dict):
                made.append(str(disk["managedDisk"].get("id", "")))
    return [id.lower() for id in made if id]


def _template_resources(deployment: Any) -> Iterator[dict[str, str]]:
    """The resources of a deployment's template whose types and names are plain."""
    properties = deployment.get("properties") if isinstance(deployment, dict) else None
    template = properties.get("template") if isinstance(properties, dict) else None
    resources = template.get("resources") if isinstance(template, dict) else None
    for one in resources.values() if isinstance(resources, dict) else resources or ():
        if isinstance(one, dict) and isinstance(one.get("type"), str) and isinstance(one.get("name"), str) and "[" not in one["name"]:
            yield one


def _points_back(key: str, value: Any) -> bool:
    one = value[0] if isinstance(value, list) and value else value
    return key in BACK_REFERENCES and not (isinstance(one, dict) and "properties" in one)
