"""A machine made of a version that exists, to live or to be tried: what is asked, and the plan that is made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any

from pydantic import ConfigDict, Field, field_validator

from include.factory.calls import Call, World, calls_text, planned_calls
from include.factory.image_version import ImageVersion
from include.factory.machine import Size
from include.factory.names import tag_value
from include.factory.preflight import BUILD_RIGHTS, MachineNeeds, Needs, Purchase
from include.factory.problem import refusal
from include.factory.recipe import DEFAULT_SIZES
from include.factory.region import RegionName
from include.factory.run import Run
from include.factory.script import DEFAULT_BOOT_TEST
from include.factory.tags import BASE, EXPIRES, LIFETIME, OWNER, REASON, RUN, iso
from include.factory.value import Architecture, Generation, OsState, OsType, Pattern, ResourceGroupName, Value, resource_id

Arguments = dict[str, Any]

NETWORK = "10.252.0.0/24"

# Task id -> step, in the order in which the DAGs run them.
RESTORE_STEPS = {
    "create_resource_group": "resource_group.ensure",
    "create_network": "network.ensure",
    "create_virtual_machine": "virtual_machine.create",
    "check": "run_command.run",
    "report": "restore.report",
}
GAME_DAY_STEPS = {
    **{task: step for task, step in RESTORE_STEPS.items() if task != "report"},
    "meet_objective": "restore.meet_objective",
    "report": "restore.report",
    "delete_resource_group": "resource_group.delete",
}

# What a promotion boots where a wave is out.
BOOT_STEPS = {task: step for task, step in GAME_DAY_STEPS.items() if task not in ("meet_objective", "report")}

VmName = Annotated[str, Pattern(r"[A-Za-z0-9](?:[\w.\-]{0,62}[A-Za-z0-9_])?", "a machine's name", "At most 64 letters, digits, - _ .")]


class Restore(Value):
    """What is asked."""

    image: str = Field(min_length=1)
    """A recipe or a backup by its name; `resource-group/gallery/definition`; or the ARM id of a definition or version."""
    disaster_recovery: bool = False
    """Take it from the recipe's second gallery."""
    version: str = "latest"
    """A number, `latest` (what Azure takes in the region), or `newest` (also one that is excluded from latest)."""
    region: RegionName | None = None
    """Where the machine is made; the version must be there. By default the version's home region."""
    resource_group: ResourceGroupName | None = None
    """Of the machine; made when missing."""
    name: VmName | None = None
    """The machine's name."""
    subnet: Annotated[str, resource_id("Microsoft.Network/virtualNetworks/subnets")] | None = None
    """ARM id; by default a network of its own, which reaches nothing."""
    sizes: tuple[Size, ...] = ()
    """In order of preference; by default common ones."""
    public_key: str = ""
    """SSH public key of a generalized Linux machine's account `factory`."""
    check: str = ""
    """Script that must pass on the machine."""
    objective_minutes: int = Field(default=60, ge=1, le=10080)
    """Recovery time that a game day must meet."""
    owner: str = Field(default="operator", min_length=1, max_length=256)
    """Who answers for it; becomes a tag."""

    @field_validator("version")
    @classmethod
    def _known(cls, written: str) -> str:
        from include.factory.version import parse_version

        if written in ("latest", "newest"):
            return written
        try:
            parse_version(written)
        except ValueError as error:
            raise refusal(str(error), "Or write latest or newest.") from None
        return written


class ImageFacts(Value):
    """The version that was found, and what its definition says."""

    model_config = ConfigDict(extra="ignore")

    id: str
    """ARM id of the version."""
    version: ImageVersion
    os_type: OsType
    os_state: OsState
    generation: Generation = "V2"
    architecture: Architecture = "x64"
    security_type: str = "Standard"
    """The definition's SecurityType."""
    luns: tuple[int, ...] = ()
    """LUNs of its data disks."""
    plan: dict[str, str] | None = None
    """Marketplace purchase plan, as its definition has it: Azure makes no machine without it."""
    published: datetime | None = None

    @property
    def machine_security(self) -> str:
        """Of machines made of it: an image that supports trusted launch is used as what it promises."""
        return "TrustedLaunch" if self.security_type.startswith("TrustedLaunch") else self.security_type


class RestorePlan(Value):
    run: str
    version_id: str
    region: str
    machine: str
    """ARM id of the machine to be."""
    calls: tuple[Call, ...]
    steps: dict[str, Arguments | None]


class RestorePlanError(ValueError):
    """It cannot be done as asked; ``problems`` says everything that is in the way, each with its cure."""

    def __init__(self, image: str, problems: list[str]) -> None:
        super().__init__(f"{image} cannot be restored: " + " ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Place:
    """What there is where the machine is to be made."""

    subscription_id: str
    there: tuple[str, ...] = ()
    """ARM ids of the resource group and the machine, as far as they exist."""
    machine_run: str | None = None
    """The run that made the machine that is there."""


def plan_restore(asked: Restore, run: Run, image: ImageFacts, place: Place) -> RestorePlan:
    """The plan of a machine that is to live.

    :raises RestorePlanError: all that is in the way at once.
    """
    missing = [name for name in ("resource_group", "name") if not getattr(asked, name)]
    if missing:
        raise RestorePlanError(asked.image, [f"{', '.join(missing)} of the machine: missing. Fill them in."])
    planning = _Planning(asked, run, image, place, str(asked.resource_group), str(asked.name), lives=True)
    return planning.plan(RESTORE_STEPS)


def plan_game_day(asked: Restore, run: Run, image: ImageFacts, place: Place) -> RestorePlan:
    """The plan of a machine that is tried and goes.

    :raises RestorePlanError: all that is in the way at once.
    """
    short = sha256(f"{image.id.lower()}\n{run.id}".encode()).hexdigest()[:12]
    definition = image.id.split("/")[10]
    return _Planning(asked, run, image, place, f"image-game-day-{definition[:60]}-{short}", "restored", lives=False).plan(GAME_DAY_STEPS)


def plan_boot(asked: Restore, run: Run, image: ImageFacts, place: Place) -> RestorePlan:
    """The plan of a machine of whatever ``latest`` is in ``asked.region``, that is tried and goes.

    :raises RestorePlanError: all that is in the way at once.
    """
    short = sha256(f"{image.id.lower()}\n{run.id}\n{asked.region}".encode()).hexdigest()[:12]
    definition = image.id.split("/")[10]
    group = f"image-promotion-{definition[:50]}-{short}"
    return _Planning(asked, run, image, place, group, "latest", lives=False, latest=True).plan(BOOT_STEPS)


@dataclass(frozen=True)
class _Planning:
    asked: Restore
    run: Run
    image: ImageFacts
    place: Place
    group: str
    name: str
    lives: bool
    latest: bool = False
    """Whether the machine is made of the definition, so that Azure itself says which version that is."""

    def plan(self, names: Mapping[str, str]) -> RestorePlan:
        if problems := [*self.problems()]:
            raise RestorePlanError(self.asked.image, problems)
        steps = self.steps()
        world = World(self.place.subscription_id, frozenset(one.lower() for one in self.place.there))
        planned = {task: steps.get(task) for task in names}
        return RestorePlan(
            run=tag_value(self.run.id),
            version_id=self.image.id,
            region=self.region,
            machine=self.machine,
            calls=planned_calls(planned, names, world),
            steps=planned,
        )

    @property
    def region(self) -> str:
        """A game day is of the day on which the home region is lost: another one, where there is one."""
        if self.asked.region:
            return self.asked.region
        version = self.image.version
        others = [name for name, replica in version.regions.items() if name != version.home and replica.state in ("Completed", "Unknown")]
        return version.home if self.lives or not others else others[0]

    @property
    def sizes(self) -> tuple[str, ...]:
        return tuple(self.asked.sizes or DEFAULT_SIZES[self.image.architecture, self.image.machine_security == "ConfidentialVM"])

    @property
    def machine(self) -> str:
        return World(self.place.subscription_id).id(self.group, "virtualMachines", self.name)

    def problems(self) -> Iterator[str]:
        version = self.image.version
        replica = version.regions.get(self.region)
        if replica is None:
            cure = f"Choose one of {', '.join(version.regions)}, or bring it there with backfill_regions."
            yield f"Version {version.name} is not in {self.region}. {cure}"
        elif replica.state not in ("Completed", "Unknown"):
            yield f"Version {version.name} is {replica.state} in {self.region}. Wait, choose another region, or another version."
        if version.state in ("Creating", "Deleting"):
            yield f"Version {version.name} is {version.state}. Choose another."
        if self.asked.subnet and not self.lives:
            yield "A game day's machine is tried in a network of its own, as it may be a copy of one that lives. Leave the subnet out."
        if self.place.machine_run is not None and self.place.machine_run != tag_value(self.run.id):
            whose = f"made by the run {self.place.machine_run}" if self.place.machine_run else "not made by the factory"
            yield f"There is a machine {self.name} in {self.group} already, {whose}. Choose another name."

    @property
    def tags(self) -> dict[str, str]:
        reason = {REASON: tag_value(self.run.reason)} if self.run.reason else {}
        own = {OWNER: tag_value(self.asked.owner), RUN: tag_value(self.run.id), BASE: tag_value(self.image.id), **reason}
        return own if self.lives else {**own, EXPIRES: iso(self.run.began + LIFETIME)}

    def steps(self) -> dict[str, Arguments | None]:
        asked, image = self.asked, self.image
        network = World(self.place.subscription_id).id(self.group, "virtualNetworks", f"{self.name}-network", provider="Microsoft.Network")
        script = asked.check or (None if self.lives else DEFAULT_BOOT_TEST[image.os_type])
        found: dict[str, Arguments | None] = {
            "create_resource_group": {
                "name": self.group,
                "location": self.region,
                "tags": {OWNER: tag_value(asked.owner)} if self.lives else self.tags,
            },
            "create_network": None
            if asked.subnet
            else {
                "resource_group": self.group,
                "name": f"{self.name}-network",
                "location": self.region,
                "address_prefix": NETWORK,
                "outbound": False,
                "tags": self.tags,
            },
            "create_virtual_machine": {
                "resource_group": self.group,
                "name": self.name,
                "location": self.region,
                "sizes": list(self.sizes),
                "source": {"image_reference": {"id": image.id.rpartition("/versions/")[0] if self.latest else image.id}},
                "os_type": image.os_type,
                "os_state": image.os_state,
                "security_type": image.machine_security,
                "subnet_id": asked.subnet or f"{network}/subnets/build",
                "os_disk": {"size_gb": None, "storage_account_type": "Premium_LRS"},
                "data_disks": [
                    {"lun": lun, "size_gb": None, "storage_account_type": "Premium_LRS", "caching": "None", "from_image": True}
                    for lun in image.luns
                ],
                "tags": self.tags,
                **({"plan": image.plan} if image.plan else {}),
                **({"public_key": asked.public_key} if asked.public_key else {}),
            },
            "check": None
            if script is None
            else {
                "resource_group": self.group,
                "virtual_machine": self.name,
                "location": self.region,
                "name": "restore-check",
                "os_type": image.os_type,
                "script": {"inline": script},
                "timeout": 1800,
            },
            "report": {
                "resource_group": self.group,
                "virtual_machine": self.name,
                "command": None if script is None else "restore-check",
                "version_id": image.id,
                "published": iso(image.published) if image.published else None,
                "objective_minutes": None if self.lives else asked.objective_minutes,
            },
        }
        if not self.lives:
            found["meet_objective"] = {
                "resource_group": self.group,
                "virtual_machine": self.name,
                "command": "restore-check",
                "objective_minutes": asked.objective_minutes,
            }
            found["delete_resource_group"] = {"name": self.group, "run": tag_value(self.run.id)}
        return found


def needs_of_restore(asked: Restore, run: Run, image: ImageFacts, place: Place, *, lives: bool) -> Needs:
    """What the machine will use: a size, quota, and the right to make it; in its resource group, where that is there."""
    planning = _Planning(asked, run, image, place, str(asked.resource_group or ""), str(asked.name or ""), lives=lives)
    subscription = f"/subscriptions/{place.subscription_id}"
    rights = tuple(right for right in BUILD_RIGHTS if not (lives and right.endswith(("/delete", "deallocate/action"))))
    scope = subscription
    if place.there:
        scope = place.there[0]
        rights = tuple(right for right in rights if "resourceGroups" not in right)
    return Needs(
        machine=MachineNeeds(
            region=planning.region,
            sizes=planning.sizes,
            generation=image.generation,
            security_type=image.machine_security,
            architecture=image.architecture,
        ),
        purchase=Purchase.of(image.plan, place.subscription_id),
        rights={scope: rights},
    )


def restore_plan_text(asked: Restore, image: ImageFacts, plan: RestorePlan) -> str:
    """The plan for a reader."""
    return "\n".join(_lines(asked, image, plan))


def _lines(asked: Restore, image: ImageFacts, plan: RestorePlan) -> Iterator[str]:
    group, name = plan.machine.split("/")[4], plan.machine.rpartition("/")[2]
    yield f"A machine of {image.id}"
    age = f", published {iso(image.published)}" if image.published else ""
    yield f"  version     {image.version.name}, {image.os_state}, {image.security_type}, {image.version.size_gb} GB{age}"
    machine = plan.steps["create_virtual_machine"] or {}
    yield f"  machine     {name} in {group}, {plan.region}, as {' or '.join(machine['sizes'])}"
    yield f"  network     {asked.subnet or 'its own; it reaches nothing, and nothing reaches it'}"
    if image.os_state == "Specialized":
        yield "  identity    the captured machine's own, accounts and host name included: keep the two apart"
    if image.luns:
        yield f"  data disks  LUN {', '.join(map(str, image.luns))}"
    if "delete_resource_group" in plan.steps:
        yield f"  objective   recovered within {asked.objective_minutes} min; everything goes afterwards"
    yield ""
    yield calls_text(plan.calls)


def of_the_month(names: list[str], at: datetime) -> str:
    """Which of the images is tried in a scheduled game day: each in its turn, month by month."""
    ordered = sorted(names)
    return ordered[(at.year * 12 + at.month) % len(ordered)]


def minutes(seconds: float) -> str:
    """``3 min 20 s``."""
    whole = timedelta(seconds=round(seconds))
    parts = [(whole.days, "d"), (whole.seconds // 3600, "h"), (whole.seconds // 60 % 60, "min"), (whole.seconds % 60, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"
