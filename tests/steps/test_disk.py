"""Disks as files, by an access that is always taken back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from include.sandbox.blobs import account_sas, disk_bytes
from include.steps import disk
from include.steps.errors import StepError
from tests.steps.build_line import GROUP, Line

SNAPSHOT = "snap-os"


async def captured() -> Line:
    return await Line().through("snapshot")


async def export(line: Line, destination: str, **changes: Any) -> Any:
    return await disk.export_vhd(
        line.azure, **{"resource_group": GROUP, "snapshot": SNAPSHOT, "destination": destination, "duration": 3600, **changes}
    )


def blob(line: Line) -> str:
    return f"https://localhost/devstorage/vhds/ubuntu.vhd?{account_sas(line.sandbox)}"


def access(line: Line) -> str:
    return str(line.resource("snapshots", SNAPSHOT).properties["diskState"])


async def test_a_snapshot_becomes_a_local_file_and_its_access_is_taken_back(tmp_path: Path) -> None:
    line = await captured()
    file = tmp_path / "deep" / "ubuntu.vhd"
    assert await export(line, str(file)) == {"destination": str(file), "bytes": 1024 * 1024}
    assert file.read_bytes() == disk_bytes(line.resource("snapshots", SNAPSHOT).id)
    assert list(file.parent.iterdir()) == [file]
    assert access(line) != "ActiveSAS"


async def test_a_snapshot_becomes_a_blob_whose_sas_is_not_in_the_result() -> None:
    line = await captured()
    result = await export(line, blob(line))
    assert result == {"destination": "https://localhost/devstorage/vhds/ubuntu.vhd", "bytes": 1024 * 1024}
    assert access(line) != "ActiveSAS"


async def test_access_is_taken_back_when_the_copy_fails() -> None:
    line = await captured()
    with pytest.raises(StepError):
        await export(line, "https://localhost/devstorage/vhds/x.vhd?sig=wrong")
    assert access(line) != "ActiveSAS"


async def test_access_is_taken_back_when_the_task_is_killed_by_a_user() -> None:
    line = await captured()
    copying = asyncio.create_task(export(line, blob(line)))
    while access(line) != "ActiveSAS":
        await asyncio.sleep(0.2)
        line.sandbox.advance()
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying
    await asyncio.sleep(60)
    line.sandbox.advance()
    assert access(line) != "ActiveSAS"


async def test_an_access_that_a_dead_process_left_can_be_taken_back() -> None:
    line = await captured()
    poller = await line.azure.compute.snapshots.begin_grant_access(GROUP, SNAPSHOT, {"access": "Read", "durationInSeconds": 3600})
    await poller.result()
    assert access(line) == "ActiveSAS"
    assert await disk.revoke_access(line.azure, resource_group=GROUP, snapshot=SNAPSHOT) == {"revoked": True}
    assert access(line) != "ActiveSAS"
    assert await disk.revoke_access(line.azure, resource_group=GROUP, snapshot="nothing") == {"revoked": False}


async def test_a_snapshot_that_is_gone_goes_back_to_the_capture() -> None:
    line = await captured()
    with pytest.raises(StepError) as caught:
        await export(line, blob(line), snapshot="nothing")
    assert (caught.value.kind, caught.value.stage) == ("redo", "capture")
