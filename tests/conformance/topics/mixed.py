"""Values of every kind under one name: a number first, then whatever else DynamoDB holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.conformance.case import Case, query

DOCUMENTS: Mapping[str, Mapping[str, object]] = {
    "a-number": {"any": 7},
    "a-text": {"any": "seven dwarfs"},
    "digits": {"any": "7"},
    "a-boolean": {"any": True},
    "a-map": {"any": {"inner": 7}},
    "a-map-of-text": {"any": {"inner": "seven seas"}},
    "a-map-of-maps": {"any": {"inner": {"inner": 7}}},
    "a-list": {"any": [7, "eight", {"inner": 8}]},
    "a-null": {"any": None},
    "a-set": {"any": frozenset({"7", "8"})},
    "a-date": {"any": "2024-05-06"},
    "nothing": {},
}

_VALUES = {"a-number", "a-text", "digits", "a-boolean", "a-list", "a-set", "a-date"}

CASES: Sequence[Case] = [
    Case("equal whatever the kind", query({"term": {"any": 7}}), hits={"a-number", "digits", "a-list", "a-set"}),
    Case("a number within maps", query({"term": {"any.inner": 7}}), hits={"a-map"}),
    Case("a number within maps within maps", query({"term": {"any.inner.inner": 7}}), hits={"a-map-of-maps"}),
    Case("words beside numbers", query({"match": {"any": "seven"}}), hits={"a-text"}),
    Case("words within maps", query({"match": {"any.inner": "seven"}}), hits={"a-map-of-text"}),
    Case("numbers beside words", query({"range": {"any": {"gt": 6}}}), hits={"a-number", "a-list"}),
    Case("a number is a word, too", "q=7&fields=any", hits={"a-number", "digits", "a-list", "a-set"}),
    Case("anywhere", "q=dwarfs", hits={"a-text"}),
    Case("dates beside numbers", query({"range": {"any": {"gte": "2024-01-01"}}}), hits={"a-date"}),
    Case(
        "whatever has a value",
        query({"exists": {"field": "any"}}),
        hits={*_VALUES, "a-map", "a-map-of-text", "a-map-of-maps"},
    ),
    Case(
        "booleans, numbers, dates, texts, and what has none at the end",
        query({"term": {"topic": "mixed"}}, sort=["any", "_id"]),
        hits=[
            "a-boolean",
            "a-list",
            "a-number",
            "a-date",
            "a-set",
            "digits",
            "a-text",
            *sorted(set(DOCUMENTS) - _VALUES),
        ],
    ),
    Case(
        "a facet of every kind",
        "filter=topic:mixed&facet=any&size=0",
        total=12,
        facets={
            "any": [
                (7, 2),
                ("7", 2),
                (True, 1),
                ("8", 1),
                ("eight", 1),
                ("seven dwarfs", 1),
                ("2024-05-06", 1),
            ]
        },
    ),
]
