"""Microsoft's own example requests, out of the OpenAPI documents of azure-rest-api-specs, filled in for a sandbox's subscription.

Placeholders become what they stand for: `{existing-nic-name}` a resource of that name, `{your-password}` a password. Everything else is
sent as the example has it. FIDELITY names the folder with `openapi/`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from tests.sandbox.bodies import KEY

OPENAPI = Path(os.environ.get("FIDELITY", Path(__file__).parents[3] / "shared" / "fidelity")) / "openapi"

# What a placeholder stands for where it is no name.
VALUES = {
    "your-username": "builder",
    "your-password": "Correct-Horse-9",
    "your-custom-data": "Y3VzdG9t",
    "ssh-rsa public key": KEY,
    "extension-Publisher": "Microsoft.Azure.Extensions",
    "extension-Type": "CustomScript",
    "handler-version": "2.1",
    "image_publisher": "Canonical",
    "image_offer": "0001-com-ubuntu-server-jammy",
    "image_sku": "22_04-lts",
    "sasKey": "sv=2024-11-04&sig=c2ln",
    "gallery-name": "galleryname",
    "version": "1.0.0",
}
# Placeholders without braces: whole texts, or whole parts of an id.
WORDS = (
    (re.compile("myLocation"), "westus"),
    (re.compile("(?:my)?(?:(?:community|shared)?gallery)?(?:image)?versionname", re.IGNORECASE), "1.0.0"),
)
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_SUBSCRIPTION = re.compile(r"^/?subscriptions/[^/]+/", re.IGNORECASE)


@dataclass(frozen=True)
class Example:
    """One request. `id` is "VirtualMachines_CreateOrUpdate/Create a vm with ssh authentication.", `path` is quoted, without the query."""

    id: str
    operation: str
    method: str
    template: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    document: Path

    @property
    def url(self) -> str:
        return f"https://management.azure.com{self.path}?{urlencode(self.query)}"

    @property
    def content(self) -> bytes:
        return b"" if self.body is None else json.dumps(self.body).encode()


def examples(subscription: str) -> Iterator[Example]:
    """All examples of the documents, in the documents' order."""
    for path in sorted(OPENAPI.rglob("*.json")):
        if "examples" not in path.parts:
            for template, method, operation in operations_of(path):
                yield from _examples(path, template, method, operation, subscription)


@cache
def operations_of(document: Path) -> list[tuple[str, str, Any]]:
    """A document's operations: path, method, and what it says about it."""
    paths = json.loads(document.read_text()).get("paths", {})
    return [(path, method, one) for path, found in paths.items() for method, one in found.items() if method != "parameters"]


def _examples(document: Path, template: str, method: str, operation: Any, subscription: str) -> Iterator[Example]:
    parameters = [resolved(document, one)[1] for one in operation.get("parameters", [])]
    places = {one["name"]: one["in"] for one in parameters}
    for title, reference in operation.get("x-ms-examples", {}).items():
        file = document.parent / reference["$ref"]
        if not file.exists():  # Network's and Resources' documents are here without theirs
            continue
        given = _filled(json.loads(file.read_text())["parameters"], subscription) | {"subscriptionId": subscription}
        yield Example(
            f"{operation['operationId']}/{title}",
            operation["operationId"],
            method.upper(),
            template,
            "".join(quote(str(given[part]), safe="") if at % 2 else part for at, part in enumerate(_PLACEHOLDER.split(template))),
            {name: _text(value) for name, value in given.items() if places.get(name) == "query"},
            {name: str(value) for name, value in given.items() if places.get(name) == "header"},
            next((given[name] for name in given if places.get(name) == "body"), None),
            document,
        )


def resolved(document: Path, value: Any) -> tuple[Path, Any]:
    """What a `$ref` of a document points to, and in which document that is."""
    while "$ref" in value:
        file, _, pointer = value["$ref"].partition("#")
        document = (document.parent / file).resolve() if file else document
        value = _document(document)
        for part in pointer.strip("/").split("/"):
            value = value[part]
    return document, value


@cache
def _document(path: Path) -> Any:
    return json.loads(path.read_text())


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _filled(value: Any, subscription: str) -> Any:
    if isinstance(value, dict):
        return {  # user-assigned identities are named by keys
            _filled(name, subscription) if name.startswith("/") else name: _filled(inner, subscription) for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_filled(inner, subscription) for inner in value]
    if not isinstance(value, str):
        return value
    value = _SUBSCRIPTION.sub(f"/subscriptions/{subscription}/", value)
    value = _PLACEHOLDER.sub(lambda found: VALUES.get(found[1], found[1]), value)
    return "/".join(next((word for kind, word in WORDS if kind.fullmatch(part)), part) for part in value.split("/"))
