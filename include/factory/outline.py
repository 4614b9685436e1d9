"""The outlines of a catalogue's recipes: what forms offer and schedules wait for.

They are read from the files as they stand, without a check: many DAG files need no more of a thousand recipes, and each is read in a
process of its own, over and over. A recipe that is broken elsewhere has its outline all the same, so that no schedule changes because a
line of YAML does; what it lacks of an outline, takes no other's away.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.factory.catalogue_cache import CatalogueCache

# Names of recipes, galleries and definitions; what is none of these makes no asset and no choice in a form.
_NAME = re.compile(r"[\w.-]{1,80}", re.ASCII)


@dataclass(frozen=True)
class Outline:
    """What one file says of its image."""

    name: str
    resource_group: str
    gallery: str
    definition: str
    is_shared: bool
    has_second_gallery: bool
    builds_on_new_base: bool


def outlines(folder: Path) -> list[Outline]:
    """The outlines of a catalogue by their names. Files that were read before come from the catalogue's cache, which is left as it is.

    :raises NotADirectoryError: there is no such folder.
    """
    cache = CatalogueCache(folder)
    files = sorted((entry.name, entry) for entry in os.scandir(folder) if entry.name.endswith(".yaml") and not entry.name.startswith("."))
    read = (_outline(name.removesuffix(".yaml"), _content(entry, cache)) for name, entry in files if entry.is_file())
    return [outline for outline in read if outline]


def backup_names(folder: Path) -> list[str]:
    """The names of a catalogue's backups (:mod:`include.factory.backup`), which are those of their files."""
    return sorted(path.stem for path in (folder / "backups").glob("[!.]*.yaml"))


def _content(entry: os.DirEntry[str], cache: CatalogueCache) -> Any:
    known = cache.get(entry.name, entry.stat())
    if known is not None:
        return known
    from include.factory.yaml_file import YamlError, parse

    try:
        return parse(Path(entry.path).read_text("utf-8"))[0]
    except (OSError, ValueError, YamlError):
        return None


def _outline(name: str, content: Any) -> Outline | None:
    publish = content.get("publish") if isinstance(content, dict) else None
    if not isinstance(publish, dict):
        return None
    group, gallery, definition = (str(publish.get(word) or "") for word in ("resource_group", "gallery", "definition"))
    definition = definition or name
    if not group or not all(_NAME.fullmatch(word) for word in (name, gallery, definition)):
        return None
    return Outline(
        name=name,
        resource_group=group,
        gallery=gallery,
        definition=definition,
        is_shared=content.get("share") is not None,
        has_second_gallery=content.get("disaster_recovery") is not None,
        builds_on_new_base=_builds_on_new_base(content.get("schedule")),
    )


def _builds_on_new_base(schedule: Any) -> bool:
    if not isinstance(schedule, dict) or "on_new_base" not in schedule:
        return False
    from pydantic import ValidationError

    from include.factory.schedule import BuildSchedule

    try:
        return BuildSchedule.model_validate(schedule).on_new_base
    except ValidationError:
        return False
