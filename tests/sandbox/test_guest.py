"""How the guest reads a script."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from include.sandbox import guest


def content(os_type: str = "Linux", **guest_state: Any) -> dict[str, Any]:
    return {"os": os_type, "guest": {**guest.fresh(os_type), **guest_state}}


def read(script: str, os_type: str = "Linux", **guest_state: Any) -> dict[str, Any]:
    return guest.interpret(script, content(os_type, **guest_state), Random(7))


def effects(found: dict[str, Any]) -> list[str]:
    return [name for _, name, _ in found["effects"]]


def test_an_ordinary_script_succeeds_and_says_that_it_was_not_executed() -> None:
    found = read("#!/bin/bash\nset -eu\napt-get install -y nginx\n")
    assert found["exit_code"] == 0
    assert "did not execute this script (2 lines)" in found["lines"][0][2]
    assert found["seconds"] >= 2


def test_directives_print_wait_and_exit_in_their_order() -> None:
    found = read("# sandbox: stdout one\n# sandbox: sleep 90\n# sandbox: stderr two words\n# sandbox: exit 3\n# sandbox: stdout never\n")
    assert [(kind, text) for _, kind, text in found["lines"]] == [("out", "one"), ("err", "two words")]
    assert found["lines"][1][0] - found["lines"][0][0] == pytest.approx(90)
    assert found["exit_code"] == 3


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("echo no\nexit 4\n", 4),
        ("echo no\nexit 0\n", 0),
        ("if false; then\n  exit 4\nfi\n", 0),
        ("exit 4\necho afterwards\n", 0),
        ("echo no\n# exit 4\n", 0),
    ],
)
def test_only_an_unconditional_final_exit_at_column_zero_counts(script: str, code: int) -> None:
    assert read(script)["exit_code"] == code


@pytest.mark.parametrize(
    "command",
    [
        "waagent -deprovision+user -force",
        "/usr/sbin/waagent -force -deprovision+user && export HISTSIZE=0",
        "sudo waagent -verbose -deprovision",
    ],
)
def test_deprovisioning_is_recognised(command: str) -> None:
    assert effects(read(f"#!/bin/sh\n{command}\n")) == ["guest.deprovisioned"]


@pytest.mark.parametrize("line", ["# waagent -deprovision+user -force", "echo nothing", "waagent -version"])
def test_talk_of_deprovisioning_is_not_deprovisioning(line: str) -> None:
    assert effects(read(line)) == []


def test_what_comes_after_a_failing_exit_does_not_happen() -> None:
    assert effects(read("# sandbox: exit 1\nwaagent -deprovision+user -force\n")) == []


def test_sysprep_with_quit_and_a_loop_waits_for_the_image_state() -> None:
    script = "& $env:SystemRoot\\System32\\Sysprep\\Sysprep.exe /oobe /generalize /quiet /quit\nwhile ($true) { Start-Sleep 5 }\n"
    found = read(script, "Windows", image_state=guest.COMPLETE)
    assert effects(found) == ["guest.sysprep"]
    assert found["effects"][0][2]["then"] == "quit"
    assert found["seconds"] > found["effects"][0][2]["seconds"]


def test_sysprep_with_shutdown_returns_before_it_is_done() -> None:
    found = read("C:\\Windows\\System32\\Sysprep\\sysprep.exe /generalize /oobe /shutdown /quiet\n", "Windows", image_state=guest.COMPLETE)
    assert found["effects"][0][2]["then"] == "stop"
    assert found["seconds"] < found["effects"][0][2]["seconds"]


def test_a_question_for_the_image_state_is_answered() -> None:
    script = "(Get-ItemProperty HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Setup\\State).ImageState\n"
    assert [text for _, _, text in read(script, "Windows", image_state=guest.UNDEPLOYABLE)["lines"]] == [guest.UNDEPLOYABLE]


@pytest.mark.parametrize(
    ("os_type", "line", "effect"),
    [
        ("Linux", "shutdown -r now", "guest.restart"),
        ("Linux", "sudo reboot", "guest.restart"),
        ("Linux", "shutdown -h now", "guest.stop"),
        ("Linux", "systemctl poweroff", "guest.stop"),
        ("Windows", "Restart-Computer -Force", "guest.restart"),
        ("Windows", "shutdown /s /t 5", "guest.stop"),
    ],
)
def test_shutdown_and_reboot_are_recognised(os_type: str, line: str, effect: str) -> None:
    assert effects(read(line, os_type)) == [effect]


def test_output_keeps_its_last_4096_bytes() -> None:
    assert guest.tail("a" * 5000 + "end") == ("a" * 4093 + "end")


def test_a_platform_image_is_ready_and_a_machine_of_it_is_not_once_something_ran_there() -> None:
    for os_type in ("Linux", "Windows"):
        found = content(os_type)
        assert guest.is_ready(found)
        guest.provision(found, "builder")
        assert guest.is_ready(found) == (os_type == "Linux"), "cloud-init provisions a guest that was left alone anew"
        found["guest"]["scripts"].append("1: exit 0")
        assert not guest.is_ready(found)


def test_a_disk_that_never_booted_is_not_ready() -> None:
    found = content("Linux")
    found["guest"]["deprovisioned"] = False
    assert not guest.is_ready(found)
