"""What a run left behind when Airflow itself was killed for good."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.end_to_end.conftest import Factory

pytestmark = pytest.mark.airflow

# Somebody wanted a look at it, and so the hour's own run lets it be: only a run with a shorter cap takes it.
DEAD = {
    "image-factory-keep": "a look",
    "image-factory-owner": "tests@example.com",
    "image-factory-recipe": "kept",
    "image-factory-run": "build_kept/scheduled__2020-01-01",
    "image-factory-expires": (datetime.now(UTC) - timedelta(days=2)).isoformat(),
}
HARD_CAP = {"hard_cap_days": 1}


def test_what_has_expired_is_swept_and_what_has_not_or_is_locked_stays_with_its_reason(evening: Factory) -> None:
    client, body = evening.airflow.sandbox_control, {"location": "eastus2", "tags": DEAD}
    groups = f"/subscriptions/{evening.airflow.stack.connection['subscription_id']}/resourcegroups"
    for name in ("image-build-kept-dead", "image-build-kept-locked"):
        client.put(f"{groups}/{name}", params={"api-version": "2022-09-01"}, json=body).raise_for_status()
    lock = f"{groups}/image-build-kept-locked/providers/Microsoft.Authorization/locks/mine"
    client.put(lock, params={"api-version": "2020-05-01"}, json={"properties": {"level": "CanNotDelete"}}).raise_for_status()

    dry = evening.airflow.trigger("sweep_leftovers", HARD_CAP)
    assert evening.airflow.wait("sweep_leftovers", dry) == "success"
    assert "image-build-kept-dead" in evening.airflow.log("sweep_leftovers", dry, "plan")
    assert evening.resources("image-build-kept-dead")

    real = evening.airflow.trigger("sweep_leftovers", {"dry_run": False, **HARD_CAP})
    assert evening.airflow.wait("sweep_leftovers", real) == "success"
    assert not evening.resources("image-build-kept-dead")
    told = evening.airflow.rest.xcom("sweep_leftovers", real, "report")
    assert [id.rsplit("/", 1)[1] for id in told["gone"]] == ["image-build-kept-dead"]
    reasons = {id.rsplit("/", 1)[1]: reason for id, reason in told["left"].items()}
    assert reasons.pop("image-build-kept-locked") == "locked by mine: whoever locked it must unlock it"
    assert evening.resources("image-build-kept-locked")
    assert all(reason.startswith("expires at") for reason in reasons.values())
    evening.until(lambda: "leftovers: kept:" in evening.told("kept"), "the notice")
