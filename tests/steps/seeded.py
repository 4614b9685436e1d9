"""Versions put straight into the sandbox's store: hundreds of them, of any age, without building one by one."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from include.sandbox.regions import display
from include.sandbox.store import Resource
from include.sandbox.wire import stamp
from include.steps.look import RUN_TAG
from tests.steps.build_line import DEFINITION, GALLERIES, GALLERY, HOME, VERSION, Line

PATH: dict[str, Any] = {"resource_group": GALLERIES, "gallery": GALLERY, "definition": DEFINITION}
PROMOTED = {"image-factory-promoted": "2026-01-01T00:00:00+00:00"}


async def gallery_line(**options: Any) -> Line:
    """A line with an empty definition, and a first version's resource as the pattern of all others."""
    line = await Line(**options).through("publish")
    line.sandbox.advance()
    pattern = line.version()
    line.sandbox.store.drop(pattern)
    line.pattern = pattern  # type: ignore[attr-defined]  # carried along
    line.transport.calls.clear()
    return line


def seed(
    line: Line,
    name: str,
    regions: Iterable[str] = (HOME,),
    *,
    excluded: bool = False,
    excluded_in: Iterable[str] = (),
    age: float = 0,
    tags: dict[str, str] | None = None,
    definition: str = DEFINITION,
    source: str | None = None,
    **properties: Any,
) -> str:
    """Put a version into the store; returns its id.

    :param excluded: as a whole and in every region; ``excluded_in`` in some.
    :param age: days since it was published, by the computer's clock.
    :param source: ARM id of what it was made from.
    """
    pattern: Resource = line.pattern  # type: ignore[attr-defined]  # carried along
    id = pattern.id.replace(f"/images/{DEFINITION}/versions/{VERSION}", f"/images/{definition}/versions/{name}")
    body, private = copy.deepcopy(pattern.body), copy.deepcopy(pattern.private)
    body |= {"id": id, "name": name, "tags": {RUN_TAG: "build_ubuntu/seeded", **(PROMOTED if tags is None else tags)}}
    profile = body["properties"]["publishingProfile"]
    profile["excludeFromLatest"] = excluded
    hidden = set(excluded_in)
    profile["targetRegions"] = [
        {**profile["targetRegions"][0], "name": display(region), "excludeFromLatest": excluded or region in hidden} for region in regions
    ]
    profile["publishedDate"] = stamp((datetime.now(UTC) - timedelta(days=age)).timestamp())
    if source:
        body["properties"]["storageProfile"]["source"] = {"id": source}
    body["properties"].update(properties)
    replica = next(iter(private["replicas"].values()))
    private["replicas"] = {region: dict(replica) for region in regions}
    line.sandbox.store.add(Resource(id, pattern.type, body, private))
    return id


def version_of(line: Line, name: str) -> Any:
    """The sandbox's own resource; None where there is none."""
    return line.resource("galleries/images/versions", GALLERY, DEFINITION, name, group=GALLERIES)


def tags_of(line: Line, name: str) -> dict[str, str]:
    tags: dict[str, str] = version_of(line, name).body.get("tags") or {}
    return tags
