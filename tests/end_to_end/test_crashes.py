"""A component dies in the middle of a build, and nothing is lost or made twice."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.end_to_end.conftest import Factory, dag_id

pytestmark = pytest.mark.airflow


def test_a_killed_triggerer_loses_nothing_and_makes_nothing_twice(factory: Factory) -> None:
    """SIGKILL while the build machine is being made, and again while the version is; the sandbox takes its time over both."""
    slow = [
        {
            "name": type,
            "match": {"method": "PUT", "type": f"Microsoft.Compute/{type}"},
            "count": 1,
            "effect": {"operation": {"seconds": 2400}},
        }
        for type in ("virtualMachines", "galleries/images/versions")
    ]
    with factory.airflow.faults(*slow):
        before = Counter(factory.requests())
        run_id = factory.build("survivor", {"force": True})
        for task in ("build_machine.create_virtual_machine", "publish_version"):
            factory.airflow.wait_for_task(dag_id("survivor"), run_id, task, ("deferred",))
            killed = factory.airflow.kill("triggerer")
            factory.airflow.wait_until_restarted("triggerer", killed)

        assert factory.outcome("survivor", run_id) == "success", factory.states("survivor", run_id)

    made = Counter(factory.requests()) - before
    # The build machine and the boot test's; the version is put once to be published and once to be promoted.
    assert made["PUT Microsoft.Compute/virtualMachines"] == 2
    assert [version["name"] for version in factory.versions("survivor")] == [factory.plan("survivor", run_id)["version"]]
    assert factory.latest("survivor") == factory.plan("survivor", run_id)["version"]
    assert factory.leftovers("survivor") == []
