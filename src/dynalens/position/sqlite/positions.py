"""Leases, epochs, positions, generations and gaps in the file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict

from dynalens.errors import StaleLeaseError
from dynalens.partition import START, Partition, Position
from dynalens.position import NEW_STORE_EPOCH, Commit, Copy, Draw, Gap, PartitionState, epoch_after
from dynalens.position.sqlite.file import File, raise_revision

_Key = tuple[str, str, str]
"""Table, partition, target."""


class Positions(File):
    """`PositionStore` in one file."""

    # Leases, epochs, positions.

    def acquire(self, table: str, partition: Partition, owner: str, *, over: str | None = None) -> None:
        """See `PositionStore.acquire`."""
        with self._write() as db:
            if over is not None and (held := _owner(db, table, partition.id)) not in {over, owner}:
                msg = f"{partition.id} of {table} is held by {held or 'nobody'}, not by {over or 'nobody'}."
                raise StaleLeaseError(msg)
            db.execute(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?)",
                (table, partition.id, partition.kind, json.dumps(partition.parents), owner),
            )

    def draw(self, table: str, partition: str, target: str, *, owner: str, remembered: int) -> Draw:
        """See `PositionStore.draw`."""
        key = (table, partition, target)
        with self._write() as db:
            if _owner(db, table, partition) != owner:
                msg = f"{owner} does not hold the lease of {partition} of {table}."
                raise StaleLeaseError(msg)
            position = _position(db, key)
            if position.ended:
                msg = f"{partition} of {table} is drained for {target}."
                raise StaleLeaseError(msg)
            _seal_parents(db, key)
            epoch = _draw(db, table, remembered)
            _put_position(db, key, epoch, position)
        return Draw(epoch, position)

    def next_epoch(self, table: str, *, remembered: int) -> int:
        """See `PositionStore.next_epoch`."""
        with self._write() as db:
            return _draw(db, table, remembered)

    def rewind(self, table: str, partition: str, target: str, position: Position, *, epoch: int) -> None:
        """See `PositionStore.rewind`."""
        key = (table, partition, target)
        with self._write() as db:
            held = db.execute(
                "SELECT epoch, sealed FROM positions WHERE table_name = ? AND partition = ? AND target = ?", key
            ).fetchone()
            if held is None or held[0] != epoch:
                raise _lost(epoch, key)
            if not position < _position(db, key):
                return
            if held[1]:
                msg = f"{partition} of {table} is not read again for {target}: a child of it is being read."
                raise StaleLeaseError(msg)
            _put_position(db, key, epoch, position)

    def commit(self, table: str, target: str, commits: Sequence[Commit]) -> None:
        """See `PositionStore.commit`."""
        with self._write() as db:
            for commit in commits:
                key = (table, commit.partition, target)
                columns = _columns(commit.position)
                # The end stays the end: an earlier commit of the same holder may arrive after it.
                updated = db.execute(
                    "UPDATE positions SET ended = ?, rank = ?, token = ?"
                    " WHERE table_name = ? AND partition = ? AND target = ? AND epoch = ? AND ended <= ?",
                    (*columns, *key, commit.epoch, columns[0]),
                )
                if updated.rowcount != 1:
                    raise _lost(commit.epoch, key)
            if any(commit.position.ended for commit in commits):
                raise_revision(db, table)

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
            for partition in partitions:
                key = (table, partition, target)
                db.execute("DELETE FROM positions WHERE table_name = ? AND partition = ? AND target = ?", key)
                db.execute(
                    "DELETE FROM leases WHERE table_name = ?1 AND partition = ?2 AND NOT EXISTS"
                    " (SELECT 1 FROM positions WHERE table_name = ?1 AND partition = ?2)",
                    key[:2],
                )

    # Generations and gaps.

    def copies(self, table: str, target: str) -> list[Copy]:
        """See `PositionStore.copies`."""
        rows = self._read(
            "SELECT body FROM copies WHERE table_name = ? AND target = ? ORDER BY collection, number", table, target
        )
        return [Copy(**json.loads(body)) for (body,) in rows]

    def save_copy(self, table: str, copy: Copy, *, was: Copy) -> None:
        """See `PositionStore.save_copy`."""
        with self._write() as db:
            if _held_copy(db, table, copy) != was:
                msg = f"Generation {copy.number} of {copy.collection} in {copy.target} is recorded otherwise."
                raise StaleLeaseError(msg)
            _put_copy(db, table, copy)
            raise_revision(db, table)

    def forget_copies(self, table: str, copies: Sequence[Copy]) -> None:
        """See `PositionStore.forget_copies`."""
        with self._write() as db:
            db.executemany(
                "DELETE FROM copies WHERE table_name = ? AND collection = ? AND target = ? AND number = ?",
                [(table, copy.collection, copy.target, copy.number) for copy in copies],
            )

    def record(
        self,
        table: str,
        target: str,
        copies: Sequence[Copy],
        gaps: Sequence[Gap] = (),
        forget: Sequence[PartitionState] = (),
    ) -> None:
        """See `PositionStore.record`."""
        with self._write() as db:
            for copy in copies:
                if _held_copy(db, table, copy):
                    msg = f"Generation {copy.number} of {copy.collection} in {target} is recorded already."
                    raise StaleLeaseError(msg)
                _put_copy(db, table, copy)
            for state in forget:
                key = (table, state.partition.id, target)
                if (
                    db.execute(
                        "DELETE FROM positions WHERE table_name = ? AND partition = ? AND target = ? AND epoch = ?",
                        (*key, state.epoch),
                    ).rowcount
                    != 1
                ):
                    raise _lost(state.epoch, key)
            for gap in gaps:
                _put_gap(db, gap)
            raise_revision(db, table)

    def revision(self, table: str) -> int:
        """See `PositionStore.revision`."""
        rows = self._read("SELECT number FROM revisions WHERE table_name = ?", table)
        return int(rows[0][0]) if rows else 0

    def gaps(self, table: str) -> list[Gap]:
        """See `PositionStore.gaps`."""
        rows = self._read("SELECT body FROM gaps WHERE table_name = ? ORDER BY target, partition", table)
        return [Gap(**json.loads(body)) for (body,) in rows]

    def close_gaps(self, table: str, target: str, *, below: int) -> None:
        """See `PositionStore.close_gaps`."""
        with self._write() as db:
            db.execute(
                "DELETE FROM gaps WHERE table_name = ? AND target = ?"
                " AND coalesce(json_extract(body, '$.generation'), 0) < ?",
                (table, target, below),
            )


def _owner(db: sqlite3.Connection, table: str, partition: str) -> str:
    """Give who holds a partition; empty where nobody does."""
    row = db.execute("SELECT owner FROM leases WHERE table_name = ? AND partition = ?", (table, partition)).fetchone()
    return row[0] if row else ""


def _counter(db: sqlite3.Connection, table: str) -> int:
    row = db.execute("SELECT epoch FROM counters WHERE table_name = ?", (table,)).fetchone()
    return int(row[0]) if row else NEW_STORE_EPOCH


def _draw(db: sqlite3.Connection, table: str, remembered: int) -> int:
    epoch = epoch_after(_counter(db, table), remembered)
    db.execute("INSERT OR REPLACE INTO counters VALUES (?, ?)", (table, epoch))
    return epoch


def _seal_parents(db: sqlite3.Connection, key: _Key) -> None:
    """Refuse while a parent lacks its end; otherwise keep it ended, for its child's epoch is to stay above its own."""
    table, partition, target = key
    [(parents,)] = db.execute("SELECT parents FROM leases WHERE table_name = ? AND partition = ?", key[:2])
    for parent in json.loads(parents):
        of_parent = (table, parent, target)
        if db.execute(
            "SELECT 1 FROM positions WHERE table_name = ? AND partition = ? AND target = ? AND NOT ended", of_parent
        ).fetchone():
            msg = f"{partition} of {table} waits for its parent {parent} to be drained for {target}."
            raise StaleLeaseError(msg)
        db.execute("UPDATE positions SET sealed = 1 WHERE table_name = ? AND partition = ? AND target = ?", of_parent)


def _position(db: sqlite3.Connection, key: _Key) -> Position:
    row = db.execute(
        "SELECT ended, rank, token FROM positions WHERE table_name = ? AND partition = ? AND target = ?", key
    ).fetchone()
    return Position(bool(row[0]), int(row[1]), row[2]) if row else START


def _columns(position: Position) -> tuple[int, str, str]:
    """Ranks have up to 40 digits, which no SQLite integer holds."""
    return int(position.ended), str(position.rank), position.token


def _put_position(db: sqlite3.Connection, key: _Key, epoch: int, position: Position) -> None:
    db.execute(
        "INSERT INTO positions (table_name, partition, target, epoch, ended, rank, token) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (table_name, partition, target) DO UPDATE"
        " SET epoch = excluded.epoch, ended = excluded.ended, rank = excluded.rank, token = excluded.token",
        (*key, epoch, *_columns(position)),
    )


def _lost(epoch: int, key: _Key) -> StaleLeaseError:
    table, partition, target = key
    return StaleLeaseError(f"Epoch {epoch} no longer holds {partition} of {table} for {target}.")


def _held_copy(db: sqlite3.Connection, table: str, copy: Copy) -> Copy | None:
    statement = "SELECT body FROM copies WHERE table_name = ? AND collection = ? AND target = ? AND number = ?"
    found = db.execute(statement, (table, copy.collection, copy.target, copy.number)).fetchall()
    return Copy(**json.loads(found[0][0])) if found else None


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
