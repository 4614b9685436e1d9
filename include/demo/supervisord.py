"""supervisord, which ends when the process that started it ends: ``python -m include.demo.supervisord <its id> <configuration>``."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import warnings

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent(parent: int) -> None:
    """Ask Linux for SIGTERM when the parent is gone. Elsewhere a killed demo's components end at the next start (``kill_leftovers``)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("The process that asked for supervisord has ended.")


if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # supervisor imports pkg_resources
        from supervisor.supervisord import main
    main(["-c", sys.argv[2]])
