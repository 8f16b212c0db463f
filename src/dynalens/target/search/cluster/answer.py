"""Answers one search: its body, and what the cluster's answer says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dynalens.search import ID, SCORE, Hit, Query, SearchAnswer, SearchRequest, SortKey, Value
from dynalens.target.search.cluster import schema
from dynalens.target.search.cluster.facets import Facets
from dynalens.target.search.cluster.rendering import Body, render
from dynalens.target.search.cluster.stored import stored_document
from dynalens.target.search.cluster.view import Searched, not_on_a_cluster
from dynalens.target.search.language.accepted import check
from dynalens.target.search.language.clause import Live
from dynalens.target.search.language.clauses import restricted
from dynalens.target.search.language.compile import compiled
from dynalens.target.search.language.encode import printable
from dynalens.target.search.language.highlight import highlighter
from dynalens.target.search.language.limits import MOST_BYTES, MOST_HITS, hold
from dynalens.target.search.language.order import asked_token, complete, own_value

_BEHIND_EVERY_ID = "\U0010ffff" * 129
"""Ids have 512 bytes at most."""


class Place(NamedTuple):
    """Where an order goes on: so many hits from its first one on, behind these sort values of the cluster's."""

    offset: int = 0
    values: tuple[Any, ...] = ()


class Page(NamedTuple):
    """An answer, and the places where its hits begin and end."""

    answer: SearchAnswer
    begin: Place
    end: Place


def answer(searched: Searched, request: SearchRequest) -> SearchAnswer:
    """Answer one search over live documents.

    Raises:
        RequestError: It asks for what cannot be done.
        QueryLimitError: It passes a limit that the message names.
        TargetError: The cluster does not answer.
    """
    check(request)
    return page(searched, request, Place()).answer


def count(searched: Searched, query: Query) -> int:
    """Count the live documents that match. Raises what `answer` raises."""
    return answer(searched, SearchRequest(query, size=0)).total


def page(searched: Searched, request: SearchRequest, place: Place) -> Page:
    """Answer one search that was checked, from a place on at or before its offset: one that an answer to it gave."""
    if request.aggregations:
        raise not_on_a_cluster("Aggregations")
    query = render(restricted(compiled(searched.paths, request.query), [Live()]))
    return _Pages(searched, request, query).page(place if place.offset else Place(0, _behind(request)))


def _behind(request: SearchRequest) -> tuple[str | None, ...]:
    """Give the sort values that `request.after` stands for: those behind every document that it is equal to."""
    if not request.after:
        return ()
    keys = complete(request.sort)
    values = [_sort_value(key, value) for key, value in zip(request.sort, request.after, strict=True)]
    return tuple([*values, _BEHIND_EVERY_ID][: len(keys)])


def _sort_value(key: SortKey, value: Value | None) -> str | None:
    if value is None:
        return None
    return printable(str(value)) if key.field == ID else asked_token(key, value)


@dataclass(frozen=True, slots=True)
class _Pages:
    searched: Searched
    request: SearchRequest
    query: Body

    def page(self, place: Place) -> Page:
        begin = self._forward(place)
        answer = self.searched.ask({**self._body(begin), **self._facets.body()})
        hits = answer["hits"]["hits"]
        end = Place(self.request.offset + len(hits), tuple(hits[-1]["sort"])) if hits else begin
        return Page(self._answer(answer), begin, end)

    def _forward(self, place: Place) -> Place:
        """Go to where the page begins, where an offset cannot say it: no documents are read on the way."""
        if self._is_said_by_offset(place):
            return place
        while place.offset < self.request.offset:
            size = min(self.request.offset - place.offset, MOST_HITS)
            hits = self.searched.ask({**self._order(place), "size": size, "_source": False})["hits"]["hits"]
            if not hits:
                return place
            place = Place(place.offset + len(hits), tuple(hits[-1]["sort"]))
        return place

    def _is_said_by_offset(self, place: Place) -> bool:
        return not place.values and self.request.offset + self.request.size <= MOST_HITS

    def _body(self, begin: Place) -> Body:
        request = self.request
        body = {**self._order(begin), "size": request.size, "track_total_hits": True, "track_scores": self._is_scored}
        if self._is_said_by_offset(begin):
            body["from"] = request.offset
        return body

    def _order(self, place: Place) -> dict[str, Any]:
        keys = complete(self.request.sort or (SortKey(SCORE),))
        order: dict[str, Any] = {"query": self.query, "sort": [*map(self._sort, keys)]}
        if place.values:
            order["search_after"] = place.values
        if self.request.min_score is not None:
            order["min_score"] = self.request.min_score
        return order

    def _sort(self, key: SortKey) -> Body:
        if key.field == SCORE:
            return {SCORE: "desc"}
        order = "desc" if key.descending else "asc"
        if key.field == ID:
            return {schema.ID: order}
        options = {
            "order": order,
            "mode": "max" if key.descending else "min",
            "missing": "_first" if key.missing_first else "_last",
            "unmapped_type": "keyword",
        }
        return {schema.field(schema.EXACT, self.searched.paths.name_of(key.field)): options}

    @property
    def _is_scored(self) -> bool:
        sort = self.request.sort
        return not sort or any(key.field == SCORE for key in sort)

    @property
    def _facets(self) -> Facets:
        return Facets(self.searched, self.request.facets, self.query)

    def _answer(self, answer: Mapping[str, Any]) -> SearchAnswer:
        found = answer["hits"]
        best = found["max_score"] if self._is_scored else None
        return SearchAnswer(
            total=int(found["total"]["value"]),
            hits=list(self._hits(found["hits"])),
            facets=self._facets.read(answer.get("aggregations", {})),
            max_score=None if best is None else float(best),
        )

    def _hits(self, found: Sequence[Any]) -> Iterator[Hit]:
        marked = highlighter(self.request.query, self.request.highlight)
        read = 0
        for hit in found:
            stored = stored_document(hit["_source"])
            read += len(stored.json)
            hold(read, MOST_BYTES, "bytes of documents to read", "Ask for fewer hits at once: a smaller size.")
            score = float(hit["_score"]) if self._is_scored else 0.0
            yield Hit(
                id=stored.id,
                score=score if self._is_scored else None,
                document=stored.json,
                highlight=marked(stored.json),
                sort=tuple(own_value(stored.id, score, stored.json, key) for key in self.request.sort),
            )
