"""Recorded exchanges, made ready for Microsoft's `oav validate-traffic`: by the OpenAPI document that describes them, one of each shape.

An exchange is recorded as `include.sandbox.recorder` writes it. Its api-version becomes the document's; whether the client's was a later
one is kept, because then the answer may hold what the document cannot know yet.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Exchange = dict[str, Any]

_OPERATIONS = {"operations", "diskoperations", "capsoperations", "operationresults"}
_ENUM = re.compile(r"[A-Z][A-Za-z_]{0,30}")  # what may be a value of an enumeration; other texts are one shape


@dataclass(frozen=True)
class Document:
    """An OpenAPI document, or a folder of them: where it is below `specification`, its api-version, and the types of a namespace (or its
    `locations/<type>`) that it describes."""

    path: str
    version: str
    types: frozenset[str]
    namespace: str = "microsoft.compute"


_COMPUTE = "compute/resource-manager/Microsoft.Compute"
_RESOURCES = frozenset({"resourcegroups", "tagnames", "providers", "resources", "tags"})
DOCUMENTS = (
    Document(
        f"{_COMPUTE}/ComputeRP/stable/2025-04-01/ComputeRP.json",
        "2025-04-01",
        frozenset(
            {
                "availabilitysets",
                "images",
                "proximityplacementgroups",
                "restorepointcollections",
                "sshpublickeys",
                "virtualmachines",
                "virtualmachinescalesets",
                *(
                    f"locations/{name}"
                    for name in ("publishers", "runcommands", "usages", "virtualmachines", "virtualmachinescalesets", "vmsizes")
                ),
            }
        ),
    ),
    Document(
        f"{_COMPUTE}/DiskRP/stable/2025-01-02/DiskRP.json",
        "2025-01-02",
        frozenset({"disks", "snapshots", "diskencryptionsets", "diskaccesses", "diskrestorepoints"}),
    ),
    Document(
        f"{_COMPUTE}/GalleryRP/stable/2024-03-03/GalleryRP.json",
        "2024-03-03",
        frozenset({"galleries", "locations/sharedgalleries", "locations/communitygalleries"}),
    ),
    Document(
        "network/resource-manager/Microsoft.Network/stable/2024-10-01",
        "2024-10-01",
        frozenset(
            {
                "networkinterfaces",
                "networksecuritygroups",
                "publicipaddresses",
                "virtualnetworks",
                "locations/usages",
                "locations/checkdnsnameavailability",
            }
        ),
        "microsoft.network",
    ),
    Document(
        "resources/resource-manager/Microsoft.Resources/stable/2025-04-01/resources.json", "2025-04-01", _RESOURCES, "microsoft.resources"
    ),
)


def document_of(path: str) -> Document | None:
    """The document that describes a request's path; None where none does."""
    path = path.lower()
    found = re.search(r"/providers/([^/]+)/([^/]+)(?:/[^/]+/([^/]+))?(?!.*/providers/)", path)
    if found is not None and found[2] not in ("register", "unregister", "resourcetypes"):
        namespace, kind, below = found.groups()
        kind = f"locations/{below}" if kind == "locations" else "diskrestorepoints" if "/diskrestorepoints" in path else kind
    else:
        own = re.match(r"(?:/subscriptions/[^/]+)?/(resourcegroups|tagnames|providers|resources)(?!/[^/]+/deployments)(?:/|$)", path)
        namespace, kind, below = "microsoft.resources", own[1] if own is not None else "", ""
    if below in _OPERATIONS:
        return None
    return next((document for document in DOCUMENTS if namespace == document.namespace and kind in document.types), None)


def one_of_each(exchanges: Iterable[Exchange]) -> dict[tuple[Document, bool], list[Exchange]]:
    """The exchanges that a document describes, one of each shape, by document and by whether the client's api-version is later."""
    seen: set[str] = set()
    made: dict[tuple[Document, bool], list[Exchange]] = defaultdict(list)
    for exchange in exchanges:
        asked, answered = exchange["liveRequest"], exchange["liveResponse"]
        path, query = urlsplit(asked["url"]).path, dict(parse_qsl(urlsplit(asked["url"]).query))
        document = document_of(path)
        version = query.get("api-version", "")
        if document is None or not version or int(answered["statusCode"]) >= 500:
            continue
        later = version[:10] > document.version
        types = [part.lower() for part in path.split("/")[1::2]]
        answer = [answered["statusCode"], _shape(asked["body"]), _shape(answered["body"])]
        key = json.dumps([asked["method"], types, path.count("/"), sorted(query), later, answer], sort_keys=True)
        if key not in seen:
            seen.add(key)
            url = asked["url"].replace(f"api-version={version}", f"api-version={document.version}")
            made[document, later].append({**exchange, "liveRequest": {**asked, "url": url}})
    return made


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(_shape(inner), sort_keys=True) for inner in value})
    if isinstance(value, str):
        return value if _ENUM.fullmatch(value) else "text"
    return type(value).__name__


def recorded(path: Path) -> Iterable[Exchange]:
    """The exchanges of a file that the sandbox's recorder wrote."""
    with path.open() as lines:
        for line in lines:
            yield json.loads(line)


def recorded_of_azure(folder: Path) -> Iterable[Exchange]:
    """Real exchanges, from a folder of recordings (`make fidelity`)."""
    for file in sorted(folder.glob("*.json")):
        for one in json.loads(file.read_text())["interactions"]:
            query = "&".join(f"{name}={value}" for name, value in one["query"].items())
            headers = {"content-type": "application/json"} if one["req"] is not None else {}
            asked = {
                "method": one["method"],
                "url": f"https://management.azure.com{one['path']}?{query}",
                "headers": headers,
                "body": one["req"],
            }
            answer = one["res"]
            if isinstance(answer, list) and answer and isinstance(answer[0], str):
                answer = json.loads(closed("".join(answer)))  # a bare array is recorded as the lines of its text
            answered = {"statusCode": str(one["status"]), "headers": one["headers"], "body": answer}
            yield {"liveRequest": asked, "liveResponse": answered}


def closed(text: str) -> str:
    """JSON that a recording cut short between two members, with its brackets closed."""
    text = text.rstrip().rstrip(",")
    within: list[str] = []
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|[][{}]', text):
        if token in "[{":
            within.append("]" if token == "[" else "}")
        elif token in "]}":
            within.pop()
    return text + "".join(reversed(within))
