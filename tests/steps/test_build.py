"""A whole build, in virtual time, with the official client."""

from __future__ import annotations

import asyncio

from tests.steps.build_line import HOME, OTHERS, Line


async def test_a_whole_build_ends_with_a_promoted_version_and_nothing_else_left() -> None:
    line = await Line().through("delete_build")
    assert line.replicas() == dict.fromkeys((HOME, *OTHERS), "Completed")
    assert line.version().properties["publishingProfile"]["excludeFromLatest"] is False
    assert not any("image-build" in key for key in line.sandbox.store.resources)
    assert asyncio.get_running_loop().time() > 900, "virtual time passed"


BUILD = ("create_resource_group", "create_network", "create_virtual_machine", "run_script", "deprovision", "deallocate", "generalize")
PUBLISH = ("capture_source", "ensure_resource_group", "ensure_gallery", "ensure_definition", "publish")


async def build_in_one_region(line: Line) -> int:
    """Calls of a build with one script."""
    before = len(line.calls)
    await line.only(*BUILD, *PUBLISH)
    await line.run("replicate", target_regions=[line.publish_arguments()["target_regions"][0]])
    await line.only("promote", "delete_build")
    return len(line.calls) - before


async def test_a_process_that_has_built_before_asks_azure_less_often() -> None:
    first, *_, last = [await build_in_one_region(Line(seed=seed)) for seed in range(5)]
    assert last < first
    assert last <= 60


async def test_a_repeated_step_asks_azure_once_or_twice_and_writes_nothing() -> None:
    line = Line()
    for name in line.steps():
        await line.run(name)
        before = len(line.calls)
        await line.run(name)
        again = line.calls[before:]
        if name not in ("run_script_and_reboot", "snapshot"):
            assert len(again) <= 2, f"{name}: {again}"
        writes = [call for call in again if call[0] != "GET" and not call[1].endswith("/restart")]
        assert writes == [], name
