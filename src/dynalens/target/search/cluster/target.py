"""The search target on a cluster: each generation of a collection as an index behind an alias."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dynalens import clock
from dynalens.change import Document, document_digest
from dynalens.config import CollectionConfig
from dynalens.errors import TargetError
from dynalens.partition import Position
from dynalens.search import Everything, Query, SearchAnswer, SearchRequest
from dynalens.target import (
    VERSION_BITS,
    Field,
    Generation,
    Mark,
    Memory,
    Rejection,
    SearchSnapshot,
    StoredDocument,
    Walked,
    Write,
)
from dynalens.target.search.cluster.bulk import Bulk
from dynalens.target.search.cluster.connection import Connection, quoted
from dynalens.target.search.cluster.indices import Indices, index_name, write_alias
from dynalens.target.search.cluster.lines import Line, aside_line, document_line, stub_line
from dynalens.target.search.cluster.reading import Reading
from dynalens.target.search.cluster.state import State
from dynalens.target.search.cluster.sweeping import sweep
from dynalens.target.search.language.encode import Encoded, encode
from dynalens.target.search.language.paths import MOST_PATHS, admissible
from dynalens.target.search.language.tokens import path_name

_ENCODED_AT_ONCE = 100


class ClusterTarget:
    """Collections in indices of a cluster: `Target`, `DocumentReader`, `SearchReader` and `Comparable`.

    Several processes may write and read at once; generations of different tables may be written by different threads.

    Args:
        connection: The cluster; closed with the target. It is not asked before the first call.
    """

    name = "search"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._indices = Indices(connection)
        self._state = State(connection)
        self._bulk = Bulk(connection)
        self._reading = Reading(connection, self._indices, self._state)
        self._named = _Named(self._state)
        # The highest epoch of this process's own writes, by table.
        self._written: dict[str, int] = {}

    # Target: what is remembered, generations.

    def recall(self, table: str) -> Memory:
        """Read what the target remembers of a table. An index that is not the one that was made counts as gone."""
        indices = {index.name: index.generation for index in self._indices.all() if index.table == table}
        made = self._state.histories([*indices])
        found = self._indices.histories([*made.keys()]) if made else {}
        whole = frozenset(indices[name] for name, histories in made.items() if found[name] == histories)
        # Documents above the epoch that is remembered: the state is older than they are.
        epoch = max(self._state.epoch(table), self._indices.epoch([*indices]))
        return Memory(epoch, self._state.marks(table), whole)

    def raise_epoch(self, table: str, epoch: int) -> None:
        """Remember an epoch durably."""
        self._state.raise_epoch(table, epoch)

    def begin(self, table: str, epochs: Mapping[str, int]) -> dict[str, Position]:
        """Begin sessions, and give what is applied of their partitions."""
        return self._state.begin(table, epochs)

    def mark(self, table: str, marks: Mapping[str, Mark]) -> None:
        """Remember the positions applied."""
        self._state.mark(table, marks)

    def forget_marks(self, table: str, marks: Mapping[str, Mark]) -> None:
        """Forget positions that nobody asks for any more."""
        self._state.forget_marks(table, marks)

    def create(self, generation: Generation, collection: CollectionConfig) -> None:
        """Make an empty index, in which the declared fields have their places."""
        name = index_name(generation)
        if self._table_of(name) not in {None, collection.table}:
            self.drop(generation)
        if self._indices.create(generation, collection):
            self._complete(name, collection)
        elif self._table_of(name) is None:
            raise TargetError(
                f"There is an index {name}, which Dynalens did not make.",
                hint="Delete it, or give the collection another name.",
            )
        elif not self._is_complete(name):
            self._take_over(generation, collection)

    def _table_of(self, name: str) -> str | None:
        """Give the table that an index of ours was made for."""
        return next((index.table for index in self._indices.all() if index.name == name), None)

    def _is_complete(self, name: str) -> bool:
        return name in self._state.histories([name])

    def _take_over(self, generation: Generation, collection: CollectionConfig) -> None:
        """Make an index ready whose maker was interrupted, or is at it: nothing is written before it is complete."""
        name = index_name(generation)
        # Looked at again behind the documents: its maker may have completed it, and written them, meanwhile.
        if not self._indices.is_empty(name) and not self._is_complete(name):
            # Nobody knows whether they are whole.
            self._indices.delete(name)
            self._indices.create(generation, collection)
        self._complete(name, collection)

    def _complete(self, name: str, collection: CollectionConfig) -> None:
        histories = self._indices.histories([name])[name]
        self._state.remember(name, histories, map(path_name, collection.search.fields))

    def serve(self, generation: Generation) -> None:
        """Let readers of the collection see this generation."""
        alias, name = generation.collection, index_name(generation)
        before = self._indices.behind(alias)
        ours = {index.name for index in self._indices.all() if index.generation.collection == alias}
        foreign = sorted({*before} - ours)
        if foreign:
            raise TargetError(
                f"The alias {alias} stands for {', '.join(foreign)[:200]}, which Dynalens did not make.",
                hint="Remove that alias, or give the collection another name.",
            )
        # Else readers would miss for a moment what was written last.
        self._indices.refresh([name])
        self._indices.switch(alias, before, name)

    def drop(self, generation: Generation) -> None:
        """Forget a generation and delete its index."""
        name = index_name(generation)
        # Without its entry it is no generation, whenever the index goes.
        self._state.forget(name)
        self._indices.delete(name)
        self._named.forget(name)

    # Target: writes and stubs.

    def apply(self, writes: Sequence[Write]) -> list[Rejection]:
        """Write each generation's share through bulk requests."""
        by_generation: dict[Generation, list[Write]] = {}
        for write in writes:
            by_generation.setdefault(write.generation, []).append(write)
        rejections: list[Rejection] = []
        for generation, group in by_generation.items():
            rejections += self._apply(generation, group)
        return rejections

    def _apply(self, generation: Generation, writes: Sequence[Write]) -> list[Rejection]:
        unreadable: list[Rejection] = []
        rejections, held = self._bulk.send(
            write_alias(generation),
            self._lines(generation, writes, unreadable),
            lambda line: self._aside(generation, line),
        )
        self._require_known_epoch(writes, held >> VERSION_BITS)
        return unreadable + rejections

    def _require_known_epoch(self, writes: Sequence[Write], held: int) -> None:
        """Refuse to believe a version above every epoch that was ever raised: the state is older than the documents.

        Args:
            writes: What was written, of one table.
            held: The highest epoch that documents had instead.
        """
        table = writes[0].change.table
        own = max(write.version >> VERSION_BITS for write in writes)
        self._written[table] = max(own, self._written.get(table, 0))
        if held > self._written[table] and held > self._state.epoch(table):
            raise TargetError(
                f"Documents of {table} in the search cluster have versions of epoch {held}, above all it remembers.",
                hint="Its state was restored from an older copy; Dynalens begins again above them.",
            )

    def _lines(self, generation: Generation, writes: Sequence[Write], unreadable: list[Rejection]) -> Iterator[Line]:
        """Render some writes at a time, while those before are on their way."""
        for first in range(0, len(writes), _ENCODED_AT_ONCE):
            some = writes[first : first + _ENCODED_AT_ONCE]
            encoded = [(write, _encoded(write, unreadable)) for write in some]
            names = self._named.admitting(index_name(generation), [one for _, one in encoded if one is not None])
            for write, one in encoded:
                if write.document is None:
                    yield stub_line(write, clock.now())
                elif one is not None:
                    yield document_line(write, write.document, one, names)

    def _aside(self, generation: Generation, line: Line) -> Line | None:
        """Render a document that the mapping refused with nothing at the root; where that is how it was, without names.

        A name may have come while there was room, and its first text after the limit of fields was reached.
        """
        document = line.write.document
        if document is None:
            return None
        encoded, names = encode(document), self._named.of(index_name(generation))
        with_names, without = (aside_line(line.write, document, encoded, some) for some in (names, frozenset[str]()))
        if line.body == without.body:
            return None
        return without if line.body == with_names.body else with_names

    def sweep(self, older_than: float) -> int:
        """Remove old stubs of every generation."""
        return sum(sweep(self._connection, index, older_than) for index in self._indices.all())

    def ping(self) -> None:
        """Ask for the cluster's health, which every role may read."""
        self._connection.request("GET", quoted("_cluster", "health"))

    def close(self) -> None:
        """Let go of the connections; what was applied stays."""
        self._bulk.close()
        self._state.close()
        self._connection.close()

    # Reading.

    def search(self, collection: str, request: SearchRequest) -> SearchAnswer:
        """Answer one search."""
        return self._reading.search(collection, request)

    def matches(self, collection: str, query: Query) -> int:
        """Count the live documents that match."""
        return self._reading.matches(collection, query)

    def refresh(self, collection: str) -> None:
        """Refresh the index that is served."""
        self._reading.refresh(collection)

    def snapshot(self, collection: str) -> SearchSnapshot:
        """Hold the collection as it is now."""
        return self._reading.snapshot(collection)

    def document(self, collection: str, document_id: str) -> StoredDocument | None:
        """Read one live document by id."""
        return self._reading.document(collection, document_id)

    def count(self, collection: str) -> int:
        """Count the live documents."""
        return self.matches(collection, Everything())

    def fields(self, collection: str) -> list[Field]:
        """List the top-level attributes with the types seen."""
        return self._reading.fields(collection)

    # Comparing.

    def digest(self, _generation: Generation, item: Document) -> bytes | None:
        """Give the digest of an item as it would be kept."""
        return document_digest(item.json, item.types)

    def kept(self, generation: Generation, ids: Sequence[str]) -> dict[str, bytes]:
        """Give the digests of the live documents under these ids."""
        return self._reading.kept(generation, ids)

    def walk(self, generation: Generation, cursor: str, limit: int) -> Walked:
        """List ids of live documents."""
        return self._reading.walk(generation, cursor, limit)


@dataclass
class _Named:
    """The paths that are indexed by name, by index, as this process knows them; there may be more by now."""

    state: State
    _known: dict[str, frozenset[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, index: str) -> frozenset[str]:
        """Give those that are known."""
        with self._lock:
            return self._known.get(index, frozenset())

    def admitting(self, index: str, encoded: Sequence[Encoded]) -> frozenset[str]:
        """Give new paths a place among them while there is one, before the first document that has them is written."""
        names = self.of(index)
        found = frozenset[str]().union(*(one.paths() for one in encoded))
        if not found <= names and len(names) < MOST_PATHS:
            names = self.state.admit(index, lambda known: admissible(found, known))
            with self._lock:
                self._known[index] = names
        return names

    def forget(self, index: str) -> None:
        """Forget those of an index that is gone."""
        with self._lock:
            self._known.pop(index, None)


def _encoded(write: Write, unreadable: list[Rejection]) -> Encoded | None:
    if write.document is None:
        return None
    try:
        return encode(write.document)
    except ValueError as error:
        unreadable.append(Rejection(write, "unreadable", f"It cannot be indexed: {error}"))
        return None
