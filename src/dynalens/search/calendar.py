"""Buckets of time: where the units of the calendar begin, in milliseconds since 1970, UTC.

Every year is one of the Gregorian calendar, those before 1 and after 9999 included: documents hold the years 1 to 9999,
and buckets may begin before and end after them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from dynalens.search.aggregation import CalendarUnit

_SECOND = 1000
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE
DAY = 24 * _HOUR

_FIRST_MONDAY = 4 * DAY
_CYCLE_YEARS = 400
_CYCLE_DAYS = 146_097
"""After so many years and days the calendar begins anew."""
_YEAR_0 = 1970
_LAST_PLAIN_YEAR = 9999
_DAY_0 = date(_YEAR_0, 1, 1).toordinal()


class Width(NamedTuple):
    """Buckets of equal width, and where one of them begins."""

    interval: int
    offset: int


_EQUAL: Mapping[CalendarUnit, Width] = {
    "minute": Width(_MINUTE, 0),
    "hour": Width(_HOUR, 0),
    "day": Width(DAY, 0),
    "week": Width(7 * DAY, _FIRST_MONDAY),
}
_MONTHS: Mapping[CalendarUnit | int, int] = {"month": 1, "quarter": 3, "year": 12}


def width(interval: CalendarUnit | int) -> Width | None:
    """Give the width of buckets; None for units whose length varies. A number is a width in milliseconds."""
    return Width(interval, 0) if isinstance(interval, int) else _EQUAL.get(interval)


def floor(interval: CalendarUnit | int, instant: int) -> int:
    """Give the beginning of the bucket that an instant lies in."""
    equal = width(interval)
    if equal is not None:
        return (instant - equal.offset) // equal.interval * equal.interval + equal.offset
    months = _MONTHS[interval]
    return _month_start(_month(instant) // months * months)


def following(interval: CalendarUnit | int, start: int) -> int:
    """Give the beginning of the next bucket."""
    equal = width(interval)
    return start + equal.interval if equal is not None else _month_start(_month(start) + _MONTHS[interval])


def iso(instant: int) -> str:
    """Write an instant as ISO 8601 with milliseconds: `2026-01-31T12:00:00.000Z`."""
    days, rest = divmod(instant, DAY)
    year, month, day = _civil(days)
    hours, rest = divmod(rest, _HOUR)
    minutes, rest = divmod(rest, _MINUTE)
    seconds, milliseconds = divmod(rest, _SECOND)
    # ISO 8601 wants a sign before years that four digits do not write.
    written = f"{year:04}" if 0 <= year <= _LAST_PLAIN_YEAR else f"{year:+05}"
    return f"{written}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}Z"


def _civil(days: int) -> tuple[int, int, int]:
    cycles, rest = divmod(days, _CYCLE_DAYS)
    found = date.fromordinal(_DAY_0 + rest)
    return found.year + cycles * _CYCLE_YEARS, found.month, found.day


def _month(instant: int) -> int:
    """Count the months from the year 0 on."""
    year, month, _ = _civil(instant // DAY)
    return 12 * year + month - 1


def _month_start(months: int) -> int:
    year, month = divmod(months, 12)
    cycles, rest = divmod(year - _YEAR_0, _CYCLE_YEARS)
    return (date(_YEAR_0 + rest, month + 1, 1).toordinal() - _DAY_0 + cycles * _CYCLE_DAYS) * DAY
