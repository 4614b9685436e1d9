"""`az`, unmodified, behind `sandbox exec`: what is in `transcripts/` is what it prints."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from include.demo.settings import PROJECT

from .behind import behind_sandbox
from .judges import python_environment
from .transcript import Command, as_expected, printed, read

pytestmark = [pytest.mark.clients, pytest.mark.slow]

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))
APART = {"separate_programs"}  # as a user runs it: each command is a program of its own
WITHIN = 900  # seconds for one transcript, on a machine that others use, too

LOGIN = "az login --service-principal --username $AZURE_CLIENT_ID --password $AZURE_CLIENT_SECRET --tenant $AZURE_TENANT_ID --output none"


def transcript(commands: list[Command], outputs: list[list[str]]) -> str:
    """The text of a transcript: each command as it was written, and what it printed."""
    return "\n".join(line for command, output in zip(commands, outputs, strict=True) for line in (*command.written, *output))


def play(path: Path, az: Path, folder: Path) -> str:
    """The transcript that az makes of the commands of `path`, on an empty sandbox."""
    folder.mkdir(parents=True)
    words = [str(az / "bin" / "python"), str(Path(__file__).with_name("az_session.py")), *(["--apart"] if path.stem in APART else [])]
    commands = read(path)
    given = "\n".join([LOGIN, *(command.text for command in commands)])
    done = subprocess.run(
        behind_sandbox(folder / "state", *words),
        input=given,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        cwd=PROJECT,
        env={**os.environ, "HOME": str(folder)},  # az writes SSH keys to ~/.ssh
        check=False,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 1 + len(commands), done.stderr
    assert answers[0]["code"] == 0, answers[0]
    outputs = [as_expected(command.expected, printed(**answer)) for command, answer in zip(commands, answers[1:], strict=True)]
    return transcript(commands, outputs)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[str]]]:
    """All transcripts that were asked for, in the making at once: az waits more than it works."""
    az = python_environment("az")
    folder = tmp_path_factory.mktemp("az")
    parameters = [item.callspec.params for item in request.session.items if isinstance(item, pytest.Function) and hasattr(item, "callspec")]
    wanted = {one["path"] for one in parameters if "path" in one}
    with ThreadPoolExecutor() as pool:
        yield {path.stem: pool.submit(play, path, az, folder / path.stem) for path in TRANSCRIPTS if path in wanted}


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_az_prints_what_the_transcript_shows(path: Path, played: dict[str, Future[str]]) -> None:
    commands = read(path)
    assert played[path.stem].result() == transcript(commands, [command.expected for command in commands])
