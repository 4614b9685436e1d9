"""Machines: sizes, failures, power, ownership."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from include.steps import virtual_machine
from include.steps.errors import StepError
from include.steps.look import RUN_TAG
from tests.steps.build_line import GROUP, MACHINE, TAGS, WINDOWS, Killed, Line

MACHINES = "Microsoft.Compute/virtualMachines"
FIRST, SECOND, THIRD = "Standard_D2s_v5", "Standard_D2as_v5", "Standard_D2s_v4"
PUT = {"type": MACHINES, "method": "PUT"}


def refused(code: str, size: str, message: str = "no", status: int = 409, count: int | None = None) -> dict[str, Any]:
    return {"match": {**PUT, "size": size}, "effect": {"error": {"status": status, "code": code, "message": message}}, "count": count}


def fails(code: str, size: str = "*", count: int | None = None) -> dict[str, Any]:
    return {"match": {**PUT, "size": size}, "effect": {"operation": {"code": code, "message": f"{code}, says Azure."}}, "count": count}


async def ready(*faults: dict[str, Any]) -> Line:
    line = await Line().up_to("create_virtual_machine")
    for number, fault in enumerate(faults):
        line.sandbox.faults.add(name=f"fault {number}", **fault)
    return line


@pytest.mark.parametrize(
    "fault",
    [
        refused("SkuNotAvailable", FIRST),
        refused(
            "OperationNotAllowed",
            FIRST,
            "Operation could not be completed as it results in exceeding approved standardDSv5Family Cores quota.",
        ),
        fails("AllocationFailed", FIRST),
        fails("ZonalAllocationFailed", FIRST),
        fails("OverconstrainedAllocationRequest", FIRST),
    ],
    ids=["SkuNotAvailable", "quota", "AllocationFailed", "ZonalAllocationFailed", "OverconstrainedAllocationRequest"],
)
async def test_the_next_size_is_taken_when_azure_has_none_of_one(fault: dict[str, Any]) -> None:
    line = await ready(fault)
    made = await line.run("create_virtual_machine")
    assert made["size"] == SECOND
    assert line.resource("virtualMachines", MACHINE).properties["vmId"] == made["vm_id"]


async def test_sizes_that_are_refused_and_sizes_that_fail_are_both_passed_over() -> None:
    line = await ready(refused("SkuNotAvailable", FIRST), fails("AllocationFailed", SECOND))
    assert (await line.run("create_virtual_machine"))["size"] == THIRD


async def test_a_try_killed_between_two_sizes_goes_on_with_the_next_size() -> None:
    line = await ready(fails("AllocationFailed", FIRST))
    # The call behind the failed operation deletes the machine of the first size: the process dies right before it.
    calls = 0
    while True:
        calls += 1
        line.transport.arm(calls, "before")
        with pytest.raises(Killed):
            await line.run("create_virtual_machine")
        machine = line.resource("virtualMachines", MACHINE)
        if machine is not None and machine.state == "Failed":
            break
    line.transport.arm(0, "before")
    before = line.count("PUT", MACHINE)
    assert (await line.run("create_virtual_machine"))["size"] == SECOND
    assert line.count("PUT", MACHINE) == before + 1, "the size that failed is not tried again"


async def test_when_no_size_is_to_be_had_the_error_names_all_and_no_machine_is_left() -> None:
    line = await ready(refused("SkuNotAvailable", "*"))
    with pytest.raises(StepError, match=f"none of {FIRST}, {SECOND}, {THIRD}") as caught:
        await line.run("create_virtual_machine")
    assert (caught.value.kind, caught.value.code) == ("permanent", "SkuNotAvailable")
    line = await ready(fails("AllocationFailed"))
    with pytest.raises(StepError) as caught:
        await line.run("create_virtual_machine")
    assert (caught.value.kind, caught.value.code) == ("transient", "AllocationFailed")
    assert line.resource("virtualMachines", MACHINE) is None


async def test_a_machine_whose_guest_does_not_come_up_is_built_once_more() -> None:
    line = await ready(fails("OSProvisioningTimedOut", count=1))
    made = await line.run("create_virtual_machine")
    assert made["size"] == FIRST
    assert line.count("PUT", MACHINE) == 2
    assert line.resource("virtualMachines", MACHINE).body["tags"]["image-factory-rebuilt"] == "true"


async def test_a_machine_whose_guest_never_comes_up_is_an_error_that_says_so_and_stays_for_a_look() -> None:
    line = await ready(fails("OSProvisioningTimedOut"))
    with pytest.raises(StepError, match="boot it by hand") as caught:
        await line.run("create_virtual_machine")
    assert (caught.value.kind, caught.value.stage) == ("redo", "create_virtual_machine")
    assert line.count("PUT", MACHINE) == 2
    with pytest.raises(StepError):
        await line.run("create_virtual_machine")
    assert line.count("PUT", MACHINE) == 2, "the same attempt builds no third one"
    line.sandbox.faults.clear()
    assert (await line.run("create_virtual_machine", attempt=2))["size"] == FIRST, "a cleared task does"


async def test_a_machine_of_an_earlier_attempt_that_is_generalized_is_made_anew() -> None:
    line = await Line().up_to("ensure_resource_group")
    old = line.resource("virtualMachines", MACHINE).properties["vmId"]
    await line.run("create_virtual_machine")
    assert line.resource("virtualMachines", MACHINE).properties["vmId"] == old, "the same attempt leaves it alone"
    made = await line.run("create_virtual_machine", attempt=2)
    assert made["vm_id"] != old
    assert line.resource("virtualMachines", MACHINE).private["power"] == "running"


async def test_a_machine_of_another_run_is_never_touched() -> None:
    line = await ready()
    await line.run("create_virtual_machine", tags={**TAGS, RUN_TAG: "another/run"})
    writes = len([call for call in line.calls if call[0] != "GET"])
    with pytest.raises(StepError, match="another/run") as caught:
        await line.run("create_virtual_machine")
    assert (caught.value.kind, caught.value.code) == ("permanent", "NameTaken")
    assert len([call for call in line.calls if call[0] != "GET"]) == writes


async def test_the_throwaway_account_appears_in_no_log_result_or_tag(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    from include.steps import machine_body

    passwords: list[str] = []
    password = machine_body._password
    monkeypatch.setattr(machine_body, "_password", lambda: passwords.append(password()) or passwords[-1])
    line = await ready()
    made = await line.run("create_virtual_machine", source={"image_reference": WINDOWS}, os_type="Windows")
    body = line.resource("virtualMachines", MACHINE).body
    assert len(passwords) == 1
    assert passwords[0] not in caplog.text + str(made) + str(body["tags"])


async def test_nothing_of_a_machine_outlives_it_and_nothing_reaches_in() -> None:
    line = await Line().through("create_virtual_machine")
    body = line.resource("virtualMachines", MACHINE).body
    profile = body["properties"]["storageProfile"]
    assert [disk["deleteOption"] for disk in (profile["osDisk"], *profile["dataDisks"])] == ["Delete", "Delete"]
    assert body["properties"]["diagnosticsProfile"] == {"bootDiagnostics": {"enabled": True}}
    assert not any("publicipaddresses" in key for key in line.sandbox.store.resources)
    await virtual_machine.delete(line.azure, resource_group=GROUP, name=MACHINE)
    left = {key.split("/")[-2] for key in line.sandbox.store.resources if f"/{GROUP}/" in key}
    assert left <= {"virtualnetworks", "subnets"}


async def test_a_trusted_launch_machine_has_vtpm_and_secure_boot_and_a_spot_one_its_price() -> None:
    line = await ready()
    await line.run("create_virtual_machine", security_type="TrustedLaunch", spot=True)
    properties = line.resource("virtualMachines", MACHINE).properties
    assert properties["securityProfile"] == {
        "securityType": "TrustedLaunch",
        "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
    }
    assert (properties["priority"], properties["evictionPolicy"], properties["billingProfile"]) == ("Spot", "Deallocate", {"maxPrice": -1})


async def test_a_machine_from_snapshots_gets_its_disks_first_and_no_account() -> None:
    line = await Line().through("snapshot")
    source = (await line.run("snapshot"))["source"]
    made = await line.run(
        "create_virtual_machine", name="copy", source={"snapshot": {"os": source["os"], "data": source["data"]}}, os_state="Specialized"
    )
    machine = line.resource("virtualMachines", "copy")
    assert made["id"] == machine.id
    assert "osProfile" not in machine.properties
    assert [disk["lun"] for disk in machine.properties["storageProfile"]["dataDisks"]] == [1]


async def test_a_running_machine_is_not_marked_as_generalized() -> None:
    line = await Line().up_to("deallocate")
    with pytest.raises(StepError, match=r"generalize\.deallocate") as caught:
        await line.run("generalize")
    assert (caught.value.kind, caught.value.stage) == ("redo", "deallocate")


async def test_a_machine_that_was_never_deprovisioned_is_not_marked_as_generalized() -> None:
    line = await Line().through("create_virtual_machine")
    await line.run("deallocate")
    with pytest.raises(StepError, match="never deprovisioned") as caught:
        await line.run("generalize")
    assert caught.value.kind == "permanent"
    assert not line.resource("virtualMachines", MACHINE).private.get("generalized")
    await virtual_machine.start(line.azure, resource_group=GROUP, name=MACHINE)


async def test_generalizing_twice_sends_it_once() -> None:
    line = await Line().through("generalize")
    assert await line.run("generalize") == {"generalized": True}
    assert line.count("POST", "/generalize") == 1


async def test_a_generalized_machine_is_not_started() -> None:
    line = await Line().through("generalize")
    with pytest.raises(StepError, match="can never start again") as caught:
        await virtual_machine.start(line.azure, resource_group=GROUP, name=MACHINE)
    assert (caught.value.kind, caught.value.stage) == ("redo", "create_virtual_machine")
    assert line.count("POST", "/start") == 0


async def test_a_machine_that_is_gone_sends_the_run_back_to_its_making() -> None:
    line = await Line().through("create_resource_group")
    for step in ("deallocate", "generalize", "capture_source"):
        with pytest.raises(StepError) as caught:
            await line.run(step)
        assert (caught.value.kind, caught.value.stage) == ("redo", "create_virtual_machine")


async def test_a_running_machine_is_not_captured() -> None:
    line = await Line().through("create_virtual_machine")
    with pytest.raises(StepError, match="must be deallocated"):
        await line.run("capture_source")


async def test_only_a_machine_of_a_run_is_deleted() -> None:
    line = await Line().through("create_virtual_machine")
    line.resource("virtualMachines", MACHINE).body["tags"].pop(RUN_TAG)
    with pytest.raises(StepError, match="NameTaken"):
        await virtual_machine.delete(line.azure, resource_group=GROUP, name=MACHINE)
    assert line.count("DELETE") == 0
    assert await virtual_machine.delete(line.azure, resource_group=GROUP, name="nobody") == {"deleted": False}


async def test_waiting_for_a_state_ends_when_it_is_reached_or_says_what_is_there_instead() -> None:
    line = await Line().through("create_virtual_machine")
    waiting = asyncio.create_task(
        virtual_machine.wait_for_state(line.azure, resource_group=GROUP, name=MACHINE, state="deallocated", timeout=600)
    )
    await asyncio.sleep(30)
    await line.run("deallocate")
    assert await waiting == {"power_state": "deallocated"}
    with pytest.raises(StepError, match="is deallocated and not running after 60 s"):
        await virtual_machine.wait_for_state(line.azure, resource_group=GROUP, name=MACHINE, state="running", timeout=60)
