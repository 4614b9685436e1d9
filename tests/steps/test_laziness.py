"""Nothing loads the Azure SDK before the first call: a DAG file that names a step costs nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOADED_LATE = {"polling", "retry"}


def test_importing_the_steps_imports_neither_the_sdk_nor_airflow() -> None:
    modules = [
        f"include.steps.{path.stem}" for path in (ROOT / "include/steps").glob("*.py") if path.stem not in LOADED_LATE | {"__init__"}
    ]
    assert len(modules) > 15
    late = "[name for name in sys.modules if name.split('.')[0] in ('azure', 'airflow', 'msrest')]"
    program = f"import sys, {', '.join(modules)}; print({late})"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
