"""What a replay cannot be asked, and why. One general rule each; every exchange left out is printed with its reason.

A collection of recordings leaves out the requests of some services, storage and key vaults above all. What later requests need of them
can still be there: a resource that was there before, or came to be by requests that were left out, is made from the first answer that
shows it (seed.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

NO_BODY = "its request body was not recorded, and no answer shows it"
BEGAN_OUTSIDE = "it asks for an operation that began outside the recording"
NEEDS = "it needs {}, which the recordings leave out"
MANGLED = "its answer was not recorded as it was: JSON that can no longer be read"
UNSEEN = "it needs a resource of {} that came to be outside the recording and is never shown whole"

# The services whose requests the shared collection leaves out (its README). Resources of these types can be in no replay, unless the
# recording asks for one itself.
LEFT_OUT = (
    "Microsoft.Storage/storageAccounts",
    "Microsoft.KeyVault/vaults",
    "Microsoft.Compute/virtualMachineScaleSets",
    "Microsoft.Network/loadBalancers",
    "Microsoft.Network/applicationGateways",
    "Microsoft.VirtualMachineImages/imageTemplates",
)

_ID = re.compile(r"/subscriptions/[^/'\"\s]+/resourcegroups/[^/'\"\s]+/providers/[^/'\"\s]+(?:/[^/'\"\s]+/[^/'\"\s]+)+", re.IGNORECASE)
_BLOB = re.compile(r"https://(?!md-)[^/]+\.blob\.[^/]+/.+/[^/?]+", re.IGNORECASE)  # not a disk's own, which SAS URLs name


def mangled(answer: Any, content_type: str) -> bool:
    """Whether a recorder kept an answer's JSON as something else (compressed bytes, as text)."""
    return isinstance(answer, str) and "json" in content_type.lower()


def strings(value: Any) -> Iterator[str]:
    """Every string of a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, below in value.items():
            yield key
            yield from strings(below)
    elif isinstance(value, list):
        for below in value:
            yield from strings(below)


def references(value: Any) -> list[str]:
    """Every resource id that a body names, in order."""
    return list(dict.fromkeys(found for text in strings(value) for found in _ID.findall(text)))


def blobs(value: Any, key: str = "") -> Iterator[str]:
    """The URL of every blob that a body reads: disks and images are made from them."""
    if isinstance(value, str) and key in ("blobUri", "sourceUri", "uri") and _BLOB.match(value):
        yield value
    elif isinstance(value, dict):
        for name, below in value.items():
            if name != "vhd" or value.get("createOption") == "Attach":  # a machine's own VHD is where it will be written
                yield from blobs(below, name)
    elif isinstance(value, list):
        for below in value:
            yield from blobs(below, key)


def type_of(id: str) -> str:
    """`Microsoft.Compute/disks` of a disk's id."""
    parts = id.split("/providers/")[-1].split("/")
    return f"{parts[0]}/{'/'.join(parts[1::2])}"


def _linked(deployment: Any) -> bool:
    properties = deployment.get("properties") if isinstance(deployment, dict) else None
    links = [properties.get(name) for name in ("templateLink", "parametersLink")] if isinstance(properties, dict) else []
    return any(isinstance(link, dict) and "uri" in link for link in links)


def asked_for(paths: Iterable[str]) -> frozenset[str]:
    """The types that the shared collection leaves out, but a recording of requests to these paths does not: those that it asks for, and
    with scale sets the load balancers that clients make in one template with them."""
    named = [path.lower() for path in paths]
    asked = {type for type in LEFT_OUT if any(f"/{type}".lower() in path for path in named)}
    return frozenset(asked | {"Microsoft.Network/loadBalancers"} if "Microsoft.Compute/virtualMachineScaleSets" in asked else asked)


def left_out(body: Any, path: str = "", asked: frozenset[str] = frozenset()) -> str | None:
    """What a request needs of a service that the recordings leave out: a type (named by an id or a template) that is not among those
    `asked` for, or documents; None where nothing."""
    if _linked(body):
        return "a template or its parameters on another server"
    texts = [path, *strings(body)]
    for type in (one for one in LEFT_OUT if one not in asked):
        space, kind = type.lower().split("/")
        if any(text.lower() == type.lower() or f"/{space}/{kind}/" in text.lower() for text in texts):
            return type
    return None
