"""Positions, dead letters and reports in one local SQLite file: the store of `dynalens up`.

Commits are durable against a killed process at once, and ordered against a power cut (write-ahead log,
`synchronous=NORMAL`): a cut may take the newest commits back together, never one without those after it. Positions
that went back are replayed, and epochs cannot repeat, because each target remembers the highest one.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Any

from dynalens import clock
from dynalens.dead_letter import DeadLetter
from dynalens.errors import DynalensError, StaleLeaseError
from dynalens.partition import START, Partition, Position
from dynalens.position import NEW_STORE_EPOCH, Commit, Copy, Draw, Gap, PartitionState
from dynalens.report import Report
from dynalens.retry import RetryPolicy

_SCHEMA = """
CREATE TABLE IF NOT EXISTS counters (table_name TEXT PRIMARY KEY, epoch INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS leases (
    table_name TEXT, partition TEXT, kind TEXT NOT NULL, parents TEXT NOT NULL, owner TEXT NOT NULL,
    PRIMARY KEY (table_name, partition));
CREATE TABLE IF NOT EXISTS positions (
    table_name TEXT, partition TEXT, target TEXT, epoch INTEGER NOT NULL,
    ended INTEGER NOT NULL, rank TEXT NOT NULL, token TEXT NOT NULL,
    PRIMARY KEY (table_name, partition, target));
CREATE TABLE IF NOT EXISTS copies (
    table_name TEXT, collection TEXT, target TEXT, number INTEGER, state TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (table_name, collection, target, number));
CREATE TABLE IF NOT EXISTS gaps (
    table_name TEXT, target TEXT, partition TEXT, reason TEXT, body TEXT NOT NULL,
    PRIMARY KEY (table_name, target, partition, reason));
CREATE TABLE IF NOT EXISTS reports (table_name TEXT, target TEXT, body TEXT NOT NULL, PRIMARY KEY (table_name, target));
CREATE TABLE IF NOT EXISTS dead_letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT, table_name TEXT, target TEXT, collection TEXT, generation INTEGER,
    document_id TEXT, version INTEGER, partition TEXT, sequence_number TEXT, created_at REAL, code TEXT, message TEXT,
    record BLOB, state TEXT, stored_at REAL, digest TEXT,
    UNIQUE (table_name, target, collection, generation, partition, document_id, sequence_number, digest));
CREATE INDEX IF NOT EXISTS dead_letters_by_state ON dead_letters (state, number);
"""

_LETTER_COLUMNS = ", ".join("table_name" if f.name == "table" else f.name for f in fields(DeadLetter))


_OPENING = RetryPolicy(base_seconds=0.02, cap_seconds=0.2, attempts=200, total_seconds=10.0)


class StoreError(DynalensError):
    """The local store cannot be opened or written."""

    code = "store"


class SqliteStore:
    """`PositionStore`, `DeadLetterStore` and `ReportStore` in one file, for one machine.

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

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=10)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.executescript(_SCHEMA)
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

    # Leases, epochs, positions.

    def acquire(self, table: str, partition: Partition, owner: str) -> None:
        """Take the lease: the folder's lock makes its holder the only worker, so it takes over whatever is there."""
        with self._write() as db:
            db.execute(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?)",
                (table, partition.id, partition.kind, json.dumps(partition.parents), owner),
            )

    def draw(self, table: str, partition: str, target: str, *, owner: str, remembered: int) -> Draw:
        """See `PositionStore.draw`."""
        key = (table, partition, target)
        with self._write() as db:
            lease = db.execute("SELECT owner FROM leases WHERE table_name = ? AND partition = ?", key[:2]).fetchone()
            if lease is None or lease[0] != owner:
                msg = f"{owner} does not hold the lease of {partition} of {table}."
                raise StaleLeaseError(msg)
            position = _position(db, key)
            if position.ended:
                msg = f"{partition} of {table} is drained for {target}."
                raise StaleLeaseError(msg)
            epoch = max(_counter(db, table), remembered) + 1
            db.execute("INSERT OR REPLACE INTO counters VALUES (?, ?)", (table, epoch))
            _put_position(db, key, epoch, position)
        return Draw(epoch, position)

    def rewind(self, table: str, partition: str, target: str, position: Position) -> None:
        """See `PositionStore.rewind`."""
        key = (table, partition, target)
        with self._write() as db:
            row = db.execute(
                "SELECT epoch FROM positions WHERE table_name = ? AND partition = ? AND target = ?", key
            ).fetchone()
            if row is not None and position < _position(db, key):
                _put_position(db, key, row[0], position)

    def commit(self, table: str, target: str, commits: Sequence[Commit]) -> None:
        """See `PositionStore.commit`."""
        with self._write() as db:
            for commit in commits:
                ended, rank, token = _columns(commit.position)
                updated = db.execute(
                    "UPDATE positions SET ended = ?, rank = ?, token = ?"
                    " WHERE table_name = ? AND partition = ? AND target = ? AND epoch = ?",
                    (ended, rank, token, table, commit.partition, target, commit.epoch),
                ).rowcount
                if updated != 1:
                    msg = f"Epoch {commit.epoch} no longer holds {commit.partition} of {table} for {target}."
                    raise StaleLeaseError(msg)

    def counter(self, table: str) -> int:
        """See `PositionStore.counter`."""
        with self._lock:
            return _counter(self._db, table)

    def partitions(self, table: str) -> list[PartitionState]:
        """See `PositionStore.partitions`."""
        rows = self._read(
            "SELECT partition, kind, parents, target, epoch, ended, rank, token"
            " FROM positions JOIN leases USING (table_name, partition) WHERE table_name = ? ORDER BY partition, target",
            table,
        )
        return [
            PartitionState(
                Partition(partition, kind, tuple(json.loads(parents))),
                target,
                epoch,
                Position(bool(ended), int(rank), token),
            )
            for partition, kind, parents, target, epoch, ended, rank, token in rows
        ]

    def forget(self, table: str, target: str, partitions: Sequence[str]) -> None:
        """See `PositionStore.forget`."""
        with self._write() as db:
            db.executemany(
                "DELETE FROM positions WHERE table_name = ? AND target = ? AND partition = ?",
                [(table, target, partition) for partition in partitions],
            )

    # Generations and gaps.

    def copies(self, table: str, target: str) -> list[Copy]:
        """See `PositionStore.copies`."""
        rows = self._read(
            "SELECT body FROM copies WHERE table_name = ? AND target = ? ORDER BY collection, number", table, target
        )
        return [Copy(**json.loads(body)) for (body,) in rows]

    def save_copy(self, table: str, copy: Copy) -> None:
        """See `PositionStore.save_copy`."""
        with self._write() as db:
            _put_copy(db, table, copy)

    def restart(self, table: str, target: str, copies: Sequence[Copy], gaps: Sequence[Gap] = ()) -> None:
        """See `PositionStore.restart`."""
        with self._write() as db:
            db.execute("DELETE FROM positions WHERE table_name = ? AND target = ?", (table, target))
            for copy in copies:
                _put_copy(db, table, copy)
            for gap in gaps:
                _put_gap(db, gap)

    def gaps(self, table: str) -> list[Gap]:
        """See `PositionStore.gaps`."""
        rows = self._read("SELECT body FROM gaps WHERE table_name = ? ORDER BY target, partition", table)
        return [Gap(**json.loads(body)) for (body,) in rows]

    def close_gaps(self, table: str, target: str) -> None:
        """See `PositionStore.close_gaps`."""
        with self._write() as db:
            db.execute("DELETE FROM gaps WHERE table_name = ? AND target = ?", (table, target))

    # Reports.

    def save_report(self, report: Report) -> None:
        """See `ReportStore.save_report`."""
        with self._write() as db:
            db.execute(
                "INSERT OR REPLACE INTO reports VALUES (?, ?, ?)",
                (report.table, report.target, json.dumps(asdict(report))),
            )

    def reports(self) -> list[Report]:
        """See `ReportStore.reports`."""
        return [Report(**json.loads(body)) for (body,) in self._read("SELECT body FROM reports")]

    # Dead letters.

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """See `DeadLetterStore.add`; the same change rejected again takes its newest version and reason."""
        now = clock.now()
        with self._write() as db:
            db.executemany(
                f"INSERT INTO dead_letters ({_LETTER_COLUMNS}, digest) VALUES (NULL{', ?' * 15})"  # noqa: S608 - own names
                " ON CONFLICT"
                " (table_name, target, collection, generation, partition, document_id, sequence_number, digest)"
                " DO UPDATE SET version = excluded.version, code = excluded.code, message = excluded.message,"
                " record = excluded.record, state = excluded.state, stored_at = excluded.stored_at",
                [(*astuple(letter)[1:-1], letter.stored_at or now, _digest(letter)) for letter in letters],
            )

    def letters(
        self,
        *,
        state: str | None = None,
        collection: str | None = None,
        table: str | None = None,
        target: str | None = None,
        limit: int = 100,
    ) -> list[DeadLetter]:
        """See `DeadLetterStore.letters`."""
        rows = self._read(
            f"SELECT {_LETTER_COLUMNS} FROM dead_letters"  # noqa: S608 - own names
            " WHERE state = coalesce(?, state) AND collection = coalesce(?, collection)"
            " AND table_name = coalesce(?, table_name) AND target = coalesce(?, target) ORDER BY number LIMIT ?",
            state,
            collection,
            table,
            target,
            limit,
        )
        return [_letter(row) for row in rows]

    def letter(self, number: int) -> DeadLetter | None:
        """See `DeadLetterStore.letter`."""
        rows = self._read(f"SELECT {_LETTER_COLUMNS} FROM dead_letters WHERE number = ?", number)  # noqa: S608
        return _letter(rows[0]) if rows else None

    def request_redrive(self, numbers: Sequence[int] | None) -> int:
        """See `DeadLetterStore.request_redrive`."""
        ask = "UPDATE dead_letters SET state = 'redrive' WHERE state = 'waiting'"
        with self._write() as db:
            if numbers is None:
                return db.execute(ask).rowcount
            return sum(db.execute(f"{ask} AND number = ?", (number,)).rowcount for number in numbers)

    def settle(self, number: int, *, code: str = "", message: str = "") -> None:
        """See `DeadLetterStore.settle`."""
        with self._write() as db:
            if code:
                statement = "UPDATE dead_letters SET state = 'waiting', code = ?, message = ? WHERE number = ?"
                db.execute(statement, (code, message, number))
            else:
                db.execute("UPDATE dead_letters SET state = 'done' WHERE number = ?", (number,))

    def waiting_counts(self) -> dict[tuple[str, str, str], int]:
        """See `DeadLetterStore.waiting_counts`."""
        rows = self._read(
            "SELECT table_name, target, collection, count(*) FROM dead_letters WHERE state != 'done' GROUP BY 1, 2, 3"
        )
        return {(table, target, collection): count for table, target, collection, count in rows}

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _is_busy(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def _counter(db: sqlite3.Connection, table: str) -> int:
    row = db.execute("SELECT epoch FROM counters WHERE table_name = ?", (table,)).fetchone()
    return int(row[0]) if row else NEW_STORE_EPOCH


def _position(db: sqlite3.Connection, key: tuple[str, str, str]) -> Position:
    row = db.execute(
        "SELECT ended, rank, token FROM positions WHERE table_name = ? AND partition = ? AND target = ?", key
    ).fetchone()
    return Position(bool(row[0]), int(row[1]), row[2]) if row else START


def _columns(position: Position) -> tuple[int, str, str]:
    """Ranks have up to 40 digits, which no SQLite integer holds."""
    return int(position.ended), str(position.rank), position.token


def _put_position(db: sqlite3.Connection, key: tuple[str, str, str], epoch: int, position: Position) -> None:
    db.execute("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?, ?, ?)", (*key, epoch, *_columns(position)))


def _put_copy(db: sqlite3.Connection, table: str, copy: Copy) -> None:
    db.execute(
        "INSERT OR REPLACE INTO copies VALUES (?, ?, ?, ?, ?, ?)",
        (table, copy.collection, copy.target, copy.number, copy.state, json.dumps(asdict(copy))),
    )


def _put_gap(db: sqlite3.Connection, gap: Gap) -> None:
    db.execute(
        "INSERT OR REPLACE INTO gaps VALUES (?, ?, ?, ?, ?)",
        (gap.table, gap.target, gap.partition, gap.reason, json.dumps(asdict(gap))),
    )


def _digest(letter: DeadLetter) -> str:
    """Tell records apart of which nothing could be read, by what they are; the others have a number or an id."""
    if letter.sequence_number or letter.document_id:
        return ""
    return hashlib.sha256(letter.record).hexdigest()


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    return DeadLetter(**dict(zip((f.name for f in fields(DeadLetter)), row, strict=True)))
