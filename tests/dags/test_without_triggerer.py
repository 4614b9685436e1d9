"""``dag.test()``: a whole build in one process, with no scheduler and no triggerer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.demo.configuration import CONNECTION, airflow_connection
from include.demo.settings import free_port
from tests.end_to_end.catalogue import small

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]

BUILD = """
from airflow.dag_processing.dagbag import DagBag
dag = DagBag(dag_folder="dags/build_images.py").dags["build_quick"]
run = dag.test()
print("STATE", run.state)
"""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A migrated SQLite, a catalogue of one recipe, and a sandbox in a process of its own."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "quick.yaml").write_text(small("quick"))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment = {
        **inherited,
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "IMAGE_FACTORY_RECIPES": str(tmp_path / "recipes"),
        "PYTHONPATH": os.pathsep.join((str(PROJECT), str(PROJECT / "plugins"))),
    }
    where = ["--state", str(tmp_path / "sandbox"), "--port", str(free_port())]
    command = [sys.executable, "-m", "include.sandbox", "serve", *where, "--speed", "600"]
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) as sandbox:
        try:
            assert sandbox.stdout is not None
            assert sandbox.stdout.readline()
            connection = _run(["-m", "include.sandbox", "connection", *where], environment)
            environment[CONNECTION] = airflow_connection(json.loads(connection))
            _run(["-m", "airflow", "db", "migrate"], environment)
            yield environment
        finally:
            sandbox.terminate()


def _run(arguments: list[str], environment: dict[str, str]) -> str:
    answer: Any = subprocess.run([sys.executable, *arguments], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    return str(answer.stdout)


def test_dag_test_builds_an_image(environment: dict[str, str]) -> None:
    output = _run(["-c", BUILD], environment)

    assert "STATE success" in output, output[-3000:]
