"""Dates: ISO 8601 texts as microseconds since 1970-01-01 UTC, and the units of numbers that say when."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta, timezone

UNITS_OF_NUMBERS = ((10**11, 1), (10**14, 1_000), (10**17, 1_000_000))
"""Numbers below each limit are seconds, milliseconds and microseconds since 1970; each reaches past the year 5000."""

_DATE = re.compile(
    r"(\d{4})-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?(Z|[+-]\d\d:?\d\d)?)?)?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SPANS = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1)
"""Microseconds of a day, an hour, a minute, a second and the smallest unit."""


def moment(text: str) -> int | None:
    """Give the moment of an ISO 8601 date, or date and time (UTC where it names no zone); None for any other text."""
    # Dates begin with four digits and a dash; nearly every other text is told apart by its fifth character.
    if text[4:5] != "-" or len(text) < len("2026-01-01"):
        return None
    bounds = moments(text)
    return bounds[0] if bounds else None


def moments(text: str) -> tuple[int, int] | None:
    """Give the first and the last microsecond that an ISO 8601 text stands for; `2026-01` is a month."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        midnight = datetime(int(year), int(month), int(day or 1), tzinfo=_zone(zone))
        first = midnight.replace(
            hour=int(hour or 0), minute=int(minute or 0), second=int(second or 0), microsecond=microsecond
        )
    except ValueError:
        return None
    instant = (first - _EPOCH) // _MICROSECOND
    return instant, instant + _span(first, day, hour, minute, second, fraction) - 1


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _span(first: datetime, *parts: str | None) -> int:
    """Give the microseconds of the shortest unit that the text names."""
    named = sum(part is not None for part in parts)
    if named == 0:
        return monthrange(first.year, first.month)[1] * _SPANS[0]
    return _SPANS[named - 1]
