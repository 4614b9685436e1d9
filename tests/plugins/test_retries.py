"""Which failures are tried again, and how soon."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from image_factory.retries import PATIENT_RETRIES, AzureRetryPolicy, AzureStepFailed
from include.steps.arm_error import ArmError
from include.steps.errors import Kind, StepError, classify, partly


def _failure(kind: str, retry_after: float | None = None, patient: bool = False) -> AzureStepFailed:
    error = StepError(cast("Kind", kind), "Code", "It failed.", "Do this.", retry_after=retry_after, patient=patient)
    return AzureStepFailed(error.as_dict())


# As Azure says "slow down": to a call, in an operation's record, and where a disk is copied; and our own word for quota in use.
PATIENT = {
    "throttled": classify(429, ArmError(("OperationNotAllowed",), ("The server rejected the request.",))),
    "throttled, with a pause": classify(429, ArmError(("TooManyRequests",), ("Slower.",)), 5),
    "an operation was throttled": classify(None, ArmError(("TooManyRequests",), ("Slower.",))),
    "a source is read too often": classify(409, ArmError(("BadRequest",), ("Too many requests on source '/x'.",))),
    "parts were throttled": partly(
        "PartlyDone", "None is done.", {"1.0.0": classify(429, ArmError(("TooManyRequests",), ("Slower.",)))}, done=[]
    ),
    "quota in use": StepError("transient", "QuotaInUse", "In use.", "Nothing.", retry_after=300, patient=True),
}


def test_a_transient_error_waits_as_long_as_azure_asked() -> None:
    decision = AzureRetryPolicy().evaluate(_failure("transient", retry_after=90), try_number=1, max_tries=4)

    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay == timedelta(seconds=90)


def test_without_a_word_from_azure_the_pauses_double() -> None:
    throttled = _failure("transient", patient=True)
    delays = [AzureRetryPolicy().evaluate(throttled, try_number=n, max_tries=58).retry_delay for n in (1, 2, 3, 12, 13)]

    assert delays == [timedelta(seconds=seconds) for seconds in (15, 30, 60, 600, 1800)]


@pytest.mark.parametrize(
    ("failure", "action"),
    [
        (_failure("transient"), RetryAction.FAIL),
        (KeyError("x"), RetryAction.FAIL),
        (_failure("transient", patient=True), RetryAction.RETRY),
    ],
    ids=["transient", "not ours", "patient"],
)
def test_throttling_and_quota_in_use_are_waited_out_and_others_fail_after_three_retries(failure: Exception, action: RetryAction) -> None:
    assert AzureRetryPolicy().evaluate(failure, try_number=4, max_tries=12).action is action


def test_a_third_retry_is_made() -> None:
    assert AzureRetryPolicy().evaluate(_failure("transient"), try_number=3, max_tries=12).action is RetryAction.RETRY
    assert AzureRetryPolicy().evaluate(KeyError("x"), try_number=3, max_tries=12).action is RetryAction.DEFAULT


def test_a_short_pause_that_azure_asks_for_is_heeded_at_first_and_not_for_ever() -> None:
    slow_down = _failure("transient", retry_after=5, patient=True)
    delays = [AzureRetryPolicy().evaluate(slow_down, try_number=n, max_tries=58).retry_delay for n in (1, 3, 4)]
    assert delays == [timedelta(seconds=seconds) for seconds in (5, 5, 120)]


@pytest.mark.parametrize("error", PATIENT.values(), ids=PATIENT)
def test_a_run_does_not_fail_of_throttling_or_of_quota_in_use_within_a_day(error: StepError) -> None:
    """So no such run counts among those after which Airflow pauses the DAG, unless somebody must look at it."""
    waited = timedelta()
    for number in range(1, PATIENT_RETRIES + 1):
        decision = AzureRetryPolicy().evaluate(AzureStepFailed(error.as_dict()), try_number=number, max_tries=PATIENT_RETRIES)
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
