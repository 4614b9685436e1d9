"""When an image is built: a cron expression in a time zone."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, model_validator

from include.factory.problem import refusal
from include.factory.value import Value

# Airflow's presets, airflow.utils.dates.cron_presets.
PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}


@cache
def _cron(written: str) -> str:
    """Refuse what Airflow's cron timetable would: it reads the expression with croniter, and describes five fields only."""
    from croniter import CroniterError, croniter  # type: ignore[import-untyped]  # it ships no types

    cure = "Five fields: minute hour day-of-month month day-of-week, as in '0 2 * * 1-5'; or @daily, @weekly, @monthly."
    expression = PRESETS.get(written, written)
    if written.startswith("@") and expression == written:
        raise refusal(f"{written!r} is not a cron preset", f"Presets are {', '.join(PRESETS)}.")
    fields = expression.split()
    if len(fields) != 5:
        raise refusal(f"{written!r} has {len(fields)} field(s), not five", cure)
    try:
        schedule = croniter(expression)
        if fields[2] != "*" and fields[3] != "*":
            schedule.get_next()
    except (CroniterError, ValueError) as error:
        raise refusal(f"{written!r} is not a cron expression that ever comes: {error}", cure) from None
    return written


@cache
def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        known = {zone.casefold(): zone for zone in available_timezones()}
        nearest = get_close_matches(name.casefold().replace(" ", "_"), known, n=1, cutoff=0.5)
        cure = f"Did you mean {known[nearest[0]]}?" if nearest else "Write a name of the tz database, such as Europe/Amsterdam or UTC."
        raise refusal(f"{name!r} is not a time zone", cure) from None
    return name


CronExpression = Annotated[str, AfterValidator(_cron)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]


class Schedule(Value):
    cron: CronExpression
    """Cron expression of five fields, or a preset such as `@daily`."""
    time_zone: TimeZone = "UTC"
    """Time zone in which the cron expression is read, by its name in the tz database."""


class BuildSchedule(Value):
    cron: CronExpression | None = None
    """Cron expression of five fields, or a preset such as `@daily`."""
    time_zone: TimeZone = "UTC"
    """Time zone in which the cron expression is read, by its name in the tz database."""
    on_new_base: bool = False
    """Whether a newer version of the base image starts a build, too. A recipe built on another's image is started by that anyway."""

    @model_validator(mode="after")
    def _sometime(self) -> BuildSchedule:
        if self.cron is None and not self.on_new_base:
            raise refusal("the schedule names no time", "Write cron, on_new_base: true, or both; leave schedule out for builds by hand.")
        return self
