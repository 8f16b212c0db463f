"""Random queries over random documents give what a plain reading of the documents gives."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cmp_to_key
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynalens.search import (
    Bool,
    Everything,
    Exists,
    Facet,
    FacetValue,
    Ids,
    Nothing,
    Prefix,
    Query,
    Range,
    SearchRequest,
    SortKey,
    Term,
    Terms,
)
from dynalens.target.search.embedded.answer import answer, count
from dynalens.target.search.embedded.view import View
from dynalens.target.search.language.words import words
from tests.unit.target.search.embedded.views import view_of

Item = Mapping[str, Any]

PATHS = ("a", "b c", "m.x", "m", "名")
IDS = ("1", "a b", "ä/:]", "2020-01-01", "Zz", "id-10", "id-9", "true", "TO", '"q"', "*", "\\")
TEXTS = ("", "x", "X y", "y-z", "10", "9", "007", "true", "rue", "Été", "東京", 'a"b]}', "TO", "*", "\n", "\x85", "~")
DATES = ("2020-01-01", "2020-01-01T00:00:00Z", "2019-12-31T23:30:00-01:00", "9999-12-31", "2020-02-29T12:00:00.5Z")

leaf = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(DATES),
    st.sampled_from((True, False, None, 0, -1, 9, 10, 2.5, -2.5, 10**40, 123456789012345678901234567890)),
    st.text(max_size=3),
)
value = st.one_of(leaf, st.lists(leaf, max_size=4))
inner = st.one_of(leaf, st.fixed_dictionaries({}, optional={"x": value}))
item = st.fixed_dictionaries({}, optional={"a": value, "b c": value, "m": inner, "名": value})
collections = st.dictionaries(st.sampled_from(IDS), item, max_size=8)

path = st.sampled_from(PATHS)
bound = st.one_of(st.none(), st.sampled_from((*TEXTS, *DATES, "2020-01", "2020-01-01T00", "-1")), st.text(max_size=2))
number = st.one_of(st.none(), st.sampled_from((0, 9, 10, -1, 10**40, 10**600, -(10**600))))
ranges = st.one_of(
    st.builds(Range, path, bound, bound, bound, bound), st.builds(Range, path, number, number, number, number)
)
comparable = st.one_of(st.sampled_from((*TEXTS, *DATES)), st.text(max_size=2), st.booleans(), st.integers(-1, 10))
atoms = st.one_of(
    st.just(Everything()),
    st.just(Nothing()),
    st.builds(Term, path, comparable),
    st.builds(Terms, path, st.lists(comparable, max_size=3).map(tuple)),
    st.builds(Prefix, path, st.one_of(st.sampled_from(TEXTS), st.text(max_size=2))),
    st.builds(Exists, path),
    st.builds(Ids, st.lists(st.sampled_from((*IDS, "no")), max_size=3).map(tuple)),
    ranges,
)


def several(inner: st.SearchStrategy[Query]) -> st.SearchStrategy[tuple[Query, ...]]:
    return st.lists(inner, max_size=3).map(tuple)


queries: st.SearchStrategy[Query] = st.recursive(
    atoms,
    lambda inner: st.builds(
        Bool, several(inner), several(inner), several(inner), several(inner), st.one_of(st.none(), st.integers(-2, 4))
    ),
    max_leaves=8,
)
keys = st.lists(
    st.builds(SortKey, st.sampled_from((*PATHS, "_id")), st.booleans(), st.booleans()), min_size=1, max_size=3
).map(tuple)

patient = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@patient
@given(collections, queries, st.integers(1, 3))
def test_queries_match_what_a_plain_reading_matches(documents: dict[str, Item], query: Query, segments: int) -> None:
    view = view_of(documents, deleted=["gone"], segments=segments)
    expected = {id_ for id_, document in documents.items() if matches(query, id_, document)}
    found = answer(view, SearchRequest(query, size=20))
    assert {hit.id for hit in found.hits} == expected
    assert found.total == count(view, query) == len(expected)


@patient
@given(collections, keys, st.integers(0, 4), st.integers(1, 4), st.integers(1, 3))
def test_any_order_is_that_of_the_values(
    documents: dict[str, Item], sort: tuple[SortKey, ...], offset: int, size: int, segments: int
) -> None:
    view = view_of(documents, deleted=["gone"], segments=segments)
    expected = in_order(documents, sort)
    hits = answer(view, SearchRequest(offset=offset, size=size, sort=sort)).hits
    assert [hit.id for hit in hits] == expected[offset : offset + size]


@patient
@given(collections, keys, st.integers(1, 3), st.integers(1, 3))
def test_pages_behind_the_last_hit_give_every_document_once(
    documents: dict[str, Item], sort: tuple[SortKey, ...], size: int, segments: int
) -> None:
    view = view_of(documents, deleted=["gone"], segments=segments)
    by_id = (*(key for key in sort if key.field != "_id"), SortKey("_id"))
    assert list(pages(view, by_id, size)) == in_order(documents, by_id)


def pages(view: View, sort: tuple[SortKey, ...], size: int) -> Iterator[str]:
    after: tuple[Any, ...] = ()
    for _ in range(2 * len(IDS)):
        hits = answer(view, SearchRequest(sort=sort, size=size, after=after)).hits
        if not hits:
            return
        yield from (hit.id for hit in hits)
        after = hits[-1].sort


@patient
@given(collections, path, st.integers(1, 6), st.integers(1, 3))
def test_facets_count_documents_by_value(documents: dict[str, Item], field: str, size: int, segments: int) -> None:
    view = view_of(documents, deleted=["gone"], segments=segments)
    counts: dict[tuple[Any, ...], int] = {}
    for document in documents.values():
        for one in {facet_order(value) for value in values_at(document, field)}:
            counts[one] = counts.get(one, 0) + 1
    expected = sorted(counts.items(), key=lambda counted: (-counted[1], counted[0]))[:size]
    found = answer(view, SearchRequest(size=0, facets=(Facet(field, size),))).facets[field]
    assert found == [FacetValue(one[-1], number) for one, number in expected]


# The plain reading.


def values_at(document: Item, wanted: str) -> list[Any]:
    return [value for path, value in leaves(document, "") if path == wanted]


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from leaves(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for member in value:
            yield from leaves(member, path)
    elif value is not None:
        yield path, value


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def instant(text: str) -> datetime | None:
    if text not in DATES:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


SPANS = {
    "2020-01": ("2020-01-01", "2020-01-31T23:59:59.999999"),
    "2020-01-01": ("2020-01-01", "2020-01-01T23:59:59.999999"),
    "9999-12-31": ("9999-12-31", "9999-12-31T23:59:59.999999"),
    "2020-01-01T00": ("2020-01-01", "2020-01-01T00:59:59.999999"),
    "2020-01-01T00:00:00Z": ("2020-01-01", "2020-01-01T00:00:00.999999"),
    "2019-12-31T23:30:00-01:00": ("2020-01-01T00:30:00", "2020-01-01T00:30:00.999999"),
    "2020-02-29T12:00:00.5Z": ("2020-02-29T12:00:00.5", "2020-02-29T12:00:00.5"),
}


def span(text: str) -> tuple[datetime, datetime]:
    first, last = SPANS[text]
    return datetime.fromisoformat(first).replace(tzinfo=UTC), datetime.fromisoformat(last).replace(tzinfo=UTC)


def spelled(value: Any) -> Any:  # noqa: ANN401
    """Give the number or boolean that a text spells, else the text."""
    if value in ("true", "false"):
        return value == "true"
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?[0-9]|[1-9][0-9]+", value) else value


def equals(value: Any, asked: Any) -> bool:  # noqa: ANN401
    if isinstance(asked, str) and isinstance(value, str):
        return value == asked
    if isinstance(value, str):
        return value == (str(asked).lower() if isinstance(asked, bool) else str(asked))
    if isinstance(asked, str):
        asked = spelled(asked)
    same_type = type(value) is type(asked) or (is_number(value) and is_number(asked))
    return same_type and bool(value == asked)


def within(value: Any, asked: Range) -> bool:  # noqa: ANN401
    bounds = {name: one for name in ("gt", "gte", "lt", "lte") if (one := getattr(asked, name)) is not None}
    if not bounds:
        return True
    if all(isinstance(one, str) and one in SPANS for one in bounds.values()):
        return (
            isinstance(value, str)
            and (at := instant(value)) is not None
            and all(
                compare(name, at, span(one)[1] if name in {"gt", "lte"} else span(one)[0])
                for name, one in bounds.items()
            )
        )
    if is_number(value):
        numbers = {name: spelled(one) for name, one in bounds.items()}
        return all(map(is_number, numbers.values())) and all(compare(name, value, one) for name, one in numbers.items())
    return isinstance(value, str) and all(
        isinstance(one, str) and compare(name, value, one) for name, one in bounds.items()
    )


def compare(name: str, left: Any, right: Any) -> bool:  # noqa: ANN401
    by: Mapping[str, Callable[[Any, Any], bool]] = {
        "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
    }  # fmt: skip
    return by[name](left, right)


def begins(value: Any, text: str) -> bool:  # noqa: ANN401
    if isinstance(value, str) and value.startswith(text):
        return True
    row, found = words(text), [] if isinstance(value, bool) else words(str(value))
    last = len(row) - 1
    places = range(len(found) - last) if row else ()
    return any(found[at : at + last] == row[:-1] and found[at + last].startswith(row[-1]) for at in places)


def matches(query: Query, id_: str, document: Item) -> bool:  # noqa: PLR0911
    match query:
        case Everything():
            return True
        case Term(field, one):
            return any(equals(value, one) for value in values_at(document, field))
        case Terms(field, several):
            return any(equals(value, one) for value in values_at(document, field) for one in several)
        case Range():
            return any(within(value, query) for value in values_at(document, query.field))
        case Prefix(field, text):
            return any(begins(value, text) for value in values_at(document, field))
        case Exists(field):
            return any(path == field or path.startswith(f"{field}.") for path, _ in leaves(document, ""))
        case Ids(wanted):
            return id_ in wanted
        case Bool():
            return bool_matches(query, id_, document)
    return False


def bool_matches(query: Bool, id_: str, document: Item) -> bool:
    should = sum(matches(inner, id_, document) for inner in query.should)
    minimum = query.minimum
    if minimum is None:
        minimum = int(bool(query.should) and not query.must and not query.filter)
    if minimum < 0:
        minimum = max(0, minimum + len(query.should))
    needed = all(matches(inner, id_, document) for inner in (*query.must, *query.filter))
    return needed and should >= minimum and not any(matches(inner, id_, document) for inner in query.must_not)


def order(value: Any) -> tuple[Any, ...]:  # noqa: ANN401
    if isinstance(value, bool):
        return 0, value
    if is_number(value):
        return 1, value
    at = instant(value)
    return (3, value) if at is None else (2, at)


def facet_order(value: Any) -> tuple[Any, ...]:  # noqa: ANN401
    kind = 4 if isinstance(value, str) and instant(value) else order(value)[0]
    return kind, value


def in_order(documents: Mapping[str, Item], sort: tuple[SortKey, ...]) -> list[str]:
    def compared(left: str, right: str) -> int:
        for key in (*sort, SortKey("_id")):
            result = compared_by(key, own(documents, left, key), own(documents, right, key))
            if result:
                return result
        return 0

    return sorted(documents, key=cmp_to_key(compared))


def own(documents: Mapping[str, Item], id_: str, key: SortKey) -> tuple[Any, ...] | None:
    values = [id_] if key.field == "_id" else values_at(documents[id_], key.field)
    orders = [(3, id_)] if key.field == "_id" else [order(value) for value in values]
    return (max if key.descending else min)(orders, default=None)


def compared_by(key: SortKey, left: tuple[Any, ...] | None, right: tuple[Any, ...] | None) -> int:
    if left is None or right is None:
        missing = (left is None) - (right is None)
        return -missing if key.missing_first else missing
    result = (left > right) - (left < right)
    return -result if key.descending else result
