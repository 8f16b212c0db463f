"""Queries of words in named fields: match, multi_match, phrases, beginnings and close words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.conformance.case import Case, Order, query

DOCUMENTS: Mapping[str, Mapping[str, object]] = {
    "scarf": {"title": "Red wool scarf", "body": "A warm scarf for cold winters"},
    "socks": {"title": "Blue wool socks", "body": "Warm socks with a red stripe"},
    "shoes": {"title": "Red leather shoes", "body": "Made of soft leather"},
    "chair": {"title": "Green garden chair", "body": "It folds up for the winter"},
    "boots": {"title": "Garden shoes", "body": "Rubber against wet grass, no leather"},
    "wool": {"title": "Wool", "body": "From sheep"},
    "coat": {"title": "Winter coat", "body": "As red and soft as a scarf"},
}


def _match(name: str, text: str, *, hits: set[str] | Order, **options: object) -> Case:
    return Case(name, query({"match": {"title": {"query": text, **options}}}), hits=hits)


def _in_both(name: str, text: str, *, hits: set[str] | Order, **options: object) -> Case:
    asked: dict[str, Any] = {"query": text, "fields": ["title", "body"], **options}
    return Case(name, query({"multi_match": asked}), hits=hits)


def _phrase(name: str, field: str, text: str, *hits: str, **options: object) -> Case:
    return Case(name, query({"match_phrase": {field: {"query": text, **options}}}), hits=set(hits))


def _fuzzy(name: str, word: str, *hits: str, **options: object) -> Case:
    return Case(name, query({"fuzzy": {"title": {"value": word, **options}}}), hits=set(hits))


_OF_FOUR = "red leather garden shoes"

_MATCH = [
    _match("one word", "red", hits={"scarf", "shoes"}),
    _match("any word, more of them first", "red wool", hits=["scarf", {"shoes", "socks", "wool"}]),
    _match("all words", "wool red", operator="and", hits={"scarf"}),
    _match("at least two words", _OF_FOUR, minimum_should_match=2, hits=["shoes", "boots"]),
    _match("two words, as a text", _OF_FOUR, minimum_should_match="2", hits=["shoes", "boots"]),
    _match("all words but one", _OF_FOUR, minimum_should_match=-1, hits={"shoes"}),
    _match("three quarters of the words", _OF_FOUR, minimum_should_match="75%", hits={"shoes"}),
    _match("a share is rounded down", _OF_FOUR, minimum_should_match="74%", hits=["shoes", "boots"]),
    _match("a share that may lack", _OF_FOUR, minimum_should_match="-50%", hits=["shoes", "boots"]),
    _match("more words than there are", _OF_FOUR, minimum_should_match=5, hits=set()),
    _match("a minimum of nothing is one word", "red", minimum_should_match=0, hits={"scarf", "shoes"}),
    _match("no typos unless asked", "shose", hits=set()),
    _match("typos by the length of a word", "shose lether", fuzziness="AUTO", hits=["shoes", "boots"]),
    _match("two typos in a long word", "lethre", fuzziness="AUTO:3,6", hits={"shoes"}),
    _match("two typos are more than one", "lethre", fuzziness=1, hits=set()),
    _match("one typo in a short word", "rad", fuzziness="auto", hits={"scarf", "shoes"}),
    _match("typos and all words", "gardn chiar", fuzziness=1, operator="and", hits={"chair"}),
    _match("no word at all", "!?", hits=set()),
    _match("the empty text", "", hits=set()),
    Case("whole values by match", query({"match": {"title.keyword": "Wool"}}), hits={"wool"}),
]

_MULTI = [
    _in_both("either field", "leather", hits={"shoes", "boots"}),
    _in_both("a title counts more", "red", hits=[{"scarf", "shoes"}, {"socks", "coat"}], fields=["title^10", "body"]),
    _in_both("a body counts more", "red", hits=[{"socks", "coat"}, {"scarf", "shoes"}], fields=["title", "body^10"]),
    _in_both("both fields add up", "scarf", type="most_fields", hits=["scarf", "coat"]),
    _in_both("ties are broken by the other field", "leather", tie_breaker=1, hits=["shoes", "boots"]),
    _in_both("all words in one field", "blue stripe", operator="and", hits=set()),
    _in_both("each word in any field", "blue stripe", operator="and", type="cross_fields", hits={"socks"}),
    _in_both("two words in any fields", "blue red rubber", minimum_should_match=2, type="cross_fields", hits={"socks"}),
    _in_both("a phrase in any field", "red stripe", type="phrase", hits={"socks"}),
    _in_both("no phrase over fields", "scarf a warm", type="phrase", hits=set()),
    _in_both("a phrase that goes on", "wool so", type="phrase_prefix", hits={"socks"}),
    _in_both(
        "the last word goes on", "wool gard", type="bool_prefix", hits={"scarf", "socks", "wool", "chair", "boots"}
    ),
    _in_both("typos in any field", "ruber", fuzziness=1, hits={"boots"}),
    _in_both("one field", "warm", fields="body", hits={"scarf", "socks"}),
    Case("all fields", query({"multi_match": {"query": "sheep"}}), hits={"wool"}),
    Case("all fields by a star", query({"multi_match": {"query": "sheep", "fields": ["*"]}}), hits={"wool"}),
]

_ROWS = [
    _phrase("words in a row", "title", "red wool", "scarf"),
    _phrase("whatever their letter case", "title", "RED, wool!", "scarf"),
    _phrase("in another order", "title", "wool red"),
    _phrase("with a word between them", "title", "red scarf"),
    _phrase("a word may stand between them", "title", "red scarf", "scarf", slop=1),
    _phrase("two words change places by two moves", "title", "wool red", "scarf", slop=2),
    _phrase("but not by one", "title", "wool red", slop=1),
    _phrase("three words may stand between them", "body", "warm winters", "scarf", slop=3),
    _phrase("but not two", "body", "warm winters", slop=2),
    _phrase("a phrase of one word", "title", "socks", "socks"),
    _phrase("a phrase of nothing", "title", "..."),
    Case("a row that goes on", query({"match_phrase_prefix": {"title": "garden sh"}}), hits={"boots"}),
    Case("one word that goes on", query({"match_phrase_prefix": {"title": "gard"}}), hits={"chair", "boots"}),
    Case("only the last one goes on", query({"match_phrase_prefix": {"title": "gard shoes"}}), hits=set()),
]

_CLOSE = [
    _fuzzy("a close word", "shoos", "shoes", "boots"),
    _fuzzy("a word as it is", "shoes", "shoes", "boots", fuzziness=0),
    _fuzzy("not close enough", "shoos", fuzziness=0),
    _fuzzy("two letters changed places: one typo", "shose", "shoes", "boots", fuzziness=1),
    _fuzzy("or two", "shose", fuzziness=1, transpositions=False),
    _fuzzy("two typos without transpositions", "shose", "shoes", "boots", fuzziness=2, transpositions=False),
    _fuzzy("the first letters are right", "shoos", "shoes", "boots", fuzziness=1, prefix_length=3),
    _fuzzy("the first letters are wrong", "shoos", fuzziness=1, prefix_length=4),
    _fuzzy("in capitals", "SHOOS", "shoes", "boots"),
    Case("a close word, short", query({"fuzzy": {"title": "wol"}}), hits={"scarf", "socks", "wool"}),
]

CASES: Sequence[Case] = [*_MATCH, *_MULTI, *_ROWS, *_CLOSE]
