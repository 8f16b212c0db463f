from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest

from dynalens.errors import RequestError
from dynalens.search import Anywhere, SortKey
from dynalens.search.dsl import SourceFilter, read_body, read_uri
from dynalens.search.dsl.uri import TRANSPORT


@pytest.mark.parametrize(
    ("parameters", "body"),
    [
        ({}, {}),
        (dict.fromkeys(TRANSPORT, "true"), {}),
        ({"q": "red", "df": "a"}, {"query": {"query_string": {"query": "red", "default_field": "a"}}}),
        ({"q": "red", "lenient": ""}, {"query": {"query_string": {"query": "red", "lenient": True}}}),
        ({"from": "5", "size": "7"}, {"from": 5, "size": 7}),
        ({"sort": "a,b:desc,c:d:asc"}, {"sort": ["a", {"b": "desc"}, {"c:d": "asc"}]}),
        ({"_source": "false"}, {"_source": False}),
        ({"_source": "a,b.*"}, {"_source": {"includes": ["a", "b.*"]}}),
        ({"_source": "a", "_source_excludes": "b"}, {"_source": {"includes": ["a"], "excludes": ["b"]}}),
        ({"_source_includes": "a", "_source_excludes": "b"}, {"_source": {"includes": ["a"], "excludes": ["b"]}}),
        ({"_source": "true", "_source_includes": "a"}, {"_source": {"includes": ["a"]}}),
        ({"track_total_hits": "false"}, {"track_total_hits": False}),
        ({"track_total_hits": "100"}, {"track_total_hits": 100}),
        ({"min_score": "0.5", "explain": "false"}, {"min_score": Decimal("0.5"), "explain": False}),
    ],
    ids=str,
)
def test_parameters_are_the_body_that_they_stand_for(parameters: Mapping[str, str], body: Mapping[str, object]) -> None:
    assert read_uri(list(parameters.items())) == body
    read_body(body)


def test_the_body_of_parameters_is_a_search() -> None:
    read = read_body(read_uri([("q", 'red "big shoes"'), ("sort", "a:desc"), ("_source", "a")]))
    assert read.request.query == Anywhere('red "big shoes"')
    assert read.request.sort == (SortKey("a", descending=True),)
    assert read.source == SourceFilter(("a",))


@pytest.mark.parametrize(
    ("parameters", "message", "advice"),
    [
        ([("sise", "5")], "sise is no parameter", "Did you mean size?"),
        ([("analyzer", "x")], "analyzer is no parameter", "one way"),
        ([("filter_path", "hits")], "filter_path is no parameter", "_source"),
        ([("size", "1"), ("size", "2")], "The parameter 'size' is given twice", "once"),
        ([("size", "ten")], "size is the text 'ten'", "whole number"),
        ([("size", "9" * 5000)], "size is the text", "whole number"),
        ([("min_score", "x")], "min_score is the text", "number"),
        ([("explain", "yes")], "explain is the text", "true"),
        ([("sort", "a:down")], "sort has the direction 'down'", "a:asc or a:desc"),
        ([("df", "a")], "df says how to read q", "Add q="),
        ([("_source", "a"), ("_source_includes", "b")], "_source names paths", "one of them"),
    ],
    ids=str,
)
def test_other_parameters_are_refused_by_name(parameters: list[tuple[str, str]], message: str, advice: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_uri(parameters)
    assert caught.value.message.startswith(message)
    assert advice in caught.value.hint


@pytest.mark.parametrize(
    ("parameter", "place"),
    [
        (("explain", ""), "explain"),
        (("q", "title:red"), "query.query_string"),
        (("stored_fields", "a"), "stored_fields"),
    ],
)
def test_what_the_body_cannot_honour_is_refused_there(parameter: tuple[str, str], place: str) -> None:
    with pytest.raises(RequestError, match=f"^{place}"):
        read_body(read_uri([parameter]))
