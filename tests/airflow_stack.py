"""Real Airflow processes for tests: the stack of `make demo` in a folder of its own, on free ports.

A fixture starts it and stops it when its tests are done, as an idle Airflow takes a quarter of a core from those that follow::

    @pytest.fixture(scope="module")
    def airflow(tmp_path_factory):
        with airflow_stack(tmp_path_factory.mktemp("stack"), recipes=...) as stack:
            yield stack

Tests on one stack run in one worker (``tests/workers.py``).
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg2

from include.demo.airflow_api import AirflowApi
from include.demo.published import Gallery, resource_manager
from include.demo.settings import Settings, free_port
from include.demo.stack import Stack

ENDED = ("success", "skipped", "failed", "upstream_failed")  # states of a task
PATIENCE = 600  # seconds: what a test waits for comes within some, but on a machine that has much else to do


class AirflowStack:
    """A running stack.

    :ivar api: an HTTP client signed in at Airflow; paths such as ``/api/v2/dags``.
    :ivar rest: the same as methods.
    :ivar sandbox_control: an HTTP client signed in at the sandbox: ``/_sandbox/…`` and every path of Resource Manager.
    :ivar gallery: the published versions.
    :ivar messages: what the demo would have said, such as that a component died and was restarted.
    """

    def __init__(self, settings: Settings, kind: type[Stack] = Stack) -> None:
        self.messages: list[str] = []
        self.settings = settings
        self.stack = kind(settings, self.messages.append)
        self.stack.__enter__()
        self.rest: AirflowApi = self.stack.api()
        self.api: httpx.Client = self.rest.client
        self.sandbox_control: httpx.Client = resource_manager(self.stack.connection)
        self.gallery = Gallery(self.stack.connection)

    def stop(self) -> None:
        self.api.close()
        self.sandbox_control.close()
        self.gallery.close()
        self.stack.stop()
        outside = self.settings.state / "outside"
        if outside.is_symlink():
            shutil.rmtree(outside.resolve(), ignore_errors=True)

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None, **fields: Any) -> str:
        """Start a run, unpause the DAG, return the run's id. `fields` are the API's, such as ``logical_date``."""
        self.wait_for_dag(dag_id)
        run_id = self.rest.trigger(dag_id, conf, **fields)
        self.rest.unpause(dag_id)
        return run_id

    def unpause(self, dag_id: str) -> None:
        """Unpause the DAG, when its file has been read."""
        self.wait_for_dag(dag_id)
        self.rest.unpause(dag_id)

    def wait_for_dag(self, dag_id: str) -> None:
        """Until the dag-processor has read its file."""
        deadline = time.monotonic() + PATIENCE
        while dag_id not in {dag["dag_id"] for dag in self.rest.dags(dag_id)}:
            assert time.monotonic() < deadline, f"no DAG {dag_id}; import errors: {self.rest.import_errors()}"
            time.sleep(0.5)

    def wait(self, dag_id: str, run_id: str, timeout: float = PATIENCE) -> str:
        """The state in which the run ended: ``success`` or ``failed``.

        :raises TimeoutError: it did not end within `timeout` seconds; the message has the states of its tasks.
        """
        deadline = time.monotonic() + timeout
        while True:
            with _api_may_be_down():
                state = str(self.rest.run(dag_id, run_id)["state"])
                if state in ("success", "failed"):
                    return state
            if time.monotonic() > deadline:
                raise TimeoutError(f"{dag_id} {run_id} did not end within {timeout} s: {self.task_states(dag_id, run_id)}")
            time.sleep(0.5)

    def wait_for_task(self, dag_id: str, run_id: str, task_id: str, states: tuple[str, ...]) -> str:
        """The first of `states` that the task was seen in.

        :raises TimeoutError: in none of them within ``PATIENCE`` seconds.
        """
        deadline = time.monotonic() + PATIENCE
        state = None
        while state not in states:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{dag_id} {run_id} {task_id} is {state}, not {states}, after {PATIENCE} s")
            time.sleep(0.2)
            with _api_may_be_down():
                state = self.task_states(dag_id, run_id).get(task_id)
        return str(state)

    def answer(self, dag_id: str, run_id: str, option: str, reason: str, *, reads: float = 5) -> dict[str, Any]:
        """Answer as a person does who is asked for approval in the task ``approve``, as often as it asks; returns what was asked.

        :param reads: seconds from the first question to the answer. Airflow loses many an answer that comes within one
            (``ApproveVersionOperator``), and the task asks again; a person reads that question first.
        """
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
        asked: dict[str, Any] = {}
        while self.wait_for_task(dag_id, run_id, "approve", ("awaiting_input", *ENDED)) == "awaiting_input":
            asked = self.api.get(path).json()
            time.sleep(reads)
            reads = 5
            self.api.patch(path, json={"chosen_options": [option], "params_input": {"reason": reason}}).raise_for_status()
        return asked

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """State by task id; of a mapped task, by ``task_id[index]``."""
        instances = self.rest.task_instances(dag_id, run_id)
        return {_name(task): task["state"] for task in instances}

    def clear(self, dag_id: str, run_id: str, *tasks: str) -> None:
        """Clear the tasks and those after them, as a person does when the cause is gone; without any, the whole run."""
        chosen = {"task_ids": [*tasks], "include_downstream": True} if tasks else {}
        body = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, **chosen}
        self.api.post(f"/api/v2/dags/{dag_id}/clearTaskInstances", json=body).raise_for_status()

    def let_its_hour_come(self, dag_id: str) -> str:
        """Let the scheduler find that the time of the DAG's next run has come; returns the id of the run that it starts."""
        self.unpause(dag_id)
        before = {run["dag_run_id"] for run in self.rest.runs(dag_id)}
        deadline = time.monotonic() + PATIENCE
        while True:
            # Whenever it has read a DAG's file, the dag-processor writes the true time.
            times = ("next_dagrun", "next_dagrun_create_after", "next_dagrun_data_interval_start", "next_dagrun_data_interval_end")
            with self.database() as cursor:
                cursor.execute(f"UPDATE dag SET {', '.join(f'{each} = now()' for each in times)} WHERE dag_id = %s", (dag_id,))
            time.sleep(3)  # some of the scheduler's rounds
            for run in self.rest.runs(dag_id):
                if run["run_type"] == "scheduled" and run["dag_run_id"] not in before:
                    return str(run["dag_run_id"])
            assert time.monotonic() < deadline, f"the scheduler started no run of {dag_id} within {PATIENCE} s"

    @contextmanager
    def faults(self, *rules: dict[str, Any] | str) -> Iterator[Callable[[], list[int]]]:
        """Have the sandbox fail so, for as long as the context lasts: rules, or ready ones by their ids. Gives how often each has fired."""
        names: list[str] = []

        def fired() -> list[int]:
            counts = {rule["name"]: rule["fired"] for rule in self.sandbox_control.get("/_sandbox/faults").json()}
            return [counts[name] for name in names]

        try:
            for rule in rules:
                answer = self.sandbox_control.post("/_sandbox/faults", json={"use": rule} if isinstance(rule, str) else rule)
                assert answer.is_success, answer.text
                names += answer.json()["added"]
            yield fired
        finally:
            for name in names:
                self.sandbox_control.delete("/_sandbox/faults", params={"name": name})

    @contextmanager
    def database(self) -> Iterator[Any]:
        """A cursor of Airflow's own database; what it did is committed at the end."""
        postgres = self.stack._postgres
        assert postgres is not None
        url = postgres.url("psycopg2").replace("postgresql+psycopg2", "postgresql")
        with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
            yield cursor

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        return self.rest.log(dag_id, run_id, task_id, attempt)

    def kill(self, component: str) -> int:
        """SIGKILL a component, as named in ``include.demo.stack``; returns the process id that it had. The supervisor restarts it."""
        pid = self.stack.supervisor.pid(component)
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_until_restarted(self, component: str, killed: int) -> int:
        """The new process id of a component that was killed."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(Exception):
                pid = self.stack.supervisor.pid(component)
                if pid != killed:
                    self.messages += self.stack.supervisor.changes()
                    return pid
            assert time.monotonic() < deadline, f"{component} was not restarted within {PATIENCE} s"
            time.sleep(0.1)


@contextmanager
def _api_may_be_down() -> Iterator[None]:
    """Let a test wait on while the API server, or its database, is the component that it killed."""
    try:
        yield
    except httpx.TransportError:
        pass
    except httpx.HTTPStatusError as error:
        if not error.response.is_server_error:
            raise


def _name(task: dict[str, Any]) -> str:
    return task["task_id"] if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]"


@contextmanager
def airflow_stack(state: Path, *, kind: type[Stack] = Stack, **settings: Any) -> Iterator[AirflowStack]:
    """A running stack whose folder is `state`; the keywords are those of :class:`Settings`: recipes, dags, speed, parallelism, overrides,
    database_url; `kind` a stack that differs."""
    stack = AirflowStack(Settings(state, api_port=free_port(), sandbox_port=free_port(), **settings), kind)
    try:
        yield stack
    finally:
        stack.stop()
