from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from dynalens.errors import QueryLimitError, RequestError
from dynalens.search import (
    AUTO,
    Anywhere,
    Bool,
    Boosted,
    Everything,
    Exists,
    Fuzzy,
    Ids,
    Match,
    MultiMatch,
    Nothing,
    Phrase,
    Prefix,
    Query,
    Range,
    Term,
    Terms,
)
from dynalens.search.dsl import read_query

A, B = Term("a", 1), Term("b", 2)
TERM_A: Mapping[str, Any] = {"term": {"a": 1}}
TERM_B: Mapping[str, Any] = {"term": {"b": 2}}


def read(query: object) -> Query:
    return read_query({"query": query})


@pytest.mark.parametrize(
    ("query", "node"),
    [
        ({"match_all": {}}, Everything()),
        ({"match_none": {}}, Nothing()),
        ({"match": {"a": "x y"}}, Match("a", "x y")),
        ({"match": {"a": 5}}, Match("a", 5)),
        ({"match": {"a": {"query": "x", "operator": "AND"}}}, Match("a", "x", "and")),
        ({"match": {"a": {"query": "x", "minimum_should_match": "75%"}}}, Match("a", "x", minimum="75%")),
        ({"match": {"a": {"query": "x", "minimum_should_match": "-1"}}}, Match("a", "x", minimum=-1)),
        ({"match": {"a": {"query": "x", "minimum_should_match": 2}}}, Match("a", "x", minimum=2)),
        ({"match": {"a": {"query": "x", "fuzziness": "AUTO"}}}, Match("a", "x", typos=AUTO)),
        ({"match": {"a": {"query": "x", "fuzziness": "AUTO:3,6"}}}, Match("a", "x", typos=AUTO)),
        ({"match": {"a": {"query": "x", "fuzziness": 1}}}, Match("a", "x", typos=1)),
        ({"match": {"a": {"query": "x", "fuzziness": "2"}}}, Match("a", "x", typos=2)),
        ({"match": {"a": {"query": "x", "lenient": True, "zero_terms_query": "none"}}}, Match("a", "x")),
        ({"match": {"a.keyword": "x y"}}, Term("a", "x y")),
        ({"match_phrase": {"a": "x y"}}, Phrase("a", "x y")),
        ({"match_phrase": {"a": {"query": "x y", "slop": 2}}}, Phrase("a", "x y", 2)),
        ({"match_phrase": {"a": 5}}, Term("a", 5)),
        ({"match_phrase": {"a.keyword": "x y"}}, Term("a", "x y")),
        ({"match_phrase_prefix": {"a": "x y"}}, Phrase("a", "x y", prefix=True)),
        ({"match_phrase_prefix": {"a.keyword": "x y"}}, Prefix("a", "x y")),
        ({"multi_match": {"query": "x"}}, MultiMatch("x")),
        ({"multi_match": {"query": "x", "fields": ["*"]}}, MultiMatch("x")),
        ({"multi_match": {"query": Decimal("1.50"), "fields": "a"}}, MultiMatch("1.50", (("a", 1.0),))),
        ({"multi_match": {"query": "x", "fields": ["a^2.5", "b"]}}, MultiMatch("x", (("a", 2.5), ("b", 1.0)))),
        ({"multi_match": {"query": "x", "fields": ["a^b"]}}, MultiMatch("x", (("a^b", 1.0),))),
        ({"multi_match": {"query": "x", "type": "most_fields"}}, MultiMatch("x", kind="most")),
        ({"multi_match": {"query": "x", "type": "cross_fields"}}, MultiMatch("x", kind="cross")),
        ({"multi_match": {"query": "x", "type": "phrase"}}, MultiMatch("x", kind="phrase")),
        ({"multi_match": {"query": "x", "type": "phrase_prefix"}}, MultiMatch("x", kind="phrase_prefix")),
        ({"multi_match": {"query": "x", "type": "bool_prefix"}}, MultiMatch("x", kind="bool_prefix")),
        ({"multi_match": {"query": "x", "tie_breaker": Decimal("0.3")}}, MultiMatch("x", tie_breaker=0.3)),
        ({"multi_match": {"query": "x", "operator": "and", "fuzziness": 1}}, MultiMatch("x", operator="and", typos=1)),
        ({"query_string": {"query": 'x "y z"', "default_field": "a"}}, Anywhere('x "y z"', ("a",))),
        (
            {"simple_query_string": {"query": "x, y's e-mail!", "fields": ["a", "b"]}},
            Anywhere("x, y's e-mail!", ("a", "b")),
        ),
        ({"query_string": {"query": '"AND: (all) of* it"', "default_operator": "OR"}}, Anywhere('"AND: (all) of* it"')),
        ({"query_string": {"query": "*:*"}}, Everything()),
        ({"term": {"a": 1}}, A),
        ({"term": {"a": {"value": "x"}}}, Term("a", "x")),
        ({"term": {"a": True}}, Term("a", value=True)),
        ({"term": {"a.keyword": "x"}}, Term("a", "x")),
        ({"term": {"a.keyword.keyword": "x"}}, Term("a.keyword", "x")),
        ({"term": {"keyword": "x"}}, Term("keyword", "x")),
        ({"term": {"_id": 5}}, Ids(("5",))),
        ({"terms": {"a": [1, "x", True]}}, Terms("a", (1, "x", True))),
        ({"terms": {"a": [1], "boost": 2}}, Boosted(Terms("a", (1,)), 2)),
        ({"terms": {"boost": [1]}}, Terms("boost", (1,))),
        ({"terms": {"a": []}}, Nothing()),
        ({"terms": {"_id": ["x", 5]}}, Ids(("x", "5"))),
        ({"ids": {"values": ["x", 5]}}, Ids(("x", "5"))),
        ({"ids": {"values": "x"}}, Ids(("x",))),
        ({"ids": {"values": []}}, Nothing()),
        ({"range": {"a": {"gt": 1, "lte": Decimal("2.5")}}}, Range("a", gt=1, lte=Decimal("2.5"))),
        ({"range": {"a": {"gte": "2026-01-01", "lt": None}}}, Range("a", gte="2026-01-01")),
        ({"range": {"a": {"lte": "2026-01||/M"}}}, Range("a", lte="2026-01-31T23:59:59Z")),
        ({"range": {"a": {"lt": "2026-01-15||/M"}}}, Range("a", lt="2026-01-01T00:00:00.000000Z")),
        ({"range": {"a": {}}}, Exists("a")),
        ({"prefix": {"a": "x"}}, Prefix("a", "x")),
        ({"prefix": {"a.keyword": {"value": "x"}}}, Prefix("a", "x")),
        ({"fuzzy": {"a": "x"}}, Fuzzy("a", "x")),
        (
            {"fuzzy": {"a": {"value": "x", "fuzziness": 1, "prefix_length": 2, "transpositions": False}}},
            Fuzzy("a", "x", 1, 2, transpositions=False),
        ),
        ({"exists": {"field": "a.b"}}, Exists("a.b")),
        ({"exists": {"field": "a.keyword"}}, Exists("a")),
        ({"exists": {"field": "_id"}}, Everything()),
        ({"constant_score": {"filter": TERM_A, "boost": Decimal("1.5")}}, Boosted(A, 1.5, constant=True)),
        ({"constant_score": {"filter": TERM_A}}, Boosted(A, 1.0, constant=True)),
        ({"term": {"a": {"value": 1, "boost": 3}}}, Boosted(A, 3)),
        ({"term": {"a": {"value": 1, "boost": 1}}}, A),
        ({"match_all": {"boost": 2}}, Boosted(Everything(), 2)),
        ({"bool": {}}, Everything()),
        ({"bool": {"must": [], "should": []}}, Everything()),
        ({"bool": {"must": TERM_A, "must_not": [TERM_B]}}, Bool(must=(A,), must_not=(B,))),
        ({"bool": {"filter": [TERM_A], "should": [TERM_B], "boost": 2}}, Boosted(Bool(filter=(A,), should=(B,)), 2)),
        ({"bool": {"should": [TERM_A, TERM_B], "minimum_should_match": "50%"}}, Bool(should=(A, B), minimum=1)),
        ({"bool": {"should": [TERM_A, TERM_B], "minimum_should_match": -1}}, Bool(should=(A, B), minimum=1)),
        ({"bool": {"should": [TERM_A, TERM_B], "minimum_should_match": 0}}, Bool(should=(A, B))),
    ],
    ids=str,
)
def test_every_supported_form_is_read(query: object, node: Query) -> None:
    assert read(query) == node


@pytest.mark.parametrize(
    ("query", "place", "advice"),
    [
        (5, "query is a number", "one query"),
        ({}, "query is empty", "one query"),
        ({"term": {"a": 1}, "match": {"b": 1}}, "query has 2 members", "bool"),
        ({"mach": {"a": 1}}, "query.mach ", "Did you mean match?"),
        ({"zzz": {}}, "query.zzz ", "match_all"),
        ({"geo_shape": {}}, "query.geo_shape ", "geo_bounding_box"),
        ({"wildcard": {"a": "x*"}}, "query.wildcard ", "prefix"),
        ({"nested": {}}, "query.nested ", "path"),
        ({"match": {}}, "query.match is empty", "one field"),
        ({"match": {"a": "x", "b": "y"}}, "query.match has 2 members", "bool"),
        ({"match": {"": "x"}}, "query.match. is empty", "path of a field"),
        ({"match": {"a": ["x"]}}, "query.match.a is a list", "one text"),
        ({"match": {"a": {"operator": "and"}}}, "query.match.a lacks query", '"query"'),
        ({"match": {"a": {"query": "x", "operator": "xor"}}}, "query.match.a.operator ", "or, and"),
        ({"match": {"a": {"query": "x", "oprator": "or"}}}, "query.match.a.oprator ", "Did you mean operator?"),
        ({"match": {"a": {"query": "x", "_name": "n"}}}, "query.match.a._name ", "Leave it out"),
        ({"match": {"a": {"query": "x", "analyzer": "n"}}}, "query.match.a.analyzer ", "Leave it out"),
        ({"match": {"a": {"query": "x", "prefix_length": 2}}}, "query.match.a.prefix_length ", "write 0"),
        ({"match": {"a": {"query": "x", "prefix_length": False}}}, "query.match.a.prefix_length ", "write 0"),
        ({"match": {"a": {"query": "x", "fuzzy_transpositions": False}}}, "fuzzy_transpositions ", "write true"),
        ({"match": {"a": {"query": "x", "zero_terms_query": "all"}}}, "zero_terms_query ", "write none"),
        ({"match": {"a": {"query": "x", "fuzziness": "AUTO:1,2"}}}, "query.match.a.fuzziness ", "auto"),
        ({"match": {"a": {"query": "x", "fuzziness": True}}}, "query.match.a.fuzziness ", "text in quotes"),
        ({"match": {"a": {"query": "x", "minimum_should_match": "3<75%"}}}, "minimum_should_match is", "75%"),
        ({"match": {"a": {"query": "x", "minimum_should_match": True}}}, "minimum_should_match is", "number from"),
        (
            {"match": {"a": {"query": "x", "operator": "and", "minimum_should_match": 1}}},
            "minimum_should_match ",
            "all",
        ),
        ({"match": {"a.keyword": {"query": "x", "fuzziness": 1}}}, "fuzziness ", "without .keyword"),
        ({"match": {"_index": "x"}}, "query.match._index ", "one collection"),
        ({"match": {"a": "\ud800"}}, "query.match.a holds half a character", "Unicode"),
        ({"match": {"\ud800": "x"}}, "query.match: the name '?'", "Unicode"),
        ({"match_phrase": {"a": {"query": "x", "slop": True}}}, "query.match_phrase.a.slop is true or false", "number"),
        ({"multi_match": {"fields": ["a"]}}, "query.multi_match lacks query", "query"),
        ({"multi_match": {"query": "x", "fields": ["a*"]}}, "query.multi_match.fields[0] is a pattern", '["*"]'),
        ({"multi_match": {"query": "x", "fields": ["a.keyword"]}}, "fields[0] asks for words", "without .keyword"),
        ({"multi_match": {"query": "x", "type": "best"}}, "query.multi_match.type ", "best_fields"),
        ({"multi_match": {"query": "x", "type": "cross_fields", "fuzziness": 1}}, "fuzziness ", "best_fields"),
        ({"multi_match": {"query": "x", "type": "most_fields", "tie_breaker": 0}}, "tie_breaker ", "best_fields"),
        ({"multi_match": {"query": "x", "tie_breaker": 2}}, "tie_breaker is out of range", "from 0 to 1"),
        ({"term": {"a": None}}, "query.term.a is null", "exists"),
        ({"term": {"a": {"value": 1, "case_insensitive": True}}}, "query.term.a.case_insensitive ", "Leave it out"),
        ({"term": {"a": {"value": 1, "boost": True}}}, "query.term.a.boost is true or false", "number"),
        ({"term": {"a": {"value": 1, "boost": -1}}}, "query.term.a.boost is out of range", "from 0"),
        ({"term": {"a": Decimal("NaN")}}, "query.term.a is no finite number", "digits"),
        ({"terms": {"a": "x"}}, "query.terms.a is the text 'x'", "list"),
        ({"terms": {"a": [None]}}, "query.terms.a[0] is null", "exists"),
        ({"terms": {"a": {"index": "i", "id": "1", "path": "p"}}}, "query.terms.a looks", "list"),
        ({"terms": {"a": [1], "_name": "n"}}, "query.terms._name ", "Leave it out"),
        ({"ids": {"type": "t", "values": []}}, "query.ids.type ", "Leave it out"),
        ({"ids": {"values": [True]}}, "query.ids.values[0] ", "text"),
        ({"range": {"a": {"gt": 1, "gte": 1}}}, "query.range.a has both gt and gte", "one of them"),
        ({"range": {"a": {"gt": 1, "lt": "x"}}}, "query.range.a has a number and a text", "both"),
        ({"range": {"a": {"gt": True}}}, "query.range.a.gt is true or false", "date"),
        ({"range": {"a": {"from": 1}}}, "query.range.a.from ", "gte"),
        ({"range": {"a": {"gt": 1, "format": "yyyy"}}}, "query.range.a.format ", "ISO 8601"),
        ({"range": {"a": {"gt": 1, "time_zone": "+01:00"}}}, "query.range.a.time_zone ", "+01:00"),
        ({"range": {"a": {"gt": "now-8x"}}}, "query.range.a.gt is the text 'now-8x', which is no date", "now-7d"),
        ({"range": {"_id": {"gt": "a"}}}, "query.range._id ", "ids"),
        ({"prefix": {"a": 5}}, "query.prefix.a is a number", "quotes"),
        ({"prefix": {"_id": "a"}}, "query.prefix._id ", "ids"),
        ({"fuzzy": {"a.keyword": "x"}}, "asks for typos in whole values", "without .keyword"),
        ({"exists": {}}, "query.exists lacks field", "field"),
        ({"constant_score": {"query": TERM_A}}, "query.constant_score.query ", "filter"),
        ({"bool": {"must": [TERM_A, {"match": {"title": None}}]}}, "query.bool.must[1].match.title is null", "exists"),
        ({"bool": {"must": [{}]}}, "query.bool.must[0] is empty", "one query"),
        ({"bool": {"mustnt": []}}, "query.bool.mustnt ", "must_not"),
        ({"bool": {"must": [TERM_A], "adjust_pure_negative": False}}, "adjust_pure_negative ", "true"),
    ],
    ids=str,
)
def test_an_error_names_the_place_and_says_what_to_write(query: object, place: str, advice: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(query)
    assert place in caught.value.message
    assert advice in caught.value.hint
    assert not isinstance(caught.value, QueryLimitError)


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ("title:red", "field:value"),
        ("red AND blue", "AND"),
        ("NOT red", "NOT"),
        ("red || blue", "OR"),
        ("re*", "wildcards"),
        ("re?d", "wildcards"),
        ("red~1", "~"),
        ("red^2", "^"),
        ("(red)", "parentheses"),
        ("[1 TO 5]", "ranges"),
        ("+red", "+"),
        ("red -blue", "-"),
        ("/re/", "regular"),
        ("a\\ b", "escapes"),
        ('red "blue', "quote"),
    ],
)
def test_operators_of_lucene_are_refused_by_name(text: str, operator: str) -> None:
    with pytest.raises(RequestError) as caught:
        read({"query_string": {"query": text}})
    assert caught.value.message.startswith("query.query_string.query ")
    assert operator in caught.value.message
    assert caught.value.hint


def test_query_string_takes_no_weights_and_not_all_words() -> None:
    with pytest.raises(RequestError, match="weights"):
        read({"query_string": {"query": "x", "fields": ["a^2"]}})
    with pytest.raises(RequestError, match="default_operator"):
        read({"query_string": {"query": "x", "default_operator": "AND"}})
    with pytest.raises(RequestError, match="default_field"):
        read({"query_string": {"query": "x", "fields": ["a"], "default_field": "b"}})


def boosted(outer: int, inner: int) -> dict[str, Any]:
    return {"bool": {"boost": outer, "must": [{"multi_match": {"query": "x", "fields": [f"a^{inner}"]}}]}}


def nested(levels: int) -> dict[str, Any]:
    query: dict[str, Any] = {"match_all": {}}
    for _ in range(levels - 1):
        query = {"bool": {"must": [query]}}
    return query


@pytest.mark.parametrize(
    ("within", "beyond", "limit"),
    [
        (nested(20), nested(21), "20 queries"),
        ({"bool": {"must": [TERM_A] * 1023}}, {"bool": {"must": [TERM_A] * 1024}}, "1024 clauses"),
        (
            {"bool": {"must": [{"bool": {"must": [TERM_A] * 510}}] * 2}},
            {"bool": {"must": [{"bool": {"must": [TERM_A] * 511}}] * 2}},
            "1024 clauses",
        ),
        ({"terms": {"a": [1] * 10_000}}, {"terms": {"a": [1] * 10_001}}, "10000 values"),
        ({"ids": {"values": ["x"] * 10_000}}, {"ids": {"values": ["x"] * 10_001}}, "10000 values"),
        ({"match": {"a": "x" * 10_000}}, {"match": {"a": "x" * 10_001}}, "10000 characters"),
        ({"match": {"x" * 1000: "a"}}, {"match": {"x" * 1001: "a"}}, "1000 characters"),
        (boosted(1000, 1000), boosted(1000, 1001), "1000000 as the product of boosts"),
        ({"term": {"a": 10**399}}, {"term": {"a": 10**410}}, "400 digits"),
        ({"term": {"a": Decimal("1e399")}}, {"term": {"a": Decimal("1e999999999")}}, "400 digits"),
        (
            {"multi_match": {"query": "x", "fields": ["a"] * 100}},
            {"multi_match": {"query": "x", "fields": ["a"] * 101}},
            "100 fields",
        ),
    ],
    ids=["depth", "clauses", "clauses-nested", "terms", "ids", "text", "field", "boosts", "int", "decimal", "fields"],
)
def test_a_limit_is_named_where_it_is_passed(within: object, beyond: object, limit: str) -> None:
    read(within)
    with pytest.raises(QueryLimitError) as caught:
        read(beyond)
    assert limit in caught.value.message
    assert caught.value.hint
