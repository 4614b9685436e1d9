"""Many runs at once while people look at the UI: which metadata database holds? ``python -m tests.bench.load --database sqlite``.

Prints what happened, and exits 0 only when every run succeeded, no component died and no page failed. docs/decisions.md has the results.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from include.demo.settings import PROJECT, Settings, free_port
from tests.airflow_stack import AirflowStack

DAG = "load"
DATABASE_ERRORS = re.compile(r"database is locked|OperationalError|QueuePool limit|deadlock detected", re.IGNORECASE)


def pages(dag_id: str, run_id: str) -> list[str]:
    """What the UI asks for while somebody looks at its home page, the list of DAGs, and one DAG's grid."""
    since = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [
        "/ui/dashboard/dag_stats",
        f"/ui/dashboard/historical_metrics_data?start_date={since}",
        "/ui/dags?dag_runs_limit=14&limit=50",
        f"/ui/grid/structure/{dag_id}?limit=25",
        f"/ui/grid/runs/{dag_id}?limit=25",
        f"/ui/grid/ti_summaries/{dag_id}?run_ids={run_id}",
        f"/api/v2/dags/{dag_id}/dagRuns?limit=50",
        f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=100",
        "/api/v2/monitor/health",
        "/api/v2/importErrors",
    ]


class Readers:
    """Threads that read the pages one after another, without a pause."""

    def __init__(self, stack: AirflowStack, number: int, dag_id: str, run_id: str) -> None:
        self.answers: Counter[str] = Counter()
        self.slowest = 0.0
        self._stack = stack
        self._pages = pages(dag_id, run_id)
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._read, daemon=True) for _ in range(number)]

    def __enter__(self) -> Readers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(timeout=35)

    def _read(self) -> None:
        with self._stack.stack.api() as api:
            while not self._end.is_set():
                for page in self._pages:
                    begin = time.monotonic()
                    try:
                        answer = str(api.client.get(page).status_code)
                    except httpx.HTTPError as error:
                        answer = type(error).__name__
                    self.slowest = max(self.slowest, time.monotonic() - begin)
                    self.answers[answer] += 1


def load(settings: Settings, runs: int, readers: int, seconds: float) -> bool:
    """Run it once and print what happened. True when nothing was lost."""
    stack = AirflowStack(settings)
    try:
        stack.trigger(DAG)  # warms every component, and is not counted
        stack.wait(DAG, stack.rest.runs(DAG)[0]["dag_run_id"])
        begin = time.monotonic()
        started = [f"load-{number}" for number in range(runs)]
        with Readers(stack, readers, DAG, started[0]) as reading:
            for run in started:
                try:
                    stack.rest.trigger(DAG, dag_run_id=run)
                except httpx.HTTPError as error:
                    reading.answers[f"trigger: {error}".split(" for url")[0]] += 1
            states: Counter[str] = Counter()
            while time.monotonic() - begin < seconds and states["success"] + states["failed"] < runs:
                time.sleep(1)
                stack.messages += stack.stack.supervisor.changes()
                try:
                    states = Counter(run["state"] for run in stack.rest.runs(DAG) if run["dag_run_id"] in started)
                except httpx.HTTPError as error:
                    reading.answers[f"progress: {type(error).__name__}"] += 1
            wall = time.monotonic() - begin
        errors = Counter(
            found.lower() for log in settings.logs.glob("*.log") for found in DATABASE_ERRORS.findall(log.read_text(errors="replace"))
        )
        died = [message for message in stack.messages if "died" in message]
        print(f"{runs} runs, {readers} readers, {settings.parallelism} workers, {wall:.1f} s: {dict(states)}")
        print(f"pages read: {dict(reading.answers)}, the slowest {reading.slowest:.1f} s")
        print(f"components that died: {died or 'none'}")
        print(f"database errors in the logs: {dict(errors) or 'none'}")
        return states["success"] == runs and not died and set(reading.answers) == {"200"}
    finally:
        stack.stop()


def main() -> int:
    commands = argparse.ArgumentParser(description=__doc__)
    commands.add_argument("--database", choices=["postgres", "sqlite"], default="postgres")
    commands.add_argument("--runs", type=int, default=20)
    commands.add_argument("--readers", type=int, default=4)
    commands.add_argument("--parallelism", type=int, default=Settings.parallelism)
    commands.add_argument("--seconds", type=float, default=300, help="give up after (default: %(default)s)")
    chosen = commands.parse_args()
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        state = Path(folder)
        url = f"sqlite:///{state / 'airflow.db'}" if chosen.database == "sqlite" else None
        dags = PROJECT / "tests" / "bench" / "dags"
        settings = Settings(
            state, api_port=free_port(), sandbox_port=free_port(), dags=dags, parallelism=chosen.parallelism, database_url=url
        )
        return 0 if load(settings, chosen.runs, chosen.readers, chosen.seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
