"""Aggregations at their limits: more values than the engine lists, more buckets than an answer has, old generations."""

from __future__ import annotations

from typing import Any

import pytest

from dynalens.errors import QueryLimitError, RequestError, TargetError
from dynalens.search import Facet, SearchRequest
from dynalens.search.aggregation import (
    Aggregation,
    Bucket,
    Buckets,
    CardinalityAggregation,
    DateHistogramAggregation,
    HistogramAggregation,
    Metric,
    MetricAggregation,
    RangeAggregation,
    Span,
    StatsAggregation,
    TermsAggregation,
    TermsOrder,
)
from dynalens.target.search.embedded.answer import answer
from dynalens.target.search.embedded.state import Layout
from dynalens.target.search.embedded.view import View
from tests.unit.target.search.embedded.views import view_of

MANY = 65_001
"""One more value than the engine gives at once."""


def aggregated(view: View, aggregation: Aggregation) -> Any:  # noqa: ANN401 - of any kind
    return answer(view, SearchRequest(size=0, aggregations=(("one", aggregation),))).aggregations["one"]


@pytest.fixture(scope="module")
def crowd() -> View:
    """Documents with a value each, of which the last two are equal."""
    documents = {str(n): {"user": f"u{n:05}", "n": n, "day": f"2024-01-{n % 3 + 1:02}"} for n in range(MANY)}
    return view_of({**documents, "last": {"user": f"u{MANY - 1:05}", "n": 7}})


def test_terms_of_very_many_values_are_counted_all_the_same(crowd: View) -> None:
    sums = (("sum", MetricAggregation("n", "sum")),)
    found = aggregated(crowd, TermsAggregation("user", 3, inner=sums))
    assert found == Buckets(
        [
            Bucket(f"u{MANY - 1:05}", 2, inner={"sum": Metric(MANY - 1 + 7.0)}),
            Bucket("u00000", 1, inner={"sum": Metric(0.0)}),
            Bucket("u00001", 1, inner={"sum": Metric(1.0)}),
        ],
        others=MANY + 1 - 4,
    )


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (TermsOrder("key", descending=False), ["u00000", "u00001"]),
        (TermsOrder("key", descending=True), [f"u{MANY - 1:05}", f"u{MANY - 2:05}"]),
    ],
)
def test_very_many_values_have_the_order_of_their_keys(crowd: View, order: TermsOrder, expected: list[str]) -> None:
    found = aggregated(crowd, TermsAggregation("user", 2, order))
    assert [bucket.key for bucket in found.buckets] == expected
    assert found.others + sum(bucket.count for bucket in found.buckets) == MANY + 1


def test_rare_values_of_very_many_are_refused(crowd: View) -> None:
    with pytest.raises(QueryLimitError, match="65000 values, too many for this order"):
        aggregated(crowd, TermsAggregation("user", 2, TermsOrder("count", descending=False)))


def test_very_many_different_values_are_estimated(crowd: View) -> None:
    found = aggregated(crowd, CardinalityAggregation("user"))
    assert found.value == pytest.approx(MANY, rel=0.06)
    assert found.value != MANY
    by_day = aggregated(
        crowd, DateHistogramAggregation("day", "day", inner=(("users", CardinalityAggregation("user")),))
    )
    assert [bucket.inner["users"].value for bucket in by_day.buckets] == [pytest.approx(MANY / 3, rel=0.06)] * 3


def test_dates_are_no_two_values_in_an_estimate(crowd: View) -> None:
    both = RangeAggregation(
        "n", (Span(),), (("days", CardinalityAggregation("day")), ("users", CardinalityAggregation("user")))
    )
    [bucket] = aggregated(crowd, both).buckets
    assert bucket.inner["days"] == Metric(3)


def test_very_many_values_within_a_histogram_are_refused(crowd: View) -> None:
    with pytest.raises(QueryLimitError, match="more than 65000 values in all buckets"):
        aggregated(crowd, DateHistogramAggregation("day", "day", inner=(("users", TermsAggregation("user")),)))


def test_an_answer_has_a_limit_of_buckets(crowd: View) -> None:
    assert len(aggregated(crowd, HistogramAggregation("n", 6.6)).buckets) == 9849
    with pytest.raises(QueryLimitError, match="10001 buckets in one answer; the limit is 10000"):
        aggregated(crowd, HistogramAggregation("n", 6.0))


@pytest.mark.parametrize("documents", [{"a": {"n": 0}, "b": {"n": 10**20}}, {"a": {"n": -1e300}}], ids=["wide", "far"])
def test_a_histogram_over_numbers_too_far_apart_is_refused(documents: dict[str, Any]) -> None:
    with pytest.raises(QueryLimitError, match="limit"):
        aggregated(view_of(documents), HistogramAggregation("n", 1.0))


def test_buckets_of_empty_time_have_a_limit() -> None:
    view = view_of({"a": {"at": "0001-01-01"}, "b": {"at": "9999-12-31"}})
    assert len(aggregated(view, DateHistogramAggregation("at", "year")).buckets) == 9999
    assert len(aggregated(view, DateHistogramAggregation("at", "day", minimum=1)).buckets) == len(("a", "b"))
    for interval in ("month", "day"):
        with pytest.raises(QueryLimitError, match="limit"):
            aggregated(view, DateHistogramAggregation("at", interval))


def test_sums_go_beyond_64_bits() -> None:
    view = view_of({"a": {"n": 10**30}, "b": {"n": 10**30}, "c": {"n": 1e125}, "d": {"n": -1e125}})
    assert aggregated(view, MetricAggregation("n", "max")) == Metric(1e125)
    assert aggregated(view, StatsAggregation("n")).count == 4


def test_a_field_that_nothing_has_gives_nothing() -> None:
    view = view_of({"a": {"n": 1}})
    assert aggregated(view, TermsAggregation("no")) == Buckets([], 0)
    assert aggregated(view, DateHistogramAggregation("no", "month")) == Buckets([])
    assert aggregated(view, MetricAggregation("no", "sum")) == Metric(0.0)
    assert aggregated(view, MetricAggregation("no", "avg")) == Metric(None)


def test_aggregations_are_over_all_matches_wherever_the_page_begins() -> None:
    view = view_of({str(n): {"n": n} for n in range(5)})
    wanted = (("sum", MetricAggregation("n", "sum")),)
    assert answer(view, SearchRequest(offset=3, size=1, aggregations=wanted)).aggregations == {"sum": Metric(10.0)}


def test_a_generation_of_an_older_version_is_refused_and_not_added_up_in_vain(crowd: View) -> None:
    old = View(crowd.collection, crowd.index, crowd.searcher, crowd.paths, Layout(has_columns=False))
    with pytest.raises(TargetError, match="built by an older version"):
        aggregated(old, StatsAggregation("n"))
    assert answer(old, SearchRequest(size=0, facets=(Facet("day"),))).facets["day"]


def test_a_least_score_cannot_stand_beside_aggregations(crowd: View) -> None:
    with pytest.raises(RequestError, match="min_score cannot be combined"):
        answer(crowd, SearchRequest(min_score=1.0, aggregations=(("one", StatsAggregation("n")),)))
