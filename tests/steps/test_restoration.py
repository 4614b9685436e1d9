"""Versions from the bin, and numbers that are never used again."""

from __future__ import annotations

from typing import Any

import pytest

from include.factory.image_version import latest_everywhere
from include.steps import gallery_versions, restoration, retirement
from include.steps.errors import StepError, StepSkipped
from tests.steps.build_line import GALLERIES, GALLERY, Line
from tests.steps.planned import promised, writes
from tests.steps.seeded import PATH, gallery_line, seed, tags_of, version_of
from tests.steps.test_retirement import form, since


async def with_bin() -> Line:
    """A gallery that keeps deleted versions, with two in its bin."""
    line = await gallery_line()
    gallery = line.resource("galleries", GALLERY, group=GALLERIES)
    gallery.properties["softDeletePolicy"] = {"isSoftDeleteEnabled": True}
    seed(line, "4.0.0", age=1)
    for name in ("1.0.0", "2.0.0"):
        seed(line, name, age=99, excluded=True, tags=since(8))
    document = await retirement.plan(line.azure, form=form())
    assert "soft, can be restored" in document["text"]
    await retirement.retire(line.azure, **document["steps"]["retire_versions"])
    line.transport.calls.clear()
    return line


async def restored(line: Line, **fields: Any) -> dict[str, Any]:
    document = await restoration.plan(line.azure, form={**PATH, **fields})
    line.transport.calls.clear()
    result: dict[str, Any] = await restoration.restore(line.azure, **document["steps"]["restore_version"])
    assert writes(line) == promised(document)
    return result


async def test_a_version_comes_back_out_of_latest_and_is_not_retired_again_at_once() -> None:
    line = await with_bin()
    assert version_of(line, "2.0.0") is None
    result = await restored(line, versions="2.0.0", pin=True, reason="an audit")
    assert (result["restored"], result["notices"][0]["title"]) == (["2.0.0"], "ubuntu: 2.0.0 restored")
    tags = tags_of(line, "2.0.0")
    assert "image-factory-restored" in tags
    assert tags["image-factory-pinned"] == "an audit"
    assert "image-factory-retired" not in tags
    latest = latest_everywhere(await gallery_versions.read(line.azure, **PATH))
    assert {version.name for version in latest.values()} == {"4.0.0"}


async def test_the_plan_shows_the_bin() -> None:
    line = await with_bin()
    with pytest.raises(StepSkipped, match="dry run") as caught:
        await restoration.plan(line.azure, form={**PATH, "versions": "*", "dry_run": True})
    assert caught.value.result["versions"] == ["2.0.0", "1.0.0"]
    assert "gone for good" in caught.value.result["text"]
    assert not writes(line)


async def test_a_version_that_is_not_in_the_bin_is_refused_and_the_ones_that_are_are_named() -> None:
    line = await with_bin()
    with pytest.raises(StepError, match=r"There is no version 3.0.0. The newest are: 2.0.0, 1.0.0"):
        await restoration.plan(line.azure, form={**PATH, "versions": "3.0.0"})


async def test_a_second_run_finds_nothing_in_the_bin() -> None:
    line = await with_bin()
    await restored(line, versions="*")
    with pytest.raises(StepSkipped, match="nothing to do"):
        await restoration.plan(line.azure, form={**PATH, "versions": "*"})


async def test_one_that_does_not_come_back_is_named_and_delays_no_other() -> None:
    line = await with_bin()
    error = {"status": 403, "code": "AuthorizationFailed", "message": "No."}
    line.sandbox.faults.add(name="no", match={"method": "PUT", "name": "1.0.0"}, effect={"error": error})
    document = await restoration.plan(line.azure, form={**PATH, "versions": "*"})
    with pytest.raises(StepError, match=r"1 of 2 versions are back, 1 are not. 1.0.0: No"):
        await restoration.restore(line.azure, **document["steps"]["restore_version"])
    assert version_of(line, "2.0.0") is not None
