"""Every name of a run, from the recipe and the run alone, so that a repeated run finds what it made before.

Limits: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules and, for tags, .../tag-resources.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from include.factory.recipe import Recipe
from include.factory.run import Run

TAG_LIMIT = 256


def tag_value(text: str) -> str:
    """`text` as a tag's value: whole when Azure takes it, else its beginning and a hash of it."""
    return text if len(text) <= TAG_LIMIT else f"{text[: TAG_LIMIT - 33]}#{sha256(text.encode()).hexdigest()[:32]}"


@dataclass(frozen=True)
class Names:
    """The names of one run. Only the resource group's must be unique in a subscription; the others live in it."""

    subscription_id: str
    recipe: str
    run_hash: str
    gallery_resource_group: str
    gallery: str
    definition: str
    existing_subnet: str | None

    @classmethod
    def of(cls, recipe: Recipe, run: Run, subscription_id: str) -> Names:
        return cls(
            subscription_id=subscription_id,
            recipe=recipe.name,
            run_hash=sha256(f"{recipe.name}\n{run.id}".encode()).hexdigest()[:12],
            gallery_resource_group=recipe.publish.resource_group,
            gallery=recipe.publish.gallery,
            definition=recipe.definition,
            existing_subnet=recipe.build.subnet,
        )

    @property
    def resource_group(self) -> str:
        return f"image-build-{self.recipe}-{self.run_hash}"

    @property
    def network(self) -> str:
        return f"{self.recipe}-network"

    @property
    def machine(self) -> str:
        return f"{self.recipe}-build"

    @property
    def test_machine(self) -> str:
        return f"{self.recipe}-boot-test"

    @property
    def computer(self) -> str:
        """Host name: at most 15 characters, which Windows asks, and not digits only."""
        return f"ib-{self.run_hash}"

    @property
    def test_computer(self) -> str:
        return f"it-{self.run_hash}"

    @property
    def image(self) -> str:
        return f"{self.recipe}-image"

    @property
    def snapshot(self) -> str:
        return f"{self.recipe}-snapshot"

    @property
    def subnet_id(self) -> str:
        return self.existing_subnet or self.build_id("Microsoft.Network/virtualNetworks", self.network) + "/subnets/build"

    def build_id(self, kind: str, name: str) -> str:
        """The ARM id of a resource in the run's own group."""
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}/providers/{kind}/{name}"

    def version_id(self, version: str) -> str:
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.gallery_resource_group}/providers/Microsoft.Compute"
            f"/galleries/{self.gallery}/images/{self.definition}/versions/{version}"
        )
