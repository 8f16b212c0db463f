"""What is looked up of a document: words and tokens by path, whatever the document holds."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from itertools import chain
from typing import Any

import pytest

from dynalens.change import Typed, render
from dynalens.search import Value
from dynalens.search.geo import Point
from dynalens.target.search.language.encode import Encoded, encode, read_attribute_type
from dynalens.target.search.language.tokens import value_of
from tests.contract.hostile import ATTRIBUTES


def encoded(**attributes: Typed) -> Encoded:
    return encode(render(attributes))


def values(found: Encoded) -> dict[str, list[Value]]:
    """Give the values that the tokens of each path stand for, without the instants of dates."""
    return {path: [value_of(token) for token in tokens if token[0] != "p"] for path, tokens in found.exact.items()}


def test_every_leaf_is_found_under_its_path() -> None:
    found = encoded(
        name={"S": "Ada Lovelace"},
        born={"N": "1815"},
        active={"BOOL": False},
        address={"M": {"city": {"S": "London"}, "geo": {"M": {"lat": {"N": "51.5"}}}}},
        tags={"SS": ["math", "poetry"]},
        orders={"L": [{"M": {"sku": {"S": "A-1"}}}, {"M": {"sku": {"S": "B 2"}}}, {"N": "7"}]},
    )
    assert values(found) == {
        "name": ["Ada Lovelace"],
        "born": [1815],
        "active": [False],
        "address.city": ["London"],
        "address.geo.lat": [Decimal("51.5")],
        "tags": ["math", "poetry"],
        "orders.sku": ["A-1", "B 2"],
        "orders": [7],
    }
    assert found.text == {
        "name": ["ada lovelace"],
        "born": ["1815"],
        "address.city": ["london"],
        "address.geo.lat": ["51 5"],
        "tags": ["math", "poetry"],
        "orders.sku": ["a 1", "b 2"],
        "orders": ["7"],
    }
    assert found.everywhere == [
        "ada lovelace", "1815", "london", "51 5", "math", "poetry", "a 1", "b 2", "7",
    ]  # fmt: skip


def test_numbers_dates_and_points_are_kept_to_compute_with() -> None:
    document = render(
        {
            "n": {"N": "12345678901234567890.5"},
            "ns": {"L": [{"N": "1"}, {"S": "2"}, {"N": "-0.5"}, {"N": "1"}]},
            "at": {"M": {"day": {"S": "1970-01-02"}, "lat": {"N": "1.5"}, "lon": {"S": "2"}}},
            "before": {"S": "1969-12-31T23:59:59.9999Z"},
        }
    )
    found = encode(document, {"here": ("at.lat", "at.lon"), "there": ("no",)})
    assert found.numbers == {"n": [12345678901234567890.5], "ns": [1.0, -0.5, 1.0], "at.lat": [1.5]}
    assert found.instants == {"at.day": [86_400_000], "before": [-1]}
    assert found.points == {"here": [Point(1.5, 2.0)]}
    found.keep({"ns"})
    assert (found.numbers, found.instants) == ({"ns": [1.0, -0.5, 1.0]}, {})


def test_nothing_is_looked_up_where_nothing_is() -> None:
    found = encoded(null={"NULL": True}, array={"L": []}, map={"M": {}}, empty={"S": ""})
    assert values(found) == {"empty": [""]}
    assert (found.text, found.everywhere) == ({}, [])
    assert [read_attribute_type(term) for term in found.types] == [
        ("null", "null"),
        ("array", "array"),
        ("map", "map"),
        ("empty", "string"),
    ]


def test_nobody_looks_for_words_in_binary() -> None:
    found = encoded(
        flat={"B": "aGVsbG8="},
        many={"BS": ["aGVsbG8=", "d29ybGQ="]},
        deep={"M": {"list": {"L": [{"S": "text"}, {"B": "aGVsbG8="}, {"BS": ["d29ybGQ="]}]}}},
    )
    assert found.everywhere == ["text"]
    assert values(found)["deep.list"] == ["text", "aGVsbG8=", "d29ybGQ="]


@pytest.mark.parametrize("number", ["123456789012345678901234567890123456.78", "-1E-130", "9.99E+125", "0.1"])
def test_numbers_keep_every_digit(number: str) -> None:
    assert values(encoded(n={"N": number})) == {"n": [Decimal(number)]}


def test_a_date_is_an_instant_too() -> None:
    found = encoded(at={"S": "2019-08-07T09:26:56+02:00"})
    assert [token[0] for token in found.exact["at"]] == ["u", "p"]
    assert found.exact["at"][1] == encoded(at={"S": "2019-08-07T07:26:56Z"}).exact["at"][1]


def test_an_attribute_that_has_the_name_of_the_id_stands_beside_it() -> None:
    assert values(encoded(_id={"S": "mine"})) == {"_id_": ["mine"]}


def test_a_dotted_name_and_a_path_are_one_field() -> None:
    found = encode(render({"a.b": {"S": "x"}, "a": {"M": {"b": {"S": "y"}}}}))
    assert values(found) == {"a.b": ["x", "y"]}


@pytest.mark.parametrize("attributes", ATTRIBUTES.values(), ids=ATTRIBUTES)
def test_whatever_an_item_holds_has_utf8(attributes: dict[str, Any]) -> None:
    found = encode(render(attributes))
    for text in [*found.everywhere, *found.types, *found.text, *found.exact, *chain(*found.exact.values())]:
        text.encode()


def test_what_is_left_out_by_name_is_still_found_everywhere() -> None:
    found = encoded(kept={"S": "one"}, left={"S": "two"}, flag={"BOOL": True})
    found.keep({"kept"})
    assert (list(found.exact), list(found.text)) == (["kept"], ["kept"])
    assert found.everywhere == ["one", "two"]


def test_what_is_kept_changes_only_with_the_format_that_fingerprints_carry() -> None:
    """When this fails on purpose: raise `search` in `config.fingerprint._FORMATS`, and take over the new digest."""
    texts = [
        "Élan Straße ΟΔΟΣ İ ﬁ №5",
        "東京タワー 서울에서 ที่นี่ ｶﾞ",
        "हिन्दी مُحَمَّد שָׁלוֹם Việt",
        "🎉🇩🇪 a_b-c@d.e O'Brien 12.50",
        "2019-08-07T09:26:56+02:00",
    ]
    found = encoded(
        **{str(place): {"S": text} for place, text in enumerate(texts)}, n={"N": "-12.5E+3"}, _id={"BOOL": True}
    )
    held = json.dumps([found.everywhere, found.text, found.exact, found.types])
    assert hashlib.sha256(held.encode()).hexdigest()[:16] == "24ac8a47f8367024"
