"""One run of a build: who, when, and what the operator asked for."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, Field

from include.factory.region import RegionName
from include.factory.value import Value


class Run(Value):
    dag_id: str = Field(min_length=1)
    """The DAG's id."""
    run_id: str = Field(min_length=1)
    """The run's id; with the DAG's it decides every name."""
    at: AwareDatetime
    """The run's own time, its logical date or `run_after`; it decides the version, and never changes when the run is repeated."""
    started: AwareDatetime | None = None
    """When the run began; what expires, expires from here. By default `at`."""
    version: str | None = None
    """Version to publish instead of the one that the time gives."""
    regions: tuple[RegionName, ...] | None = None
    """Regions to replicate to instead of all of the recipe's; the home region is always one."""
    skip_replicate: bool = False
    """Publish to the home region only."""
    keep_failed_machine: bool = False
    """Keep the build machine when the run fails."""
    dry_run: bool = False
    """Print the plan and write nothing."""
    force: bool = False
    """Build even if nothing has changed since the newest version."""
    reason: str = ""
    """Why the run was asked for."""

    @property
    def id(self) -> str:
        return f"{self.dag_id}/{self.run_id}"

    @property
    def began(self) -> datetime:
        return self.started or self.at
