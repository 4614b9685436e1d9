"""How the suite is divided among several processes (``pytest --numprocesses 2``).

xdist's own groups (``--dist loadgroup``) cannot say it: pytest 9.2 keeps the ids of tests where xdist 3.8.0 does not find them.
"""

from __future__ import annotations

from pathlib import PurePath

import pytest
from xdist.scheduler import LoadScopeScheduling

# What takes longest, by folder: it comes first, so that no worker is left with one of them when the others are done.
LONGEST = ("end_to_end", "demo", "clients", "dags")

# End-to-end tests that need nothing of the evening have an Airflow of their own: one works while the other waits.
AIRFLOWS = ("evening", "month")
MONTH = {"test_crashes.py", "test_recovery.py", "test_versions.py"}


def place(item: pytest.Item) -> tuple[bool, int, bool]:
    """A sorting key: the longest first, the judge of what all others asked (``validates_traffic``) last; within a folder, what looks at
    the traces of its other tests (``looks_back``) last."""
    folder = PurePath(item.nodeid).parts[1]
    return (
        item.get_closest_marker("validates_traffic") is not None,
        LONGEST.index(folder) if folder in LONGEST else len(LONGEST),
        item.get_closest_marker("looks_back") is not None,
    )


class ByAirflow(LoadScopeScheduling):
    """The tests of a file stay together, and so do those that share a running Airflow."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePath(nodeid.partition("::")[0])
        if file.parent.name == "end_to_end":
            # What is to be said of each Airflow has its name for a parameter.
            return "month" if file.name in MONTH or nodeid.endswith("[month]") else "evening"
        return str(file)
