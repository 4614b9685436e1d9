"""The main job on real Airflow processes: a recipe becomes a tested, replicated version, and a failure leaves nothing behind."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.end_to_end.conftest import CHILD, FAILING, SHIPPED, Factory, dag_id

pytestmark = pytest.mark.airflow

EVERY = (*SHIPPED, CHILD)


@pytest.mark.parametrize("name", EVERY)
def test_a_shipped_recipe_is_built_and_promoted(evening: Factory, name: str) -> None:
    states = evening.states(name, evening.runs[name])
    assert evening.outcome(name, evening.runs[name]) == "success", states

    assert evening.latest(name) == evening.plan(name, evening.runs[name])["version"]


@pytest.mark.parametrize("name", EVERY)
def test_a_version_is_completed_in_every_region_of_its_recipe(evening: Factory, name: str) -> None:
    regions = [region.name for region in evening.catalogue.recipes[name].target_regions]

    replicated = evening.replicated(name, evening.plan(name, evening.runs[name])["version"])

    assert replicated == dict.fromkeys(regions, "Completed")


@pytest.mark.parametrize("name", [*EVERY, *FAILING])
def test_what_a_build_made_is_gone_afterwards(evening: Factory, name: str) -> None:
    assert evening.leftovers(name) == []


@pytest.mark.parametrize("name", EVERY)
def test_no_worker_waits_for_azure(evening: Factory, name: str) -> None:
    """A task that ends in the triggerer never had a worker: it has no hostname of one."""
    tasks = evening.airflow.rest.task_instances(dag_id(name), evening.runs[name])

    assert {task["task_id"] for task in tasks if task["hostname"]} == {"announce_version"}


def test_a_parents_new_version_starts_its_child(evening: Factory) -> None:
    (run,) = evening.runs_of(CHILD)
    assert run["run_type"] == "asset_triggered"

    parent = evening.plan("ubuntu-2404-base", evening.runs["ubuntu-2404-base"])
    assert evening.plan(CHILD, evening.runs[CHILD])["base"] == {"id": parent["version_id"], "version": parent["version"]}


def test_a_published_version_is_an_asset_event_with_its_facts(evening: Factory) -> None:
    plan = evening.plan("ubuntu-2404-base", evening.runs["ubuntu-2404-base"])
    events = evening.airflow.api.get("/api/v2/assets/events", params={"source_dag_id": "build_ubuntu_2404_base"}).json()["asset_events"]

    extra = events[0]["extra"]
    assert (extra["id"], extra["version"], extra["base"], extra["digest"]) == (
        plan["version_id"],
        plan["version"],
        plan["base"],
        plan["digest"],
    )


def test_data_disks_come_with_the_image(evening: Factory) -> None:
    luns = [disk.lun for disk in evening.catalogue.recipes[CHILD].build.data_disks]

    (version,) = evening.versions(CHILD)

    assert [disk["lun"] for disk in version["properties"]["storageProfile"]["dataDiskImages"]] == luns


def test_a_specialized_build_never_generalizes(evening: Factory) -> None:
    states = evening.states("ubuntu-2404-appliance", evening.runs["ubuntu-2404-appliance"])

    assert not {"generalize.deprovision", "generalize.mark_generalized"} & set(states)


@pytest.mark.parametrize(
    ("name", "task"),
    [("failing-step", "prepare.second"), ("failing-check", "check.sound"), ("failing-boot-test", "boot_test.run_script")],
)
def test_a_failing_script_fails_its_task_at_once_with_its_last_lines(evening: Factory, name: str, task: str) -> None:
    run_id = evening.runs[name]
    assert evening.outcome(name, run_id) == "failed"

    tasks = {each["task_id"]: each for each in evening.airflow.rest.task_instances(dag_id(name), run_id)}
    assert (tasks[task]["state"], tasks[task]["try_number"]) == ("failed", 1)
    assert "something is wrong" in evening.log(name, run_id, task)
    assert "exit" in evening.log(name, run_id, task).lower()


@pytest.mark.parametrize("name", FAILING)
def test_a_failed_build_leaves_no_version_and_no_latest(evening: Factory, name: str) -> None:
    assert evening.versions(name) == []


def test_nothing_new_means_nothing_built(evening: Factory) -> None:
    run_id = evening.build("steady")

    assert evening.outcome("steady", run_id) == "success"
    assert set(evening.states("steady", run_id).values()) == {"skipped"}
    assert "there is nothing new" in evening.log("steady", run_id, "plan")


def test_a_run_of_the_next_day_gets_the_next_version(evening: Factory) -> None:
    """The run of the evening was yesterday's."""
    before = evening.plan("steady", evening.runs["steady"])["version"]
    today = datetime.now(UTC).replace(microsecond=0)

    run_id = evening.build("steady", {"force": True}, logical_date=today.isoformat())

    assert evening.outcome("steady", run_id) == "success"
    assert (
        evening.latest("steady") == f"{today.year}.{today.month * 100 + today.day}.{today.hour * 10000 + today.minute * 100 + today.second}"
    )
    assert [version["name"] for version in evening.versions("steady")] == [before, evening.latest("steady")]


def test_a_run_that_is_cleared_gets_the_same_version_again(evening: Factory) -> None:
    run_id = evening.runs["steady"]
    version = evening.plan("steady", run_id)["version"]
    names = [each["name"] for each in evening.versions("steady")]

    evening.airflow.api.post(f"/api/v2/dags/build_steady/dagRuns/{run_id}/clear", json={"dry_run": False}).raise_for_status()

    assert evening.outcome("steady", run_id) == "success"
    assert evening.plan("steady", run_id)["version"] == version
    assert [each["name"] for each in evening.versions("steady")] == names
    assert evening.leftovers("steady") == []


def test_a_dry_run_prints_the_plan_and_writes_nothing(evening: Factory) -> None:
    before = sorted(evening.resources("steady"))  # other builds may still be running

    run_id = evening.build("steady", {"dry_run": True, "force": True})

    assert evening.outcome("steady", run_id) == "success"
    log = evening.log("steady", run_id, "plan")
    for word in ("westeurope", "build_machine.create_virtual_machine", "publish_version", "This is a dry run"):
        assert word in log
    assert sorted(evening.resources("steady")) == before
