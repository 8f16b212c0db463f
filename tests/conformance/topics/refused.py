"""What cannot be answered: the same error, with the same hint, whatever the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dynalens.errors import QueryLimitError, RequestError
from tests.conformance.case import Case, Refused, query

DOCUMENTS: Mapping[str, Mapping[str, object]] = {}


def _wrong(name: str, ask: Mapping[str, Any] | str, hint: str) -> Case:
    return Case(name, ask, refused=Refused(error=RequestError, hint=hint))


def _beyond(name: str, ask: Mapping[str, Any] | str, hint: str) -> Case:
    return Case(name, ask, refused=Refused(error=QueryLimitError, hint=hint))


_NO_MIN_SCORE = "Leave out min_score."

_UNKNOWN = [
    _wrong("an unknown query", query({"wildcard": {"a": "b*"}}), "Write prefix, match or fuzzy."),
    _wrong("a misspelt query", query({"mach": {"a": "b"}}), "Did you mean match?"),
    _wrong("an unknown key", {"querry": {}}, "Did you mean query?"),
    _wrong(
        "an unknown option",
        query({"match": {"a": {"query": "b", "analyzer": "x"}}}),
        "Leave it out: words are found in one way in all fields.",
    ),
    _wrong("an unknown parameter", "facets=a", "Did you mean facet?"),
    _wrong(
        "operators of Lucene",
        query({"query_string": {"query": "a AND b"}}),
        'Write plain words and "phrases in quotes"; for more, write a bool query in the body of a POST.',
    ),
]

_IMPOSSIBLE = [
    _wrong(
        "a phrase with slop that goes on",
        query({"match_phrase_prefix": {"a": {"query": "b c", "slop": 1}}}),
        "Leave out slop, or ask with match_phrase.",
    ),
    _wrong("min_score in another order", query({"match_all": {}}, min_score=1, sort="a"), _NO_MIN_SCORE),
    _wrong(
        "bounds of two types",
        query({"range": {"a": {"gte": 1, "lt": "b"}}}),
        "Write both as numbers, or both as texts.",
    ),
    _wrong(
        "a bound that is a boolean",
        query({"range": {"a": {"gte": True}}}),
        "Write a number, a text or a date such as 2026-01-31.",
    ),
    _wrong("two lower bounds", query({"range": {"a": {"gt": 1, "gte": 1}}}), "Write one of them."),
    _wrong("ids by their order", query({"range": {"_id": {"gt": "a"}}}), "Write term, terms or ids for ids."),
    _wrong(
        "going on without its keys",
        query({"match_all": {}}, sort=["a", "_id"], search_after=[1]),
        "Write sort, and the sort values of the last hit as they are in the answer.",
    ),
    _wrong(
        "going on by score", query({"match_all": {}}, sort=["_score"], search_after=[1]), "Sort by fields, or scroll."
    ),
    _wrong(
        "a filter without a field",
        "filter=a",
        "Write filter=field:value, for example filter=platform:Phone or filter=amount:>=10.",
    ),
    _wrong(
        "a null to equal",
        query({"term": {"a": None}}),
        'Write {"bool": {"must_not": {"exists": {"field": …}}}} for documents without a value.',
    ),
]

_LIMITS = [
    _beyond("hits beyond 10,000", {"from": 9_999, "size": 2}, "Go on by sort and search_after, or scroll."),
    _beyond("hits beyond 10,000 by a URL", "from=10000&size=1", "Go on by sort and search_after, or scroll."),
    _beyond(
        "more words than a box takes",
        "q=" + "+".join(f"w{number}" for number in range(33)),
        "Leave out words, or ask for them with a match query.",
    ),
    _beyond(
        "more words than a text takes",
        query({"match": {"a": " ".join(f"w{number}" for number in range(257))}}),
        "Write fewer words.",
    ),
    _beyond("a prefix of 257 characters", query({"prefix": {"a": "x" * 257}}), "Write a shorter beginning."),
    _beyond("a bound of 257 characters", query({"range": {"a": {"gte": "x" * 257}}}), "Write a shorter bound."),
    _beyond("a text of 10,001 characters", query({"term": {"a": "x" * 10_001}}), "Write a shorter text."),
    _beyond("10,001 values", query({"terms": {"a": list(range(10_001))}}), "Ask in several searches."),
    _beyond("1,001 values of a facet", "facet=a:1001", "Write at most 1000."),
    _beyond(
        "21 facets", "facet=" + ",".join(f"f{number}" for number in range(21)), "Ask for fewer, or in several searches."
    ),
    _beyond("11 sort keys", {"sort": [f"f{number}" for number in range(11)]}, "Sort by fewer fields."),
]

CASES: Sequence[Case] = [*_UNKNOWN, *_IMPOSSIBLE, *_LIMITS]
