"""Points in a shape: the cells within it by the beginnings of their tokens, and what lies on its edge one by one."""

from __future__ import annotations

from collections.abc import Sequence

from tantivy import Occur, Query

from dynalens.errors import QueryLimitError
from dynalens.search.geo import Shape
from dynalens.target.search.embedded import schema
from dynalens.target.search.embedded.view import View
from dynalens.target.search.language.points import cover, place_of

_CELLS = (256, 2048)
"""Cells that a shape is covered by: more where too many different points lie on the edge of the larger ones."""
_MOST_ON_EDGE = 60_000
"""Different points that are looked at one by one; the engine gives at most 65,000."""


def points_in(view: View, name: str, shape: Shape) -> Query:
    """Match documents with a point of this name in a shape, at a score of 1.

    Raises:
        QueryLimitError: Too many different points lie close to its edge.
    """
    where = f"{schema.EXACT}.{schema.point_column(name)}"
    for most in _CELLS:
        covered = cover(shape, most)
        tokens = _tokens(view, where, covered.edge)
        if tokens is not None:
            on_edge = [token for token in tokens if shape.has(*place_of(token))]
            found = [*_cells(view, where, covered.within), Query.term_set_query(view.schema, where, on_edge)]
            return Query.const_score_query(_any(found), 1.0)
    raise QueryLimitError(
        f"More than {_MOST_ON_EDGE} different points lie close to the edge of what is asked.",
        hint="Ask for a smaller circle or box.",
    )


def _tokens(view: View, where: str, cells: Sequence[str]) -> list[str] | None:
    """Give the tokens of the documents with a point in one of the cells; None where there are too many."""
    if not cells:
        return []
    terms = {"field": where, "size": _MOST_ON_EDGE, "order": {"_key": "asc"}}
    try:
        found = view.searcher.aggregate(_any(_cells(view, where, cells)), {"tokens": {"terms": terms}})["tokens"]
    except ValueError:
        return None
    return None if found["sum_other_doc_count"] else [bucket["key"] for bucket in found["buckets"]]


def _cells(view: View, where: str, beginnings: Sequence[str]) -> list[Query]:
    return [Query.fuzzy_term_query(view.schema, where, text, 0, prefix=True) for text in beginnings]


def _any(queries: Sequence[Query]) -> Query:
    return Query.boolean_query([(Occur.Should, query) for query in queries])
