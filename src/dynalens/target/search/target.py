"""The search target: each generation of a collection as a Tantivy index, and what it remembers beside them."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dynalens.config import CollectionConfig
from dynalens.errors import NotFoundError, TargetError
from dynalens.partition import Position
from dynalens.search import Query, SearchAnswer, SearchRequest
from dynalens.target import Field, Generation, Memory, Rejection, SearchSnapshot, StoredDocument, Write
from dynalens.target.search import documents
from dynalens.target.search.answer import answer, count
from dynalens.target.search.encode import encode
from dynalens.target.search.index import GenerationIndex, Row
from dynalens.target.search.snapshot import Snapshot
from dynalens.target.search.state import State
from dynalens.target.search.tokens import path_name
from dynalens.target.search.view import MOST_PATHS, View

STATE_NAME = "state.db"
LONGEST_PATH = 1000
"""Characters of a path's name; a longer one is found by all fields together only."""


class SearchTarget:
    """Collections in Tantivy indexes: `Target`, `DocumentReader` and `SearchReader` of `dynalens.target`.

    Generations of different tables may be written at once, each by one thread; readers run beside. One process opens
    a folder at a time.

    Args:
        folder: Where the indexes are kept; made when missing.

    Raises:
        TargetError: The folder cannot be read or written.
    """

    name = "search"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changing = threading.RLock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TargetError(
                f"The search folder {folder} cannot be made: {error}", hint="Free space, or allow this user to write."
            ) from error
        self._state = State(folder / STATE_NAME)
        self._indexes: Mapping[Generation, GenerationIndex] = {}
        self._paths: dict[Generation, set[str]] = {}
        self._tables: dict[Generation, str] = {}
        for generation, build in self._state.generations().items():
            self._open(generation, build.table)
            if self._indexes[generation].stamp < build.commit_stamp:
                # The index went back to an older state than the marks speak of: that is a gap, and seen.
                self._state.forget_marks(build.table)
        self._served = self._state.served()
        self._remove_leftovers()

    def _open(self, generation: Generation, table: str) -> None:
        index = GenerationIndex(self._folder / str(generation))
        self._paths[generation] = self._state.paths(generation)
        self._tables[generation] = table
        self._indexes = {**self._indexes, generation: index}

    def _remove_leftovers(self) -> None:
        """Remove the folders of generations that a killed process was dropping, or had not yet recorded."""
        known = {str(generation) for generation in self._indexes}
        for folder in self._folder.iterdir():
            if folder.is_dir() and "@" in folder.name and folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)

    # Target: what is remembered, generations.

    def recall(self, table: str) -> Memory:
        """Read what the target remembers of a table."""
        generations = frozenset(generation for generation, of in list(self._tables.items()) if of == table)
        return Memory(self._state.epoch(table), self._state.marks(table), generations)

    def raise_epoch(self, table: str, epoch: int) -> None:
        """Remember an epoch durably."""
        self._state.raise_epoch(table, epoch)

    def mark(self, table: str, marks: Mapping[str, Position]) -> None:
        """Remember the positions applied, and which commits they stand for."""
        stamps = {generation: index.stamp for generation, index in self._indexes.items() if self._of(generation, table)}
        self._state.mark(table, marks, stamps)

    def _of(self, generation: Generation, table: str) -> bool:
        return self._tables[generation] == table

    def create(self, generation: Generation, collection: CollectionConfig) -> None:
        """Make an empty index, in which the declared fields have their places."""
        with self._changing:
            if generation not in self._indexes:
                self._state.create(generation, collection.table, [path_name(path) for path in collection.search.fields])
                self._open(generation, collection.table)

    def serve(self, generation: Generation) -> None:
        """Let readers of the collection see this generation."""
        with self._changing:
            self._index(generation)
            self._state.serve(generation)
            self._served = {**self._served, generation.collection: generation}

    def drop(self, generation: Generation) -> None:
        """Forget a generation and remove its files; readers that hold it go on."""
        with self._changing:
            self._state.drop(generation)
            self._served = {name: served for name, served in self._served.items() if served != generation}
            index = self._indexes.get(generation)
            self._indexes = {held: one for held, one in self._indexes.items() if held != generation}
            self._tables.pop(generation, None)
            self._paths.pop(generation, None)
            if index is not None:
                index.close()
                shutil.rmtree(self._folder / str(generation), ignore_errors=True)

    def _index(self, generation: Generation) -> GenerationIndex:
        try:
            return self._indexes[generation]
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
        index = self._index(generation)
        held = index.versions({write.id for write in writes})
        rows: dict[str, Row] = {}
        rejections = []
        for write in writes:
            if write.version > held.get(write.id, -1):
                try:
                    rows[write.id] = _row(write)
                except ValueError as error:
                    rejections.append(Rejection(write, "unreadable", f"It cannot be indexed: {error}"))
                else:
                    held[write.id] = write.version
        if rows:
            self._admit(generation, rows.values())
            index.write(list(rows.values()), time.time())
        return rejections

    def _admit(self, generation: Generation, rows: Iterable[Row]) -> None:
        """Give new paths a place among those indexed by name while there is one; the others are left out by name."""
        admitted = self._paths[generation]
        encoded = [row.encoded for row in rows if row.encoded is not None]
        wanted = sorted(path for path in set().union(*(one.paths() for one in encoded)) - admitted if _fits(path))
        new = wanted[: max(0, MOST_PATHS - len(admitted))]
        if new:
            self._state.add_paths(generation, new)
            # Replaced, not changed: views that are being read keep theirs.
            self._paths[generation] = admitted = admitted | set(new)
        for one in encoded:
            one.keep(admitted)

    def sweep(self, older_than: float) -> int:
        """Remove old tombstones of every generation."""
        return sum(index.sweep(older_than) for index in self._indexes.values())

    def ping(self) -> None:
        """Read a row of the state."""
        self._state.epoch("")

    def close(self) -> None:
        """Let go of the folder; what was applied stays."""
        with self._changing:
            for index in self._indexes.values():
                index.close()
            self._state.close()

    # Reading.

    def _view(self, collection: str) -> View:
        generation = self._served.get(collection)
        index = self._indexes.get(generation) if generation is not None else None
        if generation is None or index is None:
            served = ", ".join(sorted(self._served)) or "none yet"
            raise NotFoundError(f"There is no collection {collection}.", hint=f"Collections: {served}.")
        # The searcher first: paths that come meanwhile do no harm.
        return View(collection, index.index, index.searcher(), paths=self._paths[generation])

    def search(self, collection: str, request: SearchRequest) -> SearchAnswer:
        """Answer one search."""
        return answer(self._view(collection), request)

    def matches(self, collection: str, query: Query) -> int:
        """Count the live documents that match."""
        return count(self._view(collection), query)

    def snapshot(self, collection: str) -> SearchSnapshot:
        """Hold the collection as it is now."""
        return Snapshot(self._view(collection))

    def document(self, collection: str, document_id: str) -> StoredDocument | None:
        """Read one live document by id."""
        return documents.document(self._view(collection), document_id)

    def count(self, collection: str) -> int:
        """Count the live documents."""
        return documents.count(self._view(collection))

    def fields(self, collection: str) -> list[Field]:
        """List the top-level attributes with the types seen."""
        return documents.fields(self._view(collection))


def _row(write: Write) -> Row:
    if write.document is None:
        return Row(write.id, write.version)
    return Row(write.id, write.version, write.document, encode(write.document))


def _fits(path: str) -> bool:
    return len(path) <= LONGEST_PATH
