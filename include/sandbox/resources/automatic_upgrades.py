"""Automatic OS upgrades: Uniform scale sets that take a newer version of their image by themselves.

A set whose `upgradePolicy.automaticOSUpgradePolicy` asks for it is looked at from time to time; when what its image reference means in its
region is newer than what instances were made from, a rolling upgrade brings these to it. Excluded versions, and those that are not in the
region, mean nothing ("Azure Virtual Machine Scale Set automatic OS image upgrades", learn.microsoft.com). Nothing goes back to an older
version by itself: upgrades are promised "when a newer version of the OS image becomes available" (the compute OpenAPI document).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import operations
from ..content import VERSION
from ..events import event
from ..store import Resource
from .catalogue import find, numbers, skus
from .references import latest_version
from .rolling_upgrades import PLATFORM, begin, is_running, latest
from .scale_sets import instances
from .upgrade_policy import is_automatic

if TYPE_CHECKING:
    from ..sandbox import Sandbox

EVERY = 1800.0  # seconds between two looks; Azure says only that the first upgrade may take up to three hours to begin


@event("automaticUpgrades.look")
def _look(arm: Sandbox, id: str) -> None:
    found = arm.store.resources.get(id)
    if found is None or not found.private.get("watched"):
        return
    if not is_automatic(found.properties["upgradePolicy"]):
        del found.private["watched"]
        arm.store.touch(found)
        return
    arm.store.schedule(arm.now + EVERY / arm.speed, "automaticUpgrades.look", id=id)
    if operations.running(arm, found) is not None or is_running(latest(arm, found)):
        return
    if (newest := _newest(arm, found)) is None:
        return
    name, meant = newest
    older = [one.key for one in instances(arm, found) if numbers(_exact(one)) < numbers(name)]
    if not older or name == found.private.get("gave_up"):
        return
    found.private |= {"image": {**found.private["image"], "exactVersion": name}, "found": meant}
    begin(arm, found, older, by=PLATFORM)


def _exact(instance: Resource) -> str:
    return str(instance.properties["storageProfile"]["imageReference"].get("exactVersion", ""))


def _newest(arm: Sandbox, found: Resource) -> tuple[str, str] | None:
    """The version that the model's image means in the set's region now, and its id; None for none."""
    meant = str(found.private["found"])
    if not meant.startswith("/"):
        publisher, offer, sku, _ = meant.split(":")
        key = find(arm, publisher, offer, sku)
        versions = skus(arm)[key].versions if key is not None else ()
        return (versions[-1], ":".join((publisher, offer, sku, versions[-1]))) if versions else None
    definition = arm.store.get(meant.rsplit("/", 2)[0])
    version = latest_version(arm, definition, found.location) if definition is not None else None
    return (version.name, version.id) if version is not None and version.type == VERSION else None
