"""The file itself: its tables, how it is opened, and one atomic step in it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dynalens.errors import StoreError
from dynalens.retry import RetryPolicy

_SCHEMA = """
CREATE TABLE IF NOT EXISTS counters (table_name TEXT PRIMARY KEY, epoch INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS revisions (table_name TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS leases (
    table_name TEXT, partition TEXT, kind TEXT NOT NULL, parents TEXT NOT NULL, owner TEXT NOT NULL,
    PRIMARY KEY (table_name, partition));
CREATE TABLE IF NOT EXISTS positions (
    table_name TEXT, partition TEXT, target TEXT, epoch INTEGER NOT NULL,
    ended INTEGER NOT NULL, rank TEXT NOT NULL, token TEXT NOT NULL, sealed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (table_name, partition, target));
CREATE TABLE IF NOT EXISTS copies (
    table_name TEXT, collection TEXT, target TEXT, number INTEGER, state TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (table_name, collection, target, number));
CREATE TABLE IF NOT EXISTS gaps (
    table_name TEXT, target TEXT, partition TEXT, reason TEXT, body TEXT NOT NULL,
    PRIMARY KEY (table_name, target, partition, reason));
CREATE TABLE IF NOT EXISTS reports (
    table_name TEXT, target TEXT, worker TEXT, body TEXT NOT NULL, PRIMARY KEY (table_name, target, worker));
CREATE TABLE IF NOT EXISTS requests (
    number INTEGER PRIMARY KEY AUTOINCREMENT, table_name TEXT NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS requests_by_table ON requests (table_name, state, number);
CREATE TABLE IF NOT EXISTS dead_letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT, table_name TEXT, target TEXT, collection TEXT, generation INTEGER,
    document_id TEXT, version INTEGER, partition TEXT, sequence_number TEXT, created_at REAL, code TEXT, message TEXT,
    record BLOB, state TEXT, stored_at REAL, digest TEXT,
    UNIQUE (table_name, target, collection, generation, partition, document_id, sequence_number, digest));
CREATE INDEX IF NOT EXISTS dead_letters_by_state ON dead_letters (state, number);
"""

_SEALED = """
ALTER TABLE positions ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;
UPDATE positions SET sealed = 1 WHERE ended AND EXISTS (
    SELECT 1 FROM positions AS child JOIN leases USING (table_name, partition), json_each(leases.parents)
    WHERE child.table_name = positions.table_name AND child.target = positions.target
    AND json_each.value = positions.partition);
"""

_BY_WORKER = """
ALTER TABLE reports RENAME TO reports_before;
CREATE TABLE reports (
    table_name TEXT, target TEXT, worker TEXT, body TEXT NOT NULL, PRIMARY KEY (table_name, target, worker));
INSERT INTO reports SELECT table_name, target, '', body FROM reports_before;
DROP TABLE reports_before;
"""

_FROM_BEFORE = {("positions", "sealed"): _SEALED, ("reports", "worker"): _BY_WORKER}
"""What brings a file of an earlier version up to the schema: the column that it lacks, and the statements."""

_OPENING = RetryPolicy(base_seconds=0.02, cap_seconds=0.2, attempts=200, total_seconds=10.0)


class File:
    """One SQLite file, opened for as long as it is needed. Safe to use from several threads.

    Args:
        path: The file; its folder must exist. `:memory:` keeps everything in memory.

    Raises:
        StoreError: The file cannot be opened or is not a store.
    """

    def __init__(self, path: Path | str) -> None:
        """Open the file, making it if need be."""
        self.path = str(path)
        self._lock = threading.Lock()
        try:
            # SQLite does not wait while another connection makes the file: it says "locked" at once.
            self._db = _OPENING.run(self._connect, retryable=_is_busy, stop=threading.Event())
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.executescript(_SCHEMA)
            _bring_up(db)
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _failed(self, error: sqlite3.Error) -> StoreError:
        return StoreError(
            f"The position store {self.path} cannot be used: {error}.",
            hint="Check that the disk has room and the folder is writable.",
        )

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """One atomic step: everything inside is committed together, or nothing is."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                raise self._failed(error) from error
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise self._failed(error) from error
                raise

    def _read(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - SQLite values
        with self._lock:
            try:
                return self._db.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise self._failed(error) from error


def raise_revision(db: sqlite3.Connection, table: str) -> None:
    """Raise `PositionStore.revision` of a table, in the step that is under way."""
    db.execute(
        "INSERT INTO revisions VALUES (?, 1) ON CONFLICT (table_name) DO UPDATE SET number = number + 1", (table,)
    )


def _is_busy(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def _bring_up(db: sqlite3.Connection) -> None:
    if not _lacking(db):
        return
    db.execute("BEGIN IMMEDIATE")
    # Again, now that nobody else can be at it.
    for missing in _lacking(db):
        # One by one: a script would commit what is under way.
        for statement in filter(str.strip, _FROM_BEFORE[missing].split(";")):
            db.execute(statement)
    db.execute("COMMIT")


def _lacking(db: sqlite3.Connection) -> list[tuple[str, str]]:
    return [
        (table, column)
        for table, column in _FROM_BEFORE
        if not db.execute("SELECT 1 FROM pragma_table_info(?) WHERE name = ?", (table, column)).fetchall()
    ]
