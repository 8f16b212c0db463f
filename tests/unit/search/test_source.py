from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from dynalens.search.dsl import SourceFilter, read_body

DOCUMENT = (
    b'{"id": 12345678901234567890123456789012345678, "price": 1.10000000000000000000000000000000000001, '
    b'"tiny": 1E-130, '
    b'"name": "\xc3\xa9", "none": null, "address": {"city": "Oslo", "lat": 59.90}, "tags": ["x", 7.0], '
    b'"lines": [{"sku": "a", "n": 1}, {"sku": "b"}], "empty": {}, "a.b": true}'
)


def filtered(source: object, document: bytes = DOCUMENT) -> bytes | None:
    return read_body({"_source": source}).source.apply(document)


@pytest.mark.parametrize("source", [True, [], "*", ["a", "*"], {}, {"includes": ["*"]}, {"excludes": []}], ids=str)
def test_a_whole_document_is_given_as_it_is(source: object) -> None:
    assert filtered(source) is DOCUMENT


def test_no_document_is_given_where_none_is_wanted() -> None:
    assert filtered(source=False) is None


@pytest.mark.parametrize(
    ("source", "given"),
    [
        ("id", b'{"id":12345678901234567890123456789012345678}'),
        (["price", "tiny"], b'{"price":1.10000000000000000000000000000000000001,"tiny":1E-130}'),
        (["none", "name"], b'{"name":"\xc3\xa9","none":null}'),
        ("address", b'{"address":{"city":"Oslo","lat":59.90}}'),
        ("address.lat", b'{"address":{"lat":59.90}}'),
        ("addr*", b'{"address":{"city":"Oslo","lat":59.90}}'),
        ("*.c*y", b'{"address":{"city":"Oslo"}}'),
        ("tags", b'{"tags":["x",7.0]}'),
        ("lines.n", b'{"lines":[{"n":1}]}'),
        ("empty", b'{"empty":{}}'),
        ("a.b", b'{"a.b":true}'),
        ("nowhere", b"{}"),
        ("addres", b"{}"),
        ({"includes": ["address"], "excludes": ["*.lat"]}, b'{"address":{"city":"Oslo"}}'),
        ({"include": "address", "exclude": "address.*"}, b'{"address":{}}'),
        ({"excludes": ["[a-z]*", "id", "price", "t*", "n*", "address", "l*", "a.b"]}, b'{"empty":{}}'),
    ],
    ids=str,
)
def test_parts_of_a_document_are_given_with_every_digit(source: object, given: bytes) -> None:
    assert filtered(source) == given


def test_halves_of_characters_stay_escaped_and_numbers_keep_every_digit() -> None:
    document = rb'{"a": {"\ud800": ["\udc00", 1.10000000000000000000000000000000000001, true, null, "\u00e9"]}, "b": 1}'
    given = rb'{"a":{"\ud800":["\udc00",1.10000000000000000000000000000000000001,true,null,"\u00e9"]}}'
    assert filtered("a", document) == given


def test_many_wildcards_take_no_long_time() -> None:
    name = "a" * 1000
    assert filtered("*a" * 400 + "*b", json.dumps({name: 1}).encode()) == b"{}"


@pytest.mark.parametrize(
    ("wildcard", "path", "matches"),
    [
        ("a*c*e", "abcde", True),
        ("a*c*e", "abcdef", False),
        ("*b*b", "abab", True),
        ("*b*b", "ab", False),
        ("a**b", "ab", True),
        ("a?c", "abc", False),
    ],
)
def test_a_star_stands_for_any_characters(wildcard: str, path: str, matches: bool) -> None:  # noqa: FBT001 - expected
    given: Mapping[str, int] = {path: 1} if matches else {}
    assert json.loads(SourceFilter((wildcard,)).apply(json.dumps({path: 1}).encode()) or b"") == given
