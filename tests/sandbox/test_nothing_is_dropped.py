"""What a PUT says is given back by the next GET, or the PUT is refused; nothing is accepted in silence.

Every settable member of every type's model (the official SDK's, which is the OpenAPI documents') is put on an otherwise valid body, one by
one and, by hypothesis, several together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.sandbox import schema
from include.sandbox.api_versions import type_of
from include.sandbox.clock import virtual_clock
from include.sandbox.registry import TYPES
from include.sandbox.sandbox import Sandbox
from include.sandbox.schema import Kind, Shape
from include.sandbox.wire import Request, Response

from .bodies import newest, one_of_each, put_package

SUBSCRIPTION = f"/subscriptions/{Sandbox(virtual_clock()).subscription_id}"
KNOWN = one_of_each(SUBSCRIPTION)
DEPTH = 8  # of models within models
FALSE: tuple[Any, ...] = ("", None, False, [], {}, "None")  # is not always shown

Path = tuple[str | int, ...]

# What is not given back, by type (the end of its name) and dotted path, and why.
EXCUSED = {
    r".*:(id|name|properties\.\w+(s|es)\.0\.id)": "the URL names the resource and its parts",
    r".*:.*\.(subnet|publicIPAddress|networkSecurityGroup|natGateway|virtualNetwork)\.(?!id$).*": "of a reference only the id counts",
    r".*:.*(adminPassword|protectedSettings|runAsPassword|userData|customData|AdditionalUnattendContent.*)": "secrets are never shown",
    r"runCommands:.*BlobManagedIdentity\..*": "left out of answers (official example)",
    r"virtualMachines:properties\.networkProfile\.(networkApiVersion|networkInterfaceConfigurations.*)": "shown on the interfaces",
    r"versions:properties\.securityProfile\..*": "shown under $expand=UefiSettings",
    r"versions:properties\.restore": "a command, not a state",
    r"networkSecurityGroups:properties\.flushConnection": "a command, not a state",
    r"publicIPAddresses:properties\.(ipAddress|dnsSettings\.fqdn)": "Azure chooses it; clients send back what they got",
    r".*:properties\.(frontendI|i)pConfigurations\.0\.properties\.privateIPAddress": "Azure chooses it unless the method is Static",
    r"(disks|snapshots):properties\.(osType|hyperVGeneration)": "the source decides",
    r"virtualMachines:properties\.storageProfile\.osDisk\.osType": "the image decides",
    r"disks:properties\.(diskIOPSReadWrite|diskMBpsReadWrite|tier)": "follows from the size, except for Ultra and Premium SSD v2",
    r"snapshots:properties\.creationData\.sourceUri": "older clients' name of sourceResourceId",
    r"availabilitySets:properties\.virtualMachines.*": "clients only read it, although the model lets them set it",
    r"proximityPlacementGroups:properties\.colocationStatus.*": "clients only read it, although the model lets them set it",
    r"virtualNetworkPeerings:properties\.(remote.*AddressSpace|peeringState|peeringSyncLevel).*": "the other network decides",
    r"extensions:properties\.instanceView\..*": "clients only read it, although the model lets them set it",
    r"virtualMachineScaleSets:sku\.tier": "the size decides",
    r"restorePoints:properties\.sourceMetadata\..*(managedDisk|diskRestorePoint\.(id|sourceDiskRestorePoint)).*": "the machine decides",
    r"vaults:properties\.(vaultUri|provisioningState)": "Azure chooses it; clients send back what they got",
    r"vaults:properties\.createMode": "a command, not a state",
    r"restorePoints:properties\.timeCreated": "clients only read it, although the model lets them set it",
}


@cache
def furnished() -> bytes:
    """The state of a sandbox that has one of each."""
    sandbox = Sandbox(virtual_clock(), authenticate=False, throttle=False)
    put_package(sandbox)
    for path, body in KNOWN.items():
        assert ask(sandbox, "PUT", path, body).status < 300, path
        sandbox.clock.advance(4000)
    return sandbox.dump()


def ask(sandbox: Sandbox, method: str, path: str, body: Any = None) -> Response:
    url = f"https://management.azure.com{SUBSCRIPTION}{path}?api-version={newest(SUBSCRIPTION + path)}"
    return sandbox.handle(Request(method, url, {}, json.dumps(body).encode() if body is not None else b""))


def settable(shape: Shape, base: Any, path: Path = (), within: tuple[str, ...] = ()) -> Iterator[tuple[Path, Any]]:
    """Every settable member below a model, with values for it."""
    for member in shape.members.values():
        if member.settable:
            yield from values(member.kind, base.get(member.name) if isinstance(base, dict) else None, (*path, member.name), within)


def values(kind: Kind, base: Any, path: Path, within: tuple[str, ...]) -> Iterator[tuple[Path, Any]]:
    if kind.what == "object":
        if kind.title not in within and len(within) < DEPTH:
            yield from settable(kind.shape, base, path, (*within, kind.title))
    elif kind.what == "list":
        assert kind.inner is not None
        yield from values(kind.inner, base[0] if isinstance(base, list) and base else None, (*path, 0), within)
    elif kind.what == "map":
        assert kind.inner is not None
        yield from ((path, {"key": value}) for _, value in values(kind.inner, None, path, within))
    elif kind.what == "enum":
        yield from ((path, value) for value in kind.values.values())
    else:
        plain: dict[str, list[Any]] = {"str": ["x"], "bool": [True, False], "int": [1, 5], "float": [0.5], "any": [{"key": "x"}]}
        yield from ((path, value) for value in plain.get(kind.what, ["2030-01-01T00:00:00+00:00"]))


def placed(body: Any, path: Path, value: Any) -> Any:
    """The body with a value at a path."""
    if not path:
        return value
    name, rest = path[0], path[1:]
    if isinstance(name, int):
        return [placed(body[0] if isinstance(body, list) and body else None, rest, value), *(body[1:] if isinstance(body, list) else [])]
    return {**(body if isinstance(body, dict) else {}), name: placed(body.get(name) if isinstance(body, dict) else None, rest, value)}


def found(body: Any, path: Path) -> Any:
    for name in path:
        if isinstance(name, int):
            body = body[0] if isinstance(body, list) and body else None
        else:
            body = body.get(name) if isinstance(body, dict) else None
    return body


def same(put: Any, got: Any) -> bool:
    if isinstance(put, dict) and isinstance(got, dict):
        return all(same(value, got.get(name)) for name, value in put.items())
    if isinstance(put, str) and isinstance(got, str):
        put, got = (re.sub(r"\.0+(?=[+Z])", "", one.lower().replace(" ", "")) for one in (put, got))
        return bool(put == got)
    return put == got or (put in FALSE and got in FALSE)


def kind_at(path: str) -> str:
    return type_of((SUBSCRIPTION + path).strip("/").split("/")) if "/providers/" in path else "Microsoft.Resources/resourceGroups"


def other(path: str, body: Any) -> tuple[str, Any]:
    """A second resource beside the one that there is, with nothing that two cannot have in common."""
    body = deepcopy(body)
    parent, _, name = path.rpartition("/")
    if name == "p" and "Peerings" in parent:
        return path, body
    match kind_at(path).rsplit("/", 1)[-1]:
        case "images" if "galleries" in path:
            body["properties"]["identifier"]["sku"] = "other"
        case "subnets":
            body["properties"]["addressPrefix"] = "10.0.9.0/24"
        case "securityRules":
            body["properties"]["priority"] = 200
        case "versions":
            name = "2.0.0"
    return f"{parent}/{name if name == '2.0.0' else name + 'n'}", body


def dropped(path: str, chosen: list[tuple[Path, Any]]) -> list[str]:
    """What of it was accepted and is not given back."""
    sandbox = Sandbox(virtual_clock(), authenticate=False, throttle=False)
    sandbox.load(furnished())
    path, body = other(path, KNOWN[path])
    for where, value in chosen:
        body = placed(body, where, value)
    answer = ask(sandbox, "PUT", path, body)
    assert answer.status < 500, (path, body, answer.body)
    if answer.status >= 400:
        return []
    sandbox.clock.advance(4000)
    shown = ask(sandbox, "GET", path).json()
    kind = kind_at(path).rsplit("/", 1)[-1]
    return [
        f"{name} = {found(body, where)!r}, given back as {found(shown, where)!r}"
        for where, _ in chosen
        if not same(found(body, where), found(shown, where))
        and not any(re.fullmatch(excuse, name := f"{kind}:{'.'.join(map(str, where))}", re.IGNORECASE) for excuse in EXCUSED)
    ]


@cache
def members(path: str) -> list[tuple[Path, Any]]:
    model = TYPES[kind_at(path).lower()].bodies.get("PUT")
    return list(settable(schema.shape(model), KNOWN[path])) if model is not None else []


@pytest.mark.parametrize("path", KNOWN)
def test_what_is_accepted_is_given_back(path: str) -> None:
    assert [problem for chosen in members(path) for problem in dropped(path, [chosen])] == []


@settings(max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_is_accepted_together_is_given_back(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([path for path in KNOWN if members(path)]))
    chosen = data.draw(st.lists(st.sampled_from(members(path)), min_size=2, max_size=4, unique_by=lambda one: one[0][:3]))
    assert dropped(path, chosen) == []
