"""Whole values of texts: term, terms, prefix, ranges by code point, ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.conformance.case import Case, query

DOCUMENTS: Mapping[str, Mapping[str, object]] = {
    "anna": {"mail": "anna@example.org", "note": "ORD-1234"},
    "bob": {"mail": "bob@example.org", "note": "ord-1234"},
    "carla": {"mail": "Carla@Example.org", "note": "ORD-1235, urgent"},
    "spaces": {"mail": "", "note": "  two  spaces  "},
    "lines": {"mail": " ", "note": "first line\nsecond\tline"},
    "html": {"mail": "<b>x</b>", "note": "<script>alert('ORD')</script>"},
    "signs": {"mail": '*:? "[]"', "note": "a OR b AND NOT c"},
}


def _term(name: str, field: str, value: str, *hits: str) -> Case:
    return Case(name, query({"term": {field: value}}), hits=set(hits))


def _prefix(name: str, field: str, value: str, *hits: str) -> Case:
    return Case(name, query({"prefix": {field: value}}), hits=set(hits))


CASES: Sequence[Case] = [
    _term("to the last letter", "mail", "anna@example.org", "anna"),
    _term("a letter's case counts", "note", "ORD-1234", "anna"),
    _term("by the name of a keyword", "note.keyword", "ord-1234", "bob"),
    _term("no part of a value", "note", "urgent"),
    _term("spaces count", "note", "  two  spaces  ", "spaces"),
    _term("and are not left out", "note", "two spaces"),
    _term("lines", "note", "first line\nsecond\tline", "lines"),
    _term("a blank", "mail", " ", "lines"),
    _term("the empty text", "mail", "", "spaces"),
    _term("signs of query languages", "mail", '*:? "[]"', "signs"),
    _term("operators of query languages", "note", "a OR b AND NOT c", "signs"),
    Case(
        "a term with options", query({"term": {"mail": {"value": "<b>x</b>", "boost": 2}}}), hits={"html"}, scores=[2]
    ),
    Case("one of several", query({"terms": {"mail": ["", "bob@example.org", "x"]}}), hits={"spaces", "bob"}),
    Case("one of none", query({"terms": {"mail": []}}), hits=set()),
    _prefix("the beginning of a word", "note", "urg", "carla"),
    _prefix("of words in a row", "note", "line sec", "lines"),
    _prefix("of a value, in any letter case", "note", "ord-12", "anna", "bob", "carla"),
    _prefix("of a value with its spaces", "note", "  two", "spaces"),
    _prefix("signs at the beginning", "mail", "<", "html"),
    _prefix("the end is no beginning", "mail", "xample"),
    Case("by code point", query({"range": {"note": {"gte": "ORD-1234", "lt": "a"}}}), hits={"anna", "carla"}),
    Case("capitals come first", query({"range": {"mail": {"gt": "A", "lt": "b"}}}), hits={"carla", "anna"}),
    Case("from the empty text on", query({"range": {"mail": {"gte": "", "lt": "!"}}}), hits={"spaces", "lines"}),
    Case("behind the empty text", query({"range": {"mail": {"gt": "", "lte": " "}}}), hits={"lines"}),
    Case("a range of any value", query({"range": {"mail": {}}}), hits=set(DOCUMENTS)),
    Case("ids", query({"ids": {"values": ["anna", "html", "nobody"]}}), hits={"anna", "html"}),
    Case("no ids", query({"ids": {"values": []}}), hits=set()),
    Case("an id as a term", query({"term": {"_id": "anna"}}), hits={"anna"}),
    Case("ids as terms", query({"terms": {"_id": ["anna", "bob", "ANNA"]}}), hits={"anna", "bob"}),
    Case("an id by a filter", "filter=_id:anna&filter=_id:bob", hits={"anna", "bob"}),
    Case("filters by several values", "filter=note:ORD-1234&filter=note:ord-1234", hits={"anna", "bob"}),
    Case("filters by several fields", "filter=note:ORD-1234&filter=mail:anna@example.org", hits={"anna"}),
    Case("filters that no document holds at once", "filter=note:ORD-1234&filter=mail:bob@example.org", hits=set()),
    Case("a value in quotes", 'filter=note:"  two  spaces  "', hits={"spaces"}),
]
