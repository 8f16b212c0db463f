"""Every clause as a query; what the queries find stands in `tests/conformance`."""

from __future__ import annotations

from typing import Any

import pytest

from dynalens.target.search.cluster.rendering import render
from dynalens.target.search.language.clause import (
    ALL,
    AnyId,
    AnyToken,
    Best,
    Between,
    Clause,
    CloseWord,
    Constant,
    Every,
    Has,
    Joined,
    Live,
    Never,
    Row,
    RowBeginning,
    Times,
    TokenBeginning,
    WordBeginning,
    WordIn,
)

ALL_ROWS: dict[str, Any] = {"match_all": {}}
LIVE: dict[str, Any] = {"term": {"_dynalens.live": {"value": True}}}
NONE: dict[str, Any] = {"match_none": {}}


@pytest.mark.parametrize(
    ("clause", "query"),
    [
        (Every(), ALL_ROWS),
        (Live(), LIVE),
        (Never(), NONE),
        (Constant(Live(), 0.0), {"constant_score": {"filter": LIVE, "boost": 0.0}}),
        (Times(Every(), 3.0), {"bool": {"must": [ALL_ROWS], "boost": 3.0}}),
        (Best((Every(), Live()), 0.5), {"dis_max": {"queries": [ALL_ROWS, LIVE], "tie_breaker": 0.5}}),
        (
            Joined((Every(),), (Live(), Never()), 1, (Live(),), (Never(),)),
            {
                "bool": {
                    "must": [ALL_ROWS],
                    "should": [LIVE, NONE],
                    "minimum_should_match": 1,
                    "filter": [LIVE],
                    "must_not": [NONE],
                }
            },
        ),
        (Joined(having=(Live(),)), {"bool": {"filter": [LIVE], "minimum_should_match": 0}}),
    ],
)
def test_rows_and_what_joins_them(clause: Clause, query: dict[str, Any]) -> None:
    assert render(clause) == query


@pytest.mark.parametrize(
    ("clause", "query"),
    [
        (WordIn("a.b", "x"), {"term": {"_dynalens.text.a/b": {"value": "x", "boost": 2.2}}}),
        (WordIn(ALL, "x"), {"term": {"_dynalens.all": {"value": "x", "boost": 2.2}}}),
        (
            CloseWord("a", "x", 2, transpositions=False, prefix_length=1),
            {
                "fuzzy": {
                    "_dynalens.text.a": {
                        "value": "x",
                        "fuzziness": 2,
                        "transpositions": False,
                        "prefix_length": 1,
                        "rewrite": "constant_score",
                    }
                }
            },
        ),
        (WordBeginning("a", "x"), {"prefix": {"_dynalens.text.a": {"value": "x"}}}),
        (Row("a", ("x", "y"), 2), {"match_phrase": {"_dynalens.text.a": {"query": "x y", "slop": 2, "boost": 2.2}}}),
        (
            RowBeginning("a", ("x", "y")),
            {
                "constant_score": {
                    "filter": {"match_phrase_prefix": {"_dynalens.text.a": {"query": "x y", "max_expansions": 50}}},
                    "boost": 1.0,
                }
            },
        ),
    ],
)
def test_words(clause: Clause, query: dict[str, Any]) -> None:
    assert render(clause) == query


def either(*queries: dict[str, Any]) -> dict[str, Any]:
    return {"constant_score": {"filter": {"bool": {"should": [*queries], "minimum_should_match": 1}}, "boost": 1.0}}


@pytest.mark.parametrize(
    ("clause", "query"),
    [
        (AnyToken("a.b", ("n1", "s1")), {"terms": {"_dynalens.exact.a/b": ["n1", "s1"]}}),
        (AnyToken("a", ("u1",)), {"terms": {"_dynalens.dates.a": ["u1"]}}),
        (
            AnyToken("a", ("u1", "n1")),
            either({"terms": {"_dynalens.exact.a": ["n1"]}}, {"terms": {"_dynalens.dates.a": ["u1"]}}),
        ),
        (AnyToken("a", ()), NONE),
        (TokenBeginning("a", "sx"), {"prefix": {"_dynalens.exact.a": {"value": "sx"}}}),
        (TokenBeginning("a", "ux"), {"prefix": {"_dynalens.dates.a": {"value": "ux"}}}),
        (Between("a", "n1", "o", (True, False)), {"range": {"_dynalens.exact.a": {"gte": "n1", "lt": "o"}}}),
        (Between("a", "s", "sx", (False, True)), {"range": {"_dynalens.exact.a": {"gt": "s", "lte": "sx"}}}),
        (Between("a", "u1", "v", (True, False)), {"range": {"_dynalens.dates.a": {"gte": "u1", "lt": "v"}}}),
        (Between("a", None, "u", (True, False)), {"range": {"_dynalens.exact.a": {"lt": "u"}}}),
        (
            Between("a", "s1", None, (True, True)),
            either(
                {"range": {"_dynalens.exact.a": {"gte": "s1"}}},
                {"range": {"_dynalens.dates.a": {"gte": "s1"}}},
            ),
        ),
        (Has("a.b"), {"exists": {"field": "_dynalens.exact.a/b"}}),
        (
            Has("a", below=True),
            either({"exists": {"field": "_dynalens.exact.a"}}, {"exists": {"field": "_dynalens.exact.a/*"}}),
        ),
        (AnyId(("x", "y")), {"terms": {"_dynalens.id": ["x", "y"]}}),
    ],
)
def test_values(clause: Clause, query: dict[str, Any]) -> None:
    assert render(clause) == query


@pytest.mark.parametrize(
    ("clause", "query"),
    [
        (AnyToken("_id", ("sa-2d90", "n1")), {"terms": {"_dynalens.id": ["a-9"]}}),
        (TokenBeginning("_id", "sa-2d"), {"prefix": {"_dynalens.id": {"value": "a-"}}}),
        (TokenBeginning("_id", "ua"), NONE),
        (Between("_id", "sa-2d", "t", (False, False)), {"range": {"_dynalens.id": {"gt": "a-"}}}),
        (Between("_id", None, "sb", (True, True)), {"range": {"_dynalens.id": {"lte": "b"}}}),
        (Has("_id"), {"exists": {"field": "_dynalens.id"}}),
    ],
)
def test_ids_stand_as_they_are(clause: Clause, query: dict[str, Any]) -> None:
    assert render(clause) == query
