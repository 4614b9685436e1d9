"""Calls, waits and retries of the client, on time that does not pass by itself."""

from __future__ import annotations

import asyncio
import logging
from itertools import pairwise
from typing import Any

import pytest

from include.sandbox.wire import Request, Response
from include.steps.azure import Azure
from include.steps.errors import StepError
from include.steps.polling import DURATIONS, Durations
from tests.sandbox_transport import AsyncStaticCredential
from tests.steps.build_line import GROUP, MACHINE, Line

MACHINES = "Microsoft.Compute/virtualMachines"


def now() -> float:
    return asyncio.get_running_loop().time()


def record_times(line: Line, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, str, str, str | None]]:
    """Virtual time, method, path and the answer's Retry-After of each request."""
    seen: list[tuple[float, str, str, str | None]] = []
    handle = line.sandbox.handle

    def recorded(request: Request) -> Response:
        at = now()
        answer = handle(request)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        seen.append((at, request.method, request.url, headers.get("retry-after")))
        return answer

    monkeypatch.setattr(line.sandbox, "handle", recorded)
    return seen


async def test_no_request_of_a_whole_build_comes_before_its_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    seen = record_times(line, monkeypatch)
    await line.through("delete_build")
    promised: dict[str, float] = {}
    watched = 0
    for at, _, url, retry_after in seen:
        path = url.partition("?")[0]
        if "peration" in path or "/versions/" in path:
            watched += 1
            assert at >= promised.get(path, 0), f"{path} was asked at {at:.0f} s, too early"
            promised[path] = at + float(retry_after or 0)
    assert watched > 30


async def test_without_retry_after_the_pauses_are_1_2_4_8_15_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    line = await Line().through("create_virtual_machine")
    seen = record_times(line, monkeypatch)
    await line.run("run_script", script={"inline": "# sandbox: sleep 60\n"})
    times = [at for at, method, url, _ in seen if method == "GET" and "/runCommands/" in url][1:]
    pauses = [round(later - earlier) for earlier, later in pairwise(times)]
    assert pauses[:4] == [2, 4, 8, 15]
    assert set(pauses[4:]) <= {15}


def test_the_first_poll_waits_for_the_quickest_of_its_like_once_three_were_seen() -> None:
    durations = Durations()
    for seconds in (90, 60):
        durations.learn("kind", seconds)
    assert durations.quick("kind") == 0
    durations.learn("kind", 70)
    assert durations.quick("kind") == 60
    for seconds in range(100, 120):
        durations.learn("kind", seconds)
    assert durations.quick("kind") == 90
    assert durations.quick("another kind") == 0


async def test_a_known_operation_is_polled_less_often_and_seen_no_later_than_its_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    line = await Line().through("create_virtual_machine")
    for seconds in (21, 22, 23):
        DURATIONS.learn("virtualMachines deallocate", seconds)
    seen = record_times(line, monkeypatch)
    began = now()
    await line.run("deallocate")
    polls = [at - began for at, _, url, _ in seen if "/operations/" in url]
    assert polls[0] == pytest.approx(21, abs=0.5)


async def test_a_throttled_call_waits_as_long_as_azure_says_and_tells_so(caplog: pytest.LogCaptureFixture) -> None:
    line = await Line().up_to("create_virtual_machine")
    line.sandbox.faults.add(name="429", match={"type": MACHINES, "method": "PUT"}, effect={"throttle": {"retry_after": 1200}}, count=1)
    began = now()
    await line.run("create_virtual_machine")
    assert now() - began >= 1200
    assert [
        record
        for record in caplog.records
        if record.levelno == logging.WARNING and "HTTP 429" in record.message and "again in" in record.message
    ]


async def test_throttling_that_does_not_end_becomes_a_transient_error_with_its_pause() -> None:
    line = await Line().up_to("create_virtual_machine")
    line.sandbox.faults.add(name="429", match={"type": MACHINES, "method": "PUT"}, effect={"throttle": {"retry_after": 60}})
    with pytest.raises(StepError) as caught:
        await line.run("create_virtual_machine")
    assert (caught.value.kind, caught.value.status, caught.value.retry_after) == ("transient", 429, 60)


async def test_a_server_error_is_tried_again() -> None:
    line = await Line().up_to("create_virtual_machine")
    error = {"status": 503, "code": "ServerBusy", "message": "busy"}
    line.sandbox.faults.add(name="503", match={"type": MACHINES}, effect={"error": error}, count=3)
    await line.run("create_virtual_machine")


class ShortLivedCredential(AsyncStaticCredential):
    """The first token of each of the two clients ends after 30 seconds, whatever it said about its lifetime."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self.line = line
        self.tokens = 0

    async def get_token(self, *scopes: str, **options: Any) -> Any:  # type: ignore[override]  # fewer parameters than the protocol has
        self.tokens += 1
        self._token = self.line.sandbox.token(lifetime=30 if self.tokens <= 2 else 10**8)
        return await super().get_token(*scopes, **options)


async def test_polling_goes_on_through_the_expiry_of_the_token() -> None:
    line = Line(authenticate=True)
    credential = ShortLivedCredential(line)
    line.azure = Azure(credential, line.sandbox.subscription_id, transport=line.transport)
    await line.through("create_virtual_machine")
    assert credential.tokens > 1
    assert any(status == 401 for _, _, status in line.calls)
    assert line.count("PUT", MACHINE) == 1


async def test_a_call_that_comes_after_the_expiry_of_the_token_is_made_again_with_a_new_one() -> None:
    line = Line(authenticate=True)
    line.azure = Azure(ShortLivedCredential(line), line.sandbox.subscription_id, transport=line.transport)
    await line.run("create_resource_group")
    await asyncio.sleep(60)
    began = now()
    await line.run("create_resource_group")
    assert [status for _, _, status in line.calls[-2:]] == [401, 200]
    assert now() - began < 1


async def test_the_sdk_does_not_fill_the_tasks_log_with_headers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await Line().run("create_resource_group")
    assert not [record for record in caplog.records if record.name.startswith("azure.")]


async def test_polling_outlives_an_answer_that_is_lost_again_and_again() -> None:
    line = await Line().up_to("create_virtual_machine")
    handle = line.sandbox.handle
    dropped = 0

    def broken(request: Request) -> Response:
        nonlocal dropped
        if "/operations/" in request.url and dropped < 12:
            dropped += 1
            return Response(0, dropped=True)
        return handle(request)

    line.sandbox.handle = broken  # type: ignore[method-assign]  # the sandbox is made to fail
    await line.run("create_virtual_machine")
    assert line.count("PUT", MACHINE) == 1


async def test_an_operation_whose_record_is_gone_is_looked_up_at_the_resource() -> None:
    line = await Line().up_to("create_virtual_machine")
    handle = line.sandbox.handle

    def forgetful(request: Request) -> Response:
        answer = handle(request)
        return (
            Response(404, {"content-type": "application/json"}, b'{"error":{"code":"NotFound","message":"gone"}}')
            if "/operations/" in request.url
            else answer
        )

    line.sandbox.handle = forgetful  # type: ignore[method-assign]  # the sandbox is made to fail
    assert (await line.run("create_virtual_machine"))["vm_id"]
    assert line.count("PUT", MACHINE) == 1


async def test_an_operation_that_never_ends_is_left_running_and_named() -> None:
    line = await Line().up_to("create_virtual_machine")
    line.sandbox.faults.add(name="never", match={"type": MACHINES, "method": "POST", "action": "deallocate"}, effect={"operation": "never"})
    await line.run("create_virtual_machine")
    machines = line.azure.compute.virtual_machines
    with pytest.raises(StepError, match="still running after 300 s") as caught:
        await line.azure.finish(machines.begin_deallocate, GROUP, MACHINE, kind="virtualMachines deallocate", timeout=300)
    assert caught.value.kind == "adopt"


async def test_a_rejected_sign_in_is_permanent_and_names_the_field() -> None:
    from azure.core.exceptions import ClientAuthenticationError

    class Wrong(AsyncStaticCredential):
        async def get_token(self, *scopes: str, **_: Any) -> Any:  # type: ignore[override]  # fewer parameters than the protocol has
            raise ClientAuthenticationError("AADSTS7000215: Invalid client secret provided.")

    line = Line()
    line.azure = Azure(Wrong(), line.sandbox.subscription_id, transport=line.transport)
    with pytest.raises(StepError, match="client secret") as caught:
        await line.run("create_resource_group")
    assert caught.value.kind == "permanent"


@pytest.mark.parametrize(
    ("endpoint", "scope"),
    [
        ("https://management.azure.com", "https://management.azure.com/.default"),
        ("https://localhost:8443/", "https://localhost:8443/.default"),
        ("https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net/.default"),
    ],
)
async def test_the_token_is_asked_for_the_endpoint(endpoint: str, scope: str) -> None:
    asked: list[str] = []

    class Recorder(AsyncStaticCredential):
        async def get_token(self, *scopes: str, **options: Any) -> Any:  # type: ignore[override]  # fewer parameters than the protocol has
            asked.extend(scopes)
            return await super().get_token(*scopes, **options)

    line = Line()
    async with Azure(Recorder(), line.sandbox.subscription_id, endpoint=endpoint, transport=line.transport) as azure:
        assert [group async for group in azure.resources.resource_groups.list()] == []
    assert set(asked) == {scope}


async def test_clients_are_made_when_first_used_and_closed_with_the_credential() -> None:
    closed: list[str] = []

    class Closing(AsyncStaticCredential):
        async def close(self) -> None:  # type: ignore[override]  # fewer parameters than the protocol has
            closed.append("credential")

    line = Line()
    async with Azure(Closing(), line.sandbox.subscription_id, transport=line.transport) as azure:
        assert "compute" not in vars(azure)
        assert azure.compute is azure.compute
    assert closed == ["credential"]
    assert "compute" not in vars(azure)


async def test_a_hundred_coroutines_share_one_set_of_clients() -> None:
    line = Line()
    names = [f"group-{number}" for number in range(100)]
    from include.steps import resource_group

    ids = await asyncio.gather(*(resource_group.ensure(line.azure, name=name, location="westeurope", tags={"a": "b"}) for name in names))
    assert [id.rpartition("/")[2] for id in ids] == names
