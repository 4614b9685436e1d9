"""The writes that planned steps make when nothing disturbs them: what a plan promises, and what a test counts at the sandbox.

They follow from the steps' arguments alone, so that a plan cannot say one thing and do another. Reads are not among them: they change
nothing, and how many there are depends on how long Azure takes; nor, for the same reason, are the questions that a Windows guest is
asked while sysprep works, each a run command of its own. A step that finds its work done makes fewer writes; one that repairs
something makes more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from include.factory import version_tags
from include.factory.image_version import ImageVersion
from include.factory.value import Value
from include.factory.version import highest, parse_version

Arguments = Mapping[str, Any]


class Call(Value):
    """One call that changes something in Azure."""

    method: Literal["PUT", "PATCH", "POST", "DELETE"]
    path: str
    """``/subscriptions/…``."""
    what: str = ""
    """In a few words, where method and path do not say it."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class World:
    """What decides about the writes besides the steps' own arguments."""

    subscription_id: str
    there: frozenset[str] = frozenset()
    """ARM ids, in lower case, of what exists already; a step that ensures one of these writes nothing."""
    luns: tuple[int, ...] = ()
    """LUNs of the machine whose disks are captured."""
    retired_up_to: Mapping[str, str] = field(default_factory=dict)
    """ARM id of an image definition, in lower case -> the highest number that was ever deleted there, where one was."""
    versions: Mapping[str, ImageVersion] = field(default_factory=dict)
    """Versions as they are, by their ARM ids in lower case: what is so already is not written again."""

    def with_versions(self, path: Arguments, versions: Iterable[ImageVersion]) -> World:
        """The same with the versions of a definition; ``path`` names its resource group, gallery and definition."""
        return replace(self, versions={**self.versions, **{self.version(path, one.name).lower(): one for one in versions}})

    def group(self, name: str) -> str:
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{name}"

    def id(self, group: str, *path: str, provider: str = "Microsoft.Compute") -> str:
        return "/".join((self.group(group), "providers", provider, *path))

    def definition(self, a: Arguments) -> str:
        return self.id(a["resource_group"], "galleries", a["gallery"], "images", a["definition"])

    def version(self, a: Arguments, version: str | None = None) -> str:
        return f"{self.definition(a)}/versions/{version or a['version']}"

    def missing(self, *ids: str) -> Iterator[Call]:
        yield from (_put(one) for one in ids if one.lower() not in self.there)


def planned_calls(steps: Mapping[str, Arguments | None], names: Mapping[str, str], world: World) -> tuple[Call, ...]:
    """The writes of all steps of a plan, task by task.

    :param steps: task id -> arguments, None where the task has nothing to do.
    :param names: task id -> step, ``<module>.<function>`` of ``include/steps``.
    """
    return tuple(call for task, arguments in steps.items() if arguments is not None for call in _WRITES[names[task]](arguments, world))


def calls_text(calls: Iterable[Call]) -> str:
    """The calls for a reader, a line each, equal ones once with their number; and how many there are of each method."""
    counted = Counter((call.method, short(call.path), call.what) for call in calls)
    if not counted:
        return "  no call is made"
    methods: Counter[str] = Counter()
    for (method, _, _), count in counted.items():
        methods[method] += count
    total = ", ".join(f"{count} {method}" for method, count in sorted(methods.items()))
    lines = [
        f"    {method:6} {path}{f' ({count} times)' if count > 1 else ''}{f'  {what}' if what else ''}"
        for (method, path, what), count in counted.items()
    ]
    return "\n".join([f"  calls ({total}; more only where Azure fails one):", *lines])


def short(path: str) -> str:
    """``snapshots/s in g`` of ``/subscriptions/…/resourceGroups/g/providers/Microsoft.Compute/snapshots/s``."""
    parts = path.strip("/").split("/")
    return f"{'/'.join(parts[6:])} in {parts[3]}" if len(parts) > 6 and parts[2].lower() == "resourcegroups" else "/".join(parts[2:])


def _put(path: str, what: str = "") -> Call:
    return Call(method="PUT", path=path, what=what)


def _patch(path: str, what: str = "") -> Call:
    return Call(method="PATCH", path=path, what=what)


def _post(path: str) -> Call:
    return Call(method="POST", path=path)


def _delete(path: str, what: str = "") -> Call:
    return Call(method="DELETE", path=path, what=what)


Writes = Callable[[Arguments, World], Iterator[Call]]


def _ensure_group(a: Arguments, world: World) -> Iterator[Call]:
    yield from world.missing(world.group(a["name"]))


def _delete_group(a: Arguments, world: World) -> Iterator[Call]:
    yield _delete(world.group(a["name"]))


def _network(a: Arguments, world: World) -> Iterator[Call]:
    yield _put(world.id(a["resource_group"], "virtualNetworks", a["name"], provider="Microsoft.Network"))


def _disks(world: World, a: Arguments, kind: str, luns: Iterable[Any]) -> Iterator[Call]:
    for disk in ("os", *(f"lun{lun}" for lun in luns)):
        name = f"{a['name']}-{disk}"
        yield _put(world.id(a["resource_group"], kind, name))


def _machine(a: Arguments, world: World) -> Iterator[Call]:
    if snapshots := a["source"].get("snapshot"):
        yield from _disks(world, a, "disks", snapshots.get("data") or ())
    yield _put(world.id(a["resource_group"], "virtualMachines", a["name"]))


def _action(action: str) -> Writes:
    def writes(a: Arguments, world: World) -> Iterator[Call]:
        yield _post(world.id(a["resource_group"], "virtualMachines", a["name"], action))

    return writes


def _snapshots(a: Arguments, world: World) -> Iterator[Call]:
    yield from _disks(world, a, "snapshots", world.luns)


def _image(a: Arguments, world: World) -> Iterator[Call]:
    yield _put(world.id(a["resource_group"], "images", a["name"]))


def _script(a: Arguments, world: World) -> Iterator[Call]:
    machine = world.id(a["resource_group"], "virtualMachines", a["virtual_machine"])
    yield _put(f"{machine}/runCommands/{a.get('name', 'deprovision')}")
    if a.get("reboot_after"):
        yield _post(f"{machine}/restart")


def _destination(a: Arguments, world: World) -> Iterator[Call]:
    group, gallery = a["gallery"]["resource_group"], a["gallery"]["name"]
    definition = world.definition({"resource_group": group, "gallery": gallery, "definition": a["definition"]["name"]})
    yield from world.missing(world.group(group), world.id(group, "galleries", gallery), definition)


def _version(a: Arguments, world: World) -> Iterator[Call]:
    yield _put(world.version(a))


def _replicate(a: Arguments, world: World) -> Iterator[Call]:
    if others := [region["name"] for region in a["target_regions"][1:]]:
        yield _patch(world.version(a), _adding(others))


def _adding(regions: Iterable[str]) -> str:
    return " ".join(f"+{name}" for name in regions)


def _change_regions(a: Arguments, world: World) -> Iterator[Call]:
    """One update of the list, which repairs, too; for a removal, the last thing, three: see :mod:`include.steps.replication`."""
    for change in a["versions"]:
        path = world.version(a, change["version"])
        said = [_adding(added)] if (added := change.get("add")) else []
        if added:
            said.append("(excluded from latest there)" if change.get("excluded", True) else "(latest there)")
        said += [f"{name}: {count} replicas" for name, count in change.get("replica_count", {}).items()]
        said += [f"repair {name}" for name in change.get("repair", ())]
        if change.get("forget"):
            yield _patch(_tags(path), "what was removed is added again")
        if said:
            yield _patch(path, " ".join(said))
        if removed := change.get("remove"):
            yield _patch(_tags(path), f"{', '.join(removed)}: the removal announced")
            yield _patch(path, "deletion of regions allowed")
            yield _patch(path, " ".join(f"-{name}" for name in removed))
            yield _patch(path, "deletion of regions forbidden")


def _promote(a: Arguments, world: World) -> Iterator[Call]:
    said = [f"latest in {', '.join(wave)}" for wave in a["waves"]] or [""] * bool(a["channels"])
    if a["channels"]:
        said[-1] = "; ".join(filter(None, (said[-1], f"channel {', '.join(a['channels'])}")))
    boots = [*a.get("boots", ()), None]
    version = world.version(a)
    if a.get("lifts"):
        yield _patch(_tags(version), "the mark of the roll-back or retirement is taken off")
    for number, what in enumerate(said):
        if a["waves"]:
            yield _patch(version, what)
        yield _patch(_tags(version), "" if a["waves"] else what)
        if boot := boots[min(number, len(boots) - 1)]:
            yield from planned_calls(boot, _BOOT, world)


def _promote_built(a: Arguments, world: World) -> Iterator[Call]:
    yield _patch(world.version(a), "latest everywhere")
    yield _patch(_tags(world.version(a)))


def _tags(path: str) -> str:
    """Where a resource's tags are changed one by one."""
    return f"{path}/providers/Microsoft.Resources/tags/default"


def _roll_back(a: Arguments, world: World) -> Iterator[Call]:
    for version, regions in a["include"].items():
        yield _patch(world.version(a, version), f"latest again in {', '.join(regions)}")
    for version in a["versions"]:
        path = world.version(a, version)
        there = world.versions.get(path.lower())
        if there and version_tags.of_promotion(there.tags):
            yield _patch(_tags(path), "out of its channels")
        if not (there and there.is_rolled_back):
            yield _patch(_tags(path), "marked as rolled back")
        yield from _hidden(world, path, "out of latest everywhere")


def _hidden(world: World, path: str, what: str) -> Iterator[Call]:
    there = world.versions.get(path.lower())
    if not (there and there.is_hidden):
        yield _patch(path, what)


def _retire(a: Arguments, world: World) -> Iterator[Call]:
    """Before the first deletion the definition remembers the highest number that is deleted."""
    for one in a["definitions"]:
        asked, definition = one["asked"], world.definition(one["asked"])
        known = world.retired_up_to.get(definition.lower())
        if (top := highest(one["delete"])) and (known is None or parse_version(top) > parse_version(known)):
            yield _patch(_tags(definition), f"numbers up to {top} are never used again")
        for version in one["exclude"]:
            yield _patch(_tags(world.version(asked, version)), "marked as retired")
            yield from _hidden(world, world.version(asked, version), "out of latest")
        yield from (
            _delete(world.version(asked, version), "soft, can be restored" if asked["soft"] else "for good") for version in one["delete"]
        )


def _restore(a: Arguments, world: World) -> Iterator[Call]:
    """Two for each: Azure takes no other change in the call that restores."""
    marked = "out of latest, marked as restored" + " and pinned" * bool(a["pin"])
    yield from (_put(world.version(a, version), what) for version in a["versions"] for what in ("restore", marked))


def _keep_second(a: Arguments, world: World) -> Iterator[Call]:
    for kept in a["recipes"]:
        destination = kept["destination"]
        if any(action.get("copy_of") for action in kept["versions"]):
            yield from _destination(destination, world)
        definition = {**destination["definition"], "definition": destination["definition"]["name"]}
        for action in kept["versions"]:
            path = world.version(definition, action["version"])
            if action.get("delete"):
                yield _delete(path)
                continue
            if action.get("copy_of"):
                yield _put(path, "copy")
            if action.get("regions"):
                yield _patch(path, _adding(action["regions"]))
            if action.get("excluded") is not None:
                yield _patch(path, "out of latest" if action["excluded"] else "latest")


def _share(a: Arguments, world: World) -> Iterator[Call]:
    for one in a["galleries"]:
        yield from (_post(f"{one['gallery']}/share") for what in ("add", "remove", "enable_community") if one[what])
        yield from map(_put, one["grant"])
        yield from map(_delete, one["revoke"])


def _sweep(a: Arguments, world: World) -> Iterator[Call]:
    yield from (_delete(one["id"], f"of the run {one['run']}") for one in a["leftovers"])


def _export(a: Arguments, world: World) -> Iterator[Call]:
    for snapshot in a["snapshots"].values():
        for action in ("beginGetAccess", "endGetAccess"):
            yield _post(world.id(a["resource_group"], "snapshots", snapshot, action))


def _delete_versions(a: Arguments, world: World) -> Iterator[Call]:
    yield from (_delete(world.version(a, version)) for version in a["versions"])


def _nothing(a: Arguments, world: World) -> Iterator[Call]:
    return iter(())


# The tasks of a boot, as :mod:`include.factory.restore` names them.
_BOOT = {
    "create_resource_group": "resource_group.ensure",
    "create_network": "network.ensure",
    "create_virtual_machine": "virtual_machine.create",
    "check": "run_command.run",
    "delete_resource_group": "resource_group.delete",
}

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
    "guest.deprovision": _script,
    "run_command.run": _script,
    "destination.ensure": _destination,
    "image_version.publish": _version,
    "image_version.replicate": _replicate,
    "image_version.promote": _promote_built,
    # Only where the run failed.
    "image_version.discard": _nothing,
    "regions.change": _change_regions,
    "promotion.promote": _promote,
    "rollback.roll_back": _roll_back,
    "retirement.retire": _retire,
    "restoration.restore": _restore,
    "second_gallery.keep": _keep_second,
    "sharing.apply": _share,
    "leftovers.sweep": _sweep,
    "disk.export_vhds": _export,
    "machine_capture.retire": _delete_versions,
    "machine_capture.report": _nothing,
    "restore.meet_objective": _nothing,
    "restore.report": _nothing,
    "regions.report": _nothing,
    "promotion.report": _nothing,
    "retirement.report": _nothing,
    "second_gallery.report": _nothing,
    "leftovers.report": _nothing,
}
