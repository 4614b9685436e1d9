"""A plan's steps run one after the other, as its DAG would run them; and the writes that they make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from image_factory.triggers.step import load_step
from tests.steps.build_line import Line, Step

WRITES = ("PUT", "PATCH", "POST", "DELETE")


async def run_planned(line: Line, plan: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Run what the plan has for each task, in order; the results by task id."""
    results = {}
    for task, arguments in plan["steps"].items():
        if arguments is not None:
            results[task] = await load_step(names[task])(line.azure, **arguments)
    return results


def writes(line: Line) -> Counter[str]:
    """The writes that Azure took, without regard to case; the questions to a guest in sysprep are no more than polls."""
    made = ((method, path) for method, path, status in line.calls if method in WRITES and status < 400)
    return Counter(
        f"{method} {path}".lower() for method, path in made if not path.startswith("/devstorage") and not path.endswith("/image-state")
    )


def promised(plan: Mapping[str, Any]) -> Counter[str]:
    return Counter(f"{call['method']} {call['path']}".lower() for call in plan["calls"])


async def done_as_planned(line: Line, plan: Step, act: Step, task: str, form: Mapping[str, Any]) -> dict[str, Any]:
    """Plan, which writes nothing, and do it; what was written is what the plan promised. Returns the plan."""
    line.calls.clear()
    document: dict[str, Any] = await plan(line.azure, form=dict(form))
    assert not writes(line)
    await act(line.azure, **document["steps"][task])
    assert writes(line) == promised(document)
    return document
