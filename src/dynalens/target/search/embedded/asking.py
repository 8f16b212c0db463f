"""Aggregations in the words of the engine, which are close to Elasticsearch's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from dynalens.search import Aggregation, Range
from dynalens.search.aggregation import (
    BucketAggregation,
    CardinalityAggregation,
    DateHistogramAggregation,
    HistogramAggregation,
    MetricAggregation,
    NamedAggregations,
    RangeAggregation,
    Span,
    StatsAggregation,
    TermsAggregation,
)
from dynalens.search.calendar import floor, following, width
from dynalens.target.search.embedded import schema
from dynalens.target.search.embedded.engine import Engine
from dynalens.target.search.embedded.rendering import between_text
from dynalens.target.search.language.clause import Between, Clause
from dynalens.target.search.language.clauses import Clauses
from dynalens.target.search.language.exact import intervals
from dynalens.target.search.language.limits import hold
from dynalens.target.search.language.tokens import DATE, NUMBER

MOST_VALUES = 65_000
"""Buckets that the engine gives at most."""

NUMBERS, INSTANTS, VALUES = "n", "i", "v"
"""Behind the name of an aggregation: what it asks of which column."""

_Body: TypeAlias = dict[str, Any]

Times: TypeAlias = Mapping[str, tuple[int, int]]
"""The first and the last date by field, in milliseconds; a field that has none is left out."""


def times_of(engine: Engine, clauses: Clauses, query: Clause, aggregation: Aggregation) -> Times:
    """Find the first and the last date of each field that is divided by units of varying length."""
    found = {}
    for histogram in _all(aggregation):
        if isinstance(histogram, DateHistogramAggregation) and width(histogram.interval) is None:
            column = _column(schema.instant_column(clauses.name(histogram.field)))
            dates = engine.aggregate(query, {"dates": {"stats": {"field": column}}})["dates"]
            if dates["count"]:
                found[histogram.field] = int(dates["min"]), int(dates["max"])
    return found


def has_cardinality(aggregation: Aggregation) -> bool:
    """Tell whether different values are counted, so that an estimate can take the place of listing them."""
    return any(isinstance(one, CardinalityAggregation) for one in _all(aggregation))


def _all(aggregation: Aggregation) -> Iterator[Aggregation]:
    yield aggregation
    if not isinstance(aggregation, StatsAggregation | MetricAggregation | CardinalityAggregation):
        yield from (inner for _, inner in aggregation.inner)


@dataclass(frozen=True, slots=True)
class Asking:
    """Writes aggregations; `estimated`: different values are estimated, not listed."""

    clauses: Clauses
    times: Times
    estimated: bool

    def body(self, name: str, aggregation: Aggregation) -> _Body:
        """Give the engine's aggregations for one, each under this name or one that begins so.

        Raises:
            RequestError: A field is not indexed by name.
            QueryLimitError: The dates of a field reach over too many units.
        """
        path = self.clauses.name(aggregation.field)
        match aggregation:
            case StatsAggregation() | MetricAggregation():
                return _each(
                    name, "stats", {NUMBERS: schema.number_column(path), INSTANTS: schema.instant_column(path)}
                )
            case CardinalityAggregation() if self.estimated:
                return _each(name, "cardinality", {VALUES: path, INSTANTS: schema.instant_column(path)})
            case CardinalityAggregation():
                return {name: _values(path)}
        return self._buckets(name, path, aggregation)

    def _buckets(self, name: str, path: str, aggregation: BucketAggregation) -> _Body:
        inner = self._inner(aggregation.inner)
        match aggregation:
            case TermsAggregation():
                return {name: {**_values(path), **inner}}
            case RangeAggregation(spans=spans):
                return {f"{name}{place}": {"filter": _between(path, span), **inner} for place, span in enumerate(spans)}
            case HistogramAggregation(interval=interval, offset=offset):
                return {name: {**_histogram(schema.number_column(path), interval, offset % interval), **inner}}
            case DateHistogramAggregation():
                found = self._dates(schema.instant_column(path), aggregation)
                return {name: {**found, **inner}} if found else {}

    def _inner(self, inner: NamedAggregations) -> _Body:
        parts = [self.body(f"{place}.", aggregation) for place, (_, aggregation) in enumerate(inner)]
        return {"aggs": {name: part for body in parts for name, part in body.items()}} if inner else {}

    def _dates(self, column: str, histogram: DateHistogramAggregation) -> _Body:
        equal = width(histogram.interval)
        if equal is not None:
            return _histogram(column, equal.interval, equal.offset % equal.interval)
        if histogram.field not in self.times:
            return {}
        first, last = self.times[histogram.field]
        starts = [floor(histogram.interval, first)]
        while starts[-1] <= last:
            hold(len(starts), MOST_VALUES, "units from the first to the last date", "Ask with a filter.")
            starts.append(following(histogram.interval, starts[-1]))
        ranges = [{"from": start, "to": end} for start, end in pairwise(starts)]
        return {"range": {"field": _column(column), "ranges": ranges}}


def _column(name: str) -> str:
    return f"{schema.EXACT}.{name}"


def _each(name: str, kind: str, columns: Mapping[str, str]) -> _Body:
    return {name + suffix: {kind: {"field": _column(column)}} for suffix, column in columns.items()}


def _values(path: str) -> _Body:
    # One more than the engine gives: it raises an error then, and cuts nothing off.
    return {"terms": {"field": _column(path), "size": MOST_VALUES + 1, "exclude": f"{DATE}.*"}}


def _histogram(column: str, interval: float, offset: float) -> _Body:
    return {"histogram": {"field": _column(column), "interval": interval, "offset": offset, "min_doc_count": 1}}


def _between(path: str, span: Span) -> str:
    """Write a range of numbers; without ends it is all numbers."""
    if span.low is None and span.high is None:
        return between_text(Between(path, NUMBER, chr(ord(NUMBER) + 1), (True, False)))
    [found] = intervals(Range(path, gte=span.low, lt=span.high))
    return between_text(Between(path, *found))
