"""When: values that read as a moment, and the time buckets that suit them.

The forms are those that a metric's `time` takes: ISO 8601 with a date, or a number of seconds, milliseconds or
microseconds since 1970. A number counts only where it falls into recent decades: most numbers are no times.
"""

from __future__ import annotations

from datetime import UTC, datetime

from dynalens.change import Typed, moment
from dynalens.change.dates import UNITS_OF_NUMBERS

_DAY = 86_400.0
_MICROSECONDS = 1_000_000

_EARLIEST = datetime(1995, 1, 1, tzinfo=UTC).timestamp()
_LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()


def seconds(value: Typed) -> float | None:
    """Read a value as seconds since the epoch; a time without a zone is in UTC. None for what says no time."""
    if "S" in value:
        microseconds = moment(value["S"])
        return None if microseconds is None else microseconds / _MICROSECONDS
    return _from_number(float(value["N"])) if "N" in value else None


def _from_number(number: float) -> float | None:
    for below, scale in UNITS_OF_NUMBERS:
        if abs(number) < below:
            when = number / scale
            return when if _EARLIEST <= when < _LATEST else None
    return None


Kept = tuple[str, str, str]
"""Name of a metric, `every`, and `keep`."""

_FINE: tuple[tuple[float, Kept], ...] = (
    (1, ("per_minute", "1m", "48h")),
    (60, ("per_hour", "1h", "120d")),
)
"""Buckets for moments that lie at most so many days back; they are kept twice as long, so that none goes at once."""

MOST_DAYS = 10_000
"""How many days are kept at most: as many buckets as a metric may have, which is 27 years."""

_COARSE: Kept = ("per_day", "1d", f"{MOST_DAYS}d")


def buckets_for(oldest: float, now: float) -> Kept:
    """Choose the finest buckets that still hold the oldest moment, if any do: what is older than `keep` is dropped."""
    days = (now - oldest) / _DAY
    return next((kept for most, kept in _FINE if days <= most), _COARSE)
