"""One Airflow and one sandbox for all end-to-end tests of a process (``tests/workers.py``), and one evening on which everything is built at
once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.factory.catalogue import Catalogue, load_catalogue
from tests.airflow_stack import PATIENCE, AirflowStack, airflow_stack
from tests.end_to_end.catalogue import told, write_catalogue
from tests.end_to_end.custom_role import CustomRoleStack

# The definitions' own names, in the order in which the tests ask.
SHIPPED = ("ubuntu-2404-base", "windows-2022-base", "ubuntu-2404-appliance")
CHILD = "ubuntu-2404-data"
FAILING = ("failing-step", "failing-check", "failing-boot-test")

# A machine is asked for six times in a try, and a task is tried three times for anything but throttling.
THROTTLED = {
    "name": "throttled",
    "match": {"method": "PUT", "type": "Microsoft.Compute/virtualMachines", "group": "image-build-watched-*"},
    "count": 24,
    "effect": {"throttle": {"retry_after": 60}},
}


def dag_id(recipe: str) -> str:
    return f"build_{recipe.replace('-', '_')}"


@dataclass
class Factory:
    """The running factory, and what the tests read from it."""

    airflow: AirflowStack
    catalogue: Catalogue
    folder: Path
    runs: dict[str, str] = field(default_factory=dict)
    yesterday: datetime = field(default_factory=lambda: (datetime.now(UTC) - timedelta(days=1)).replace(microsecond=0))
    """Of the day on which the evening began: it may go on past midnight."""

    def build(self, recipe: str, conf: dict[str, Any] | None = None, **fields: Any) -> str:
        return self.airflow.trigger(dag_id(recipe), conf, **fields)

    def outcome(self, recipe: str, run_id: str) -> str:
        return self.airflow.wait(dag_id(recipe), run_id)

    def states(self, recipe: str, run_id: str) -> dict[str, str | None]:
        return self.airflow.task_states(dag_id(recipe), run_id)

    def log(self, recipe: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        return self.airflow.log(dag_id(recipe), run_id, task_id, attempt)

    def plan(self, recipe: str, run_id: str) -> dict[str, Any]:
        return self.airflow.rest.xcom(dag_id(recipe), run_id, "plan")

    def versions(self, recipe: str) -> list[dict[str, Any]]:
        """The versions of the recipe's definition as Resource Manager lists them."""
        publish = self.catalogue.recipes[recipe].publish
        path = (
            f"/subscriptions/{self.airflow.stack.connection['subscription_id']}/resourceGroups/{publish.resource_group}/providers"
            f"/Microsoft.Compute/galleries/{publish.gallery}/images/{self.catalogue.recipes[recipe].definition}/versions"
        )
        answer = self.airflow.sandbox_control.get(path, params={"api-version": "2024-03-03"})
        return [] if answer.status_code == 404 else answer.json()["value"]

    def latest(self, recipe: str) -> str | None:
        """What `latest` resolves to."""
        names = [each["name"] for each in self.versions(recipe) if not each["properties"]["publishingProfile"]["excludeFromLatest"]]
        return max(names, key=lambda name: [int(part) for part in name.split(".")], default=None)

    def replicated(self, recipe: str, version: str) -> dict[str, str]:
        """State by region of one version."""
        for published in self.airflow.gallery.versions(self.catalogue.recipes[recipe]):
            if published.version == version:
                return {name: region.state for name, region in published.regions.items()}
        return {}

    def resources(self, of: str = "") -> list[str]:
        """The ids of all resources in the sandbox that contain `of`."""
        return [each["id"] for each in self.airflow.sandbox_control.get("/_sandbox/resources").json() if of.lower() in each["id"].lower()]

    def leftovers(self, recipe: str) -> list[str]:
        """What a run left outside the gallery."""
        return self.resources(f"/image-build-{recipe}-")

    def requests(self) -> dict[str, int]:
        """How many requests the sandbox answered, by method and resource type."""
        counts: dict[str, int] = self.airflow.sandbox_control.get("/_sandbox/status").json()["requests"]
        return counts

    def told(self, recipe: str) -> str:
        """What people were told about a recipe of the tests' own."""
        file = told(self.folder, recipe)
        return file.read_text() if file.exists() else ""

    def runs_of(self, recipe: str) -> list[dict[str, Any]]:
        return self.airflow.rest.runs(dag_id(recipe))

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s"
            time.sleep(0.5)
        return found


@pytest.fixture(scope="package")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    folder: Path = write_catalogue(tmp_path_factory.mktemp("catalogue") / "recipes")
    with airflow_stack(tmp_path_factory.mktemp("stack"), kind=CustomRoleStack, recipes=folder, speed=120) as airflow:
        yield Factory(airflow, load_catalogue(folder), folder)


@pytest.fixture(scope="package")
def evening(factory: Factory) -> Iterator[Factory]:
    """All builds of one evening, side by side; the child's is started by its parent's image. One is throttled for long, and one meets a
    region without room."""
    for name in (CHILD, "chain-hardened", "chain-application"):
        factory.airflow.unpause(dag_id(name))
    with factory.airflow.faults(THROTTLED, {"use": "P03", "match": {"group": "image-build-chain-base-*"}}):
        _build_all(factory)
        yield factory


def _build_all(factory: Factory) -> None:
    names = (*SHIPPED, *FAILING, "steady")
    factory.runs = {name: factory.build(name) for name in ("watched", *SHIPPED)}
    factory.runs |= {name: factory.build(name, logical_date=factory.yesterday.isoformat()) for name in FAILING}
    factory.runs["chain-base"] = factory.build("chain-base")
    factory.runs["kept"] = factory.build("kept", {"keep_failed_machine": True})
    factory.runs["approved"] = factory.build("approved")
    factory.runs["steady"] = factory.build("steady", logical_date=factory.yesterday.isoformat())
    for name in names:
        factory.outcome(name, factory.runs[name])
    (child,) = factory.until(lambda: factory.runs_of(CHILD), "the child's run")
    factory.runs[CHILD] = child["dag_run_id"]
    factory.outcome(CHILD, factory.runs[CHILD])
