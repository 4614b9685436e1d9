"""The whole stack, with a DAG of tasks that live in the triggerer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from include.demo.settings import PROJECT, DemoError
from include.demo.stack import Stack
from tests.airflow_stack import AirflowStack, airflow_stack

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

DAG = "load"


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    # A triggerer that was killed is believed dead after this many seconds, and its triggers are given to the next.
    overrides = {"AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10"}
    with airflow_stack(tmp_path_factory.mktemp("stack"), dags=PROJECT / "tests" / "bench" / "dags", overrides=overrides) as stack:
        yield stack


def test_a_run_succeeds_and_its_logs_can_be_read(airflow: AirflowStack) -> None:
    run = airflow.trigger(DAG)
    assert airflow.wait(DAG, run) == "success"
    assert set(airflow.task_states(DAG, run).values()) == {"success"}
    assert "sleeping 1 second" in airflow.log(DAG, run, "step_0")
    assert airflow.rest.xcom(DAG, run, "begin") == "begin"


def test_the_connection_to_the_sandbox_works(airflow: AirflowStack) -> None:
    assert airflow.sandbox_control.get("/_sandbox/status").status_code == 200
    subscription = airflow.stack.connection["subscription_id"]
    answer = airflow.sandbox_control.get(f"/subscriptions/{subscription}/resourcegroups", params={"api-version": "2021-04-01"})
    assert answer.json()["value"] == []


def test_a_killed_triggerer_is_restarted_and_loses_no_task(airflow: AirflowStack) -> None:
    run = airflow.trigger(DAG)
    airflow.wait_for_task(DAG, run, "step_2", ("deferred",))
    killed = airflow.kill("triggerer")
    airflow.wait_until_restarted("triggerer", killed)
    assert airflow.wait(DAG, run) == "success"
    assert any(message.startswith("triggerer died and was restarted") for message in airflow.messages)


def test_a_killed_database_is_restarted_and_loses_no_run(airflow: AirflowStack) -> None:
    run = airflow.trigger(DAG)
    airflow.wait_for_task(DAG, run, "step_1", ("deferred",))
    killed = airflow.kill("database")
    airflow.wait_until_restarted("database", killed)
    assert airflow.wait(DAG, run) == "success"


def test_a_second_demo_in_the_same_folder_is_refused(airflow: AirflowStack) -> None:
    with pytest.raises(DemoError, match=r"A demo already runs in .*: process \d+, http://127\.0\.0\.1:\d+\. Stop it there with Ctrl-C\."):
        Stack(airflow.settings).__enter__()


def test_airflows_command_line_sees_the_running_demo(airflow: AirflowStack) -> None:
    listed = airflow.stack.airflow("dags", "list", "--output", "plain")
    assert listed.returncode == 0, listed.stderr
    assert DAG in listed.stdout
