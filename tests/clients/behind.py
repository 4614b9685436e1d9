"""A command run behind `sandbox exec`: it believes that it talks to Azure."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

SPEED = "1000"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def behind_sandbox(state: Path, *command: str, port: int | None = None) -> list[str]:
    """The words that run `command` with Azure's public hosts answered by the sandbox of `state`, started for it on a free port."""
    own = ["exec", "--state", str(state), "--port", str(port or free_port()), "--speed", SPEED, "--"]
    return [sys.executable, "-m", "include.sandbox", *own, *command]
