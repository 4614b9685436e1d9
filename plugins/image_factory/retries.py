"""When a failed step is tried again, and how soon."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowException

RETRIES = 3
# Throttling, and quota that other machines use, pass by themselves: they are waited out for a day rather than counted as a failure. Airflow
# has one counter of failed runs and no way to leave one out; what lasts for a day is a failure, and somebody must look.
PATIENT_RETRIES = 58
# Seconds between tries at most: for the first twelve, and after them.
SOON, LATER = 600, 1800


class AzureStepFailed(AirflowException):
    """A step failed. ``error`` is ``StepError.as_dict()``: kind, code, message, cure, status, retry_after (s), patient."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__("\n".join(str(part) for part in (error.get("message"), error.get("call"), error.get("cure")) if part))
        self.error = error

    @property
    def is_permanent(self) -> bool:
        """Trying the same step again can never help (``redo``: only an earlier step can)."""
        return self.error.get("kind") in ("permanent", "redo")


class AzureRetryPolicy(RetryPolicy):
    """Transient errors three times, after what Azure asked for, or 15 s, 30 s, 60 s ... 10 min; throttling and quota in use for a day,
    later on every half an hour; an unknown error once more after a minute.

    The table that sorts the errors is ``include/steps/errors.py``.
    """

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        if not isinstance(exception, AzureStepFailed):
            # Airflow's own count is the patient one.
            return RetryDecision.default() if try_number <= RETRIES else RetryDecision.fail(reason=f"{exception} {try_number} times")
        error = exception.error
        if exception.is_permanent:
            return RetryDecision.fail(reason=f"{error['code']}: {error.get('cure', '')}")
        if error.get("kind") == "unknown" and try_number > 1:
            return RetryDecision.fail(reason=f"{error['code']} twice in a row")
        patient = bool(error.get("patient"))
        if try_number > RETRIES and not patient:
            return RetryDecision.fail(reason=f"{error['code']} {try_number} times")
        doubled = min(SOON if try_number <= 12 else LATER, 15 * 2 ** (try_number - 1))
        asked = error.get("retry_after")
        # Whoever is told "in 5 s" again and again is one of too many.
        seconds = max(asked, doubled) if asked and try_number > RETRIES else asked or doubled
        return RetryDecision.retry(delay=timedelta(seconds=float(seconds)), reason=f"{error['code']}, again in {seconds} s")
