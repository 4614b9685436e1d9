"""Purchase plans: their terms are read, accepted and cancelled, and what is made of an image with one is refused without."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from tests.sandbox.bodies import LOCATION, group, machine, make_group, make_network
from tests.sandbox_transport import BASE, AzureClients

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

ROCKY = {"publisher": "resf", "offer": "rockylinux-x86_64", "sku": "9-base", "version": "latest"}
PLAN = {"name": "9-base", "product": "rockylinux-x86_64", "publisher": "resf"}
CIS = {"name": "cis-ubuntulinux2204-l1-gen2", "product": "cis-ubuntu", "publisher": "center-for-internet-security-inc"}
SPACE = "providers/Microsoft.MarketplaceOrdering"


async def ask(clients: AzureClients, method: str, path: str, body: Any = None, version: str = "2021-01-01") -> tuple[int, Any]:
    """An answer of the marketplace's, which has no client of its own here."""
    url = f"{BASE}/subscriptions/{clients.subscription_id}/{SPACE}/{path}"
    request = HttpRequest(method, url, params={"api-version": version}, json=body)
    answer = await clients.resources._client.send_request(request)
    return answer.status_code, answer.json()


def current(plan: dict[str, str] = PLAN) -> str:
    return f"offerTypes/virtualmachine/publishers/{plan['publisher']}/offers/{plan['product']}/plans/{plan['name']}/agreements/current"


async def say(clients: AzureClients, accepted: bool, plan: dict[str, str] = PLAN) -> Any:
    """What `az vm image terms accept` and `cancel` do: the terms are read, and put again with an answer."""
    _, terms = await ask(clients, "GET", current(plan))
    status, said = await ask(clients, "PUT", current(plan), {"properties": {**terms["properties"], "accepted": accepted}})
    assert status == 200
    return said


async def vm(clients: AzureClients, image: dict[str, Any], plan: dict[str, str] | None, name: str = "vm", **options: Any) -> Any:
    await make_group(clients)
    body = machine(await make_network(clients), image, **options)
    if plan is not None:
        body["plan"] = plan
    return await (await clients.compute.virtual_machines.begin_create_or_update("rg", name, body)).result()


def code(refused: pytest.ExceptionInfo[HttpResponseError]) -> str:
    assert refused.value.error is not None
    return str(refused.value.error.code)


async def test_terms_are_not_accepted_until_somebody_does(azure_clients: AzureClients) -> None:
    _, first = await ask(azure_clients, "GET", current())
    _, second = await ask(azure_clients, "GET", current())
    assert first["type"] == "Microsoft.MarketplaceOrdering/offertypes"
    assert first["id"].endswith("/offerTypes/VirtualMachine/publishers/resf/offers/rockylinux-x86_64/plans/9-base/agreements/current")
    assert not first["properties"]["accepted"]
    assert first["properties"]["licenseTextLink"].startswith("https://")
    assert first["properties"]["signature"] != second["properties"]["signature"]
    said = await say(azure_clients, True)
    assert said["properties"]["accepted"]
    cancelled = await say(azure_clients, False)
    assert cancelled["properties"]["signature"] == said["properties"]["signature"]
    assert not (await ask(azure_clients, "GET", current()))[1]["properties"]["accepted"]


async def test_the_older_version_of_the_interface_has_no_system_data(azure_clients: AzureClients) -> None:
    assert "systemData" in (await ask(azure_clients, "GET", current()))[1]
    assert "systemData" not in (await ask(azure_clients, "GET", current(), version="2015-06-01"))[1]
    assert (await ask(azure_clients, "GET", current(), version="2020-01-01"))[0] == 400


async def test_an_agreement_is_signed_and_cancelled_and_listed(azure_clients: AzureClients) -> None:
    path = "agreements/resf/offers/rockylinux-x86_64/plans/9-base"
    assert (await ask(azure_clients, "GET", path))[0] == 404
    assert (await ask(azure_clients, "POST", f"{path}/cancel"))[0] == 404
    _, signed = await ask(azure_clients, "POST", f"{path}/sign")
    assert signed["properties"].keys() == {"publisher", "offer", "signDate", "state"}
    assert (await ask(azure_clients, "GET", current()))[1]["properties"]["accepted"]
    assert (await ask(azure_clients, "GET", "agreements"))[1]["value"] == [signed]
    _, cancelled = await ask(azure_clients, "POST", f"{path}/cancel")
    assert cancelled["properties"]["state"] == "Canceled"
    assert "cancelDate" in cancelled["properties"]
    assert (await ask(azure_clients, "GET", path))[1] == cancelled


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (current({**PLAN, "product": "nothing"}), None, "The offer with Offer ID 'nothing' was not found"),
        (current().replace("virtualmachine", "appliance"), None, "The offer type 'appliance' is not supported"),
        (current(), {"properties": {"accepted": True, "plan": "8-base"}}, "The plan '8-base' of the terms is not '9-base'"),
        (current(), {"properties": {}}, "must say 'accepted'"),
    ],
)
async def test_terms_that_nobody_can_accept_are_refused(azure_clients: AzureClients, path: str, body: Any, words: str) -> None:
    status, said = await ask(azure_clients, "PUT" if body else "GET", path, body)
    assert (status, said["error"]["code"]) == (400, "BadRequest")
    assert words in said["error"]["message"]


async def test_a_machine_is_sold_to_a_subscription_that_accepted_the_terms_and_to_no_other(azure_clients: AzureClients) -> None:
    with pytest.raises(HttpResponseError, match=r"publisher='resf' offer = 'rockylinux-x86_64', sku = '9-base'") as refused:
        await vm(azure_clients, ROCKY, PLAN)
    assert (refused.value.status_code, code(refused)) == (400, "ResourcePurchaseValidationFailed")
    await say(azure_clients, True, CIS)
    with pytest.raises(HttpResponseError, match="You have not accepted the legal terms"):
        await vm(azure_clients, ROCKY, PLAN)
    await say(azure_clients, True)
    assert (await vm(azure_clients, ROCKY, PLAN)).plan.name == "9-base"
    await say(azure_clients, False)
    await vm(azure_clients, ROCKY, PLAN)  # it is there
    with pytest.raises(HttpResponseError, match="You have not accepted the legal terms"):
        await vm(azure_clients, ROCKY, PLAN, name="another")


async def test_a_plan_that_nobody_sells_is_not_found(azure_clients: AzureClients) -> None:
    with pytest.raises(HttpResponseError, match="The offer with Offer ID 'appliance' was not found") as refused:
        await vm(azure_clients, ROCKY, {"name": "basic", "product": "appliance", "publisher": "contoso"})
    assert code(refused) == "ResourcePurchaseValidationFailed"


@pytest.mark.parametrize(
    ("image", "plan", "words"),
    [
        (ROCKY, None, "requires Plan information in the request"),
        (ROCKY, CIS, "The purchase information does not match"),
        ({"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2", "version": "latest"}, CIS, "please remove the Plan information"),
    ],
)
async def test_a_machine_whose_plan_is_not_its_images_fails_to_be_made(
    azure_clients: AzureClients, image: dict[str, str], plan: dict[str, str] | None, words: str
) -> None:
    await say(azure_clients, True, CIS)
    with pytest.raises(HttpResponseError, match=words) as refused:
        await vm(azure_clients, image, plan)
    assert code(refused) == "VMMarketplaceInvalidInput"
    failed = await azure_clients.compute.virtual_machines.get("rg", "vm", expand="instanceView")
    assert failed.provisioning_state == "Failed"
    assert [status.code for status in failed.instance_view.statuses] == ["ProvisioningState/failed/VMMarketplaceInvalidInput"]


async def test_a_template_is_refused_before_it_begins_but_not_by_its_validation(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    body = machine(await make_network(azure_clients), ROCKY)
    resource = {"type": "Microsoft.Compute/virtualMachines", "apiVersion": "2024-07-01", "name": "vm", "plan": PLAN, **body}
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": [resource],
    }
    root = f"{BASE}{group(azure_clients)}/providers/Microsoft.Resources/deployments/one"

    async def send(method: str, act: str = "") -> tuple[int, Any]:
        whole = {"properties": {"mode": "Incremental", "template": template}}
        request = HttpRequest(method, root + act, params={"api-version": "2022-09-01"}, json=whole)
        answer = await azure_clients.resources._client.send_request(request)
        return answer.status_code, answer.json()

    assert (await send("POST", "/validate"))[0] == 200
    status, said = await send("PUT")
    assert (status, said["error"]["code"]) == (400, "MarketplacePurchaseEligibilityFailed")
    assert "You have not accepted the legal terms" in said["error"]["details"][0]["message"]
    assert azure_clients.sandbox.resource(f"{group(azure_clients)}/providers/Microsoft.Compute/virtualMachines/vm") is None
    await say(azure_clients, True)
    assert (await send("PUT"))[0] == 201


def scale_set(subnet: str, **extra: Any) -> dict[str, Any]:
    """A Uniform set of one machine of ROCKY."""
    one = machine(subnet, ROCKY)["properties"]
    profile = {
        "osProfile": {"computerNamePrefix": "web", **{key: one["osProfile"][key] for key in ("adminUsername", "linuxConfiguration")}},
        "storageProfile": {"imageReference": ROCKY},
        "networkProfile": {"networkInterfaceConfigurations": one["networkProfile"]["networkInterfaceConfigurations"]},
    }
    properties = {"upgradePolicy": {"mode": "Manual"}, "virtualMachineProfile": profile}
    return {"location": LOCATION, "sku": {"name": "Standard_D2s_v5", "capacity": 1}, "properties": properties, **extra}


async def test_a_scale_set_is_held_to_the_same(azure_clients: AzureClients) -> None:
    await make_group(azure_clients)
    subnet = await make_network(azure_clients)
    sets = azure_clients.compute.virtual_machine_scale_sets
    with pytest.raises(HttpResponseError) as refused:
        await sets.begin_create_or_update("rg", "set", scale_set(subnet))
    assert code(refused) == "VMMarketplaceInvalidInput"
    with pytest.raises(HttpResponseError) as refused:
        await sets.begin_create_or_update("rg", "set", scale_set(subnet, plan=PLAN))
    assert code(refused) == "ResourcePurchaseValidationFailed"
    await say(azure_clients, True)
    made = await (await sets.begin_create_or_update("rg", "set", scale_set(subnet, plan=PLAN))).result()
    assert made.plan.name == "9-base"


async def test_a_definitions_plan_holds_for_machines_of_its_versions(azure_clients: AzureClients) -> None:
    """Here the plan is the definition's alone: the source of the version is no marketplace image with one."""
    compute = azure_clients.compute
    await vm(azure_clients, {"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2", "version": "latest"}, None, name="source")
    await (await compute.galleries.begin_create_or_update("rg", "images", {"location": LOCATION})).result()
    definition = {
        "location": LOCATION,
        "properties": {
            "osType": "Linux",
            "osState": "Specialized",
            "hyperVGeneration": "V2",
            "identifier": {"publisher": "me", "offer": "web", "sku": "one"},
            "features": [{"name": "SecurityType", "value": "Standard"}],
            "purchasePlan": PLAN,
        },
    }
    await (await compute.gallery_images.begin_create_or_update("rg", "images", "web", definition)).result()
    source = f"{group(azure_clients)}/providers/Microsoft.Compute/virtualMachines/source"
    version = {"location": LOCATION, "properties": {"storageProfile": {"source": {"virtualMachineId": source}}}}
    made = await (await compute.gallery_image_versions.begin_create_or_update("rg", "images", "web", "1.0.0", version)).result()
    image = {"id": made.id}
    with pytest.raises(HttpResponseError, match="requires Plan information"):
        await vm(azure_clients, image, None, specialized=True)
    with pytest.raises(HttpResponseError, match="You have not accepted the legal terms"):
        await vm(azure_clients, image, PLAN, name="second", specialized=True)
    await say(azure_clients, True)
    assert (await vm(azure_clients, image, PLAN, name="second", specialized=True)).provisioning_state == "Succeeded"
