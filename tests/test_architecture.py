"""The house rules that a reader relies on: imports point one way, and the sandbox shares nothing with what it judges."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]

# What each part may import of this project.
ALLOWED = {
    "include/factory": {"include.factory"},
    "include/steps": {"include.steps", "include.factory"},
    "include/sandbox": {"include.sandbox"},
    "include/demo": {"include.demo", "include.factory"},
    "plugins": {"image_factory", "include.steps", "include.factory"},
    "dags": {"image_factory", "include.factory"},
}
WITHOUT_AIRFLOW = ("include/factory", "include/steps", "include/sandbox")
WITHOUT_AZURE = ("include/factory", "include/sandbox", "include/demo", "dags")


def _imports(path: Path, *, at_import_time: bool = False) -> Iterator[str]:
    """The absolute names of the modules that a file imports."""
    package = ".".join(path.relative_to(PROJECT).with_suffix("").parts[:-1])
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree)
    if at_import_time:
        nodes = iter([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)])
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) + "." if node.level else ""
            yield (above + (node.module or "")).rstrip(".")


def _files(folder: str) -> list[Path]:
    return sorted((PROJECT / folder).rglob("*.py"))


def _is_in(module: str, packages: set[str] | tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


@pytest.mark.parametrize("folder", ALLOWED)
def test_imports_point_one_way(folder: str) -> None:
    ours = [(path, module) for path in _files(folder) for module in _imports(path) if _is_in(module, ("include", "image_factory"))]

    wrong = [f"{path.relative_to(PROJECT)} imports {module}" for path, module in ours if not _is_in(module, ALLOWED[folder])]

    assert wrong == []


@pytest.mark.parametrize("folder", WITHOUT_AIRFLOW)
def test_only_dags_and_plugins_know_airflow(folder: str) -> None:
    assert [path for path in _files(folder) for module in _imports(path) if _is_in(module, ("airflow",))] == []


@pytest.mark.parametrize("folder", WITHOUT_AZURE)
def test_the_azure_sdk_is_the_steps_and_the_hooks_alone(folder: str) -> None:
    assert [path for path in _files(folder) for module in _imports(path) if _is_in(module, ("azure",))] == []


# They extend classes of the SDK, and are themselves imported only where a client is made.
EXTENDS_THE_SDK = ("include.steps.polling", "include.steps.retry")


@pytest.mark.parametrize("folder", ["plugins", "include/steps"])
def test_the_azure_sdk_is_imported_where_it_is_called(folder: str) -> None:
    """Never when a module is imported: two seconds and 120 MB in every process that reads DAG files."""
    wrong = [
        f"{path.relative_to(PROJECT)} imports {module}"
        for path in _files(folder)
        if _name(path) not in EXTENDS_THE_SDK
        for module in _imports(path, at_import_time=True)
        if _is_in(module, ("azure", *EXTENDS_THE_SDK))
    ]

    assert wrong == []


def _name(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts)


def test_the_rules_see_what_breaks_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "include" / "factory"
    folder.mkdir(parents=True)
    (folder / "wrong.py").write_text("from ..steps import errors\nimport azure.core\nif True:\n    from airflow.sdk import DAG\n")
    monkeypatch.setattr("tests.test_architecture.PROJECT", tmp_path)

    assert set(_imports(folder / "wrong.py")) == {"include.steps", "azure.core", "airflow.sdk"}
