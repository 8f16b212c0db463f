"""Values counted over all matches: the most frequent ones, equal counts in the order of the values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from tests.conformance.case import Case

DOCUMENTS: Mapping[str, Mapping[str, object]] = {
    "f1": {"album": "sea", "year": 2019, "tag": frozenset({"a", "b"}), "rate": Decimal("1.5")},
    "f2": {"album": "sea", "year": 2020, "tag": frozenset({"b", "c"}), "rate": Decimal("1.50")},
    "f3": {"album": "sea", "year": 2020, "tag": ["c", "c", "d"]},
    "f4": {"album": "hills", "year": 2021, "tag": ["e"]},
    "f5": {"album": "hills", "year": "2021", "tag": []},
    "f6": {"album": "Hills", "shop": {"city": "Rome"}},
    "f7": {"album": "town", "shop": {"city": "Rome"}},
    "f8": {"album": "town", "shop": [{"city": "Rome"}, {"city": "Oslo"}]},
    **{f"g{number:02}": {"album": "many", "number": f"n{number:02}"} for number in range(30)},
}


_OURS = "filter=topic:facets&size=0"

CASES: Sequence[Case] = [
    Case(
        "most frequent first",
        f"{_OURS}&facet=album",
        total=38,
        facets={"album": [("many", 30), ("sea", 3), ("hills", 2), ("town", 2), ("Hills", 1)]},
    ),
    Case("a few of them", f"{_OURS}&facet=album:2", total=38, facets={"album": [("many", 30), ("sea", 3)]}),
    Case(
        "ties by value", f"{_OURS}&facet=album:3", total=38, facets={"album": [("many", 30), ("sea", 3), ("hills", 2)]}
    ),
    Case(
        "ten unless told, ties by value",
        f"{_OURS}&facet=number",
        total=38,
        facets={"number": [(f"n{number:02}", 1) for number in range(10)]},
    ),
    Case(
        "several fields",
        f"{_OURS}&facet=year,shop.city:1",
        total=38,
        facets={"year": [(2020, 2), (2019, 1), (2021, 1), ("2021", 1)], "shop.city": [("Rome", 3)]},
    ),
    Case(
        "members of sets and lists, each once",
        f"{_OURS}&facet=tag",
        total=38,
        facets={"tag": [("b", 2), ("c", 2), ("a", 1), ("d", 1), ("e", 1)]},
    ),
    Case("decimals", f"{_OURS}&facet=rate", total=38, facets={"rate": [(Decimal("1.5"), 2)]}),
    Case(
        "of the matches alone",
        "filter=topic:facets&filter=year:2020..2021&facet=album",
        hits={"f2", "f3", "f4"},
        facets={"album": [("sea", 2), ("hills", 1)]},
    ),
    Case(
        "of all matches, whatever is shown",
        "filter=album:sea&facet=year&sort=_id&size=1",
        hits=["f1"],
        total=3,
        facets={"year": [(2020, 2), (2019, 1)]},
    ),
    Case("of a box", "q=sea&fields=album&facet=album", hits={"f1", "f2", "f3"}, facets={"album": [("sea", 3)]}),
    Case("of no match", "filter=album:moon&facet=album", facets={"album": []}),
    Case("of a field that none has", f"{_OURS}&facet=nothing.here", total=38, facets={"nothing.here": []}),
    Case("none asked", "filter=album:sea", hits={"f1", "f2", "f3"}, facets={}),
]
