from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from include.factory.version import INT32, parse_scheme, parse_version, version_of

SCHEMES = [
    "date",
    "{yyyy}.{mmdd}.{hhmmss}",
    "1.{yyyymmdd}.{hhmmss}",
    "7.{yyyymmdd}.{hhmm}",
    "{yyyymm}.{ddhhmm}.{ss}",
    "2.{yyyymmdd}.0",
    "{yyyy}.{mm}.{ddhhmmss}",
]
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)
MOMENTS = st.integers(int(FIRST.timestamp()), int(LAST.timestamp())).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def test_a_date_becomes_numbers_without_leading_zeros() -> None:
    assert version_of("date", datetime(2026, 1, 3, 1, 30, 0, tzinfo=UTC)) == "2026.103.13000"
    assert version_of("date", datetime(2026, 11, 23, 0, 0, 7, tzinfo=UTC)) == "2026.1123.7"
    assert version_of("1.{yyyymmdd}.{hhmmss}", datetime(2026, 11, 23, 1, 30, tzinfo=UTC)) == "1.20261123.13000"


def test_the_time_is_read_in_utc() -> None:
    new_york = timezone(timedelta(hours=-5))

    assert version_of("date", datetime(2026, 11, 22, 21, 0, tzinfo=new_york)) == "2026.1123.20000"


@given(scheme=st.sampled_from(SCHEMES), moments=st.tuples(MOMENTS, MOMENTS))
def test_a_later_run_never_gets_a_lower_version(scheme: str, moments: tuple[datetime, datetime]) -> None:
    earlier, later = sorted(moments)

    assert parse_version(version_of(scheme, earlier)) <= parse_version(version_of(scheme, later))


@given(moments=st.tuples(MOMENTS, MOMENTS))
def test_runs_of_different_seconds_get_different_versions(moments: tuple[datetime, datetime]) -> None:
    first, second = moments

    assert (version_of("date", first) == version_of("date", second)) == (first == second)


@given(scheme=st.sampled_from(SCHEMES), moment=MOMENTS)
def test_every_version_is_one_that_azure_takes(scheme: str, moment: datetime) -> None:
    # parse_version refuses leading zeros and what passes int32.
    assert max(parse_version(version_of(scheme, moment))) <= INT32


@pytest.mark.parametrize(
    "scheme",
    ["", "1.2.3", "{yyyy}", "{yyyy}.{mmdd}", "{yyyy}.{ddmm}.{hhmmss}", "{yyyy}.{hhmm}.{mmdd}", "{mmdd}.{yyyy}.1", "{yyyy}.{dd}.{hhmmss}",
     "{yyyymmddhhmm}.0.0", "1.0.{yyyymmddhhmmss}", f"{INT32 + 1}.{{yyyymmdd}}.0", "{week}.{yyyy}.1", "v1.{yyyymmdd}.0", "-1.{yyyymmdd}.0",
     "{}.{yyyymmdd}.0"],
)  # fmt: skip
def test_a_scheme_that_does_not_grow_or_passes_int32_is_refused(scheme: str) -> None:
    with pytest.raises(PydanticCustomError):
        parse_scheme(scheme)


@pytest.mark.parametrize(
    "version", ["1", "1.2", "1.2.3.4", "1.2.x", "01.2.3", "1.2.-3", " 1.2.3", "1.2.3 ", f"1.2.{INT32 + 1}", "1..3", "１.2.3", "1.2.3\n"]
)
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match="version"):
        parse_version(version)


def test_versions_sort_by_number_and_not_as_text() -> None:
    assert parse_version("2026.1123.9") < parse_version("2026.1123.10")
    assert max(parse_version(f"0.0.{INT32}"), parse_version("0.1.0")) == (0, 1, 0)
