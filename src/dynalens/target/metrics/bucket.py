"""Buckets: the span of time that an item belongs to, as a member of its group. Pure: the time is given.

A bucket is named by its start, `"2026-11-21T15:49:00Z"` as JSON; all names are equally long and sort as the times do.
Buckets start at multiples of their length since 1970-01-01 UTC.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import ceil, floor

from dynalens.change import DecodeError, moment
from dynalens.change.dates import UNITS_OF_NUMBERS
from dynalens.change.value import canonical_number
from dynalens.config import MetricConfig

NO_BUCKET = b"null"
"""The bucket of what has no readable time; it is kept for ever."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Buckets:
    """The time buckets of one metric.

    Attributes:
        seconds: Length of one.
        attribute: The attribute that says when; None for the time of the change.
        keep_seconds: How long one is kept.
    """

    seconds: int
    attribute: str | None
    keep_seconds: int

    def of_fragment(self, fragment: bytes) -> bytes:
        """Give the bucket of an attribute's JSON text; `null` of what is no time."""
        second = _second(fragment)
        return NO_BUCKET if second is None else _name(second // self.seconds * self.seconds)

    def of_change(self, created_at: float) -> bytes:
        """Give the bucket of a change's time in epoch seconds; `null` of 0.0, as a scanned row has."""
        return _name(floor(created_at) // self.seconds * self.seconds) if created_at else NO_BUCKET

    def horizon(self, now: float) -> bytes:
        """Name the first bucket that is kept at a time in epoch seconds."""
        return _name(ceil((now - self.keep_seconds) / self.seconds) * self.seconds)


def buckets(metric: MetricConfig) -> Buckets | None:
    """Give a metric's time buckets; None where it has none."""
    return Buckets(metric.every.seconds, metric.time, metric.keep_seconds) if metric.every else None


@lru_cache(maxsize=8192)
def _name(second: int) -> bytes:
    try:
        start = _EPOCH + timedelta(seconds=second)
    except OverflowError:
        return NO_BUCKET
    return b'"%04d-%s"' % (start.year, start.strftime("%m-%dT%H:%M:%SZ").encode())


def _second(fragment: bytes) -> int | None:
    """Give the second since 1970 that a JSON text names, rounded down; None of what names none."""
    if fragment[:1] == b'"':
        microsecond = moment(json.loads(fragment))
        return None if microsecond is None else microsecond // _MICROSECONDS
    try:
        whole, _, fraction = canonical_number(fragment.decode()).partition(".")
    except DecodeError:
        return None
    # A fraction of a negative number lies below it.
    number = int(whole) - (1 if fraction and whole.startswith("-") else 0)
    size = abs(int(whole))
    return next((number // unit for limit, unit in UNITS_OF_NUMBERS if size < limit), None)
