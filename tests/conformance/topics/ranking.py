"""The search box: what it finds, and what goes first. Queries of Lucene's syntax that are plain words ask the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from tests.conformance.case import Case, Order, query

DOCUMENTS: Mapping[str, Mapping[str, object]] = {
    "in-a-row": {"scene": "harbour sunset"},
    "apart": {"scene": "sunset over the harbour"},
    "one-word": {"scene": "sunset"},
    "beginning": {"scene": "sunsettings"},
    "one-typo": {"scene": "sumset"},
    "two-typos": {"scene": "sumsit"},
    "three-typos": {"scene": "sumzit"},
    "short": {"scene": "at sea in 1999"},
    "short-typo": {"scene": "an sea in 1998"},
    "rare": {"scene": "lighthouse beside lighthouse"},
}


def _box(name: str, text: str, *, hits: set[str] | Order) -> Case:
    return Case(name, urlencode({"q": text, "fields": "scene"}), hits=hits)


def _string(name: str, kind: str, **options: object) -> Case:
    return Case(name, query({kind: {"fields": ["scene"], **options}}), hits=["in-a-row", "apart", *_SUNSET_ALONE])


_SUNSET_ALONE: Order = ["one-word", "beginning", "one-typo", "two-typos"]
_ANY_SUNSET: Order = [{"in-a-row", "apart", "one-word"}, "beginning", "one-typo", "two-typos"]

CASES: Sequence[Case] = [
    _box("exact words, then beginnings, then typos", "sunset", hits=_ANY_SUNSET),
    _box("in capitals and with signs", "  SUNSET!", hits=[{"in-a-row", "apart", "one-word"}, "one-typo", "two-typos"]),
    _box("more words first, then words in a row", "harbour sunset", hits=["in-a-row", "apart", *_SUNSET_ALONE]),
    _box(
        "the order of words counts less",
        "sunset harbour",
        hits=[{"in-a-row", "apart"}, "one-word", "one-typo", "two-typos"],
    ),
    _box("only the last word goes on", "sunsett over", hits=["apart", {"in-a-row", "one-word"}, {"one-typo"}]),
    _box("a typo in the word", "harbuor", hits={"in-a-row", "apart"}),
    _box("an unfinished word", "lightho", hits={"rare"}),
    _box("a short word takes no typo", "at", hits={"short"}),
    _box("digits take no typo", "1999", hits={"short"}),
    _box("digits go on", "199", hits={"short", "short-typo"}),
    _box("a phrase", '"harbour sunset"', hits={"in-a-row"}),
    _box("a phrase takes no typo", '"harbour sumset"', hits=set()),
    _box("a phrase and a word", '"the harbour" sunset', hits={"apart"}),
    _box("a phrase beside a word that is not there", '"the harbour" unicorn', hits=set()),
    _box("two phrases", '"sunset over" "the harbour"', hits={"apart"}),
    _box("curly quotes", "“harbour sunset”", hits={"in-a-row"}),
    _box("a quote that is not closed", '"harbour sun', hits=[{"in-a-row", "apart"}, {"one-word", "beginning"}]),
    _box("signs alone", "!!!", hits=set()),
    _box("operators are words", "lighthouse NOT unicorn", hits={"rare"}),
    _box("a word that is nowhere", "unicorn", hits=set()),
    Case("a box and a filter", "q=sunset&fields=scene&filter=scene:sumset", hits={"one-typo"}),
    Case("a box of nothing, and a filter", "q=%20&filter=scene:sumset", hits={"one-typo"}),
    Case("all fields by a star", "q=lighthouse&fields=*", hits={"rare"}),
    Case("several fields", "q=lighthouse&fields=topic,scene", hits={"rare"}),
    Case("other fields", "q=lighthouse&fields=title,body", hits=set()),
    _string("query_string", "query_string", query="harbour sunset"),
    _string("simple_query_string", "simple_query_string", query="harbour sunset"),
    Case(
        "a phrase of a query_string",
        query({"query_string": {"query": '"over the"', "default_field": "scene"}}),
        hits={"apart"},
    ),
    Case(
        "everything of a query_string",
        query({"bool": {"must": {"query_string": {"query": "*"}}, "filter": {"term": {"scene": "sumsit"}}}}),
        hits={"two-typos"},
    ),
]
