"""requirements.txt, requirements-dev.txt and requirements.lock agree with each other and with what is imported."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from pathlib import Path

from include.demo.settings import PROJECT

OURS = {"include", "image_factory", "tests"}
PARTS = {"pydantic_core": "pydantic"}  # pinned by the package that it is a part of


def pins(name: str) -> dict[str, str]:
    """Version by package, in the spelling of the package index."""
    found = re.findall(r"^([\w.\-]+)==(\S+)", (PROJECT / name).read_text(), flags=re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in found}


def imported_by(*folders: str) -> dict[str, Path]:
    """The top-level modules that the code of these folders imports, anywhere in a file, with one file that does."""
    found: dict[str, Path] = {}
    for folder in folders:
        for file in (PROJECT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                found |= {name.split(".")[0]: file for name in names}
    return {name: file for name, file in found.items() if name not in OURS | sys.stdlib_module_names}


def undeclared(modules: dict[str, Path], declared: set[str]) -> dict[str, Path]:
    owners = importlib.metadata.packages_distributions()
    spelled = {module: {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners.get(module, [])} for module in modules}
    return {module: file for module, file in modules.items() if not spelled[module] & declared and PARTS.get(module) not in declared}


def test_every_requirement_is_pinned_with_its_reason() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (PROJECT / name).read_text().splitlines():
            if line and not line.startswith(("#", "-r")):
                assert re.match(r"[\w.\-]+==\S+(\s+# \S.*)?$", line), f"{name}: {line}"
    for line in (PROJECT / "requirements.txt").read_text().splitlines():
        assert not line or "# " in line, f"no reason: {line}"


def test_the_lock_has_every_pin_and_hashes_and_names_no_index() -> None:
    lock = pins("requirements.lock")
    for package, version in (pins("requirements.txt") | pins("requirements-dev.txt")).items():
        assert lock.get(package) == version, f"{package}: run make lock"
    text = (PROJECT / "requirements.lock").read_text()
    assert "http" not in re.sub(r"^[\w.\-]+==.*$", "", text, flags=re.MULTILINE)
    assert all("--hash=sha256:" in entry for entry in re.split(r"^(?=[\w.\-]+==)", text, flags=re.MULTILINE)[1:])


def test_what_runs_in_production_is_in_requirements_txt() -> None:
    declared = set(pins("requirements.txt"))
    modules = imported_by("dags", "plugins", "include/factory", "include/steps", "include/sandbox")
    assert {"azure", "airflow", "pydantic"} <= set(modules)
    assert undeclared(modules, declared) == {}


def test_what_the_demo_and_the_tests_import_is_in_requirements_dev_txt() -> None:
    assert undeclared(imported_by("include/demo", "tests"), set(pins("requirements.txt")) | set(pins("requirements-dev.txt"))) == {}
