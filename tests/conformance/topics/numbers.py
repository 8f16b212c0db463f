"""Numbers: exact to the last digit, of any size, and beside texts in one field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from tests.conformance.case import Case, query

_DIGITS = 12345678901234567890123456789012345678
_LARGEST = Decimal("9.9E+125")

DOCUMENTS: Mapping[str, Mapping[str, object]] = {
    "one": {"amount": 1},
    "one-decimal": {"amount": Decimal("1.0")},
    "two": {"amount": 2},
    "half": {"amount": Decimal("0.5")},
    "minus": {"amount": -3},
    "zero": {"amount": 0},
    "price": {"amount": Decimal("19.9")},
    "38-digits": {"amount": _DIGITS},
    "38-digits-next": {"amount": _DIGITS + 1},
    "64-bits": {"amount": 2**63},
    "65-bits": {"amount": 2**64 + 1},
    "tiny": {"amount": Decimal("1E-130")},
    "largest": {"amount": _LARGEST},
    "smallest": {"amount": -_LARGEST},
    "text-one": {"amount": "1"},
    "text-many": {"amount": "many"},
}

_ONES = {"one", "one-decimal"}


def _range(**bounds: object) -> dict[str, object]:
    return query({"range": {"amount": bounds}})


CASES: Sequence[Case] = [
    Case(
        "equal numbers are one value, and a text that spells it",
        query({"term": {"amount": 1}}),
        hits={*_ONES, "text-one"},
    ),
    Case("a decimal equals the integer", query({"term": {"amount": Decimal("1.00")}}), hits=_ONES),
    Case("a text stands for the number", query({"term": {"amount": "19.90"}}), hits={"price"}),
    Case("38 digits", query({"term": {"amount": _DIGITS}}), hits={"38-digits"}),
    Case("38 digits as a text", query({"term": {"amount": str(_DIGITS + 1)}}), hits={"38-digits-next"}),
    Case("an integer past 64 bits", query({"term": {"amount": 2**64 + 1}}), hits={"65-bits"}),
    Case("its neighbour", query({"term": {"amount": 2**64}}), hits=set()),
    Case("an exponent", query({"term": {"amount": Decimal("0.99E126")}}), hits={"largest"}),
    Case("terms", query({"terms": {"amount": [2, "0.50", -3, 99]}}), hits={"two", "half", "minus"}),
    Case("match of a number", query({"match": {"amount": Decimal("19.90")}}), hits={"price"}),
    Case("match of a text that is a number", query({"match": {"amount": "19.9"}}), hits={"price"}),
    Case("a phrase of one number", query({"match_phrase": {"amount": 2**63}}), hits={"64-bits"}),
    Case("a range of numbers", _range(gte=1, lt=Decimal("19.9")), hits={*_ONES, "two"}),
    Case("a range without its ends", _range(gt=0, lt=1), hits={"half", "tiny"}),
    Case("a range of one number", _range(gte=1, lte=1), hits=_ONES),
    Case("a range between 38 digits", _range(gt=_DIGITS, lte=_DIGITS + 1), hits={"38-digits-next"}),
    Case("a range behind the largest", _range(gt=_LARGEST), hits=set()),
    Case("a range up to the largest", _range(gt=_DIGITS + 1), hits={"largest"}),
    Case("a range below zero", _range(lt=0), hits={"minus", "smallest"}),
    Case("a range of texts", _range(gte="m", lt="n"), hits={"text-many"}),
    Case("bounds that spell numbers", _range(gte="1", lte="2"), hits={*_ONES, "two", "text-one"}),
    Case("a range that is empty", _range(gt=2, lt=1), hits=set()),
    Case("a bound of null is none", _range(gte=None, lt=0), hits={"minus", "smallest"}),
    Case("a filter by value", "filter=amount:1", hits={*_ONES, "text-one"}),
    Case("a filter by values", "filter=amount:2&filter=amount:-3", hits={"two", "minus"}),
    Case("a filter with both ends", "filter=amount:1..2", hits={*_ONES, "two"}),
    Case("a filter with one end", "filter=amount:..-3", hits={"minus", "smallest"}),
    Case("a filter from one end on", "filter=amount:1e30..", hits={"38-digits", "38-digits-next", "largest"}),
    Case("filters by comparison", "filter=amount:>0&filter=amount:<1", hits={"half", "tiny"}),
    Case("a filter by a text's order", "filter=amount:>m", hits={"text-many"}),
    Case("a number with a zero at its end", "q=19.90&fields=amount", hits={"price"}),
    Case(
        "numbers in order, then texts",
        query({"exists": {"field": "amount"}}, sort=["amount", "_id"]),
        hits=[
            "smallest",
            "minus",
            "zero",
            "tiny",
            "half",
            "one",
            "one-decimal",
            "two",
            "price",
            "64-bits",
            "65-bits",
            "38-digits",
            "38-digits-next",
            "largest",
            "text-one",
            "text-many",
        ],
    ),
    Case(
        "sort values keep every digit",
        query({"range": {"amount": {"gte": 1}}}, sort={"amount": "desc"}, size=5),
        hits=["largest", "38-digits-next", "38-digits", "65-bits", "64-bits"],
        total=9,
        sort=[(_LARGEST,), (_DIGITS + 1,), (_DIGITS,), (2**64 + 1,), (2**63,)],
    ),
    Case(
        "a facet counts equal numbers together",
        "filter=topic:numbers&facet=amount:4&size=0",
        total=16,
        facets={"amount": [(1, 2), (-_LARGEST, 1), (-3, 1), (0, 1)]},
    ),
]
