"""A target in dictionaries that fails, hangs, refuses and forgets on command."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from dynalens.change import Document, document_digest
from dynalens.config import CollectionConfig
from dynalens.errors import DynalensError, TargetError
from dynalens.partition import Position
from dynalens.target import NO_MARK, Field, Generation, Mark, Memory, Rejection, StoredDocument, Walked, Write


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """What a `MemoryTarget` holds under one id: a document, or a tombstone (`document` is None)."""

    version: int
    document: Document | None
    written_at: float


@dataclass(slots=True)
class Contents:
    """Everything a `MemoryTarget` holds; `snapshot` gives a copy, for `go_back`."""

    epochs: dict[str, int] = field(default_factory=dict)
    marks: dict[str, dict[str, Mark]] = field(default_factory=dict)
    rows: dict[Generation, dict[str, MemoryRow]] = field(default_factory=dict)
    tables: dict[Generation, str] = field(default_factory=dict)
    served: dict[str, Generation] = field(default_factory=dict)

    def copy(self) -> Contents:
        """Copy every dictionary; rows and positions are frozen and shared."""
        return Contents(
            dict(self.epochs),
            {table: dict(marks) for table, marks in self.marks.items()},
            {generation: dict(rows) for generation, rows in self.rows.items()},
            dict(self.tables),
            dict(self.served),
        )


@dataclass(frozen=True, slots=True)
class _Failure:
    error: DynalensError
    on: str
    landed: bool


class MemoryTarget:
    """A `Target`, `DocumentReader` and `Comparable` in dictionaries, safe to use from several threads.

    It outlives `close`, so that a pipeline started again finds what an earlier one left.

    Args:
        name: Which target it stands for in positions, dead letters and status.
        clock: Epoch seconds, for the age of tombstones.
    """

    def __init__(self, name: str = "memory", *, clock: Callable[[], float] = time.time) -> None:
        self.name = name
        self._clock = clock
        self._changed = threading.Condition()
        self._contents = Contents()
        self._failures: list[_Failure] = []
        self._refused: dict[str, tuple[str, str]] = {}
        self._blocked = False
        self._closed = 0

    # Faults, on command.

    def fail_next(
        self, times: int = 1, error: DynalensError | None = None, *, on: str = "", landed: bool = False
    ) -> None:
        """Let the next calls fail.

        Args:
            times: How many calls.
            error: What they raise; a `TargetError` by default.
            on: Count only calls of this method, such as `"apply"`; any method by default.
            landed: Do what was asked before failing, as when a connection breaks just before the answer.
        """
        failure = _Failure(error or TargetError(f"{self.name} was told to fail."), on, landed)
        with self._changed:
            self._failures += [failure] * times

    def block(self) -> None:
        """Let every call hang until `unblock` (goes on) or `close` (raises `TargetError`)."""
        with self._changed:
            self._blocked = True

    def unblock(self) -> None:
        """Let calls that hang go on."""
        with self._changed:
            self._blocked = False
            self._changed.notify_all()

    def refuse(self, document_id: str, code: str = "refused", message: str = "told to refuse it") -> None:
        """Reject every document of this id from now on; deletes of it are still taken."""
        with self._changed:
            self._refused[document_id] = (code, message)

    def accept(self, document_id: str) -> None:
        """Take documents of this id again."""
        with self._changed:
            self._refused.pop(document_id, None)

    def lose_marks(self) -> None:
        """Forget every position applied, and nothing else."""
        with self._changed:
            self._contents.marks.clear()

    def wipe(self) -> None:
        """Forget everything: rows, generations, marks and epochs, as a new volume would."""
        self.go_back(Contents())

    def snapshot(self) -> Contents:
        """Copy everything held, for `go_back`."""
        with self._changed:
            return self._contents.copy()

    def go_back(self, snapshot: Contents) -> None:
        """Hold again what was held at a snapshot, as a restored volume or a failed-over replica does."""
        with self._changed:
            self._contents = snapshot.copy()

    # What it holds, for assertions; never fails or hangs.

    def documents(self, collection: str) -> dict[str, bytes]:
        """Give the live documents of the served generation as plain JSON, by id; empty when none is served."""
        with self._changed:
            return {id_: document.json for id_, document in self._live(collection).items()}

    def rows(self, generation: Generation) -> dict[str, MemoryRow]:
        """Give everything held of a generation by id, tombstones included; empty when it does not exist."""
        with self._changed:
            return dict(self._contents.rows.get(generation, {}))

    # Target.

    def recall(self, table: str) -> Memory:
        """See `Target.recall`."""
        with self._call("recall") as contents:
            return Memory(
                epoch=contents.epochs.get(table, 0),
                marks=dict(contents.marks.get(table, {})),
                generations=frozenset(generation for generation, of in contents.tables.items() if of == table),
            )

    def raise_epoch(self, table: str, epoch: int) -> None:
        """See `Target.raise_epoch`."""
        with self._call("raise_epoch") as contents:
            contents.epochs[table] = max(epoch, contents.epochs.get(table, 0))

    def create(self, generation: Generation, collection: CollectionConfig) -> None:
        """See `Target.create`."""
        with self._call("create") as contents:
            if contents.tables.get(generation) != collection.table:
                contents.rows[generation] = {}
            contents.tables[generation] = collection.table

    def serve(self, generation: Generation) -> None:
        """See `Target.serve`."""
        with self._call("serve") as contents:
            self._existing(contents, generation)
            contents.served[generation.collection] = generation

    def drop(self, generation: Generation) -> None:
        """See `Target.drop`; raises `TargetError` for a generation that readers still see."""
        with self._call("drop") as contents:
            if contents.served.get(generation.collection) == generation:
                raise TargetError(f"{generation} is still served.", hint="Serve another generation first.")
            contents.rows.pop(generation, None)
            contents.tables.pop(generation, None)

    def apply(self, writes: Sequence[Write]) -> list[Rejection]:
        """See `Target.apply`; raises `TargetError` for a generation that was not created."""
        with self._call("apply") as contents:
            for write in writes:
                self._existing(contents, write.generation)
            return [rejection for write in writes if (rejection := self._apply(contents, write))]

    def begin(self, table: str, epochs: Mapping[str, int]) -> dict[str, Position]:
        """See `Target.begin`."""
        with self._call("begin") as contents:
            held = contents.marks.setdefault(table, {})
            begun = {id_: epoch for id_, epoch in epochs.items() if epoch >= held.get(id_, NO_MARK).epoch}
            held.update({id_: Mark(epoch, held.get(id_, NO_MARK).position) for id_, epoch in begun.items()})
            return {id_: held[id_].position for id_ in begun}

    def mark(self, table: str, marks: Mapping[str, Mark]) -> None:
        """See `Target.mark`."""
        with self._call("mark") as contents:
            held = contents.marks.setdefault(table, {})
            held.update({id_: mark for id_, mark in marks.items() if mark.epoch >= held.get(id_, NO_MARK).epoch})

    def forget_marks(self, table: str, marks: Mapping[str, Mark]) -> None:
        """See `Target.forget_marks`."""
        with self._call("forget_marks") as contents:
            held = contents.marks.get(table, {})
            for id_, mark in marks.items():
                if held.get(id_, NO_MARK).epoch <= mark.epoch:
                    held.pop(id_, None)

    def sweep(self, older_than: float) -> int:
        """See `Target.sweep`."""
        with self._call("sweep") as contents:
            return sum(_sweep(rows, older_than) for rows in contents.rows.values())

    def ping(self) -> None:
        """See `Target.ping`."""
        with self._call("ping"):
            pass

    def close(self) -> None:
        """Let calls that hang raise `TargetError`; what was applied stays, and the target may be used again."""
        with self._changed:
            self._closed += 1
            self._changed.notify_all()

    # DocumentReader.

    def document(self, collection: str, document_id: str) -> StoredDocument | None:
        """See `DocumentReader.document`."""
        with self._call("document"):
            document = self._live(collection).get(document_id)
            return StoredDocument(document_id, document.json, document.types) if document else None

    def count(self, collection: str) -> int:
        """See `DocumentReader.count`."""
        with self._call("count"):
            return len(self._live(collection))

    def fields(self, collection: str) -> list[Field]:
        """See `DocumentReader.fields`."""
        types: defaultdict[str, Counter[str]] = defaultdict(Counter)
        with self._call("fields"):
            for document in self._live(collection).values():
                for name, fragment in document.fragments.items():
                    types[name][_json_type(fragment)] += 1
        return sorted((Field(name, dict(counts)) for name, counts in types.items()), key=_by_frequency)

    # Comparable.

    def digest(self, _generation: Generation, item: Document) -> bytes | None:
        """See `Comparable.digest`; never fails or hangs."""
        return document_digest(item.json, item.types)

    def kept(self, generation: Generation, ids: Sequence[str]) -> dict[str, bytes]:
        """See `Comparable.kept`."""
        with self._call("kept") as contents:
            rows = self._existing(contents, generation)
            found = {id_: row.document for id_ in ids if (row := rows.get(id_)) and row.document is not None}
        return {id_: document_digest(document.json, document.types) for id_, document in found.items()}

    def walk(self, generation: Generation, cursor: str, limit: int) -> Walked:
        """See `Comparable.walk`."""
        with self._call("walk") as contents:
            rows = self._existing(contents, generation)
            behind = sorted(id_ for id_, row in rows.items() if row.document is not None and id_ > cursor)
        return Walked(behind[:limit], behind[limit - 1] if len(behind) > limit else "")

    @contextmanager
    def _call(self, method: str) -> Iterator[Contents]:
        """Hang, fail or do what was asked, alone with the contents."""
        with self._changed:
            closed = self._closed
            self._changed.wait_for(lambda: not self._blocked or self._closed != closed)
            if self._blocked:
                raise TargetError(f"{self.name} was closed while {method} was waiting for its answer.")
            failure = self._next_failure(method)
            if failure is None:
                yield self._contents
                return
            if failure.landed:
                yield self._contents
            raise failure.error

    def _next_failure(self, method: str) -> _Failure | None:
        for index, failure in enumerate(self._failures):
            if failure.on in {"", method}:
                return self._failures.pop(index)
        return None

    def _existing(self, contents: Contents, generation: Generation) -> dict[str, MemoryRow]:
        if generation not in contents.rows:
            raise TargetError(f"{self.name} holds no {generation}.", hint="Create the generation first.")
        return contents.rows[generation]

    def _apply(self, contents: Contents, write: Write) -> Rejection | None:
        if write.document is not None and write.id in self._refused:
            return Rejection(write, *self._refused[write.id])
        rows = contents.rows[write.generation]
        held = rows.get(write.id)
        if held is None or held.version < write.version:
            rows[write.id] = MemoryRow(write.version, write.document, self._clock())
        return None

    def _live(self, collection: str) -> dict[str, Document]:
        served = self._contents.served.get(collection)
        rows = self._contents.rows[served] if served else {}
        return {id_: row.document for id_, row in rows.items() if row.document is not None}


def _sweep(rows: dict[str, MemoryRow], older_than: float) -> int:
    old = [id_ for id_, row in rows.items() if row.document is None and row.written_at < older_than]
    for id_ in old:
        del rows[id_]
    return len(old)


def _json_type(fragment: bytes) -> str:
    return {b'"': "string", b"{": "map", b"[": "array", b"t": "bool", b"f": "bool", b"n": "null"}.get(
        fragment[:1], "number"
    )


def _by_frequency(found: Field) -> tuple[int, str]:
    return -sum(found.types.values()), found.name
