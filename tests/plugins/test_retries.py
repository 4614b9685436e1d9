"""Which failures are tried again, and how soon."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from image_factory.retries import PATIENT_RETRIES, AzureRetryPolicy, AzureStepFailed


def _failure(kind: str, retry_after: float | None = None, code: str = "Code", status: int | None = None) -> AzureStepFailed:
    return AzureStepFailed(
        {"kind": kind, "code": code, "message": "It failed.", "cure": "Do this.", "status": status, "retry_after": retry_after}
    )


def test_a_transient_error_waits_as_long_as_azure_asked() -> None:
    decision = AzureRetryPolicy().evaluate(_failure("transient", retry_after=90), try_number=1, max_tries=4)

    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay == timedelta(seconds=90)


def test_without_a_word_from_azure_the_pauses_double() -> None:
    throttled = _failure("transient", status=429)
    delays = [AzureRetryPolicy().evaluate(throttled, try_number=n, max_tries=58).retry_delay for n in (1, 2, 3, 12, 13)]

    assert delays == [timedelta(seconds=seconds) for seconds in (15, 30, 60, 600, 1800)]


@pytest.mark.parametrize(
    ("failure", "action"),
    [
        (_failure("transient"), RetryAction.FAIL),
        (KeyError("x"), RetryAction.FAIL),
        (_failure("transient", status=429), RetryAction.RETRY),
        (_failure("transient", code="QuotaInUse"), RetryAction.RETRY),
    ],
    ids=["transient", "not ours", "throttled", "quota in use"],
)
def test_throttling_and_quota_in_use_are_waited_out_and_others_fail_after_three_retries(failure: Exception, action: RetryAction) -> None:
    assert AzureRetryPolicy().evaluate(failure, try_number=4, max_tries=12).action is action


@pytest.mark.parametrize("error", [{"status": 429}, {"status": 429, "retry_after": 5}, {"code": "QuotaInUse"}])
def test_a_run_does_not_fail_of_throttling_or_of_quota_in_use_within_a_day(error: dict[str, Any]) -> None:
    """So no such run counts among those after which Airflow pauses the DAG, unless somebody must look at it."""
    waited = timedelta()
    for number in range(1, PATIENT_RETRIES + 1):
        decision = AzureRetryPolicy().evaluate(_failure("transient", **error), try_number=number, max_tries=PATIENT_RETRIES)
        assert decision.action is RetryAction.RETRY
        assert decision.retry_delay is not None
        assert decision.retry_delay <= timedelta(minutes=30)
        waited += decision.retry_delay
    assert timedelta(hours=24) < waited < timedelta(hours=26)


@pytest.mark.parametrize("kind", ["permanent", "redo"])
def test_an_error_that_the_same_call_cannot_cure_fails_at_once(kind: str) -> None:
    decision = AzureRetryPolicy().evaluate(_failure(kind), try_number=1, max_tries=4)

    assert decision.action is RetryAction.FAIL
    assert "Do this." in (decision.reason or "")


def test_an_unknown_error_is_tried_once_more() -> None:
    policy = AzureRetryPolicy()

    assert policy.evaluate(_failure("unknown"), 1, 4).action is RetryAction.RETRY
    assert policy.evaluate(_failure("unknown"), 2, 4).action is RetryAction.FAIL


def test_what_is_not_ours_is_left_to_airflow() -> None:
    assert AzureRetryPolicy().evaluate(KeyError("x"), 1, 4).action is RetryAction.DEFAULT


def test_the_message_says_what_failed_and_what_to_do() -> None:
    assert str(_failure("permanent")) == "It failed.\nDo this."
