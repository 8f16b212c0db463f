from __future__ import annotations

from decimal import Decimal
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynalens.errors import DynalensError, QueryLimitError, RequestError
from dynalens.search import (
    ID,
    SCORE,
    Anywhere,
    Bool,
    Everything,
    Facet,
    Highlight,
    Ids,
    Query,
    Range,
    SearchRequest,
    SortKey,
    Term,
    Terms,
)
from dynalens.search.parameters import read_parameters


def read(*parameters: tuple[str, str]) -> SearchRequest:
    return read_parameters(parameters)


def test_no_parameters_ask_for_everything() -> None:
    assert read() == SearchRequest()
    assert read(("q", "  ")).query == Everything()


def test_a_whole_url_is_read() -> None:
    url = (
        "q=red+shoes&fields=title,text&filter=brand:Acme&facet=brand:5,size&sort=-price&from=10&size=20&highlight=true"
    )
    assert read(*parse_qsl(url)) == SearchRequest(
        query=Bool(must=(Anywhere("red shoes", ("title", "text")),), filter=(Term("brand", "Acme"),)),
        offset=10,
        size=20,
        sort=(SortKey("price", descending=True),),
        highlight=Highlight(escape=True),
        facets=(Facet("brand", 5), Facet("size")),
    )


def test_words_in_q_are_never_operators() -> None:
    assert read(("q", "a:b AND (c*) -d")).query == Anywhere("a:b AND (c*) -d")
    assert read(("q", "x"), ("fields", "*")).query == Anywhere("x")
    assert read(("q", "x"), ("fields", r"a\,b,c.keyword")).query == Anywhere("x", ("a,b", "c.keyword"))


@pytest.mark.parametrize(
    ("filters", "queries"),
    [
        (["a:x"], [Term("a", "x")]),
        (["a:"], [Term("a", "")]),
        (["a:x:y z"], [Term("a", "x:y z")]),
        ([r"a\:b:x\y"], [Term("a:b", r"x\y")]),
        (["a.keyword:x"], [Term("a.keyword", "x")]),
        (['a:">=10"'], [Term("a", ">=10")]),
        ([r'a:"say \"hi\" \\"'], [Term("a", r'say "hi" ' + "\\")]),
        (["a:10"], [Term("a", "10")]),
        (["a:x", "a:y", "b:z"], [Terms("a", ("x", "y")), Term("b", "z")]),
        (["a:>=10"], [Range("a", gte=10)]),
        (["a:> 1.50"], [Range("a", gt=Decimal("1.50"))]),
        (["a:>=10", "a:<-1e2"], [Range("a", gte=10, lt=Decimal("-1e2"))]),
        (["a:<=m"], [Range("a", lte="m")]),
        (['a:>="10"'], [Range("a", gte="10")]),
        (["a:>=2026-01||/M"], [Range("a", gte="2026-01-01T00:00:00.000000Z")]),
        (["a:10..20"], [Range("a", gte=10, lte=20)]),
        (["a:-1.5..2"], [Range("a", gte=Decimal("-1.5"), lte=2)]),
        (["a:2026-01..2026-02-03T10:00Z"], [Range("a", gte="2026-01", lte="2026-02-03T10:00Z")]),
        (["a:10.."], [Range("a", gte=10)]),
        (["a:..2026-01"], [Range("a", lte="2026-01")]),
        (["a:.."], [Term("a", "..")]),
        (["a:wait.."], [Term("a", "wait..")]),
        (["a:x..y"], [Term("a", "x..y")]),
        (
            ["a:1..2", "a:5..6", "a:x"],
            [Bool(should=(Term("a", "x"), Range("a", gte=1, lte=2), Range("a", gte=5, lte=6)))],
        ),
        (["a:x", "a:>=y"], [Term("a", "x"), Range("a", gte="y")]),
        (["_id:x", "_id:y"], [Ids(("x", "y"))]),
    ],
    ids=str,
)
def test_every_form_of_filter_is_read(filters: list[str], queries: list[Query]) -> None:
    assert read(*[("filter", one) for one in filters]).query == Bool(filter=tuple(queries))


@pytest.mark.parametrize(
    ("sort", "keys"),
    [
        ("a,-b", [SortKey("a"), SortKey("b", descending=True)]),
        ("a:desc,b:asc", [SortKey("a", descending=True), SortKey("b")]),
        (r"\-a,b\:c", [SortKey("-a"), SortKey("b:c")]),
        ("_score,_id", [SortKey(SCORE), SortKey(ID)]),
        ("-_score", [SortKey(SCORE)]),
        ("a.keyword", [SortKey("a.keyword")]),
    ],
)
def test_every_form_of_sort_is_read(sort: str, keys: list[SortKey]) -> None:
    assert read(("sort", sort)).sort == tuple(keys)


@pytest.mark.parametrize(
    ("parameter", "message", "advice"),
    [
        (("fitler", "a:x"), "There is no parameter 'fitler'", "Did you mean filter?"),
        (("filter", "amount"), "filter is the text 'amount', without a colon", "filter=field:value"),
        (("filter", ":x"), "filter is empty", "path"),
        (("filter", 'a:"x'), "filter=a has a quote", '"value"'),
        (("filter", "a:>="), "filter=a compares with nothing", ">=10"),
        (("filter", "a:>now-1x"), "filter=a is the text 'now-1x', which is no date", "now-7d"),
        (("filter", "_id:>x"), "filter=_id compares ids", "_id:value"),
        (("fields", "a"), "fields says where to look for q", "Add q="),
        (("sort", "a:down"), "sort is the text 'a:down'", "field:desc"),
        (("sort", "-a:asc"), "sort is the text '-a:asc'", "field:desc"),
        (("sort", "a,,b"), "sort is empty", "path"),
        (("sort", "_score:asc"), "sort is sorted worst first", "_score"),
        (("facet", "a:many"), "facet is the text 'many'", "whole number"),
        (("facet", ""), "facet is empty", "path"),
        (("size", "-1"), "size is too small", "0 to 10000"),
        (("highlight", "yes"), "highlight is the text 'yes'", "true"),
    ],
    ids=str,
)
def test_an_error_names_the_parameter_and_says_what_to_write(
    parameter: tuple[str, str], message: str, advice: str
) -> None:
    with pytest.raises(RequestError) as caught:
        read(parameter)
    assert caught.value.message.startswith(message)
    assert advice in caught.value.hint


def test_a_parameter_that_may_stand_once_is_refused_twice() -> None:
    with pytest.raises(RequestError, match="'q' is given twice"):
        read(("q", "a"), ("q", "b"))
    with pytest.raises(RequestError, match="filter=a has two bounds of the same kind"):
        read(("filter", "a:>1"), ("filter", "a:>2"))
    with pytest.raises(RequestError, match="filter=a has both gt and gte"):
        read(("filter", "a:>1"), ("filter", "a:>=2"))
    with pytest.raises(RequestError, match="pattern"):
        read(("q", "x"), ("fields", "a*"))


def many(count: int) -> str:
    return ",".join(f"a{number}" for number in range(count))


@pytest.mark.parametrize(
    ("within", "beyond", "limit"),
    [
        ([("size", "10000")], [("size", "10001")], "10000"),
        ([("from", "9990")], [("from", "9991")], "10000 hits together"),
        ([("facet", many(20))], [("facet", many(21))], "20 facets"),
        ([("facet", "a:1000")], [("facet", "a:1001")], "1000"),
        ([("sort", many(10))], [("sort", many(11))], "10 sort keys"),
        ([("q", "x"), ("fields", many(100))], [("q", "x"), ("fields", many(101))], "100 fields"),
        ([("filter", "a:x")] * 1024, [("filter", "a:x")] * 1025, "1024 filters"),
        ([("q", "x" * 10_000)], [("q", "x" * 10_001)], "10000 characters"),
    ],
    ids=["size", "window", "facets", "facet", "sort", "fields", "filters", "text"],
)
def test_a_limit_is_named_where_it_is_passed(
    within: list[tuple[str, str]], beyond: list[tuple[str, str]], limit: str
) -> None:
    read(*within)
    with pytest.raises(QueryLimitError) as caught:
        read(*beyond)
    assert limit in str(caught.value)
    assert caught.value.hint


NAMES = st.sampled_from(["q", "fields", "filter", "facet", "sort", "from", "size", "highlight"])
PIECES = st.sampled_from(
    ["a", "_id", "_score", ":", ",", "-", "\\", '"', ">=", "<", "..", "1", "1e999999999", "now-", "/d", "||"]
)
VALUES = st.lists(PIECES, max_size=6).map("".join) | st.text()


@given(st.lists(st.tuples(NAMES, VALUES), max_size=4))
def test_any_parameters_are_read_or_refused(parameters: list[tuple[str, str]]) -> None:
    try:
        assert isinstance(read_parameters(parameters), SearchRequest)
    except DynalensError as error:
        assert error.hint  # noqa: PT017 - an answer is as welcome as an error
