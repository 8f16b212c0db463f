from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynalens.errors import DynalensError, QueryLimitError, RequestError
from dynalens.search import ID, SCORE, Highlight, SearchRequest, SortKey, Term
from dynalens.search.dsl import Body, SourceFilter, read_body, read_query

TITLE: Mapping[str, Any] = {"title": {}}


def test_an_empty_body_asks_for_the_first_ten_of_everything_counted_exactly() -> None:
    assert read_body({}) == Body(SearchRequest(), SourceFilter(), total=True)


def test_a_whole_body_is_read() -> None:
    body = read_body(
        {
            "query": {"term": {"a": 1}},
            "from": 20,
            "size": 5,
            "sort": ["_score", {"b": "desc"}],
            "highlight": {"fields": TITLE},
            "_source": ["a"],
            "track_total_hits": 1000,
            "min_score": Decimal("0.5"),
            "timeout": "5s",
            "track_scores": True,
        }
    )
    request = SearchRequest(
        query=Term("a", 1),
        offset=20,
        size=5,
        sort=(SortKey(SCORE), SortKey("b", descending=True)),
        highlight=Highlight(fields=("title",)),
        min_score=0.5,
    )
    assert body == Body(request, SourceFilter(("a",)), total=1000)


@pytest.mark.parametrize(
    ("sort", "keys"),
    [
        ("a", [SortKey("a")]),
        (["a.keyword"], [SortKey("a")]),
        ([{"a": "desc"}, "b"], [SortKey("a", descending=True), SortKey("b")]),
        ({"a": "asc", "b": "DESC"}, [SortKey("a"), SortKey("b", descending=True)]),
        ([{"a": {"order": "desc", "missing": "_first"}}], [SortKey("a", descending=True, missing_first=True)]),
        ([{"a": {"missing": "_last", "unmapped_type": "long", "mode": "min"}}], [SortKey("a")]),
        ([{"a": {"order": "desc", "mode": "max"}}], [SortKey("a", descending=True)]),
        ([{"_score": "desc"}], [SortKey(SCORE)]),
        ([{"_score": {}}], [SortKey(SCORE)]),
        (["_doc"], [SortKey(ID)]),
        ([{"_shard_doc": "desc"}], [SortKey(ID, descending=True)]),
        ([{"_id": "asc"}], [SortKey(ID)]),
        ([], []),
    ],
    ids=str,
)
def test_every_form_of_sort_is_read(sort: object, keys: list[SortKey]) -> None:
    assert read_body({"sort": sort}).request.sort == tuple(keys)


def test_search_after_goes_on_behind_a_hit() -> None:
    body = read_body({"sort": ["a", "_id"], "search_after": [None, "x"]})
    assert body.request.after == (None, "x")


@pytest.mark.parametrize(
    ("highlight", "read"),
    [
        ({"fields": TITLE}, Highlight(("title",))),
        ({"fields": [TITLE, {"te*": {}}]}, Highlight(("title", "te*"))),
        ({"fields": TITLE, "pre_tags": ["<b>", "<i>"], "post_tags": "</b>"}, Highlight(("title",), "<b>", "</b>")),
        ({"fields": {"title": {"number_of_fragments": 0}}}, Highlight(("title",), fragments=0)),
        (
            {"fields": {"title": {"fragment_size": 20}}, "fragment_size": 9},
            Highlight(("title",), fragment_characters=20),
        ),
        (
            {"fields": {"a": {"fragment_size": 9}, "b": {}}, "fragment_size": 9},
            Highlight(("a", "b"), fragment_characters=9),
        ),
        (
            {"fields": TITLE, "encoder": "html", "require_field_match": False, "type": "plain"},
            Highlight(("title",), escape=True, matched_only=False),
        ),
    ],
    ids=str,
)
def test_every_form_of_highlight_is_read(highlight: object, read: Highlight) -> None:
    assert read_body({"highlight": highlight}).request.highlight == read


@pytest.mark.parametrize("key", ["aggs", "aggregations"])
@pytest.mark.parametrize("nothing", [None, False, [], {}], ids=str)
def test_aggregations_may_be_none(key: str, nothing: object) -> None:
    assert read_body({key: nothing}) == read_body({})


@pytest.mark.parametrize("key", ["suggest", "fields", "post_filter", "version", "explain", "pit"])
def test_a_key_that_asks_for_nothing_is_no_error(key: str) -> None:
    asking_nothing: tuple[object, ...] = (None, False, [], {})
    for nothing in asking_nothing:
        assert read_body({key: nothing}) == read_body({})
    with pytest.raises(RequestError, match=f"^{key} is not supported"):
        read_body({key: {"x": {}}})


@pytest.mark.parametrize(
    ("body", "place", "advice"),
    [
        ({"collapse": {"field": "x"}}, "collapse ", "facet"),
        ({"qery": {}}, "qery is not supported", "Did you mean query?"),
        ({"version": True}, "version is not supported", "Leave it out"),
        ({"size": True}, "size is true or false", "from 0 to 10000"),
        ({"size": "10"}, "size is the text '10'", "from 0 to 10000"),
        ({"size": -1}, "size is too small", "from 0"),
        ({"from": Decimal("1.5")}, "from is a number, not a whole number", "from 0"),
        ({"track_total_hits": "yes"}, "track_total_hits is", "number"),
        ({"track_scores": 1}, "track_scores is a number", "true or false"),
        ({"timeout": 5}, "timeout is a number", "quotes"),
        ({"min_score": "1"}, "min_score is the text", "number"),
        ({"sort": 5}, "sort is a number", '"desc"'),
        ({"sort": [{}]}, "sort[0] is empty", '"desc"'),
        ({"sort": [{"a": "down"}]}, "sort[0].a is the text 'down'", "asc, desc"),
        ({"sort": [{"a": {"mode": "avg"}}]}, "sort[0].a.mode is not min", "Leave it out"),
        ({"sort": [{"a": {"missing": 0}}]}, "sort[0].a.missing is a number", "quotes"),
        ({"sort": [{"a": {"nested": {}}}]}, "sort[0].a.nested ", "path"),
        ({"sort": [{"_geo_distance": {}}]}, "sort[0]._geo_distance ", "field"),
        ({"sort": {"_score": "asc"}}, "sort._score is sorted worst first", "descending"),
        ({"search_after": [1]}, "search_after has 1 values, and sort 0 keys", "Write sort"),
        ({"sort": "a", "search_after": [1, 2]}, "search_after has 2 values, and sort 1 keys", "last hit"),
        ({"sort": "_score", "search_after": [1]}, "search_after goes on in an order by _score", "scroll"),
        ({"sort": "a", "search_after": [[]]}, "search_after[0] is a list", "one text"),
        ({"sort": "a", "search_after": [1], "from": 1}, "from cannot stand beside search_after", "Leave it out"),
        ({"highlight": {}}, "highlight lacks fields", "fields"),
        ({"highlight": {"fields": {}}}, "highlight.fields is empty", "title"),
        ({"highlight": {"fields": ["title"]}}, "highlight.fields[0] is the text", "title"),
        ({"highlight": {"fields": {"a": {"fragment_size": 9}, "b": {}}}}, "highlight.fields have different", "beside"),
        ({"highlight": {"fields": {"a.keyword": {}}}}, "highlight.fields.a.keyword asks", "without .keyword"),
        ({"highlight": {"fields": TITLE, "highlight_query": {}}}, "highlight.highlight_query ", "words of the query"),
        ({"highlight": {"fields": TITLE, "type": "semantic"}}, "highlight.type ", "unified"),
        ({"highlight": {"fields": TITLE, "order": "score"}}, "highlight.order ", "none"),
        ({"highlight": {"fields": TITLE, "pre_tags": []}}, "highlight.pre_tags is an empty list", "<em>"),
        ({"_source": 5}, "_source is a number", "quotes"),
        ({"_source": {"include": ["a"], "includes": ["b"]}}, "_source.include stands beside", "includes alone"),
        ({"_source": {"only": ["a"]}}, "_source.only ", "includes"),
    ],
    ids=str,
)
def test_an_error_names_the_place_and_says_what_to_write(body: Mapping[str, object], place: str, advice: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_body(body)
    assert caught.value.message.startswith(place)
    assert advice in caught.value.hint
    assert not isinstance(caught.value, QueryLimitError)


@pytest.mark.parametrize(
    ("within", "beyond", "limit"),
    [
        ({"size": 10_000}, {"size": 10_001}, "10000"),
        ({"from": 9_990}, {"from": 9_991}, "10000 hits together"),
        ({"sort": ["a"] * 10}, {"sort": ["a"] * 11}, "10 sort keys"),
        ({"_source": ["a"] * 100}, {"_source": ["a"] * 101}, "100 paths"),
        (
            {"highlight": {"fields": TITLE, "number_of_fragments": 100}},
            {"highlight": {"fields": TITLE, "number_of_fragments": 101}},
            "100",
        ),
        (
            {"highlight": {"fields": TITLE, "fragment_size": 10_000}},
            {"highlight": {"fields": TITLE, "fragment_size": 10_001}},
            "10000",
        ),
        (
            {"highlight": {"fields": TITLE, "pre_tags": ["x" * 200]}},
            {"highlight": {"fields": TITLE, "pre_tags": ["x" * 201]}},
            "200 characters",
        ),
    ],
    ids=["size", "window", "sort", "source", "fragments", "fragment", "tag"],
)
def test_a_limit_is_named_where_it_is_passed(
    within: Mapping[str, object], beyond: Mapping[str, object], limit: str
) -> None:
    read_body(within)
    with pytest.raises(QueryLimitError) as caught:
        read_body(beyond)
    assert limit in str(caught.value)
    assert caught.value.hint


def test_a_count_takes_a_query_alone() -> None:
    assert read_query({"query": {"term": {"a": 1}}}) == Term("a", 1)
    with pytest.raises(RequestError) as caught:
        read_query({"size": 5})
    assert caught.value.message == "size is not supported."
    assert "not in a count" in caught.value.hint


WORDS = """
query from size sort highlight _source search_after min_score bool must should filter must_not match multi_match
match_phrase match_phrase_prefix term terms range prefix fuzzy exists ids constant_score query_string match_all fields
field values value boost gt gte lt lte fuzziness minimum_should_match type operator order missing mode includes
excludes pre_tags slop track_total_hits a a.keyword _id _score _doc
"""
NAMES = st.sampled_from(WORDS.split()) | st.text(max_size=3)
TEXTS = NAMES | st.sampled_from(
    ["now-1d/d", "now/", "2026||+1M", "75%", "-1", "AUTO", "*", "a^2", "a:*", '"', "\ud800"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.decimals() | TEXTS
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)
QUERIES = [
    "bool",
    "constant_score",
    "exists",
    "fuzzy",
    "ids",
    "match",
    "match_phrase",
    "match_phrase_prefix",
    "multi_match",
]
QUERIES += ["prefix", "query_string", "range", "term", "terms"]


@given(body=st.dictionaries(NAMES, JSON, max_size=4))
def test_any_json_is_read_or_refused(body: Mapping[str, object]) -> None:
    answered_or_refused(body)


@given(name=st.sampled_from(QUERIES), field=NAMES, inner=JSON)
def test_any_json_within_a_query_is_read_or_refused(name: str, field: str, inner: object) -> None:
    answered_or_refused({"query": {name: inner}})
    answered_or_refused({"query": {name: {field: inner}}})


@given(name=st.sampled_from(["sort", "highlight", "_source", "search_after"]), inner=JSON)
def test_any_json_within_a_part_is_read_or_refused(name: str, inner: object) -> None:
    answered_or_refused({name: inner, "sort": "a"} if name == "search_after" else {name: inner})
    answered_or_refused({"highlight": {"fields": inner}, "sort": [inner]})


def answered_or_refused(body: Mapping[str, object]) -> None:
    try:
        read = read_body(body)
    except DynalensError as error:
        assert error.hint  # noqa: PT017 - an answer is as welcome as an error
        assert str(error).encode()  # noqa: PT017 - what is raised can be sent
    else:
        assert isinstance(read.request, SearchRequest)
        read.source.apply(b'{"a": 1}')
