"""The destination of a build: resource group, gallery and definition in one step."""

from __future__ import annotations

from typing import Any

import pytest

from include.steps import destination
from include.steps.errors import StepError
from tests.steps.build_line import GALLERIES, Line


def arguments(line: Line) -> dict[str, Any]:
    steps = line.steps()
    return {
        "resource_group": steps["ensure_resource_group"][1],
        "gallery": steps["ensure_gallery"][1],
        "definition": steps["ensure_definition"][1],
    }


async def test_what_is_missing_is_made_in_order_and_a_second_run_writes_nothing() -> None:
    line = Line()
    made = await destination.ensure(line.azure, **arguments(line))
    assert made["resource_group"].endswith(GALLERIES)
    assert made["definition"].startswith(made["gallery"])
    assert line.count("PUT") == 3
    assert await destination.ensure(line.azure, **arguments(line)) == made
    assert line.count("PUT") == 3


async def test_the_part_that_is_wrong_is_named() -> None:
    line = await Line().through("ensure_definition")
    wrong = arguments(line)
    wrong["definition"] = {**wrong["definition"], "os_state": "Specialized"}
    with pytest.raises(StepError, match="OS state Generalized"):
        await destination.ensure(line.azure, **wrong)
