"""The capture of an existing virtual machine: what is asked, and the plan that is made of it before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from include.factory import cost
from include.factory.arguments import DEPROVISION_TIMEOUT
from include.factory.calls import Call, World, calls_text, planned_calls
from include.factory.capture_route import NoRouteError, Route, capture_route
from include.factory.facts import DefinitionFacts
from include.factory.image_version import ImageVersion, newest_first
from include.factory.machine_facts import MachineFacts
from include.factory.names import tag_value
from include.factory.preflight import BUILD_RIGHTS, GALLERY_RIGHTS, MachineNeeds, Needs, Purchase
from include.factory.problem import refusal
from include.factory.publish import TargetRegion
from include.factory.recipe import DEFAULT_SIZES
from include.factory.run import Run
from include.factory.tags import BASE, CAPTURE, EXPIRES, LIFETIME, OWNER, REASON, RUN, iso
from include.factory.value import DefinitionName, Duration, GalleryName, ResourceGroupName, Value
from include.factory.version import parse_version, version_of

Arguments = dict[str, Any]

NETWORK = "10.251.0.0/24"
"""Of the copy's own network: nothing reaches it and it reaches nothing, so it never meets the machine that it is a copy of."""

# Task id -> step, in the order in which the DAG runs them.
STEPS = {
    "create_resource_group": "resource_group.ensure",
    "machine.stop": "virtual_machine.deallocate",
    "machine.snapshot_disks": "snapshot.capture",
    "machine.start": "virtual_machine.start",
    "copy.create_network": "network.ensure",
    "copy.create_virtual_machine": "virtual_machine.create",
    "generalize.deprovision": "guest.deprovision",
    "generalize.deallocate": "virtual_machine.deallocate",
    "generalize.mark_generalized": "virtual_machine.generalize",
    "capture.check_machine": "virtual_machine.capture_source",
    "capture.create_image": "image.create",
    "capture.snapshot_disks": "snapshot.capture",
    "ensure_destination": "destination.ensure",
    "publish_version": "image_version.publish",
    "start_machine": "virtual_machine.start",
    "replicate_version": "image_version.replicate",
    "promote_version": "image_version.promote",
    "export_disks": "disk.export_vhds",
    "retire_captures": "machine_capture.retire",
    "delete_resource_group": "resource_group.delete",
    "report": "machine_capture.report",
}


class Capture(Value):
    """What is asked."""

    virtual_machine: str = Field(min_length=3)
    """ARM id of the machine, or `resource-group/name` in the connection's subscription."""
    state: Literal["Specialized", "Generalized"] = "Specialized"
    """Specialized: as it is, accounts and identity included. Generalized: without them, from a copy of the machine."""
    to: Literal["gallery", "vhd"] = "gallery"
    """Where it goes: a gallery version, or VHD files."""
    resource_group: ResourceGroupName | None = None
    """Of the gallery."""
    gallery: GalleryName | None = None
    """Made when missing."""
    definition: DefinitionName | None = None
    """Image definition; made when missing."""
    version: str | None = None
    """By default the run's time gives it."""
    regions: tuple[TargetRegion, ...] = ()
    """Regions beside the machine's own, which is always the first; naming that one gives its replica count or encryption set."""
    latest: bool = True
    """Whether `latest` resolves to it."""
    stop: bool = False
    """Stop the machine for its snapshots and start it again: then all disks are of one moment."""
    generalize_itself: str = ""
    """The machine's name, typed: generalize the machine itself and not a copy. It can never start again."""
    export_to: str = ""
    """Address of a blob container (its SAS comes apart), or a folder."""
    export_seconds: Annotated[int, Duration(600, 7 * 86400)] = 4 * 3600
    """How long the snapshots may be read."""
    name: str = ""
    """Under which the captures of this machine are kept together; by default the machine's name."""
    keep: int = Field(default=0, ge=0, le=1000)
    """Captures to keep of this name, this one included; older ones are deleted. 0 deletes none."""
    owner: str = Field(default="operator", min_length=1, max_length=256)
    """Who answers for it; becomes a tag."""

    @model_validator(mode="after")
    def _whole(self) -> Capture:
        if self.to == "gallery" and (missing := [name for name in ("resource_group", "gallery", "definition") if not getattr(self, name)]):
            raise refusal(f"{', '.join(missing)} of the gallery version: missing", "Fill them in; they are made when there are none.")
        if self.to == "vhd" and not self.export_to:
            raise refusal("export_to is missing", "Write the address of a blob container, or a folder.")
        if "?" in self.export_to:
            raise refusal(
                "export_to carries a SAS, which everybody who sees the run would read",
                "Leave out what follows the ?, and put the SAS into the Variable image_factory_export_sas_token.",
            )
        if self.generalize_itself and self.state != "Generalized":
            raise refusal("generalize_itself is filled in, and the capture is Specialized", "Choose Generalized, or leave it empty.")
        if "/" not in self.virtual_machine.strip("/"):
            raise refusal(f"{self.virtual_machine!r} is no machine", "Write its ARM id, or resource-group/name.")
        return self


class GalleryFacts(Value):
    """What is where the version is to go."""

    subscription_id: str
    there: tuple[str, ...] = ()
    """ARM ids of the resource group, gallery and definition, as far as they exist."""
    definition: DefinitionFacts | None = None
    versions: tuple[ImageVersion, ...] = ()


class CapturePlan(Value):
    machine: str
    """ARM id of the machine."""
    run: str
    version: str | None
    route: Route | None
    copied: bool
    """Whether a copy of the machine is generalized in its place."""
    notes: tuple[str, ...]
    calls: tuple[Call, ...]
    """Every write, as :mod:`include.factory.calls` says them."""
    deletes: tuple[str, ...]
    """Older captures that go."""
    size_gb: int
    monthly: float
    """US dollars a month at most, for the new version less the deleted ones."""
    once: float
    """US dollars at most, for transfer to regions."""
    steps: dict[str, Arguments | None]


class CapturePlanError(ValueError):
    """It cannot be done as asked; ``problems`` says everything that is in the way, each with its cure."""

    def __init__(self, machine: str, problems: list[str]) -> None:
        super().__init__(f"{machine} cannot be captured: " + " ".join(problems))
        self.problems = tuple(problems)


def plan_capture(asked: Capture, run: Run, machine: MachineFacts, gallery: GalleryFacts) -> CapturePlan:
    """The plan; pure, so that a repeated run has the same.

    :raises CapturePlanError: all that is in the way at once.
    """
    return _Planning(asked, run, machine, gallery).plan()


@dataclass(frozen=True)
class _Planning:
    asked: Capture
    run: Run
    machine: MachineFacts
    gallery: GalleryFacts

    def plan(self) -> CapturePlan:
        problems = [*self.problems()]
        if problems:
            raise CapturePlanError(self.machine.name, problems)
        steps = self.steps()
        world = World(self.gallery.subscription_id, frozenset(one.lower() for one in self.gallery.there), self.machine.luns)
        old = [version for version in self.gallery.versions if version.name in self.retired]
        size = self.machine.size_gb
        return CapturePlan(
            machine=self.machine.id,
            run=tag_value(self.run.id),
            version=self.version if self.to_gallery else None,
            route=self.route,
            copied=self.copied,
            notes=tuple(self.notes()),
            calls=planned_calls(steps, STEPS, world),
            deletes=tuple(self.retired),
            size_gb=size,
            monthly=round(sum(map(_monthly, self.regions, [size] * len(self.regions))) - sum(map(_version_cost, old)), 2),
            once=round(cost.transfer(size) * max(0, len(self.regions) - 1), 2),
            steps=steps,
        )

    # What follows from what is asked

    @property
    def to_gallery(self) -> bool:
        return self.asked.to == "gallery"

    @property
    def generalized(self) -> bool:
        return self.asked.state == "Generalized"

    @property
    def as_it_is(self) -> bool:
        """Nothing is left to generalize: the machine is marked already."""
        return self.generalized and self.machine.generalized

    @property
    def copied(self) -> bool:
        return self.generalized and not self.as_it_is and not self.asked.generalize_itself

    @property
    def itself(self) -> bool:
        return self.generalized and not self.as_it_is and not self.copied

    @property
    def version(self) -> str:
        return self.asked.version or version_of("date", self.run.at)

    @property
    def name(self) -> str:
        return self.asked.name or self.machine.name

    @property
    def regions(self) -> tuple[TargetRegion, ...]:
        """Home first, nothing left to default."""
        if not self.to_gallery:
            return ()
        written = {region.name: region for region in self.asked.regions}
        home = written.pop(self.machine.location, None) or TargetRegion(name=self.machine.location)
        return tuple(
            region.model_copy(
                update={"replica_count": region.replica_count or 1, "storage_account_type": region.storage_account_type or "Standard_LRS"}
            )
            for region in (home, *written.values())
        )

    @property
    def image_security(self) -> str:
        """What the definition says; a new one is made for the machine's own kind."""
        if self.gallery.definition is not None:
            return self.gallery.definition.features.get("SecurityType", "Standard")
        return self.machine.security_type

    @property
    def route(self) -> Route | None:
        if not self.to_gallery:
            return None
        # A machine that is not to be touched is captured by snapshots; a confidential one has none that could be used.
        by_snapshots = not self.generalized and self.machine.security_type != "ConfidentialVM"
        return capture_route(
            machine=self.machine.security_type,
            state=self.asked.state,
            image=self.image_security,
            generation=self.machine.generation,
            architecture=self.machine.architecture,
            asked="snapshot" if by_snapshots else "auto",
        )

    @property
    def retired(self) -> list[str]:
        """Older good captures of the same name beyond those that are kept, oldest last."""
        if not (self.to_gallery and self.asked.keep):
            return []
        own = [one for one in newest_first(self.gallery.versions) if one.tags.get(CAPTURE) == self.name and one.name != self.version]
        good = [one for one in own if one.state == "Succeeded" and parse_version(one.name) < parse_version(self.version)]
        return [one.name for one in good[self.asked.keep - 1 :]]

    # What is in the way

    def problems(self) -> Iterator[str]:
        machine, asked = self.machine, self.asked
        if asked.generalize_itself and asked.generalize_itself != machine.name:
            yield (
                f"generalize_itself says {asked.generalize_itself!r}, and the machine is {machine.name!r}. "
                f"Type the machine's name to give up the machine, or leave the field empty to generalize a copy."
            )
        if self.itself and machine.power != "running":
            yield f"The machine is {machine.power}, and only a running one can be deprovisioned. Start it first."
        if machine.generalized and not self.generalized:
            yield "The machine is generalized: it has no identity to keep. Choose Generalized."
        if unmanaged := [_disk(disk) for disk in machine.disks if not disk.managed]:
            yield f"{', '.join(unmanaged)}: no managed disk, so there is no snapshot of it. Convert it to a managed disk."
        if ultra := [_disk(disk) for disk in machine.disks if disk.storage_account_type in ("UltraSSD_LRS", "PremiumV2_LRS")]:
            yield f"{', '.join(ultra)}: a gallery takes no Ultra or Premium v2 disks. Detach it, or capture what is on it by other means."
        if self.copied and machine.security_type == "ConfidentialVM":
            yield (
                "A confidential machine cannot be copied: its guest state is bound to it. "
                "Capture it Specialized, or give up the machine itself (generalize_itself)."
            )
        if not self.to_gallery:
            if machine.security_type == "ConfidentialVM":
                yield "A confidential machine's disks cannot be exported. Capture it to a gallery."
            return
        try:
            _ = self.route
        except NoRouteError as error:
            yield f"{error.message[0].upper()}{error.message[1:]}. Publish to a definition of security type {machine.security_type}."
        yield from self.definition_problems()
        yield from self.version_problems()
        encrypted = [disk for disk in machine.disks if disk.encryption_set]
        if encrypted and not all(region.encryption_set for region in self.regions):
            yield (
                "The machine's disks are encrypted with the customer's key, and a region has no encryption set: "
                f"{', '.join(region.name for region in self.regions if not region.encryption_set)}. Name one for each region."
            )

    def definition_problems(self) -> Iterator[str]:
        definition = self.gallery.definition
        if definition is None:
            return
        pairs = (
            ("OS type", definition.os_type, self.machine.os_type),
            ("OS state", definition.os_state, self.asked.state),
            ("generation", definition.hyper_v_generation, self.machine.generation),
            ("architecture", definition.architecture, self.machine.architecture),
        )
        if different := [f"{what} {have} (the capture is {want})" for what, have, want in pairs if have.lower() != want.lower()]:
            yield f"The definition {self.asked.definition} has {', '.join(different)}. Publish to another definition."
        if problem := definition.plan_problem(str(self.asked.definition), self.machine.plan):
            yield problem

    def version_problems(self) -> Iterator[str]:
        try:
            parse_version(self.version)
        except ValueError as error:
            yield f"The version: {error}."
            return
        there = next((one for one in self.gallery.versions if one.name == self.version), None)
        if there is not None and there.tags.get(RUN) != tag_value(self.run.id):
            yield f"Version {self.version} exists already, made by {there.tags.get(RUN) or 'somebody else'}. Leave the version out."

    # What is done

    @property
    def group(self) -> str:
        short = sha256(f"{self.machine.id.lower()}\n{self.run.id}".encode()).hexdigest()[:12]
        return f"image-capture-{self.machine.name[:60]}-{short}"

    def here(self, kind: str, name: str) -> str:
        """The ARM id of something in the run's own group."""
        return f"/subscriptions/{self.gallery.subscription_id}/resourceGroups/{self.group}/providers/Microsoft.Compute/{kind}/{name}"

    @property
    def tags(self) -> dict[str, str]:
        reason = {REASON: tag_value(self.run.reason)} if self.run.reason else {}
        return {
            OWNER: tag_value(self.asked.owner),
            RUN: tag_value(self.run.id),
            BASE: tag_value(self.machine.id),
            CAPTURE: tag_value(self.name),
            **reason,
        }

    @property
    def temporary(self) -> dict[str, str]:
        return {**self.tags, EXPIRES: iso(self.run.began + LIFETIME)}

    @property
    def subject(self) -> tuple[str, str]:
        """Resource group and name of the machine that is generalized: the copy, or the machine itself."""
        return (self.group, "copy") if self.copied else (self.machine.resource_group, self.machine.name)

    def steps(self) -> dict[str, Arguments | None]:
        by_machine = self.route == "virtual_machine"
        running = self.machine.power in ("running", "starting")
        # A machine that is itself the source of a version must stand still; one that becomes generalized never starts again.
        stand = not self.itself and not self.as_it_is and (self.asked.stop or (by_machine and not self.copied))
        from_snapshots = self.copied or not (self.itself or self.as_it_is or by_machine)
        group, name = self.subject
        machine = {"resource_group": self.machine.resource_group, "name": self.machine.name}
        subject = {"resource_group": group, "name": name}
        wanted = self.copied or self.itself
        found: dict[str, Arguments | None] = dict.fromkeys(STEPS)
        found["create_resource_group"] = {"name": self.group, "location": self.machine.location, "tags": self.temporary}
        found["delete_resource_group"] = {"name": self.group, "run": tag_value(self.run.id)}
        if stand and self.machine.power != "deallocated":
            found["machine.stop"] = machine
            if running:
                found["start_machine" if by_machine and not self.copied else "machine.start"] = machine
        if from_snapshots:
            found["machine.snapshot_disks"] = self.snapshots("machine", self.machine.id)
        if self.copied:
            found["copy.create_network"] = {
                "resource_group": self.group,
                "name": "network",
                "location": self.machine.location,
                "address_prefix": NETWORK,
                "outbound": False,
                "tags": self.temporary,
            }
            found["copy.create_virtual_machine"] = self.copy()
        if wanted:
            found["generalize.deprovision"] = {
                "resource_group": group,
                "virtual_machine": name,
                "location": self.machine.location,
                "os_type": self.machine.os_type,
                "timeout": DEPROVISION_TIMEOUT[self.machine.os_type],
            }
            found["generalize.mark_generalized"] = subject
        if wanted or (self.as_it_is and self.machine.power != "deallocated"):
            found["generalize.deallocate"] = subject
        if by_machine:
            found["capture.check_machine"] = {**subject, "os_state": self.asked.state}
        elif self.route == "managed_image":
            found["capture.create_image"] = {
                "resource_group": self.group,
                "name": "image",
                "location": self.machine.location,
                "source_virtual_machine": self.subject_id,
                "hyper_v_generation": self.machine.generation,
                "tags": self.temporary,
            }
        elif self.generalized:
            found["capture.snapshot_disks"] = self.snapshots("generalized", self.subject_id)
        found |= self.publishing() if self.to_gallery else self.exporting()
        found["report"] = {
            "machine": self.machine.id,
            "resource_group": self.asked.resource_group,
            "gallery": self.asked.gallery,
            "definition": self.asked.definition,
            "version": self.version if self.to_gallery else None,
            "regions": [region.name for region in self.regions],
            "name": self.name,
            "leftovers": self.group,
            "was": self.machine.power,
        }
        return found

    @property
    def subject_id(self) -> str:
        return self.here("virtualMachines", "copy") if self.copied else self.machine.id

    def snapshots(self, name: str, machine: str) -> Arguments:
        return {
            "resource_group": self.group,
            "name": name,
            "location": self.machine.location,
            "source_virtual_machine": machine,
            "tags": self.temporary,
        }

    def snapshot_ids(self, name: str) -> dict[str, Any]:
        return {
            "os": self.here("snapshots", f"{name}-os"),
            "data": {str(lun): self.here("snapshots", f"{name}-lun{lun}") for lun in self.machine.luns},
        }

    @property
    def copy_sizes(self) -> tuple[str, ...]:
        """The machine's own size, and common ones where Azure has none of it."""
        return tuple(dict.fromkeys((self.machine.size, *DEFAULT_SIZES[self.machine.architecture, False])))

    def copy(self) -> Arguments:
        return {
            "resource_group": self.group,
            "name": "copy",
            "location": self.machine.location,
            "sizes": list(self.copy_sizes),
            "source": {"snapshot": self.snapshot_ids("machine")},
            "os_type": self.machine.os_type,
            "os_state": "Specialized",
            "security_type": self.machine.security_type,
            "subnet_id": self.here("virtualNetworks", "network").replace("Microsoft.Compute", "Microsoft.Network") + "/subnets/build",
            "os_disk": {"size_gb": None, "storage_account_type": "StandardSSD_LRS"},
            "data_disks": [
                {
                    "lun": disk.lun,
                    "size_gb": disk.size_gb,
                    "storage_account_type": "StandardSSD_LRS",
                    "caching": disk.caching,
                    "from_image": True,
                }
                for disk in self.machine.data_disks
            ],
            "tags": self.temporary,
            **({"plan": self.machine.plan} if self.machine.plan else {}),
        }

    def source(self) -> Arguments:
        match self.route:
            case "virtual_machine":
                return {"kind": "virtual_machine", "id": self.subject_id}
            case "managed_image":
                return {"kind": "managed_image", "id": self.here("images", "image")}
        return {"kind": "snapshot", **self.snapshot_ids("generalized" if self.generalized else "machine")}

    def publishing(self) -> dict[str, Arguments | None]:
        asked, machine = self.asked, self.machine
        shared = {OWNER: tag_value(asked.owner)}
        path = {"resource_group": asked.resource_group, "gallery": asked.gallery, "definition": asked.definition}
        version = {**path, "version": self.version}
        publisher = (asked.gallery or "").replace(".", "-").strip("-_")[:64] or "factory"
        found: dict[str, Arguments | None] = {
            "ensure_destination": {
                "resource_group": {"name": asked.resource_group, "location": machine.location, "tags": shared},
                "gallery": {
                    "resource_group": asked.resource_group,
                    "name": asked.gallery,
                    "location": machine.location,
                    "description": "Captured virtual machines",
                    "tags": shared,
                },
                "definition": {
                    "resource_group": asked.resource_group,
                    "gallery": asked.gallery,
                    "name": asked.definition,
                    "location": machine.location,
                    "os_type": machine.os_type,
                    "os_state": asked.state,
                    "hyper_v_generation": machine.generation,
                    "architecture": machine.architecture,
                    **self.identifier(publisher),
                    "features": {"SecurityType": self.image_security},
                    "tags": shared,
                    **({"plan": machine.plan} if machine.plan else {}),
                },
            },
            "publish_version": {
                **version,
                "location": machine.location,
                "source": self.source(),
                "target_regions": [self.regions[0].model_dump()],
                "tags": self.tags,
            },
        }
        if len(self.regions) > 1:
            found["replicate_version"] = {**version, "target_regions": [region.model_dump() for region in self.regions]}
        if asked.latest:
            found["promote_version"] = {**version, "tags": {RUN: tag_value(self.run.id)}}
        if self.retired:
            found["retire_captures"] = {**path, "name": self.name, "keep": asked.keep, "versions": self.retired}
        return found

    def identifier(self, publisher: str) -> dict[str, str]:
        there = self.gallery.definition
        if there is not None:
            return {"publisher": there.publisher, "offer": there.offer, "sku": there.sku}
        return {"publisher": publisher, "offer": self.machine.os_type.lower(), "sku": (self.asked.definition or "")[:64].rstrip("-_.")}

    def exporting(self) -> dict[str, Arguments | None]:
        name = "generalized" if self.generalized else "machine"
        stem = f"{self.machine.name}-{iso(self.run.at).replace(':', '').replace('-', '')}"
        found: dict[str, Arguments | None] = {
            "export_disks": {
                "resource_group": self.group,
                "snapshots": {f"{stem}-{disk}.vhd": f"{name}-{disk}" for disk in ("os", *(f"lun{lun}" for lun in self.machine.luns))},
                "destination": self.asked.export_to,
                "duration": self.asked.export_seconds,
            }
        }
        return found

    def notes(self) -> Iterator[str]:
        machine = self.machine
        if self.as_it_is:
            yield "the machine is generalized already, and is captured as it is"
        elif self.itself:
            yield f"THE MACHINE {machine.name} ITSELF IS GENERALIZED AND CAN NEVER START AGAIN"
        elif self.copied:
            yield "a copy made of snapshots is generalized, in a network of its own; the machine is not touched"
        elif self.route == "virtual_machine":
            yield "a confidential machine is stopped while the version is made of it, and started again if it ran"
        elif self.asked.stop:
            yield "the machine is stopped for its snapshots and started again if it ran"
        else:
            yield "the machine runs on; each disk is as after a power cut"
            if len(machine.disks) > 1 and machine.power == "running":
                yield f"its {len(machine.disks)} disks are not of one moment: ask for `stop` when data spans several disks"
        if machine.os_type == "Windows" and (self.copied or self.itself):
            yield "while sysprep works, its state is asked for every two minutes: one more write each"


def _disk(disk: Any) -> str:
    return "OS disk" if disk.lun is None else f"data disk {disk.lun}"


def _monthly(region: TargetRegion, size_gb: int) -> float:
    return cost.storage(size_gb, region.replica_count or 1, region.storage_account_type or "Standard_LRS")


def _version_cost(version: ImageVersion) -> float:
    return sum(cost.storage(version.size_gb, one.replica_count, one.storage_account_type) for one in version.regions.values())


SNAPSHOT_RIGHTS = ("Microsoft.Compute/snapshots/write", "Microsoft.Compute/snapshots/delete")


def needs_of_capture(asked: Capture, run: Run, machine: MachineFacts, gallery: GalleryFacts) -> Needs:
    """What the capture will use: regions and rights, and where a copy is made, a size and quota for that."""
    planning = _Planning(asked, run, machine, gallery)
    subscription = f"/subscriptions/{gallery.subscription_id}"
    rights: dict[str, tuple[str, ...]] = {subscription: (*BUILD_RIGHTS, *SNAPSHOT_RIGHTS) if planning.copied else SNAPSHOT_RIGHTS}
    if planning.to_gallery:
        rights[f"{subscription}/resourceGroups/{asked.resource_group}"] = GALLERY_RIGHTS
    copy = MachineNeeds(
        region=machine.location,
        sizes=planning.copy_sizes,
        generation=machine.generation,
        security_type=machine.security_type,
        architecture=machine.architecture,
    )
    purchase = Purchase.of(machine.plan, gallery.subscription_id) if planning.copied else None
    return Needs(machine=copy if planning.copied else None, purchase=purchase, regions=planning.regions, rights=rights)


def capture_plan_text(asked: Capture, machine: MachineFacts, plan: CapturePlan) -> str:
    """The plan for a reader: what happens to the machine, where it goes, every write, gigabytes and rough cost."""
    return "\n".join(_lines(asked, machine, plan))


def _lines(asked: Capture, machine: MachineFacts, plan: CapturePlan) -> Iterator[str]:
    yield f"Capture of {machine.id}"
    kind = f"{machine.os_type} {machine.generation} {machine.architecture}, {machine.security_type}"
    yield f"  machine     {kind}, {machine.power}, {machine.size}"
    luns = ", ".join(f"LUN {disk.lun}: {disk.size_gb} GB" for disk in machine.data_disks) or "no data disks"
    yield f"  disks       OS {machine.os_disk.size_gb} GB, {luns}"
    for note in plan.notes:
        yield f"  {asked.state.lower():11} {note}"
    if plan.version:
        route = str(plan.route).replace("_", " ")
        yield f"  version     {asked.gallery}/{asked.definition} {plan.version} ({asked.resource_group}), by {route}"
        regions = (plan.steps["replicate_version"] or plan.steps["publish_version"] or {})["target_regions"]
        yield f"  regions     {', '.join(region['name'] for region in regions)}; {'' if asked.latest else 'not '}latest"
    else:
        yield f"  VHDs        {asked.export_to}: {', '.join((plan.steps['export_disks'] or {})['snapshots'])}"
    if plan.deletes:
        yield f"  deleted     older captures of {asked.name or machine.name}: {', '.join(plan.deletes)}"
    yield f"  size        {plan.size_gb} GB as provisioned; Azure bills what is occupied"
    yield f"  cost        at most {plan.monthly:+.2f} USD a month for storage, and {plan.once:.2f} USD once for transfer (list prices)"
    yield ""
    yield calls_text(plan.calls)
