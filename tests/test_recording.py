"""The judge of the session's traffic sees what every worker's sandboxes answered."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from include.demo.settings import PROJECT
from tests.recording import record_into
from tests.sandbox_transport import make_sync_sandbox, sync_client

WORKER = """
import sys
from pathlib import Path
from azure.mgmt.resource.resources import ResourceManagementClient
from tests.recording import record_into
from tests.sandbox_transport import make_sync_sandbox, sync_client
with record_into(Path(sys.argv[1])):
    print("at work", flush=True)
    sys.stdin.readline()
    sync_client(ResourceManagementClient, make_sync_sandbox()).resource_groups.create_or_update("theirs", {"location": "westeurope"})
"""


def test_the_recording_is_complete_when_the_other_worker_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.mgmt.resource.resources import ResourceManagementClient

    monkeypatch.delenv("SANDBOX_RECORD", raising=False)
    command = [sys.executable, "-c", WORKER, str(tmp_path)]
    with (
        subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker,
        record_into(tmp_path) as recording,
        ThreadPoolExecutor() as pool,
    ):
        assert worker.stdin is not None
        assert worker.stdout is not None
        assert worker.stdout.readline() == "at work\n"
        sync_client(ResourceManagementClient, make_sync_sandbox()).resource_groups.create_or_update("ours", {"location": "westeurope"})
        complete = pool.submit(recording.complete)
        with pytest.raises(TimeoutError):
            complete.result(0.5)
        worker.stdin.write("go on\n")
        worker.stdin.flush()
        traffic = complete.result(60).read_text().splitlines()
        assert ["ours" in traffic[0], "theirs" in traffic[1], len(traffic)] == [True, True, 2]
    assert not recording.path.exists()
    assert "SANDBOX_RECORD" not in os.environ
