"""Where a demo keeps its things and on which ports it answers."""

from __future__ import annotations

import json
import os
import secrets
import socket
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
USER = "admin"

# A Unix socket's path ends at 107 characters on Linux and 103 on macOS; supervisord adds ".<pid>", Postgres "/.s.PGSQL.5432.lock".
LONGEST_SOCKET_FOLDER = 80
OUTSIDE = "image-factory-"


class DemoError(Exception):
    """Something that the person at the keyboard can put right: the message says what is wrong and what to do."""


@dataclass(frozen=True)
class Settings:
    """One demo: its folders, its ports, and what it runs.

    :param state: folder for everything that the demo writes; may be deleted when no demo runs.
    :param recipes: the catalogue's folder, or None for the shipped one.
    :param speed: the sandbox divides every latency by it.
    :param parallelism: worker processes of Airflow's LocalExecutor.
    :param database_url: an SQLAlchemy URL of a database to use, or None to start Postgres.
    :param overrides: environment variables for Airflow that win over ours.
    """

    state: Path
    api_port: int = 8080
    sandbox_port: int = 8443
    dags: Path = PROJECT / "dags"
    plugins: Path = PROJECT / "plugins"
    recipes: Path | None = None
    speed: float = 60
    parallelism: int = 4
    database_url: str | None = None
    overrides: dict[str, str] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def sandbox(self) -> Path:
        return self.state / "sandbox"

    @property
    def url(self) -> str:
        """Of the UI and the REST API."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def short(self) -> Path:
        """A folder whose path is short enough for Unix sockets: the state folder where that is short itself."""
        if len(str(self.state)) <= LONGEST_SOCKET_FOLDER:
            return self.state
        return outside_folder(self.state)

    def secrets(self) -> Secrets:
        """This demo's secrets, made at its first start."""
        path = self.state / "secrets.json"
        if not path.exists():
            write_private(path, json.dumps(Secrets.generate().__dict__))
        return Secrets(**json.loads(path.read_text()))


@dataclass(frozen=True)
class Secrets:
    """What Airflow signs and encrypts with, and the password of :data:`USER`."""

    fernet_key: str
    jwt_secret: str
    secret_key: str
    password: str

    @classmethod
    def generate(cls) -> Secrets:
        from cryptography.fernet import Fernet

        return cls(Fernet.generate_key().decode(), secrets.token_urlsafe(64), secrets.token_urlsafe(32), secrets.token_urlsafe(9))


def outside_folder(state: Path) -> Path:
    """A temporary folder that belongs to `state`, for what cannot live inside; the link ``outside`` in `state` leads to it.

    :raises DemoError: the link leads to another user's folder.
    """
    link = state / "outside"
    if not link.exists():
        folder = Path(tempfile.mkdtemp(prefix=OUTSIDE))
        folder.chmod(0o755)
        link.unlink(missing_ok=True)
        link.symlink_to(folder)
    if link.stat().st_uid != os.geteuid():
        raise DemoError(f"{link} leads to a folder of another user. Remove the link.")
    return link.resolve()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def require_free_port(port: int, variable: str) -> None:
    """
    :raises DemoError: something listens on `port`; `variable` is the make variable that chooses another.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoError(f"Port {port} is taken ({error.strerror}). Choose another: make demo {variable}={port + 1}") from None


def free_port() -> int:
    """A port of the loopback address that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
