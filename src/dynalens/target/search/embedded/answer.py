"""Answers one search over one view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dynalens.search import SCORE, Facet, FacetValue, Hit, Query, SearchAnswer, SearchRequest
from dynalens.target.search.embedded.aggregations import Aggregator
from dynalens.target.search.embedded.engine import Engine
from dynalens.target.search.embedded.facets import facet_values
from dynalens.target.search.embedded.paging import behind
from dynalens.target.search.embedded.sorting import Found, Sorter
from dynalens.target.search.embedded.view import View, live
from dynalens.target.search.language.accepted import check
from dynalens.target.search.language.clause import Clause
from dynalens.target.search.language.clauses import Clauses
from dynalens.target.search.language.compile import compiled, scores_are_equal
from dynalens.target.search.language.highlight import highlighter
from dynalens.target.search.language.order import complete, own_value


def answer(view: View, request: SearchRequest, *, limited: bool = True) -> SearchAnswer:
    """Answer one search over the live documents of a view.

    Args:
        view: What is searched.
        request: What is asked.
        limited: Whether `MOST_HITS` holds for offset and size together.

    Raises:
        RequestError: It asks for what cannot be done.
        QueryLimitError: It passes a limit that the message names.
    """
    check(request, limited=limited)
    return _Answer(view, request, live(view, compiled(view, request.query)), Engine(view)).give()


def count(view: View, query: Query) -> int:
    """Count the live documents that match. Raises what `answer` raises."""
    return Engine(view).count(live(view, compiled(view, query)))


@dataclass(frozen=True, slots=True)
class _Matches:
    total: int
    best: float | None
    found: list[Found]


@dataclass(frozen=True, slots=True)
class _Answer:
    view: View
    request: SearchRequest
    query: Clause
    engine: Engine

    def give(self) -> SearchAnswer:
        matches = self._matches()
        facets = {facet.field: self._facet(facet) for facet in self.request.facets}
        aggregations = Aggregator(self.engine, Clauses(self.view)).give(self.query, self.request.aggregations)
        return SearchAnswer(matches.total, self._hits(matches.found), facets, matches.best, aggregations)

    @property
    def _is_scored(self) -> bool:
        sort = self.request.sort
        return not sort or any(key.field == SCORE for key in sort)

    def _matches(self) -> _Matches:
        if self.request.min_score is not None:
            return self._above(self.request.min_score)
        if not self.request.sort:
            return self._by_relevance()
        return _Matches(self.engine.count(self.query), self._best_score(), self._in_order())

    def _by_relevance(self) -> _Matches:
        offset, size = self.request.offset, self.request.size
        best = self.engine.best(self.query, size, offset)
        found = [Found(score, self.engine.stored(address)) for score, address in best.found]
        return _Matches(best.total, self._best_score() if offset else found[0].score if found else None, found)

    def _above(self, min_score: float) -> _Matches:
        """Take the matches with at least this score; they are counted by reading their scores."""
        end = self.request.offset + self.request.size
        limit = max(end, 1000)
        scored = self.engine.best(self.query, limit).found
        while len(scored) == limit and scored[-1].score >= min_score:
            limit *= 4
            scored = self.engine.best(self.query, limit).found
        above = [match for match in scored if match.score >= min_score]
        found = [Found(match.score, self.engine.stored(match.address)) for match in above[self.request.offset : end]]
        return _Matches(len(above), above[0].score if above else None, found)

    def _best_score(self) -> float | None:
        if not self._is_scored or not self.request.size:
            return None
        best = self.engine.best(self.query, 1).found
        return best[0].score if best else None

    def _in_order(self) -> list[Found]:
        request = self.request
        sorter = Sorter(self.engine, Clauses(self.view))
        keys = complete(request.sort)
        if scores_are_equal(request.query):
            keys = tuple(key for key in keys if key.field != SCORE)
        return sorter.page(behind(sorter, self.query, request), keys, request.offset, request.size)

    def _facet(self, facet: Facet) -> list[FacetValue]:
        return facet_values(self.engine, Clauses(self.view), self.query, facet)

    def _hits(self, found: Sequence[Found]) -> list[Hit]:
        marked = highlighter(self.request.query, self.request.highlight)
        return [
            Hit(
                id=one.stored.id,
                score=one.score if self._is_scored else None,
                document=one.stored.document,
                highlight=marked(one.stored.document),
                sort=tuple(own_value(one.stored.id, one.score, one.stored.document, key) for key in self.request.sort),
            )
            for one in found
        ]
