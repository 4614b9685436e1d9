"""Request bodies are checked against the public schema, and refused as the front door, Compute and Network refuse them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.sandbox import schema
from include.sandbox.clock import virtual_clock
from include.sandbox.registry import TYPES, ResourceType
from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request, Response
from tests.sandbox.bodies import LOCATION, UBUNTU, machine, newest

RG = "/resourceGroups/rg"
COMPUTE = f"{RG}/providers/Microsoft.Compute"
NETWORK = f"{RG}/providers/Microsoft.Network"
IDENTIFIER = {"publisher": "p", "offer": "o", "sku": "s"}
DEFINITION = {"osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V2", "identifier": IDENTIFIER}


@pytest.fixture
def sandbox() -> Sandbox:
    made = Sandbox(virtual_clock(), authenticate=False)
    assert put(made, RG, {"location": LOCATION}).status == 201
    assert put(made, f"{COMPUTE}/galleries/g", {"location": LOCATION}).status == 201
    made.clock.advance(60)
    return made


def put(sandbox: Sandbox, path: str, body: Any, *, method: str = "PUT", **headers: str) -> Response:
    url = f"https://management.azure.com/subscriptions/{sandbox.subscription_id}{path}?api-version={newest(path)}"
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return sandbox.handle(Request(method, url, {name.replace("_", "-"): value for name, value in headers.items()}, data))


def error(response: Response) -> dict[str, Any]:
    assert response.status == 400, response.body
    found: dict[str, Any] = response.json()["error"]
    return found


def of(name: str, **properties: Any) -> dict[str, Any]:
    """Fields of a definition's PUT with one of them replaced."""
    return {"location": LOCATION, "properties": {**DEFINITION, name: properties.get("value")}}


def test_a_member_that_no_resource_has_is_refused_by_the_front_door(sandbox: Sandbox) -> None:
    response = put(sandbox, f"{COMPUTE}/disks/d", b'{\n  "AccountType": "StandardLRS"\n}')
    assert error(response) == {
        "code": "InvalidRequestContent",
        "message": "The request content was invalid and could not be deserialized: 'Could not find member 'AccountType' on object of type "
        "'ResourceDefinition'. Path 'AccountType', line 2, position 16.'.",
    }
    assert response.headers["x-ms-failure-cause"] == "gateway"


def test_a_member_that_a_machine_does_not_have_is_refused_by_compute(sandbox: Sandbox) -> None:
    body = {"location": LOCATION, "properties": {"storageProfile": {"destinationVhdsContainer": "vhds"}}}
    found = error(put(sandbox, f"{COMPUTE}/virtualMachines/vm", body))
    assert found["code"] == "BadRequest"
    assert found["message"] == (
        "Could not find member 'destinationVhdsContainer' on object of type 'StorageProfile'. "
        "Path 'properties.storageProfile.destinationVhdsContainer', line 1, position 88."
    )


@pytest.mark.parametrize(
    ("member", "value", "text"),
    [
        ("osType", "BeOS", "Error converting value \"BeOS\" to type 'OperatingSystemTypes'. Path 'properties.osType'"),
        ("osType", 5, "Error converting value 5 to type 'OperatingSystemTypes'"),
        ("description", 42, "Error converting value 42 to type 'System.String'"),
        ("identifier", "p:o:s", "Error converting value \"p:o:s\" to type 'GalleryImageIdentifier'"),
        ("identifier", {**IDENTIFIER, "sku": []}, "Error converting value […] to type 'System.String'. Path 'properties.identifier.sku'"),
        ("recommended", {"vCPUs": {"min": "two"}}, "Path 'properties.recommended.vCPUs.min'"),
        ("features", {"name": "SecurityType"}, "to type 'System.Collections.Generic.List'"),
        ("features", ["SecurityType"], "Path 'properties.features[0]'"),
        ("allowUpdateImage", "maybe", "to type 'System.Boolean'"),
        ("endOfLifeDate", "soon", "to type 'System.DateTime'"),
    ],
)
def test_a_value_of_the_wrong_type_names_its_parameter(sandbox: Sandbox, member: str, value: Any, text: str) -> None:
    found = error(put(sandbox, f"{COMPUTE}/galleries/g/images/i", of(member, value=value)))
    assert found["code"] == "InvalidParameter"
    assert found["target"].startswith(f"galleryImage.properties.{member}")
    assert found["message"].startswith(f"The value of parameter '{found['target']}' is invalid. ")
    assert text in found["message"]


@pytest.mark.parametrize("member", ["osType", "osState", "identifier"])
def test_what_is_missing_is_named_and_null_is_missing(sandbox: Sandbox, member: str) -> None:
    target = f"galleryImage.properties.{member}"
    expected = {"code": "InvalidParameter", "message": f"Required parameter '{target}' is missing (null).", "target": target}
    assert error(put(sandbox, f"{COMPUTE}/galleries/g/images/i", of(member))) == expected


def test_network_lists_everything_that_it_cannot_read(sandbox: Sandbox) -> None:
    properties = {"publicIPAllocationMethod": "playground", "idleTimeoutInMinutes": "long", "colour": "red"}
    found = error(put(sandbox, f"{NETWORK}/publicIPAddresses/ip", {"location": LOCATION, "properties": properties}))
    assert (found["code"], found["message"]) == ("InvalidRequestFormat", "Cannot parse the request.")
    assert [(one["code"], one["message"].partition(" Path")[0]) for one in found["details"]] == [
        ("InvalidJson", "Error converting value \"playground\" to type 'IPAllocationMethod'."),
        ("InvalidJson", "Error converting value \"long\" to type 'System.Int32'."),
        ("InvalidJson", "Could not find member 'colour' on object of type 'PublicIPAddressPropertiesFormat'."),
    ]


def test_names_and_enum_values_are_read_without_regard_to_case(sandbox: Sandbox) -> None:
    body = {
        "Location": LOCATION,
        "Properties": {"OSTYPE": "linux", "osstate": "generalized", "hypervGeneration": "v2", "Identifier": IDENTIFIER},
    }
    response = put(sandbox, f"{COMPUTE}/galleries/g/images/i", body)
    assert response.status == 201, response.body
    assert {name: response.json()["properties"][name] for name in ("osType", "osState", "hyperVGeneration")} == {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V2",
    }


def test_what_clients_only_read_may_be_sent_back(sandbox: Sandbox) -> None:
    made = put(sandbox, f"{COMPUTE}/galleries/g/images/i", of("description", value="first")).json()
    sandbox.clock.advance(60)
    assert put(sandbox, f"{COMPUTE}/galleries/g/images/i", made).status == 200


def test_an_update_needs_not_be_complete_but_right(sandbox: Sandbox) -> None:
    path = f"{COMPUTE}/galleries/g"
    assert put(sandbox, path, {"properties": {"description": "new"}}, method="PATCH").status == 200
    sandbox.clock.advance(60)
    assert error(put(sandbox, path, {"properties": {"description": {}}}, method="PATCH"))["target"] == "gallery.properties.description"


def test_an_actions_body_is_checked_too(sandbox: Sandbox) -> None:
    body = {"location": LOCATION, "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
    assert put(sandbox, f"{COMPUTE}/disks/d", body).status == 202
    sandbox.clock.advance(60)
    found = error(put(sandbox, f"{COMPUTE}/disks/d/beginGetAccess", {"access": "Peek", "durationInSeconds": 60}, method="POST"))
    assert found["target"] == "access"


def test_a_machine_is_read_to_its_depth(sandbox: Sandbox) -> None:
    body = machine("/subscriptions/x/subnets/y", UBUNTU)
    body["properties"]["networkProfile"]["networkInterfaceConfigurations"][0]["properties"]["ipConfigurations"][0]["properties"][
        "subnet"
    ] = "y"
    where = "networkProfile.networkInterfaceConfigurations[0].properties.ipConfigurations[0].properties.subnet"
    assert error(put(sandbox, f"{COMPUTE}/virtualMachines/vm", body))["target"] == where


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b'{"location": westeurope}', "Unexpected character encountered while parsing value: w. Path '', line 1, position 14."),
        (b'{"location": ', "Unexpected end when reading JSON. Path '', line 1, position 13."),
        (b'{"location": \xff}', "Unexpected character encountered while parsing value: \xff. Path '', line 1, position 14."),
        (b"[" * 100_000, "Unexpected end when reading JSON. Path '', line 1, position 100000."),
        (b"[]", "A JSON object is expected. Path '', line 1, position 1."),
        (b"", "The request has no content. Path '', line 0, position 0."),
    ],
)
def test_what_is_no_json_object_is_refused_by_the_front_door(sandbox: Sandbox, body: bytes, complaint: str) -> None:
    found = error(put(sandbox, f"{COMPUTE}/disks/d", body))
    assert found["code"] == "InvalidRequestContent"
    assert found["message"] == f"The request content was invalid and could not be deserialized: '{complaint}'."


def test_only_json_is_taken(sandbox: Sandbox) -> None:
    response = put(sandbox, f"{COMPUTE}/galleries/other", {"location": LOCATION}, content_type="text/plain; charset=utf-8")
    assert (response.status, response.json()["error"]["code"]) == (415, "UnsupportedMediaType")
    assert put(sandbox, f"{COMPUTE}/galleries/other", {"location": LOCATION}, content_type="application/json; charset=utf-8").status == 201


def test_every_type_names_models_that_the_sdk_has() -> None:
    for kind in TYPES.values():
        for model in kind.bodies.values():
            assert schema.shape(model).members, model
        own = type(kind).put is not ResourceType.put
        modelled = kind.name.startswith(("Microsoft.Compute/", "Microsoft.Network/"))  # other libraries are not needed to run a sandbox
        assert not own or not modelled or "PUT" in kind.bodies, f"{kind.name} can be PUT and names no model"
