"""How long the DAG files take to import at 1,000 recipes, beside as many DAGs of empty tasks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.end_to_end.catalogue import small

PROJECT = Path(__file__).parents[2]

OURS = "import runpy; dags = runpy.run_path('dags/build_images.py')"
EMPTY = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
for number in range({recipes}):
    with DAG(f'empty_{{number}}'):
        for task in range(12):
            EmptyOperator(task_id=f'task_{{task}}')
"""
MEASURE = """
import airflow.sdk, resource, sys, time, json
begin = time.process_time()
exec({code!r})
print(json.dumps({{"seconds": time.process_time() - begin, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "azure": any(name.startswith("azure.") for name in sys.modules)}}))
"""


def _measure(code: str, environment: dict[str, str]) -> dict[str, float]:
    answer = subprocess.run(
        [sys.executable, "-c", MEASURE.format(code=code)], cwd=PROJECT, env=environment, check=True, capture_output=True, text=True
    )
    measured: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return measured


def run(recipes: int = 1000, repeats: int = 3) -> None:
    """Print CPU seconds, best of `repeats`, measured in turn."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(recipes):
            (Path(folder) / f"image-{number}.yaml").write_text(small(f"image-{number}"))
        path = os.pathsep.join((str(PROJECT), str(PROJECT / "plugins")))
        environment = {**os.environ, "PYTHONPATH": path, "IMAGE_FACTORY_RECIPES": folder, "XDG_CACHE_HOME": f"{folder}/cache"}
        cold = _measure(OURS, environment)
        empty, ours = [], []
        for _ in range(repeats):
            empty.append(_measure(EMPTY.format(recipes=recipes), environment))
            ours.append(_measure(OURS, environment))
    best = min(ours, key=lambda each: each["seconds"])
    bare = min(empty, key=lambda each: each["seconds"])
    print(f"parsing {recipes} recipes, CPU seconds after airflow.sdk is loaded")
    print(f"  this project, recipes seen before     {best['seconds']:6.2f} s   {best['megabytes']:5.0f} MB")
    print(f"  this project, all recipes new         {cold['seconds']:6.2f} s")
    print(f"  {recipes} DAGs of 12 EmptyOperators      {bare['seconds']:6.2f} s   {bare['megabytes']:5.0f} MB")
    print(f"  ratio                                 {best['seconds'] / bare['seconds']:6.2f}")
    print(f"  Azure SDK imported                    {'yes' if best['azure'] else 'no'}")
