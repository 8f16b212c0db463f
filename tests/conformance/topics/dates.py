"""Dates: whole texts by equality, moments by range and order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.conformance.case import Case, query

DOCUMENTS: Mapping[str, Mapping[str, object]] = {
    "day": {"at": "2024-03-10"},
    "noon": {"at": "2024-03-10T12:00:00Z"},
    "noon-elsewhere": {"at": "2024-03-10T14:00:00+02:00"},
    "noon-and-a-half": {"at": "2024-03-10T12:00:00.5"},
    "evening": {"at": "2024-03-10 23:59:59"},
    "next-day-elsewhere": {"at": "2024-03-11T00:30:00+01:00"},
    "leap-day": {"at": "2024-02-29"},
    "before-1970": {"at": "1969-12-31"},
    "new-year": {"at": "2025-01-01T00:00:00Z"},
    "far": {"at": "9999-12-31T23:59:59Z"},
    "no-leap-year": {"at": "2023-02-29"},
    "in-words": {"at": "around 2024-03-10"},
    "seconds": {"at": 1710072000},
}

_TENTH = {"day", "noon", "noon-elsewhere", "noon-and-a-half", "evening", "next-day-elsewhere"}


def _range(**bounds: object) -> dict[str, object]:
    return query({"range": {"at": bounds}})


CASES: Sequence[Case] = [
    Case("two spellings of a moment are two values", query({"term": {"at": "2024-03-10T12:00:00Z"}}), hits={"noon"}),
    Case(
        "a moment by range, in any spelling",
        _range(gte="2024-03-10T12:00:00.000000Z", lte="2024-03-10T12:00:00.000000Z"),
        hits={"noon", "noon-elsewhere"},
    ),
    Case("a bound covers what it lacks", _range(gte="2024-03-10", lte="2024-03-10"), hits=_TENTH),
    Case(
        "a second covers its fractions",
        _range(gte="2024-03-10T12:00:00Z", lte="2024-03-10T12:00:00Z"),
        hits={"noon", "noon-elsewhere", "noon-and-a-half"},
    ),
    Case("gt begins after the day", _range(gt="2024-03-10"), hits={"new-year", "far"}),
    Case("lt ends before the day", _range(lt="2024-03-10"), hits={"leap-day", "before-1970"}),
    Case(
        "a bound with a zone",
        _range(gt="2024-03-10T13:00:00+01:00", lt="2024-03-11"),
        hits={"evening", "next-day-elsewhere"},
    ),
    Case("a month", _range(gte="2024-03", lte="2024-03"), hits=_TENTH),
    Case("years", _range(gte="2024", lte="2024"), hits={*_TENTH, "leap-day"}),
    Case("no date of the calendar is a text", _range(gte="2023-01-01", lt="2024-01-01"), hits=set()),
    Case("a filter between days", "filter=at:2024-02-29..2024-03-10", hits={*_TENTH, "leap-day"}),
    Case("a filter after a day", "filter=at:>2024-03-10", hits={"new-year", "far"}),
    Case("date math rounds down", _range(gte="2024-03-10||/M", lt="2024-03-10||/M+1M"), hits=_TENTH),
    Case("date math adds months", _range(gte="2024-03-10||-1M", lt="2024-03-10"), hits={"leap-day"}),
    Case("date math rounds lte up", _range(gte="2024-02-29||/y", lte="2024-02-29||/y"), hits={*_TENTH, "leap-day"}),
    Case("what is to come", _range(gt="now"), hits={"far"}),
    Case(
        "what was",
        query({"range": {"at": {"lte": "now/d"}}}),
        hits={*_TENTH, "leap-day", "before-1970", "new-year"},
    ),
    Case("a filter with date math", "filter=at:>now%2B1d", hits={"far"}),
    Case("a number is no date", _range(gte=1710072000, lte=1710072000), hits={"seconds"}),
    Case("the words of a date", query({"match_phrase": {"at": "2024 02 29"}}), hits={"leap-day"}),
    Case(
        "the beginning of a date",
        query({"prefix": {"at": "2024-03-10"}}),
        hits={*_TENTH, "in-words"} - {"next-day-elsewhere"},
    ),
    Case(
        "numbers, then dates by moment, then texts",
        query({"exists": {"field": "at"}}, sort=["at", "_id"]),
        hits=[
            "seconds",
            "before-1970",
            "leap-day",
            "day",
            "noon",
            "noon-elsewhere",
            "noon-and-a-half",
            "next-day-elsewhere",
            "evening",
            "new-year",
            "far",
            "no-leap-year",
            "in-words",
        ],
    ),
    Case(
        "a date sorts as it is written",
        query({"ids": {"values": ["noon-elsewhere", "evening"]}}, sort={"at": "desc"}),
        hits=["evening", "noon-elsewhere"],
        sort=[("2024-03-10 23:59:59",), ("2024-03-10T14:00:00+02:00",)],
    ),
    Case(
        "a facet keeps spellings apart",
        "filter=at:2024-03-10T12:00:00.000000Z..2024-03-10T12:00:00.000000Z&facet=at",
        hits={"noon", "noon-elsewhere"},
        facets={"at": [("2024-03-10T12:00:00Z", 1), ("2024-03-10T14:00:00+02:00", 1)]},
    ),
]
