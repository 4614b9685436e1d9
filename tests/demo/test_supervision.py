"""The supervisor, with programs that start in an instant."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from include.demo.settings import PROJECT, DemoError
from include.demo.supervision import Program, Supervisor, kill_leftovers

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def eventually(is_so: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def supervise(folder: Path, *programs: Program) -> Supervisor:
    return Supervisor(folder, folder / "logs", programs, dict(os.environ))


@pytest.fixture
def two_sleepers(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = supervise(tmp_path, Program("first", SLEEP), Program("second", SLEEP))
    supervisor.start()
    yield supervisor
    supervisor.stop()


def test_a_killed_component_is_restarted_and_said_so_once(two_sleepers: Supervisor) -> None:
    killed = two_sleepers.pid("first")
    other = two_sleepers.pid("second")
    os.kill(killed, signal.SIGKILL)
    said: list[str] = []
    assert eventually(lambda: bool(said.extend(two_sleepers.changes()) or said))
    time.sleep(0.5)
    said += two_sleepers.changes()
    assert len(said) == 1
    assert said[0].startswith(f"first died and was restarted (process {killed}, now {two_sleepers.pid('first')}")
    assert two_sleepers.pid("second") == other


def test_stopping_leaves_no_process(tmp_path: Path) -> None:
    family = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(601)']); time.sleep(600)"
    supervisor = supervise(tmp_path, Program("parent", [sys.executable, "-c", family]))
    supervisor.start()
    parent = psutil.Process(supervisor.pid("parent"))
    assert eventually(lambda: bool(parent.children()))
    child = parent.children()[0]
    supervisor.stop()
    assert eventually(lambda: not parent.is_running() and not child.is_running())


def test_stopping_ends_a_process_that_left_its_group(tmp_path: Path) -> None:
    family = (
        "import subprocess, sys, time;"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(601)'], start_new_session=True); time.sleep(600)"
    )
    supervisor = supervise(tmp_path, Program("parent", [sys.executable, "-c", family]))
    supervisor.start()
    parent = psutil.Process(supervisor.pid("parent"))
    assert eventually(lambda: bool(parent.children()))
    child = parent.children()[0]
    supervisor.stop()
    assert eventually(lambda: not child.is_running())


def test_the_last_program_ends_after_the_others(tmp_path: Path) -> None:
    slow = (
        "import pathlib, signal, sys, time; signal.signal(15, lambda *_: (time.sleep(1), sys.exit()));"
        "pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
    )
    ready = tmp_path / "ready"
    client = Program("client", [sys.executable, "-c", slow, str(ready)])
    supervisor = supervise(tmp_path, client, Program("database", SLEEP, last=True))
    supervisor.start()
    assert eventually(ready.exists)
    supervisor.stop()
    log = (tmp_path / "logs" / "supervisord.log").read_text()
    assert log.index("stopped: client") < log.index("stopped: database")


def test_a_component_that_keeps_dying_is_given_up_and_named(tmp_path: Path) -> None:
    supervisor = supervise(tmp_path, Program("broken", [sys.executable, "-c", "raise SystemExit('no such colour')"], retries=1))
    supervisor.start()
    try:
        said: list[str] = []
        assert eventually(lambda: said.extend(supervisor.changes()) or supervisor.has_given_up())
        assert any(line.startswith("broken keeps dying and was given up") for line in said)
        assert "no such colour" in (tmp_path / "logs" / "broken.log").read_text()
    finally:
        supervisor.stop()


def test_a_component_that_is_not_running_has_no_process_id(tmp_path: Path) -> None:
    supervisor = supervise(tmp_path, Program("later", SLEEP, autostart=False))
    supervisor.start()
    try:
        with pytest.raises(DemoError, match="later is not running"):
            supervisor.pid("later")
        supervisor.start_programs(["later"])
        assert eventually(lambda: supervisor.pid("later") > 0)
    finally:
        supervisor.stop()


OWNER = """
    import os, sys, time
    from pathlib import Path
    from include.demo.supervision import Program, Supervisor
    folder = Path(sys.argv[1])
    sleeper = Program("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"])
    supervisor = Supervisor(folder, folder / "logs", [sleeper], dict(os.environ))
    supervisor.start()
    supervisor.changes()
    print(supervisor.pid("sleeper"), supervisor._process.pid, flush=True)
    time.sleep(600)
"""


def owned_by_another_process(folder: Path) -> tuple[subprocess.Popen[str], psutil.Process, psutil.Process]:
    """A process that owns a supervisor, the supervisor's one program, and supervisord itself."""
    command = [sys.executable, "-c", textwrap.dedent(OWNER), str(folder)]
    owner = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    sleeper, supervisord = (psutil.Process(int(word)) for word in owner.stdout.readline().split())
    return owner, sleeper, supervisord


def end(owner: subprocess.Popen[str]) -> None:
    owner.kill()
    owner.wait()
    if owner.stdout:
        owner.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
def test_components_end_when_the_demo_is_killed(tmp_path: Path) -> None:
    owner, sleeper, _ = owned_by_another_process(tmp_path)
    end(owner)
    assert eventually(lambda: not sleeper.is_running())


def test_what_a_killed_demo_and_a_killed_supervisor_left_is_ended_at_the_next_start(tmp_path: Path) -> None:
    owner, sleeper, supervisord = owned_by_another_process(tmp_path)
    supervisord.kill()
    end(owner)
    assert eventually(lambda: not supervisord.is_running())
    assert sleeper.is_running()
    assert kill_leftovers(tmp_path) == 1
    assert eventually(lambda: not sleeper.is_running())
    assert kill_leftovers(tmp_path) == 0


def test_a_process_that_only_has_a_recorded_number_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen(SLEEP, cwd="/", start_new_session=True)
    try:
        boot = float(round(psutil.boot_time()))
        (tmp_path / "processes.json").write_text(f'{{"boot": {boot}, "groups": [{stranger.pid}]}}')
        assert kill_leftovers(tmp_path) == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
