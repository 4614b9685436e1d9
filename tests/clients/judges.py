"""Where the judges live: an environment of its own for each, below `.judges/`, made from a pinned list when it is first needed.

`JUDGES` names another folder for them, to keep them from one checkout to the next.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.demo.settings import PROJECT

JUDGES = Path(os.environ.get("JUDGES", PROJECT / ".judges"))
PINS = Path(__file__).parent / "pins"
WITHIN = 600  # seconds for one installation


def python_environment(name: str) -> Path:
    """The folder of the Python environment that `pins/<name>.txt` describes, installed."""
    pins = PINS / f"{name}.txt"
    folder = JUDGES / name
    with one_at_a_time(name):
        if not _is_current(folder, pins):
            shutil.rmtree(folder, ignore_errors=True)
            installed([sys.executable, "-m", "venv", "--without-pip", str(folder)], name)
            python = str(folder / "bin" / "python")
            try:
                _run([sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, "-r", str(pins)])
            except (OSError, subprocess.SubprocessError):  # where pip knows a registry that uv cannot reach
                installed([sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "-r", str(pins)], name)
            _mark(folder, pins)
    return folder


def node_packages(name: str) -> Path:
    """The folder whose `node_modules` hold what `pins/<name>/package-lock.json` describes, installed. Skips where there is no npm."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("Node.js and npm are not installed (on Debian: apt-get install nodejs npm)")
    pins = PINS / name
    folder = JUDGES / name
    lock = pins / "package-lock.json"
    with one_at_a_time(name):
        if not _is_current(folder, lock):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(pins, folder)
            installed(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)], name)
            _mark(folder, lock)
    return folder


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """Whoever else wants to install `name` waits until it is."""
    JUDGES.mkdir(parents=True, exist_ok=True)
    with (JUDGES / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def debian_package(name: str, version: str) -> Path:
    """The folder that a Debian package's files are unpacked in: nothing of the machine changes. Skips where there is no apt, or where
    this release of Debian has another version."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip(f"{name} {version} is a package of Debian's, and this is no Debian")
    folder = JUDGES / name
    with one_at_a_time(name):
        if not (folder / ".installed").exists():
            shutil.rmtree(folder, ignore_errors=True)
            state = folder / "apt"
            for part in ("lists/partial", "cache/archives/partial"):
                (state / part).mkdir(parents=True)
            own = {"Dir::State::lists": state / "lists", "Dir::Cache": state / "cache", "APT::Sandbox::User": "", "Debug::NoLocking": "1"}
            apt = ["apt-get", "-qq", *(word for key, value in own.items() for word in ("-o", f"{key}={value}"))]
            installed([*apt, "-o", "Acquire::Languages=none", "update"], "Debian's list of packages")
            offered = _run([*(word.replace("apt-get", "apt-cache") for word in apt if word != "-qq"), "policy", name])
            if f"Candidate: {version}" not in offered:
                pytest.skip(f"this release of Debian does not have {name} {version}")
            installed(["sh", "-c", f"cd {shlex.quote(str(state))} && {shlex.join(apt)} download {name} && dpkg-deb -x *.deb .."], name)
            shutil.rmtree(state)
            (folder / ".installed").write_text(version)
    return folder


def _is_current(folder: Path, pins: Path) -> bool:
    stamp = folder / ".installed"
    return stamp.exists() and stamp.read_text() == hashlib.sha256(pins.read_bytes()).hexdigest()


def _mark(folder: Path, pins: Path) -> None:
    (folder / ".installed").write_text(hashlib.sha256(pins.read_bytes()).hexdigest())


def _run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=WITHIN).stdout


def installed(command: list[str], name: str) -> None:
    """Run one step of an installation. Skips where it fails, as without a package registry; in CI, a missing judge is a failure."""
    try:
        _run(command)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or error
        if os.environ.get("CI"):
            pytest.fail(f"{name} was not installed: {said}", pytrace=False)
        pytest.skip(f"{name} was not installed (is a package registry reachable?): {said}")
