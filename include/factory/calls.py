"""The writes that planned steps make when nothing disturbs them: what a plan promises, and what a test counts at the sandbox.

A call is ``METHOD /subscriptions/…``. Reads are not among them: they change nothing, and how many there are depends on how long Azure
takes. A step that finds its work done makes fewer writes; one that repairs something makes more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class World:
    """What decides about the writes besides the steps' own arguments."""

    subscription_id: str
    there: frozenset[str] = frozenset()
    """ARM ids, in lower case, of what exists already; a step that ensures one of these writes nothing."""
    luns: tuple[int, ...] = ()
    """LUNs of the machine whose disks are captured."""

    def group(self, name: str) -> str:
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{name}"

    def id(self, group: str, *path: str, provider: str = "Microsoft.Compute") -> str:
        return "/".join((self.group(group), "providers", provider, *path))

    def version(self, a: Arguments) -> str:
        gallery, definition = a["gallery"], a["definition"]
        return self.id(a["resource_group"], "galleries", gallery, "images", definition, "versions", a["version"])

    def missing(self, *ids: str) -> Iterator[str]:
        yield from (f"PUT {one}" for one in ids if one.lower() not in self.there)


def planned_calls(steps: Mapping[str, Arguments | None], names: Mapping[str, str], world: World) -> list[str]:
    """The writes of all steps of a plan, task by task.

    :param steps: task id -> arguments, None where the task has nothing to do.
    :param names: task id -> step, ``<module>.<function>`` of ``include/steps``.
    """
    return [call for task, arguments in steps.items() if arguments is not None for call in _WRITES[names[task]](arguments, world)]


def calls_text(calls: Iterable[str]) -> Iterator[str]:
    """The calls for a reader, a line each, equal ones once with their number."""
    for call, count in Counter(calls).items():
        method, _, path = call.partition(" ")
        yield f"{method:6} {_short(path)}{f' ({count} times)' if count > 1 else ''}"


def _short(path: str) -> str:
    """``snapshots/s in g`` of ``/subscriptions/…/resourceGroups/g/providers/Microsoft.Compute/snapshots/s``."""
    parts = path.strip("/").split("/")
    return f"{'/'.join(parts[6:])} in {parts[3]}" if len(parts) > 6 else "/".join(parts[2:])


Writes = Callable[[Arguments, World], Iterator[str]]


def _ensure_group(a: Arguments, world: World) -> Iterator[str]:
    yield from world.missing(world.group(a["name"]))


def _delete_group(a: Arguments, world: World) -> Iterator[str]:
    yield f"DELETE {world.group(a['name'])}"


def _network(a: Arguments, world: World) -> Iterator[str]:
    yield f"PUT {world.id(a['resource_group'], 'virtualNetworks', a['name'], provider='Microsoft.Network')}"


def _disks(world: World, a: Arguments, kind: str, luns: Iterable[Any]) -> Iterator[str]:
    for disk in ("os", *(f"lun{lun}" for lun in luns)):
        name = f"{a['name']}-{disk}"
        yield f"PUT {world.id(a['resource_group'], kind, name)}"


def _machine(a: Arguments, world: World) -> Iterator[str]:
    if snapshots := a["source"].get("snapshot"):
        yield from _disks(world, a, "disks", snapshots.get("data") or ())
    yield f"PUT {world.id(a['resource_group'], 'virtualMachines', a['name'])}"


def _action(action: str) -> Writes:
    def writes(a: Arguments, world: World) -> Iterator[str]:
        yield f"POST {world.id(a['resource_group'], 'virtualMachines', a['name'], action)}"

    return writes


def _snapshots(a: Arguments, world: World) -> Iterator[str]:
    yield from _disks(world, a, "snapshots", world.luns)


def _image(a: Arguments, world: World) -> Iterator[str]:
    yield f"PUT {world.id(a['resource_group'], 'images', a['name'])}"


def _script(name: str | None = None) -> Writes:
    def writes(a: Arguments, world: World) -> Iterator[str]:
        yield f"PUT {world.id(a['resource_group'], 'virtualMachines', a['virtual_machine'], 'runCommands', name or a['name'])}"

    return writes


def _destination(a: Arguments, world: World) -> Iterator[str]:
    group, gallery = a["gallery"]["resource_group"], a["gallery"]["name"]
    definition = world.id(group, "galleries", gallery, "images", a["definition"]["name"])
    yield from world.missing(world.group(group), world.id(group, "galleries", gallery), definition)


def _version(a: Arguments, world: World) -> Iterator[str]:
    yield f"PUT {world.version(a)}"


def _replicate(a: Arguments, world: World) -> Iterator[str]:
    if len(a["target_regions"]) > 1:
        yield f"PUT {world.version(a)}"


def _export(a: Arguments, world: World) -> Iterator[str]:
    for snapshot in a["snapshots"].values():
        for action in ("beginGetAccess", "endGetAccess"):
            yield f"POST {world.id(a['resource_group'], 'snapshots', snapshot, action)}"


def _delete_versions(a: Arguments, world: World) -> Iterator[str]:
    for version in a["versions"]:
        yield f"DELETE {world.version({**a, 'version': version})}"


def _nothing(a: Arguments, world: World) -> Iterator[str]:
    return iter(())


_WRITES: dict[str, Writes] = {
    "resource_group.ensure": _ensure_group,
    "resource_group.delete": _delete_group,
    "network.ensure": _network,
    "virtual_machine.create": _machine,
    "virtual_machine.deallocate": _action("deallocate"),
    "virtual_machine.start": _action("start"),
    "virtual_machine.generalize": _action("generalize"),
    "virtual_machine.capture_source": _nothing,
    "snapshot.capture": _snapshots,
    "image.create": _image,
    "guest.deprovision": _script("deprovision"),
    "run_command.run": _script(),
    "destination.ensure": _destination,
    "image_version.publish": _version,
    "image_version.replicate": _replicate,
    "image_version.promote": _version,
    "disk.export_vhds": _export,
    "machine_capture.retire": _delete_versions,
    "machine_capture.report": _nothing,
    "restore.meet_objective": _nothing,
    "restore.report": _nothing,
}
