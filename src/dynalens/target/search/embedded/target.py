"""The search target: each generation of a collection as a Tantivy index, and what it remembers beside them."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from dynalens import clock
from dynalens.change import Document, document_digest
from dynalens.config import CollectionConfig
from dynalens.errors import NotFoundError, TargetError
from dynalens.partition import Position
from dynalens.search import Everything, Query, SearchAnswer, SearchRequest
from dynalens.target import Field, Generation, Mark, Memory, Rejection, SearchSnapshot, StoredDocument, Walked, Write
from dynalens.target.search.embedded import documents
from dynalens.target.search.embedded.answer import answer, count
from dynalens.target.search.embedded.folder import lock
from dynalens.target.search.embedded.index import GenerationIndex, Row
from dynalens.target.search.embedded.snapshot import Snapshot
from dynalens.target.search.embedded.state import Layout, State
from dynalens.target.search.embedded.view import View
from dynalens.target.search.language.encode import encode
from dynalens.target.search.language.paths import admissible
from dynalens.target.search.language.points import GeoPaths
from dynalens.target.search.language.tokens import path_name

STATE_NAME = "state.db"
_ENCODED_AT_ONCE = 100


@dataclass(slots=True, eq=False)
class _Held:
    """One generation: its table, its index, its paths by name (replaced, never changed) and what else it keeps."""

    generation: Generation
    table: str
    index: GenerationIndex
    paths: AbstractSet[str]
    layout: Layout


class EmbeddedTarget:
    """Collections in Tantivy indexes: `Target`, `DocumentReader`, `SearchReader` and `Comparable` of `dynalens.target`.

    Generations of different tables may be written at once, each by one thread; readers run beside. One process opens
    a folder at a time.

    Args:
        folder: Where the indexes are kept; made when missing.

    Raises:
        TargetError: The folder cannot be read or written, or another process works on it.
    """

    name = "search"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Held while generations come and go, and by what goes over those of all tables.
        self._changing = threading.RLock()
        self._held: Mapping[Generation, _Held] = {}
        with ExitStack() as opened:
            opened.enter_context(lock(folder))
            self._state = opened.enter_context(closing(State(folder / STATE_NAME)))
            opened.callback(self._close_indexes)
            self._open_all()
            self._remove_leftovers()
            self._opened = opened.pop_all()

    def _open_all(self) -> None:
        for generation, build in self._state.generations().items():
            held = self._open(generation, build.table, build.layout)
            if held.index.stamp < build.commit_stamp:
                # The index went back to an older state than the marks speak of: that is a gap, and seen.
                self._state.forget_all_marks(build.table)
        self._served = {name: self._held[generation] for name, generation in self._state.served().items()}

    def _open(self, generation: Generation, table: str, layout: Layout) -> _Held:
        index = GenerationIndex(self._folder / str(generation))
        held = _Held(generation, table, index, self._state.paths(generation), layout)
        self._held = {**self._held, generation: held}
        return held

    def _remove_leftovers(self) -> None:
        """Remove the folders of generations that a killed process was dropping, or had not yet recorded."""
        known = {str(generation) for generation in self._held}
        for folder in self._folder.iterdir():
            if folder.is_dir() and "@" in folder.name and folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)

    # Target: what is remembered, generations.

    def recall(self, table: str) -> Memory:
        """Read what the target remembers of a table."""
        generations = frozenset(generation for generation, held in self._held.items() if held.table == table)
        return Memory(self._state.epoch(table), self._state.marks(table), generations)

    def raise_epoch(self, table: str, epoch: int) -> None:
        """Remember an epoch durably."""
        self._state.raise_epoch(table, epoch)

    def begin(self, table: str, epochs: Mapping[str, int]) -> dict[str, Position]:
        """Begin sessions, and give what is applied of their partitions."""
        return self._state.begin(table, epochs)

    def mark(self, table: str, marks: Mapping[str, Mark]) -> None:
        """Remember the positions applied, and which commits they stand for."""
        stamps = {generation: held.index.stamp for generation, held in self._held.items() if held.table == table}
        self._state.mark(table, marks, stamps)

    def forget_marks(self, table: str, marks: Mapping[str, Mark]) -> None:
        """Forget positions that nobody asks for any more."""
        self._state.forget_marks(table, marks)

    def create(self, generation: Generation, collection: CollectionConfig) -> None:
        """Make an empty index, in which the declared fields have their places."""
        with self._changing:
            held = self._held.get(generation)
            if held is not None and held.table != collection.table:
                self.drop(generation)
            if generation not in self._held:
                search = collection.search
                self._state.create(generation, collection.table, list(map(path_name, search.fields)), search.geo)
                self._open(generation, collection.table, Layout(points=search.geo))

    def serve(self, generation: Generation) -> None:
        """Let readers of the collection see this generation."""
        with self._changing:
            held = self._holding(generation)
            self._state.serve(generation)
            self._served = {**self._served, generation.collection: held}

    def drop(self, generation: Generation) -> None:
        """Forget a generation and remove its files; readers that hold it go on."""
        with self._changing:
            self._state.drop(generation)
            held = self._held.get(generation)
            self._served = {name: served for name, served in self._served.items() if served is not held}
            self._held = {other: one for other, one in self._held.items() if other != generation}
            if held is not None:
                held.index.close()
                shutil.rmtree(self._folder / str(generation), ignore_errors=True)

    def _holding(self, generation: Generation) -> _Held:
        try:
            return self._held[generation]
        except KeyError:
            raise TargetError(
                f"There is no generation {generation} in the search target.", hint="Start dynalens again to build it."
            ) from None

    # Target: writes and tombstones.

    def apply(self, writes: Sequence[Write]) -> list[Rejection]:
        """Write each generation's share as one commit."""
        by_generation: dict[Generation, list[Write]] = {}
        for write in writes:
            by_generation.setdefault(write.generation, []).append(write)
        rejections: list[Rejection] = []
        for generation, group in by_generation.items():
            rejections += self._apply(generation, group)
        return rejections

    def _apply(self, generation: Generation, writes: Sequence[Write]) -> list[Rejection]:
        held = self._holding(generation)
        fresh = _fresh(writes, held.index.versions({write.id for write in writes}))
        rejections: list[Rejection] = []
        if fresh:
            held.index.write(self._rows(held, fresh, rejections), clock.now())
        return rejections

    def _rows(self, held: _Held, writes: Sequence[Write], rejections: list[Rejection]) -> Iterator[Row]:
        """Encode some writes at a time, while the engine indexes those before."""
        for first in range(0, len(writes), _ENCODED_AT_ONCE):
            rows = []
            for write in writes[first : first + _ENCODED_AT_ONCE]:
                try:
                    rows.append(_row(write, held.layout.points))
                except ValueError as error:
                    rejections.append(Rejection(write, "unreadable", f"It cannot be indexed: {error}"))
            self._admit(held, rows)
            yield from rows

    def _admit(self, held: _Held, rows: Iterable[Row]) -> None:
        """Give new paths a place among those indexed by name while there is one; the others are left out by name."""
        admitted = held.paths
        encoded = [row.encoded for row in rows if row.encoded is not None]
        new = admissible(set().union(*(one.paths() for one in encoded)), admitted)
        if new:
            self._state.add_paths(held.generation, new)
            # Replaced, not changed: views that are being read keep theirs.
            held.paths = admitted = admitted | set(new)
        for one in encoded:
            one.keep(admitted)

    def sweep(self, older_than: float) -> int:
        """Remove old tombstones of every generation."""
        with self._changing:
            return sum(held.index.sweep(older_than) for held in self._held.values())

    def ping(self) -> None:
        """Read a row of the state."""
        self._state.epoch("")

    def close(self) -> None:
        """Let go of the folder; what was applied stays."""
        with self._changing:
            self._opened.close()

    def _close_indexes(self) -> None:
        for held in self._held.values():
            held.index.close()

    # Reading.

    def _view(self, collection: str) -> View:
        held = self._served.get(collection)
        if held is None:
            served = ", ".join(sorted(self._served)) or "none yet"
            raise NotFoundError(f"There is no collection {collection}.", hint=f"Collections: {served}.")
        return self._view_of(held)

    def _view_of(self, held: _Held) -> View:
        # The searcher first: paths that come meanwhile do no harm.
        return View(held.generation.collection, held.index.index, held.index.searcher(), held.paths, held.layout)

    def search(self, collection: str, request: SearchRequest) -> SearchAnswer:
        """Answer one search."""
        return answer(self._view(collection), request)

    def matches(self, collection: str, query: Query) -> int:
        """Count the live documents that match."""
        return count(self._view(collection), query)

    def refresh(self, collection: str) -> None:
        """Do nothing where the collection is served: every commit is seen."""
        self._view(collection)

    def snapshot(self, collection: str) -> SearchSnapshot:
        """Hold the collection as it is now."""
        return Snapshot(self._view(collection))

    def document(self, collection: str, document_id: str) -> StoredDocument | None:
        """Read one live document by id."""
        return documents.document(self._view(collection), document_id)

    def count(self, collection: str) -> int:
        """Count the live documents."""
        return self.matches(collection, Everything())

    def fields(self, collection: str) -> list[Field]:
        """List the top-level attributes with the types seen."""
        return documents.fields(self._view(collection))

    # Comparing.

    def digest(self, _generation: Generation, item: Document) -> bytes | None:
        """Give the digest of an item as it would be kept."""
        return document_digest(item.json, item.types)

    def kept(self, generation: Generation, ids: Sequence[str]) -> dict[str, bytes]:
        """Give the digests of the live documents under these ids."""
        return documents.kept(self._view_of(self._holding(generation)), ids)

    def walk(self, generation: Generation, cursor: str, limit: int) -> Walked:
        """List ids of live documents."""
        return documents.walk(self._view_of(self._holding(generation)), cursor, limit)


def _fresh(writes: Sequence[Write], held: dict[str, int]) -> list[Write]:
    """Leave out the writes at or below the version held under their ids, or given to them by a write before."""
    fresh = []
    for write in writes:
        if write.version > held.get(write.id, -1):
            held[write.id] = write.version
            fresh.append(write)
    return fresh


def _row(write: Write, points: GeoPaths) -> Row:
    if write.document is None:
        return Row(write.id, write.version)
    return Row(write.id, write.version, write.document, encode(write.document, points))
