"""An SSH server that lets anybody in and does nothing: a machine's guest, as far as Packer looks at it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh


class _Anybody(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False  # nothing is asked


async def _serve(address: str, root: Path, commands: list[str]) -> asyncssh.SSHAcceptor:
    def run(process: asyncssh.SSHServerProcess[str]) -> None:
        commands.append(process.command or "")
        process.exit(0)

    return await asyncssh.listen(
        address,
        22,
        server_factory=_Anybody,
        server_host_keys=[asyncssh.generate_private_key("ecdsa-sha2-nistp256")],
        process_factory=run,
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(root).encode()),
        allow_scp=True,
    )


@contextmanager
def guest_at(address: str, root: Path) -> Iterator[list[str]]:
    """An SSH server at port 22 of `address` that keeps files below `root`; the list is of the commands it was given.

    Raises PermissionError where the port is not for this user, OSError where it is taken.
    """
    commands: list[str] = []
    (root / "tmp").mkdir(parents=True)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        acceptor = asyncio.run_coroutine_threadsafe(_serve(address, root, commands), loop).result(10)
        try:
            yield commands
        finally:
            loop.call_soon_threadsafe(acceptor.close)
            asyncio.run_coroutine_threadsafe(acceptor.wait_closed(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
