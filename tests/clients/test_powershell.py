"""The shipped PowerShell scripts, read by a grammar of PowerShell that others wrote (tree-sitter-pwsh)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from include.factory.folder import SHIPPED
from include.factory.script import DEFAULT_BOOT_TEST

from .judges import python_environment

pytestmark = [pytest.mark.clients]

Reader = Callable[[Path], list[str]]
SCRIPTS = sorted((SHIPPED / "scripts").glob("*.ps1"))

# Prints, as JSON, the line and text of each place that is no PowerShell.
READ = """
import json, sys
from pathlib import Path
import tree_sitter_pwsh
from tree_sitter import Language, Parser

def wrong(node):
    if node.is_error or node.is_missing:
        yield f"line {node.start_point.row + 1}: {node.text.decode().strip() or 'missing ' + node.type}"
    elif node.has_error:
        for child in node.children:
            yield from wrong(child)

tree = Parser(Language(tree_sitter_pwsh.language())).parse(Path(sys.argv[1]).read_bytes())
print(json.dumps(list(wrong(tree.root_node))))
"""


@pytest.fixture(scope="module")
def read() -> Reader:
    python = python_environment("powershell") / "bin" / "python"

    def problems(script: Path) -> list[str]:
        found: list[str] = json.loads(subprocess.run([python, "-c", READ, script], capture_output=True, text=True, check=True).stdout)
        return found

    return problems


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_powershell_script_has_no_error_of_syntax(script: Path, read: Reader) -> None:
    assert read(script) == []


def test_the_default_boot_test_has_no_error_of_syntax(tmp_path: Path, read: Reader) -> None:
    script = tmp_path / "test.ps1"
    script.write_text(DEFAULT_BOOT_TEST["Windows"])
    assert read(script) == []


@pytest.mark.parametrize("broken", ["if ($true { 1 }", 'Write-Output "half', "foreach ($one of $all) { }", "$list = @(1, 2"])
def test_what_is_no_powershell_is_found(broken: str, tmp_path: Path, read: Reader) -> None:
    script = tmp_path / "broken.ps1"
    script.write_text(f"$ErrorActionPreference = 'Stop'\n{broken}\n")
    assert read(script)
