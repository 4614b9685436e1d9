"""The second gallery that a recipe names: what cannot be is said when the recipe is read."""

from __future__ import annotations

import pytest

from tests.factory.conftest import Load
from tests.factory.test_plan import DES

RECIPE = """\
name: ubuntu
owner: team@example.com
os: {{type: Linux}}
base: "Canonical:ubuntu-24_04-lts:server:latest"
build: {{region: eastus2}}
publish: {{gallery: images, resource_group: rg-images}}
replicate: {replicate}
disaster_recovery: {{{second}}}
"""
PLAIN = "[westeurope]"
SECOND = "gallery: images2, resource_group: rg-images2, location: westeurope"
ENCRYPTED = f"[{{name: eastus2, encryption_set: {DES}}}]"
BOTH = f"[{{name: eastus2, encryption_set: {DES}}}, {{name: westeurope, encryption_set: {DES}}}]"


def problems(load: Load, second: str, replicate: str = PLAIN) -> list[str]:
    catalogue = load(ubuntu=RECIPE.format(second=second, replicate=replicate))
    return [f"{problem.field}: {problem.message}. {problem.cure}" for problem in catalogue.problems]


def test_a_second_gallery_in_another_region_is_good(load: Load) -> None:
    assert problems(load, SECOND) == []
    assert problems(load, f"{SECOND}, subscription: 5a4db0c0-0000-4000-8000-000000000002") == []
    assert problems(load, f"{SECOND}, regions: {BOTH}", ENCRYPTED) == []


@pytest.mark.parametrize(
    ("second", "replicate", "said"),
    [
        (
            "gallery: Images, resource_group: rg-IMAGES, location: westeurope",
            PLAIN,
            "gallery: it is the gallery that the recipe publishes to",
        ),
        (SECOND.replace("westeurope", "eastus2"), PLAIN, "location: eastus2 is lost with the first gallery"),
        (SECOND.replace("westeurope", "uksouth"), PLAIN, "Add uksouth to replicate.regions, or choose westeurope."),
        (f"{SECOND}, regions: [uksouth, UK South]", PLAIN, "regions[1]: uksouth is also regions[0]"),
        (f"{SECOND}, regions: {BOTH}", PLAIN, "the image is not encrypted"),
        (SECOND, ENCRYPTED, "regions: the image is encrypted, and westeurope, eastus2 has no disk encryption set here"),
        (
            f"{SECOND}, regions: {BOTH}, subscription: 5a4db0c0-0000-4000-8000-000000000002",
            ENCRYPTED,
            "cannot be published to another subscription",
        ),
        (f"{SECOND}, regions: {BOTH}, connection: other", ENCRYPTED, "cannot be published with another connection"),
        (f"{SECOND}, subscription: mine", PLAIN, "'mine' is not a subscription id"),
    ],
)
def test_what_azure_would_refuse_is_refused_here(load: Load, second: str, replicate: str, said: str) -> None:
    (problem,) = problems(load, second, replicate)
    assert said in problem
    assert problem.startswith("disaster_recovery.")
