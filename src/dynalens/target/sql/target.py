"""The sql target: collections kept as tables of ClickHouse, and read as views."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from dynalens import clock
from dynalens.change import Document, document_digest
from dynalens.config import CollectionConfig
from dynalens.partition import Position
from dynalens.target import Field, Generation, Mark, Memory, Rejection, SqlResult, StoredDocument, Walked, Write
from dynalens.target.sql.catalog import READ_AGAIN_SECONDS, read_generation
from dynalens.target.sql.documents import Documents
from dynalens.target.sql.engine import QUERY_LIMITS, Engine, Limits, engine_message, literal, rows
from dynalens.target.sql.losses import drop_lost_parts, lost_parts
from dynalens.target.sql.queries import Queries
from dynalens.target.sql.rows import COLUMNS, encode, timestamp

log = logging.getLogger(__name__)

SWEPT_AT_A_TIME = 10_000

_ROW_FAULTS = {
    44, 53, 69, 70, 117, 349, 407,  # a value that its column cannot hold
    128, 131,  # too large an array or a text
    306,  # nested too deeply
}  # fmt: skip
"""Codes of the engine that blame a row (`system.errors`). Every other one blames the engine or the disk: then no row
may be given up for it."""


class SqlTarget:
    """Collections in a ClickHouse, embedded or on a server.

    `Target`, `DocumentReader`, `SqlReader` and `Comparable` of `dynalens.target`.

    One thread at a time writes; readers run beside it. A process holds one embedded engine open at a time.

    Args:
        engine: The engine, which the target closes.
        limits: What one query may use.
    """

    name = "sql"

    def __init__(self, engine: Engine, limits: Limits = QUERY_LIMITS) -> None:
        self._engine = engine
        self._layout = engine.layout
        self._writing = threading.RLock()
        self._sweeping = threading.Lock()
        with ExitStack() as opened:
            opened.callback(engine.close)
            self._client = engine.open()
            opened.callback(self._client.close)
            # Used by `sweep` for what takes long, so that writers need not wait for it.
            self._tidier = engine.open(patient=True)
            opened.callback(self._tidier.close)
            with self._translated("open"):
                self._catalog, self._inserts, self._remembered = engine.writing(self._client)
                self._own_up()
                self._documents = Documents(engine, self._catalog)
                opened.callback(self._documents.close)
                self._queries = Queries(engine, limits, self._collections)
            self._opened = opened.pop_all()

    def _collections(self) -> list[str]:
        self._catalog.refresh(most_age=READ_AGAIN_SECONDS)
        return sorted(self._catalog.served)

    def _own_up(self) -> None:
        """Where documents turn out to be lost, let that be seen as a gap, in which their collections are built anew."""
        for table, parts in lost_parts(self._client, self._layout).items():
            generation = read_generation(table)
            if generation is None or generation not in self._catalog.builds:
                drop_lost_parts(self._client, self._layout, table, parts)
            elif self._engine.is_shared:
                # Forgotten positions would be marked again by others who write meanwhile; what is not there is missed.
                log.error("documents of %s are lost: it is dropped, and built anew", generation)
                self._catalog.drop(generation)
            else:
                self._remembered.forget(self._catalog.builds[generation].table)
                drop_lost_parts(self._client, self._layout, table, parts)

    # Target: what is remembered, generations.

    def recall(self, table: str) -> Memory:
        """Read what the target remembers of a table."""
        with self._writer("recall"):
            self._catalog.refresh()
            self._catalog.drop_undefined(self._inserts.undefined())
            if self._engine.is_shared:
                self._own_up()
            generations = frozenset(held for held, build in self._catalog.builds.items() if build.table == table)
            return Memory(self._remembered.epoch(table), self._remembered.marks(table), generations)

    def raise_epoch(self, table: str, epoch: int) -> None:
        """Remember an epoch durably."""
        with self._writer("remember an epoch"):
            self._remembered.raise_epoch(table, epoch)

    def begin(self, table: str, epochs: Mapping[str, int]) -> dict[str, Position]:
        """Begin sessions, and give what is applied of their partitions."""
        with self._writer("begin to read partitions"):
            return self._remembered.begin(table, epochs)

    def mark(self, table: str, marks: Mapping[str, Mark]) -> None:
        """Remember the positions applied."""
        with self._writer("remember positions"):
            self._remembered.mark(table, marks)

    def forget_marks(self, table: str, marks: Mapping[str, Mark]) -> None:
        """Forget positions that nobody asks for any more."""
        with self._writer("forget positions"):
            self._remembered.forget_marks(table, marks)

    def create(self, generation: Generation, collection: CollectionConfig) -> None:
        """Make the generation's table."""
        held = self._catalog.builds.get(generation)
        if held is not None and held.table != collection.table:
            self.drop(generation)
        with self._writer("create a generation"):
            self._inserts.check_space()
            self._catalog.create(generation, collection.table)

    def serve(self, generation: Generation) -> None:
        """Point the collection's view at the generation."""
        with self._writer("serve a generation"):
            self._inserts.check_space()
            self._catalog.serve(generation)

    def drop(self, generation: Generation) -> None:
        """Drop the generation's table."""
        with self._writer("drop a generation"):
            self._catalog.drop(generation)
            self._inserts.forget(self._layout.written(generation))

    # Target: writes and tombstones.

    def apply(self, writes: Sequence[Write]) -> list[Rejection]:
        """Insert the writes; which of several of one id is shown, their versions decide when it is read."""
        by_generation: dict[Generation, list[Write]] = {}
        for write in writes:
            by_generation.setdefault(write.generation, []).append(write)
        rejections: list[Rejection] = []
        with self._writer("write"):
            self._inserts.check_space()
            for generation, group in by_generation.items():
                documents = [write.document for write in group if write.document is not None]
                self._catalog.make_room(generation, documents)
                written = timestamp(clock.now())
                rejections += self._insert(generation, group, [encode(write, written) for write in group])
        return rejections

    def _insert(self, generation: Generation, writes: Sequence[Write], encoded: Sequence[bytes]) -> list[Rejection]:
        """Insert a batch; when a row spoils it, halve it until that row stands alone."""
        from clickhouse_connect.driver.exceptions import DatabaseError

        try:
            self._inserts.insert(self._layout.written(generation), b"".join(encoded), columns=COLUMNS, form="RowBinary")
        except DatabaseError as error:
            if error.code not in _ROW_FAULTS:
                raise
            if len(writes) == 1:
                return [Rejection(writes[0], "refused_by_engine", engine_message(error))]
        else:
            return []
        half = len(writes) // 2
        return [
            *self._insert(generation, writes[:half], encoded[:half]),
            *self._insert(generation, writes[half:], encoded[half:]),
        ]

    def sweep(self, older_than: float) -> int:
        """Remove old tombstones that nothing older stands under any more; drop columns that were widened."""
        cutoff = math.floor(older_than * 1_000_000)
        with self._sweeping:
            with self._writer("drop replaced columns"):
                self._catalog.drop_replaced()
            return sum(self._sweep(generation, cutoff) for generation in list(self._catalog.builds))

    def _sweep(self, generation: Generation, cutoff: int) -> int:
        table = self._layout.whole(generation)
        old = f"_deleted AND _written < fromUnixTimestamp64Micro({cutoff})"
        ids = f"FROM {table} WHERE _id IN (SELECT _id FROM {table} WHERE {old}) GROUP BY _id"  # noqa: S608 - own names
        with self._translated("merge before a sweep"):
            for statement in self._layout.catch_up(self._layout.stored(generation), everywhere=True):
                self._tidier.command(statement)
            # Where older rows of such an id are left, merging drops them; it may take minutes, and holds up nobody.
            if rows(self._tidier, f"SELECT 1 {ids} HAVING count() > 1 LIMIT 1"):
                self._tidier.command(self._layout.merge(generation))
        alone = f"SELECT _id, toString(any(_version)) {ids} HAVING count() = 1 AND any({old}) LIMIT {SWEPT_AT_A_TIME}"
        count = 0
        while found := self._sweep_some(generation, old, alone):
            count += found
        return count

    def _sweep_some(self, generation: Generation, old: str, alone: str) -> int:
        """Delete tombstones that are the only row of their id, at exactly the version seen.

        Nobody of this process writes meanwhile. What somebody else writes has a higher version, and stays: a lower one
        would have been unsent for longer than tombstones are kept.
        """
        with self._writer("sweep"):
            found = rows(self._client, alone)
            if found:
                seen = ", ".join(f"({literal(document_id)}, {version})" for document_id, version in found)
                condition = f"{old} AND (_id, _version) IN ({seen})"
                self._client.command(self._layout.delete(self._layout.stored(generation), condition))
            return len(found)

    def ping(self) -> None:
        """Ask the engine for a constant."""
        with self._writer("answer"):
            self._client.command("SELECT 1")

    def close(self) -> None:
        """End the engine; what was applied stays. Queries that run are cancelled."""
        with self._sweeping, self._writing:
            # Before everything else: while a query runs the engine cannot be ended.
            self._queries.close()
            self._documents.close()
            self._opened.close()

    @contextmanager
    def _writer(self, action: str) -> Iterator[None]:
        with self._writing, self._translated(action):
            yield

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        """Turn what the engine and the disk raise into our own errors."""
        from clickhouse_connect.driver.exceptions import ClickHouseError

        try:
            yield
        except (ClickHouseError, OSError) as error:
            raise self._engine.failure(action, error) from error

    # Reading.

    def document(self, collection: str, document_id: str) -> StoredDocument | None:
        """Read one live document by id."""
        return self._documents.document(collection, document_id)

    def count(self, collection: str) -> int:
        """Count the live documents."""
        return self._documents.count(collection)

    def fields(self, collection: str) -> list[Field]:
        """List the fields with the types seen, their columns and their drift."""
        return self._documents.fields(collection)

    def query(self, query: str, parameters: Mapping[str, object], *, output: str = "json") -> SqlResult:
        """Run one SELECT, or DESCRIBE of a collection."""
        return self._queries.query(query, parameters, output=output)

    # Comparing.

    def digest(self, _generation: Generation, item: Document) -> bytes | None:
        """Give the digest of an item as it would be kept."""
        return document_digest(item.json, item.types)

    def kept(self, generation: Generation, ids: Sequence[str]) -> dict[str, bytes]:
        """Give the digests of the live documents under these ids."""
        return self._documents.kept(generation, ids)

    def walk(self, generation: Generation, cursor: str, limit: int) -> Walked:
        """List ids of live documents in their order."""
        return self._documents.walk(generation, cursor, limit)
