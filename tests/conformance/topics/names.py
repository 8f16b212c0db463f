"""Attributes of any name: dots, blanks, quotes, names that engines keep for themselves, and the longest ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from tests.conformance.case import Case, query

_LONGEST = "n" * 255

DOCUMENTS: Mapping[str, Mapping[str, object]] = {
    "dotted": {"a.b": "apple"},
    "nested": {"a": {"b": "apple"}},
    "dots": {".c": "first dot", "c.": "last dot", "c..d": "two dots", ".": "dot alone"},
    "blanks": {"e f": "blank inside", " ": "blank alone", "tab\tnew\nline": "blank kinds"},
    "empty-inside": {"g": {"": "nameless"}},
    "own": {
        "_id": "not the id",
        "_source": "not the source",
        "_score": 5,
        "_index": "not the index",
        "_all": "not all",
    },
    "quotes": {'h"i"': "double quote", "h'i'": "single quote", "h\\i": "backslash"},
    "punctuation": {"j,k": "comma", "j:k": "colon", "-j": "dash", "j*": "star", "j^2": "caret", "j[0]": "bracket"},
    "scripts": {"名前": "山田", "größe": "groß", "GRÖSSE": "klein", "🎈": "balloon"},
    "longest": {_LONGEST: "long name"},
    "keyword": {"seo": {"keyword": "shoes"}, "plain": "shoes"},
    "case": {"Name": "upper", "name": "lower"},
    "numbered": {"0": "zero", "1": {"2": "one two"}},
}


def _named(field: str, value: object, *keys: str) -> Case:
    return Case(f"the field {field[:20]!r}", query({"term": {field: value}}), hits=set(keys))


def _words(field: str, text: str, *keys: str) -> Case:
    return Case(f"words in the field {field[:20]!r}", query({"match": {field: text}}), hits=set(keys))


CASES: Sequence[Case] = [
    _named("a.b", "apple", "dotted", "nested"),
    _words("a.b", "APPLE", "dotted", "nested"),
    Case("a path that ends in a dotted name", query({"exists": {"field": "a"}}), hits={"dotted", "nested"}),
    _named(".c", "first dot", "dots"),
    _named("c.", "last dot", "dots"),
    _named("c..d", "two dots", "dots"),
    _named(".", "dot alone", "dots"),
    _words("c..d", "dots", "dots"),
    _named("e f", "blank inside", "blanks"),
    _named(" ", "blank alone", "blanks"),
    _named("tab\tnew\nline", "blank kinds", "blanks"),
    _named("ef", "blank inside"),
    _named("g.", "nameless", "empty-inside"),
    _named("_id", "own", "own"),
    _named("_id_", "not the id", "own"),
    _named("_source", "not the source", "own"),
    _named("_score", 5, "own"),
    _named("_all", "not all", "own"),
    _named('h"i"', "double quote", "quotes"),
    _named("h'i'", "single quote", "quotes"),
    _named("h\\i", "backslash", "quotes"),
    _named("j,k", "comma", "punctuation"),
    _named("j*", "star", "punctuation"),
    _named("j[0]", "bracket", "punctuation"),
    _words("j^2", "caret", "punctuation"),
    _named("名前", "山田", "scripts"),
    _named("größe", "groß", "scripts"),
    _named("GRÖSSE", "groß"),
    _named("🎈", "balloon", "scripts"),
    _named(_LONGEST, "long name", "longest"),
    _words(_LONGEST, "long", "longest"),
    _named("Name", "upper", "case"),
    _named("name", "lower", "case"),
    _named("0", "zero", "numbered"),
    _named("1.2", "one two", "numbered"),
    _named("plain.keyword", "shoes", "keyword"),
    _named("seo.keyword.keyword", "shoes", "keyword"),
    Case("an attribute that is called keyword", query({"term": {"seo.keyword": "shoes"}}), hits=set()),
    Case("every name is found without naming it", "q=nameless", hits={"empty-inside"}),
    Case("a comma in a name", "q=comma&fields=j%5C%2Ck", hits={"punctuation"}),
    Case("a colon in a name", "filter=j%5C%3Ak:colon", hits={"punctuation"}),
    Case("quotes in a value", f"filter=_id:{quote(chr(34) + 'own' + chr(34))}", hits={"own"}),
    Case(
        "a dash before a name",
        "filter=_id:punctuation&filter=_id:own&sort=%5C-j",
        hits=["punctuation", "own"],
        sort=[("dash",), (None,)],
    ),
    Case(
        "a comma and a colon in a facet",
        "filter=_id:punctuation&facet=j%5C%2Ck,j%5C%3Ak",
        hits={"punctuation"},
        facets={"j,k": [("comma", 1)], "j:k": [("colon", 1)]},
    ),
    Case(
        "a sort by a name of 255 characters",
        query({"ids": {"values": ["longest", "case"]}}, sort=[{_LONGEST: {"missing": "_first"}}]),
        hits=["case", "longest"],
        sort=[(None,), ("long name",)],
    ),
    Case(
        "marks under any name",
        query({"multi_match": {"query": "dot"}}, highlight={"fields": {"*": {}}}),
        hits={"dots"},
        highlight={
            "dots": {".c": ["first <em>dot</em>"], "c.": ["last <em>dot</em>"], ".": ["<em>dot</em> alone"]},
        },
    ),
]
