"""The nodes of aggregations and of their answers.

A document that has several values in one bucket counts once there. Metrics are of numbers; of a field that has none
among the documents in question they are of its dates, in milliseconds since 1970. A bucket may hold aggregations,
which hold none themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from dynalens.search.request import Value

NamedAggregations: TypeAlias = "tuple[tuple[str, Aggregation], ...]"
"""Aggregations by name, in the order of the request."""

CalendarUnit: TypeAlias = Literal["minute", "hour", "day", "week", "month", "quarter", "year"]

MetricKind: TypeAlias = Literal["min", "max", "avg", "sum"]


@dataclass(frozen=True, slots=True)
class TermsOrder:
    """By how many documents a value has, or by the values themselves; equal counts by the values, rising."""

    by: Literal["count", "key"] = "count"
    descending: bool = True


@dataclass(frozen=True, slots=True)
class TermsAggregation:
    """A bucket for each whole value of a field: the first `size` of the order, with `minimum` documents or more.

    Booleans come before numbers, and those before strings, of which dates, each spelling by itself, come last.
    """

    field: str
    size: int = 10
    order: TermsOrder = TermsOrder()
    minimum: int = 1
    inner: NamedAggregations = ()


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers from `low` (included) to `high` (excluded); None is open. `key` names it, else its ends do."""

    low: int | Decimal | None = None
    high: int | Decimal | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class RangeAggregation:
    """A bucket for each range of a field's numbers, in the order of their lower, then their upper ends."""

    field: str
    spans: tuple[Span, ...]
    inner: NamedAggregations = ()


@dataclass(frozen=True, slots=True)
class HistogramAggregation:
    """Buckets of equal width of a field's numbers: `floor((value - offset) / interval) * interval + offset`.

    Those with fewer than `minimum` documents are left out; with 0 there are no gaps between the first and the last.
    """

    field: str
    interval: float
    offset: float = 0.0
    minimum: int = 0
    inner: NamedAggregations = ()


@dataclass(frozen=True, slots=True)
class DateHistogramAggregation:
    """Buckets of a field's dates in UTC: of a unit of the calendar, or of so many milliseconds since 1970.

    A week begins on Monday. `minimum` is as in `HistogramAggregation`.
    """

    field: str
    interval: CalendarUnit | int
    minimum: int = 0
    inner: NamedAggregations = ()


@dataclass(frozen=True, slots=True)
class StatsAggregation:
    """Count, minimum, maximum, average and sum of all values, as 64-bit floats."""

    field: str


@dataclass(frozen=True, slots=True)
class MetricAggregation:
    """One of the values of `StatsAggregation`."""

    field: str
    kind: MetricKind


@dataclass(frozen=True, slots=True)
class CardinalityAggregation:
    """How many different whole values there are: exactly up to 40,000 in all buckets, else estimated."""

    field: str


BucketAggregation: TypeAlias = TermsAggregation | RangeAggregation | HistogramAggregation | DateHistogramAggregation

Aggregation: TypeAlias = BucketAggregation | StatsAggregation | MetricAggregation | CardinalityAggregation


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket.

    Attributes:
        key: A value of the field, the lower end of an interval (of dates: milliseconds since 1970), a range's name.
        count: Its documents.
        text: The key as text, where that says more: of dates ISO 8601, of booleans `true` or `false`.
        span: Its range, where it is one.
        inner: Its own aggregations.
    """

    key: Value | float
    count: int
    text: str | None = None
    span: Span | None = None
    inner: Mapping[str, AggregationAnswer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Buckets:
    """The buckets of an aggregation; of terms also how many documents the buckets have that are not given."""

    buckets: Sequence[Bucket]
    others: int | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """Of all values; without any, None but for the sum. `of_dates`: they are milliseconds since 1970."""

    count: int
    low: float | None
    high: float | None
    total: float
    of_dates: bool = False

    @property
    def average(self) -> float | None:
        """Give the sum by the count."""
        return self.total / self.count if self.count else None


@dataclass(frozen=True, slots=True)
class Metric:
    """One value; None without any. `of_dates`: it is milliseconds since 1970."""

    value: float | None
    of_dates: bool = False


AggregationAnswer: TypeAlias = Buckets | Stats | Metric
