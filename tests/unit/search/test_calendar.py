"""Where the units of the calendar begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynalens.search.aggregation import CalendarUnit
from dynalens.search.calendar import floor, following, iso


def instant(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        milliseconds=1
    )


AT = instant("2024-02-29T13:14:15.678")


@pytest.mark.parametrize(
    ("interval", "start", "end"),
    [
        ("minute", "2024-02-29T13:14:00.000Z", "2024-02-29T13:15:00.000Z"),
        ("hour", "2024-02-29T13:00:00.000Z", "2024-02-29T14:00:00.000Z"),
        ("day", "2024-02-29T00:00:00.000Z", "2024-03-01T00:00:00.000Z"),
        ("week", "2024-02-26T00:00:00.000Z", "2024-03-04T00:00:00.000Z"),
        ("month", "2024-02-01T00:00:00.000Z", "2024-03-01T00:00:00.000Z"),
        ("quarter", "2024-01-01T00:00:00.000Z", "2024-04-01T00:00:00.000Z"),
        ("year", "2024-01-01T00:00:00.000Z", "2025-01-01T00:00:00.000Z"),
        (6 * 3_600_000, "2024-02-29T12:00:00.000Z", "2024-02-29T18:00:00.000Z"),
    ],
)
def test_each_unit_begins_where_the_calendar_has_it(interval: CalendarUnit | int, start: str, end: str) -> None:
    begin = floor(interval, AT)
    assert (iso(begin), iso(following(interval, begin))) == (start, end)
    assert floor(interval, begin) == floor(interval, following(interval, begin) - 1) == begin


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0001-01-01T00:00:00", "0001-01-01T00:00:00.000Z"),
        ("1969-12-31T23:59:59.999", "1969-12-31T23:59:59.999Z"),
        ("9999-12-31T23:59:59.999", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_instants_are_written_as_iso_8601(text: str, shown: str) -> None:
    assert iso(instant(text)) == shown


def test_buckets_may_begin_before_and_end_behind_the_years_of_dates() -> None:
    assert iso(following("year", floor("year", instant("9999-12-31T00:00:00")))) == "+10000-01-01T00:00:00.000Z"
    assert iso(instant("0001-01-01T00:00:00") - 1) == "0000-12-31T23:59:59.999Z"
    assert iso(floor("year", instant("0001-01-01T00:00:00") - 366 * 86_400_000 - 1)) == "-0001-01-01T00:00:00.000Z"


@given(st.datetimes(), st.sampled_from(("month", "quarter", "year")))
def test_months_agree_with_the_calendar_of_the_library(moment: datetime, unit: CalendarUnit) -> None:
    month = {"month": moment.month, "quarter": (moment.month - 1) // 3 * 3 + 1, "year": 1}[unit]
    start = moment.replace(month=month, day=1, hour=0, minute=0, second=0, microsecond=0)
    at = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert iso(floor(unit, at)) == f"{start.isoformat(timespec='milliseconds')}Z"
