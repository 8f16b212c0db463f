"""Aggregations over all matches, in the columns of the engine.

Each is one request to the engine, what stands in its buckets included. All values of a field are asked for, ordered and
cut here, so that counts are exact and equal ones have an order; a field with more values than the engine gives at once
is gone through as a facet is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dynalens.errors import QueryLimitError
from dynalens.search import Aggregation, AggregationAnswer, Value
from dynalens.search.aggregation import (
    Bucket,
    BucketAggregation,
    Buckets,
    CardinalityAggregation,
    DateHistogramAggregation,
    HistogramAggregation,
    Metric,
    MetricAggregation,
    NamedAggregations,
    RangeAggregation,
    Span,
    Stats,
    StatsAggregation,
    TermsAggregation,
)
from dynalens.search.calendar import following, iso
from dynalens.target.search.embedded.asking import (
    INSTANTS,
    MOST_VALUES,
    NUMBERS,
    VALUES,
    Asking,
    has_cardinality,
    times_of,
)
from dynalens.target.search.embedded.engine import Counted, Engine
from dynalens.target.search.embedded.facets import most_frequent
from dynalens.target.search.language.clause import AnyToken, Clause
from dynalens.target.search.language.clauses import Clauses, restricted
from dynalens.target.search.language.facets import plain_value
from dynalens.target.search.language.limits import MOST_BUCKETS, hold

_LARGEST_PLACE = 1 << 53
"""Buckets of a histogram from 0 on that a 64-bit float tells apart."""
_FEWER = "Ask for fewer: with a filter, wider intervals or a smaller size."

Answer = Mapping[str, Any]
"""What the engine answers, or a bucket of it."""


@dataclass(slots=True)
class Aggregator:
    """The aggregations of one answer."""

    engine: Engine
    clauses: Clauses
    buckets: int = 0

    def give(self, query: Clause, wanted: NamedAggregations) -> dict[str, AggregationAnswer]:
        """Compute aggregations over the matches of a query.

        Raises:
            RequestError: A field is not indexed by name.
            QueryLimitError: They come to more than `MOST_BUCKETS` buckets, or to more values than the engine gives.
            TargetError: The generation was built before there were columns.
        """
        if wanted:
            self.engine.view.require_columns()
        return {name: self._one(query, aggregation) for name, aggregation in wanted}

    def _one(self, query: Clause, aggregation: Aggregation) -> AggregationAnswer:
        found = self._found(query, aggregation)
        if found is not None:
            return self._read("", aggregation, found)
        if isinstance(aggregation, TermsAggregation):
            return self._value_by_value(query, aggregation)
        raise QueryLimitError(f"There are more than {MOST_VALUES} values in all buckets together.", hint=_FEWER)

    def _found(self, query: Clause, aggregation: Aggregation) -> Answer | None:
        """Ask the engine, and once more for estimates where there are too many values to list; None: too many still."""
        times = times_of(self.engine, self.clauses, query, aggregation)
        for estimated in (False, True) if has_cardinality(aggregation) else (False,):
            body = Asking(self.clauses, times, estimated=estimated).body("", aggregation)
            with suppress(QueryLimitError):
                return self.engine.aggregate(query, body)
        return None

    def _value_by_value(self, query: Clause, terms: TermsAggregation) -> Buckets:
        """Give the first values of an order, of which there may be a million, and ask again for what is in each."""
        name = self.clauses.name(terms.field)
        counted = self._first(query, name, terms)
        others = self.engine.occurrences(query, name) - sum(one.documents for one in counted)
        return Buckets([self._of_value(query, name, one, terms.inner) for one in counted], others)

    def _first(self, query: Clause, name: str, terms: TermsAggregation) -> list[Counted]:
        match terms.order.by, terms.order.descending:
            case "count", True:
                found = most_frequent(self.engine, query, name, terms.size)
                return [one for one in found if one.documents >= terms.minimum]
            case "key", descending if terms.minimum <= 1:
                values = self.engine.last_values if descending else self.engine.first_values
                return values(query, name, terms.size)
        raise QueryLimitError(
            f"{terms.field!r:.100} has more than {MOST_VALUES} values, too many for this order.",
            hint="Order by _count descending, or by _key without min_doc_count, or ask with a filter.",
        )

    def _of_value(self, query: Clause, name: str, counted: Counted, inner: NamedAggregations) -> Bucket:
        self._count()
        having = restricted(query, having=[AnyToken(name, (counted.token,))])
        key = plain_value(counted.token)
        return Bucket(key, counted.documents, _text(key), inner=self.give(having, inner))

    # Reading what the engine answers. What it did not answer is read as if there were nothing.

    def _read(self, name: str, aggregation: Aggregation, answer: Answer) -> AggregationAnswer:
        match aggregation:
            case StatsAggregation():
                return _stats(name, answer)
            case MetricAggregation():
                return _metric(aggregation, _stats(name, answer))
            case CardinalityAggregation():
                return Metric(_cardinality(name, answer))
        return self._read_buckets(name, aggregation, answer)

    def _read_buckets(self, name: str, aggregation: BucketAggregation, answer: Answer) -> Buckets:
        match aggregation:
            case TermsAggregation():
                return self._terms(aggregation, _buckets(answer, name))
            case RangeAggregation():
                return Buckets(list(self._ranges(name, aggregation, answer)))
            case HistogramAggregation():
                return Buckets(list(self._histogram(aggregation, _buckets(answer, name))))
            case DateHistogramAggregation():
                return Buckets(list(self._dates(aggregation, _buckets(answer, name))))

    def _terms(self, terms: TermsAggregation, found: list[Answer]) -> Buckets:
        in_order = sorted(found, key=lambda bucket: str(bucket["key"]))
        if terms.order.by == "count":
            sign = -1 if terms.order.descending else 1
            in_order.sort(key=lambda bucket: sign * int(bucket["doc_count"]))
        elif terms.order.descending:
            in_order.reverse()
        given = [bucket for bucket in in_order if bucket["doc_count"] >= terms.minimum][: terms.size]
        others = sum(bucket["doc_count"] for bucket in found) - sum(bucket["doc_count"] for bucket in given)
        return Buckets([self._bucket(plain_value(bucket["key"]), bucket, terms.inner) for bucket in given], others)

    def _ranges(self, name: str, ranges: RangeAggregation, answer: Answer) -> Iterator[Bucket]:
        for place, span in enumerate(ranges.spans):
            yield self._bucket(_span_key(span), answer.get(f"{name}{place}", _NOTHING), ranges.inner, span=span)

    def _histogram(self, histogram: HistogramAggregation, found: list[Answer]) -> Iterator[Bucket]:
        interval, offset = histogram.interval, histogram.offset % histogram.interval
        by_place = {round((bucket["key"] - offset) / interval): bucket for bucket in found}
        if by_place:
            hold(max(map(abs, by_place)), _LARGEST_PLACE, "buckets from 0 to the last one", _FEWER)
            places = range(min(by_place), max(by_place) + 1) if not histogram.minimum else sorted(by_place)
            for place in places:
                bucket = by_place.get(place, _NOTHING)
                if bucket["doc_count"] >= histogram.minimum:
                    yield self._bucket(place * interval + offset, bucket, histogram.inner)

    def _dates(self, histogram: DateHistogramAggregation, found: list[Answer]) -> Iterator[Bucket]:
        by_start = dict(_by_start(found))
        for start in _starts(histogram, by_start):
            bucket = by_start.get(start, _NOTHING)
            if bucket["doc_count"] >= histogram.minimum:
                yield self._bucket(start, bucket, histogram.inner, text=iso(start))

    def _bucket(
        self,
        key: Value | float,
        found: Answer,
        inner: NamedAggregations,
        *,
        text: str | None = None,
        span: Span | None = None,
    ) -> Bucket:
        self._count()
        answers = {name: self._read(f"{place}.", one, found) for place, (name, one) in enumerate(inner)}
        return Bucket(key, found["doc_count"], text or _text(key), span, answers)

    def _count(self) -> None:
        self.buckets += 1
        hold(self.buckets, MOST_BUCKETS, "buckets in one answer", _FEWER)


_NOTHING: Answer = {"doc_count": 0}


def _text(key: Value | float) -> str | None:
    return str(key).lower() if isinstance(key, bool) else None


def _span_key(span: Span) -> str:
    """Name a range by its ends, as Elasticsearch does: `*-10.0`, `10.0-20.0`."""
    low, high = ("*" if end is None else str(float(end)) for end in (span.low, span.high))
    return f"{low}-{high}" if span.key is None else span.key


def _buckets(answer: Answer, name: str) -> list[Answer]:
    return list(answer.get(name, {}).get("buckets", []))


def _stats(name: str, answer: Answer) -> Stats:
    for column, of_dates in ((NUMBERS, False), (INSTANTS, True)):
        found = answer.get(name + column)
        if found and found["count"]:
            return Stats(found["count"], found["min"], found["max"], found["sum"], of_dates)
    return Stats(0, None, None, 0.0)


def _metric(aggregation: MetricAggregation, stats: Stats) -> Metric:
    values = {"min": stats.low, "max": stats.high, "avg": stats.average, "sum": stats.total}
    return Metric(values[aggregation.kind], stats.of_dates)


def _cardinality(name: str, answer: Answer) -> int:
    if name in answer:
        return len(_buckets(answer, name))
    # A date is kept as its text and as its instant.
    kept, instants = (answer.get(name + column, {}).get("value") or 0 for column in (VALUES, INSTANTS))
    return max(0, round(kept) - round(instants))


def _by_start(found: Iterable[Answer]) -> Iterator[tuple[int, Answer]]:
    for bucket in found:
        if "from" not in bucket and "to" not in bucket:
            yield int(bucket["key"]), bucket
        elif "from" in bucket and "to" in bucket and bucket["doc_count"]:
            yield int(bucket["from"]), bucket


def _starts(histogram: DateHistogramAggregation, found: Mapping[int, Answer]) -> Iterator[int]:
    """Give where buckets begin: those found, and without a minimum those between them."""
    if histogram.minimum:
        yield from sorted(found)
    elif found:
        start, last = min(found), max(found)
        while start <= last:
            yield start
            start = following(histogram.interval, start)
