"""Lists, sets and maps are looked into; binary is compared whole; null and nothing are no value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.conformance.case import Case, query

_DEPTH = 25
_DEEP_PATH = ".".join(["level"] * _DEPTH)


def _nested(depth: int) -> object:
    return {"level": _nested(depth - 1)} if depth else "bottom of the sea"


DOCUMENTS: Mapping[str, Mapping[str, object]] = {
    "strings": {"tags": frozenset({"red", "dark red"}), "empty": ""},
    "numbers-in-a-set": {"tags": frozenset({1, 22, 333}), "empty": None},
    "list": {"tags": ["red", 22, True, None, "red"], "empty": []},
    "lists": {"tags": [["blue", [22]], []], "empty": [[], None]},
    "binary": {"tags": b"hello", "empty": {}},
    "binary-set": {"tags": frozenset({b"hello", b"\x00\xff"}), "empty": {"of": None}},
    "cart": {"lines": [{"name": "cup", "count": 2}, {"name": "tea pot", "count": 1}], "empty": {"of": ""}},
    "cart-of-one": {"lines": {"name": "cup", "count": 1}},
    "address": {"address": {"city": "Łódź", "geo": {"lat": 51, "lon": None}}},
    "address-of-null": {"address": {"city": None}},
    "deep": {"level": _nested(_DEPTH - 1)},
    "true": {"flag": True},
    "false": {"flag": False},
    "flags": {"flag": [True, False]},
    "true-in-words": {"flag": "true"},
}


def _exists(path: str) -> dict[str, object]:
    return query({"exists": {"field": path}})


CASES: Sequence[Case] = [
    Case("a member of a set or a list", query({"term": {"tags": "red"}}), hits={"strings", "list"}),
    Case("a member in other lists", query({"term": {"tags": 22}}), hits={"numbers-in-a-set", "list", "lists"}),
    Case("a word of a member", query({"match": {"tags": "RED"}}), hits={"strings", "list"}),
    Case("any member lies between", query({"range": {"tags": {"gt": 22}}}), hits={"numbers-in-a-set"}),
    Case(
        "members count one by one",
        query({"range": {"tags": {"gt": 1, "lt": 22}}}),
        hits=set(),
    ),
    Case("binary as base64", query({"term": {"tags": "aGVsbG8="}}), hits={"binary", "binary-set"}),
    Case("binary has no words", query({"match": {"tags": "aGVsbG8"}}), hits=set()),
    Case("binary has no words anywhere", "q=aGVsbG8", hits=set()),
    Case("a path into a list of maps", query({"term": {"lines.name": "cup"}}), hits={"cart", "cart-of-one"}),
    Case("a word in a list of maps", query({"match": {"lines.name": "pot"}}), hits={"cart"}),
    Case(
        "values of one document, not of one map",
        query({"bool": {"filter": [{"term": {"lines.name": "cup"}}, {"term": {"lines.count": 1}}]}}),
        hits={"cart", "cart-of-one"},
    ),
    Case("a map has no words of its own", query({"match": {"lines": "cup"}}), hits=set()),
    Case("no phrase over members", query({"match_phrase": {"lines.name": "cup tea"}}), hits=set()),
    Case("a phrase within a member", query({"match_phrase": {"lines.name": "tea pot"}}), hits={"cart"}),
    Case("a path into maps", query({"range": {"address.geo.lat": {"gte": 50, "lt": 52}}}), hits={"address"}),
    Case("a filter by path", "filter=address.city:Łódź", hits={"address"}),
    Case("a box in a path", "q=lodz&fields=address.city", hits={"address"}),
    Case(
        "25 levels down",
        query({"match_phrase": {_DEEP_PATH: "of the sea"}}, highlight={"fields": {"level.*": {}}}),
        hits={"deep"},
        highlight={"deep": {_DEEP_PATH: ["bottom <em>of</em> <em>the</em> <em>sea</em>"]}},
    ),
    Case("25 levels down, whole", query({"term": {_DEEP_PATH: "bottom of the sea"}}), hits={"deep"}),
    Case("12 levels down there is something", _exists(".".join(["level"] * 12)), hits={"deep"}),
    Case("26 levels down there is nothing", _exists(_DEEP_PATH + ".level"), hits=set()),
    Case("a map exists by its members", _exists("lines"), hits={"cart", "cart-of-one"}),
    Case("a map of nulls does not exist", _exists("address"), hits={"address"}),
    Case("null does not exist", _exists("address.geo.lon"), hits=set()),
    Case("the empty text exists, nothing else that is empty", _exists("empty"), hits={"strings", "cart"}),
    Case("the empty text is a value", query({"term": {"empty": ""}}), hits={"strings"}),
    Case("the empty text within a map", query({"term": {"empty.of": ""}}), hits={"cart"}),
    Case(
        "documents without a value",
        query({"bool": {"filter": {"term": {"topic": "shapes"}}, "must_not": {"exists": {"field": "tags"}}}}),
        hits=set(DOCUMENTS) - {"strings", "numbers-in-a-set", "list", "lists", "binary", "binary-set"},
    ),
    Case("no such field", _exists("nobody.has.this"), hits=set()),
    Case("true, and a text that spells it", query({"term": {"flag": True}}), hits={"true", "flags", "true-in-words"}),
    Case("true by a filter", "filter=flag:true", hits={"true", "flags", "true-in-words"}),
    Case("false as a match", query({"match": {"flag": False}}), hits={"false", "flags"}),
    Case(
        "booleans before texts, lists by their least",
        query({"exists": {"field": "flag"}}, sort=["flag", "_id"]),
        hits=["false", "flags", "true", "true-in-words"],
        sort=[(False, "false"), (False, "flags"), (True, "true"), ("true", "true-in-words")],
    ),
    Case(
        "lists by their greatest",
        query({"exists": {"field": "flag"}}, sort=[{"flag": "desc"}, "_id"]),
        hits=["true-in-words", "flags", "true", "false"],
    ),
    Case(
        "a facet counts documents, not members",
        "filter=topic:shapes&facet=tags:3,flag&size=0",
        total=15,
        facets={
            "tags": [(22, 3), ("aGVsbG8=", 2), ("red", 2)],
            "flag": [(False, 2), (True, 2), ("true", 1)],
        },
    ),
]
