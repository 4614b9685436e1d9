"""requirements.txt, requirements-dev.txt and requirements.lock agree with each other and with what is imported."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from functools import cache
from pathlib import Path

from include.demo.settings import PROJECT

OURS = {"include", "image_factory", "tests"}
# Pinned by the package that it is a part of.
PARTS = {"pydantic-core": "pydantic", "apache-airflow-core": "apache-airflow", "apache-airflow-task-sdk": "apache-airflow"}


def pins(name: str) -> dict[str, str]:
    """Version by package, in the spelling of the package index."""
    found = re.findall(r"^([\w.\-]+)==(\S+)", (PROJECT / name).read_text(), flags=re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in found}


def imported_by(*folders: str) -> dict[str, Path]:
    """The modules that the code of these folders imports, anywhere in a file, with one file that does."""
    found: dict[str, Path] = {}
    for folder in folders:
        for file in (PROJECT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                found |= dict.fromkeys(names, file)
    return {name: file for name, file in found.items() if name.partition(".")[0] not in OURS | sys.stdlib_module_names}


@cache
def owners_by_file() -> dict[str, str]:
    """Package by file of every installed package: `azure` and `airflow` are folders that many packages share."""
    return {
        str(file): re.sub(r"[-_.]+", "-", package.name).lower()
        for package in importlib.metadata.distributions()
        for file in package.files or ()
        if file.suffix in (".py", ".so", ".pyi")
    }


def owner(module: str) -> str | None:
    """The package that a module came with, or None where it is not installed."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        path = "/".join(parts[:length])
        for file in (f"{path}/__init__.py", f"{path}.py", f"{path}/__init__.pyi"):
            if file in owners_by_file():
                return owners_by_file()[file]
    return None


def undeclared(modules: dict[str, Path], declared: set[str]) -> dict[str, str]:
    """The files that import what no requirement gives, by module."""
    found = {}
    for module, file in modules.items():
        package = owner(module)
        if package is None or (package not in declared and PARTS.get(package) not in declared):
            found[module] = f"{file.relative_to(PROJECT)} (from {package or 'nowhere'})"
    return found


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
    assert {"azure.identity.aio", "airflow.sdk", "pydantic"} <= set(modules)
    assert undeclared(modules, declared) == {}


def test_what_the_demo_and_the_tests_import_is_in_requirements_dev_txt() -> None:
    assert undeclared(imported_by("include/demo", "tests"), set(pins("requirements.txt")) | set(pins("requirements-dev.txt"))) == {}
