"""The sandbox is held to recordings of real Azure traffic, and the judge finds what is wrong with a sandbox."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from include.sandbox.clock import virtual_clock
from include.sandbox.directory import Directory
from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request, Response
from tests.fidelity import scope
from tests.fidelity.__main__ import DEFAULT, main
from tests.fidelity.recording import Exchange, Recording, read
from tests.fidelity.replay import Judgement, Replay, new_sandbox
from tests.fidelity.report import replay_all

# Raise these with the numbers; never lower them.
STATUS = 99.0
SHAPE = 97.0

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
GALLERY = f"{GROUP}/providers/Microsoft.Compute/galleries/one"


def test_it_answers_as_azure_did() -> None:
    """About ten seconds."""
    if not DEFAULT.is_dir():
        pytest.skip(f"the recordings are not part of the project; they were looked for in {DEFAULT}")
    report = replay_all(DEFAULT)
    assert report.status >= STATUS
    assert report.shape >= SHAPE


def test_a_recording_of_the_sandbox_itself_has_no_differences() -> None:
    assert [one.status + one.shape for one in _judged(_recorded())] == [[]] * 4


def test_a_path_is_asked_for_as_the_client_escaped_it() -> None:
    """azure-mgmt-resource 15.0.0 (test_locks_by_scope) sends a lock's scope as one segment."""
    recorded = _recorded()
    read_again = recorded.exchanges[2]
    escaped = replace(
        read_again, index=9, path="/" + quote(read_again.path.rsplit("/providers/", 1)[0], safe="") + GALLERY.removeprefix(GROUP)
    )
    judged = _judged(replace(recorded, exchanges=(*recorded.exchanges, escaped)))
    assert [one.status + one.shape for one in judged] == [[]] * 5


def test_what_a_recording_asks_for_itself_is_not_left_out() -> None:
    """The shared collection leaves scale sets out; a recording of one does not, nor the load balancer in the template that makes both."""
    body = {
        "template": {"resources": [{"type": f"Microsoft.{kind}"} for kind in ("Network/loadBalancers", "Compute/virtualMachineScaleSets")]}
    }
    assert scope.left_out(body) == "Microsoft.Compute/virtualMachineScaleSets"
    asked = scope.asked_for([f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/one"])
    assert scope.left_out(body, asked=asked) is None
    assert (
        scope.left_out({"id": f"{GROUP}/providers/Microsoft.Storage/storageAccounts/one"}, asked=asked)
        == "Microsoft.Storage/storageAccounts"
    )


class WithoutStatusUrl(Sandbox):
    """Forgets to say where a client can ask for an operation's state."""

    def handle(self, request: Request) -> Response:
        response = super().handle(request)
        response.headers.pop("azure-asyncoperation", None)
        return response


class WithoutIdentifier(Sandbox):
    """Leaves a field out, and adds another."""

    def handle(self, request: Request) -> Response:
        response = super().handle(request)
        response.body = response.body.replace(b'"identifier"', b'"identity"')
        return response


class AlwaysThere(Sandbox):
    """Finds what does not exist."""

    def handle(self, request: Request) -> Response:
        response = super().handle(request)
        return Response(200, response.headers, b"{}") if response.status == 404 else response


def test_the_judge_misses_a_header_and_what_depends_on_it() -> None:
    gallery, poll, *_ = _judged(_recorded(), WithoutStatusUrl)
    assert gallery.status == ["missing header azure-asyncoperation"]
    assert poll.status == ["the operation was not started"]


def test_the_judge_misses_a_field_and_finds_one_too_many() -> None:
    gallery, *_ = _judged(_recorded(), WithoutIdentifier)
    assert gallery.shape == ["missing properties.identifier", "extra properties.identity"]


def test_the_judge_notices_another_status() -> None:
    *_, unknown = _judged(_recorded(), AlwaysThere)
    assert unknown.status == ["200 instead of 404"]
    assert unknown.shape == ["missing error"]


def test_what_azure_named_itself_is_asked_for_by_the_sandbox_s_name() -> None:
    disk = f"{GROUP}/providers/Microsoft.Compute/disks"
    recorded = {"id": f"{disk}/vm_OsDisk_1_aaaa", "name": "vm_OsDisk_1_aaaa"}
    replay = Replay(_recorded())
    replay.names.learn(recorded, {"id": f"{disk}/vm_OsDisk_1_bbbb", "name": "vm_OsDisk_1_bbbb"})
    assert replay.names.translate(f"{disk}/vm_osdisk_1_AAAA") == f"{disk}/vm_OsDisk_1_bbbb"


def test_what_was_there_before_is_made_from_the_answer_that_shows_it() -> None:
    whole = _recorded()
    later = Recording(whole.name, whole.exchanges[2:], whole.bodies, whole.retry_after)
    assert [one.status + one.shape for one in _judged(later)] == [[], []]


def test_the_command_says_why_it_cannot_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--recordings", str(tmp_path / "nowhere")]) == 2
    told = capsys.readouterr()
    assert "nowhere is not a folder" in told.err
    assert told.out.splitlines()[-1] == "fidelity: 0 exchanges, status 0.0 %, shape 0.0 %"
    assert main(["--recordings", str(tmp_path)]) == 2
    assert "that can be replayed" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1, 2]", b'{"interactions": {}}', b'{"interactions": [null]}', b"{" * 100_000])
def test_an_odd_file_is_named_and_the_last_line_is_still_there(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "odd.json").write_bytes(content)
    _write(tmp_path / "one.json", _recorded())
    assert main(["--recordings", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert told.splitlines()[-1] == "fidelity: 4 exchanges, status 100.0 %, shape 100.0 %"
    assert "odd.json is not a recording" in told or content == b'{"interactions": {}}'


def test_answers_of_any_kind_are_judged_and_not_stumbled_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = _recorded()
    odd = [replace(whole.exchanges[2], answer=answer) for answer in ("\x1f\ufffd\x08", "<html/>", 5, [], None, [[1]], True)]
    _write(tmp_path / "one.json", Recording("one", (*whole.exchanges, *odd), bodies=True, retry_after=False))
    assert main(["--recordings", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "its answer was not recorded as it was" in told
    assert told.splitlines()[-1].startswith("fidelity: 9 exchanges")


def test_a_file_that_is_no_recording_is_named_and_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(tmp_path / "one.json", _recorded())
    (tmp_path / "two.json").write_text('{"interactions": [{"i": 1}]}')
    assert main(["--recordings", str(tmp_path)]) == 0
    *_, named, last = capsys.readouterr().out.splitlines()
    assert "two.json is not a recording" in named
    assert last.startswith("fidelity: 4 exchanges")


def test_the_command_s_last_line_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(tmp_path / "one.json", _recorded())
    assert main(["--recordings", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "fidelity: 4 exchanges, status 100.0 %, shape 100.0 %"


def _judged(recording: Recording, kind: type[Sandbox] = Sandbox) -> list[Judgement]:
    return list(Replay(recording, new_sandbox(recording, kind)).run())


def _recorded() -> Recording:
    """A gallery is made, waited for and read, and another is not there; as the sandbox answers."""
    exchanges: list[Exchange] = []
    sandbox = Sandbox(virtual_clock(), authenticate=False, directory=Directory(subscription_id=SUBSCRIPTION))

    def ask(method: str, url: str, kind: str, body: Any = None) -> Response:
        text = b"" if body is None else json.dumps(body).encode()
        version = "2024-03-03" if "/providers/" in url else "2024-11-01"
        answer = sandbox.handle(Request(method, f"https://management.azure.com{url}?api-version={version}", {}, text))
        exchanges.append(
            Exchange(len(exchanges), method, url, {"api-version": version}, kind, body, answer.status, answer.headers, answer.json())
        )
        return answer

    ask("PUT", GROUP, "resourceGroups/{}", {"location": "westeurope"})
    made = ask("PUT", GALLERY, "Microsoft.Compute/galleries/{}", {"location": "westeurope", "properties": {"description": "ours"}})
    sandbox.clock.advance(60)
    status = made.headers["azure-asyncoperation"].split("?")[0].removeprefix("https://management.azure.com")
    ask("GET", status, "Microsoft.Compute/locations/{}/capsOperations/{}")
    ask("GET", GALLERY, "Microsoft.Compute/galleries/{}")
    ask("GET", f"{GALLERY}-not", "Microsoft.Compute/galleries/{}")
    return Recording("one", tuple(exchanges[1:]), bodies=True, retry_after=False)


def _write(path: Path, recording: Recording) -> None:
    lines = [
        {
            "i": one.index,
            "method": one.method,
            "path": one.path,
            "query": one.query,
            "rtype": one.kind,
            "req": one.request,
            "status": one.status,
            "headers": one.headers,
            "res": one.answer,
        }
        for one in recording.exchanges
    ]
    path.write_text(json.dumps({"source": "here", "test": "one", "interactions": lines}), encoding="utf-8")
    assert read(path).exchanges == recording.exchanges
