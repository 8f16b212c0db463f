"""A collection held as it was, for paging through a changing one: a point in time of its index.

Source: "Point in Time" in the documentation of OpenSearch, "Paginate search results" in the Elasticsearch reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from dynalens.errors import NotFoundError, TargetError
from dynalens.search import SearchAnswer, SearchRequest
from dynalens.target.search.cluster.answer import Place, page
from dynalens.target.search.cluster.connection import ClusterError, quoted
from dynalens.target.search.cluster.view import PARAMETERS, View, meaning
from dynalens.target.search.language.accepted import check
from dynalens.target.search.language.clauses import Paths

_KEPT = "61m"
"""How long the cluster keeps what nobody closes, anew with each search: longer than a scroll may be left alone."""

_NOT_FOUND = 404


class _PointInTime:
    """`Searched` of one moment.

    Args:
        view: What is held.

    Raises:
        TargetError: The cluster does not answer, or has too many points in time.
    """

    def __init__(self, view: View) -> None:
        self._connection = view.connection
        self.paths: Paths = view.paths
        opener = ("_pit",) if view.connection.is_elasticsearch else ("_search", "point_in_time")
        opened = self._connection.request("POST", quoted(view.index, *opener), keep_alive=_KEPT)
        self._id: str = opened["id"] if view.connection.is_elasticsearch else opened["pit_id"]

    def ask(self, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
        """Answer a search. Raises `NotFoundError` where the cluster holds it no more."""
        held = {"pit": {"id": self._id, "keep_alive": _KEPT}}
        try:
            answer = self._connection.request("POST", "/_search", {**body, **held}, **PARAMETERS)
        except ClusterError as error:
            if error.status == _NOT_FOUND:
                raise _closed() from error
            raise meaning(error) from error
        # The last one that was given counts.
        self._id = answer.get("pit_id", self._id)
        return answer

    def close(self) -> None:
        """Let go of it."""
        if self._connection.is_elasticsearch:
            self._connection.request("DELETE", "/_pit", {"id": self._id})
        else:
            self._connection.request("DELETE", "/_search/point_in_time", {"pit_id": [self._id]})


class Snapshot:
    """`SearchSnapshot` over a point in time. Pages are read one after the other."""

    def __init__(self, view: View) -> None:
        self._held: _PointInTime | None = _PointInTime(view)
        self._order = SearchRequest()
        self._places = [Place()]

    def search(self, request: SearchRequest) -> SearchAnswer:
        """Answer one search; `offset` is not limited, and quick where it goes on behind the page before."""
        check(request, limited=False)
        held = self._held
        if held is None:
            raise _closed()
        found = page(held, request, self._known_before(request))
        self._places = [Place(), found.begin, found.end]
        return found.answer

    def _known_before(self, request: SearchRequest) -> Place:
        """Give the last known place before a page: the one behind the page before, or where that one began."""
        order = replace(request, offset=0, size=0)
        if order != self._order:
            self._order, self._places = order, [Place()]
        return max((place for place in self._places if place.offset <= request.offset), key=lambda place: place.offset)

    def close(self) -> None:
        """Let go of what the cluster holds; where it does not answer, it lets go by itself in time."""
        held, self._held = self._held, None
        if held is not None:
            with suppress(TargetError):
                held.close()


def _closed() -> NotFoundError:
    return NotFoundError("This snapshot is closed.", hint="Search again from the beginning.")
