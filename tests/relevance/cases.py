"""The queries, as `queries/*.yaml` ask them, and what a user may expect of each. The settings are those of `Case`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from dynalens.search import (
    Anywhere,
    Bool,
    Everything,
    Exists,
    Facet,
    Prefix,
    Query,
    Range,
    SearchRequest,
    SortKey,
    Term,
    Terms,
    Value,
)
from tests.relevance.reading import FOLDER, read

MOST = 100
"""More than a collection of the corpus holds: one page shows all hits."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One query, in the words of the file, and what it must give. Documents are named by their labels.

    Attributes:
        file: The file, without its suffix and number.
        name: What the case shows.
        collection: Where it asks (`in` in the file).
        ask: What somebody types into the search box.
        fields: The fields that are searched; all when empty.
        where: Filters: `{field, is}`, `is_not`, `in`, `begins`, `exists`, or bounds `gt`, `gte`, `lt`, `lte`.
        sort: Fields, those after a minus descending; best first when empty.
        first: The hits that come first, in this order; a list among them is one rank, in any order.
        only: Whether there are no hits but those of `first`.
        found: Documents among the hits, wherever.
        absent: Documents that must not be among the hits.
        total: How many hits there are.
        facets: Values and counts by field, in this order.
        facet_size: Most values of a facet.
        marked: Fragments by label and field: these fields, and no others.
        marked_words: Words marked in the fragments of a long text, by label and field: these fields, and no others.
        page: Hits on a page: all pages together must be all hits, each once, in the same order.
    """

    file: str
    name: str
    collection: str
    ask: str | None = None
    fields: Sequence[str] = ()
    where: Sequence[Mapping[str, Any]] = ()
    sort: Sequence[str] = ()
    first: Sequence[str | Sequence[str]] = ()
    only: bool = False
    found: Sequence[str] = ()
    absent: Sequence[str] = ()
    total: int | None = None
    facets: Mapping[str, Sequence[Sequence[Value]]] = field(default_factory=dict)
    facet_size: int = 10
    marked: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    marked_words: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    page: int | None = None

    @property
    def ranks(self) -> list[set[str]]:
        """Give `first` as sets: the labels of each rank."""
        return [{rank} if isinstance(rank, str) else set(rank) for rank in self.first]

    @property
    def labels(self) -> list[str]:
        """Give every label that the case mentions among the hits, and those that it says are absent."""
        ranked = [label for rank in self.first for label in ([rank] if isinstance(rank, str) else rank)]
        return [*ranked, *self.found, *self.absent]

    @property
    def expects(self) -> bool:
        """Tell whether any answer could fail the case."""
        asserted = (self.first, self.only, self.found, self.absent, self.facets, self.marked, self.marked_words)
        return any(asserted) or self.total is not None

    def request(self) -> SearchRequest:
        """Give what is asked of the target: all hits on one page."""
        return SearchRequest(
            query=_query(self),
            size=MOST,
            sort=tuple(SortKey(key.removeprefix("-"), descending=key.startswith("-")) for key in self.sort),
            facets=tuple(Facet(name, self.facet_size) for name in self.facets),
        )


@cache
def cases() -> Sequence[Case]:
    """Read all queries, in the order of the files."""
    return [case for path in sorted((FOLDER / "queries").glob("*.yaml")) for case in _cases(path)]


def _cases(path: Path) -> list[Case]:
    file = path.stem.partition("_")[2]
    return [Case(file=file, collection=entry.pop("in"), **entry) for entry in read(path)]


def _query(case: Case) -> Query:
    words = Anywhere(case.ask, tuple(case.fields)) if case.ask is not None else Everything()
    filters = tuple(_filter(dict(condition)) for condition in case.where)
    return Bool(must=(words,), filter=filters) if filters else words


_FILTERS: Mapping[str, Callable[[str, Any], Query]] = {
    "is": Term,
    "is_not": lambda name, value: Bool(must_not=(Term(name, value),)),
    "in": lambda name, values: Terms(name, tuple(values)),
    "begins": Prefix,
    "exists": lambda name, there: Exists(name) if there else Bool(must_not=(Exists(name),)),
}


def _filter(condition: dict[str, Any]) -> Query:
    name = condition.pop("field")
    if len(condition) == 1 and (kind := next(iter(condition))) in _FILTERS:
        return _FILTERS[kind](name, condition[kind])
    return Range(name, **condition)
