"""A collection held as it was, for paging through a changing one."""

from __future__ import annotations

from dynalens.errors import NotFoundError
from dynalens.search import SearchAnswer, SearchRequest
from dynalens.target.search.embedded.answer import answer
from dynalens.target.search.embedded.view import View


class Snapshot:
    """`SearchSnapshot` over a view: the files of its commit stay on the disk as long as it is held."""

    def __init__(self, view: View) -> None:
        self._view: View | None = view

    def search(self, request: SearchRequest) -> SearchAnswer:
        """Answer one search; `offset` is not limited."""
        view = self._view
        if view is None:
            raise NotFoundError("This snapshot is closed.", hint="Search again from the beginning.")
        return answer(view, request, limited=False)

    def close(self) -> None:
        """Let go of the files."""
        self._view = None
