"""Reading collections on a cluster: each search goes to the alias that stands for the generation that is served."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field

from dynalens.errors import NotFoundError
from dynalens.search import Query, SearchAnswer, SearchRequest
from dynalens.target import Field, Generation, SearchSnapshot, StoredDocument, Walked
from dynalens.target.search.cluster import documents
from dynalens.target.search.cluster.answer import answer, count
from dynalens.target.search.cluster.connection import NO_INDEX, ClusterError, Connection
from dynalens.target.search.cluster.indices import Indices, index_name
from dynalens.target.search.cluster.snapshot import Snapshot
from dynalens.target.search.cluster.state import State
from dynalens.target.search.cluster.view import View, not_on_a_cluster
from dynalens.target.search.language.paths import NamedPaths
from dynalens.target.search.language.tokens import path_name


@dataclass(slots=True)
class _KnownPaths:
    """`Paths` of what is served: read again where a path is not among those that are known, for there may be more."""

    collection: str
    read: Callable[[], AbstractSet[str]]
    names: AbstractSet[str] = frozenset()

    def name_of(self, path: str) -> str:
        if path_name(path) not in self.names:
            self.names = self.read()
        return NamedPaths(self.collection, self.names).name_of(path)

    def has_points(self, _name: str) -> bool:
        return False

    def point_name(self, _name: str) -> str:
        raise not_on_a_cluster("Searches by place")


@dataclass(slots=True)
class Reading:
    """What readers ask of a cluster; from any thread."""

    connection: Connection
    indices: Indices
    state: State
    _paths: dict[str, _KnownPaths] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    # The served generation of a collection.

    def search(self, collection: str, request: SearchRequest) -> SearchAnswer:
        """Answer one search."""
        with self._viewing(collection) as view:
            return answer(view, request)

    def matches(self, collection: str, query: Query) -> int:
        """Count the live documents that match."""
        with self._viewing(collection) as view:
            return count(view, query)

    def refresh(self, collection: str) -> None:
        """Let searches see all that was applied."""
        with self._viewing(collection):
            self.indices.refresh([collection])

    def snapshot(self, collection: str) -> SearchSnapshot:
        """Hold the collection as it is now."""
        with self._viewing(collection) as view:
            return Snapshot(view)

    def document(self, collection: str, document_id: str) -> StoredDocument | None:
        """Read one live document by id."""
        with self._viewing(collection) as view:
            return documents.document(view, document_id)

    def fields(self, collection: str) -> list[Field]:
        """List the top-level attributes with the types seen."""
        with self._viewing(collection) as view:
            return documents.fields(view)

    @contextmanager
    def _viewing(self, collection: str) -> Iterator[View]:
        with self._lock:
            paths = self._paths.setdefault(collection, _KnownPaths(collection, lambda: self._named(collection)))
        try:
            yield View(self.connection, collection, paths)
        except ClusterError as error:
            if error.type != NO_INDEX:
                raise
            served = ", ".join(self._served()) or "none yet"
            raise NotFoundError(f"There is no collection {collection}.", hint=f"Collections: {served}.") from error

    def _named(self, collection: str) -> frozenset[str]:
        return frozenset[str]().union(*map(self.state.paths, self.indices.behind(collection)))

    def _served(self) -> list[str]:
        collections = {index.generation.collection for index in self.indices.all()}
        return sorted(name for name in collections if self.indices.behind(name))

    # Any generation.

    def kept(self, generation: Generation, ids: Sequence[str]) -> dict[str, bytes]:
        """Give the digests of the live documents under these ids."""
        return documents.kept(self._view_of(generation), ids)

    def walk(self, generation: Generation, cursor: str, limit: int) -> Walked:
        """List ids of live documents."""
        return documents.walk(self._view_of(generation), cursor, limit)

    def _view_of(self, generation: Generation) -> View:
        return View(self.connection, index_name(generation), NamedPaths(generation.collection, frozenset()))
