"""What no field of a recipe shows by itself: fields that do not go together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from include.factory.capture_route import NoRouteError
from include.factory.problem import Contradiction
from include.factory.secret import CURE, secret_in_value, secret_under_name
from include.factory.value import repeated

if TYPE_CHECKING:
    from include.factory.recipe import Recipe
    from include.factory.script import BootTest, Step

RESERVED_TAGS = "image-factory-"


def contradictions(recipe: Recipe) -> Iterator[Contradiction]:
    """Everything about the recipe that cannot be."""
    yield from _kind_of_image(recipe)
    yield from _waiting(recipe)
    yield from _disks(recipe)
    yield from _regions(recipe)
    yield from _scripts(recipe)
    yield from _publishing(recipe)
    yield from _disaster_recovery(recipe)
    yield from _sharing(recipe)
    yield from _tags(recipe)


def _kind_of_image(recipe: Recipe) -> Iterator[Contradiction]:
    if recipe.os.architecture == "Arm64" and recipe.os.generation != "V2":
        yield Contradiction(("os", "generation"), "Arm64 needs generation V2", "Set os.generation to V2.")
        return
    try:
        _ = recipe.route
    except NoRouteError as error:
        field: tuple[str, ...] = ("capture",)
        if error.field == "machine":
            field = ("build", "security_type")
        elif error.field == "security_type":
            field = ("os", "security_type")
        yield Contradiction(field, error.message, error.cure)


def _waiting(recipe: Recipe) -> Iterator[Contradiction]:
    if recipe.schedule is None or not recipe.schedule.on_new_base:
        return
    version = getattr(recipe.base, "version", None)
    if recipe.parent:
        yield Contradiction(
            ("schedule", "on_new_base"), f"a new image of {recipe.parent} starts this build anyway", "Leave on_new_base out."
        )
    elif version is None:
        yield Contradiction(("schedule", "on_new_base"), "the base has no versions", "Leave on_new_base out, or build on another base.")
    elif version != "latest":
        yield Contradiction(
            ("schedule", "on_new_base"), f"the base is pinned to {version}", "Leave on_new_base out, or the base's version at latest."
        )


def _disks(recipe: Recipe) -> Iterator[Contradiction]:
    for index, first in repeated([disk.lun for disk in recipe.build.data_disks]):
        lun = recipe.build.data_disks[index].lun
        yield Contradiction(
            ("build", "data_disks", index, "lun"), f"LUN {lun} is also that of data_disks[{first}]", "Give each data disk its own LUN."
        )


def _regions(recipe: Recipe) -> Iterator[Contradiction]:
    regions = recipe.replicate.regions
    for index, first in repeated([region.name for region in regions]):
        yield Contradiction(
            ("replicate", "regions", index),
            f"{regions[index].name} is also regions[{first}]",
            "Name each region once; East US 2 and eastus2 are the same.",
        )
    encrypted = {region.name for region in regions if region.encryption_set}
    missing = [region.name for region in recipe.target_regions if region.name not in encrypted]
    if encrypted and missing:
        yield Contradiction(
            ("replicate", "regions"),
            f"{', '.join(sorted(encrypted))} has a disk encryption set and {', '.join(missing)} has none",
            "Azure wants one in every region of a version, the build region too, or in none.",
        )


def _scripts(recipe: Recipe) -> Iterator[Contradiction]:
    suffix, shell = (".ps1", "PowerShell (.ps1)") if recipe.os.type == "Windows" else (".sh", "bash (.sh)")
    groups: list[tuple[str, tuple[Step, ...]]] = [("steps", recipe.steps), ("checks", recipe.checks)]
    scripts: list[tuple[tuple[str | int, ...], Step | BootTest]] = []
    for group, steps in groups:
        for index, first in repeated([step.name for step in steps]):
            yield Contradiction(
                (group, index, "name"),
                f"{steps[index].name!r} is also the name of {group}[{first}]",
                "Give the step another `name`; it names a task.",
            )
        scripts += [((group, index), step) for index, step in enumerate(steps)]
    if recipe.boot_test is not None:
        scripts.append((("boot_test",), recipe.boot_test))
    for location, script in scripts:
        if script.script is not None and not script.script.endswith(suffix):
            yield Contradiction(
                (*location, "script"), f"{script.script} does not run on {recipe.os.type}", f"{recipe.os.type} takes {shell}."
            )
        for field, pairs in (("parameters", script.parameters), ("environment", script.environment)):
            for name, value in pairs.items():
                if kind := secret_under_name(name, value):
                    yield Contradiction((*location, field, name), f"{kind} stands here in plain text", CURE)
        if script.run is not None and (kind := secret_in_value(script.run)):
            yield Contradiction((*location, "run"), f"{kind} stands here in plain text", CURE)


def _publishing(recipe: Recipe) -> Iterator[Contradiction]:
    if "SecurityType" in recipe.publish.features:
        yield Contradiction(
            ("publish", "features", "SecurityType"), "the security type is not written here", "Write os.security_type instead."
        )
    if recipe.publish.safety.block_deletion_before_end_of_life and recipe.publish.end_of_life is None:
        yield Contradiction(
            ("publish", "safety", "block_deletion_before_end_of_life"),
            "there is no end of life to wait for",
            "Set publish.end_of_life, such as 180d.",
        )
    for name in ("vcpus", "memory_gb"):
        bounds = getattr(recipe.publish.recommended, name)
        if bounds is not None and bounds.min is not None and bounds.max is not None and bounds.min > bounds.max:
            yield Contradiction(("publish", "recommended", name), f"min {bounds.min} is over max {bounds.max}", "Exchange them.")


def _disaster_recovery(recipe: Recipe) -> Iterator[Contradiction]:
    second, publish = recipe.disaster_recovery, recipe.publish
    if second is None:
        return
    at = "disaster_recovery"
    if second.subscription is None and second.connection is None:
        same = (second.resource_group.lower(), second.gallery.lower()) == (publish.resource_group.lower(), publish.gallery.lower())
        if same:
            yield Contradiction((at, "gallery"), "it is the gallery that the recipe publishes to", "Name another gallery.")
    home = recipe.build.region
    if second.location in (home, publish.location):
        yield Contradiction((at, "location"), f"{second.location} is lost with the first gallery", "Choose another region.")
    for index, first in repeated([region.name for region in second.regions]):
        yield Contradiction((at, "regions", index), f"{second.regions[index].name} is also regions[{first}]", "Name each region once.")
    regions = {region.name: region for region in second.target_regions}
    if not recipe.encrypted:
        if encrypted := sorted(name for name, region in regions.items() if region.encryption_set):
            yield Contradiction(
                (at, "regions"),
                f"{', '.join(encrypted)} has a disk encryption set, and the image is not encrypted",
                "Copies are as the image is: encrypt it in replicate.regions, or leave the set out.",
            )
        if second.location not in {region.name for region in recipe.target_regions}:
            others = " or ".join(region.name for region in recipe.target_regions[1:])
            yield Contradiction(
                (at, "location"),
                f"the image is not replicated to {second.location}, and a copy is made where the image is",
                f"Add {second.location} to replicate.regions{f', or choose {others}' if others else ''}.",
            )
        return
    # Azure copies no encrypted version: it is published to the second gallery from the build machine, where that is.
    if missing := [name for name in dict.fromkeys((*regions, home)) if name not in regions or not regions[name].encryption_set]:
        yield Contradiction(
            (at, "regions"),
            f"the image is encrypted, and {', '.join(missing)} has no disk encryption set here",
            f"Name one for each region of the second gallery, {home} too: its versions are published in {home} at build time.",
        )
    if second.subscription is not None:
        yield Contradiction(
            (at, "subscription"),
            "an encrypted image cannot be published to another subscription",
            "Azure takes encryption sets of the gallery's subscription only, and no encrypted source of another: leave it out.",
        )
    if second.connection is not None:
        yield Contradiction(
            (at, "connection"),
            "an encrypted image cannot be published with another connection: the build machine is of the first",
            "Leave the connection out, and give the first one's identity a role on the second gallery.",
        )


def _sharing(recipe: Recipe) -> Iterator[Contradiction]:
    share = recipe.share
    if share is None:
        return
    if share.community and (share.subscriptions or share.tenants):
        yield Contradiction(
            ("share", "community"), "a gallery is shared directly or with the community, not both", "Take one of the two out."
        )
    for field, most in (("subscriptions", 30), ("tenants", 5)):
        ids = getattr(share, field)
        if len(ids) > most:
            yield Contradiction(
                ("share", field), f"there are {len(ids)}, and Azure takes {most}", "Share by `readers`, which has no limit."
            )
        for index, first in repeated([id.lower() for id in ids]):
            yield Contradiction(("share", field, index), f"it is also {field}[{first}]", "Name each once.")
    for index, first in repeated([reader.id.lower() for reader in share.readers]):
        yield Contradiction(("share", "readers", index), f"it is also readers[{first}]", "Name each once.")
    if share.kind == "Private":
        return
    field = "community" if share.community else "subscriptions" if share.subscriptions else "tenants"
    how = "with the community" if share.community else "directly"
    cure = "Share it by `readers` only."
    if recipe.os.security_type in ("TrustedLaunch", "ConfidentialVM"):
        yield Contradiction(("share", field), f"Azure shares no {recipe.os.security_type} image {how}", cure)
    if recipe.encrypted:
        yield Contradiction(("share", field), f"Azure shares no image {how} that is encrypted with the customer's keys", cure)
    if share.community and recipe.os.state == "Specialized":
        yield Contradiction(("share", field), "a specialized image carries its machine's accounts and identity to everybody", cure)
    if share.community and recipe.publish.location not in (None, recipe.build.region):
        yield Contradiction(
            ("publish", "location"),
            "a community gallery, its definitions and their versions are in one region",
            f"Write {recipe.build.region}, or leave it out.",
        )


def _tags(recipe: Recipe) -> Iterator[Contradiction]:
    for name, value in recipe.tags.items():
        if name.lower().startswith(RESERVED_TAGS):
            yield Contradiction(("tags", name), f"tags that begin with {RESERVED_TAGS} are the factory's own", "Choose another name.")
        elif set(name) & set("<>%&\\?/"):
            yield Contradiction(("tags", name), "a tag's name has none of < > % & \\ ? /", "Choose another name.")
        elif kind := secret_under_name(name, value):
            yield Contradiction(("tags", name), f"{kind} stands here in plain text", "Tags are read by everyone; leave it out.")
