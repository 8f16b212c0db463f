"""Going on behind the last hit seen, by the values that it was sorted by."""

from __future__ import annotations

from dynalens.errors import RequestError
from dynalens.search import ID, SCORE, SearchRequest, SortKey, Value
from dynalens.target.search.embedded.sorting import Sorter
from dynalens.target.search.language.clause import Clause
from dynalens.target.search.language.clauses import any_of, nothing
from dynalens.target.search.language.encode import printable
from dynalens.target.search.language.exact import tokens_of
from dynalens.target.search.language.tokens import string_token, text_tokens


def behind(sorter: Sorter, query: Clause, request: SearchRequest) -> Clause:
    """Narrow a query to the matches behind `request.after`.

    Raises:
        RequestError: `after` does not fit the sort.
    """
    if not request.after:
        return query
    _check(request)
    found = []
    for key, value in zip(request.sort, request.after, strict=True):
        token = None if value is None else _token(key, value)
        further = sorter.behind(query, key, token)
        if further is not None:
            found.append(further)
        query = sorter.without(query, key) if token is None else sorter.equal(query, key, token)
    return any_of(found) if found else nothing()


def _check(request: SearchRequest) -> None:
    if any(key.field == SCORE for key in request.sort):
        raise RequestError("search_after cannot go on in an order by _score.", hint="Sort by a field or by _id.")
    if len(request.after) != len(request.sort):
        raise RequestError(
            f"search_after has {len(request.after)} values, and sort {len(request.sort)} keys.",
            hint="Give back the `sort` of the last hit as it is.",
        )


def _token(key: SortKey, value: Value) -> str:
    if key.field == ID:
        return string_token(printable(str(value)))
    return text_tokens(printable(value))[-1] if isinstance(value, str) else tokens_of(value)[0]
