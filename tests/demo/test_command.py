"""`python -m include.demo` and the Makefile, as a person meets them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from include.demo.settings import PROJECT, DemoError, Settings, free_port, outside_folder, require_free_port
from include.demo.supervision import MARK


@pytest.fixture(autouse=True)
def nothing_outside_stays(tmp_path: Path) -> Iterator[None]:
    yield
    outside = tmp_path / "outside"
    if outside.is_symlink():
        shutil.rmtree(outside.resolve(), ignore_errors=True)


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "include.demo", *arguments], cwd=PROJECT, text=True, capture_output=True, check=False, timeout=60
    )


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=PROJECT, text=True, capture_output=True, check=False, timeout=60)


def test_a_taken_port_is_named_with_the_way_to_choose_another(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = demo("--state", str(tmp_path), "up", "--api-port", str(port), "--sandbox-port", str(free_port()))
    assert refused.returncode == 1
    assert f"Port {port} is taken" in refused.stderr
    assert f"make demo API_PORT={port + 1}" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--speed", "0"], "argument --speed: 0 is not above 0"),
        (["--speed", "nan"], "argument --speed: nan is not above 0"),
        (["--api-port", "99999"], "argument --api-port: 99999 is no port"),
        (["--sandbox-port", "0"], "argument --sandbox-port: 0 is no port"),
        (["--api-port", "8500", "--sandbox-port", "8500"], "both 8500. Choose another: make demo SANDBOX_PORT=8501"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(tmp_path: Path, wrong: list[str], said: str) -> None:
    refused = demo("--state", str(tmp_path / "state"), "up", *wrong)
    assert refused.returncode
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "state").exists()


def test_a_connection_is_made_of_what_the_sandbox_prints_and_of_nothing_else() -> None:
    command = [sys.executable, "-m", "include.demo", "connection"]
    for written in ("", "[]", "{}"):
        refused = subprocess.run(command, cwd=PROJECT, input=written, text=True, capture_output=True, check=False, timeout=60)
        assert refused.returncode == 1
        assert "not what `python -m include.sandbox connection` prints" in refused.stderr


def test_a_port_that_was_just_left_is_free() -> None:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            listening.accept()[0].close()
        with pytest.raises(DemoError):
            require_free_port(port, "API_PORT")
    require_free_port(port, "API_PORT")


def test_airflows_command_line_without_a_demo_says_what_to_do(tmp_path: Path) -> None:
    refused = demo("--state", str(tmp_path), "airflow", "version")
    assert refused.returncode == 1
    assert "make demo" in refused.stderr


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    first = Settings(tmp_path).secrets()
    assert Settings(tmp_path).secrets() == first
    assert len(first.jwt_secret) >= 64
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0


def test_a_folder_outside_is_found_again_and_made_anew_when_it_is_gone(tmp_path: Path) -> None:
    first = outside_folder(tmp_path)
    assert outside_folder(tmp_path) == first
    first.rmdir()
    second = outside_folder(tmp_path)
    assert second.is_dir()
    assert second != first
    second.rmdir()


def test_a_long_folder_has_a_short_one_for_its_sockets(tmp_path: Path) -> None:
    long = tmp_path / ("long" * 30)
    long.mkdir()
    short = Settings(long).short
    assert len(str(short)) < 81
    assert Settings(long).short == short
    short.rmdir()


def test_an_old_python_is_refused_with_the_cure(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\n[ \"$1\" = --version ] && echo 'Python 3.9.2' && exit\nexit 1\n")
    old.chmod(0o755)
    refused = make("install", f"VENV={tmp_path}/venv", f"PYTHON={old}")
    assert refused.returncode != 0
    assert "is Python 3.9.2; Python 3.11 or newer is needed" in refused.stderr
    assert not (tmp_path / "venv").exists()


def test_a_second_make_installs_nothing(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / ".installed").touch()
    assert "Installing" not in make("--dry-run", "install", f"VENV={tmp_path}").stdout
    (tmp_path / ".installed").unlink()
    assert "Installing" in make("--dry-run", "install", f"VENV={tmp_path}").stdout


@pytest.mark.airflow
@pytest.mark.slow
def test_ctrl_c_stops_everything_that_was_started(tmp_path: Path) -> None:
    ports = ["--api-port", str(free_port()), "--sandbox-port", str(free_port())]
    with (tmp_path / "output").open("w") as output:
        command = [sys.executable, "-u", "-m", "include.demo", "--state", str(tmp_path), "up", *ports]
        running = subprocess.Popen(command, cwd=PROJECT, stdout=output, stderr=output)
    deadline = time.monotonic() + 120
    while "Starting Airflow" not in (tmp_path / "output").read_text():
        assert running.poll() is None, (tmp_path / "output").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    time.sleep(3)
    groups = set(json.loads((tmp_path / "processes.json").read_text())["groups"])
    assert len(groups) >= 7  # the supervisor, the sandbox, the database, Airflow's four
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 0
    assert (tmp_path / "output").read_text().rstrip().endswith("Stopped")
    assert [
        process for process in psutil.process_iter() if _group(process.pid) in groups or _environment(process).get(MARK) == str(tmp_path)
    ] == []


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
