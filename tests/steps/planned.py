"""A plan's steps run one after the other, as its DAG would run them; and the writes that they make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from image_factory.triggers.step import load_step
from tests.steps.build_line import Line

WRITES = ("PUT", "PATCH", "POST", "DELETE")


async def run_planned(line: Line, plan: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Run what the plan has for each task, in order; the results by task id."""
    results = {}
    for task, arguments in plan["steps"].items():
        if arguments is not None:
            results[task] = await load_step(names[task])(line.azure, **arguments)
    return results


def writes(line: Line) -> Counter[str]:
    """The writes that went over the wire, without regard to case."""
    return Counter(f"{method} {path}".lower() for method, path, _ in line.calls if method in WRITES and not path.startswith("/devstorage"))


def promised(plan: Mapping[str, Any]) -> Counter[str]:
    return Counter(call.lower() for call in plan["calls"])
