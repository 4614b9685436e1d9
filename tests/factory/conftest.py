from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from include.factory.catalogue import Catalogue, load_catalogue

SCRIPTS = {
    "one.sh": b"#!/bin/bash\necho one\n",
    "other.ps1": b"Write-Output other\n",
    "empty.sh": b"\n",
    "crlf.sh": b"#!/bin/bash\r\necho one\r\n",
}

Load = Callable[..., Catalogue]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalogue with scripts and no recipes."""
    folder = tmp_path / "recipes"
    (folder / "scripts").mkdir(parents=True)
    for name, content in SCRIPTS.items():
        (folder / "scripts" / name).write_bytes(content)
    return folder


@pytest.fixture
def load(folder: Path) -> Load:
    """Write recipes, given as name=text, and load the catalogue."""

    def load(**recipes: str) -> Catalogue:
        for name, text in recipes.items():
            (folder / f"{name.replace('_', '-')}.yaml").write_text(text)
        return load_catalogue(folder)

    return load
