from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from include.factory.region import DISPLAY_NAMES, NAMES, display_name, region_name

RECORDED = Path(__file__).parents[3] / "shared" / "fidelity" / "recordings" / "java-resources__canListLocations.json"


@pytest.mark.parametrize("written", ["eastus2", "East US 2", "EastUS2", "east us 2", " East  US 2 ", "east-us-2"])
def test_a_region_has_one_name_however_it_is_written(written: str) -> None:
    assert region_name(written) == "eastus2"


def test_every_region_is_found_by_its_display_name() -> None:
    assert {region_name(display) for display in DISPLAY_NAMES} == set(NAMES)
    assert len(NAMES) == len(DISPLAY_NAMES)
    assert all(display_name(region_name(display)) == display for display in DISPLAY_NAMES)


@pytest.mark.parametrize(
    ("written", "nearest"), [("eastus22", "eastus2"), ("West Eurpoe", "westeurope"), ("usgov virgina", "usgovvirginia")]
)
def test_a_misspelt_region_is_refused_with_the_nearest(written: str, nearest: str) -> None:
    with pytest.raises(PydanticCustomError) as error:
        region_name(written)
    assert nearest in error.value.context["cure"]  # type: ignore[index]  # every refusal has one


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers of Azure lie outside the project")
def test_the_names_are_those_that_azure_lists() -> None:
    text = RECORDED.read_text()
    interactions = json.loads(text)["interactions"]
    listed = [
        location
        for interaction in interactions
        for location in (interaction.get("res") or {}).get("value", [])
        if isinstance(location, dict) and (location.get("metadata") or {}).get("regionType") == "Physical"
    ]

    assert listed
    assert [(location["name"], location["displayName"]) for location in listed] == [
        (region_name(location["displayName"]), display_name(location["name"])) for location in listed
    ]
