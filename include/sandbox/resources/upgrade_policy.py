"""A scale set's upgrade policy: what it may say, and what a set must be for its instances to be upgraded while it runs.

Requirements of automatic OS upgrades: "Azure Virtual Machine Scale Set automatic OS image upgrades" (learn.microsoft.com). Texts:
azure-docs#122644, terraform-provider-azurerm#11398, azure-docs#39477, aks-engine#1795; that for the patch mode is not public.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from ..content import Origin
from ..kept import overlay
from ..registry import field, invalid
from ..templates.dates import duration
from ..templates.errors import TemplateError
from ..wire import ArmError, Json
from .catalogue import skus

if TYPE_CHECKING:
    from ..sandbox import Sandbox

_PERCENTS = ("maxBatchInstancePercent", "maxUnhealthyInstancePercent", "maxUnhealthyUpgradedInstancePercent")
_AUTOMATIC = "automaticOSUpgradePolicy.enableAutomaticOSUpgrade"


def unsupported(name: str, value: object) -> ArmError:
    return ArmError(400, "BadRequest", f"The value '{value}' of '{name}' is not supported by the sandbox.", target=name)


def read(body: Json, flexible: bool, own: Json | None = None) -> Json:
    """The policy that a request asks for; `own` is what a PATCH changes. Raises ArmError 400."""
    given = field(body, "properties.upgradePolicy", dict, {})
    policy = deepcopy(own) if own is not None else {}
    overlay(policy, given)
    mode = policy.get("mode") or ("Manual" if flexible else None)
    if mode is None:
        raise invalid("Required parameter 'upgradePolicy.mode' is missing (null).", "upgradePolicy.mode")
    if flexible and mode != "Manual":
        raise unsupported("upgradePolicy.mode", mode)
    if flexible and is_automatic(policy):
        raise unsupported(_AUTOMATIC, "true")
    if field(policy, "automaticOSUpgradePolicy.osRollingUpgradeDeferral", bool, False):
        raise unsupported("automaticOSUpgradePolicy.osRollingUpgradeDeferral", "true")
    rolling = field(policy, "rollingUpgradePolicy", dict, {})
    for name in _PERCENTS:
        if not (0 if "Upgraded" in name else 5) <= field(rolling, name, int, 20) <= 100:
            raise invalid(f"The value {rolling[name]} of '{name}' must lie between 5 and 100.", f"rollingUpgradePolicy.{name}")
    if (pause := field(rolling, "pauseTimeBetweenBatches")) is not None:
        try:
            duration(pause)
        except TemplateError:
            raise invalid(f"'{pause}' is no duration of ISO 8601.", "rollingUpgradePolicy.pauseTimeBetweenBatches") from None
    return {**policy, "mode": mode}


def is_automatic(policy: Json) -> bool:
    """Whether the set takes newer versions of its image by itself."""
    return bool(field(policy, _AUTOMATIC, bool, False))


def names_latest(reference: Json) -> bool:
    """Whether an image reference means another version from time to time: `latest` of a platform image, or a definition of a gallery."""
    for name in ("id", "sharedGalleryImageId", "communityGalleryImageId"):
        id = str(reference.get(name) or "").lower().rstrip("/")
        if id:
            return ("galler" in id) and ("/versions/" not in id or id.endswith("/versions/latest"))
    return str(reference.get("version", "")).lower() == "latest"


def is_watched(profile: Json) -> bool:
    """Whether anything tells how instances are."""
    extensions = field(profile, "extensionProfile.extensions", list, [])
    watched = any(str(field(one, "properties.type")).startswith("ApplicationHealth") for one in extensions)
    return watched or field(profile, "networkProfile.healthProbe.id") is not None


def check_health(profile: Json) -> None:
    """Raises ArmError 400 where nothing tells how instances are (text: terraform-provider-azurerm)."""
    if not is_watched(profile):
        raise ArmError(
            400,
            "BadRequest",
            "Rolling Upgrade mode is not supported for this Virtual Machine Scale Set because a health probe or health extension was not "
            "provided.",
        )


def check_automatic(arm: Sandbox, profile: Json, given: Json, reference: Json, origin: Origin) -> None:
    """Raises ArmError 400 where a set of that profile and image cannot be upgraded automatically; `given` is what the request says of the
    profile."""
    if not is_watched(profile):
        raise ArmError(
            400,
            "BadRequest",
            "Automatic OS Upgrade is not supported for this Virtual Machine Scale Set because a health probe or health extension was not "
            "specified.",
        )
    if not names_latest(reference):
        raise ArmError(
            400,
            "BadRequest",
            "virtualMachineScaleSets with Automatic OS Upgrade enabled must use Platform or Gallery Image with version set to 'latest'.",
        )
    if origin.kind == "platform":
        publisher, offer, sku = origin.content["platform"][:3]
        if not skus(arm)[publisher, offer, sku].upgrades:
            raise ArmError(
                400,
                "BadRequest",
                "Automatic OS Upgrade cannot be enabled on virtualMachineScaleSets configured with a Platform Image.",
            )
    if field(given, "osProfile.windowsConfiguration.enableAutomaticUpdates", bool, False):
        raise ArmError(
            400,
            "BadRequest",
            "windowsConfiguration.enableAutomaticUpdates cannot be set to true if "
            f"upgradePolicy.{_AUTOMATIC} is already true, starting from APIversion 2019-03-01",
        )
    for system in ("linuxConfiguration", "windowsConfiguration"):
        if field(profile, f"osProfile.{system}.patchSettings.patchMode", str) == "AutomaticByPlatform":
            raise invalid(
                f"{system}.patchSettings.patchMode cannot be 'AutomaticByPlatform' if upgradePolicy.{_AUTOMATIC} is true.",
                f"osProfile.{system}.patchSettings.patchMode",
            )
