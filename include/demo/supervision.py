"""Components that are started, kept running and stopped together: supervisord as a child, spoken to over its Unix socket."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.demo.settings import OUTSIDE, PROJECT, DemoError, write_private

MARK = "IMAGE_FACTORY_DEMO"  # in the environment of every process of a demo: its folder


@dataclass(frozen=True)
class Program:
    """One component.

    :param autostart: whether it starts with the supervisor, or when :meth:`Supervisor.start_programs` names it.
    :param last: it is stopped only when the others have ended.
    :param stop_signal: what asks it to end in good order.
    :param stop_seconds: how long it may take to end before it is killed.
    :param retries: how often in a row it may fail to start before it is given up.
    """

    name: str
    command: Sequence[str]
    autostart: bool = True
    last: bool = False
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    retries: int = 10

    def section(self, logs: Path) -> str:
        # supervisord expands %(…)s in its file.
        command, log = (text.replace("%", "%%") for text in (shlex.join(self.command), str(logs / f"{self.name}.log")))
        return f"""
[program:{self.name}]
command={command}
autostart={str(self.autostart).lower()}
autorestart=true
startsecs=2
startretries={self.retries}
priority={1 if self.last else 900}
stopsignal={self.stop_signal}
stopwaitsecs={self.stop_seconds}
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=1
"""


class Supervisor:
    """supervisord with its programs. It ends, with all of them, when the process that started it ends, however that happens.

    :param folder: where its configuration, its socket and its record of processes are; short (see ``Settings.short``).
    :param environment: of the programs.
    """

    def __init__(self, folder: Path, logs: Path, programs: Sequence[Program], environment: dict[str, str]) -> None:
        self._folder = folder
        self._logs = logs
        self._programs = {program.name: program for program in programs}
        self._environment = {**environment, MARK: str(folder)}
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: dict[str, _Seen] = {}
        self._groups: set[int] = set()

    @property
    def _socket(self) -> Path:
        return self._folder / "supervisor.sock"

    def start(self) -> None:
        """Start supervisord and the programs that start with it.

        :raises DemoError: supervisord does not answer.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        configuration = self._folder / "supervisord.conf"
        write_private(configuration, self._configuration())
        self._socket.unlink(missing_ok=True)
        with (self._logs / "supervisord.out").open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "include.demo.supervisord", str(os.getpid()), str(configuration)],
                cwd=PROJECT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches the demo, which then stops the components in order
            )
        self._groups = {self._process.pid}
        deadline = time.monotonic() + 20
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self._logs / "supervisord.out").read_text()[-2000:]
                raise DemoError(f"supervisord did not start. It said:\n{said}")
            time.sleep(0.05)
        self.changes()

    def start_programs(self, names: Sequence[str]) -> None:
        """Start programs, all at once."""
        for name in names:
            self._call("startProcess", self._full_name(name), False)

    def changes(self) -> list[str]:
        """What happened since the last call, a sentence for each: a component died and was restarted, or keeps dying."""
        sentences = []
        known = len(self._groups)
        infos: list[dict[str, Any]] = self._call("getAllProcessInfo")
        for info in infos:
            name, state, pid = info["name"], info["statename"], info["pid"]
            seen = self._seen.setdefault(name, _Seen())
            log = self._logs / f"{name}.log"
            if pid and seen.pid and pid != seen.pid:
                sentences.append(f"{name} died and was restarted (process {seen.pid}, now {pid}; its log: {log})")
            if state == "FATAL" and seen.state != "FATAL":
                sentences.append(f"{name} keeps dying and was given up; its log: {log}")
            seen.state = state
            if pid and pid != seen.pid:
                seen.pid = pid
                self._groups.add(pid)
        if len(self._groups) != known:
            self._record()
        return sentences

    def has_given_up(self) -> bool:
        return any(seen.state == "FATAL" for seen in self._seen.values())

    def pid(self, name: str) -> int:
        """
        :raises DemoError: the component is not running at this moment.
        """
        pid = int(self._call("getProcessInfo", self._full_name(name))["pid"])
        if not pid:
            raise DemoError(f"{name} is not running")
        return pid

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop every program and supervisord; what does not end in time is killed."""
        if self._process is None:
            return
        with suppress(DemoError):
            self.changes()
        if self.is_alive():
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5 + 2 * max(program.stop_seconds for program in self._programs.values()))
        if self.is_alive():
            self._process.kill()
            self._process.wait()
        self._process = None
        kill_leftovers(self._folder)

    def _full_name(self, name: str) -> str:
        return name if self._programs[name].last else f"components:{name}"

    def _configuration(self) -> str:
        together = ",".join(program.name for program in self._programs.values() if not program.last)
        log = str(self._logs / "supervisord.log").replace("%", "%%")
        folder = str(self._folder).replace("%", "%%")
        head = f"""\
[supervisord]
nodaemon=true
silent=true
logfile={log}
pidfile={folder}/supervisord.pid
childlogdir={folder}
directory={str(PROJECT).replace("%", "%%")}

[unix_http_server]
file={folder}/supervisor.sock
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
        # A group is stopped at once, and the groups one after another, the highest priority first.
        group = f"\n[group:components]\nprograms={together}\npriority=900\n" if together else ""
        return head + group + "".join(program.section(self._logs) for program in self._programs.values())

    def _answers(self) -> bool:
        try:
            self._call("getState")
        except DemoError:
            return False
        return True

    def _call(self, method: str, *arguments: Any) -> Any:
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        try:
            with xmlrpc.client.ServerProxy("http://localhost", transport) as proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except (OSError, xmlrpc.client.Error) as error:
            raise DemoError(f"supervisord does not answer ({error}); its log: {self._logs / 'supervisord.log'}") from error

    def _record(self) -> None:
        record = self._folder / "processes.json"
        write_private(record.with_suffix(".new"), json.dumps({"boot": _boot(), "groups": sorted(self._groups)}))
        record.with_suffix(".new").rename(record)


@dataclass
class _Seen:
    pid: int = 0
    state: str = ""


def kill_leftovers(folder: Path) -> int:
    """Kill what still runs of a demo that has ended, or was itself killed. Returns how many processes that were.

    A process belongs to it when its environment says so. Postgres and some processes of Airflow write their titles over their environment;
    those are known by their process group, which the demo recorded since this machine started, and by the folder that they work in, as a
    number may have been used again.
    """
    import psutil

    record = folder / "processes.json"
    try:
        recorded = json.loads(record.read_text())
    except (FileNotFoundError, ValueError):
        return 0
    leftovers = []
    if recorded["boot"] == _boot():
        groups = set(recorded["groups"])
        for process in psutil.process_iter():
            with suppress(psutil.Error, ProcessLookupError):
                if process.status() != "zombie" and (_is_marked(process, folder) or _is_of(process, groups, folder)):
                    leftovers.append(process)
    for process in leftovers:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    psutil.wait_procs(leftovers, timeout=5)
    record.unlink()
    return len(leftovers)


def _is_marked(process: Any, folder: Path) -> bool:
    import psutil

    try:
        return bool(process.environ().get(MARK) == str(folder))
    except psutil.AccessDenied:  # another user's
        return False


def _is_of(process: Any, groups: set[int], folder: Path) -> bool:
    if os.getpgid(process.pid) not in groups:
        return False
    # Postgres works in its data folder, which may be outside; all else works in the project.
    outside = Path(tempfile.gettempdir()).resolve() / OUTSIDE
    return any(process.cwd().startswith(str(place)) for place in (PROJECT, folder, outside))


def _boot() -> float:
    import psutil

    return float(round(psutil.boot_time()))
