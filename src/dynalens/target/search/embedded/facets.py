"""Values of a field with how many matches have each."""

from __future__ import annotations

from collections.abc import Sequence

from dynalens.search import Facet, FacetValue
from dynalens.target.search.embedded.engine import Counted, Engine
from dynalens.target.search.language.clause import Clause
from dynalens.target.search.language.clauses import Clauses
from dynalens.target.search.language.facets import facet_value
from dynalens.target.search.language.limits import MOST_FACETS


def facet_values(engine: Engine, clauses: Clauses, query: Clause, facet: Facet) -> list[FacetValue]:
    """Count the values of a field over all matches: most frequent first, equal counts in the order of the values.

    Booleans come before numbers, and those before strings, of which dates come last.

    Raises:
        RequestError: The field is not indexed by name.
        QueryLimitError: The field has too many values.
    """
    name = clauses.name(facet.field)
    if facet.size < 1:
        return []
    return [facet_value(*counted) for counted in most_frequent(engine, query, name, facet.size)]


def most_frequent(engine: Engine, query: Clause, name: str, size: int) -> list[Counted]:
    """Give the most frequent tokens of the matches in order, equal counts by token."""
    found = engine.frequent_tokens(query, name, size + 1)
    if len(found) > size and found[-1].documents == found[-2].documents:
        found = _with_first_equals(engine, query, name, found, size)
    return sorted(found, key=lambda counted: (-counted.documents, counted.token))[:size]


def _with_first_equals(engine: Engine, query: Clause, name: str, found: Sequence[Counted], size: int) -> list[Counted]:
    """Fill up with the lowest of the values that are as frequent as the last one, of which there may be a million."""
    last = found[-1].documents
    more = [counted for counted in found if counted.documents > last]
    asked = 4 * size
    while True:
        first = engine.first_values(query, name, min(asked, MOST_FACETS))
        equals = [counted for counted in first if counted.documents == last]
        if len(more) + len(equals) >= size or len(first) < asked or asked >= MOST_FACETS:
            break
        asked *= 4
    return list(dict.fromkeys([*more, *equals, *found]))
