"""Many builds at once on real Airflow and the sandbox: wall time, CPU, memory, ARM calls per version, workers that wait."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from include.demo.settings import Settings, free_port
from tests.airflow_stack import AirflowStack
from tests.end_to_end.catalogue import small

SPEED = 20.0


class Watch(threading.Thread):
    """Samples the processes of a stack: CPU seconds in all, peak memory (PSS, so that shared pages count once)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0
        self._cpu: dict[tuple[int, float], float] = {}
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(2):
            memory = 0.0
            for process in psutil.Process().children(recursive=True):
                try:
                    times = process.cpu_times()
                    self._cpu[process.pid, process.create_time()] = times.user + times.system
                    memory += process.memory_full_info().pss
                except psutil.Error:
                    continue
            self.peak = max(self.peak, memory)

    def stop(self) -> float:
        """CPU seconds of all processes seen."""
        self._over.set()
        self.join()
        return sum(self._cpu.values())


def run(builds: int = 100) -> None:
    """Print one build alone, then `builds` at once."""
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        recipes = Path(folder) / "recipes"
        recipes.mkdir()
        names = [f"image-{number}" for number in range(builds)]
        for name in ("alone", *names):
            (recipes / f"{name}.yaml").write_text(small(name))
        airflow = AirflowStack(
            Settings(Path(folder) / "state", api_port=free_port(), sandbox_port=free_port(), recipes=recipes, speed=SPEED)
        )
        try:
            alone = _measure(airflow, ["alone"])
            many = _measure(airflow, names)
        finally:
            airflow.stop()
    print(f"{'':28}{'1 build':>12}{f'{builds} builds':>14}")
    for line in alone:
        print(f"{line:28}{alone[line]:>12}{many[line]:>14}")


def _measure(airflow: AirflowStack, names: list[str]) -> dict[str, str]:
    before = _requests(airflow)
    watch = Watch()
    watch.start()
    begin = time.monotonic()
    runs = {name: airflow.trigger(_dag_id(name), {"force": True}) for name in names}
    states = Counter(airflow.wait(_dag_id(name), run_id, timeout=3600) for name, run_id in runs.items())
    wall = time.monotonic() - begin
    cpu = watch.stop()
    calls = sum((_requests(airflow) - before).values())
    records = [airflow.rest.run(_dag_id(name), run_id) for name, run_id in runs.items()]
    tasks = [task for name, run_id in runs.items() for task in airflow.rest.task_instances(_dag_id(name), run_id)]
    in_workers = sum(task["duration"] or 0 for task in tasks if task["hostname"])
    return {
        "succeeded": f"{states['success']} of {len(names)}",
        "wall": f"{wall:.0f} s",
        "slowest single build": f"{max(record['duration'] for record in records):.0f} s",
        "CPU": f"{cpu:.0f} s",
        "CPU per build": f"{cpu / len(names):.1f} s",
        "peak memory": f"{watch.peak / 2**20:.0f} MB",
        "ARM calls per version": f"{calls / len(names):.1f}",
        "seconds in workers per build": f"{in_workers / len(names):.2f}",
        "workers held while waiting": str(
            sum(1 for task in tasks if task["hostname"] and task["operator"] != "AnnounceImageVersionOperator")
        ),
    }


def _requests(airflow: AirflowStack) -> Counter[str]:
    answer: dict[str, Any] = airflow.sandbox_control.get("/_sandbox/status").json()
    return Counter(answer["requests"])


def _dag_id(name: str) -> str:
    return f"build_{name.replace('-', '_')}"
