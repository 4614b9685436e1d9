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
MONTH = {"test_crashes.py", "test_recovery.py", "test_versions.py"}


def place(item: pytest.Item) -> tuple[bool, int]:
    """A sorting key: the longest first, the judge of what all others asked (``validates_traffic``) last."""
    folder = PurePath(item.nodeid).parts[1]
    return item.get_closest_marker("validates_traffic") is not None, LONGEST.index(folder) if folder in LONGEST else len(LONGEST)


class ByAirflow(LoadScopeScheduling):
    """The tests of a file stay together, and so do those of files that share a running Airflow."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePath(nodeid.partition("::")[0])
        if file.parent.name == "end_to_end":
            return "month" if file.name in MONTH else "evening"
        return str(file)
