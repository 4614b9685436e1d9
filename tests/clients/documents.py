"""Microsoft's OpenAPI documents made whole for the validator: without their examples, and with something in place of what they refer to and
is not among them, which takes any value. (Of the Network documents only some are here.)
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any


def complete(specification: Path, into: Path) -> None:
    """Copy the documents below `specification` to `into`, complete."""
    absent: dict[Path, set[str]] = defaultdict(set)
    for source in specification.rglob("*.json"):
        if "examples" in source.parts:
            continue
        document = json.loads(source.read_text())
        for operations in document.get("paths", {}).values():
            for operation in operations.values():
                if isinstance(operation, dict):
                    operation.pop("x-ms-examples", None)
        for file, pointer in references(document):
            target = (source.parent / file).resolve()
            if file and not target.exists():
                absent[target.relative_to(specification.resolve())].add(pointer)
        written = into / source.relative_to(specification)
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(json.dumps(document))
    for path, pointers in absent.items():
        stand_in: dict[str, Any] = {"swagger": "2.0", "info": {"title": path.stem, "version": "none"}, "paths": {}}
        for pointer in pointers:
            *outer, name = pointer.strip("/").split("/")
            inner = stand_in
            for part in outer:
                inner = inner.setdefault(part, {})
            inner[name] = {}
        written = into / path
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(json.dumps(stand_in))


def references(value: Any) -> list[tuple[str, str]]:
    """File and pointer of each `$ref`."""
    if isinstance(value, list):
        return [found for inner in value for found in references(inner)]
    if not isinstance(value, dict):
        return []
    if isinstance(value.get("$ref"), str):
        file, _, pointer = value["$ref"].partition("#")
        return [(file, pointer)]
    return [found for inner in value.values() for found in references(inner)]
