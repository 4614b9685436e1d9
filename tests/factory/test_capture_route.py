from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from include.factory.capture_route import NoRouteError, Route, capture_route, machine_security

IMAGES = ("Standard", "TrustedLaunchSupported", "TrustedLaunch", "ConfidentialVM")
MACHINES = ("Standard", "TrustedLaunch", "ConfidentialVM")
STATES = ("Generalized", "Specialized")

# (machine, state, image) -> every route that Azure takes; what is not here is impossible.
POSSIBLE: dict[tuple[str, str, str], set[str]] = {
    ("Standard", "Generalized", "Standard"): {"virtual_machine", "snapshot", "managed_image"},
    ("Standard", "Specialized", "Standard"): {"virtual_machine", "snapshot"},
    ("Standard", "Generalized", "TrustedLaunchSupported"): {"managed_image"},
    ("TrustedLaunch", "Generalized", "TrustedLaunch"): {"virtual_machine", "snapshot"},
    ("TrustedLaunch", "Specialized", "TrustedLaunch"): {"virtual_machine", "snapshot"},
    ("ConfidentialVM", "Generalized", "ConfidentialVM"): {"virtual_machine"},
    ("ConfidentialVM", "Specialized", "ConfidentialVM"): {"virtual_machine"},
}


@pytest.mark.parametrize(("machine", "state", "image", "asked"), list(product(MACHINES, STATES, IMAGES, get_args(Route))))
def test_every_combination_has_the_routes_of_the_matrix_and_no_other(machine: str, state: str, image: str, asked: str) -> None:
    if asked in POSSIBLE.get((machine, state, image), set()):
        assert capture_route(machine=machine, state=state, image=image, asked=asked) == asked
    else:
        with pytest.raises(NoRouteError) as error:
            capture_route(machine=machine, state=state, image=image, asked=asked)
        assert error.value.cure


@pytest.mark.parametrize(("machine", "state", "image"), list(POSSIBLE))
def test_the_best_route_goes_straight_from_the_machine_where_it_can(machine: str, state: str, image: str) -> None:
    best = capture_route(machine=machine, state=state, image=image)

    assert best == ("virtual_machine" if "virtual_machine" in POSSIBLE[machine, state, image] else "managed_image")


@pytest.mark.parametrize("image", IMAGES)
def test_the_machine_that_an_image_needs_can_be_captured(image: str) -> None:
    assert capture_route(machine=machine_security(image), state="Generalized", image=image)


def test_a_managed_image_never_holds_an_arm64_system() -> None:
    assert capture_route(machine="Standard", state="Generalized", image="Standard", architecture="Arm64") == "virtual_machine"
    with pytest.raises(NoRouteError):
        capture_route(machine="Standard", state="Generalized", image="Standard", architecture="Arm64", asked="managed_image")


@pytest.mark.parametrize("image", IMAGES[1:])
def test_trusted_launch_and_confidential_images_need_generation_2(image: str) -> None:
    with pytest.raises(NoRouteError, match="V2"):
        capture_route(machine=machine_security(image), state="Generalized", image=image, generation="V1")
