"""Going on behind the last hit seen, by the values that it was sorted by."""

from __future__ import annotations

from dynalens.search import SearchRequest
from dynalens.target.search.embedded.sorting import Sorter
from dynalens.target.search.language.clause import Clause
from dynalens.target.search.language.clauses import any_of, nothing
from dynalens.target.search.language.order import asked_token


def behind(sorter: Sorter, query: Clause, request: SearchRequest) -> Clause:
    """Narrow a query to the matches behind `request.after`."""
    if not request.after:
        return query
    found = []
    for key, value in zip(request.sort, request.after, strict=True):
        token = None if value is None else asked_token(key, value)
        further = sorter.behind(query, key, token)
        if further is not None:
            found.append(further)
        query = sorter.without(query, key) if token is None else sorter.equal(query, key, token)
    return any_of(found) if found else nothing()
