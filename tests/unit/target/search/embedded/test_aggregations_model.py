"""Random aggregations over random documents give what a plain reading of the documents gives."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dynalens.search import Aggregation, AggregationAnswer, Everything, Exists, SearchRequest
from dynalens.search.aggregation import (
    Bucket,
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
    TermsOrder,
)
from dynalens.target.search.embedded.answer import answer
from dynalens.target.search.language.limits import MOST_BUCKETS
from tests.unit.target.search.aggregating import Item, read_all, values_at
from tests.unit.target.search.embedded.views import view_of

PATHS = ("a", "m.b c", "n", "d", "no")
DATES = (
    "2020-01-01",
    "2019-12-31T23:30:00-01:00",
    "2020-02-29T12:00:00.5Z",
    "1969-12-31T23:59:59.999Z",
    "2021-03-31",
    "2021-04-01T00:00:00",
)
# Eighths are exact, so that a sum is the same in any order.
numbers = st.one_of(st.integers(-40, 40), st.integers(-400, 400).map(lambda eighths: eighths / 8))
leaf = st.one_of(numbers, st.sampled_from((*DATES, "x", "X y", "10", "", True, False, None)))
value = st.one_of(leaf, st.lists(leaf, max_size=4))
item = st.fixed_dictionaries(
    {"n": st.lists(numbers, max_size=2), "d": st.lists(st.sampled_from(DATES), max_size=2)},
    optional={"a": value, "m": st.fixed_dictionaries({"b c": value})},
)
collections = st.lists(item, max_size=8)

path = st.sampled_from(PATHS)
minimum = st.integers(0, 2)
ends = st.one_of(st.none(), st.integers(-50, 50), st.integers(-400, 400).map(lambda eighths: Decimal(eighths) / 8))
spans = st.lists(st.builds(Span, ends, ends, st.one_of(st.none(), st.just("named"))), min_size=1, max_size=4)
of_numbers, of_dates = (st.one_of(st.just(name), path) for name in ("n", "d"))
metrics: st.SearchStrategy[Aggregation] = st.one_of(
    st.builds(StatsAggregation, path),
    st.builds(MetricAggregation, path, st.sampled_from(("min", "max", "avg", "sum"))),
    st.builds(CardinalityAggregation, path),
)
days = st.sampled_from(("day", "week", "month", "quarter", "year", 86_400_000, 7 * 86_400_000 + 1))
widths = st.sampled_from((0.125, 1.0, 2.5, 10.0, 100.0))


def named(inner: st.SearchStrategy[Aggregation]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=2).map(lambda several: tuple((f"n{i}", one) for i, one in enumerate(several)))


def buckets(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Aggregation]:
    orders = st.builds(TermsOrder, st.sampled_from(("count", "key")), st.booleans())
    return st.one_of(
        st.builds(TermsAggregation, path, st.integers(1, 5), orders, st.integers(1, 2), inner),
        st.builds(RangeAggregation, path, spans.map(tuple), inner),
        st.builds(HistogramAggregation, of_numbers, widths, st.sampled_from((0.0, 0.5, -3.0, 1000.0)), minimum, inner),
        st.builds(DateHistogramAggregation, of_dates, days, minimum, inner),
    )


aggregations = named(st.one_of(metrics, buckets(named(st.one_of(metrics, buckets(st.just(())))))))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(collections, aggregations, st.integers(1, 3), st.booleans())
def test_aggregations_give_what_a_plain_reading_gives(
    items: list[Item],
    wanted: NamedAggregations,
    segments: int,
    filtered: bool,  # noqa: FBT001
) -> None:
    view = view_of({str(id_): one for id_, one in enumerate(items)}, deleted=["gone"], segments=segments)
    matching = [one for one in items if not filtered or values_at(one, "a")]
    query = Exists("a") if filtered else Everything()
    expected = read_all(matching, wanted)
    # Fifty years by day, once in each of a few buckets, are more than an answer has.
    assume(number_of_buckets(expected) <= MOST_BUCKETS)
    found = answer(view, SearchRequest(query, size=0, aggregations=wanted)).aggregations
    assert plain(found) == plain(expected)


def number_of_buckets(answers: Mapping[str, AggregationAnswer]) -> int:
    """Count the buckets of answers, inner ones too."""
    several = [bucket for one in answers.values() if isinstance(one, Buckets) for bucket in one.buckets]
    return len(several) + sum(number_of_buckets(dict(bucket.inner)) for bucket in several)


def plain(found: Any) -> Any:  # noqa: ANN401
    """Give an answer in types that compare: numbers as floats, booleans as words."""
    match found:
        case dict():
            return {name: plain(one) for name, one in found.items()}
        case Buckets(several, others):
            return [plain(one) for one in several], others
        case Bucket(key, count, text, span, inner):
            shown = str(key) if isinstance(key, bool | str) else pytest.approx(float(key))
            return shown, count, text, span, plain(dict(inner))
        case Stats(count, low, high, total, of_dates):
            return count, low, high, pytest.approx(total), of_dates
        case Metric(one, of_dates):
            return None if one is None else pytest.approx(one), of_dates
    raise AssertionError(found)


@pytest.mark.parametrize("interval", ["minute", "hour", "day", "week", "month", "quarter", "year", 7 * 86_400_000])
@pytest.mark.parametrize("minimum", [0, 1])
def test_each_unit_of_time_gives_what_a_plain_reading_gives(interval: Any, minimum: int) -> None:  # noqa: ANN401
    near = {"minute": 2, "hour": 2, "day": 3}.get(interval, len(DATES))
    items = [{"d": [one], "n": place} for place, one in enumerate(DATES[:near])]
    wanted = (("dates", DateHistogramAggregation("d", interval, minimum, (("sum", MetricAggregation("n", "sum")),))),)
    found = answer(view_of({str(id_): one for id_, one in enumerate(items)}), SearchRequest(aggregations=wanted))
    assert plain(found.aggregations) == plain(read_all(items, wanted))
