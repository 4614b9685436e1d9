"""The text that a run command executes. Bash scripts are run by bash itself."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.steps.errors import StepError
from include.steps.script import read_script, with_environment

VALUES = st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r"), max_size=40)


def run_bash(script: str) -> str:
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    ).stdout


@settings(max_examples=40, deadline=None)
@given(value=VALUES)
def test_any_value_reaches_a_bash_script_as_it_is(value: str) -> None:
    script = with_environment(
        '#!/bin/bash\nprintf "%s|%s|%s" "$SETTING" "$1" "$#"\n', "Linux", {"SETTING": value}, {"one": value, "two": "2"}
    )
    assert run_bash(script) == f"{value}|{value}|2"


def test_the_shebang_stays_the_first_line() -> None:
    assert with_environment("#!/bin/sh -e\necho hi\n", "Linux", {"A": "b c"}, {}).splitlines() == [
        "#!/bin/sh -e",
        "export A='b c'",
        "echo hi",
    ]


def test_a_script_without_settings_is_sent_unchanged() -> None:
    assert with_environment("param($A)\n", "Windows", {}, {"A": "1"}) == "param($A)\n"


@pytest.mark.parametrize(
    ("head", "rest"),
    [
        ("param([string]$Name = 'a)b', [int]$Count = (1 + 2))", "\nWrite-Output $Name\n"),
        ('<# help ( #>\n#requires -Version 5\n[CmdletBinding()]\nparam(\n  # a ) comment\n  [string] $Name = "x`")y"\n)', "\nGet-Date\n"),
        ("PARAM ( $A )", " ; Write-Output 1"),
    ],
)
def test_the_environment_of_a_powershell_script_comes_behind_its_param_block(head: str, rest: str) -> None:
    assert with_environment(head + rest, "Windows", {"A": "b"}, {}) == f"{head}\n$env:A = 'b'\n{rest}"


def test_the_environment_of_a_powershell_script_without_parameters_comes_first() -> None:
    assert with_environment("Write-Output 'param(x)'\n", "Windows", {"A": "b"}, {}) == "$env:A = 'b'\nWrite-Output 'param(x)'\n"


@pytest.mark.parametrize(("value", "quoted"), [("it's", "'it''s'"), ("a\u2019b", "'a\u2019\u2019b'"), ("$env:X `n", "'$env:X `n'")])
def test_powershell_takes_nothing_in_a_value_for_code(value: str, quoted: str) -> None:
    assert with_environment("exit 0", "Windows", {"A": value}, {}).splitlines()[0] == f"$env:A = {quoted}"


def test_a_name_that_is_no_variable_is_refused() -> None:
    with pytest.raises(StepError, match="BadVariableName"):
        with_environment("true", "Linux", {"A; rm -rf /": "x"}, {})


def planned(path: Path) -> dict[str, str]:
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def test_a_file_is_read_when_it_is_what_was_planned(tmp_path: Path) -> None:
    script = tmp_path / "a.sh"
    script.write_bytes(b"\xef\xbb\xbfecho one\r\necho two\r\n")
    assert read_script(planned(script)) == "echo one\necho two\n"


def test_a_file_that_changed_since_the_plan_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "a.sh"
    script.write_text("echo planned\n")
    plan = planned(script)
    script.write_text("echo something else\n")
    with pytest.raises(StepError, match="clear the run from the task plan") as caught:
        read_script(plan)
    assert (caught.value.kind, caught.value.code) == ("permanent", "ScriptChanged")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"nowhere\.sh"):
        read_script({"path": str(tmp_path / "nowhere.sh"), "sha256": "0"})
