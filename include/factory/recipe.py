"""The recipe of one image."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from include.factory.base import Base, GalleryBase, RecipeBase
from include.factory.capture_route import Route, capture_route, machine_security
from include.factory.disaster_recovery import DisasterRecovery
from include.factory.machine import BuildMachine
from include.factory.notice import Notify
from include.factory.publish import Approval, ApprovalOrNot, Publish, Replicate, ReplicateOrList, Retention, TargetRegion
from include.factory.schedule import BuildSchedule
from include.factory.script import BootTest, BootTestOrNot, Steps
from include.factory.share import Share
from include.factory.value import Architecture, Generation, ImageSecurity, OsState, OsType, Shorthand, Slug, Value, spelled

__all__ = ["Approval", "BootTest", "OperatingSystem", "Recipe", "TargetRegion"]

NAME_LIMIT = 50  # leaves room for what `names` adds below Azure's 64 of a VM name

DEFAULT_SIZES = {
    ("x64", False): ("Standard_D2s_v5", "Standard_D2as_v5", "Standard_D2s_v4"),
    ("x64", True): ("Standard_DC2as_v5", "Standard_DC2ads_v5", "Standard_EC2as_v5"),
    ("Arm64", False): ("Standard_D2ps_v5", "Standard_D2pds_v5", "Standard_D2ps_v6"),
}


class OperatingSystem(Value):
    type: OsType
    """Linux or Windows."""
    state: OsState = "Generalized"
    """Generalized: machines from it are set up at first boot. Specialized: they are copies with the same accounts and identity."""
    generation: Generation = "V2"
    """Hyper-V generation."""
    architecture: Architecture = "x64"
    """Processor architecture."""
    security_type: ImageSecurity = "Standard"
    """Which machines the image makes. TrustedLaunchSupported makes both trusted launch and standard ones."""


class Recipe(Value):
    """One file of the catalogue: how one image is built, tested, published and kept."""

    name: Annotated[Slug, Field(max_length=NAME_LIMIT)]
    """Name of the recipe, and of its file; the DAG is `build_<name>`."""
    description: Annotated[str, Field(max_length=1000)] = ""
    """What the image is for."""
    owner: Annotated[str, Field(min_length=1, max_length=256)]
    """Who answers for the image: a team or an address."""
    schedule: Annotated[BuildSchedule | None, Shorthand(str, lambda cron: {"cron": cron})] = None
    """When it is built: a cron expression (in UTC), or `cron`, `time_zone` and `on_new_base`. Without it: by hand, or when the parent's
    image is new."""
    os: OperatingSystem
    """The image's operating system and kind."""
    base: Base
    """What it is built from: a marketplace URN, or one of `recipe`, `gallery`, `managed_image`, `snapshot`."""
    build: BuildMachine
    """The build machine."""
    steps: Steps = ()
    """Scripts that prepare the machine, in order; each is a task."""
    checks: Steps = ()
    """Scripts that must pass before the machine is generalized; each is a task."""
    capture: Annotated[
        Literal["auto", "virtual_machine", "managed_image", "snapshot"], spelled("auto", "virtual_machine", "managed_image", "snapshot")
    ] = "auto"
    """By which route the machine becomes an image; `auto` takes the best that its kind allows."""
    publish: Publish
    """Gallery, definition and version."""
    boot_test: BootTestOrNot = BootTest()
    """Script that must pass on a machine made from the version before it becomes `latest`; `false` for no such test."""
    replicate: ReplicateOrList = Replicate()
    """Regions of the image: a list, or `regions` with settings."""
    approval: ApprovalOrNot = None
    """Whether a human approves before the version becomes `latest`; `true`, or `approvers` and `timeout`."""
    retention: Retention = Retention()
    """Which versions are kept."""
    disaster_recovery: DisasterRecovery | None = None
    """Second gallery, in another region or subscription, that is kept in step."""
    share: Share | None = None
    """Who may use the image, beside those who have rights on its gallery anyway."""
    notify: tuple[Notify, ...] = ()
    """Who is told what, by which of Airflow's notifiers."""
    pause_after_failures: int | None = Field(default=3, ge=1, le=100)
    """Failed builds in a row after which Airflow pauses the recipe's DAG; `null` never does. Throttling is waited out, and fails no build
    before that."""
    tags: dict[Annotated[str, Field(min_length=1, max_length=512)], Annotated[str, Field(max_length=256)]] = Field(
        default_factory=dict, max_length=30
    )
    """Tags of the versions, and of what a build makes."""

    scripts: SkipJsonSchema[dict[str, str]] = Field(default_factory=dict)
    """SHA-256 of each script file by its path; the catalogue fills it in."""
    parent_image: SkipJsonSchema[GalleryBase | None] = None
    """Where the parent recipe publishes; the catalogue fills it in."""

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Recipe:
        from include.factory.contradiction import contradictions

        if info.context and info.context.get("contradictory"):
            return self  # the reader wants the recipe as it is, to name its contradictions itself
        found = list(contradictions(self))
        if found:
            raise PydanticCustomError("contradictions", "{summary}", {"summary": "\n".join(map(str, found)), "found": found})
        return self

    @property
    def parent(self) -> str | None:
        """Name of the recipe whose image this one is built on, or None."""
        return self.base.recipe if isinstance(self.base, RecipeBase) else None

    @property
    def awaited_parent(self) -> str | None:
        """Name of the recipe whose next version starts a build of this one, or None: whoever pins a parent's version waits for no other."""
        return self.parent if isinstance(self.base, RecipeBase) and self.base.version == "latest" else None

    @property
    def definition(self) -> str:
        """Name of the image definition."""
        return self.publish.definition or self.name

    @property
    def identifier(self) -> tuple[str, str, str]:
        """Publisher, offer and SKU of the definition."""
        publish = self.publish
        return publish.publisher or publish.gallery, publish.offer or self.os.type.lower(), publish.sku or self.definition[:64]

    @property
    def machine_security(self) -> str:
        """Security type of the build machine."""
        return self.build.security_type or machine_security(self.os.security_type)

    @property
    def route(self) -> Route:
        """By which route the machine becomes an image."""
        return capture_route(
            machine=self.machine_security,
            state=self.os.state,
            image=self.os.security_type,
            generation=self.os.generation,
            architecture=self.os.architecture,
            asked=self.capture,
        )

    @property
    def sizes(self) -> tuple[str, ...]:
        """VM sizes of the build in order of preference."""
        return self.build.sizes or DEFAULT_SIZES[self.os.architecture, self.os.security_type == "ConfidentialVM"]

    @property
    def target_regions(self) -> tuple[TargetRegion, ...]:
        """The image's regions with nothing left to default, the home region first."""
        written = {region.name: region for region in self.replicate.regions}
        home = written.pop(self.build.region, None) or TargetRegion(name=self.build.region)
        return tuple(
            region.model_copy(
                update={
                    "replica_count": region.replica_count or self.replicate.replica_count,
                    "storage_account_type": region.storage_account_type or self.replicate.storage_account_type,
                }
            )
            for region in (home, *written.values())
        )

    @property
    def region_names(self) -> tuple[str, ...]:
        """The names of :attr:`target_regions`."""
        return tuple(dict.fromkeys((self.build.region, *(region.name for region in self.replicate.regions))))

    @property
    def encrypted(self) -> bool:
        """Whether its versions are encrypted with the customer's keys."""
        return any(region.encryption_set for region in self.replicate.regions)

    def base_argument(self) -> dict[str, Any]:
        """The base as the steps take it: its ``kind`` (marketplace, gallery, managed_image, snapshot) and fields, such as
        ``{"kind": "gallery", "resource_group", "gallery", "definition", "version"}`` or
        ``{"kind": "snapshot", "os": id, "data": {lun: id}}``.

        :raises ValueError: the base is another recipe's image and the recipe was not loaded by the catalogue.
        """
        if not isinstance(self.base, RecipeBase):
            return self.base.as_argument()
        if self.parent_image is None:
            raise ValueError(
                f"{self.name}: where {self.base.recipe} publishes is not known; load the recipe with include.factory.catalogue"
            )
        return self.parent_image.as_argument()
