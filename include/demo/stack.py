"""The whole of a demo: the sandbox, Postgres and Airflow's components, started in the order in which they need each other."""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import IO, Any, Self

import httpx

from include.demo.airflow_api import AirflowApi
from include.demo.configuration import CONNECTION, airflow_connection, airflow_environment, base_environment, environment_file, prepare_home
from include.demo.database import Postgres
from include.demo.settings import PROJECT, USER, DemoError, Settings, require_free_port, write_private
from include.demo.supervision import Program, Supervisor, kill_leftovers

# Their logs are read from the disk, which they share: no log server, no port of its own.
AIRFLOW = {
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
    "api-server": ["api-server"],
}
# The first may overhear SIGTERM in the middle of a parse, and keeps nothing that the next parse would not write again.
# The second waits for its steps, which are safe to kill and go on at the next start.
STOP_SECONDS = {"dag-processor": 3, "triggerer": 3}
DATABASE = "database"
SANDBOX = "sandbox"
HEALTHY = ("metadatabase", "scheduler", "triggerer", "dag_processor")


class Stack:
    """A context: inside it everything runs, after it nothing does.

    :param say: told one line about each thing that a person would like to know.
    :raises DemoError: another demo uses the folder, a port is taken, or a component does not start.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None] = lambda line: None) -> None:
        self.settings = settings
        settings.state.mkdir(parents=True, exist_ok=True)
        self.connection: dict[str, Any] = {}
        self._say = say
        self._postgres = None if settings.database_url else Postgres(settings)
        self._lock: IO[str] | None = None
        programs = [
            Program(name, self._command("airflow", *arguments), autostart=False, stop_seconds=STOP_SECONDS.get(name, 10))
            for name, arguments in AIRFLOW.items()
        ]
        sandbox = [sys.executable, "-m", "include.sandbox", "serve", "--port", str(settings.sandbox_port), "--state", str(settings.sandbox)]
        programs.append(Program(SANDBOX, [*sandbox, "--speed", str(settings.speed)]))
        if self._postgres:
            programs.append(Program(DATABASE, self._command("database"), last=True, stop_signal="INT"))
        self.supervisor = Supervisor(settings.short, settings.logs, programs, base_environment(settings))

    def __enter__(self) -> Self:
        self._take()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def api(self) -> AirflowApi:
        return AirflowApi(self.settings.url, USER, self.settings.secrets().password)

    def sign_in(self) -> dict[str, Any]:
        """Who Airflow is at the sandbox: the application that owns the subscriptions."""
        return self.connection

    def airflow(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Airflow's command line in this demo's configuration, to its end."""
        command = self._command("airflow", *arguments)
        return subprocess.run(command, cwd=PROJECT, env=base_environment(self.settings), text=True, capture_output=True, check=False)

    def stop(self) -> None:
        """Stop everything that was started."""
        self.supervisor.stop()
        if self._lock:
            self._lock.close()
            self._lock = None

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "include.demo", "--state", str(self.settings.state), *arguments]

    def _take(self) -> None:
        lock = (self.settings.state / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            running = lock.read().strip() or "another process"
            lock.close()
            raise DemoError(f"A demo already runs in {self.settings.state}: {running}. Stop it there with Ctrl-C.") from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, {self.settings.url}")
        lock.flush()
        self._lock = lock
        killed = kill_leftovers(self.settings.short)
        if killed:
            self._say(f"Ended {killed} processes that an earlier demo left behind when it was killed.")

    def _start(self) -> None:
        settings = self.settings
        require_free_port(settings.api_port, "API_PORT")
        require_free_port(settings.sandbox_port, "SANDBOX_PORT")
        settings.sandbox.mkdir(exist_ok=True)
        prepare_home(settings)
        self._write_environment()
        self.supervisor.start()
        self._say("Starting the sandbox and the database")
        self._migrate()
        self._wait(self._sandbox_answers, 60, f"the sandbox at port {settings.sandbox_port}", SANDBOX)
        self.connection = self._read_connection()
        self._write_environment()
        self._say("Starting Airflow")
        self.supervisor.start_programs(list(AIRFLOW))
        with self.api() as api:
            self._wait(lambda: _is_healthy(api), 180, "Airflow", "api-server")

    def _write_environment(self) -> None:
        postgres = self._postgres
        urls = (postgres.url("psycopg2"), postgres.url("asyncpg")) if postgres else (str(self.settings.database_url), None)
        environment = airflow_environment(self.settings, urls)
        if self.connection:
            environment[CONNECTION] = airflow_connection(self.sign_in())
        write_private(environment_file(self.settings.state), json.dumps(environment))

    def _migrate(self) -> None:
        """Bring the metadata database to this Airflow's schema, unless it was left there."""
        version = importlib.metadata.version("apache-airflow")
        if self._postgres:
            self._wait(self._postgres.is_ready, 60, "Postgres", DATABASE)
            stamp = self._postgres.home / "schema"
        else:
            stamp = self.settings.state / "schema"
        if stamp.exists() and stamp.read_text() == version:
            return
        self._say("Making the database's tables")
        migration = self.airflow("db", "migrate")
        if migration.returncode:
            raise DemoError(f"Airflow's database could not be made:\n{(migration.stdout + migration.stderr)[-2000:]}")
        stamp.write_text(version)

    def _sandbox_answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.settings.sandbox_port)) == 0

    def _read_connection(self) -> dict[str, Any]:
        where = ["--state", str(self.settings.sandbox), "--port", str(self.settings.sandbox_port)]
        command = [sys.executable, "-m", "include.sandbox", "connection", *where]
        answer = subprocess.run(command, cwd=PROJECT, env=base_environment(self.settings), text=True, capture_output=True, check=False)
        if answer.returncode:
            raise DemoError(f"The sandbox did not tell its connection:\n{answer.stderr[-2000:]}")
        connection: dict[str, Any] = json.loads(answer.stdout)
        return connection

    def _wait(self, is_ready: Callable[[], bool], seconds: float, what: str, program: str) -> None:
        deadline = time.monotonic() + seconds
        while not is_ready():
            for sentence in self.supervisor.changes():
                self._say(sentence)
            if self.supervisor.has_given_up() or time.monotonic() > deadline:
                raise DemoError(f"{what[0].upper()}{what[1:]} did not start. Read the logs in {self.settings.logs}, {program}.log first.")
            time.sleep(0.2)


def _is_healthy(api: AirflowApi) -> bool:
    try:
        health = api.health()
    except httpx.HTTPError:
        return False
    return all(health.get(component) == "healthy" for component in HEALTHY)
