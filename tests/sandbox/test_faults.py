"""Faults as rules."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from tests.sandbox.bodies import make_group, make_machine, run
from tests.sandbox_transport import AzureClients

MACHINE = "Microsoft.Compute/virtualMachines"
looptime = [pytest.mark.asyncio, pytest.mark.looptime]
pytestmark = looptime

SKU = {"status": 409, "code": "SkuNotAvailable", "message": "The requested VM size is currently not available."}


async def test_a_size_without_capacity_is_refused_before_anything_is_made(azure_clients: AzureClients) -> None:
    azure_clients.sandbox.faults.add(name="sku", match={"method": "PUT", "type": MACHINE, "size": "Standard_D2s_*"}, effect={"error": SKU})
    with pytest.raises(ResourceExistsError) as refused:
        await make_machine(azure_clients)
    assert refused.value.error.code == "SkuNotAvailable"
    larger = {"vmSize": "Standard_D4s_v5"}
    assert (await make_machine(azure_clients, hardwareProfile=larger)).provisioning_state == "Succeeded"


async def test_an_allocation_that_fails_leaves_a_failed_machine_that_another_size_mends(azure_clients: AzureClients) -> None:
    effect = {"operation": {"code": "AllocationFailed", "message": "Allocation failed."}}
    azure_clients.sandbox.faults.add(name="allocation", match={"type": MACHINE, "size": "Standard_D2s_v5"}, effect=effect)
    with pytest.raises(HttpResponseError) as failed:
        await make_machine(azure_clients)
    assert failed.value.error.code == "AllocationFailed"
    vm = await azure_clients.compute.virtual_machines.get("rg", "vm", expand="instanceView")
    assert vm.provisioning_state == "Failed"
    assert [status.code for status in vm.instance_view.statuses] == ["ProvisioningState/failed/AllocationFailed"]
    mended = await make_machine(azure_clients, hardwareProfile={"vmSize": "Standard_D4s_v5"})
    assert (mended.provisioning_state, mended.hardware_profile.vm_size) == ("Succeeded", "Standard_D4s_v5")


async def test_a_rule_skips_counts_and_ends(azure_clients: AzureClients) -> None:
    rule = azure_clients.sandbox.faults.add(
        name="twice", match={"type": "*/resourceGroups", "method": "PUT"}, skip=1, count=2, effect={"error": {**SKU, "status": 400}}
    )
    outcomes = []
    for _ in range(5):
        try:
            await make_group(azure_clients)
            outcomes.append(True)
        except HttpResponseError:
            outcomes.append(False)
    assert outcomes == [True, False, False, True, True]
    assert (rule.seen, rule.fired) == (5, 2)


async def test_a_throttled_call_is_repeated_after_its_time(azure_clients: AzureClients) -> None:
    azure_clients.sandbox.faults.add(name="slow down", match={"method": "PUT"}, count=1, effect={"throttle": {"retry_after": 77}})
    began = asyncio.get_running_loop().time()
    await make_group(azure_clients)
    assert [status for _, _, status in azure_clients.calls] == [429, 201]
    assert asyncio.get_running_loop().time() - began >= 77


@pytest.mark.parametrize(("when", "exists"), [("before", 201), ("after", 200)])
async def test_a_dropped_connection_may_or_may_not_have_taken_effect(azure_clients: AzureClients, when: str, exists: int) -> None:
    azure_clients.sandbox.faults.add(name="drop", match={"method": "PUT"}, count=1, effect={"drop": when})
    await make_group(azure_clients)
    assert [status for _, _, status in azure_clients.calls] == [0, exists], "azure-core repeats the PUT"


async def test_latency_delays_the_answer(azure_clients: AzureClients) -> None:
    azure_clients.sandbox.faults.add(name="slow", effect={"latency": 40})
    began = asyncio.get_running_loop().time()
    await make_group(azure_clients)
    assert asyncio.get_running_loop().time() - began == pytest.approx(40, abs=1)


async def test_an_operation_can_run_for_ever(azure_clients: AzureClients) -> None:
    await make_machine(azure_clients)
    azure_clients.sandbox.faults.add(name="hang", match={"action": "deallocate"}, effect={"operation": "never"})
    poller = await azure_clients.compute.virtual_machines.begin_deallocate("rg", "vm")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(poller.result(), 86_000)


async def test_a_scripts_fate_is_overridden(azure_clients: AzureClients) -> None:
    await make_machine(azure_clients)
    azure_clients.sandbox.faults.add(
        name="script", match={"name": "harden"}, effect={"guest": {"exit_code": 9, "stderr": "disk full", "sleep": 3}}
    )
    view = await run(azure_clients, "exit 0\n", name="harden")
    assert (view.exit_code, view.error) == (9, "disk full\n")
    assert (await run(azure_clients, "exit 0\n", name="other")).exit_code == 0


async def test_a_silent_agent_ends_in_vm_agent_status_communication_error(azure_clients: AzureClients) -> None:
    await make_machine(azure_clients)
    azure_clients.sandbox.faults.add(name="silent", match={"name": "command"}, effect={"guest": {"silent": True}})
    with pytest.raises(HttpResponseError) as failed:
        await run(azure_clients, "true\n")
    assert failed.value.error.code == "VMAgentStatusCommunicationError"


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ({"effect": {"explode": True}}, "effect must be exactly one of"),
        ({"effect": {}}, "effect must be exactly one of"),
        ({}, "effect is missing"),
        ({"effect": {"latency": 1}, "match": {"colour": "red"}}, "colour"),
        ({"effect": {"latency": 1}, "probability": 2}, "probability"),
        ({"effect": {"latency": 1}, "often": True}, "often"),
        ({"effect": {"latency": 1}, "match": "x"}, "match must be an object"),
        ({"effect": {"latency": 1}, "count": "three"}, "count must be a whole number, not 'three'"),
        ({"effect": {"latency": "long"}}, "latency must be a number, not 'long'"),
        ({"effect": {"drop": "sometimes"}}, "drop must be one of"),
        ({"effect": {"error": "SkuNotAvailable"}}, "error must be an object"),
        ({"effect": {"error": {"status": "409"}}}, "error: status must be a number, not '409'"),
        ({"effect": {"error": {"mesage": "x"}}}, "error has unknown keys ..mesage"),
        ({"effect": {"policy": {"assignment": "a"}}}, "policy lacks ..definition"),
        ({"effect": {"operation": "later"}}, "operation must be an object, not 'later'"),
        ({"effect": {"replication": {"seconds": [1]}}}, "replication: seconds must be a number"),
        ({"effect": {"meddle": {"act": "steal", "what": "group"}}}, "meddle: act is delete or drop region"),
        ({"use": "P99"}, "no ready fault is called 'P99'"),
    ],
)
async def test_a_malformed_rule_is_refused_by_name(azure_clients: AzureClients, rule: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        azure_clients.sandbox.faults.add(rule)
