"""What is asked of a cluster for one search, and what is made of its answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from dynalens.change import load_exact
from dynalens.errors import QueryLimitError, RequestError, TargetError
from dynalens.search import (
    Bool,
    Everything,
    Facet,
    FacetValue,
    Ids,
    SearchAnswer,
    SearchRequest,
    SortKey,
    Value,
    Within,
)
from dynalens.search.aggregation import MetricAggregation
from dynalens.search.geo import Circle, Point
from dynalens.target.search.cluster.answer import Place, answer, count, page
from dynalens.target.search.cluster.connection import ClusterError
from dynalens.target.search.cluster.view import meaning
from dynalens.target.search.language.paths import NamedPaths
from dynalens.target.search.language.tokens import date_token

NO_AGGREGATIONS: Mapping[str, Any] = {}


class Scripted:
    """Answers with what it was given, in turn, and keeps what it was asked."""

    def __init__(self, *answers: Mapping[str, Any] | bytes) -> None:
        self.paths = NamedPaths("things", frozenset())
        self.asked: list[Mapping[str, Any]] = []
        self._answers = iter(answers)

    def ask(self, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
        self.asked.append(body)
        answer = next(self._answers)
        return load_exact(answer if isinstance(answer, bytes) else json.dumps(answer).encode())


def found(
    *hits: Mapping[str, Any], total: int | None = None, aggregations: Mapping[str, Any] = NO_AGGREGATIONS
) -> dict[str, Any]:
    counted = {"value": len(hits) if total is None else total}
    return {"hits": {"total": counted, "max_score": 1.5, "hits": [*hits]}, "aggregations": aggregations}


def hit(id_: str, *sort: object, **attributes: object) -> dict[str, Any]:
    return {"_score": 1.5, "sort": [*sort], "_source": {"_dynalens": {"id": id_, "live": True}, **attributes}}


def asked_for(**request: Any) -> Mapping[str, Any]:  # noqa: ANN401 - parts of a request
    """Give the body of a search that finds nothing."""
    scripted = Scripted(found())
    answer(scripted, SearchRequest(**request))
    [body] = scripted.asked
    return body


@pytest.mark.parametrize(
    "request_",
    [
        SearchRequest(aggregations=(("sum", MetricAggregation("n", "sum")),)),
        SearchRequest(Bool(filter=(Within("here", Circle(Point(48, 16), 10)),))),
    ],
    ids=["aggregations", "places"],
)
def test_what_the_embedded_engine_alone_answers_is_refused_by_name(request_: SearchRequest) -> None:
    scripted = Scripted(found())
    scripted.paths = NamedPaths("things", frozenset(), frozenset({"here"}))
    with pytest.raises(RequestError, match="not answered by a search cluster yet"):
        answer(scripted, request_)


def test_stubs_are_not_searched() -> None:
    assert asked_for(query=Ids(("a",)))["query"] == {
        "bool": {
            "must": [{"terms": {"_dynalens.id": ["a"]}}],
            "filter": [{"term": {"_dynalens.live": {"value": True}}}],
            "minimum_should_match": 0,
        }
    }


def test_the_best_go_first_and_equal_ones_by_id() -> None:
    body = asked_for(offset=5, size=7)
    assert body["sort"] == [{"_score": "desc"}, {"_dynalens.id": "asc"}]
    assert (body["from"], body["size"], body["track_total_hits"], body["track_scores"]) == (5, 7, True, True)


def test_an_order_by_fields_ends_with_the_id() -> None:
    body = asked_for(sort=(SortKey("a.b", descending=True, missing_first=True), SortKey("c")))
    assert body["sort"] == [
        {"_dynalens.exact.a/b": {"order": "desc", "mode": "max", "missing": "_first", "unmapped_type": "keyword"}},
        {"_dynalens.exact.c": {"order": "asc", "mode": "min", "missing": "_last", "unmapped_type": "keyword"}},
        {"_dynalens.id": "asc"},
    ]
    assert body["track_scores"] is False


@pytest.mark.parametrize(
    ("sort", "after", "expected"),
    [
        (("a", "_id"), (True, "x-1"), ("b1", "x-1")),
        (("a", "_id", "b"), ("x", "y", 1), ("sx", "y")),
        (("_id",), ("é",), ("é",)),
        (("_id",), ("\ud800",), ("?",)),
        (("a",), (None,), (None, "\U0010ffff" * 129)),
        (("a",), ("2019-01-01",), (date_token("2019-01-01"), "\U0010ffff" * 129)),
    ],
)
def test_a_page_goes_on_behind_every_equal_document(
    sort: Sequence[str], after: tuple[Value | None, ...], expected: tuple[str | None, ...]
) -> None:
    body = asked_for(sort=tuple(map(SortKey, sort)), after=after)
    assert body["search_after"] == expected
    assert "from" not in body


def test_hits_keep_every_digit_and_show_what_they_are_sorted_by() -> None:
    large = "12345678901234567890.12345678901234567890"
    scripted = Scripted(json.dumps(found(hit("x", n=[1, "LARGE"], t="é"))).replace('"LARGE"', large).encode())
    [only] = answer(scripted, SearchRequest(sort=(SortKey("n", descending=True), SortKey("none")))).hits
    assert (only.id, only.score, only.sort) == ("x", None, (Decimal(large), None))
    assert only.document.decode() == f'{{"n":[1,{large}],"t":"é"}}'


def test_a_document_is_given_back_whole_where_a_part_stands_aside() -> None:
    kept = {"id": "x", "live": True, "aside": ["b"], "document": '{"a":1,"b":{"":2}}'}
    scripted = Scripted(found({"_score": 1.0, "sort": [], "_source": {"_dynalens": kept, "a": 1}}))
    [only] = answer(scripted, SearchRequest()).hits
    assert only.document == b'{"a":1,"b":{"":2}}'


def test_counting_reads_no_document() -> None:
    scripted = Scripted(found(total=12))
    assert count(scripted, Everything()) == 12
    assert scripted.asked[0]["size"] == 0


# Facets.


def buckets(counts: Mapping[str, int], *, left_out: int = 0, error: int = 0) -> dict[str, Any]:
    return {
        "doc_count_error_upper_bound": left_out,
        "buckets": [
            {"key": key, "doc_count": count, "doc_count_error_upper_bound": error} for key, count in counts.items()
        ],
    }


def test_texts_of_dates_are_counted_beside_the_other_values() -> None:
    aggregations = {"exact0": buckets({"sx": 3, "b1": 2, "n5": 1}), "dates0": buckets({"u2019": 2})}
    scripted = Scripted(found(aggregations=aggregations))
    given = answer(scripted, SearchRequest(size=0, facets=(Facet("a.b", 3),)))
    assert given.facets == {"a.b": [FacetValue("x", 3), FacetValue(value=True, count=2), FacetValue("2019", 2)]}
    terms = {"size": 3, "shard_size": 10_000, "show_term_doc_count_error": True}
    assert scripted.asked[0]["aggs"] == {
        "exact0": {"terms": {"field": "_dynalens.exact.a/b", "exclude": "p.*", **terms}},
        "dates0": {"terms": {"field": "_dynalens.dates.a/b", **terms}},
    }


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (buckets({"sx": 3}, left_out=2), False),
        (buckets({"sx": 3}, left_out=3), True),
        (buckets({"sx": 3}, left_out=1, error=1), True),
        (buckets({}), False),
    ],
)
def test_shards_that_left_values_out_are_asked_for_all(first: dict[str, Any], again: bool) -> None:  # noqa: FBT001
    scripted = Scripted(
        found(aggregations={"exact0": first, "dates0": buckets({})}),
        {"aggregations": {"exact0": buckets({"sy": 9}), "dates0": buckets({})}},
    )
    given = answer(scripted, SearchRequest(size=0, facets=(Facet("a"),)))
    assert (given.facets["a"] == [FacetValue("y", 9)]) is again
    assert len(scripted.asked) == 1 + again


# Pages of what is held, far behind the first hit.


def test_a_far_page_is_reached_without_reading_documents() -> None:
    scripted = Scripted(found(hit("a", 2, "a")), found(hit("b", 1, "b")), found(hit("c", 1, "c"), total=20_001))
    far = page(scripted, SearchRequest(offset=2, size=9_999), Place())
    assert [(body["size"], body.get("_source")) for body in scripted.asked] == [(2, False), (1, False), (9_999, None)]
    assert [body.get("search_after") for body in scripted.asked] == [None, ("2", "a"), ("1", "b")]
    assert [body.get("from") for body in scripted.asked] == [None] * 3
    assert (far.answer.total, far.begin, far.end) == (20_001, Place(2, ("1", "b")), Place(3, ("1", "c")))


def test_a_page_beyond_the_last_hit_is_empty() -> None:
    scripted = Scripted(found(), found(total=0))
    far = page(scripted, SearchRequest(offset=20_000), Place())
    assert far.answer == SearchAnswer(0, [], max_score=1.5)
    assert "from" not in scripted.asked[-1]


# Errors.


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (500, "Query contains too many nested clauses; maxClauseCount is set to 1024", QueryLimitError),
        (400, "too_many_buckets_exception", QueryLimitError),
        (400, "failed to create query", RequestError),
        (429, "rejected execution", TargetError),
        (503, "no master", TargetError),
    ],
)
def test_errors_tell_what_cannot_be_asked_from_a_cluster_that_cannot_answer(
    status: int, said: str, expected: type[Exception]
) -> None:
    error = meaning(ClusterError(said, status=status, type_="search_phase_execution_exception"))
    assert isinstance(error, expected)
