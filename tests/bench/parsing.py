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

FILES = sorted(path.relative_to(PROJECT).as_posix() for path in (PROJECT / "dags").glob("*.py"))
BUILDS = "import runpy; runpy.run_path('dags/build_images.py')"
# In one process: each file in a process of its own, as the dag-processor reads them, counts the imports over and over.
ALL = f"import runpy; [runpy.run_path(file) for file in {FILES}]"
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
        cold = _measure(BUILDS, environment)
        codes = {"empty": EMPTY.format(recipes=recipes), "builds": BUILDS, "all": ALL}
        measured: dict[str, list[dict[str, float]]] = {name: [] for name in codes}
        for _ in range(repeats):
            for name, code in codes.items():
                measured[name].append(_measure(code, environment))
        alone = {file: _measure(f"import runpy; runpy.run_path({file!r})", environment)["seconds"] for file in FILES}
    best = {name: min(each, key=lambda one: one["seconds"]) for name, each in measured.items()}
    bare = best["empty"]["seconds"]
    print(f"parsing {recipes} recipes, CPU seconds after airflow.sdk is loaded")
    print(f"  build DAGs, recipes seen before       {best['builds']['seconds']:6.2f} s   {best['builds']['megabytes']:5.0f} MB")
    print(f"  build DAGs, all recipes new           {cold['seconds']:6.2f} s")
    print(f"  all DAG files                         {best['all']['seconds']:6.2f} s   {best['all']['megabytes']:5.0f} MB")
    print(f"  {recipes} DAGs of 12 EmptyOperators      {bare:6.2f} s   {best['empty']['megabytes']:5.0f} MB")
    print(f"  ratio of build DAGs, of all           {best['builds']['seconds'] / bare:6.2f} {best['all']['seconds'] / bare:6.2f}")
    print("  each file in a process of its own, as the dag-processor reads them")
    for file, seconds in alone.items():
        print(f"    {file:36}{seconds:6.2f} s")
