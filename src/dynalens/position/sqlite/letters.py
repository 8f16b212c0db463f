"""Dead letters in the file."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from typing import Any

from dynalens import clock
from dynalens.dead_letter import DeadLetter
from dynalens.position.sqlite.file import File, raise_revision

_LETTER_COLUMNS = ", ".join("table_name" if f.name == "table" else f.name for f in fields(DeadLetter))


class Letters(File):
    """`DeadLetterStore` in one file."""

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
            _raise_revisions(db, (letter.table for letter in letters if letter.state == "redrive"))

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
                asked = db.execute(f"{ask} RETURNING table_name").fetchall()
            else:
                one = f"{ask} AND number = ? RETURNING table_name"
                asked = [row for number in numbers for row in db.execute(one, (number,)).fetchall()]
            _raise_revisions(db, (table for (table,) in asked))
        return len(asked)

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


def _raise_revisions(db: sqlite3.Connection, tables: Iterable[str]) -> None:
    for table in set(tables):
        raise_revision(db, table)


def _digest(letter: DeadLetter) -> str:
    """Tell records apart of which nothing could be read, by what they are; the others have a number or an id."""
    if letter.sequence_number or letter.document_id:
        return ""
    return hashlib.sha256(letter.record).hexdigest()


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    return DeadLetter(**dict(zip((f.name for f in fields(DeadLetter)), row, strict=True)))
