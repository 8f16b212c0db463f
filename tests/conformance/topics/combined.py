"""Queries within queries: bool, constant_score, boosts, scores and min_score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from tests.conformance.case import Case, query

DOCUMENTS: Mapping[str, Mapping[str, object]] = {
    "k1": {"size": 1, "color": "red", "made": "wood"},
    "k2": {"size": 2, "color": "red", "made": "steel"},
    "k3": {"size": 3, "color": "blue", "made": "wood"},
    "k4": {"size": 4, "color": "blue", "made": "steel"},
    "k5": {"size": 5, "made": "glass"},
}

_RED, _WOOD, _STEEL = {"term": {"color": "red"}}, {"term": {"made": "wood"}}, {"term": {"made": "steel"}}
_LARGE = {"range": {"size": {"gte": 3}}}
_OURS = {"term": {"topic": "combined"}}


def _bool(name: str, *hits: str, **clauses: Any) -> Case:  # noqa: ANN401 - any JSON
    return Case(name, query({"bool": clauses}), hits=set(hits))


def _worth(of: Mapping[str, Any], boost: float) -> dict[str, Any]:
    return {"constant_score": {"filter": of, "boost": boost}}


_BOOSTED = {"bool": {"should": [_worth(_RED, 1), _worth(_WOOD, 2), _worth({"term": {"size": 4}}, 8)]}}

CASES: Sequence[Case] = [
    _bool("must", "k1", must=[_RED, _WOOD]),
    _bool("must of one", "k1", "k2", must=_RED),
    _bool("should alone asks for one", "k1", "k2", "k3", should=[_RED, _WOOD]),
    _bool("should beside must asks for none", "k1", "k2", must=_RED, should=_WOOD),
    _bool("should beside filter asks for none", "k1", "k2", filter=_RED, should=_WOOD),
    _bool("unless told", "k1", filter=_RED, should=[_WOOD, _LARGE], minimum_should_match=1),
    _bool("two of three", "k1", "k3", should=[_RED, _WOOD, _LARGE], minimum_should_match=2),
    _bool("all but one", "k1", "k3", should=[_RED, _WOOD, _LARGE], minimum_should_match=-1),
    _bool("two thirds", "k1", "k3", should=[_RED, _WOOD, _LARGE], minimum_should_match="67%"),
    _bool("more than there are", should=[_RED, _WOOD], minimum_should_match=3),
    _bool("must not", "k3", "k4", "k5", filter=_OURS, must_not=_RED),
    _bool("must not any", "k4", "k5", filter=_OURS, must_not=[_RED, _WOOD]),
    _bool("all at once", "k4", must=_OURS, filter=_LARGE, must_not=_WOOD, should=[_STEEL], minimum_should_match=1),
    _bool(
        "bool within bool",
        "k1",
        "k4",
        "k5",
        filter=_OURS,
        must_not={
            "bool": {"should": [{"bool": {"must": [_RED, _STEEL]}}, {"bool": {"must": [_WOOD], "must_not": [_RED]}}]}
        },
    ),
    _bool("nothing within bool", must=[_OURS, {"match_none": {}}]),
    Case("nothing", query({"match_none": {}}), hits=set()),
    Case("higher boosts first", query(_BOOSTED), hits=["k4", "k1", "k3", "k2"], scores=[8, 3, 2, 1]),
    Case(
        "boosts multiply",
        query({"bool": {"must": _BOOSTED, "boost": Decimal("0.5")}}, size=2),
        hits=["k4", "k1"],
        total=4,
        scores=[4, 1.5],
    ),
    Case("from a score on", query(_BOOSTED, min_score=2), hits=["k4", "k1", "k3"], scores=[8, 3, 2]),
    Case("from a score on, a part", query(_BOOSTED, min_score=2, size=1, **{"from": 1}), hits=["k1"], total=3),
    Case("from a score on that none has", query(_BOOSTED, min_score=100), hits=set()),
    Case("filters give no score", query({"bool": {"filter": _RED}}), hits={"k1", "k2"}, scores=[0, 0]),
    Case("one score for all", query(_worth(_RED, 7)), hits={"k1", "k2"}, scores=[7, 7]),
    Case(
        "a range scores one",
        query({"bool": {"must": [_OURS, {"range": {"size": {"gt": 4, "boost": 3}}}]}}),
        hits={"k5"},
        scores=[4],
    ),
]
