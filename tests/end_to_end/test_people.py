"""What people do in the UI: approve, kill, keep a machine, test a connection; and what they are told."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tests.end_to_end.conftest import Factory, dag_id

pytestmark = pytest.mark.airflow


def test_latest_waits_for_the_approver(evening: Factory) -> None:
    run_id = evening.runs["approved"]
    dag = dag_id("approved")
    evening.airflow.wait_for_task(dag, run_id, "approve", ("awaiting_input",))
    assert evening.latest("approved") is None
    assert evening.states("approved", run_id)["promote_version"] is None
    assert evening.until(lambda: not evening.leftovers("approved"), "the machines do not wait for the approver")

    evening.airflow.answer(dag, run_id, "Approve", "looks good")
    assert evening.outcome("approved", run_id) == "success"
    assert evening.latest("approved") == evening.plan("approved", run_id)["version"]


def test_a_failed_machine_is_kept_where_the_run_asked_for_it(evening: Factory) -> None:
    run_id = evening.runs["kept"]
    assert evening.outcome("kept", run_id) == "failed"

    assert [each for each in evening.leftovers("kept") if each.lower().endswith("/virtualmachines/kept-build")]
    log = evening.log("kept", run_id, "delete_build")
    assert "kept-build" in log or "image-build-kept" in log


def test_a_script_that_a_user_kills_is_stopped_in_azure(evening: Factory) -> None:
    before = Counter(evening.requests())
    run_id = evening.build("slow")
    evening.airflow.wait_for_task(dag_id("slow"), run_id, "prepare.second", ("deferred",))
    evening.until(lambda: [each for each in evening.leftovers("slow") if "prepare-second" in each], "the script's resource")

    path = f"/api/v2/dags/{dag_id('slow')}/dagRuns/{run_id}/taskInstances/prepare.second"
    evening.airflow.api.patch(path, json={"new_state": "failed"}).raise_for_status()

    assert evening.outcome("slow", run_id) == "failed"
    assert (Counter(evening.requests()) - before)["DELETE Microsoft.Compute/virtualMachines/runCommands"] == 1
    assert evening.until(lambda: not evening.leftovers("slow"), "nothing is left")


def _connection(evening: Factory, **changes: Any) -> dict[str, Any]:
    sandbox = evening.airflow.stack.connection
    return {
        "connection_id": "tried",
        "conn_type": "azure_image_factory",
        "login": sandbox["client_id"],
        "password": sandbox["client_secret"],
        "extra": json.dumps(
            {
                "tenantId": sandbox["tenant_id"],
                "subscriptionId": sandbox["subscription_id"],
                "authority": sandbox["authority"],
                "endpoint": sandbox["endpoint"],
                "ca_file": sandbox["ca_file"],
            }
        ),
        **changes,
    }


def test_a_connection_test_reaches_the_endpoint_that_the_connection_names(evening: Factory) -> None:
    before = Counter(evening.requests())

    answer = evening.airflow.api.post("/api/v2/connections/test", json=_connection(evening)).json()

    assert answer["status"] is True, answer
    assert evening.airflow.stack.connection["endpoint"].rstrip("/") in answer["message"]
    assert (Counter(evening.requests()) - before)["GET Microsoft.Resources/resourceGroups"] >= 1


def test_a_connection_test_with_a_wrong_secret_says_what_azure_said(evening: Factory) -> None:
    answer = evening.airflow.api.post("/api/v2/connections/test", json=_connection(evening, password="not the secret")).json()

    assert answer["status"] is False
    assert "AADSTS7000215" in answer["message"]
    assert "not the secret" not in answer["message"]


def test_the_form_of_a_connection_names_its_fields(evening: Factory) -> None:
    hooks = {each["connection_type"]: each for each in evening.airflow.api.get("/ui/connections/hook_meta").json()}

    assert {"subscriptionId", "tenantId", "identity", "cloud", "endpoint", "authority", "ca_file"} <= set(
        hooks["azure_image_factory"]["extra_fields"]
    )


def test_who_asked_for_it_is_told_of_a_published_version(evening: Factory) -> None:
    version = evening.plan("steady", evening.runs["steady"])["version"]

    evening.until(lambda: f"published: steady: version {version} is published" in evening.told("steady"), "the notice")


def test_a_recipe_that_fails_night_after_night_is_paused_and_that_is_said_once(evening: Factory) -> None:
    first = evening.runs["failing-step"]
    evening.until(lambda: "failed: failing-step" in evening.told("failing-step"), "the first notice")
    assert f"Run {first} of build_failing_step failed.\nprepare.second: " in evening.told("failing-step")
    assert "What to do:" in evening.told("failing-step")

    second = evening.build("failing-step")
    assert evening.outcome("failing-step", second) == "failed"

    evening.until(lambda: "paused: failing-step: paused after 2 failures in a row" in evening.told("failing-step"), "the second notice")
    assert evening.told("failing-step").count("failed: failing-step") == 1
    (dag,) = [dag for dag in evening.airflow.rest.dags("build_failing_step") if dag["dag_id"] == "build_failing_step"]
    assert dag["is_paused"]
