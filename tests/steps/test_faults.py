"""Every DAG of a version's life against every fault that concerns its writes: what it ends as, and that a second run finishes it.

Each act is tried as Airflow tries it, by the operators' own retry policy, on virtual time. Where the fault passes, the act must end where
the undisturbed one ends. Where it does not, the error must name the cause and the cure; when somebody has done what it says, the same task
run again must end there, too: so nothing is lost, and nothing is left.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from image_factory.retries import PATIENT_RETRIES, AzureRetryPolicy, AzureStepFailed
from image_factory.triggers.step import load_step
from include.factory.capture import STEPS as CAPTURE_STEPS
from include.steps import leftovers, promotion, regions, restoration, retirement, rollback
from include.steps.errors import StepError
from tests.steps import test_leftovers, test_machine_capture, test_promotion, test_restoration, test_retirement, test_rollback
from tests.steps.build_line import Line
from tests.steps.seeded import PATH, gallery_line, seed

VERSIONS = "Microsoft.Compute/galleries/images/versions"
Act = Callable[[Line], Awaitable[Any]]


@dataclass(frozen=True)
class Work:
    """What a DAG does: its world with its plan made, the act, and the writes that a fault may meet."""

    name: str
    make: Callable[[], Awaitable[tuple[Line, Act]]]
    method: str
    type: str = VERSIONS
    lock: str = "ReadOnly"


async def backfill() -> tuple[Line, Act]:
    line = await gallery_line()
    for name in ("1.0.0", "1.0.1", "1.0.2"):
        seed(line, name, ("westeurope", "japaneast"))
    plan = await regions.plan(line.azure, form={**PATH, "versions": "*", "add": ["northeurope"], "remove": ["japaneast"]})
    return line, lambda line: regions.change(line.azure, **plan["steps"]["change_regions"])


async def promote() -> tuple[Line, Act]:
    line = await test_promotion.two_versions()
    plan = await test_promotion.plan_of(line, waves=["westus2"], pause=10, channels=["prod"])
    return line, lambda line: promotion.promote(line.azure, **plan["steps"]["promote_version"])


async def roll_back() -> tuple[Line, Act]:
    line = await test_rollback.three_versions()
    plan = await test_rollback.plan_of(line, include_excluded=True)
    return line, lambda line: rollback.roll_back(line.azure, **plan["steps"]["roll_back"])


async def retire() -> tuple[Line, Act]:
    line = await test_retirement.four_versions()
    plan = await test_retirement.plan_of(line)
    return line, lambda line: retirement.retire(line.azure, **plan["steps"]["retire_versions"])


async def restore() -> tuple[Line, Act]:
    line = await test_restoration.with_bin()
    plan = await restoration.plan(line.azure, form={**PATH, "versions": "*"})
    return line, lambda line: restoration.restore(line.azure, **plan["steps"]["restore_version"])


async def sweep() -> tuple[Line, Act]:
    line = await test_leftovers.left_behind()
    plan = await test_leftovers.planned(line)
    return line, lambda line: leftovers.sweep(line.azure, **plan["steps"]["sweep"])


async def capture() -> tuple[Line, Act]:
    """All tasks of a specialized capture, one after the other; a task that is done is not run again."""
    line = await test_machine_capture.web()
    plan = await test_machine_capture.planned(line, regions=["northeurope"])
    done: set[str] = set()

    async def act(line: Line) -> None:
        for task, arguments in plan["steps"].items():
            if arguments is not None and task not in done and task != "report":
                await load_step(CAPTURE_STEPS[task])(line.azure, **arguments)
                done.add(task)

    return line, act


WORKS = (
    Work("replicate and backfill", backfill, "PATCH"),
    Work("promote", promote, "PATCH"),
    Work("roll back", roll_back, "PATCH"),
    Work("roll back, marking", roll_back, "PATCH", "Microsoft.Resources/tags"),
    Work("retire, excluding", retire, "PATCH"),
    Work("retire, marking", retire, "PATCH", "Microsoft.Resources/tags"),
    Work("retire, deleting", retire, "DELETE", lock="CanNotDelete"),
    Work("restore", restore, "PUT"),
    Work("sweep", sweep, "DELETE", "Microsoft.Resources/resourceGroups", lock="CanNotDelete"),
    Work("capture, its snapshots", capture, "PUT", "Microsoft.Compute/snapshots"),
    Work("capture, publishing", capture, "PUT"),
)

CONFLICT = {"status": 409, "code": "Conflict", "message": "The request failed due to conflict with a concurrent request."}
INTERNAL = {"status": 500, "code": "InternalServerError", "message": "Encountered internal server error."}
GATEWAY = {"status": 504, "code": "GatewayTimeout", "message": "The gateway did not receive a response in time.", "after": True}
DENIED = {"status": 403, "code": "AuthorizationFailed", "message": "The client does not have authorization to perform action."}
POLICY = {"assignment": "only-our-regions", "definition": "Allowed-locations"}

PASSES: dict[str, tuple[dict[str, Any], int]] = {
    "a storm of 429": ({"throttle": {"retry_after": 30}}, 40),
    "a conflict": ({"error": CONFLICT}, 2),
    "a server error": ({"error": INTERNAL}, 2),
    "a gateway that gives up after the effect": ({"error": GATEWAY}, 1),
    "a lost request": ({"drop": "before"}, 1),
    "a lost answer": ({"drop": "after"}, 1),
    "stale reads": ({"stale": 120}, 1),
    "an expired token": ({"token": "expired"}, 1),
    "a slow answer": ({"latency": 200}, 2),
}
STAYS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a policy": ({"policy": POLICY}, "RequestDisallowedByPolicy", "ask for an exemption"),
    "a missing right": ({"error": DENIED}, "AuthorizationFailed", "Grant the connection's identity the role"),
}


async def tried(act: Act, line: Line) -> StepError | None:
    """The act, as often as Airflow tries it; the error that it failed of in the end."""
    for number in count(1):
        try:
            await act(line)
        except StepError as error:
            failure = AzureStepFailed(error.as_dict())
            decision = AzureRetryPolicy().evaluate(failure, number, PATIENT_RETRIES)
            if failure.is_permanent or decision.action is RetryAction.FAIL or number > PATIENT_RETRIES:
                return error
            assert decision.retry_delay is not None
            await asyncio.sleep(decision.retry_delay.total_seconds())
        else:
            return None
    raise AssertionError("unreachable")


def portrait(line: Line) -> dict[str, Any]:
    """What there is, without the times: versions with their regions, flags and the names of their tags."""
    found: dict[str, Any] = {}
    for key, one in line.state().items():
        shown: Any = one["state"]
        if "profile" in one:
            profile = one["profile"]
            regions_there = {item["name"]: item.get("excludeFromLatest") for item in profile["targetRegions"]}
            shown = (one["state"], profile["excludeFromLatest"], regions_there, one["replicas"], sorted(one["tags"]))
        found[key] = shown
    return found


async def undisturbed(work: Work) -> dict[str, Any]:
    line, act = await work.make()
    assert await tried(act, line) is None
    return portrait(line)


@pytest.mark.parametrize("fault", PASSES)
@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
async def test_a_fault_that_passes_is_outlived_and_leaves_no_trace(work: Work, fault: str) -> None:
    effect, times = PASSES[fault]
    line, act = await work.make()
    line.sandbox.faults.add(name=fault, match={"method": work.method, "type": work.type}, effect=effect, count=times)
    assert await tried(act, line) is None
    assert line.sandbox.faults.rules[-1].fired >= 1
    assert portrait(line) == await undisturbed(work)


@pytest.mark.parametrize("fault", [*STAYS, "a lock"])
@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
async def test_a_fault_that_stays_is_named_with_its_cure_and_the_next_run_finishes(work: Work, fault: str) -> None:
    lock = ({"lock": work.lock}, "ScopeLocked", "its owner must remove it; then clear this task")
    effect, code, cure = STAYS.get(fault, lock)
    line, act = await work.make()
    line.sandbox.faults.add(name=fault, match={"method": work.method, "type": work.type}, effect=effect)
    error = await tried(act, line)
    assert error is not None
    assert error.kind == "permanent"
    assert code in json.dumps(error.as_dict())
    assert cure in error.cure
    line.sandbox.faults.clear()
    assert await tried(act, line) is None
    assert portrait(line) == await undisturbed(work)


REGION = {"type": VERSIONS, "region": "northeurope"}
OF_REGIONS: dict[str, str | None] = {
    "R01": None,  # put again, then removed and added again
    "R03": None,  # waited for
    "R05": None,
    "R07": "exceeds the max size",
    "R08": "There is no capacity for the replica",
}


@pytest.mark.parametrize("fault", OF_REGIONS)
async def test_a_region_that_fails_is_mended_or_named_and_delays_no_other(fault: str) -> None:
    said = OF_REGIONS[fault]
    line, act = await backfill()
    line.sandbox.faults.add(fault)
    error = await tried(act, line)
    if said is None:
        assert error is None
    else:
        assert error is not None
        assert (error.kind, error.code) == ("permanent", "PartlyReplicated")
        assert error.message.count("failed in northeurope") == 3
        assert said in error.message
        assert "Check quota, encryption set and storage type in the failed regions" in error.cure
        line.sandbox.faults.clear()
        assert await tried(act, line) is None
    assert portrait(line) == await undisturbed(WORKS[0])


@pytest.mark.parametrize(("fault", "said"), [("U09", "move its end of life"), ("D04", None), ("D06", None)])
async def test_what_keeps_a_version_from_being_deleted_is_named_or_outlived(fault: str, said: str | None) -> None:
    work = next(one for one in WORKS if one.name == "retire, deleting")
    line, act = await work.make()
    line.sandbox.faults.add(fault, match={"type": VERSIONS, "method": "DELETE"})
    error = await tried(act, line)
    assert (error is None) == (said is None)
    if error is not None:
        assert (error.kind, error.code) == ("permanent", "PartlyRetired")
        assert str(said) in error.cure
        line.sandbox.faults.clear()
        assert await tried(act, line) is None
    assert portrait(line) == await undisturbed(work)
