"""Transcripts of a terminal: commands and what they print.

    $ az group create --name images --location westeurope \\
    >    --query properties.provisioningState
    "Succeeded"
    $ az vm show --resource-group images --name absent
    ERROR: (ResourceNotFound) The Resource ...
    [3]

`$` begins a command and `>` goes on with it; `...` in the output stands for anything; a last line `[n]` is an exit code other than 0; lines
that begin with `#` are the author's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path


@dataclass
class Command:
    """A command, the lines in which it was written, and the lines that it is to print."""

    text: str
    written: list[str]
    expected: list[str]


def read(path: Path) -> list[Command]:
    """The commands of a transcript, in order."""
    found: list[Command] = []
    for line in path.read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith("$ "):
            found.append(Command(line[2:], [line], []))
        elif line.startswith("> "):
            found[-1].text = found[-1].text.removesuffix("\\") + line[2:].strip()
            found[-1].written.append(line)
        else:
            found[-1].expected.append(line)
    return found


def printed(out: str, errors: str, code: int) -> list[str]:
    """What a command printed, as a transcript shows it: output, errors without az's warnings, exit code."""
    lines = [line.rstrip() for line in out.splitlines() if line.strip()]
    lines += [line.rstrip() for line in errors.splitlines() if line.startswith("ERROR: ")]
    return lines + ([f"[{code}]"] if code else [])


def as_expected(expected: list[str], actual: list[str]) -> list[str]:
    """`actual`, with each line that fits the expected one in that one's words."""
    pairs = zip_longest(expected, actual)
    return [wanted if wanted is not None and _fits(wanted, got) else got for wanted, got in pairs if got is not None]


def _fits(wanted: str, got: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in wanted.split("...")), got) is not None
