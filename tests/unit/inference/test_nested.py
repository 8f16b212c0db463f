"""Search fields and places, within maps and lists."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dynalens.inference import Collection, GeoPair
from tests.inferred import described, typed


def collection(*items: dict[str, Any]) -> Collection:
    [found] = described(typed(*({"id": str(number), **item} for number, item in enumerate(items)))).collections
    return found


def test_paths_of_nested_text_are_search_fields_the_most_frequent_first() -> None:
    address = {"city": "Paris", "zip": 75001, "geo": {"name": "x"}}
    found = collection({"name": "Ada", "address": address}, {"address": {"geo": {"name": "x"}}})
    assert found.search_fields == ("address.geo.name", "address.city")


def test_lists_are_looked_into_and_count_once_for_each_item() -> None:
    contacts = [{"name": "Ada"}, {"name": "Bob"}, "none"]
    assert collection({"contacts": contacts, "tags": ["a"]}).search_fields == ("contacts.name",)
    rare: list[dict[str, Any]] = [{"contacts": [{"name": "x"}] * 9}, *[{"a": {"b": "x"}}] * 9]
    assert collection(*rare).search_fields == ("a.b",)


def test_what_lies_too_deep_or_has_a_dot_in_its_name_is_no_path() -> None:
    deep: Any = "text"
    for _ in range(60):
        deep = {"a": deep}
    assert collection({"deep": deep, "a.b": {"c": "x"}, "d": {"e.f": "x"}}).search_fields == ()


def test_at_most_ten_paths() -> None:
    assert len(collection({"m": {f"n{number}": "x" for number in range(40)}}).search_fields) == 10


@pytest.mark.parametrize(
    ("item", "pairs"),
    [
        ({"address": {"lat": 48, "lon": 2}}, [GeoPair("address", "address.lat", "address.lon")]),
        ({"Latitude": Decimal("-89.5"), "Longitude": 180}, [GeoPair("location", "Latitude", "Longitude")]),
        (
            {"homeLat": 1, "homeLng": 2, "work_lat": 3, "work_long": 4},
            [GeoPair("home", "homeLat", "homeLng"), GeoPair("work", "work_lat", "work_long")],
        ),
        (
            {"home": {"lat": 1, "lon": 2}, "homeLat": 3, "homeLng": 4},
            [GeoPair("home", "homeLat", "homeLng"), GeoPair("home.lat", "home.lat", "home.lon")],
        ),
        ({"a": {"lat": 1}, "b": {"lon": 2}}, []),
        ({"lat": 91, "lon": 2}, []),
        ({"lat": 1, "lon": 181}, []),
        ({"lat": "1", "lon": "2"}, []),
        ({"flat": 1, "along": 2}, []),
    ],
)
def test_a_place_is_a_latitude_and_a_longitude_side_by_side(item: dict[str, Any], pairs: list[GeoPair]) -> None:
    assert list(collection(item).geo) == pairs
