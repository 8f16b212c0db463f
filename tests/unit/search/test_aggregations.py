"""Aggregations as the body of a search asks for them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dynalens.errors import QueryLimitError, RequestError
from dynalens.search.aggregation import (
    Aggregation,
    CardinalityAggregation,
    DateHistogramAggregation,
    HistogramAggregation,
    MetricAggregation,
    RangeAggregation,
    Span,
    StatsAggregation,
    TermsAggregation,
    TermsOrder,
)
from dynalens.search.dsl import read_body

Json = Any


def read(aggregation: Json) -> Aggregation:
    [(name, found)] = read_body({"size": 0, "aggs": {"one": aggregation}}).request.aggregations
    assert name == "one"
    return found


@pytest.mark.parametrize(
    ("aggregation", "node"),
    [
        ({"terms": {"field": "city"}}, TermsAggregation("city")),
        ({"terms": {"field": "address.city.keyword", "size": 3}}, TermsAggregation("address.city", 3)),
        (
            {"terms": {"field": "a", "order": {"_key": "asc"}}},
            TermsAggregation("a", order=TermsOrder("key", descending=False)),
        ),
        (
            {"terms": {"field": "a", "order": {"_count": "asc"}}},
            TermsAggregation("a", order=TermsOrder("count", descending=False)),
        ),
        ({"terms": {"field": "a", "order": [{"_count": "desc"}, {"_key": "asc"}]}}, TermsAggregation("a")),
        ({"terms": {"field": "a", "min_doc_count": 2, "shard_size": 100}}, TermsAggregation("a", minimum=2)),
        (
            {"range": {"field": "a", "ranges": [{"from": 10, "key": "more"}, {"to": Decimal("2.5")}, {"to": 10}]}},
            RangeAggregation("a", (Span(None, Decimal("2.5")), Span(None, 10), Span(10, None, "more"))),
        ),
        ({"histogram": {"field": "a", "interval": 10}}, HistogramAggregation("a", 10.0)),
        (
            {"histogram": {"field": "a", "interval": Decimal("0.5"), "offset": 3, "min_doc_count": 1}},
            HistogramAggregation("a", 0.5, 3.0, 1),
        ),
        ({"date_histogram": {"field": "a", "calendar_interval": "month"}}, DateHistogramAggregation("a", "month")),
        ({"date_histogram": {"field": "a", "calendar_interval": "1M"}}, DateHistogramAggregation("a", "month")),
        ({"date_histogram": {"field": "a", "calendar_interval": "1m"}}, DateHistogramAggregation("a", "minute")),
        (
            {"date_histogram": {"field": "a", "fixed_interval": "6h", "min_doc_count": 1, "time_zone": "UTC"}},
            DateHistogramAggregation("a", 6 * 3_600_000, 1),
        ),
        ({"stats": {"field": "a"}}, StatsAggregation("a")),
        ({"avg": {"field": "a"}}, MetricAggregation("a", "avg")),
        ({"cardinality": {"field": "a", "precision_threshold": 3000}}, CardinalityAggregation("a")),
    ],
)
def test_each_kind_is_read(aggregation: Json, node: Aggregation) -> None:
    assert read(aggregation) == node


def test_aggregations_stand_in_buckets_under_either_name() -> None:
    inner = {"total": {"sum": {"field": "amount"}}}
    expected = TermsAggregation("city", inner=(("total", MetricAggregation("amount", "sum")),))
    assert read({"terms": {"field": "city"}, "aggs": inner}) == expected
    assert read({"terms": {"field": "city"}, "aggregations": inner}) == expected
    assert read_body({"aggregations": inner}).request.aggregations == expected.inner


TERMS = {"terms": {"field": "a"}}


@pytest.mark.parametrize(
    ("aggregation", "place", "hint"),
    [
        ({}, "aggs.one is empty", "terms"),
        ({"terms": {"field": "a"}, "stats": {"field": "a"}}, "aggs.one has 2 members", "terms"),
        ({"percentiles": {"field": "a"}}, "aggs.one.percentiles is no aggregation", "histogram"),
        ({"term": {"field": "a"}}, "aggs.one.term is no aggregation", "terms"),
        ({"terms": {}}, "aggs.one.terms lacks field", "field"),
        ({"terms": {"field": "a", "missing": "none"}}, "aggs.one.terms.missing ", "exists"),
        ({"terms": {"field": "a", "order": {"total": "desc"}}}, "aggs.one.terms.order.total ", "_count"),
        ({"terms": {"field": "a", "order": [{"_key": "asc"}, {"_count": "asc"}]}}, "aggs.one.terms.order ", "_count"),
        ({"terms": {"field": "a", "min_doc_count": 0}}, "aggs.one.terms.min_doc_count ", "from 1"),
        ({"range": {"field": "a"}}, "aggs.one.range lacks ranges", "from"),
        ({"range": {"field": "a", "ranges": []}}, "aggs.one.range.ranges is empty", "from"),
        ({"range": {"field": "a", "ranges": [{"from": "now"}]}}, "aggs.one.range.ranges[0].from ", "date_histogram"),
        ({"range": {"field": "a", "ranges": [{"to": 1}], "keyed": True}}, "aggs.one.range.keyed ", "false"),
        ({"histogram": {"field": "a"}}, "aggs.one.histogram lacks interval", "interval"),
        ({"histogram": {"field": "a", "interval": 0}}, "aggs.one.histogram.interval is 0", "width"),
        (
            {"histogram": {"field": "a", "interval": 1, "order": {"_key": "desc"}}},
            "aggs.one.histogram.order ",
            "rising",
        ),
        ({"date_histogram": {"field": "a"}}, "aggs.one.date_histogram does not have one", "calendar_interval"),
        ({"date_histogram": {"field": "a", "interval": "day"}}, "aggs.one.date_histogram.interval ", "fixed_interval"),
        ({"date_histogram": {"field": "a", "calendar_interval": "2d"}}, "aggs.one.date_histogram.calendar_", "1d"),
        ({"date_histogram": {"field": "a", "fixed_interval": "1M"}}, "aggs.one.date_histogram.fixed_interval ", "6h"),
        (
            {"date_histogram": {"field": "a", "fixed_interval": "1d", "time_zone": "Europe/Vienna"}},
            "aggs.one.date_histogram.time_zone ",
            "UTC",
        ),
        ({"stats": {"field": "a"}, "aggs": {"n": TERMS}}, "aggs.one.aggs stands in stats", "beside"),
        ({**TERMS, "aggs": {"n": {**TERMS, "aggs": {"m": TERMS}}}}, "aggs.one.aggs.n.aggs is nested twice", "once"),
        ({**TERMS, "meta": {"a": 1}}, "aggs.one.meta ", "Leave it out"),
    ],
)
def test_what_is_not_supported_is_refused_with_what_to_write(aggregation: Json, place: str, hint: str) -> None:
    with pytest.raises(RequestError) as refused:
        read(aggregation)
    assert str(refused.value).startswith(place)
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    "aggs",
    [
        {f"n{number}": TERMS for number in range(51)},
        {f"n{number}": {**TERMS, "aggs": {"m": TERMS, "o": TERMS}} for number in range(17)},
        {"one": {"terms": {"field": "a", "size": 10_001}}},
        {"one": {"range": {"field": "a", "ranges": [{"to": number} for number in range(101)]}}},
    ],
)
def test_limits_are_named(aggs: Json) -> None:
    with pytest.raises(QueryLimitError, match="limit"):
        read_body({"aggs": aggs})
