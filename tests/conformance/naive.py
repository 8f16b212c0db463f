"""An engine that reads every document: what `docs/search.md` says of whole values, written down as plainly as it goes.

It knows the queries of whole values, orders by fields, and facets; of words it knows beginnings in ASCII alone.
"""

from __future__ import annotations

import operator
import re
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

from dynalens.search import ID, Bool, Exists, Ids, Prefix, Query, Range, SortKey, Term, Terms, Value
from dynalens.search.minimum import required

Item: TypeAlias = Mapping[str, object]

BOOLEAN, NUMBER, MOMENT, TEXT, DATE = range(5)
"""Kinds of values in the order in which fields are sorted; facets put dates, as texts, behind all others."""


class Leaf(NamedTuple):
    """One value that is not null, and its path."""

    path: str
    value: Value


class Naive:
    """Documents by id, and the answers to questions about them."""

    def __init__(self, items: Mapping[str, Item]) -> None:
        self._leaves = {id_: list(_leaves(item)) for id_, item in items.items()}

    def found(self, query: Query) -> set[str]:
        """Give the ids of the matches."""
        return {id_ for id_, leaves in self._leaves.items() if _matches(query, id_, leaves)}

    def in_order(self, ids: set[str], keys: Sequence[SortKey]) -> list[str]:
        """Put ids in an order by fields; equal ones by id."""
        ordered = sorted(ids)
        for key in reversed(keys):
            ordered = self._by(key, ordered)
        return ordered

    def _by(self, key: SortKey, ids: Sequence[str]) -> list[str]:
        if key.field == ID:
            return sorted(ids, reverse=key.descending)
        places = {id_: [_place(value) for value in self._values(id_, key.field)] for id_ in ids}
        present = [id_ for id_ in ids if places[id_]]
        missing = [id_ for id_ in ids if not places[id_]]
        pick = max if key.descending else min
        present.sort(key=lambda id_: pick(places[id_]), reverse=key.descending)
        return missing + present if key.missing_first else present + missing

    def facet(self, ids: set[str], field: str, size: int) -> list[tuple[Value, int]]:
        """Count the values of a field in the documents with these ids."""
        counted = Counter(place for id_ in ids for place in {_facet_place(value) for value in self._values(id_, field)})
        ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
        return [(value, count) for (_, value), count in ordered[:size]]

    def _values(self, id_: str, field: str) -> list[Value]:
        return [leaf.value for leaf in self._leaves[id_] if leaf.path == field]


# Documents.


def _leaves(item: Item, above: str = "") -> Iterator[Leaf]:
    for name, value in item.items():
        yield from _leaves_of(above + name, value)


def _leaves_of(path: str, value: object) -> Iterator[Leaf]:
    match value:
        case Mapping():
            yield from _leaves(value, f"{path}.")
        case list() | frozenset():
            for member in value:
                yield from _leaves_of(path, member)
        case bool() | int() | Decimal() | str():
            yield Leaf(path, value)


def _kind(value: Value) -> int:
    if isinstance(value, bool):
        return BOOLEAN
    if not isinstance(value, str):
        return NUMBER
    return MOMENT if _moment(value) else TEXT


def _place(value: Value) -> tuple[int, object]:
    """Give what a value is sorted by: of a date its moment."""
    kind = _kind(value)
    return kind, _moment(str(value)) if kind == MOMENT else value


def _facet_place(value: Value) -> tuple[int, Value]:
    kind = _kind(value)
    return DATE if kind == MOMENT else kind, value


# Queries.


def _matches(query: Query, id_: str, leaves: Sequence[Leaf]) -> bool:
    match query:
        case Bool():
            return _matches_all(query, lambda inner: _matches(inner, id_, leaves))
        case Ids(ids):
            return id_ in ids
        case Exists(field):
            return any(leaf.path == field or leaf.path.startswith(f"{field}.") for leaf in leaves)
        case Term() | Terms() | Prefix() | Range():
            return any(_has(leaf.value, query) for leaf in leaves if leaf.path == query.field)
    raise TypeError(f"{query!r} is no exact query")


def _has(value: Value, query: Term | Terms | Prefix | Range) -> bool:
    match query:
        case Term():
            return _equals(value, query.value)
        case Terms():
            return any(_equals(value, asked) for asked in query.values)
        case Prefix():
            return _begins(value, query.value)
        case Range():
            return _lies_within(value, query)


def _matches_all(query: Bool, holds: Callable[[Query], bool]) -> bool:
    least = int(not query.must and not query.filter and bool(query.should))
    if query.minimum is not None:
        least = required(query.minimum, len(query.should))
    return (
        all(map(holds, query.must + query.filter))
        and not any(map(holds, query.must_not))
        and sum(map(holds, query.should)) >= least
    )


def _equals(value: Value, asked: Value) -> bool:
    """Tell equal values of one kind; a text also stands for the number or boolean that it spells."""
    if isinstance(value, str) == isinstance(asked, str):
        return isinstance(value, bool) == isinstance(asked, bool) and value == asked
    if isinstance(asked, str):
        return asked == str(value).lower() if isinstance(value, bool) else _number(asked) == value
    return value == str(asked).lower()


def _number(text: str) -> Decimal | None:
    return Decimal(text) if re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?", text, re.ASCII) else None


def _begins(value: Value, beginning: str) -> bool:
    if isinstance(value, str) and value.startswith(beginning):
        return True
    wanted, held = _words(beginning), [] if isinstance(value, bool) else _words(str(value))
    rows = [held[start : start + len(wanted)] for start in range(len(held) - len(wanted) + 1)]
    return any(row[:-1] == wanted[:-1] and row[-1].startswith(wanted[-1]) for row in rows if wanted)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


# Ranges: numbers with numbers, dates by moment, other texts by code point.

_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def _lies_within(value: Value, query: Range) -> bool:
    bounds = {name: bound for name in ("gt", "gte", "lt", "lte") if (bound := getattr(query, name)) is not None}
    return any(
        all(_COMPARED[name](held, bound) for name, bound in read.items()) for held, read in _readings(value, bounds)
    )


def _readings(value: Value, bounds: Mapping[str, Value]) -> Iterator[tuple[object, Mapping[str, object]]]:
    """Give the value and the bounds as what they may be compared as."""
    if not any(isinstance(bound, str) for bound in bounds.values()):
        if _kind(value) == NUMBER:
            yield value, bounds
        return
    texts = {name: str(bound) for name, bound in bounds.items()}
    spans = {name: _span(text) for name, text in texts.items()}
    numbers = {name: _number(text) for name, text in texts.items()}
    are_dates, are_numbers = None not in spans.values(), None not in numbers.values()
    if are_dates and _kind(value) == MOMENT:
        yield _moment(str(value)), {name: _edge(name, *span) for name, span in spans.items() if span}
    if are_numbers and _kind(value) == NUMBER:
        yield value, numbers
    if _kind(value) == TEXT and (are_numbers or not are_dates):
        yield value, texts
    if _kind(value) == MOMENT and not are_dates:
        yield value, texts


# Dates.

_DATE = re.compile(r"(\d{4}-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?)?)(Z|[+-]\d\d:\d\d)?", re.ASCII)
_LENGTHS = {
    len("2024-01-01"): timedelta(days=1),
    len("2024-01-01T10:00"): timedelta(minutes=1),
    len("2024-01-01T10:00:00"): timedelta(seconds=1),
}
_LEAST = timedelta(microseconds=1)


def _moment(text: str) -> datetime | None:
    """Give the moment that a date of a document begins at; a month alone is a text."""
    span = _span(text) if len(text) >= len("2024-01-01") else None
    return span[0] if span else None


def _span(text: str) -> tuple[datetime, datetime] | None:
    """Give the first and the last moment of a date, a month or a year."""
    if re.fullmatch(r"\d{4}", text, re.ASCII):
        return _until(f"{text}-01-01", lambda first: first.replace(year=first.year + 1))
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    if found[2] is None:
        return _until(f"{text}-01", lambda first: first + timedelta(days=monthrange(first.year, first.month)[1]))
    return _until(text, lambda first: first + _LENGTHS.get(len(found[1]), _LEAST))


def _until(text: str, end: Callable[[datetime], datetime]) -> tuple[datetime, datetime] | None:
    try:
        first = datetime.fromisoformat(text)
    except ValueError:
        return None
    first = first if first.tzinfo else first.replace(tzinfo=UTC)
    return first, end(first) - _LEAST


def _edge(name: str, first: datetime, last: datetime) -> datetime:
    """A bound that lacks its smaller parts covers them."""
    return last if name in {"gt", "lte"} else first
