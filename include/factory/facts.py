"""What a build's plan needs to know of Azure; read once, before the first write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

from include.factory.value import Architecture, Generation, OsState, OsType, Value


class _Fact(Value):
    model_config = ConfigDict(extra="ignore")


class BaseFacts(_Fact):
    """What the recipe's base is at this moment: the result of ``base_image.resolve``."""

    id: str
    """ARM id of the version, image or snapshot, or the URN `publisher:offer:sku:version`, never `latest`."""
    version: str | None = None
    """The version, where there are versions."""
    image_reference: dict[str, str] | None = None
    """`{"publisher", "offer", "sku", "version"}` or `{"id"}`."""
    snapshot: dict[str, Any] | None = None
    """`{"os": id, "data": {lun: id}}`."""
    os_type: OsType | None = None
    os_state: Annotated[OsState, BeforeValidator(lambda state: state or "Generalized")] = "Generalized"
    """Whether machines from it are given accounts at first boot; snapshots are Specialized."""
    generation: Generation | None = None
    architecture: Architecture | None = None
    security_type: str | None = None
    """The SecurityType of its definition, or of the marketplace image."""
    data_luns: tuple[int, ...] = ()
    """LUNs of the data disks that come with it."""
    plan: dict[str, str] | None = None
    """Purchase plan of a marketplace image, `{"name", "product", "publisher"}`; machines from it and from its images need it."""


class VersionFacts(_Fact):
    """The newest promoted version of the recipe's definition, from its tags."""

    version: str
    digest: str | None = None
    base: str | None = None
    run: str | None = None


_FIXED = {
    "os_type": "OS type",
    "os_state": "OS state",
    "hyper_v_generation": "generation",
    "architecture": "architecture",
    "publisher": "publisher",
    "offer": "offer",
    "sku": "SKU",
}


class DefinitionFacts(_Fact):
    """The definition as it is."""

    location: str
    os_type: str
    os_state: str
    hyper_v_generation: str = "V1"
    architecture: str = "x64"
    publisher: str
    offer: str
    sku: str
    features: dict[str, str] = Field(default_factory=dict)
    plan: dict[str, str] | None = None
    """Purchase plan, as a base has it."""

    def differences(self, wanted: Mapping[str, Any]) -> list[str]:
        """What it has otherwise than ``wanted`` of what Azure never changes (troubleshooting-shared-images), but for its purchase plan.
        Of its features only the security type decides which machines can be made.

        :param wanted: as :func:`include.factory.arguments.described` has it.
        """
        security, wanted_security = (features.get("SecurityType", "Standard") for features in (self.features, wanted["features"]))
        pairs = [(what, getattr(self, name), wanted[name]) for name, what in _FIXED.items()]
        pairs.append(("security type", security, wanted_security))
        return [f"{what} {found} (the recipe says {written})" for what, found, written in pairs if found.lower() != written.lower()]

    def plan_problem(self, name: str, wanted: dict[str, str] | None) -> str | None:
        """What is wrong with its purchase plan, and the cure: machines of an image whose source has one need it, and read it here
        (https://learn.microsoft.com/azure/virtual-machines/marketplace-images).

        :param wanted: that of the base or machine, or None.
        """
        if _same_plan(self.plan, wanted):
            return None
        have, want = (f"{one['publisher']}:{one['product']}:{one['name']}" if one else "none" for one in (self.plan, wanted))
        return (
            f"The definition {name} has the purchase plan {have} and the source has {want}; Azure never changes it. "
            f"Publish to a new definition, which is made with the source's plan."
        )


def _same_plan(one: dict[str, str] | None, other: dict[str, str] | None) -> bool:
    first, second = ({key: (plan or {}).get(key, "").lower() for key in ("name", "product", "publisher")} for plan in (one, other))
    return first == second


class Facts(_Fact):
    subscription_id: str
    base: BaseFacts
    newest: VersionFacts | None = None
    """The newest good version: promoted, and included in latest."""
    versions: dict[str, str | None] = Field(default_factory=dict)
    """Each existing version's number with its tag `image-factory-run`."""
    deleted: tuple[str, ...] = ()
    """Versions that are deleted softly: their numbers are taken."""
    retired_up_to: str | None = None
    """The highest number that was ever retired: numbers up to it may have been used."""
    definition: DefinitionFacts | None = None
    """The definition, or None when there is none yet."""
    there: tuple[str, ...] = ()
    """ARM ids of the places that a build makes where they are missing (resource groups, galleries, definitions) and that are there."""
