"""Orders: several keys, both ways, documents without a value first or last, parts of all hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.conformance.case import Case, query

DOCUMENTS: Mapping[str, Mapping[str, object]] = {
    "o-ada": {"grade": 1, "team": "red", "marks": [3, 9]},
    "o-bob": {"grade": 2, "team": "blue", "marks": [5]},
    "o-cyd": {"grade": 2, "team": "red", "marks": []},
    "o-dan": {"grade": 3, "team": "blue", "marks": [1, 7]},
    "o-eve": {"team": "red", "marks": 6},
    "o-fay": {"grade": None, "team": "green"},
    "o-gus": {"grade": 1, "marks": [9, 2]},
}
_OURS = {"term": {"topic": "orders"}}
_BY_GRADE = ["o-ada", "o-gus", "o-bob", "o-cyd", "o-dan"]


def _sorted(name: str, sort: object, hits: str) -> Case:
    return Case(name, query(_OURS, sort=sort), hits=[f"o-{hit}" for hit in hits.split()])


def _by_url(name: str, sort: str, hits: str) -> Case:
    return Case(name, f"filter=topic:orders&sort={sort}", hits=[f"o-{hit}" for hit in hits.split()])


CASES: Sequence[Case] = [
    _sorted("rising, ties by id", "grade", "ada gus bob cyd dan eve fay"),
    _sorted("falling, ties by id", {"grade": "desc"}, "dan bob cyd ada gus eve fay"),
    _sorted("ties by id, falling", [{"grade": "asc"}, {"_id": "desc"}], "gus ada cyd bob dan fay eve"),
    _sorted("missing first", {"grade": {"missing": "_first"}}, "eve fay ada gus bob cyd dan"),
    _sorted("missing first, falling", {"grade": {"order": "desc", "missing": "_first"}}, "eve fay dan bob cyd ada gus"),
    _sorted("two keys", ["team", {"grade": "desc"}], "dan bob fay cyd ada eve gus"),
    _sorted(
        "three keys",
        [{"team": {"order": "desc", "missing": "_first"}}, {"grade": {"missing": "_first"}}, "_id"],
        "gus eve ada cyd fay bob dan",
    ),
    _sorted("lists by their least", "marks", "dan gus ada bob eve cyd fay"),
    _sorted("lists by their greatest", {"marks": {"order": "desc", "mode": "max"}}, "ada gus dan eve bob cyd fay"),
    _sorted("by id", "_id", "ada bob cyd dan eve fay gus"),
    _sorted("by id, falling", {"_id": "desc"}, "gus fay eve dan cyd bob ada"),
    _sorted("in any order: by id", "_doc", "ada bob cyd dan eve fay gus"),
    _sorted("by a field that none has", "nothing.here", "ada bob cyd dan eve fay gus"),
    _sorted("by a keyword", "team.keyword", "bob dan fay ada cyd eve gus"),
    _sorted("equal scores, then a field", ["_score", {"team": "desc"}], "ada cyd eve fay bob dan gus"),
    _by_url("by a URL", "grade", "ada gus bob cyd dan eve fay"),
    _by_url("falling by a URL", "-grade", "dan bob cyd ada gus eve fay"),
    _by_url("several keys by a URL", "team:desc,-_id", "eve cyd ada fay dan bob gus"),
    Case(
        "sort values, null where there is none",
        query(_OURS, sort=["team", {"marks": "desc"}, "_id"], size=4),
        hits=["o-dan", "o-bob", "o-fay", "o-ada"],
        total=7,
        sort=[("blue", 7, "o-dan"), ("blue", 5, "o-bob"), ("green", None, "o-fay"), ("red", 9, "o-ada")],
    ),
    Case("a part in the middle", query(_OURS, sort="grade", size=3, **{"from": 1}), hits=_BY_GRADE[1:4], total=7),
    Case("a part at the end", query(_OURS, sort="grade", size=5, **{"from": 5}), hits=["o-eve", "o-fay"], total=7),
    Case("a part behind the end", query(_OURS, sort="grade", **{"from": 7}), hits=[], total=7),
    Case("no hits, but their number", query(_OURS, size=0), total=7),
    Case("a part by a URL", "filter=topic:orders&sort=grade&from=2&size=2", hits=["o-bob", "o-cyd"], total=7),
    Case(
        "best first, then by a field",
        query(
            {"bool": {"filter": _OURS, "should": {"constant_score": {"filter": {"term": {"team": "blue"}}}}}},
            sort=["_score", "grade"],
        ),
        hits=["o-bob", "o-dan", "o-ada", "o-gus", "o-cyd", "o-eve", "o-fay"],
    ),
    Case(
        "a field, then best first",
        query(
            {"bool": {"filter": _OURS, "should": {"constant_score": {"filter": {"term": {"team": "red"}}}}}},
            sort=[{"grade": "desc"}, "_score"],
        ),
        hits=["o-dan", "o-cyd", "o-bob", "o-ada", "o-gus", "o-eve", "o-fay"],
    ),
]
