"""Machines that are backed up: one file is one machine, captured Specialized by its schedule.

The files lie beside the recipes, in the folder ``backups`` of the catalogue, and are checked as recipes are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field

from include.factory.catalogue import Catalogue
from include.factory.notice import Notify
from include.factory.problem import Contradiction, Location, Problem, dotted
from include.factory.publish import TargetRegion
from include.factory.schedule import PRESETS, Schedule
from include.factory.value import DefinitionName, GalleryName, Pattern, ResourceGroupName, Shorthand, Slug, Value, repeated

FOLDER = "backups"

MachineName = Annotated[
    str,
    Pattern(
        r"/subscriptions/[^/]+/resource[gG]roups/[^/]+/providers/Microsoft[.]Compute/virtualMachines/[^/]+|[\w\-.()]{1,90}/[\w\-.]{1,64}",
        "a virtual machine",
        "Write its ARM id (`az vm list --query [].id` prints them), or resource-group/name.",
    ),
]


class Backup(Value):
    """One file of the folder: which machine, when, where its captures go, and how many are kept."""

    name: Annotated[Slug, Field(max_length=50)]
    """Name of the backup, and of its file."""
    description: Annotated[str, Field(max_length=1000)] = ""
    """What the machine is."""
    owner: Annotated[str, Field(min_length=1, max_length=256)]
    """Who answers for the machine: a team or an address."""
    virtual_machine: MachineName
    """The machine: its ARM id, or `resource-group/name` in the connection's subscription."""
    schedule: Annotated[Schedule, Shorthand(str, lambda cron: {"cron": cron})]
    """When it is captured: a cron expression (in UTC), or `cron` and `time_zone`."""
    gallery: GalleryName
    """Compute gallery of the captures; made when missing."""
    resource_group: ResourceGroupName
    """Resource group of the gallery; made when missing."""
    definition: DefinitionName | None = None
    """Image definition, of this machine alone; made when missing. By default the backup's name."""
    regions: tuple[Annotated[TargetRegion, Shorthand(str, lambda name: {"name": name})], ...] = ()
    """Regions that the captures are brought to, beside the machine's own: where it is to be restored when that one is lost."""
    stop: bool = False
    """Stop the machine for its snapshots and start it again, so that all its disks are of one moment."""
    keep: int = Field(default=14, ge=1, le=1000)
    """Captures that are kept; older ones are deleted when a newer one is good."""

    notify: tuple[Notify, ...] = ()
    """Who is told when a backup failed, as in a recipe's `notify`, with the event `failed`."""

    @property
    def image(self) -> str:
        """Name of the image definition."""
        return self.definition or self.name

    def form(self) -> dict[str, Any]:
        """What the DAG capture_vm is started with."""
        return {
            "virtual_machine": self.virtual_machine,
            "state": "Specialized",
            "to": "gallery",
            "resource_group": self.resource_group,
            "gallery": self.gallery,
            "definition": self.image,
            "regions": [region.model_dump(exclude_none=True) for region in self.regions],
            "stop": self.stop,
            "name": self.name,
            "keep": self.keep,
            "owner": self.owner,
            "dry_run": False,
            "reason": f"backup {self.name}",
        }


@dataclass(frozen=True)
class Backups:
    """The good ones by name, and the problems of the others."""

    backups: dict[str, Backup] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def load_backups(catalogue_folder: Path, catalogue: Catalogue | None = None) -> Backups:
    """Read every ``backups/*.yaml`` of a catalogue; a folder that is not there holds none.

    :param catalogue: its recipes, whose definitions no backup may publish to.
    """
    from include.factory.diagnosis import diagnose_as
    from include.factory.yaml_file import YamlError, parse

    found: dict[str, Backup] = {}
    problems: dict[str, list[Problem]] = {}
    nodes: dict[str, Any] = {}
    for path in sorted((catalogue_folder / FOLDER).glob("[!.]*.y*ml")):
        if path.suffix == ".yml":
            problems[path.name] = [Problem(str(path), 1, "", "backups are named *.yaml", f"Rename it to {path.stem}.yaml.")]
            continue
        try:
            data, nodes[path.stem] = parse(path.read_text("utf-8"))
        except YamlError as error:
            problems[path.name] = [Problem(str(path), line, "", message, cure) for line, message, cure in error.faults]
            continue
        except (OSError, UnicodeDecodeError) as error:
            problems[path.name] = [Problem(str(path), 1, "", f"the file cannot be read: {error}", "Save it as UTF-8 text.")]
            continue
        wrong, backup = diagnose_as(Backup, str(path), data, nodes[path.stem], _contradictions)
        if wrong:
            problems[path.name] = wrong
        if backup is not None:
            found[path.stem] = backup
    for stem, location, message, cure in _between(found, catalogue):
        path = catalogue_folder / FOLDER / f"{stem}.yaml"
        problems.setdefault(path.name, []).append(Problem(str(path), _line(nodes[stem], location), dotted(location), message, cure))
    good = {name: backup for name, backup in found.items() if f"{name}.yaml" not in problems}
    return Backups(good, sorted(problem for each in problems.values() for problem in each))


def _line(node: Any, location: Location) -> int:
    from include.factory.yaml_file import locate

    return locate(node, location)[0]


def _contradictions(backup: Backup) -> Iterator[Contradiction]:
    for index, first in repeated([region.name for region in backup.regions]):
        yield Contradiction(("regions", index), f"{backup.regions[index].name} is also regions[{first}]", "Name each region once.")
    for index, way in enumerate(backup.notify):
        if "failed" not in way.events:
            yield Contradiction(("notify", index, "events"), "of a backup only `failed` is told", "Write events: failed.")
    encrypted = [region.name for region in backup.regions if region.encryption_set]
    if encrypted and len(encrypted) < len(backup.regions):
        yield Contradiction(
            ("regions",),
            f"{', '.join(encrypted)} has a disk encryption set and another region has none",
            "Azure wants one in every region of a version, the machine's own too, or in none.",
        )


def _between(backups: dict[str, Backup], catalogue: Catalogue | None) -> Iterator[tuple[str, Location, str, str]]:
    """What the files say against each other and against the recipes."""
    takes: dict[tuple[str, ...], str] = {}
    for recipe in catalogue.recipes.values() if catalogue else ():
        takes[_place(recipe.publish.resource_group, recipe.publish.gallery, recipe.definition)] = f"the recipe {recipe.name}"
    for stem, backup in backups.items():
        if backup.name != stem:
            yield (
                stem,
                ("name",),
                f"the backup is named {backup.name!r} and its file '{stem}.yaml'",
                f"Rename the file to {backup.name}.yaml.",
            )
        place = _place(backup.resource_group, backup.gallery, backup.image)
        if place in takes:
            yield (
                stem,
                ("definition",) if backup.definition else ("name",),
                f"{takes[place]} publishes to the definition {backup.image}, too",
                "Give each backup a definition of its own.",
            )
        takes.setdefault(place, f"the backup {stem}")


def _place(*names: str) -> tuple[str, ...]:
    return tuple(name.lower() for name in names)


def due(backups: Sequence[Backup], since: datetime, until: datetime) -> list[tuple[Backup, datetime]]:
    """The backups whose schedule came after `since` and not after `until`, each with the latest such time: what was missed longer ago is
    not made up for twice."""
    from croniter import croniter  # type: ignore[import-untyped]  # it ships no types

    found = []
    for backup in backups:
        zone = ZoneInfo(backup.schedule.time_zone)
        cron = PRESETS.get(backup.schedule.cron, backup.schedule.cron)
        # get_prev gives what is strictly before.
        at = croniter(cron, until.astimezone(zone) + timedelta(seconds=1)).get_prev(datetime)
        if since < at <= until:
            found.append((backup, at))
    return found
