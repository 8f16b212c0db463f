"""Answers of aggregations in Elasticsearch's shape ("Aggregations" in its reference)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

from dynalens.search import AggregationAnswer
from dynalens.search.aggregation import Bucket, Buckets, Metric, Span, Stats
from dynalens.search.calendar import iso

Rendered = dict[str, Any]


def elasticsearch_aggregations(answers: Mapping[str, AggregationAnswer]) -> Rendered:
    """Give what stands under `aggregations`, by name."""
    return {name: _answer(one) for name, one in answers.items()}


def _answer(answer: AggregationAnswer) -> Rendered:
    match answer:
        case Buckets(buckets, None):
            return {"buckets": list(map(_bucket, buckets))}
        case Buckets(buckets, others):
            # All counts are exact.
            return {
                "doc_count_error_upper_bound": 0,
                "sum_other_doc_count": others,
                "buckets": list(map(_bucket, buckets)),
            }
        case Stats():
            return _stats(answer)
        case Metric(value, of_dates):
            return {"value": value, **_dated({"value": value}, of_dates=of_dates)}


def _bucket(bucket: Bucket) -> Rendered:
    return {
        "key": _key(bucket.key),
        **({} if bucket.text is None else {"key_as_string": bucket.text}),
        **({} if bucket.span is None else _ends(bucket.span)),
        "doc_count": bucket.count,
        **elasticsearch_aggregations(bucket.inner),
    }


def _key(key: object) -> object:
    """Give a key as JSON: numbers with every digit, booleans as numbers."""
    if isinstance(key, bool):
        return int(key)
    return orjson.Fragment(str(key)) if isinstance(key, int | Decimal) else key


def _ends(span: Span) -> Rendered:
    return {name: float(end) for name, end in (("from", span.low), ("to", span.high)) if end is not None}


def _stats(stats: Stats) -> Rendered:
    values = {"min": stats.low, "max": stats.high, "avg": stats.average, "sum": stats.total}
    return {"count": stats.count, **values, **_dated(values, of_dates=stats.of_dates)}


def _dated(values: Mapping[str, float | None], *, of_dates: bool) -> Rendered:
    """Give values that are dates as text, too."""
    return {f"{name}_as_string": iso(int(value)) for name, value in values.items() if of_dates and value is not None}
