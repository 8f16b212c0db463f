"""Positions, dead letters and reports in one local SQLite file: the store of `dynalens up`.

Commits are durable against a killed process at once, and ordered against a power cut (write-ahead log,
`synchronous=NORMAL`): a cut may take the newest commits back together, never one without those after it. Positions
that went back are replayed, and epochs cannot repeat, because each target remembers the highest one.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from dynalens.position.sqlite.file import raise_revision
from dynalens.position.sqlite.letters import Letters
from dynalens.position.sqlite.positions import Positions
from dynalens.report import Report
from dynalens.request import KEPT_REQUESTS, Request

__all__ = ["SqliteStore"]

_NEWEST_ENDED = (
    "SELECT number FROM requests WHERE table_name = ?1 AND state IN ('done', 'failed') ORDER BY number DESC LIMIT ?2"
)


class SqliteStore(Positions, Letters):
    """`PositionStore`, `DeadLetterStore`, `ReportStore` and `RequestStore` in one file, for one machine."""

    def save_report(self, report: Report) -> None:
        """See `ReportStore.save_report`."""
        with self._write() as db:
            db.execute(
                "INSERT OR REPLACE INTO reports VALUES (?, ?, ?, ?)",
                (report.table, report.target, report.worker, json.dumps(asdict(report))),
            )

    def reports(self) -> list[Report]:
        """See `ReportStore.reports`."""
        return [Report(**json.loads(body)) for (body,) in self._read("SELECT body FROM reports")]

    def ask(self, request: Request) -> Request:
        """See `RequestStore.ask`."""
        with self._write() as db:
            [(number,)] = db.execute(
                "INSERT INTO requests (table_name, state, body) VALUES (?, ?, ?) RETURNING number",
                (request.table, request.state, json.dumps(asdict(request))),
            ).fetchall()
            db.execute(
                "DELETE FROM requests WHERE table_name = ?1"  # noqa: S608 - own text
                f" AND state IN ('done', 'failed') AND number NOT IN ({_NEWEST_ENDED})",
                (request.table, KEPT_REQUESTS),
            )
            raise_revision(db, request.table)
        return replace(request, number=number)

    def requests(self, table: str) -> list[Request]:
        """See `RequestStore.requests`."""
        rows = self._read(
            "SELECT number, body FROM requests WHERE table_name = ?1"  # noqa: S608 - own text
            f" AND (state IN ('waiting', 'running') OR number IN ({_NEWEST_ENDED})) ORDER BY number",
            table,
            KEPT_REQUESTS,
        )
        return [_request(number, body) for number, body in rows]

    def request(self, number: int) -> Request | None:
        """See `RequestStore.request`."""
        rows = self._read("SELECT number, body FROM requests WHERE number = ?", number)
        return _request(*rows[0]) if rows else None

    def save_request(self, request: Request) -> None:
        """See `RequestStore.save_request`."""
        with self._write() as db:
            db.execute(
                "UPDATE requests SET state = ?, body = ? WHERE number = ?",
                (request.state, json.dumps(asdict(request)), request.number),
            )


def _request(number: int, body: str) -> Request:
    return Request(**{**json.loads(body), "number": number})
