"""Answers show what their api-version knew, and what Azure showed on the day that it is by the sandbox's clock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.sandbox.clock import virtual_clock
from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request, Response, moment

GROUP = "/resourceGroups/rg"
DISK = {"location": "westeurope", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
NETWORK = {
    "location": "westeurope",
    "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}}],
    },
}


def on(day: str) -> Sandbox:
    sandbox = Sandbox(virtual_clock(moment(day)), authenticate=False, throttle=False)
    ask(sandbox, "PUT", GROUP, "2021-04-01", {"location": "westeurope"})
    return sandbox


def ask(sandbox: Sandbox, method: str, path: str, version: str, body: Any = None) -> Response:
    url = f"https://management.azure.com/subscriptions/{sandbox.subscription_id}{path}?api-version={version}"
    return sandbox.handle(Request(method, url, {}, b"" if body is None else json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("day", "version", "shown"),
    [
        ("2024-09-01", "2024-05-01", True),
        ("2024-09-01", "2022-01-01", False),
        ("2024-06-01", "2024-05-01", False),
        ("2026-01-01", "2024-05-01", False),
    ],
)
def test_what_came_and_went_on_a_day_is_shown_in_between(day: str, version: str, shown: bool) -> None:
    made = ask(on(day), "PUT", f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v", version, NETWORK).json()["properties"]
    assert ("ipamPoolPrefixAllocations" in made["addressSpace"]) is shown
    assert ("ipamPoolPrefixAllocations" in made["subnets"][0]["properties"]) is shown


@pytest.mark.parametrize(
    ("day", "named", "marked"),
    [
        ("2020-06-01", {"name", "location"}, True),
        ("2022-10-01", {"name", "location", "id"}, True),
        ("2026-01-01", {"name", "location", "id", "type"}, False),
    ],
)
def test_a_disks_write_is_answered_as_on_its_day(day: str, named: set[str], marked: bool) -> None:
    made = ask(on(day), "PUT", f"{GROUP}/providers/Microsoft.Compute/disks/d", "2019-07-01", DISK).json()
    assert set(made) - {"properties", "sku"} == named
    assert ("isArmResource" in made["properties"]) is marked


def test_a_field_is_shown_by_the_api_versions_that_know_it() -> None:
    sandbox = on("2026-01-01")
    ask(sandbox, "PUT", f"{GROUP}/providers/Microsoft.Compute/disks/d", "2024-03-02", DISK)
    sandbox.clock.advance(60)
    old, new = (
        ask(sandbox, "GET", f"{GROUP}/providers/Microsoft.Compute/disks/d", version).json()["properties"]
        for version in ("2018-09-30", "2019-03-01")
    )
    assert set(new) - set(old) == {"uniqueId", "diskSizeBytes"}
