"""Rate limits count truly, refuse as Resource Manager and Compute do, and are harder on those who do not wait."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.sandbox.buckets import limits_of
from include.sandbox.clock import virtual_clock
from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request, Response
from tests.sandbox.bodies import LOCATION, newest

RG = "/resourceGroups/rg"
COMPUTE = f"{RG}/providers/Microsoft.Compute"
READS = "x-ms-ratelimit-remaining-subscription-global-reads"
WRITES = "x-ms-ratelimit-remaining-subscription-writes"
RESOURCE = "x-ms-ratelimit-remaining-resource"


def make(**options: Any) -> Sandbox:
    made = Sandbox(virtual_clock(), authenticate=False, **options)
    assert ask(made, "PUT", RG, {"location": LOCATION}).status == 201
    made.clock.advance(3600)
    return made


def ask(sandbox: Sandbox, method: str, path: str, body: Any = None) -> Response:
    url = f"https://management.azure.com/subscriptions/{sandbox.subscription_id}{path}?api-version={newest(path)}"
    return sandbox.handle(Request(method, url, {}, b"" if body is None else json.dumps(body).encode()))


def test_reads_are_250_at_once_and_25_a_second() -> None:
    sandbox = make()
    answers = [ask(sandbox, "GET", RG) for _ in range(251)]
    assert [one.status for one in answers] == [200] * 250 + [429]
    assert [answers[0].headers[READS], answers[1].headers[READS], answers[249].headers[READS]] == ["3749", "3748", "3500"]
    refused = answers[-1]
    error = refused.json()["error"]
    assert error["code"] == "SubscriptionRequestsThrottled"
    assert error["message"].startswith("Number of 'read' requests for subscription '")
    assert (refused.headers["retry-after"], refused.headers["x-ms-failure-cause"]) == ("1", "gateway")
    assert ask(sandbox, "PUT", RG, {"location": LOCATION}).headers[WRITES] == "199", "writes have a bucket of their own"
    sandbox.clock.advance(1)
    assert [ask(sandbox, "GET", RG).status for _ in range(25)].count(200) == 24, "the refused request counted, too"
    sandbox.clock.advance(60)
    assert ask(sandbox, "GET", RG).headers[READS] == "3749"


def test_a_machine_takes_twelve_updates_and_whoever_does_not_wait_waits_longer() -> None:
    sandbox = make()
    start = f"{COMPUTE}/virtualMachines/vm/start"
    statuses = [ask(sandbox, "POST", start).status for _ in range(12)]
    assert set(statuses) == {404}, "what does not exist counts as well"
    assert ask(sandbox, "POST", f"{COMPUTE}/virtualMachines/other/start").status == 404
    waits = [ask(sandbox, "POST", start) for _ in range(3)]
    assert [one.status for one in waits] == [429] * 3
    assert [int(one.headers["retry-after"]) for one in waits] == [30, 45, 60]
    error = waits[0].json()["error"]
    assert (error["code"], error["details"][0]["code"], error["details"][0]["target"]) == (
        "OperationNotAllowed",
        "TooManyRequests",
        "UpdateVMResource",
    )
    counts = json.loads(error["details"][0]["message"])
    assert (counts["operationGroup"], counts["allowedRequestCount"], counts["measuredRequestCount"]) == ("UpdateVMResource", 12, 13)
    assert waits[0].headers[RESOURCE] == "Microsoft.Compute/UpdateVMSubscriptionMaximum;1486,Microsoft.Compute/UpdateVMResource;0"
    sandbox.clock.advance(59)
    assert ask(sandbox, "POST", start).status == 429
    sandbox.clock.advance(75)
    assert ask(sandbox, "POST", start).status == 404


def test_galleries_count_in_windows_of_three_and_thirty_minutes() -> None:
    sandbox = make()
    body = {"location": LOCATION}
    answers = [ask(sandbox, "PUT", f"{COMPUTE}/galleries/g{number}", body) for number in range(51)]
    assert answers[0].headers[RESOURCE] == "Microsoft.Compute/CreateUpdateGallery3Min;49,Microsoft.Compute/CreateUpdateGallery30Min;299"
    assert [one.status for one in answers] == [201] * 50 + [429]
    assert answers[-1].json()["error"]["details"][0]["target"] == "CreateUpdateGallery3Min"
    wait = int(answers[-1].headers["retry-after"])
    assert 180 <= wait <= 190
    sandbox.clock.advance(wait)
    assert ask(sandbox, "PUT", f"{COMPUTE}/galleries/g50", body).status == 201


def test_callers_do_not_share_their_buckets_but_the_subscriptions() -> None:
    sandbox = make()
    for _ in range(251):
        ask(sandbox, "GET", RG)
    known = sandbox.directory
    colleague = next(one for one in known.principals if (one.client_id, one.tenant_id) == (known.colleague_client_id, known.tenant_id))
    url = f"https://management.azure.com/subscriptions/{sandbox.subscription_id}{RG}?api-version=2021-04-01"
    answer = sandbox.handle(Request("GET", url, {"authorization": f"Bearer {sandbox.token(colleague)}"}))
    assert answer.status != 429
    assert int(answer.headers[READS]) < 3500


@pytest.mark.parametrize(
    ("options", "status"), [({"throttle": False}, 200), ({"speed": 60.0}, 200), ({"speed": 60.0, "throttle": True}, 429)]
)
def test_at_another_speed_they_refuse_only_if_asked_to(options: dict[str, Any], status: int) -> None:
    sandbox = make(**options)
    assert [ask(sandbox, "GET", RG) for _ in range(300)][-1].status == status


def test_time_that_passes_faster_fills_faster() -> None:
    sandbox = make(speed=60.0, throttle=True)
    for _ in range(251):
        ask(sandbox, "GET", RG)
    sandbox.clock.advance(0.2)
    assert ask(sandbox, "GET", RG).headers[READS] == "3749"


def test_an_operations_status_may_be_asked_45_times_at_once() -> None:
    path = f"subscriptions/s/providers/Microsoft.Compute/locations/{LOCATION}/operations/o"
    assert limits_of("GET", path.split("/"))[0][1] == ("Microsoft.Compute/GetOperationResource", "Resource", 45)
    assert limits_of("GET", ["subscriptions", "s", "providers", "Microsoft.Network", "virtualNetworks"]) == ((), "")
