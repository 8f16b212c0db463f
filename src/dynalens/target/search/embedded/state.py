"""What the target durably knows beside the documents: epochs, marks, generations, which is served, and their paths."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynalens.errors import TargetError
from dynalens.partition import START, Position
from dynalens.target import Generation, Mark
from dynalens.target.search.language.points import GeoPaths

_MARKS = "SELECT partition_id, epoch, ended, rank, token FROM applied WHERE table_name = ?"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS epochs (table_name TEXT PRIMARY KEY, epoch INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS applied (
    table_name TEXT, partition_id TEXT, epoch INTEGER NOT NULL, ended INTEGER NOT NULL, rank TEXT NOT NULL,
    token TEXT NOT NULL,
    PRIMARY KEY (table_name, partition_id));
CREATE TABLE IF NOT EXISTS generations (
    collection TEXT, number INTEGER, table_name TEXT NOT NULL, commit_stamp INTEGER NOT NULL,
    PRIMARY KEY (collection, number));
CREATE TABLE IF NOT EXISTS served (collection TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS layouts (
    collection TEXT, number INTEGER, points TEXT NOT NULL, PRIMARY KEY (collection, number));
CREATE TABLE IF NOT EXISTS paths (collection TEXT, number INTEGER, name TEXT, PRIMARY KEY (collection, number, name));
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a generation keeps beside words and tokens.

    Attributes:
        has_columns: Numbers, instants and points; older versions kept none of them.
        points: The points that were declared for it.
    """

    has_columns: bool = True
    points: GeoPaths = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Build:
    """One generation: its source table, the last commit of its index that marks stand for, and what it keeps."""

    table: str
    commit_stamp: int
    layout: Layout


class State:
    """One SQLite file; durable when a method returns, against a power cut too. Safe to use from several threads.

    Args:
        path: The file; its folder must exist.

    Raises:
        TargetError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        with self._translated():
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            self._db.execute("PRAGMA journal_mode=WAL")
            # Epochs must outlive a power cut: the first write under one follows at once.
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def epoch(self, table: str) -> int:
        """Give the highest epoch remembered for a table; 0 when there is none."""
        found = self._rows("SELECT epoch FROM epochs WHERE table_name = ?", table)
        return found[0][0] if found else 0

    def raise_epoch(self, table: str, epoch: int) -> None:
        """Remember an epoch; a lower one changes nothing."""
        with self._write() as db:
            db.execute(
                "INSERT INTO epochs VALUES (?, ?) ON CONFLICT DO UPDATE SET epoch = max(epoch, excluded.epoch)",
                (table, epoch),
            )

    def marks(self, table: str) -> dict[str, Mark]:
        """Give the position applied last, by partition."""
        return _marks(self._rows(_MARKS, table))

    def begin(self, table: str, epochs: Mapping[str, int]) -> dict[str, Position]:
        """Let marks take the epochs of new sessions; give their positions, but those held under a higher epoch."""
        with self._write() as db:
            db.executemany(
                "INSERT INTO applied VALUES (?, ?, ?, 0, ?, ?)"
                " ON CONFLICT DO UPDATE SET epoch = excluded.epoch WHERE epoch <= excluded.epoch",
                [
                    (table, partition, epoch, str(START.rank), json.dumps(START.token))
                    for partition, epoch in epochs.items()
                ],
            )
            marks = _marks(db.execute(_MARKS, (table,)))
        return {id_: marks[id_].position for id_, epoch in epochs.items() if marks[id_].epoch == epoch}

    def mark(self, table: str, marks: Mapping[str, Mark], stamps: Mapping[Generation, int]) -> None:
        """Remember positions, and the commits of the indexes that hold what they stand for, in one step.

        A mark of a lower epoch than the one that is held changes nothing.
        """
        with self._write() as db:
            db.executemany(
                "INSERT INTO applied VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET epoch = excluded.epoch,"
                " ended = excluded.ended, rank = excluded.rank, token = excluded.token WHERE epoch <= excluded.epoch",
                [
                    # Ranks have up to 40 digits; a token as JSON may hold what has no UTF-8.
                    (table, partition, epoch, position.ended, str(position.rank), json.dumps(position.token))
                    for partition, (epoch, position) in marks.items()
                ],
            )
            db.executemany(
                "UPDATE generations SET commit_stamp = ? WHERE collection = ? AND number = ?",
                [(stamp, generation.collection, generation.number) for generation, stamp in stamps.items()],
            )

    def forget_marks(self, table: str, marks: Mapping[str, Mark]) -> None:
        """Forget positions, each unless a higher epoch has marked it since."""
        with self._write() as db:
            db.executemany(
                "DELETE FROM applied WHERE table_name = ? AND partition_id = ? AND epoch <= ?",
                [(table, partition, mark.epoch) for partition, mark in marks.items()],
            )

    def forget_all_marks(self, table: str) -> None:
        """Forget the positions of a table: documents that they stand for are no longer there."""
        with self._write() as db:
            db.execute("DELETE FROM applied WHERE table_name = ?", (table,))

    def generations(self) -> dict[Generation, Build]:
        """List what exists."""
        found = self._rows(
            "SELECT collection, number, table_name, commit_stamp, points"
            " FROM generations LEFT JOIN layouts USING (collection, number)"
        )
        return {
            Generation(collection, number): Build(table, stamp, _layout(points))
            for collection, number, table, stamp, points in found
        }

    def served(self) -> dict[str, Generation]:
        """Give the generation that readers see, by collection."""
        return {name: Generation(name, number) for name, number in self._rows("SELECT * FROM served")}

    def paths(self, generation: Generation) -> set[str]:
        """Give the names of the paths that are indexed by name."""
        found = self._rows(
            "SELECT name FROM paths WHERE collection = ? AND number = ?", generation.collection, generation.number
        )
        return {name for (name,) in found}

    def add_paths(self, generation: Generation, names: Collection[str]) -> None:
        """Remember further paths, before the first document that has them is written."""
        with self._write() as db:
            _add_paths(db, generation, names)

    def create(self, generation: Generation, table: str, paths: Collection[str], points: GeoPaths) -> None:
        """Remember a generation, and the paths and points that were declared for it; one that exists stays as it is."""
        with self._write() as db:
            key = (generation.collection, generation.number)
            if db.execute("INSERT OR IGNORE INTO generations VALUES (?, ?, ?, 0)", (*key, table)).rowcount:
                _add_paths(db, generation, paths)
                written = json.dumps({name: list(place) for name, place in points.items()})
                db.execute("INSERT INTO layouts VALUES (?, ?, ?)", (*key, written))

    def serve(self, generation: Generation) -> None:
        """Point readers of a collection at a generation."""
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO served VALUES (?, ?)", (generation.collection, generation.number))

    def drop(self, generation: Generation) -> None:
        """Forget a generation, and that it is served."""
        with self._write() as db:
            for table in ("served", "paths", "layouts", "generations"):
                db.execute(
                    f"DELETE FROM {table} WHERE collection = ? AND number = ?",  # noqa: S608 - own names
                    (generation.collection, generation.number),
                )

    def _rows(self, query: str, *values: str | int) -> list[Any]:
        with self._lock, self._translated():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """One atomic step."""
        with self._lock, self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise TargetError(
                f"The search target's state {self._path} cannot be used: {error}.",
                hint="Check that the disk has room and the folder is writable.",
            ) from error


def _marks(rows: Iterable[Any]) -> dict[str, Mark]:
    return {
        partition: Mark(epoch, Position(bool(ended), int(rank), json.loads(token)))
        for partition, epoch, ended, rank, token in rows
    }


def _layout(points: str | None) -> Layout:
    return Layout(has_columns=False) if points is None else Layout(points=json.loads(points))


def _add_paths(db: sqlite3.Connection, generation: Generation, names: Iterable[str]) -> None:
    db.executemany(
        "INSERT OR IGNORE INTO paths VALUES (?, ?, ?)",
        [(generation.collection, generation.number, name) for name in names],
    )
