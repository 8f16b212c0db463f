"""Where hits matched: which words are marked, in which fields, with which tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.conformance.case import Case, query

_LONG = " ".join(["the owl hoots at night", *["while all the others are asleep"] * 10, "and the fox listens"])

DOCUMENTS: Mapping[str, Mapping[str, object]] = {
    "vixen": {"line": "The quick brown fox", "more": ["a fox", "no fur", "fox & foxes"], "code": "FOX-7"},
    "bird": {"line": "An <owl> & a fox", "code": 77, "awake": True},
    "night": {"story": _LONG},
}


def _marked(name: str, asked: Mapping[str, Any], highlight: object, **hits: Mapping[str, Sequence[str]]) -> Case:
    return Case(name, query(asked, highlight=highlight), hits=set(hits), highlight=hits)


_FOX = {"match": {"line": "fox"}}
_BROWN = {"match": {"line": "brown fox"}}
_LINE: Mapping[str, Any] = {"line": {}}

CASES: Sequence[Case] = [
    _marked(
        "the words that were asked",
        _BROWN,
        {"fields": _LINE},
        vixen={"line": ["The quick <em>brown</em> <em>fox</em>"]},
        bird={"line": ["An <owl> & a <em>fox</em>"]},
    ),
    _marked(
        "escaped where asked",
        _FOX,
        {"fields": _LINE, "encoder": "html"},
        vixen={"line": ["The quick brown <em>fox</em>"]},
        bird={"line": ["An &lt;owl&gt; &amp; a <em>fox</em>"]},
    ),
    _marked(
        "other tags",
        _FOX,
        {"fields": _LINE, "pre_tags": ["["], "post_tags": "]"},
        vixen={"line": ["The quick brown [fox]"]},
        bird={"line": ["An <owl> & a [fox]"]},
    ),
    _marked(
        "only fields that were asked",
        _FOX,
        {"fields": {"*": {}}},
        vixen={"line": ["The quick brown <em>fox</em>"]},
        bird={"line": ["An <owl> & a <em>fox</em>"]},
    ),
    _marked(
        "all fields where told so",
        {"match": {"line": "quick fox"}},
        {"fields": {"*": {}}, "require_field_match": False},
        vixen={
            "line": ["The <em>quick</em> brown <em>fox</em>"],
            "more": ["a <em>fox</em>", "<em>fox</em> & foxes"],
            "code": ["<em>FOX</em>-7"],
        },
        bird={"line": ["An <owl> & a <em>fox</em>"]},
    ),
    _marked(
        "some fields by a pattern",
        {"multi_match": {"query": "fox", "fields": ["line", "more", "code"]}},
        {"fields": {"mo*": {}, "co*": {}}},
        vixen={"more": ["a <em>fox</em>", "<em>fox</em> & foxes"], "code": ["<em>FOX</em>-7"]},
        bird={},
    ),
    _marked(
        "a few fragments",
        {"match": {"more": "fox"}},
        {"fields": {"more": {"number_of_fragments": 1}}},
        vixen={"more": ["a <em>fox</em>"]},
    ),
    _marked(
        "a phrase",
        {"match_phrase": {"line": "quick brown"}},
        {"fields": _LINE},
        vixen={"line": ["The <em>quick</em> <em>brown</em> fox"]},
    ),
    _marked(
        "no part of a phrase",
        {"bool": {"should": [{"match_phrase": {"line": "brown owl"}}, _FOX]}},
        {"fields": _LINE},
        vixen={"line": ["The quick brown <em>fox</em>"]},
        bird={"line": ["An <owl> & a <em>fox</em>"]},
    ),
    _marked(
        "a beginning", {"prefix": {"line": "qui"}}, {"fields": _LINE}, vixen={"line": ["The <em>quick</em> brown fox"]}
    ),
    _marked(
        "a typo", {"fuzzy": {"line": "quikc"}}, {"fields": _LINE}, vixen={"line": ["The <em>quick</em> brown fox"]}
    ),
    _marked(
        "a whole value", {"term": {"more": "no fur"}}, {"fields": {"more": {}}}, vixen={"more": ["<em>no fur</em>"]}
    ),
    _marked("a number", {"term": {"code": 77}}, {"fields": {"code": {}}}, bird={"code": ["<em>77</em>"]}),
    _marked("a boolean", {"term": {"awake": True}}, {"fields": {"awake": {}}}, bird={"awake": ["<em>true</em>"]}),
    _marked(
        "not what must not match",
        {"bool": {"must": _FOX, "must_not": {"match": {"line": "quick"}}}},
        {"fields": {"*": {}}},
        bird={"line": ["An <owl> & a <em>fox</em>"]},
    ),
    _marked(
        "what filters ask, too",
        {"bool": {"filter": _BROWN}},
        {"fields": _LINE},
        vixen={"line": ["The quick <em>brown</em> <em>fox</em>"]},
        bird={"line": ["An <owl> & a <em>fox</em>"]},
    ),
    _marked("no text that matched", {"ids": {"values": ["vixen"]}}, {"fields": {"*": {}}}, vixen={}),
    _marked("no range", {"range": {"code": {"gte": 70}}}, {"fields": {"*": {}}}, bird={}),
    _marked(
        "the whole of a long text",
        {"match": {"story": "owl"}},
        {"fields": {"story": {}}, "number_of_fragments": 0},
        night={"story": [_LONG.replace("owl", "<em>owl</em>")]},
    ),
    Case(
        "a box marks words, beginnings and typos",
        "q=quikc+bro&fields=line&highlight=true",
        hits={"vixen"},
        highlight={"vixen": {"line": ["The <em>quick</em> <em>brown</em> fox"]}},
    ),
    Case(
        "a box marks every field",
        "q=fox&filter=_id:vixen&highlight=true",
        hits={"vixen"},
        highlight={
            "vixen": {
                "line": ["The quick brown <em>fox</em>"],
                "more": ["<em>fox</em> &amp; <em>foxes</em>", "a <em>fox</em>"],
                "code": ["<em>FOX</em>-7"],
            }
        },
    ),
    Case("no marks unless asked", "q=fox&filter=_id:vixen", hits={"vixen"}, highlight={"vixen": {}}),
]
